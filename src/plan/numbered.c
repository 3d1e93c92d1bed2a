/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of objects with numbered keys. Pure; any thread. */
#include "numbered.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

struct entry {
  uint64_t number;
  const char *name; /* borrowed */
};

void numbered_done(struct numbered *names) {
  for (size_t i = 0; i < names->count; i++)
    free(names->names[i]);
  free(names->names);
  free(names->numbers);
  *names = (struct numbered){0};
}

static int compare_entries(const void *a, const void *b) {
  uint64_t left = ((const struct entry *)a)->number, right = ((const struct entry *)b)->number;
  return (left > right) - (left < right);
}

static enum hoist_status collect(const struct json_place *map, struct entry *entries,
                                 struct hoist_error *err) {
  const char *key;
  json_t *value;
  size_t used = 0;
  json_object_foreach(map->value, key, value) {
    struct json_place place = json_read_member(map, key);
    struct entry *entry = &entries[used++];
    if (!parse_u64(key, &entry->number) || entry->number > INT64_MAX)
      return json_read_fail(&place, err, "the key is no number");
    enum hoist_status status = json_read_string(&place, &entry->name, err);
    if (status != HOIST_OK) return status;
  }
  qsort(entries, used, sizeof *entries, compare_entries);
  for (size_t i = 1; i < used; i++)
    if (entries[i].number == entries[i - 1].number)
      return json_read_fail(map, err, "a number occurs twice");
  return HOIST_OK;
}

static enum hoist_status copy(const struct entry *entries, size_t count, struct numbered *ret_names,
                              struct hoist_error *err) {
  HOIST_AUTO(numbered)
  struct numbered names = {.names = calloc(count + 1, sizeof *names.names),
                           .numbers = calloc(count + 1, sizeof *names.numbers)};
  if (!names.names || !names.numbers) return hoist_fail_memory(err, "a list of names");
  for (; names.count < count; names.count++) {
    char *name = strdup(entries[names.count].name);
    if (!name) return hoist_fail_memory(err, "a list of names");
    names.names[names.count] = name;
    names.numbers[names.count] = (int64_t)entries[names.count].number;
  }
  *ret_names = names;
  names = (struct numbered){0};
  return HOIST_OK;
}

enum hoist_status numbered_read(const struct json_place *map, size_t max,
                                struct numbered *ret_names, struct hoist_error *err) {
  enum hoist_status status = json_read_object(map, err);
  if (status != HOIST_OK) return status;
  size_t count = json_object_size(map->value);
  if (count > max) return json_read_fail(map, err, "more than %zu entries", max);
  HOIST_AUTO(mem) struct entry *entries = calloc(count + 1, sizeof *entries);
  if (!entries) return hoist_fail_memory(err, "a list of names");
  status = collect(map, entries, err);
  return status == HOIST_OK ? copy(entries, count, ret_names, err) : status;
}

enum hoist_status numbered_check_dense(const struct json_place *map, const struct numbered *names,
                                       struct hoist_error *err) {
  for (size_t i = 0; i < names->count; i++)
    if (names->numbers[i] != (int64_t)i) return json_read_fail(map, err, "there is no \"%zu\"", i);
  return HOIST_OK;
}
