/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the configured API key may use a model, asked before anything of it is served: out of memory, the
 * cache, or another source. */
#ifndef HOIST_LOADER_ACCESS_H
#define HOIST_LOADER_ACCESS_H

#include "auto.h"
#include "operation.h"

struct access;

/** @param ret_access  NULL where the configuration asks for no such check
 *  Errors: as chain_make_api */
HOIST_MUST_CHECK enum hoist_status access_new(const struct hoist_config *config, struct http *http,
                                              struct access **ret_access, struct hoist_error *err);
void access_free(struct access *access);
HOIST_DEFINE_AUTO(access, struct access, access_free)

/** OK at once where nobody asked for it, and offline, where nobody can be asked; else what the API says, or
 *  said less than the configured time ago, in a span model.access.check.
 *  Errors (in op->error): DENIED · NOT_FOUND · UNAVAILABLE, TIMEOUT, CORRUPT, … it could not be found out */
HOIST_MUST_CHECK enum hoist_status access_check(struct operation *op);

#endif
