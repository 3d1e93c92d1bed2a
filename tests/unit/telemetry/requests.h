/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of a request that came and of one that goes, for tests of propagation. */
#ifndef HOIST_TESTS_REQUESTS_H
#define HOIST_TESTS_REQUESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>
#include <hoist/propagation.h>

enum { HEADERS_MAX = 6, SENT_MAX = 4 };

struct header {
  const char *name, *value;
};

struct sent {
  size_t count;
  struct {
    char name[32], value[HOIST_TRACESTATE_SIZE];
  } headers[SENT_MAX];
};

/* `user` is a list of headers that ends at HEADERS_MAX or a NULL name. */
static inline const char *get_header(void *user, const char *name, size_t index) {
  const struct header *headers = user;
  for (size_t i = 0; i < HEADERS_MAX && headers[i].name; i++)
    if (strcasecmp(headers[i].name, name) == 0 && index-- == 0) return headers[i].value;
  return NULL;
}

static inline void extract(const struct header *headers, struct hoist_remote_context *ret_remote) {
  memset(ret_remote, 0x5a, sizeof *ret_remote);
  hoist_context_extract(get_header, (void *)(uintptr_t)headers, ret_remote);
}

static inline void set_header(void *user, const char *name, const char *value) {
  struct sent *sent = user;
  assert_true(sent->count < SENT_MAX);
  assert_true(strlen(name) < sizeof sent->headers[0].name);
  assert_true(strlen(value) < sizeof sent->headers[0].value);
  memcpy(sent->headers[sent->count].name, name, strlen(name) + 1);
  memcpy(sent->headers[sent->count++].value, value, strlen(value) + 1);
}

/* The value that was sent under that very name; NULL: none. Fails where it was sent twice. */
static inline const char *sent_value(const struct sent *sent, const char *name) {
  const char *value = NULL;
  for (size_t i = 0; i < sent->count; i++)
    if (strcmp(sent->headers[i].name, name) == 0) {
      assert_null(value);
      value = sent->headers[i].value;
    }
  return value;
}

#endif
