/* SPDX-License-Identifier: Apache-2.0 */
/* "key=value,key=value" with percent-encoding, as OTEL_RESOURCE_ATTRIBUTES and OTEL_EXPORTER_OTLP_HEADERS
 * have it. */
#ifndef HOIST_EXPORT_KEYVALUE_H
#define HOIST_EXPORT_KEYVALUE_H

#include "err.h"

#define KEYVALUE_TEXT_MAX (64u << 10)

/** Calls `visit` for each pair, both decoded and trimmed, valid for the length of the call. Empty
 *  entries are skipped. Errors name neither key nor value, which may be secret.
 *  Errors: INVALID no '=', an empty key, a bad escape, a control byte, text too long · NO_MEMORY ·
 *          whatever visit returns */
HOIST_MUST_CHECK enum hoist_status keyvalue_each(
    const char *text,
    enum hoist_status (*visit)(void *user, const char *key, const char *value,
                               struct hoist_error *err),
    void *user, struct hoist_error *err);
#endif
