/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of request headers for a receiver, "name=value,name=value". */
#ifndef HOIST_EXPORT_HEADER_H
#define HOIST_EXPORT_HEADER_H

#include "keyvalue.h"
#include "secrets.h"

#define HEADERS_MAX SECRETS_MAX

/** keyvalue_each for headers: names are checked before `visit` gets them.
 *  Errors: as keyvalue_each · INVALID a name with a character that names cannot have, one that belongs to
 *          the protocol (Content-Type, grpc-timeout, …), more than HEADERS_MAX */
HOIST_MUST_CHECK enum hoist_status header_each(const char *text,
                                               enum hoist_status (*visit)(void *user,
                                                                          const char *name,
                                                                          const char *value,
                                                                          struct hoist_error *err),
                                               void *user, struct hoist_error *err);
#endif
