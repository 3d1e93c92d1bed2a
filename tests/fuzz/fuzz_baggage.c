/* SPDX-License-Identifier: Apache-2.0 */
/* The first line is a baggage header, the next ones a name, a value and properties to set. What comes out
 * is within the limits, UTF-8, and reads the same again. */
#include <hoist/propagation.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition) {
  if (!condition) abort();
}

static void check(const struct hoist_baggage *baggage) {
  static char text[HOIST_BAGGAGE_SIZE], again[HOIST_BAGGAGE_SIZE];
  struct hoist_baggage *copy = NULL;
  hoist_baggage_format(baggage, text);
  require(strlen(text) < HOIST_BAGGAGE_SIZE);
  for (const char *p = text; *p; p++)
    require((*p >= ' ' && *p <= '~') || *p == '\t');
  if (hoist_baggage_parse(text, &copy, NULL) != HOIST_OK) abort();
  hoist_baggage_format(copy, again);
  require(strcmp(text, again) == 0);
  size_t count = 0;
  for (const char *name; (name = hoist_baggage_name(baggage, count)) != NULL; count++) {
    const char *properties, *same_properties;
    const char *value = hoist_baggage_get(baggage, name, &properties);
    const char *same = hoist_baggage_get(copy, name, &same_properties);
    require(value && utf8_valid(value, strlen(value)));
    require(same && strcmp(value, same) == 0 && strcmp(properties, same_properties) == 0);
  }
  require(count <= HOIST_BAGGAGE_MEMBERS_MAX);
  require(!hoist_baggage_name(copy, count));
  hoist_baggage_free(copy);
}

static void change(struct hoist_baggage *baggage, const char *name, const char *value,
                   const char *properties) {
  if (hoist_baggage_set(baggage, name, value, properties, NULL) != HOIST_OK) return;
  check(baggage);
  const char *found = hoist_baggage_get(baggage, name, NULL);
  require(found && strcmp(found, value) == 0);
  if (hoist_baggage_set(baggage, name, NULL, NULL, NULL) != HOIST_OK) abort();
  require(!hoist_baggage_get(baggage, name, NULL));
  check(baggage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct hoist_baggage *baggage = NULL;
  char *text = malloc(size + 1);
  if (!text) return 0;
  memcpy(text, data, size);
  text[size] = '\0';
  char *rest = text;
  const char *header = strsep(&rest, "\n"), *name = strsep(&rest, "\n"),
             *value = strsep(&rest, "\n"), *properties = strsep(&rest, "\n");
  if (hoist_baggage_parse(header, &baggage, NULL) == HOIST_OK) {
    check(baggage);
    if (name && value) change(baggage, name, value, properties);
  }
  hoist_baggage_free(baggage);
  free(text);
  return 0;
}
