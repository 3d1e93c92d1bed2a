/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: places a model can come from. A source only reads. It says what a model consists of
 * (describe) and streams one file of it (fetch); checking names, sizes and digests is done above.
 * A new source is one file that fills in a struct source_ops, and one row where the chain is built. */
#ifndef HOIST_SOURCE_SOURCE_H
#define HOIST_SOURCE_SOURCE_H

#include "call.h"
#include "manifest.h"
#include "model_id.h"

/** Where a file's bytes go. All calls come from the thread that called source_fetch. */
struct source_sink {
  void *user;
  /** Called once per attempt before its first byte: what was written so far is void, start at offset 0.
   *  `size` is what this response announces (FILE_SIZE_UNKNOWN: nothing) and `promised` a digest it
   *  carries (DIGEST_NONE: nothing). */
  enum hoist_status (*begin)(void *user, int64_t size, const struct digest *promised,
                             struct hoist_error *err);
  enum hoist_status (*write)(void *user, const void *data, size_t size, struct hoist_error *err);
};

struct source;

struct source_ops {
  /** Fills `ret_manifest` (given empty) with what `id` consists of here.
   *  Errors: NOT_FOUND this source does not have the model · UNAVAILABLE · DENIED · CORRUPT the answer
   *          makes no sense · TIMEOUT, CANCELLED by the call */
  enum hoist_status (*describe)(const struct call *call, struct source *source,
                                const struct model_id *id, struct manifest *ret_manifest,
                                struct hoist_error *err);
  /** Streams one file of a manifest that describe made. May replace file->locator (a fresh URL for an
   *  expired one). Called from several threads at once, each with another file.
   *  Errors: as describe, and whatever the sink returned */
  enum hoist_status (*fetch)(const struct call *call, struct source *source,
                             const struct model_id *id, struct manifest_file *file,
                             const struct source_sink *sink, struct hoist_error *err);
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

struct http;

/** A directory tree: {root}/{model id}/… holds the files. Reads recursively, skips dot files.
 *  Errors: INVALID empty root · NO_MEMORY (a missing root is found out by describe) */
HOIST_MUST_CHECK enum hoist_status source_dir_new(const char *root, struct source **ret_source,
                                                  struct hoist_error *err);

struct s3_options {
  const char *bucket;
  const char *prefix;     /* "" or NULL: none; used verbatim before the model id */
  const char *endpoint;   /* "http://127.0.0.1:7480"; NULL: AWS for the region */
  const char *region;     /* NULL: "us-east-1" */
  const char *access_key; /* NULL: anonymous */
  const char *secret_key;
  const char *session_token; /* NULL: none */
  int verify_md5;            /* 1: a simple ETag is a promise of the MD5 */
  int virtual_host;          /* -1: decide (path style with an endpoint or a dotted bucket), 0, 1 */
};
HOIST_MUST_CHECK enum hoist_status source_s3_new(struct http *http,
                                                 const struct s3_options *options,
                                                 struct source **ret_source,
                                                 struct hoist_error *err);

struct roboflow_options {
  const char *base_url;        /* NULL: https://api.roboflow.com */
  const char *weights_suffix;  /* INTERNAL_WEIGHTS_URL_SUFFIX; NULL: "" */
  const char *api_key;         /* NULL or "local": none */
  const char *extra_headers;   /* JSON object text; NULL: none */
  const char *service_secret;  /* vouches for countinference=false; sent only with the suffix
                                   "serverless"; NULL: none */
  const char *secure_gateway;  /* NULL: none */
  const char *device_id;       /* NULL: the host name */
  uint32_t request_timeout_ms; /* one API request (not the files); 0: none but the stall timeout */
  int verify_md5;              /* 1: check x-goog-hash, md5Hash, simple ETags */
};
HOIST_MUST_CHECK enum hoist_status source_roboflow_new(struct http *http,
                                                       const struct roboflow_options *options,
                                                       struct source **ret_source,
                                                       struct hoist_error *err);
#endif
