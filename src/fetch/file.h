/* SPDX-License-Identifier: Apache-2.0 */
/* One file on its way to disk: which parts of it are there, who may fetch which next, and what is
 * known about it. Not thread-safe: struct fetch's lock guards it, but for what belongs to the worker
 * that opens or finishes the file. */
#ifndef HOIST_FETCH_FILE_H
#define HOIST_FETCH_FILE_H

#include <hoist/telemetry.h>

#include "call.h"
#include "checksums.h"
#include "frontier.h"
#include "manifest.h"
#include "ramp.h"
#include "source.h"

#define FILE_PART_BYTES (INT64_C(8) << 20)
#define FILE_PARALLEL_ABOVE_BYTES                                                                  \
  (INT64_C(16) << 20) /* smaller files are one request, where possible */

enum file_phase {
  FILE_WAITING, /* nobody has asked for it, or it is to be fetched anew */
  FILE_ASKED,   /* one request is under way, which will tell what the file is like */
  FILE_OPEN,    /* its parts are known and may be taken */
  FILE_FINISHED /* complete, or given up */
};

struct part {
  int64_t at; /* bytes of the file from the part's beginning to here are written */
  enum { PART_FREE, PART_TAKEN, PART_DONE } state;
};

struct file {
  struct manifest_file
      *m; /* what was promised; `size`, `digest`, `etag` are set when it is finished */
  enum file_phase phase;
  bool whole;        /* the server cannot do ranges */
  bool restart;      /* begin again as soon as nobody is at it */
  bool stale;        /* what is known is of a version that is gone */
  unsigned changes;  /* how often it changed on the server meanwhile */
  unsigned requests; /* under way */
  int64_t size;      /* FILE_SIZE_UNKNOWN */
  char *validator;   /* of the version that is fetched; NULL: not known */
  struct part *parts;
  size_t part_count, next_part, parts_done;
  size_t front; /* parts before it are done */
  struct ramp ramp;
  unsigned limit; /* requests that may be under way */
  uint64_t asked_ns;

  int fd; /* of the staged file */
  struct checksums sums;
  struct frontier *frontier; /* NULL: the one worker hashes what it writes */

  atomic_int stop; /* 1: requests under way are to end, the file begins again or is given up */
  bool has_span;
  struct hoist_span span;
  bool journaled;   /* its parts are noted */
  int64_t resumed;  /* bytes that an earlier download had brought */
  int64_t received; /* bytes that are of use */
  uint64_t reported_ns;
  struct hoist_error error; /* why it was given up */
};

/** Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status file_init(struct file *file, struct manifest_file *m,
                                             struct hoist_error *err);
void file_done(struct file *file);

/** The next part nobody fetches; false when there is none, or enough are under way. */
bool file_has_work(const struct file *file);
/** Takes it. */
size_t file_take(struct file *file, uint64_t now_ns);

int64_t file_part_begin(size_t part);
/** Exclusive; SOURCE_TO_END where the file's size is not known. */
int64_t file_part_end(const struct file *file, size_t part);

/** Holds an answer against what is known, and learns from it. The first one decides how the file is
 *  fetched: in parts, or as one stream.
 *  @param max         connections for one file, at most
 *  @param ret_rewind  true: the whole file comes (again), what is there of it is void
 *  Errors: CORRUPT, and request->trouble where there is one */
HOIST_MUST_CHECK enum hoist_status file_accept(struct file *file, struct source_request *request,
                                               const struct source_response *response, unsigned max,
                                               uint64_t now_ns, bool *ret_rewind,
                                               struct hoist_error *err);
/** Begins with parts that are there already, of the version that the file's `validator` names.
 *  @param have  for each part, whether it is */
HOIST_MUST_CHECK enum hoist_status file_resume(struct file *file, int64_t size,
                                               const struct digest *promised, const bool *have,
                                               unsigned max, uint64_t now_ns,
                                               struct hoist_error *err);
/** Gives the one request under way the next part that nobody fetches; false: there is none. */
bool file_retake(struct file *file, size_t *ret_part);
/** How many parts a file of that size has. */
size_t file_count_parts(int64_t size);

/** Bytes of a part were written up to `at`. */
void file_advance(struct file *file, size_t part, int64_t at);

/** A part is complete. True when all of them are. */
bool file_part_done(struct file *file, size_t part);

/** After a failed request: whether the file can still be had by beginning again, which is arranged
 *  then. */
bool file_may_restart(struct file *file, enum source_trouble trouble);
/** Begins again; nobody is at the file. Errors: by errno */
HOIST_MUST_CHECK enum hoist_status file_begin_again(struct file *file, struct hoist_error *err);

/** Compares length and digests of a file whose parts are all there, and notes them in the manifest.
 *  Blocks until the rest is hashed. Errors: CORRUPT · by errno */
HOIST_MUST_CHECK enum hoist_status file_finish(struct file *file, struct hoist_error *err);

#endif
