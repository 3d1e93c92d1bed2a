/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing what nearly every command needs. Main thread. */
#include "work.h"

#include "signals.h"

enum hoist_status work_open(struct cli *cli, enum tracing_mode mode, struct work *ret_work) {
  struct hoist_config config;
  struct hoist_error error;
  *ret_work = (struct work){.cli = cli};
  enum hoist_status status = cli_configure(cli, &config);
  if (status != HOIST_OK) return status;
  tracing_open(cli, mode, &ret_work->tracing);
  config.telemetry = tracing_telemetry(ret_work->tracing);
  status = hoist_open(&config, &ret_work->hoist, &error);
  if (status != HOIST_OK) cli_report(cli, NULL, NULL, &error);
  return status;
}

void work_close(struct work *work) {
  hoist_close(work->hoist);
  tracing_close(work->tracing);
  *work = (struct work){0};
}

struct hoist_call_options work_call_options(const struct work *work) {
  return (struct hoist_call_options){.timeout_ms = work->cli->options.timeout_ms,
                                     .cancel = signals_cancel(),
                                     .remote_parent = tracing_parent(work->tracing),
                                     .baggage = tracing_baggage(work->tracing)};
}
