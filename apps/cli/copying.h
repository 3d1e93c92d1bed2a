/* SPDX-License-Identifier: Apache-2.0 */
/* What pulling from a place and the storage initializer have in common: copies into directories, with progress
 * and results. */
#ifndef HOIST_CLI_COPYING_H
#define HOIST_CLI_COPYING_H

#include "cli.h"
#include "work.h"

/** Makes ready for copies into `directory`, which stands in for the cache: it has to be writable anyway, and a
 *  copy needs no other. Reports its failure itself; close with work_close whatever came of it.
 *  @param config  changed */
HOIST_MUST_CHECK enum hoist_status copying_open(struct cli *cli, struct hoist_config *config,
                                                const char *directory, struct work *ret_work);

/** One copy; shows how it gets on, and tells what came of it, failure too.
 *  @param ret_result  may be NULL */
HOIST_MUST_CHECK enum hoist_status copying_run(const struct work *work, const char *place,
                                               const char *directory,
                                               const struct hoist_copy_options *options,
                                               struct hoist_copy_result *ret_result);

#endif
