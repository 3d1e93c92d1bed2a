/* SPDX-License-Identifier: Apache-2.0 */
/* The file format of ~/.aws/config and ~/.aws/credentials, as the AWS CLI reads it. */
#ifndef HOIST_AWS_INI_H
#define HOIST_AWS_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "auto.h"
#include "err.h"

#define AWS_INI_MAX_BYTES (1u << 20) /* of a file */

/** One line's worth. Text in the struct's own memory. */
struct aws_ini_entry {
  const char *section; /* what is between the brackets: "profile x" */
  const char *key;     /* in lower case; NULL: this is the section itself, which may have no keys */
  const char *sub;     /* "s3 =" and indented below it "addressing_style = path"; NULL: none */
  const char *value;
};

struct aws_ini {
  char *text; /* all entries' */
  struct aws_ini_entry *entries;
  size_t count, capacity;
};
void aws_ini_done(struct aws_ini *ini);
static inline void aws_ini_cleanup(struct aws_ini *ini) {
  aws_ini_done(ini);
}

/** Reads a file's text. `name` is for errors, which name a line but never show one.
 *  Errors: INVALID not of the format, over AWS_INI_MAX_BYTES, a NUL in it · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status aws_ini_parse(const char *text, size_t size, const char *name,
                                                 struct aws_ini *ret_ini, struct hoist_error *err);

#endif
