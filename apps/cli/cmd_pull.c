/* SPDX-License-Identifier: Apache-2.0 */
/* hoist pull ID…: artifacts only. */
#include "err.h"
#include "text.h"
#include "transfer.h"

static enum hoist_status bring(struct hoist *hoist, const char *model_id,
                               const struct hoist_call_options *options, void **ret_held,
                               struct hoist_error *err) {
  struct hoist_info *info = NULL;
  enum hoist_status status = hoist_pull(hoist, model_id, options, &info, err);
  if (status == HOIST_OK) *ret_held = info;
  return status;
}

static const struct hoist_info *info(void *held) {
  return held;
}

static void release(void *held) {
  hoist_info_free(held);
}

enum hoist_status cmd_pull(struct cli *cli) {
  static const struct transfer_ops ops = {
      .waterfall = false, .bring = bring, .info = info, .release = release};
  for (size_t i = 0; i < cli->arg_count; i++) {
    struct hoist_error error;
    if (!text_starts_with(cli->args[i], "s3://")) continue;
    enum hoist_status status =
        hoist_fail(&error, HOIST_INVALID,
                   "%.200s is a place, not a model id: name the place with --sources and the model "
                   "as in 'hoist pull ID'",
                   cli->args[i]);
    cli_report(cli, NULL, NULL, &error);
    return status;
  }
  return transfer_run(cli, &ops);
}
