/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the cache share; not for other modules.
 *
 * Below the root:
 *   {path of an id}/                  the model's files and CACHE_MANIFEST, whose time of modification
 *                                     is when the model was last used
 *   .hoist/locks/{name}.lock          one per model id; removed only by who holds it exclusively
 *   .hoist/tree.lock                  held for the moment in which directories are renamed, made or
 *                                     removed: model "a" holds the directory of "a/1"
 *   .hoist/evict.lock                 held while models are removed to make room
 *   .hoist/lock-check                 locked for a moment to see whether locks work
 *   .hoist/verified/{name}            what the model's files looked like when their bytes were compared
 *   .hoist/shared/{kind}-{digest}     which file of which model has the bytes of which that was promised
 *   .hoist/graphs/{name}/{key}/       a saved graph: its files and CACHE_GRAPH_RECORD
 *   .hoist/graphs/{name}/new.{random}/   one being made, under .hoist/graphs/{name}/lock
 *   .hoist/staging/{name}.{random}/   models being written; whoever holds the model's lock may remove
 *                                     what others left there
 *
 * Lock order: model, then evictions, under which models' locks are only tried; then tree. A model's
 * files change only under its exclusive lock. */
#ifndef HOIST_CACHE_CACHE_INTERNAL_H
#define HOIST_CACHE_CACHE_INTERNAL_H

#include <stdbool.h>

#include "cache.h"
#include "fs.h"
#include "holder.h"
#include "identity.h"
#include "tree.h"

#define CACHE_STATE_DIR ".hoist"
#define CACHE_LOCKS_DIR CACHE_STATE_DIR "/locks"
#define CACHE_STAGING_DIR CACHE_STATE_DIR "/staging"
#define CACHE_VERIFIED_DIR CACHE_STATE_DIR "/verified"
#define CACHE_SHARED_DIR CACHE_STATE_DIR "/shared"
#define CACHE_SHARED_MIN_BYTES (64 << 10) /* below that a download is as quick */
#define CACHE_GRAPHS_DIR CACHE_STATE_DIR "/graphs"
#define CACHE_UNFINISHED_GRAPH                                                                     \
  "new." /* a directory in that of a model's graphs: one that is being saved */
#define CACHE_TREE_LOCK CACHE_STATE_DIR "/tree.lock"
#define CACHE_EVICT_LOCK CACHE_STATE_DIR "/evict.lock"
#define CACHE_LOCK_CHECK CACHE_STATE_DIR "/lock-check"
#define CACHE_MANIFEST ".hoist-manifest.json"
/* The manifest of a model that is being taken apart: readers do not see the model any more, and
 * whoever finds it after a crash knows which files are left over. */
#define CACHE_RETIRED ".hoist-retired.json"
/* What of a staging is finished; one that has it is worth going on with. */
#define CACHE_JOURNAL ".hoist-journal"
#define CACHE_KEEP_STAGING_S (24 * 3600) /* and for so long after it was last written to */
#define CACHE_NAME_SIZE 96               /* of {name} above, NUL included */
#define CACHE_STATE_PATH_SIZE 192        /* of any path below CACHE_STATE_DIR, NUL included */

struct cache {
  char *root; /* absolute */
  int root_fd;
  uint64_t patience_ns; /* with a holder that gets nowhere; 0: for ever */
  atomic_int locks;     /* enum cache_locks */
};

struct cache_lock {
  struct cache *cache; /* borrowed */
  struct model_id id;
  char name[CACHE_NAME_SIZE];
  int fd;
  struct holder_note note;
};

struct cache_txn {
  struct cache *cache;              /* borrowed */
  struct cache_lock *lock;          /* borrowed */
  const struct manifest *planned;   /* borrowed; NULL: nothing is known */
  atomic_bool *durable;             /* for each file of `planned`; NULL with it */
  char path[CACHE_STATE_PATH_SIZE]; /* of the staging directory, below the root */
  int dir_fd;
  bool adopted; /* an earlier download began it */
};

/* A manifest as it is kept on disk. */
struct cache_record {
  struct manifest manifest;
  char *model_id;
  uint64_t created_unix_s;
  struct digest digest; /* of its text */
};

struct cache_entry {
  struct cache *cache; /* borrowed */
  char name[CACHE_NAME_SIZE];
  uint64_t serial; /* see cache_claim_serial */
  struct cache_record record;
  struct file_identity *identities; /* of the manifest's files, in its order … */
  uint64_t seen_unix_ns;            /* … when they were looked at */
  char *dir;
  int dir_fd;
  int lock_fd; /* locked shared; -1 on a read-only root that has no lock file */
};

HOIST_DEFINE_AUTO(cache, struct cache, cache_close)

/* ---- verified.c -------------------------------------------------------------------------- */
/** Whether every file of the entry looks as it did when its bytes were last compared with this very
 *  manifest. Fills the entry's identities in. Anything odd is a no. */
bool cache_verified_is_known(struct cache_entry *entry);
/** Puts down that all bytes of the entry were compared, its files looking as its identities say. Best
 *  effort: without it the bytes are compared again. */
void cache_verified_note(const struct cache_entry *entry);

/* ---- shared.c ---------------------------------------------------------------------------- */
/** Notes where the files of a model that was just published are found by what was promised of them. Best effort. */
void cache_shared_note(const struct cache *cache, const struct model_id *id,
                       const struct manifest *m);
/** Whether the note at `path` leads to no file any more. */
bool cache_shared_leads_nowhere(const struct cache *cache, const char *path);

/* ---- derived.c --------------------------------------------------------------------------- */
/** Removes what was derived from a model: its graphs, and what is known of its files. Best effort; the
 *  caller holds the model's lock. Returns the bytes freed. */
uint64_t cache_remove_derived(const struct cache *cache, const char *name);
/** Adds up the sizes of the graphs of a model. */
uint64_t cache_derived_bytes(const struct cache *cache, const char *name);
/** Adds up the sizes of the files below a directory; 0 where they cannot be seen. */
uint64_t cache_bytes_below(int dir_fd, const char *path);

/* ---- graph_txn.c ------------------------------------------------------------------------- */
/** Removes what killed savings of the model's graphs left, unless somebody saves one just now.
 *  @param name      as in cache_name_of
 *  @param ret_gone  whether there was anything; with `dry_run`, whether there is */
HOIST_MUST_CHECK enum hoist_status cache_graph_sweep(const struct cache *cache, const char *name,
                                                     int dry_run, uint64_t *ret_bytes,
                                                     bool *ret_gone, struct hoist_error *err);

/* ---- entry.c ----------------------------------------------------------------------------- */
/** Notes the identities of the files as they are now: for a model that was just published. */
HOIST_MUST_CHECK enum hoist_status cache_entry_note(struct cache_entry *entry,
                                                    struct hoist_error *err);
/** Opens the model's directory and reads its manifest into the entry, whose lock the caller holds in one form
 *  or the other. Errors: NOT_FOUND · CORRUPT */
HOIST_MUST_CHECK enum hoist_status cache_entry_look(const struct cache *cache,
                                                    const struct model_id *id,
                                                    struct cache_entry *entry, int *ret_manifest_fd,
                                                    struct hoist_error *err);
/** Compares every byte of the entry with its manifest. Errors: CORRUPT … */
HOIST_MUST_CHECK enum hoist_status cache_entry_prove(const struct call *call,
                                                     struct cache_entry *entry,
                                                     struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status cache_entry_make_identities(struct cache_entry *entry,
                                                               struct hoist_error *err);
/** Feeds a whole open file to the hasher, and to `ret_data` where that is not NULL. */
HOIST_MUST_CHECK enum hoist_status cache_read_through(const struct call *call, int fd,
                                                      const char *name, struct hasher *hasher,
                                                      struct buf *ret_data,
                                                      struct hoist_error *err);
/** Opens a file that must be regular and of that size. `ret_identity` may be NULL.
 *  Errors: CORRUPT it is not, or is missing · by errno */
HOIST_MUST_CHECK enum hoist_status cache_open_listed(int dir_fd, const char *name, int64_t size,
                                                     int *ret_fd,
                                                     struct file_identity *ret_identity,
                                                     struct hoist_error *err);

/* ---- use.c ------------------------------------------------------------------------------- */
/** When the model in dir_fd was last used, as far as recorded; 0: no model. */
uint64_t cache_used_unix_ns(int dir_fd);

/* ---- cache.c ----------------------------------------------------------------------------- */
/** Refuses ids whose directory would be hoist's own, or too deep to be found again. */
HOIST_MUST_CHECK enum hoist_status cache_check_id(const struct model_id *id,
                                                  struct hoist_error *err);
/** What lock and staging of a model are named after: readable, and never the same for two ids. */
HOIST_MUST_CHECK enum hoist_status cache_name_of(const struct model_id *id,
                                                 char ret_name[CACHE_NAME_SIZE],
                                                 struct hoist_error *err);
/** Makes the directories of hoist's own state. */
HOIST_MUST_CHECK enum hoist_status cache_make_state(struct cache *cache, struct hoist_error *err);
/** hoist_fail_errno for a change to the cache that failed: tells what to do about a read-only
 *  root. */
enum hoist_status cache_fail_write(const struct cache *cache, int sys_errno, const char *doing,
                                   struct hoist_error *err);
/** Neither is the model there nor did anybody ever lock it; saves making a lock file to find
 *  out. */
bool cache_is_absent(const struct cache *cache, const struct model_id *id, const char *name);
enum hoist_status cache_fail_absent(const struct cache *cache, const struct model_id *id,
                                    struct hoist_error *err);

/* ---- wait.c ------------------------------------------------------------------------------ */
/** Waits until lock->fd is locked exclusively, in a span, telling the call's progress how far the
 *  holder is.
 *  @param ret_shared  NULL: only the exclusive lock will do. Else set to 1 where the others hold it
 *                     shared, which they do only on a model that is there: no reason to wait for them
 *  Errors: CANCELLED, TIMEOUT by the call · UNAVAILABLE the cache's patience is at an end */
HOIST_MUST_CHECK enum hoist_status cache_wait_for_model(const struct call *call,
                                                        const struct cache_lock *lock,
                                                        int *ret_shared, struct hoist_error *err);
/** Waits until `fd`, which is no model's, is locked exclusively. */
HOIST_MUST_CHECK enum hoist_status cache_wait_for_file(const struct call *call, int fd,
                                                       const char *what, struct hoist_error *err);

/* ---- lock_check.c ------------------------------------------------------------------------ */
/** Finds out whether file locks work below the root, once. Makes nothing but a file in the state
 *  directory, and where there is none yet, nothing at all. */
void cache_check_locks(struct cache *cache);

/* ---- lock.c ------------------------------------------------------------------------------ */
/** Without waiting; returns 0, EWOULDBLOCK or another errno. */
int cache_try_flock(int fd, int operation);
/** The path of a model's lock file below the root. */
void cache_lock_path(const char *name, char ret_path[CACHE_STATE_PATH_SIZE]);
/** Takes a model's lock shared without waiting; -1 in `ret_fd` where the root is read-only and
 *  has no lock file: nobody can change the model through this mount then. Errors: UNAVAILABLE
 *  held. */
HOIST_MUST_CHECK enum hoist_status cache_lock_shared(struct cache *cache, const struct model_id *id,
                                                     const char *name, int *ret_fd,
                                                     struct hoist_error *err);
/** Takes the exclusive lock called `name` where nobody holds it, without waiting; else -1 in
 *  `ret_fd`, and also where locks do nothing, because then nobody can tell. Release with
 *  cache_unlock_fd. */
HOIST_MUST_CHECK enum hoist_status cache_lock_name(struct cache *cache, const char *name,
                                                   int *ret_fd, struct hoist_error *err);
/** The same for a model; NULL in `ret_lock` where somebody holds it. */
HOIST_MUST_CHECK enum hoist_status cache_lock_try(struct cache *cache, const struct model_id *id,
                                                  struct cache_lock **ret_lock,
                                                  struct hoist_error *err);
/** Whether nobody holds it just now; changes nothing on the disk. */
bool cache_lock_is_free(const struct cache *cache, const char *name);
/** Removes a lock file. The caller holds it exclusively; who waits for it notices. Returns errno. */
int cache_lock_remove_file(const struct cache *cache, const char *name);
/** Turns the exclusive lock into a shared one whose descriptor is the caller's, and frees the
 *  lock in any case. `manifest_fd` is the manifest the caller goes by. Errors: UNAVAILABLE
 *  somebody else took the lock in between. */
HOIST_MUST_CHECK enum hoist_status cache_lock_downgrade(struct cache_lock **lock, int manifest_fd,
                                                        int *ret_fd, struct hoist_error *err);
/** Unlocks for every copy of the descriptor, those of forked children too. -1 is fine. */
void cache_unlock_fd(int fd);
/** Takes the lock on the cache's directories, held only for moments; release with
 *  cache_unlock_fd. */
HOIST_MUST_CHECK enum hoist_status cache_lock_tree(const struct call *call, struct cache *cache,
                                                   int *ret_fd, struct hoist_error *err);

/** Keeps others from evicting models meanwhile; release with cache_unlock_fd. */
HOIST_MUST_CHECK enum hoist_status cache_lock_evictions(const struct call *call,
                                                        struct cache *cache, int *ret_fd,
                                                        struct hoist_error *err);

/* ---- record.c ---------------------------------------------------------------------------- */
void cache_record_done(struct cache_record *r);
static inline void cache_record_cleanup(struct cache_record *r) {
  cache_record_done(r);
}
/** Reads `name` (CACHE_MANIFEST or CACHE_RETIRED) of a model's directory.
 *  @param ret_fd  may be NULL; the open manifest, which keeps its inode number from being used
 *         again
 *  Errors: NOT_FOUND; CORRUPT not a manifest; by errno */
HOIST_MUST_CHECK enum hoist_status cache_record_read(int dir_fd, const char *name,
                                                     struct cache_record *ret_record, int *ret_fd,
                                                     struct hoist_error *err);
/** Reads what says which files in a directory are a model's: its manifest, else what a crash
 *  left of it. Damaged or missing: an empty record, and `*ret_known` false. Errors: NO_MEMORY,
 *  by errno */
HOIST_MUST_CHECK enum hoist_status cache_record_read_any(int dir_fd,
                                                         struct cache_record *ret_record,
                                                         bool *ret_known, struct hoist_error *err);
/** Whether a manifest is in the directory `name` of dir_fd. */
bool cache_record_exists(int dir_fd, const char *name);
/** Whether a file of `m` lies below the directory `path`. */
bool cache_record_has_dir(const struct manifest *m, const char *path);

/* ---- entry.c ----------------------------------------------------------------------------- */
/** An empty entry for `id` that holds nothing yet. */
HOIST_MUST_CHECK enum hoist_status cache_entry_new(struct cache *cache, const struct model_id *id,
                                                   struct cache_entry **ret_entry,
                                                   struct hoist_error *err);

/* ---- txn.c, publish.c, remove.c ---------------------------------------------------------- */
/** Removes the model whose lock the caller holds. Errors as cache_remove. */
HOIST_MUST_CHECK enum hoist_status cache_remove_locked(const struct call *call,
                                                       const struct cache_lock *lock,
                                                       uint64_t *ret_freed_bytes,
                                                       struct hoist_error *err);
/** Removes what was staged for a model and not published. The caller holds its lock. */
HOIST_MUST_CHECK enum hoist_status cache_clean_staging(struct cache *cache, const char *name,
                                                       struct hoist_error *err);
/** Whether cache_txn_sync has seen to the file. */
bool cache_txn_is_durable(const struct cache_txn *txn, const char *name);
/** Whether a later transaction could go on from this one. */
bool cache_txn_has_journal(const struct cache_txn *txn);
/** Whether a staging (a name in the directory `staging`) has a journal that is not too old. */
bool cache_is_resumable(int staging, const char *name);
/** The model's name out of the name of its staging directory or lock file: what stands before the first dot,
 *  which no name contains. */
bool cache_name_before_dot(const char *file, char ret_name[CACHE_NAME_SIZE]);
/** Removes a staging directory unless somebody holds its model's lock; then `ret_gone` stays as it is. */
HOIST_MUST_CHECK enum hoist_status cache_remove_staging(struct cache *cache,
                                                        const struct tree_item *item,
                                                        const char *name, bool *ret_gone,
                                                        struct hoist_error *err);
/** Puts the staged, durable files in the model's place and makes that durable. What the
 *  transaction's path names afterwards is to be discarded. `ret_dir_fd`: the published
 *  directory. */
HOIST_MUST_CHECK enum hoist_status cache_publish(const struct call *call, struct cache_txn *txn,
                                                 const struct manifest *m, int *ret_dir_fd,
                                                 struct hoist_error *err);
/** Makes the model in dir_fd invisible to readers, durably. No manifest is success. Returns
 *  errno. */
int cache_retire(int dir_fd);
/** Removes the files of `m` that `keep` (may be NULL) has not; adds their sizes to `freed`.
 *  Returns errno. */
int cache_remove_files(int dir_fd, const struct manifest *m, const struct manifest *keep,
                       uint64_t *freed);
/** Removes the sub-directories of `m` that are empty. */
void cache_remove_dirs(int dir_fd, const struct manifest *m);

#endif
