/* SPDX-License-Identifier: Apache-2.0 */
/* Nearness of words: edits (insert, remove, replace, swap two neighbours). Pure. */
#include "suggest.h"

#include <stdint.h>
#include <string.h>

#define MAX_WORD 32
#define MAX_EDITS 2

static size_t least(size_t a, size_t b, size_t c) {
  size_t m = a < b ? a : b;
  return m < c ? m : c;
}

/* Optimal string alignment over three rows. Both words are shorter than MAX_WORD. */
static size_t distance(const char *a, const char *b) {
  size_t rows[3][MAX_WORD + 1], na = strlen(a), nb = strlen(b);
  size_t *before = rows[0], *above = rows[1], *row = rows[2];
  for (size_t j = 0; j <= nb; j++)
    above[j] = before[j] = j;
  for (size_t i = 1; i <= na; i++) {
    row[0] = i;
    for (size_t j = 1; j <= nb; j++) {
      row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = least(row[j], before[j - 2] + 1, SIZE_MAX);
    }
    size_t *reused = before;
    before = above;
    above = row;
    row = reused;
  }
  return above[nb];
}

const char *suggest(const char *text, const char *const *words, size_t count) {
  const char *best = NULL;
  size_t size = strlen(text), best_edits = MAX_EDITS + 1;
  if (size < 2 || size >= MAX_WORD) return NULL;
  for (size_t i = 0; i < count; i++) {
    if (strlen(words[i]) >= MAX_WORD) continue;
    size_t edits = distance(text, words[i]);
    if (edits < best_edits && edits < strlen(words[i]) && edits < size) {
      best = words[i];
      best_edits = edits;
    }
  }
  return best;
}
