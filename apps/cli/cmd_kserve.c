/* SPDX-License-Identifier: Apache-2.0 */
/* hoist kserve SRC_URI [DEST_PATH [SRC_URI DEST_PATH]…]: the contract of KServe's storage initializer. Main
 * thread. */
#include <string.h>

#include "copying.h"
#include "err.h"
#include "kserve.h"

struct pair {
  const char *uri, *directory;
};

static struct pair pair_at(const struct cli *cli, size_t i) {
  const char *directory =
      2 * i + 1 < cli->arg_count ? cli->args[2 * i + 1] : KSERVE_DEFAULT_DIRECTORY;
  return (struct pair){.uri = cli->args[2 * i], .directory = directory};
}

static enum hoist_status bring(const struct work *work, const struct kserve *kserve,
                               const struct pair *pair) {
  HOIST_AUTO(mem) char *place = NULL;
  struct hoist_error error;
  enum kserve_uri kind;
  enum hoist_status status = kserve_place(pair->uri, &kind, &place, &error);
  if (status != HOIST_OK) {
    cli_report(work->cli, "result", pair->uri, &error);
    return status;
  }
  if (kind == KSERVE_NOTHING) return HOIST_OK;
  const struct hoist_copy_options rules = kserve_rules(kserve);
  return copying_run(work, place, pair->directory, &rules, NULL);
}

static enum hoist_status bring_all(struct cli *cli, struct hoist_config *config,
                                   const struct kserve *kserve) {
  HOIST_AUTO(work) struct work work = {0};
  const struct pair first = pair_at(cli, 0);
  enum hoist_status status = copying_open(cli, config, first.directory, &work);
  for (size_t i = 0; 2 * i < cli->arg_count && status == HOIST_OK; i++) {
    const struct pair pair = pair_at(cli, i);
    status = bring(&work, kserve, &pair);
  }
  return status;
}

static enum hoist_status check(const struct cli *cli, struct hoist_error *err) {
  if (cli->arg_count == 1 || cli->arg_count % 2 == 0) return HOIST_OK;
  return hoist_fail(err, HOIST_INVALID,
                    "kserve: %zu arguments: give a storage URI and its directory, in pairs",
                    cli->arg_count);
}

enum hoist_status cmd_kserve(struct cli *cli) {
  HOIST_AUTO(kserve) struct kserve *kserve = NULL;
  struct hoist_config config;
  struct hoist_error error;
  enum hoist_status status = check(cli, &error);
  if (status != HOIST_OK) {
    cli_report(cli, NULL, NULL, &error);
    return status;
  }
  status = cli_configure(cli, &config);
  if (status != HOIST_OK) return status;
  status = kserve_read(cli->get_env, &config, &kserve, &error);
  if (status != HOIST_OK) {
    cli_report(cli, NULL, NULL, &error);
    return status;
  }
  return bring_all(cli, &config, kserve);
}
