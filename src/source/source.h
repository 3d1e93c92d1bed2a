/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: places a model can come from. A source only reads. It says what a model consists of
 * (describe) and streams its files, whole or in parts (fetch); checking names, sizes and digests is done above.
 * A new source is one file that fills in a struct source_ops, and one row where the chain is built. */
#ifndef HOIST_SOURCE_SOURCE_H
#define HOIST_SOURCE_SOURCE_H

#include "call.h"
#include "manifest.h"
#include "model_id.h"

#define SOURCE_TO_END (-1)
#define SOURCE_VALIDATOR_SIZE 256 /* NUL included; what is longer is no validator */

/** What a response turned out to be. */
struct source_response {
  int64_t offset; /* of the first byte that follows: request->from, or 0 where the whole file
                             comes although a part was asked for */
  int64_t length; /* of what follows; FILE_SIZE_UNKNOWN */
  int64_t size;   /* of the whole file; FILE_SIZE_UNKNOWN */
  const char
      *validator; /* names this version of the file: a strong ETag in quotes, or an HTTP date;
                             NULL: none. Valid for the length of the call */
  struct digest promised;      /* DIGEST_NONE: nothing is */
  int64_t promised_part_bytes; /* 0: it is a digest of the whole file. Else of the digests of its
                                  parts, which have this many bytes each, the last one perhaps fewer */
};

/** Where a file's bytes go. All calls come from the thread that called source_fetch. */
struct source_sink {
  void *user;
  /** Called once per attempt before its first byte. */
  enum hoist_status (*begin)(void *user, const struct source_response *response,
                             struct hoist_error *err);
  enum hoist_status (*write)(void *user, const void *data, size_t size, struct hoist_error *err);
};

/** Why a fetch failed, where the caller may do something about it. */
enum source_trouble {
  SOURCE_NO_TROUBLE, /* nothing is known beyond the status */
  SOURCE_CHANGED,    /* the file is not the version of `validator` any more */
  SOURCE_BAD_RANGE /* the answer is not the range asked for: the server cannot do ranges, or lies */
};

/** Bytes [from, to) of one file, of one version of it. `from` 0 and `to` SOURCE_TO_END ask for the
 *  whole file, which needs no server that knows ranges. */
struct source_request {
  struct manifest_file *file;
  int64_t from; /* the next byte wanted: the sink moves it on as it takes bytes, so that a further
                   attempt asks for the rest alone */
  int64_t to;   /* exclusive, or SOURCE_TO_END */
  int whole;    /* 1: never ask for a part; each attempt begins at 0 */
  const char *validator; /* of an earlier response, or the manifest's ETag; NULL: any version */
  int wants_promise; /* 1: what the source can find out about the whole file's digest is of use */
  struct source_sink sink;
  enum source_trouble trouble; /* set on failure */
};

/** A file that a source has. Borrowed for the length of the visit. */
struct source_object {
  const char *name;    /* relative to what was asked for; unchecked */
  const char *locator; /* for manifest_file.locator */
  const char *etag;    /* as in a manifest; NULL: none */
  int64_t size;
  uint64_t modified_unix_ns; /* 0: not known */
};

/** Which files of a source are wanted, and where they are told. */
struct source_visit {
  const char
      *below; /* "" or ending in '/': all files below it; else the one file of that name, told
                        by its last segment */
  int everything; /* 1: also what is hidden (a dot before its name), and what cannot be read is an error; 0:
                     what models may be made of */
  void *user;
  enum hoist_status (*object)(void *user, const struct source_object *object,
                              struct hoist_error *err);
};

struct source;

/** What a source weighed while it made up its mind what a model consists of. Borrowed for the length of the
 *  callback. */
struct source_candidate {
  const char *endpoint; /* where it was found, or asked for: "/ort" */
  const char
      *package_id;   /* one of several packages there; NULL: what follows is about the endpoint */
  const char *facts; /* about the package, for people; NULL: none */
  int is_chosen;
  const char *reason; /* why, or why not */
};
struct source_visitor {
  void *user;
  void (*visit)(void *user, const struct source_candidate *candidate);
};

struct source_ops {
  /** Fills `ret_manifest` (given empty) with what `id` consists of here.
   *  Errors: NOT_FOUND this source does not have the model · UNSUPPORTED it has it in no form that can be used
   *          here · UNAVAILABLE · DENIED · CORRUPT the answer makes no sense · TIMEOUT, CANCELLED by the call */
  enum hoist_status (*describe)(const struct call *call, struct source *source,
                                const struct model_id *id, struct manifest *ret_manifest,
                                struct hoist_error *err);
  /** Streams bytes of one file of a manifest that describe made. May replace file->locator (a fresh
   *  URL for an expired one). Every byte that comes is noted in the call (call_note_received), also
   *  those that are refused. Called from several threads at once, also for parts of one file.
   *  Errors: as describe, UNAVAILABLE with SOURCE_CHANGED, CORRUPT with SOURCE_BAD_RANGE, and
   *          whatever the sink returned */
  enum hoist_status (*fetch)(const struct call *call, struct source *source,
                             const struct model_id *id, struct source_request *request,
                             struct hoist_error *err);
  /** Tells what is there, in an order in which a directory's files are not interrupted by others. Memory does
   *  not grow with their number. NULL: a source that cannot tell.
   *  Errors: NOT_FOUND no such file, directory or bucket (nothing below a prefix is no failure) · as
   *          describe, and whatever the visitor returned */
  enum hoist_status (*list)(const struct call *call, struct source *source,
                            const struct source_visit *visit, struct hoist_error *err);
  /** Whether this source lets its user have the model, without fetching it. NULL: it makes no difference
   *  between users.
   *  Errors: DENIED · NOT_FOUND · UNAVAILABLE nobody can tell just now · as describe */
  enum hoist_status (*check_access)(const struct call *call, struct source *source,
                                    const struct model_id *id, struct hoist_error *err);
  /** Describes the model for the sake of saying what was weighed. NULL: there is nothing to choose from here.
   *  Errors: as describe; what was weighed by then has been told */
  enum hoist_status (*explain)(const struct call *call, struct source *source,
                               const struct model_id *id, const struct source_visitor *visitor,
                               struct hoist_error *err);
  void (*free)(struct source *source);
};

/** First member of every source's own struct. Thread-safe after construction. */
struct source {
  const struct source_ops *ops;
  const char *name; /* "s3", "roboflow_api", "dir": model.artifacts.source; static */
  char *location;   /* for people, without secrets: "s3://bucket/prefix", "/models"; malloc'd */
};

static inline void source_free(struct source *s) {
  if (s) s->ops->free(s);
}

/* ---- the constructors; each takes ownership of nothing, copies what it keeps -------------------- */

struct aws_provider;
struct http;

/** A directory tree: {root}/{model id}/… holds the files. Reads recursively, skips dot files.
 *  Errors: INVALID empty root · NO_MEMORY (a missing root is found out by describe) */
HOIST_MUST_CHECK enum hoist_status source_dir_new(const char *root, struct source **ret_source,
                                                  struct hoist_error *err);

struct s3_options {
  const char *bucket;
  const char *prefix;               /* "" or NULL: none; used verbatim before the model id */
  const char *endpoint;             /* "http://127.0.0.1:7480"; NULL: AWS for the region */
  const char *region;               /* NULL: "us-east-1" */
  struct aws_provider *credentials; /* borrowed for the source's life; NULL: anonymous */
  bool dualstack;                   /* AWS's endpoints that answer over IPv6 too */
  bool fips;                        /* AWS's endpoints with validated cryptography */
  bool requester_pays;              /* whoever asks agrees to pay for it */
  int verify_md5;                   /* 1: a simple ETag is a promise of the MD5 */
  int virtual_host; /* -1: decide (path style with an endpoint or a dotted bucket), 0, 1 */
};
HOIST_MUST_CHECK enum hoist_status source_s3_new(struct http *http,
                                                 const struct s3_options *options,
                                                 struct source **ret_source,
                                                 struct hoist_error *err);

/** One that fails with `why` whenever it is asked.
 *  @param name  static
 *  Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status source_unusable_new(const char *name, const char *location,
                                                       const struct hoist_error *why,
                                                       struct source **ret_source,
                                                       struct hoist_error *err);
#endif
