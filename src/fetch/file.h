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
#define FILE_PART_BLOCKS (FILE_PART_BYTES / BLOCK_BYTES)
#define FILE_PARALLEL_ABOVE_BYTES                                                                  \
  (INT64_C(16) << 20)    /* smaller files are one request, where possible */
#define FILE_RUN_PARTS 8 /* that one request asks for, at most */

enum file_phase {
  FILE_WAITING, /* nobody has asked for it, or it is to be fetched anew */
  FILE_ASKED,   /* one request is under way, which will tell what the file is like */
  FILE_OPEN,    /* its parts are known and may be taken */
  FILE_ENDING,  /* all of them are there, nobody is at it but who finishes it */
  FILE_FINISHED /* complete, or given up */
};

/* Of a file of several parts, each block is written once, by whoever claims it first: a part may be under
 * way twice. */
struct part {
  enum { PART_FREE, PART_TAKEN, PART_DONE } state;
  bool hedged;      /* it was asked for a second time */
  uint32_t claimed; /* a bit a block: somebody writes it */
  uint32_t written;
  int64_t at;        /* bytes of the file from the part's beginning to here are written */
  int64_t seen;      /* and received to here, at least by one; not less than `at` */
  uint64_t *sums;    /* of its blocks, while it is under way and worth noting; else NULL */
  uint64_t noted_ns; /* when it was last noted that some of it is there, or its first block came */
};

/* What an earlier download left of a part. */
struct remnant {
  size_t blocks;  /* from its first on */
  uint64_t *sums; /* theirs; malloc'd; NULL where the part is whole, or nothing is left of it */
};

/* Parts [part, end) that one request asks for. */
struct run {
  size_t part, end;
};

struct file {
  struct manifest_file
      *m; /* what was promised; `size`, `digest`, `etag` are set when it is finished */
  struct block_pool *pool; /* borrowed */
  unsigned max;            /* requests for it at once, at most */
  enum file_phase phase;
  bool whole;        /* the server cannot do ranges */
  bool restart;      /* begin again as soon as nobody is at it */
  bool stale;        /* what is known is of a version that is gone */
  bool hedged;       /* it is small, and began again because its request got nowhere */
  unsigned changes;  /* how often it changed on the server meanwhile */
  char *doubt;       /* how its digest was wrong the first time; NULL: it was not */
  unsigned requests; /* under way */
  int64_t size;      /* FILE_SIZE_UNKNOWN */
  char *validator;   /* of the version that is fetched; NULL: not known */
  struct part *parts;
  size_t part_count, parts_free, parts_done;
  size_t next_part; /* parts before it are not free */
  size_t front;     /* parts before it are done */
  struct ramp ramp;
  unsigned limit; /* requests that may be under way */
  uint64_t asked_ns;
  uint64_t waited_ns; /* its requests, for bytes, all together */

  int fd; /* of the staged file */
  struct checksums sums;
  struct frontier *frontier; /* NULL: the one worker hashes what it writes */

  bool has_span;
  struct hoist_span span;
  bool journaled;             /* its parts are noted */
  atomic_uint_least64_t came; /* bytes, over all requests, also those of no use */
  int64_t resumed;            /* bytes that an earlier download had brought */
  int64_t received;           /* bytes that are of use */
  uint64_t reported_ns;
  struct hoist_error error; /* why it was given up */
};

/** @param max   requests for it at once, at most
 *  @param pool  of what waits to be hashed; outlives the file
 *  Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status file_init(struct file *file, struct manifest_file *m,
                                             unsigned max, struct block_pool *pool,
                                             struct hoist_error *err);
void file_done(struct file *file);

/** Whether it is known to be worth more than one request. */
bool file_is_large(const struct file *file);
/** Whether it is known to be worth one. */
bool file_is_small(const struct file *file);

/** Whether there are parts nobody fetches; false also when enough requests are under way. */
bool file_has_work(const struct file *file);
/** Takes the next of them. A run is the shorter the fewer are left, so that all requests end at about the
 *  same time. */
struct run file_take(struct file *file, uint64_t now_ns);
/** Gives parts of a run back that nobody has begun with. */
void file_give_back(struct file *file, size_t part, size_t end);

int64_t file_part_begin(size_t part);
/** Exclusive; SOURCE_TO_END where the file's size is not known. */
int64_t file_part_end(const struct file *file, size_t part);
/** What a request for the run asks for. */
int64_t file_run_end(const struct file *file, const struct run *run);

/** Holds an answer against what is known, and learns from it. The first one decides how the file is
 *  fetched: in parts, or as one stream.
 *  @param run         of the request; becomes shorter where the file is
 *  @param ret_rewind  true: the whole file comes (again), what is there of it is void
 *  Errors: CORRUPT, and request->trouble where there is one */
HOIST_MUST_CHECK enum hoist_status file_accept(struct file *file, struct source_request *request,
                                               struct run *run,
                                               const struct source_response *response,
                                               uint64_t now_ns, bool *ret_rewind,
                                               struct hoist_error *err);
/** Begins with what is there already, of the version that the file's `validator` names.
 *  @param left  of each part; its sums are taken over */
HOIST_MUST_CHECK enum hoist_status file_resume(struct file *file, int64_t size,
                                               const struct promise *promise, struct remnant *left,
                                               uint64_t now_ns, struct hoist_error *err);
/** Gives the one request under way the next run; false: there is none. */
bool file_retake(struct file *file, struct run *ret_run);
/** How many parts a file of that size has. */
size_t file_count_parts(int64_t size);

/** Takes note that a part was received up to `at`. Returns how many bytes of that are new. */
int64_t file_saw(struct file *file, size_t part, int64_t at);
/** Whether the block that begins at `at` is the caller's to write; false: another request for the same
 *  part has it. */
bool file_claim(struct file *file, size_t part, int64_t at);
/** A claimed block was written, up to `end`. Returns whether the part is complete now. */
bool file_wrote(struct file *file, size_t part, int64_t at, int64_t end);
/** A part is complete. */
void file_part_done(struct file *file, size_t part);
/** Whether all parts are there and no request is under way: then the phase is FILE_ENDING. */
bool file_may_end(struct file *file);
/** Bytes before it are written and stay as they are. */
int64_t file_ready(const struct file *file);

/** After a failed request: whether the file can still be had by beginning again, which is arranged
 *  then. */
bool file_may_restart(struct file *file, enum source_trouble trouble);
/** Begins again; nobody is at the file. Errors: by errno */
HOIST_MUST_CHECK enum hoist_status file_begin_again(struct file *file, struct hoist_error *err);

/** Compares length and digests of a file whose parts are all there, and notes them in the manifest.
 *  Blocks until the rest is hashed. Errors: CORRUPT, with `doubt` set where its digest is
 *  wrong for the first time · by errno · CANCELLED · TIMEOUT */
HOIST_MUST_CHECK enum hoist_status file_finish(const struct call *call, struct file *file,
                                               struct hoist_error *err);

#endif
