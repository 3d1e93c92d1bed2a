/* SPDX-License-Identifier: Apache-2.0 */
/* Reading untrusted JSON over jansson. Errors are made here and not taken from jansson, whose texts
 * quote the document. Pure; any thread. */
#include "json_read.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "path_rule.h"
#include "text.h"

#define PLACE_SHOWN_SIZE 256
#define PLACE_MAX_DEPTH 8
#define EXACT_IN_DOUBLE                                                                            \
  9007199254740992.0 /* 2^53: below it every whole number has its own double */

static const char *syntax_problem(enum json_error_code code) {
  static const struct {
    enum json_error_code code;
    const char *text;
  } problems[] = {
      {json_error_premature_end_of_input, "it ends too early"},
      {json_error_end_of_input_expected, "there is more after its end"},
      {json_error_stack_overflow, "it is nested too deep"},
      {json_error_invalid_utf8, "it is not valid UTF-8"},
      {json_error_null_character, "a string holds a NUL character"},
      {json_error_null_byte_in_key, "a key holds a NUL character"},
      {json_error_numeric_overflow, "a number is too big"},
  };
  for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++)
    if (problems[i].code == code) return problems[i].text;
  return "syntax error";
}

/* jansson leaves the code unknown where an allocation failed half-way. */
static bool is_memory_error(enum json_error_code code) {
  return code == json_error_out_of_memory || code == json_error_unknown;
}

enum hoist_status json_read_parse(const char *text, size_t size, size_t max_size,
                                  const char *document, json_t **ret_value,
                                  struct hoist_error *err) {
  if (size > max_size)
    return hoist_fail(err, HOIST_CORRUPT, "%s: %zu bytes, more than the %zu allowed", document,
                      size, max_size);
  /* jansson skips one that follows a number. */
  if (size > 0 && memchr(text, '\0', size))
    return hoist_fail(err, HOIST_CORRUPT, "%s: not JSON: it holds a NUL byte", document);
  json_error_t problem;
  json_t *value = json_loadb(size > 0 ? text : "", size, JSON_DECODE_ANY, &problem);
  if (value) {
    *ret_value = value;
    return HOIST_OK;
  }
  enum json_error_code code = json_error_code(&problem);
  if (is_memory_error(code)) return hoist_fail_memory(err, document);
  return hoist_fail(err, HOIST_CORRUPT, "%s: not JSON: %s at line %d, column %d (byte %d of %zu)",
                    document, syntax_problem(code), problem.line, problem.column, problem.position,
                    size);
}

struct json_place json_read_root(json_t *value, const char *document) {
  return (struct json_place){.value = json_is_null(value) ? NULL : value, .name = document};
}

struct json_place json_read_member(const struct json_place *object, const char *key) {
  json_t *value = json_object_get(object->value, key);
  return (struct json_place){
      .value = json_is_null(value) ? NULL : value, .parent = object, .name = key};
}

struct json_place json_read_item(const struct json_place *array, size_t index) {
  json_t *value = json_array_get(array->value, index);
  return (struct json_place){
      .value = json_is_null(value) ? NULL : value, .parent = array, .index = index};
}

static void describe_step(const struct json_place *place, bool first, char *out, size_t size) {
  char shown[PATH_SHOWN_SIZE];
  if (!place->parent)
    snprintf(out, size, "%s: ", place->name);
  else if (place->name)
    snprintf(out, size, "%s%s", first ? "" : ".", path_shown(place->name, shown));
  else
    snprintf(out, size, "[%zu]", place->index);
}

/* "document: a.b[2]", the outermost first; the root alone is "document". */
static void describe_place(const struct json_place *place, char out[PLACE_SHOWN_SIZE]) {
  const struct json_place *chain[PLACE_MAX_DEPTH];
  size_t depth = 0;
  for (const struct json_place *p = place; p && depth < PLACE_MAX_DEPTH; p = p->parent)
    chain[depth++] = p;
  size_t used = 0;
  out[0] = '\0';
  for (size_t i = depth; i-- > 0;) {
    describe_step(chain[i], i + 2 == depth, out + used, PLACE_SHOWN_SIZE - used);
    used = strlen(out);
  }
  if (depth == 1) out[used - 2] = '\0';
}

enum hoist_status json_read_fail(const struct json_place *place, struct hoist_error *err,
                                 const char *fmt, ...) {
  char where[PLACE_SHOWN_SIZE], what[HOIST_ERROR_MESSAGE_SIZE];
  describe_place(place, where);
  va_list args;
  va_start(args, fmt);
  vsnprintf(what, sizeof what, fmt, args);
  va_end(args);
  return hoist_fail(err, HOIST_CORRUPT, "%s: %s", where, what);
}

static const char *found(const json_t *value) {
  switch (json_typeof(value)) {
  case JSON_OBJECT:
    return "an object";
  case JSON_ARRAY:
    return "a list";
  case JSON_STRING:
    return "a string";
  case JSON_INTEGER:
  case JSON_REAL:
    return "a number";
  case JSON_TRUE:
  case JSON_FALSE:
    return "a boolean";
  case JSON_NULL:
    break;
  }
  return "null";
}

enum hoist_status json_read_wrong(const struct json_place *place, const char *expected,
                                  struct hoist_error *err) {
  if (!place->value) return json_read_fail(place, err, "expected %s, but it is missing", expected);
  return json_read_fail(place, err, "expected %s, found %s", expected, found(place->value));
}

enum hoist_status json_read_object(const struct json_place *place, struct hoist_error *err) {
  return json_is_object(place->value) ? HOIST_OK : json_read_wrong(place, "an object", err);
}

enum hoist_status json_read_array(const struct json_place *place, struct hoist_error *err) {
  return json_is_array(place->value) ? HOIST_OK : json_read_wrong(place, "a list", err);
}

enum hoist_status json_read_string(const struct json_place *place, const char **ret_text,
                                   struct hoist_error *err) {
  const char *text = json_string_value(place->value);
  if (!text) return json_read_wrong(place, "a string", err);
  *ret_text = text;
  return HOIST_OK;
}

static bool whole_number(const json_t *value, int64_t *ret_number) {
  if (json_is_integer(value)) {
    *ret_number = json_integer_value(value);
    return true;
  }
  if (json_is_real(value)) {
    double number = json_real_value(value);
    if (!(number > -EXACT_IN_DOUBLE && number < EXACT_IN_DOUBLE)) return false;
    *ret_number = (int64_t)number;
    return (double)*ret_number == number;
  }
  uint64_t number = 0;
  if (!parse_u64(json_string_value(value), &number) || number > INT64_MAX) return false;
  *ret_number = (int64_t)number;
  return true;
}

enum hoist_status json_read_int(const struct json_place *place, int64_t min, int64_t max,
                                int64_t *ret_number, struct hoist_error *err) {
  int64_t number = 0;
  if (!whole_number(place->value, &number)) return json_read_wrong(place, "a whole number", err);
  if (number < min || number > max)
    return json_read_fail(place, err, "%" PRId64 " is not between %" PRId64 " and %" PRId64, number,
                          min, max);
  *ret_number = number;
  return HOIST_OK;
}

enum hoist_status json_read_number(const struct json_place *place, double min, double max,
                                   double *ret_number, struct hoist_error *err) {
  if (!json_is_number(place->value)) return json_read_wrong(place, "a number", err);
  double number = json_number_value(place->value);
  if (number < min || number > max)
    return json_read_fail(place, err, "%g is not between %g and %g", number, min, max);
  *ret_number = number;
  return HOIST_OK;
}

enum hoist_status json_read_bool(const struct json_place *place, bool *ret_flag,
                                 struct hoist_error *err) {
  if (!json_is_boolean(place->value)) return json_read_wrong(place, "true or false", err);
  *ret_flag = json_is_true(place->value);
  return HOIST_OK;
}

enum hoist_status json_read_copy(const struct json_place *place, bool required, char **ret_text,
                                 struct hoist_error *err) {
  if (!place->value && !required) {
    *ret_text = NULL;
    return HOIST_OK;
  }
  const char *text = NULL;
  enum hoist_status status = json_read_string(place, &text, err);
  if (status != HOIST_OK) return status;
  char *copy = strdup(text);
  if (!copy) return hoist_fail_memory(err, "a JSON string");
  *ret_text = copy;
  return HOIST_OK;
}

bool json_put_text(json_t *object, const char *key, const char *text) {
  return !text || json_object_set_new_nocheck(object, key, json_string(text)) == 0;
}

struct formatting {
  struct buf text;
  enum hoist_status status; /* why the dump stopped; OK: it is jansson that failed */
  struct hoist_error *err;
};

static int append_text(const char *data, size_t size, void *user) {
  struct formatting *f = user;
  f->status = buf_append(&f->text, data, size, f->err);
  return f->status == HOIST_OK ? 0 : -1;
}

enum hoist_status json_format(const json_t *value, size_t flags, struct buf *ret_text,
                              struct hoist_error *err) {
  struct formatting f = {.text = buf_make(ret_text->max), .status = HOIST_OK, .err = err};
  enum hoist_status status = HOIST_OK;
  if (json_dump_callback(value, append_text, &f, flags | JSON_ENCODE_ANY) != 0)
    status = f.status != HOIST_OK ? f.status : hoist_fail_memory(err, "a JSON text");
  if (status == HOIST_OK) status = buf_append(&f.text, "\n", 1, err);
  if (status == HOIST_OK) status = buf_append(ret_text, f.text.data, f.text.size, err);
  buf_done(&f.text);
  return status;
}
