/* SPDX-License-Identifier: Apache-2.0 */
/* The table of aliases as the JSON object that it is read from. */
#include "alias.h"

#include <fcntl.h>
#include <string.h>

#include "fs.h"
#include "json_read.h"
#include "model_id.h"

#define MAX_STEPS 8 /* a user's name for a built-in name for … */

struct alias_table {
  json_t *names;
};

void alias_table_free(struct alias_table *table) {
  if (!table) return;
  json_decref(table->names);
  free(table);
}

const char *alias_resolve(const struct alias_table *table, const char *name) {
  for (int step = 0; step < MAX_STEPS; step++) {
    const char *next = json_string_value(json_object_get(table->names, name));
    if (!next) break;
    name = next;
  }
  return name;
}

static enum hoist_status check_pair(const struct json_place *place, struct hoist_error *err) {
  struct model_id id;
  const char *target;
  enum hoist_status status = model_id_parse(place->name, &id, err);
  if (status == HOIST_OK) status = json_read_string(place, &target, err);
  return status == HOIST_OK ? model_id_parse(target, &id, err) : status;
}

static enum hoist_status take_pair(struct alias_table *table, const struct json_place *root,
                                   const char *name, json_t *value, struct hoist_error *err) {
  if (json_is_null(value)) {
    (void)json_object_del(table->names, name); /* one that is not there is as gone */
    return HOIST_OK;
  }
  struct json_place place = json_read_member(root, name);
  enum hoist_status status = check_pair(&place, err);
  if (status == HOIST_OK && json_object_set(table->names, name, value) != 0)
    status = hoist_fail_memory(err, "the aliases");
  return status;
}

/* Every name must lead to an id that is no name itself. */
static enum hoist_status check_ends(const struct alias_table *table, const char *document,
                                    struct hoist_error *err) {
  const char *name;
  json_t *value;
  json_object_foreach(table->names, name, value) {
    if (json_object_get(table->names, alias_resolve(table, name)))
      return hoist_fail(err, HOIST_INVALID,
                        "%s: \"%.128s\" leads from one name to the next and to no model", document,
                        name);
  }
  return HOIST_OK;
}

static enum hoist_status merge(struct alias_table *table, const char *text, size_t size,
                               const char *document, struct hoist_error *err) {
  HOIST_AUTO(json) json_t *value = NULL;
  enum hoist_status status =
      json_read_parse(text, size, ALIAS_MAX_FILE_BYTES, document, &value, err);
  if (status != HOIST_OK) return status;
  struct json_place root = json_read_root(value, document);
  status = json_read_object(&root, err);
  if (status != HOIST_OK) return status;
  const char *name;
  json_t *target;
  json_object_foreach(value, name, target) {
    status = take_pair(table, &root, name, target, err);
    if (status != HOIST_OK) return status;
  }
  return check_ends(table, document, err);
}

/* Whatever is wrong with the text, it is the user's own. */
static enum hoist_status blame_user(enum hoist_status status, struct hoist_error *err) {
  if (status == HOIST_OK || status == HOIST_NO_MEMORY) return status;
  hoist_error_prepend(err, "aliases");
  if (err) err->status = HOIST_INVALID;
  return HOIST_INVALID;
}

static enum hoist_status make(const char *json, size_t size, const char *document,
                              struct alias_table **ret_table, struct hoist_error *err) {
  HOIST_AUTO(alias_table) struct alias_table *table = calloc(1, sizeof *table);
  if (!table || !(table->names = json_object())) return hoist_fail_memory(err, "the aliases");
  enum hoist_status status =
      merge(table, alias_builtin, strlen(alias_builtin), "the built-in aliases", err);
  if (status != HOIST_OK) return status;
  if (json) status = blame_user(merge(table, json, size, document, err), err);
  if (status == HOIST_OK) *ret_table = HOIST_TAKE(table);
  return status;
}

enum hoist_status alias_table_parse(const char *json, size_t size, struct alias_table **ret_table,
                                    struct hoist_error *err) {
  return make(json, size, "the text", ret_table, err);
}

enum hoist_status alias_table_new(const char *path, struct alias_table **ret_table,
                                  struct hoist_error *err) {
  if (!path) return make(NULL, 0, "", ret_table, err);
  HOIST_AUTO(buf) struct buf text = buf_make(ALIAS_MAX_FILE_BYTES);
  enum hoist_status status = blame_user(fs_read_file(AT_FDCWD, path, &text, err), err);
  return status == HOIST_OK ? make(buf_str(&text), text.size, path, ret_table, err) : status;
}
