/* SPDX-License-Identifier: Apache-2.0 */
/* The files of one copy: those that a source lists and the rules choose. */
#ifndef HOIST_COPY_FILES_H
#define HOIST_COPY_FILES_H

#include "copy.h"
#include "dest.h"

struct copy_file {
  char *name, *locator, *etag; /* etag NULL: none */
  int64_t size;
  uint64_t modified_unix_ns;
};

struct copy_files {
  struct copy_file *items;
  struct dest_file *targets; /* one for each; `is_there` is for the copy to set */
  size_t count, capacity;
  size_t excluded;
  size_t seen; /* by the source's list, excluded ones included */
};

void copy_files_done(struct copy_files *files);
static inline void copy_files_cleanup(struct copy_files *files) {
  copy_files_done(files);
}

/** Whether the rules choose a file of that name. */
bool copy_chooses(const struct hoist_copy_rule *rules, size_t count, const char *name);

/** Fills `files` (given empty). Errors: as copy_run, of which NOT_FOUND means that nothing is there, CORRUPT a
 *  name or too many of them */
HOIST_MUST_CHECK enum hoist_status copy_files_list(const struct call *call,
                                                   const struct copy_request *request,
                                                   struct copy_files *files,
                                                   struct hoist_error *err);
#endif
