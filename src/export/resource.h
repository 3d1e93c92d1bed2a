/* SPDX-License-Identifier: Apache-2.0 */
/* Who is reporting: the OTLP Resource. */
#ifndef HOIST_EXPORT_RESOURCE_H
#define HOIST_EXPORT_RESOURCE_H

#include "buf.h"
#include "err.h"

#define RESOURCE_MAX (256u << 10)

/** Appends the Resource message of this process to `out`, with a new service.instance.id.
 *  @param service_name  wins over the list; NULL: the list's, else "unknown_service:<program>"
 *  @param attributes    as OTEL_RESOURCE_ATTRIBUTES, or NULL. Where it is malformed all of it is left
 *                       out, and `ret_list_error` says why (status OK: it was fine)
 *  Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status resource_encode(const char *service_name, const char *attributes,
                                                   struct buf *out,
                                                   struct hoist_error *ret_list_error,
                                                   struct hoist_error *err);
#endif
