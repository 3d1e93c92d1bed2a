/* SPDX-License-Identifier: Apache-2.0 */
/* A stream whose contents a test can look at. */
#ifndef HOIST_TESTS_CLI_CAPTURE_H
#define HOIST_TESTS_CLI_CAPTURE_H

#include <stdio.h>

struct capture {
  FILE *stream;
  char *text; /* valid after capture_end */
  size_t size;
};

void capture_begin(struct capture *c);
/** Closes the stream; the text is freed by capture_free. */
const char *capture_end(struct capture *c);
void capture_free(struct capture *c);

#endif
