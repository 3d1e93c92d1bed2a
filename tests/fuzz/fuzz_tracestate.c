/* SPDX-License-Identifier: Apache-2.0 */
/* Each line is a tracestate header. Whatever they are: what is taken from them is within the limits, reads
 * the same again, and stays well-formed when members are set and removed. */
#include <hoist/propagation.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 64, MEMBERS_MAX = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition) {
  if (!condition) abort();
}

/* A tracestate as it may leave. */
static void check(const char *text) {
  char again[HOIST_TRACESTATE_SIZE];
  size_t members = *text ? 1 : 0;
  require(strlen(text) < HOIST_TRACESTATE_SIZE);
  for (const char *p = text; *p; p++) {
    require(*p >= ' ' && *p <= '~');
    members += *p == ',';
  }
  require(members <= MEMBERS_MAX);
  require(hoist_tracestate_parse(&text, 1, again) == HOIST_OK);
  require(strcmp(text, again) == 0);
}

static void change(const char *state, const char *key, const char *value) {
  char text[HOIST_TRACESTATE_SIZE], found[HOIST_TRACESTATE_SIZE];
  memcpy(text, state, sizeof text);
  if (hoist_tracestate_set(text, key, value) != HOIST_OK) {
    require(strcmp(text, state) == 0);
    return;
  }
  check(text);
  require(strncmp(text, key, strlen(key)) == 0);
  require(hoist_tracestate_get(text, key, found, sizeof found) == strlen(value));
  require(strcmp(found, value) == 0);
  require(hoist_tracestate_set(text, key, NULL) == HOIST_OK);
  check(text);
  require(hoist_tracestate_get(text, key, found, sizeof found) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *lines[LINES_MAX];
  size_t count = 0;
  char state[HOIST_TRACESTATE_SIZE] = {0};
  char *text = malloc(size + 1);
  if (!text) return 0;
  memcpy(text, data, size);
  text[size] = '\0';
  for (char *line, *rest = text; count < LINES_MAX && (line = strsep(&rest, "\n")) != NULL;)
    lines[count++] = line;
  if (hoist_tracestate_parse(lines, count, state) != HOIST_OK) require(!*state);
  check(state);
  change(state, "hoist", "1");
  change(state, lines[0], lines[count - 1]);
  free(text);
  return 0;
}
