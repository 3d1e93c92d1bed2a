/* SPDX-License-Identifier: Apache-2.0 */
/* JSON that nobody vouches for: a parse with caps, and getters whose errors name the document
 * and the way to the value ("environment.json: PREPROCESSING.resize.width: expected a whole number,
 * found a string"). Strings are never printed, as they may be secrets; keys are. A null is an absent
 * value, as the servers hoist reads from use it so. */
#ifndef HOIST_PLAN_JSON_READ_H
#define HOIST_PLAN_JSON_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auto.h"
#include "buf.h"
#include "err.h"

HOIST_DEFINE_AUTO(json, json_t, json_decref)

/** Parses `size` bytes that must be one JSON value of any type, nested at most 2048 deep and
 *  without NUL in its strings. `document` names it in errors: "environment.json".
 *  Errors: CORRUPT over `max_size`, or not JSON: says what is wrong and where · NO_MEMORY,
 *          though jansson's lexer takes a failed allocation for a syntax error */
HOIST_MUST_CHECK enum hoist_status json_read_parse(const char *text, size_t size, size_t max_size,
                                                   const char *document, json_t **ret_value,
                                                   struct hoist_error *err);

/** A value and the way to it. Lives on the stack; refers to the place it was reached from, which
 *  must outlive it, and borrows the JSON value. */
struct json_place {
  json_t *value; /* NULL: there is nothing here (or null) */
  const struct json_place *parent;
  const char
      *name; /* the document's at the root, the member's key, or NULL for an item of a list */
  size_t index;
};

struct json_place json_read_root(json_t *value, const char *document);
/** A place with nothing in it where `object` is no object or has no such member. */
struct json_place json_read_member(const struct json_place *object, const char *key);
struct json_place json_read_item(const struct json_place *array, size_t index);

/** Raises CORRUPT: "document: a.b[2]: " and the text. */
enum hoist_status json_read_fail(const struct json_place *place, struct hoist_error *err,
                                 const char *fmt, ...) PRINTF_LIKE(3, 4);
/** json_read_fail with "expected a URL string, found a number", or "is missing". */
enum hoist_status json_read_wrong(const struct json_place *place, const char *expected,
                                  struct hoist_error *err);

/* Each fails with CORRUPT where the value is absent or of another type. Strings are borrowed. */
HOIST_MUST_CHECK enum hoist_status json_read_object(const struct json_place *place,
                                                    struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status json_read_array(const struct json_place *place,
                                                   struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status json_read_string(const struct json_place *place,
                                                    const char **ret_text, struct hoist_error *err);
/** A whole number between `min` and `max`; a number with a zero fraction and a string of decimal
 *  digits count, as both are found in the wild. */
HOIST_MUST_CHECK enum hoist_status json_read_int(const struct json_place *place, int64_t min,
                                                 int64_t max, int64_t *ret_number,
                                                 struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status json_read_number(const struct json_place *place, double min,
                                                    double max, double *ret_number,
                                                    struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status json_read_bool(const struct json_place *place, bool *ret_flag,
                                                  struct hoist_error *err);

/** A malloc'd copy of a string; where it is absent and `required` is false, OK and NULL. */
HOIST_MUST_CHECK enum hoist_status json_read_copy(const struct json_place *place, bool required,
                                                  char **ret_text, struct hoist_error *err);

/** Sets a member of an object being built; a NULL text sets nothing. False when out of memory (also
 *  where `object` is NULL, so that only this needs checking) or when the text is not UTF-8. */
bool json_put_text(json_t *object, const char *key, const char *text);

/** Appends the text of `value` and a newline. `flags` are jansson's (JSON_INDENT(2), …).
 *  Errors: CORRUPT over the buffer's cap · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status json_format(const json_t *value, size_t flags,
                                               struct buf *ret_text, struct hoist_error *err);

#endif
