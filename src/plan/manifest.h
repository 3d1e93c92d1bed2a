/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest: what a model consists of. A source fills one in from what it knows before any byte
 * of a file was read (digests and sizes may be missing); the cache writes one out in which every
 * file has its length and SHA-256. */
#ifndef HOIST_PLAN_MANIFEST_H
#define HOIST_PLAN_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "digest.h"

#define MANIFEST_MAX_FILES 4096
#define MANIFEST_FILE_NAME_MAX 255
#define MANIFEST_MAX_JSON_BYTES (4u << 20)
#define FILE_SIZE_UNKNOWN (-1)

struct manifest_file {
  char *name;           /* relative, '/'-separated; unchecked until plan_make accepted it */
  int64_t size;         /* bytes, or FILE_SIZE_UNKNOWN */
  struct digest digest; /* promised by the source; DIGEST_NONE when it promised none */
  struct digest
      promised; /* by which other models are found to have it, too; DIGEST_NONE: none is looked for */
  char *etag;   /* NULL when the source has none */
  char *locator;       /* the source's own handle: a key, a path, a URL; may hold a secret: never
                           printed, never written to disk */
  uint64_t located_ns; /* when the locator was learnt (monotonic), for those that do not last */
  char *content;       /* the bytes themselves where the source made them up (class_names.txt out of
                    a JSON list); malloc'd, `size` bytes; NULL: fetch by locator */
};

struct manifest {
  char *source;        /* name of the source: "s3", "roboflow_api", "dir" */
  char *task_type;     /* "object-detection", …; NULL when the source does not say */
  char *model_type;    /* architecture: "yolov8n", …; NULL likewise */
  char *model_variant; /* NULL likewise */
  char *package_id;    /* of what the source offers several packages of; NULL likewise */
  int is_bundle;       /* 1: files for other programs, among which need be no weights of ours */
  struct manifest_file *files;
  size_t file_count;
  size_t file_capacity;
};

/** An empty manifest is {0}. */
void manifest_done(struct manifest *m);
static inline void manifest_cleanup(struct manifest *m) {
  manifest_done(m);
}

/** Appends a file with `name` copied, size unknown, nothing promised. The pointer is valid until
 *  the next add.
 *  Errors: CORRUPT over MANIFEST_MAX_FILES · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status manifest_add(struct manifest *m, const char *name,
                                                struct manifest_file **ret_file,
                                                struct hoist_error *err);
/** NULL when there is no file of that name. */
const struct manifest_file *manifest_find(const struct manifest *m, const char *name);

/** Sum of the known sizes; `ret_complete` (may be NULL) tells whether every size is known. */
uint64_t manifest_total_size(const struct manifest *m, int *ret_complete);

/** The manifest as it is kept beside a cached model: JSON, keys "version", "model_id", "source",
 *  "created" (RFC 3339), "task_type", "model_type", "model_variant", "package_id", "bundle" (where true), "files": [{"name","size",
 *  "sha256","etag"}]. No locators, no contents. Every file must have a size and a SHA-256. */
HOIST_MUST_CHECK enum hoist_status manifest_to_json(const struct manifest *m, const char *model_id,
                                                    uint64_t created_unix_s, struct buf *ret_json,
                                                    struct hoist_error *err);
/** Reads manifest_to_json's form back. Names are checked as plan_check_name does.
 *  @param ret_model_id  malloc'd
 *  Errors: CORRUPT not JSON, wrong shape, unknown version, bad name, over a cap · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status manifest_from_json(const char *json, size_t size,
                                                      struct manifest *ret_manifest,
                                                      char **ret_model_id,
                                                      uint64_t *ret_created_unix_s,
                                                      struct hoist_error *err);
#endif
