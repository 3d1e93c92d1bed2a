/* SPDX-License-Identifier: Apache-2.0 */
/* hoist info ID. */
#include "clock.h"
#include "info_text.h"
#include "why.h"
#include "work.h"

enum hoist_status cmd_info(struct cli *cli) {
  HOIST_AUTO(work) struct work work = {0};
  struct hoist_error error;
  enum hoist_status status = work_open(cli, TRACING_EXPORT, &work);
  if (status != HOIST_OK) return status;
  struct hoist_call_options options = work_call_options(&work);
  if (cli->options.why) return why_run(cli, work.hoist, &options);
  struct hoist_info *info = NULL;
  status = hoist_inspect(work.hoist, cli->args[0], &options, &info, &error);
  if (status != HOIST_OK) {
    cli_report(cli, NULL, cli->args[0], &error);
    return status;
  }
  if (cli->options.json) {
    json_open(&cli->json, NULL, '{');
    json_text(&cli->json, "model_id", info->model_id);
    info_json_members(cli, info);
    json_close(&cli->json, '}');
    json_end(&cli->json);
  } else if (!cli->options.quiet) {
    info_print(cli, info, clock_realtime_ns() / NS_PER_S);
  }
  hoist_info_free(info);
  return HOIST_OK;
}
