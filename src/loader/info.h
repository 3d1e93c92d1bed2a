/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the public description of a cached model. */
#ifndef HOIST_LOADER_INFO_H
#define HOIST_LOADER_INFO_H

#include <hoist/hoist.h>

#include "auto.h"
#include "cache.h"
#include "graphs.h"
#include "session.h"

/** Reads and parses the entry's metadata files. On OK: release with hoist_info_free.
 *  Errors: CORRUPT a metadata file is malformed, or missing although the task needs it, or there is no
 *          one weights file · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status info_new(const struct cache_entry *entry,
                                            struct hoist_info **ret_info, struct hoist_error *err);

/** Adds what the session knows: versions, inputs, outputs, and what it runs on. */
HOIST_MUST_CHECK enum hoist_status info_add_session(struct hoist_info *info, const struct ort *ort,
                                                    const struct session *session,
                                                    const struct graph_look *look,
                                                    uint64_t graph_bytes, struct hoist_error *err);

HOIST_DEFINE_AUTO(hoist_info, struct hoist_info, hoist_info_free)

#endif
