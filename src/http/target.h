/* SPDX-License-Identifier: Apache-2.0 */
/* Where a request goes: scheme, host and port of a URL, and the step to the next URL of a redirect.
 */
#ifndef HOIST_HTTP_TARGET_H
#define HOIST_HTTP_TARGET_H

#include <stdbool.h>

#include "http.h"

#define TARGET_HOST_SIZE 256

struct target {
  char *url; /* as it is sent, secrets included */
  bool tls;
  char host[TARGET_HOST_SIZE]; /* no brackets around an IPv6 address */
  unsigned port;
  char authority[TARGET_HOST_SIZE + 8]; /* "host:port", for people */
};

/** Errors: INVALID not a URL, not http or https, too long · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status target_parse(const char *url, struct target *ret_target,
                                                struct hoist_error *err);
void target_done(struct target *target);
static inline void target_cleanup(struct target *target) {
  target_done(target);
}

bool target_same_origin(const struct target *a, const struct target *b);

/** Moves `target` to where `location` (absolute or relative, `size` bytes) points from there.
 *  Errors: CORRUPT not a URL, not http or https, credentials in it, or from https to http ·
 * NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status target_redirect(struct target *target, const char *location,
                                                   size_t size, struct hoist_error *err);

#endif
