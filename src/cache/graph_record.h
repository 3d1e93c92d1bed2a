/* SPDX-License-Identifier: Apache-2.0 */
/* What lies beside the files of a saved graph and says what they are; not for other modules. */
#ifndef HOIST_CACHE_GRAPH_RECORD_H
#define HOIST_CACHE_GRAPH_RECORD_H

#include "cache.h"
#include "identity.h"

#define GRAPH_RECORD "hoist-graph"
#define GRAPH_MAX_FILES 4
#define GRAPH_FILE_NAME_SIZE 64

struct graph_file {
  char name[GRAPH_FILE_NAME_SIZE];
  struct digest digest;          /* SHA-256 */
  struct file_identity identity; /* when it was compared with the digest; its size is the file's */
  bool settled;                  /* see identity_is_settled */
};

struct graph_record {
  struct cache_graph_facts facts;
  struct graph_file files[GRAPH_MAX_FILES];
  size_t file_count;
};

/** Errors: NOT_FOUND · CORRUPT not a record */
HOIST_MUST_CHECK enum hoist_status graph_record_read(int dir_fd, struct graph_record *ret_record,
                                                     struct hoist_error *err);
/** Writes it into a directory that has none, durably. */
HOIST_MUST_CHECK enum hoist_status graph_record_write(int dir_fd, const struct graph_record *record,
                                                      struct hoist_error *err);
/** Puts a new one in the place of another, atomically. Best effort. */
void graph_record_rewrite(int dir_fd, const struct graph_record *record);

/** As they are on disk, for tests. */
HOIST_MUST_CHECK enum hoist_status graph_record_print(const struct graph_record *record,
                                                      struct buf *ret_text,
                                                      struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status graph_record_parse(const char *text, size_t size,
                                                      struct graph_record *ret_record,
                                                      struct hoist_error *err);

#endif
