/* SPDX-License-Identifier: Apache-2.0 */
/* What load and pull have in common: models, each with progress and a result. */
#ifndef HOIST_CLI_TRANSFER_H
#define HOIST_CLI_TRANSFER_H

#include "cli.h"

/** One model brought in. */
struct transfer_ops {
  bool waterfall; /* whether it is drawn unless told otherwise */
  bool overlaps;  /* the next model is begun while one is still under way */
  bool settles;   /* graphs are saved before the command ends */
  /** @param ret_held  on OK: what `info` belongs to, for `release` */
  enum hoist_status (*bring)(struct hoist *hoist, const char *model_id,
                             const struct hoist_call_options *options, void **ret_held,
                             struct hoist_error *err);
  const struct hoist_info *(*info)(void *held);
  void (*release)(void *held);
};

/** Tries every model the command names, and reports each failure, in their order. Returns the first one. */
HOIST_MUST_CHECK enum hoist_status transfer_run(struct cli *cli, const struct transfer_ops *ops);

#endif
