/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of collectors. */
#ifndef HOIST_EXPORT_ENDPOINT_H
#define HOIST_EXPORT_ENDPOINT_H

#include <stdint.h>

#include "err.h"

/** Checks an http or https URL with a host.
 *  @param ret_shown  malloc'd: what may be shown of it, without user, password and query; NULL: not
 *                    wanted
 *  Errors: INVALID (the message does not repeat the URL) · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status endpoint_check(const char *url, char **ret_shown,
                                                  struct hoist_error *err);

/** The host of a URL (malloc'd) and its port, which the scheme implies where it is not said.
 *  Errors: as endpoint_check */
HOIST_MUST_CHECK enum hoist_status endpoint_server(const char *url, char **ret_host,
                                                   uint16_t *ret_port, struct hoist_error *err);

/** `base` with `path` ("v1/traces") appended to its path. malloc'd. Errors: as endpoint_check */
HOIST_MUST_CHECK enum hoist_status endpoint_join(const char *base, const char *path, char **ret_url,
                                                 struct hoist_error *err);
/** `url` with `path` ("/service/method") for its own path and query. malloc'd. Errors: as
 *  endpoint_check */
HOIST_MUST_CHECK enum hoist_status endpoint_set_path(const char *url, const char *path,
                                                     char **ret_url, struct hoist_error *err);
#endif
