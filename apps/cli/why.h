/* SPDX-License-Identifier: Apache-2.0 */
/* `hoist info --why`. */
#ifndef HOIST_CLI_WHY_H
#define HOIST_CLI_WHY_H

#include "cli.h"

/** Prints what the sources weigh about the model of the command line; reports a failure. */
enum hoist_status why_run(struct cli *cli, struct hoist *hoist,
                          const struct hoist_call_options *options);

#endif
