/* SPDX-License-Identifier: Apache-2.0 */
/* Sorts files that pass by, directory by directory, into the models they make up. Memory is fixed. One listing per
 * struct. */
#ifndef HOIST_PLAN_OFFERS_H
#define HOIST_PLAN_OFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define OFFERS_MAX_LEVELS 64
#define OFFERS_MAX_NAME 1024

/** Borrowed for the length of the callback. */
struct offers_model {
  const char *id; /* unchecked */
  uint64_t size_bytes;
  size_t file_count;
  uint64_t modified_unix_s; /* 0: not known */
};

struct offers_level {
  size_t
      name_size; /* of the directory's name, the '/' at its end included; 0: where the listing begins */
  bool is_model;
  struct offers_model sums; /* of its own files, and of directories in it that are no models */
};

/** Zero-initialise, then set the callback. */
struct offers {
  void *user;
  enum hoist_status (*model)(void *user, const struct offers_model *model, struct hoist_error *err);
  /* Directories that are open, each in the one before it: */
  char name[OFFERS_MAX_NAME + 1];
  struct offers_level levels[OFFERS_MAX_LEVELS];
  size_t depth; /* levels beyond the first */
};

/** The next file. A directory's files, and those of all directories in it, come one after the other.
 *  Errors: what the callback returned */
HOIST_MUST_CHECK enum hoist_status offers_add(struct offers *offers, const char *name, int64_t size,
                                              uint64_t modified_unix_ns, struct hoist_error *err);
/** There are no more. Errors: what the callback returned */
HOIST_MUST_CHECK enum hoist_status offers_end(struct offers *offers, struct hoist_error *err);

/** Whether a file of that name makes a model of the directory it is in. */
bool offers_marks_model(const char *leaf);

#endif
