/* SPDX-License-Identifier: Apache-2.0 */
/* hoist rm ID…. Main thread. */
#include "human.h"
#include "work.h"

static void print_removed(struct cli *cli, const char *id, uint64_t freed_bytes) {
  char size[HUMAN_SIZE];
  if (cli->options.json) {
    json_open(&cli->json, NULL, '{');
    json_text(&cli->json, "model_id", id);
    json_text(&cli->json, "status", "ok");
    json_uint(&cli->json, "freed_bytes", freed_bytes);
    json_close(&cli->json, '}');
    json_end(&cli->json);
  } else if (!cli->options.quiet) {
    fputs("removed ", cli->out);
    cli_put(cli->out, id);
    fprintf(cli->out, ", %s freed\n", human_bytes(size, freed_bytes));
  }
}

static enum hoist_status remove_one(const struct work *work, const char *id) {
  struct hoist_call_options options = work_call_options(work);
  struct hoist_error error;
  uint64_t freed_bytes = 0;
  enum hoist_status status = hoist_remove(work->hoist, id, &options, &freed_bytes, &error);
  fflush(work->cli->out);
  if (status != HOIST_OK)
    cli_report(work->cli, NULL, id, &error);
  else
    print_removed(work->cli, id, freed_bytes);
  return status;
}

enum hoist_status cmd_rm(struct cli *cli) {
  HOIST_AUTO(work) struct work work = {0};
  enum hoist_status result = work_open(cli, TRACING_EXPORT, &work);
  if (result != HOIST_OK) return result;
  for (size_t i = 0; i < cli->arg_count; i++) {
    enum hoist_status status = remove_one(&work, cli->args[i]);
    result = cli_worse(result, status);
    if (status == HOIST_CANCELLED) return status;
  }
  return result;
}
