/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this module share; not for others. */
#ifndef HOIST_FETCH_FETCH_INTERNAL_H
#define HOIST_FETCH_FETCH_INTERNAL_H

#include <pthread.h>

#include "fetch.h"
#include "file.h"
#include "journal.h"

struct fetch;

#define FETCH_WORKERS_PER_CONNECTION 4 /* small files mostly wait for round trips */
#define FETCH_MAX_WORKERS (FETCH_WORKERS_PER_CONNECTION * FETCH_MAX_CONNECTIONS)
#define FETCH_WAITING_BLOCKS 12 /* that wait to be hashed, beyond those that workers hold */

/* A worker and its request. What is said to be the worker's own nobody else touches while `file` is set. */
struct slot {
  struct fetch *fetch;
  pthread_t thread;
  struct block *block; /* the worker's own */
  struct file *file;   /* NULL: it has nothing to do */
  struct run run;      /* parts that the request is to bring; the first is under way */
  uint64_t since_ns;   /* when that part began */
  uint64_t heard_ns;   /* when bytes were last noted, or the request began */
  bool is_large;       /* counts as a request for a part of a large file */
  atomic_int stop;   /* 1: the request is to end: it has become needless, or its file is given up */
  atomic_int paused; /* 1: it failed before, and is made again when its server may be asked again */
};

/* How long something usually takes. */
struct tempo {
  uint64_t count; /* that have arrived */
  uint64_t took_ns;
};

/* One fetch_model under way. */
struct fetch {
  struct call call;
  struct source *source;
  const struct model_id *id;
  struct manifest *m;
  const struct fetch_target *target;
  int64_t total_bytes; /* FILE_SIZE_UNKNOWN: some size is not known */
  unsigned connections;
  bool adopted;      /* the staging has parts of an earlier download */
  struct digest key; /* what the journal is of */
  struct block_pool pool;

  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t work;  /* there may be a part to fetch, or nothing more to wait for */
  struct file *files;   /* of the manifest, in its order */
  size_t first;         /* files before it are finished */
  size_t files_done;
  int64_t bytes_done;
  unsigned idle;
  struct slot slots[FETCH_MAX_WORKERS]; /* the first is the calling thread's */
  unsigned slot_count, large_requests;
  struct journal *journal; /* NULL: nothing was worth noting yet */
  struct tempo parts;      /* of large files */
  struct tempo small_files;
  struct fetch_outcome outcome;
  enum hoist_status status; /* the first failure */
  struct hoist_error error;
};

/* ---- fetch.c -------------------------------------------------------------------------------- */
/** Takes note of whether the slot's request is one for a part of a large file. Under the lock. */
void fetch_count_large(struct fetch *f, struct slot *slot);
/** Wakes or starts a worker where there is work for one more. Under the lock. */
void fetch_summon(struct fetch *f);

/* ---- report.c ------------------------------------------------------------------------------- */
/** Takes note of `bytes` more of a file, or fewer, and tells whoever watches. Under the lock. */
void fetch_report(struct fetch *f, struct file *file, int64_t bytes, bool done);
/** The same of bytes that an earlier download had brought. Under the lock. */
void fetch_report_resumed(struct fetch *f, struct file *file, int64_t bytes);
/** Tells whoever watches what is not as it should be with the file, but goes on. Under the lock. */
void fetch_warn(struct fetch *f, const struct file *file, const char *message);
void fetch_begin_span(struct fetch *f, struct file *file);
/** Does nothing for a file without a span. @param failure  NULL: it is there */
void fetch_end_span(struct file *file, const struct hoist_error *failure);

/* ---- finish.c ------------------------------------------------------------------------------- */
/** A file of which everything has come. One that has a wrong digest for the first time begins again: OK.
 *  @param disk_failed  set to 1 where what failed was here, not at the source */
HOIST_MUST_CHECK enum hoist_status fetch_finish(struct fetch *f, struct file *file,
                                                int *disk_failed, struct hoist_error *err);

/* ---- hedge.c -------------------------------------------------------------------------------- */
/** Looks for a part that takes far longer than its like, to be asked for again: the first such request is
 *  left the part it is at, and `slot` becomes a second one for the same. False: none. Under the lock. */
bool hedge_find(struct fetch *f, struct slot *slot, uint64_t now_ns);
/** Looks for a small file whose request brings nothing for far longer than others take in all, and has it begin
 *  again. To be asked when there is nothing else to do. Under the lock. */
void hedge_small_file(struct fetch *f, uint64_t now_ns);
/** A small file has arrived through `slot`. Under the lock. */
void hedge_small_file_done(struct fetch *f, const struct slot *slot, uint64_t now_ns);
/** Whether another request is at the part that `slot` is at. Under the lock. */
bool hedge_has_twin(const struct fetch *f, const struct slot *slot);
/** A part has arrived through `slot`: whoever else is at it may stop. Under the lock. */
void hedge_part_done(struct fetch *f, const struct slot *slot, uint64_t now_ns);

/* ---- resume.c ------------------------------------------------------------------------------- */
/** Before anything is fetched: reads the journal of a staging that is gone on with; empties one that is of
 *  other files. */
HOIST_MUST_CHECK enum hoist_status resume_open(struct fetch *f, struct hoist_error *err);
/** Goes on with a file that was just opened from the parts that are there: reads them back through the
 *  slot's block and keeps what is whole. The slot's run becomes what is to be fetched first; an empty one:
 *  everything is there.
 *  Errors: NO_MEMORY · CANCELLED, TIMEOUT by the call */
HOIST_MUST_CHECK enum hoist_status resume_file(struct fetch *f, struct slot *slot,
                                               struct hoist_error *err);
/** Notes in the journal that a file is being fetched in parts. Under the lock. */
void resume_note(struct fetch *f, struct file *file);
/** Notes how much of a part is there. Under the lock. Errors: as journal_add */
HOIST_MUST_CHECK enum hoist_status resume_note_part(struct fetch *f, struct file *file,
                                                    size_t index, struct hoist_error *err);
/** Nobody is at the files any more, and they are not closed: notes what is there of them. False: there is nothing
 *  that the next one might go on from. */
bool resume_keep(struct fetch *f);

/* ---- stream.c ------------------------------------------------------------------------------- */
/** One request for the slot's run, from its first byte to its last.
 *  @param ret_trouble      set on failure
 *  @param ret_disk_failed  set to 1 where what failed was here, not at the source */
HOIST_MUST_CHECK enum hoist_status stream_run(struct fetch *f, struct slot *slot,
                                              enum source_trouble *ret_trouble,
                                              int *ret_disk_failed, struct hoist_error *err);

/* ---- share.c ------------------------------------------------------------------------------- */
/** Finishes the files that a model in the cache has. Errors: NO_MEMORY, TIMEOUT, CANCELLED */
HOIST_MUST_CHECK enum hoist_status share_files(struct fetch *f, struct hoist_error *err);

#endif
