/* SPDX-License-Identifier: Apache-2.0 */
/* hoist load ID…: every model is opened, described, and released again. A process that has done that ends, and
 * with it would the saving of graphs in the background; so the command waits for it, after all results. */
#include "transfer.h"

static enum hoist_status bring(struct hoist *hoist, const char *model_id,
                               const struct hoist_call_options *options, void **ret_held,
                               struct hoist_error *err) {
  struct hoist_model *model = NULL;
  enum hoist_status status = hoist_load(hoist, model_id, options, &model, err);
  if (status == HOIST_OK) *ret_held = model;
  return status;
}

static const struct hoist_info *info(void *held) {
  return hoist_model_info(held);
}

static void release(void *held) {
  hoist_model_unref(held);
}

enum hoist_status cmd_load(struct cli *cli) {
  static const struct transfer_ops ops = {.waterfall = true,
                                          .overlaps = true,
                                          .settles = true,
                                          .bring = bring,
                                          .info = info,
                                          .release = release};
  return transfer_run(cli, &ops);
}
