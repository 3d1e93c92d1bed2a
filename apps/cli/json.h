/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON to a stream as it is told, without building a tree: nothing to allocate, nothing to
 * fail but the stream. Texts may hold anything; what comes out is well-formed UTF-8. */
#ifndef HOIST_CLI_JSON_H
#define HOIST_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
  FILE *out;
  bool in_html; /* it becomes part of a page: nothing in it may look like a tag */
  bool comma;   /* the next value follows another one */
};

/* `key` is NULL inside lists and at the top. */
void json_open(struct json *j, const char *key, char bracket);     /* '{' or '[' */
void json_close(struct json *j, char bracket);                     /* '}' or ']' */
void json_text(struct json *j, const char *key, const char *text); /* NULL: null */
void json_int(struct json *j, const char *key, int64_t value);
void json_uint(struct json *j, const char *key, uint64_t value);
void json_number(struct json *j, const char *key, double value); /* not finite: null */
void json_bool(struct json *j, const char *key, bool value);
/** Ends the line and hands it to the reader. */
void json_end(struct json *j);

#endif
