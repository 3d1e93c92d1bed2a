/* SPDX-License-Identifier: Apache-2.0 */
/* Entry point of the command. */
#include "cli.h"
#include "signals.h"

int main(int argc, char **argv) {
  signals_install();
  return cli_run(argc, argv, stdout, stderr, NULL);
}
