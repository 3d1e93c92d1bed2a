/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this module share; not for others. */
#ifndef HOIST_FETCH_FETCH_INTERNAL_H
#define HOIST_FETCH_FETCH_INTERNAL_H

#include <pthread.h>

#include "fetch.h"
#include "file.h"
#include "journal.h"

/* One fetch_model under way. */
struct fetch {
  struct call call;
  struct source *source;
  const struct model_id *id;
  struct manifest *m;
  struct cache_txn *txn;
  int64_t total_bytes; /* FILE_SIZE_UNKNOWN: some size is not known */
  unsigned connections;
  bool adopted;      /* the staging has parts of an earlier download */
  struct digest key; /* what the journal is of */

  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t work;  /* there may be a part to fetch, or nothing more to wait for */
  struct file *files;   /* of the manifest, in its order */
  size_t first;         /* files before it are finished */
  size_t files_done;
  int64_t bytes_done;
  unsigned idle;
  pthread_t threads[FETCH_MAX_CONNECTIONS];
  unsigned thread_count;
  struct journal *journal; /* NULL: nothing was worth noting yet */
  struct fetch_outcome outcome;
  enum hoist_status status; /* the first failure */
  struct hoist_error error;
};

#define PART_NONE SIZE_MAX

/** Takes note of `bytes` more of a file, or fewer, and tells whoever watches. Under the lock. */
void fetch_report(struct fetch *f, struct file *file, int64_t bytes, bool done);
/** Wakes or starts a worker where there is work for one more. Under the lock. */
void fetch_summon(struct fetch *f);

/** Before anything is fetched: reads the journal of a staging that is gone on with; empties one that is of
 *  other files. */
HOIST_MUST_CHECK enum hoist_status resume_open(struct fetch *f, struct hoist_error *err);
/** Goes on with a file that was just opened from the parts that are there: reads them back through
 *  `buffer` and keeps what is whole.
 *  @param part  the caller's: becomes the first one that is not there, or PART_NONE
 *  Errors: NO_MEMORY · CANCELLED, TIMEOUT by the call */
HOIST_MUST_CHECK enum hoist_status resume_file(struct fetch *f, struct file *file, char *buffer,
                                               size_t *part, struct hoist_error *err);
/** Notes in the journal that a file is being fetched in parts. Under the lock. */
void resume_note(struct fetch *f, struct file *file);

/** One request for a part, from its first byte to its last. `buffer` has FETCH_BUFFER_BYTES.
 *  @param ret_trouble      set on failure
 *  @param ret_disk_failed  set to 1 where what failed was here, not at the source */
HOIST_MUST_CHECK enum hoist_status stream_run(struct fetch *f, struct file *file, size_t part,
                                              char *buffer, enum source_trouble *ret_trouble,
                                              int *ret_disk_failed, struct hoist_error *err);

#endif
