/* SPDX-License-Identifier: Apache-2.0 */
/* Values that may be longer than a line. */
#ifndef HOIST_CLI_PARAGRAPH_H
#define HOIST_CLI_PARAGRAPH_H

#include "cli.h"

/** Prints what `put` prints to cli->out (clean text without colours), the label's column already behind it: on a
 *  terminal broken between words, so that every line begins at `column`; elsewhere, for the sake of grep, in one. */
void paragraph_print(struct cli *cli, size_t column, void (*put)(struct cli *cli, const void *what),
                     const void *what);

#endif
