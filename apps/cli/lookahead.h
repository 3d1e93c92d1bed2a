/* SPDX-License-Identifier: Apache-2.0 */
/* Working through a list with a few threads, and taking the results in its order. */
#ifndef HOIST_CLI_LOOKAHEAD_H
#define HOIST_CLI_LOOKAHEAD_H

#include <stdbool.h>
#include <stddef.h>

struct lookahead;

/** Starts on the first of `count` items. As many as there are threads are begun and not yet taken at a time, so
 *  results do not pile up.
 *  @param work  does one item; from one of the threads
 *  @param ret_lookahead  NULL where no thread can be had: the caller does the work itself */
void lookahead_start(size_t count, unsigned threads, void (*work)(void *user, size_t item),
                     void *user, struct lookahead **ret_lookahead);
/** Waits until the item is done. To be called for each item in turn; the next one is begun when this one
 *  was taken, which the following call says. */
void lookahead_wait(struct lookahead *lookahead, size_t item);
/** Begins nothing more, and waits for what is under way: items below the result are done. NULL is fine. */
size_t lookahead_stop(struct lookahead *lookahead);

#endif
