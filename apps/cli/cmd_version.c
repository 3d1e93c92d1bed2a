/* SPDX-License-Identifier: Apache-2.0 */
/* hoist version. */

#include "cli.h"
#include "versions.h"

enum hoist_status cmd_version(struct cli *cli) {
  if (cli->options.json) {
    json_open(&cli->json, NULL, '{');
    versions_json(cli);
    json_close(&cli->json, '}');
    json_end(&cli->json);
    return HOIST_OK;
  }
  fprintf(cli->out, "hoist %s\n", hoist_version());
  if (!cli->options.quiet)
    fprintf(cli->out, "libcurl %s\n%s\n", versions_curl(), versions_openssl());
  return HOIST_OK;
}
