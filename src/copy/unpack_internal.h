/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of the kinds of archives share; not for others. */
#ifndef HOIST_COPY_UNPACK_INTERNAL_H
#define HOIST_COPY_UNPACK_INTERNAL_H

#include "dest_internal.h"
#include "unpack.h"

#define UNPACK_BUFFER_BYTES (64u << 10)

/* One archive being unpacked. */
struct unpack {
  const struct call *call;
  struct dest *dest;
  struct fetch_target target;
  const char *name; /* of the archive */
  int fd;           /* of it */
  int64_t size;     /* of it */
  struct unpacked *sums;
  /* The file that is being written: */
  struct manifest_file file;
  int out; /* -1: none */
  int64_t written;
};

/** Begins a file, or makes the directory, of that name. `size` is what its entry says. */
HOIST_MUST_CHECK enum hoist_status unpack_begin(struct unpack *u, const char *name, int64_t size,
                                                struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status unpack_write(struct unpack *u, const void *data, size_t size,
                                                struct hoist_error *err);
/** The file is complete. Errors: CORRUPT it is shorter than its entry said */
HOIST_MUST_CHECK enum hoist_status unpack_end(struct unpack *u, struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status unpack_directory(struct unpack *u, const char *name,
                                                    struct hoist_error *err);
/** hoist_fail, naming the archive and saying that it is damaged. */
enum hoist_status unpack_fail(const struct unpack *u, const char *problem, struct hoist_error *err);

HOIST_MUST_CHECK enum hoist_status unpack_tar(struct unpack *u, struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status unpack_zip(struct unpack *u, struct hoist_error *err);

#endif
