/* SPDX-License-Identifier: Apache-2.0 */
/* Saves graphs in the background: one thread, started when there is something to do, one graph after the
 * other. Thread-safe. */
#ifndef HOIST_LOADER_SAVER_H
#define HOIST_LOADER_SAVER_H

#include "graphs.h"

#define SAVER_MAX_JOBS 64    /* waiting; more are left to later loads */
#define SAVER_MAX_RESULTS 64 /* kept for who asks; the oldest go */

HOIST_MUST_CHECK enum hoist_status saver_new(struct hoist *hoist, struct saver **ret_saver,
                                             struct hoist_error *err);
/** Waits for the graph being saved, drops the rest. NULL is fine. */
void saver_free(struct saver *saver);
/** Takes the job over. */
void saver_submit(struct saver *saver, struct graph_job *job);
/** Puts a result down that came about elsewhere. */
void saver_report(struct saver *saver, const struct graph_result *result);
/** Waits until nothing is left to do. Errors: CANCELLED, TIMEOUT */
HOIST_MUST_CHECK enum hoist_status saver_wait(const struct call *call, struct saver *saver,
                                              struct hoist_error *err);
/** Takes the oldest result out; 0: there is none. */
int saver_take_result(struct saver *saver, struct graph_result *ret_result);

#endif
