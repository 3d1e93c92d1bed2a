/* SPDX-License-Identifier: Apache-2.0 */
/* Ctrl-C and SIGTERM: the first one calls the running operation off, the second one kills. */
#ifndef HOIST_CLI_SIGNALS_H
#define HOIST_CLI_SIGNALS_H

#include <hoist/hoist.h>
#include <stdbool.h>

/** Installs the handlers, and has writes to closed pipes fail instead of kill: a collector that
 * goes away must not end a load. */
void signals_install(void);

/** The switch that the first signal turns. Static. */
const struct hoist_cancel *signals_cancel(void);

/** Whether there was one. */
bool signals_stopped(void);

/** Whether it was Ctrl-C: somebody sits there and waits for the prompt. */
bool signals_interrupted(void);

/** While `fd` is not -1, a killing signal shows the cursor on that terminal again first. */
void signals_guard_cursor(int fd);

/** Ends the process as the default action of SIGPIPE would: the reader of our output is gone. */
void signals_die_of_broken_pipe(void);

#endif
