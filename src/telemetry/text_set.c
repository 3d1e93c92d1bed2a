/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table with open addressing over texts that lie in one buffer. Owns both; one thread. */
#include "text_set.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 256 };

struct text_place {
  uint64_t hash;
  size_t at, size;
  bool is_used;
};

void text_set_done(struct text_set *set) {
  buf_done(&set->texts);
  free(set->places);
  set->places = NULL;
  set->count = set->capacity = 0;
}

void text_set_clear(struct text_set *set) {
  buf_clear(&set->texts);
  if (set->count > 0) memset(set->places, 0, set->capacity * sizeof *set->places);
  set->count = 0;
}

/* FNV-1a. */
static uint64_t hash_of(const char *text, size_t size) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < size; i++)
    hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
  return hash ^ hash >> 32;
}

/* The place of an equal text, or the free one where it belongs. */
static struct text_place *find(const struct text_set *set, struct text_place *places,
                               size_t capacity, const struct text_place *wanted) {
  const char *texts = buf_str(&set->texts);
  for (size_t i = wanted->hash;; i++) {
    struct text_place *p = &places[i & (capacity - 1)];
    if (!p->is_used || (p->hash == wanted->hash && p->size == wanted->size &&
                        memcmp(texts + p->at, texts + wanted->at, p->size) == 0))
      return p;
  }
}

/* At most half of the places are used. */
static enum hoist_status grow(struct text_set *set) {
  if (2 * (set->count + 1) <= set->capacity) return HOIST_OK;
  size_t capacity = set->capacity ? 2 * set->capacity : CAPACITY_MIN;
  struct text_place *places = calloc(capacity, sizeof *places);
  if (!places) return HOIST_NO_MEMORY;
  for (size_t i = 0; i < set->capacity; i++)
    if (set->places[i].is_used) *find(set, places, capacity, &set->places[i]) = set->places[i];
  free(set->places);
  set->places = places;
  set->capacity = capacity;
  return HOIST_OK;
}

enum hoist_status text_set_add(struct text_set *set, size_t size, bool *ret_is_new) {
  enum hoist_status status = grow(set);
  if (status != HOIST_OK) return status;
  struct text_place wanted = {.at = size, .size = set->texts.size - size, .is_used = true};
  wanted.hash = hash_of(buf_str(&set->texts) + size, wanted.size);
  struct text_place *place = find(set, set->places, set->capacity, &wanted);
  *ret_is_new = !place->is_used;
  if (place->is_used) {
    buf_cut(&set->texts, size);
    return HOIST_OK;
  }
  *place = wanted;
  set->count++;
  return HOIST_OK;
}
