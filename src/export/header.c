/* SPDX-License-Identifier: Apache-2.0 */
/* Which headers a configuration may add to requests. Opening and reading the environment ask the same
 * function, so that what the one takes the other does not refuse. Pure; any thread. */
#include "header.h"

#include <string.h>
#include <strings.h>

struct headers {
  enum hoist_status (*visit)(void *user, const char *name, const char *value,
                             struct hoist_error *err);
  void *user;
  int count;
};

/* What these say is what the request is: a second one, or another value, would break it. */
static const char *const own[] = {"accept-encoding",
                                  "connection",
                                  "content-encoding",
                                  "content-length",
                                  "content-type",
                                  "expect",
                                  "host",
                                  "keep-alive",
                                  "proxy-connection",
                                  "te",
                                  "trailer",
                                  "transfer-encoding",
                                  "upgrade"};

static enum hoist_status check_name(const char *name, struct hoist_error *err) {
  if (strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(name))
    return hoist_fail(err, HOIST_INVALID, "a header's name has a character that names cannot have");
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
    if (strcasecmp(name, own[i]) == 0)
      return hoist_fail(err, HOIST_INVALID, "the header %s is the protocol's own", own[i]);
  if (strncasecmp(name, "grpc-", 5) == 0)
    return hoist_fail(err, HOIST_INVALID, "headers that begin with grpc- are the protocol's own");
  return HOIST_OK;
}

static enum hoist_status check(void *user, const char *name, const char *value,
                               struct hoist_error *err) {
  struct headers *headers = user;
  enum hoist_status status = check_name(name, err);
  if (status != HOIST_OK) return status;
  if (++headers->count > HEADERS_MAX)
    return hoist_fail(err, HOIST_INVALID, "more than %d headers", HEADERS_MAX);
  return headers->visit(headers->user, name, value, err);
}

enum hoist_status header_each(const char *text,
                              enum hoist_status (*visit)(void *user, const char *name,
                                                         const char *value,
                                                         struct hoist_error *err),
                              void *user, struct hoist_error *err) {
  struct headers headers = {.visit = visit, .user = user};
  return keyvalue_each(text, check, &headers, err);
}
