/* SPDX-License-Identifier: Apache-2.0 */
/* Whole, verified models on disk. A model is published by one rename after every byte of it was
 * length- and digest-checked and fsynced; only cache_find and cache_commit make a cache_entry, so
 * who holds one holds verified files. Locks are per model id and shared with other processes
 * (flock). */
#ifndef HOIST_CACHE_CACHE_H
#define HOIST_CACHE_CACHE_H

#include "call.h"
#include "manifest.h"
#include "model_id.h"

struct cache;      /* one root directory; thread-safe */
struct cache_lock; /* exclusive right to change one model; one thread at a time */
struct cache_txn;  /* a model being staged; files may be written by several threads, one each */
struct
    cache_claim; /* a model whose files are there, and not verified yet; keeps rm and replacement away */
struct cache_entry; /* verified files of one model; immutable; keeps rm and replacement away while
                       held */
struct cache_graph; /* verified files of one saved graph; immutable */

/** Opens (creates) a cache root. Errors: by errno, naming the root and what to do (read-only,
 *  full). */
HOIST_MUST_CHECK enum hoist_status cache_open(const char *root, struct cache **ret_cache,
                                              struct hoist_error *err);
void cache_close(struct cache *cache);
const char *cache_root(const struct cache *cache);
/** How long to wait for a lock whose holder makes no progress; 0, the default: as long as it lives. To be
 *  called before the cache is shared. */
void cache_set_patience(struct cache *cache, uint64_t patience_ns);

/** On some network file systems locking a file succeeds and excludes nobody. */
enum cache_locks {
  CACHE_LOCKS_UNKNOWN, /* nothing was written to the cache yet, or it may only be read */
  CACHE_LOCKS_WORK,
  CACHE_LOCKS_DO_NOTHING,
};
/** As found out when the cache was opened, or when its first lock was taken. */
enum cache_locks cache_locks(const struct cache *cache);

/** Looks a model up and verifies it: manifest readable, every file there, length and SHA-256
 *  right. Takes the model's lock shared (without waiting) for the life of the entry.
 *  Errors: NOT_FOUND not in the cache · CORRUPT it is, but damaged (names the file and how) ·
 *          UNAVAILABLE somebody holds the lock exclusively right now: take cache_lock, then
 *          look again */
HOIST_MUST_CHECK enum hoist_status cache_find(const struct call *call, struct cache *cache,
                                              const struct model_id *id,
                                              struct cache_entry **ret_entry,
                                              struct hoist_error *err);

/** How a model that is found is verified. */
enum cache_verification {
  /** By identity: inode, size and times of every file, to the ns, are those it had when all its bytes were
   *  last compared. What differs in anything is compared byte by byte. */
  CACHE_VERIFY_STAT,
  CACHE_VERIFY_SHA256, /* every byte, every time */
};
/** cache_find in two steps, for who has something to do while the bytes are read: first the claim that a
 *  model is there, with its lock, manifest and lengths … Errors: as cache_find */
HOIST_MUST_CHECK enum hoist_status cache_claim(const struct call *call, struct cache *cache,
                                               const struct model_id *id,
                                               enum cache_verification verification,
                                               struct cache_claim **ret_claim,
                                               struct hoist_error *err);
/** … then the reading, where any is needed; meanwhile others may ask for the claim's names …
 *  Errors: CORRUPT … as cache_find */
HOIST_MUST_CHECK enum hoist_status cache_claim_check(const struct call *call,
                                                     struct cache_claim *claim,
                                                     struct hoist_error *err);
/** … and the entry. Consumes the claim; checks it first, if nobody did. Errors: as cache_claim_check */
HOIST_MUST_CHECK enum hoist_status cache_claim_prove(const struct call *call,
                                                     struct cache_claim *claim,
                                                     struct cache_entry **ret_entry,
                                                     struct hoist_error *err);
void cache_claim_release(struct cache_claim *claim); /* NULL is fine */
/** Whether the proof will take no reading: what is there is known by its identity. */
int cache_claim_is_known(const struct cache_claim *claim);
const struct manifest *cache_claim_manifest(const struct cache_claim *claim);
const char *cache_claim_model_id(const struct cache_claim *claim);
const char *cache_claim_dir(const struct cache_claim *claim);
/** A number that the claim, and the entry it becomes, share with no other of this process. */
uint64_t cache_claim_serial(const struct cache_claim *claim);
uint64_t cache_entry_serial(const struct cache_entry *entry);

/** Whether the model is there, as far as can be seen without its lock: its manifest is. */
int cache_has(const struct cache *cache, const struct model_id *id);

/** Takes the model's lock, waiting as long as the holder is alive, the call allows and the cache's
 *  patience lasts. Where it has to wait there is a span model.cache.lock_wait, and WAIT events to the
 *  call's progress: at the beginning, and whenever the holder got further.
 *  Errors: TIMEOUT, CANCELLED by the call · UNAVAILABLE out of patience · DENIED/NO_SPACE/… the lock
 *  file cannot be made */
HOIST_MUST_CHECK enum hoist_status cache_lock(const struct call *call, struct cache *cache,
                                              const struct model_id *id,
                                              struct cache_lock **ret_lock,
                                              struct hoist_error *err);
/** cache_lock for one who only wants the model to be there: instead of waiting for readers, which hold
 *  the lock shared on a model that is published, comes back with *ret_lock NULL: look again. */
HOIST_MUST_CHECK enum hoist_status cache_lock_unless_published(const struct call *call,
                                                               struct cache *cache,
                                                               const struct model_id *id,
                                                               struct cache_lock **ret_lock,
                                                               struct hoist_error *err);
void cache_unlock(struct cache_lock *lock);
/** Tells those who wait for the lock how far the download under it is, out of its progress: best effort. */
void cache_lock_tell(struct cache_lock *lock, const struct hoist_progress *event);

/** cache_find under a lock that the caller holds. On OK the lock is consumed (downgraded to the
 *  entry's shared one) and *lock set to NULL.
 *  Errors: as cache_find; UNAVAILABLE only where another process changed the model while the
 *          lock was being downgraded: *lock is consumed then, too; start again with cache_find */
HOIST_MUST_CHECK enum hoist_status cache_find_locked(const struct call *call,
                                                     struct cache_lock **lock,
                                                     struct cache_entry **ret_entry,
                                                     struct hoist_error *err);

/** Begins staging below the root, on the same file system. The lock stays the caller's, must
 *  outlive the transaction, and has one at a time: what crashed processes left in the staging
 *  of this model is gone on with where it has a journal, else removed first.
 *  @param expected_bytes  0: unknown; else free space is checked first → NO_SPACE */
HOIST_MUST_CHECK enum hoist_status cache_begin(const struct call *call, struct cache_lock *lock,
                                               uint64_t expected_bytes, struct cache_txn **ret_txn,
                                               struct hoist_error *err);
/** Tells the transaction what is going to be staged, so that cache_txn_create can reserve room for the
 *  files whose size `planned` knows, and cache_txn_sync remember what is durable. Borrowed until the
 *  transaction ends. Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status cache_txn_expect(struct cache_txn *txn,
                                                    const struct manifest *planned,
                                                    struct hoist_error *err);
/** Opens a staged file for reading and writing (parents made): fresh, or as an earlier download left
 *  it. The descriptor is the caller's to close. Where the size is known (cache_txn_expect), the disk has
 *  room for it afterwards, as far as the file system can reserve; a fresh file is empty all the same.
 *  Errors: NO_SPACE … by errno */
HOIST_MUST_CHECK enum hoist_status cache_txn_create(struct cache_txn *txn, const char *name,
                                                    int *ret_fd, struct hoist_error *err);
/** Stages a file without a download where a model in the cache has its bytes: by a hard link, after comparing them
 *  with what was promised. Nothing is written to such a file, ever.
 *  Errors: NOT_FOUND no model has it, or not any more: fetch it · CANCELLED, TIMEOUT · CORRUPT a bad name · by errno */
HOIST_MUST_CHECK enum hoist_status cache_txn_share(const struct call *call, struct cache_txn *txn,
                                                   const char *name, const struct digest *promised,
                                                   int64_t *ret_size, struct digest *ret_sha256,
                                                   struct hoist_error *err);
/** Makes a complete staged file durable, so that cache_commit, which would do it otherwise, need not wait
 *  for it; nothing is written to the file afterwards. Threads: any, one per file. Errors: by errno */
HOIST_MUST_CHECK enum hoist_status cache_txn_sync(struct cache_txn *txn, const char *name, int fd,
                                                  struct hoist_error *err);
/** Opens the file in which the caller may keep what it needs to go on with this staging after a crash,
 *  made empty where there is none. It is not part of the model. The descriptor is the caller's to close,
 *  and stands at the end. */
HOIST_MUST_CHECK enum hoist_status cache_txn_journal(struct cache_txn *txn, int *ret_fd,
                                                     struct hoist_error *err);
/** Whether the staging holds what an earlier download left. */
int cache_txn_is_adopted(const struct cache_txn *txn);
/** Removes everything staged, the journal too: it is of no use. */
HOIST_MUST_CHECK enum hoist_status cache_txn_reset(struct cache_txn *txn, struct hoist_error *err);
/** Leaves the staging on disk for the next cache_begin of the model. NULL is fine. */
void cache_txn_keep(struct cache_txn *txn);
/** Reads a small staged file back, so that a model can be looked at before it is published.
 *  Errors: NOT_FOUND it was not staged · CORRUPT over the buffer's cap · by errno */
HOIST_MUST_CHECK enum hoist_status cache_txn_read(const struct cache_txn *txn, const char *name,
                                                  struct buf *ret_data, struct hoist_error *err);
/** Verifies the staged files against `m` (every file: length and SHA-256; both must be known),
 *  fsyncs those that are not durable yet, writes the manifest, fsyncs, renames the directory into place, fsyncs the
 *  parent. An older version of the model is replaced. Files of `m` whose bytes were hashed
 *  while written need no second read: the caller vouches with m's digests, the length is
 *  checked again. Span model.artifacts.commit. Consumes txn and, on OK, *lock. On failure what
 *  was published before is still there, unless the disk fails in the very moment of publishing:
 *  then at worst the model is not in the cache any more, never in part. One that is called off leaves
 *  the staging for the next cache_begin where it has a journal.
 *  Errors: CORRUPT the staged files and `m` do not match · INVALID something else is in the
 *          model's place · UNAVAILABLE published, but another process changed the model while
 *          the lock was being downgraded: *lock is consumed then, too; start again with
 *          cache_find */
HOIST_MUST_CHECK enum hoist_status cache_commit(const struct call *call, struct cache_txn *txn,
                                                const struct manifest *m, struct cache_lock **lock,
                                                struct cache_entry **ret_entry,
                                                struct hoist_error *err);
/** Removes the staging. NULL is fine. */
void cache_discard(struct cache_txn *txn);

/* ---- entries ----------------------------------------------------------------------------- */
void cache_entry_release(struct cache_entry *entry);
const struct manifest *cache_entry_manifest(const struct cache_entry *entry);
const char *cache_entry_model_id(const struct cache_entry *entry);
uint64_t cache_entry_created_unix_s(const struct cache_entry *entry);
/** Absolute path of the model's directory. */
const char *cache_entry_dir(const struct cache_entry *entry);
/** Reads a small file of the entry, checked against the manifest's SHA-256 as it is read.
 *  Errors: NOT_FOUND no such file in the model · CORRUPT over the buffer's cap or changed since */
HOIST_MUST_CHECK enum hoist_status cache_entry_read(const struct cache_entry *entry,
                                                    const char *name, struct buf *ret_data,
                                                    struct hoist_error *err);

/** Whether the entry's files are still the ones that were verified, by identity and times, and still
 *  stand at cache_entry_dir. Programs that do not take hoist's locks share this directory, so whoever
 *  hands a path to somebody else asks this afterwards.
 *  Errors: CORRUPT something replaced or changed one: names it */
HOIST_MUST_CHECK enum hoist_status cache_entry_check_unchanged(const struct cache_entry *entry,
                                                               struct hoist_error *err);

/** Records that the entry is being used, for those who look for what nobody uses. Writes at most once
 *  in CACHE_USE_INTERVAL_S; where it may not write, as in a read-only cache, it does nothing. */
void cache_entry_mark_used(const struct cache_entry *entry);
#define CACHE_USE_INTERVAL_S 300

/* ---- saved graphs ------------------------------------------------------------------------ */

/** Optimised graphs lie below the state directory, by model and key: what the key is made of is their
 *  maker's business. They come and go with their model, count as its size, and are never needed. */
struct cache_graph_facts {
  char form[16];       /* the maker's word for how it is saved */
  uint64_t weights_ns; /* what it took to open the model without it, when it was made … */
  uint64_t graph_ns;   /* … and with it */
  uint64_t created_unix_s;
  char objection[256]; /* why there is none, and none is to be made; "": there is one */
};
#define CACHE_GRAPHS_PER_MODEL 4 /* more runtimes or options than that at a time: the oldest goes */

/** Looks a graph up and verifies it as a model is verified.
 *  @param ret_facts  may be NULL; also set where the answer is UNSUPPORTED
 *  Errors: NOT_FOUND · UNSUPPORTED it was found not to be worth it: see the facts' objection · CORRUPT it
 *          is damaged */
HOIST_MUST_CHECK enum hoist_status cache_graph_find(const struct call *call, struct cache *cache,
                                                    const struct model_id *id, const char *key,
                                                    enum cache_verification verification,
                                                    struct cache_graph **ret_graph,
                                                    struct cache_graph_facts *ret_facts,
                                                    struct hoist_error *err);
void cache_graph_release(struct cache_graph *graph); /* NULL is fine */
const char *cache_graph_dir(const struct cache_graph *graph);
int cache_graph_has(const struct cache_graph *graph, const char *name);
uint64_t cache_graph_size(const struct cache_graph *graph);
/** Maps the file that was verified, to be read only. Release with munmap. It lasts even where the graph is
 *  removed meanwhile. Errors: by errno */
HOIST_MUST_CHECK enum hoist_status cache_graph_map(const struct cache_graph *graph,
                                                   const char *name, void **ret_map,
                                                   size_t *ret_size, struct hoist_error *err);
/** As cache_entry_check_unchanged. */
HOIST_MUST_CHECK enum hoist_status cache_graph_check_unchanged(const struct cache_graph *graph,
                                                               struct hoist_error *err);

struct cache_graph_txn; /* a graph being made */
/** Begins the making of a graph for a model that the caller holds an entry of. One process at a time makes
 *  graphs of a model. Errors: UNAVAILABLE another does just now · DENIED, NO_SPACE … by errno */
HOIST_MUST_CHECK enum hoist_status cache_graph_begin(struct cache *cache, const struct model_id *id,
                                                     const char *key,
                                                     struct cache_graph_txn **ret_txn,
                                                     struct hoist_error *err);
/** Makes an empty directory of that name in the transaction; absolute path, malloc'd. */
HOIST_MUST_CHECK enum hoist_status cache_graph_stage(struct cache_graph_txn *txn, const char *name,
                                                     char **ret_path, struct hoist_error *err);
/** Publishes what lies in the directory `name` of the transaction, durable and whole, as the graph; with an
 *  objection among the facts nothing but those. Consumes the transaction.
 *  @param ret_bytes  what the graph takes */
HOIST_MUST_CHECK enum hoist_status cache_graph_commit(const struct call *call,
                                                      struct cache_graph_txn *txn, const char *name,
                                                      const struct cache_graph_facts *facts,
                                                      uint64_t *ret_bytes, struct hoist_error *err);
void cache_graph_discard(struct cache_graph_txn *txn); /* NULL is fine */
/** Removes one graph: it turned out to be of no use. */
void cache_graph_remove(struct cache *cache, const struct model_id *id, const char *key);
/** What all graphs of a model take. */
uint64_t cache_graph_bytes(const struct cache *cache, const struct model_id *id);

/* ---- housekeeping ------------------------------------------------------------------------ */
/** Calls `visit` for every model that has a manifest, in the order of their ids; a manifest
 *  that cannot be read comes with `problem` set and an empty manifest. Stops when visit returns
 *  not OK. */
struct cache_listing {
  const char *model_id; /* or the relative path where the manifest is unreadable */
  const char *path;     /* absolute directory */
  const struct manifest *manifest;
  uint64_t size_bytes;
  uint64_t graph_bytes; /* of its saved graphs */
  uint64_t created_unix_s;
  uint64_t used_unix_ns; /* the last use that was recorded, or the publication */
  const char *problem;   /* NULL: fine */
};
HOIST_MUST_CHECK enum hoist_status cache_list(
    struct cache *cache,
    enum hoist_status (*visit)(void *user, const struct cache_listing *l, struct hoist_error *err),
    void *user, struct hoist_error *err);
/** Removes a model under its lock. Errors: NOT_FOUND; TIMEOUT, CANCELLED while waiting for the
 *  lock.
 *  @param ret_freed_bytes  may be NULL */
HOIST_MUST_CHECK enum hoist_status cache_remove(const struct call *call, struct cache *cache,
                                                const struct model_id *id,
                                                uint64_t *ret_freed_bytes, struct hoist_error *err);

/** What a clean-up aims at. */
struct cache_limits {
  uint64_t max_bytes;           /* of all models together; UINT64_MAX: any */
  uint64_t max_unused_s;        /* since the last use; UINT64_MAX: any */
  uint64_t min_free_bytes;      /* on the file system, where that can be reached at all; 0: any */
  const struct model_id *spare; /* never removed; NULL: none */
  int dry_run;                  /* 1: only say what would go */
};
/* One thing that was removed, or would be; borrowed for the length of the callback. */
struct cache_removal {
  const char *model_id; /* NULL: no model but something of hoist's own */
  const char *path;     /* below the root */
  const char *reason;   /* "age", "size", "space", "staging", "removal", "graph", "lock" */
  uint64_t size_bytes;
  uint64_t used_unix_ns; /* of a model */
};
struct cache_cleanup {
  void (*removed)(void *user, const struct cache_removal *removal); /* NULL: nobody wants to know */
  void *user;
  /* What came of it, added up: */
  size_t removed_models, removed_leftovers, removed_locks;
  uint64_t freed_bytes;
  size_t busy_models; /* that should have gone but are in use or being loaded */
  size_t models;      /* that are left */
  uint64_t bytes;
};
/** Removes the least recently used models until the cache is within the limits, but none whose lock
 *  somebody holds: readers and downloads hold it. Models that hoist cannot name, because their manifest
 *  is damaged, stay. Limits that cannot be met are no failure: see `busy_models`.
 *  Errors: CANCELLED, TIMEOUT by the call · by errno. What was removed by then is in `cleanup`. */
HOIST_MUST_CHECK enum hoist_status cache_evict(const struct call *call, struct cache *cache,
                                               const struct cache_limits *limits,
                                               struct cache_cleanup *cleanup,
                                               struct hoist_error *err);
/** Removes staging directories that nobody is writing to, the rest of models whose removal was cut short,
 *  and lock files of models that are not there.
 *  Errors: as cache_evict */
HOIST_MUST_CHECK enum hoist_status cache_sweep(const struct call *call, struct cache *cache,
                                               int dry_run, struct cache_cleanup *cleanup,
                                               struct hoist_error *err);

HOIST_DEFINE_AUTO(cache_lock, struct cache_lock, cache_unlock)
HOIST_DEFINE_AUTO(cache_txn, struct cache_txn, cache_discard)
HOIST_DEFINE_AUTO(cache_entry, struct cache_entry, cache_entry_release)
HOIST_DEFINE_AUTO(cache_claim, struct cache_claim, cache_claim_release)
HOIST_DEFINE_AUTO(cache_graph, struct cache_graph, cache_graph_release)
HOIST_DEFINE_AUTO(cache_graph_txn, struct cache_graph_txn, cache_graph_discard)
#endif
