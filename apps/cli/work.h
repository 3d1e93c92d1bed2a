/* SPDX-License-Identifier: Apache-2.0 */
/* A command's hoist object with its telemetry: opened from the configuration, closed in the right
 * order. */
#ifndef HOIST_CLI_WORK_H
#define HOIST_CLI_WORK_H

#include "cli.h"
#include "progress.h"
#include "tracing.h"

struct work {
  struct cli *cli;
  struct tracing *tracing; /* may be NULL */
  struct hoist *hoist;
};

/** Reports its failure itself. Close with work_close whatever came of it. */
HOIST_MUST_CHECK enum hoist_status work_open(struct cli *cli, enum tracing_mode mode,
                                             struct work *ret_work);
/** The same with a configuration at hand. */
HOIST_MUST_CHECK enum hoist_status work_open_configured(struct cli *cli, enum tracing_mode mode,
                                                        struct hoist_config *config,
                                                        struct work *ret_work);
void work_close(struct work *work);
static inline void work_cleanup(struct work *work) {
  work_close(work);
}

/** Waits until the graphs of models loaded so far are saved, and says what came of it. Ctrl-C ends the
 * wait. What cannot be saved is no failure: the next load is as slow as this one. */
void work_settle(const struct work *work);

/** Progress as the options and the terminal ask for it. */
struct progress work_progress(struct cli *cli);

/** The timeout, the switch that Ctrl-C turns, and what came with whoever called: parent and baggage. */
struct hoist_call_options work_call_options(const struct work *work);

#endif
