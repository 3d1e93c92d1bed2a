/* SPDX-License-Identifier: Apache-2.0 */
/* Running this command again, in a process of its own. */
#ifndef HOIST_CLI_AGAIN_H
#define HOIST_CLI_AGAIN_H

#include "buf.h"
#include "cli.h"

#define AGAIN_MAX_OUTPUT (16u << 20)

struct again {
  struct buf out; /* its standard output */
  int exit_code;  /* 128 and more: killed by a signal */
  uint64_t wall_ns;
  uint64_t peak_bytes; /* of resident memory */
};
static inline void again_cleanup(struct again *a) {
  buf_done(&a->out);
}

/** For struct cli.run_again: starts the program that this process is, and waits for its end. Standard error is
 *  shared.
 *  Errors: by errno · CORRUPT it said more than AGAIN_MAX_OUTPUT */
HOIST_MUST_CHECK enum hoist_status again_run(struct cli *cli, char *const *argv,
                                             struct again *ret_again, struct hoist_error *err);

#endif
