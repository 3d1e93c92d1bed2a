/* SPDX-License-Identifier: Apache-2.0 */
/* Metric and label names for Prometheus. Pure; any thread. */
#include "prometheus_name.h"

#include <stdbool.h>
#include <string.h>

enum { UNIT_SIZE = 128 };

struct word {
  const char *unit, *word;
};

/* The UCUM units of the specification's table. */
static const struct word words[] = {
    {"d", "days"},          {"h", "hours"},         {"min", "minutes"},    {"s", "seconds"},
    {"ms", "milliseconds"}, {"us", "microseconds"}, {"ns", "nanoseconds"}, {"By", "bytes"},
    {"KiBy", "kibibytes"},  {"MiBy", "mebibytes"},  {"GiBy", "gibibytes"}, {"TiBy", "tebibytes"},
    {"kBy", "kilobytes"},   {"MBy", "megabytes"},   {"GBy", "gigabytes"},  {"TBy", "terabytes"},
    {"m", "meters"},        {"V", "volts"},         {"A", "amperes"},      {"J", "joules"},
    {"W", "watts"},         {"g", "grams"},         {"Cel", "celsius"},    {"Hz", "hertz"},
    {"%", "percent"},
};

/* What stands behind a slash. */
static const struct word per_words[] = {{"s", "second"}, {"m", "minute"}, {"min", "minute"},
                                        {"h", "hour"},   {"d", "day"},    {"w", "week"},
                                        {"wk", "week"},  {"mo", "month"}, {"y", "year"}};

static const char *look_up(const struct word *table, size_t count, const char *unit) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(table[i].unit, unit) == 0) return table[i].word;
  return unit;
}

struct name {
  char *text;
  size_t size, max; /* without the NUL */
};

/* Characters that names cannot have become '_', and several '_' in a row are one. */
static void put(struct name *name, const char *text, size_t size, bool colon) {
  for (size_t i = 0; i < size; i++) {
    char c = text[i];
    bool is_digit = c >= '0' && c <= '9';
    bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (colon && c == ':');
    if (!is_plain && !is_digit) c = '_';
    if (is_digit && name->size == 0 && name->max > 0) name->text[name->size++] = '_';
    bool is_repeated = c == '_' && name->size > 0 && name->text[name->size - 1] == '_';
    if (!is_repeated && name->size < name->max) name->text[name->size++] = c;
  }
  name->text[name->size] = '\0';
}

static void put_word(struct name *name, const char *word) {
  put(name, "_", 1, false);
  put(name, word, strlen(word), false);
}

static bool ends_with(const struct name *name, const char *word) {
  size_t size = strlen(word);
  return name->size > size && name->text[name->size - size - 1] == '_' &&
         memcmp(name->text + name->size - size, word, size) == 0;
}

/* Without "{annotations}". */
static void copy_unit(const char *unit, char out[UNIT_SIZE]) {
  size_t used = 0;
  bool inside = false;
  for (; unit && *unit && used < UNIT_SIZE - 1; unit++) {
    if (*unit == '{') inside = true;
    if (!inside && *unit != ' ') out[used++] = *unit;
    if (*unit == '}') inside = false;
  }
  out[used] = '\0';
}

/* "By" → "bytes", "m/s" → "meters_per_second", "{load}" → "". */
static void unit_words(const struct hoist_instrument *instrument, struct name *out) {
  char unit[UNIT_SIZE];
  copy_unit(instrument->unit, unit);
  char *per = strchr(unit, '/');
  if (per) *per++ = '\0';
  if (strcmp(unit, "1") == 0) {
    if (instrument->kind == HOIST_GAUGE && !per) put(out, "ratio", 5, false);
  } else if (*unit) {
    const char *word = look_up(words, sizeof words / sizeof words[0], unit);
    put(out, word, strlen(word), false);
  }
  if (!per || !*per) return;
  put(out, out->size > 0 ? "_per_" : "per_", out->size > 0 ? 5 : 4, false);
  const char *word = look_up(per_words, sizeof per_words / sizeof per_words[0], per);
  put(out, word, strlen(word), false);
}

void prometheus_metric_name(const struct hoist_instrument *instrument,
                            char out[PROMETHEUS_NAME_SIZE]) {
  static const char total[] = "total";
  char unit_text[2 * UNIT_SIZE];
  struct name unit = {.text = unit_text, .max = sizeof unit_text - 1};
  /* Room is left for the unit, "_total" and a histogram's suffix. */
  struct name name = {.text = out,
                      .max = PROMETHEUS_NAME_SIZE - sizeof unit_text - 2 * sizeof total};
  unit_text[0] = out[0] = '\0';
  put(&name, instrument->name, strlen(instrument->name), true);
  name.max = PROMETHEUS_NAME_SIZE - 1;
  bool is_counter = instrument->kind == HOIST_COUNTER;
  if (is_counter && ends_with(&name, total)) name.size -= sizeof total; /* and its '_' */
  name.text[name.size] = '\0';
  unit_words(instrument, &unit);
  while (unit.size > 0 && unit.text[unit.size - 1] == '_')
    unit.text[--unit.size] = '\0';
  if (unit.size > 0 && !ends_with(&name, unit.text)) put_word(&name, unit.text);
  if (is_counter) put_word(&name, total);
}

void prometheus_label_name(const void *key, size_t key_size, char out[PROMETHEUS_LABEL_SIZE]) {
  struct name name = {.text = out, .max = PROMETHEUS_LABEL_SIZE - 1};
  put(&name, key, key_size, false);
}
