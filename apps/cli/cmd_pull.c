/* SPDX-License-Identifier: Apache-2.0 */
/* hoist pull ID…: artifacts only. hoist pull PLACE DIRECTORY: the files of a place. */
#include <string.h>

#include "copying.h"
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

/* No model id has a "://"; "dir:" is how sources name a directory. */
static bool is_place(const char *word) {
  return strstr(word, "://") != NULL || text_starts_with(word, "dir:");
}

static enum hoist_status check_words(const struct cli *cli, size_t places,
                                     struct hoist_error *err) {
  const struct options *o = &cli->options;
  if (places == 0 && o->for_copies)
    return hoist_fail(err, HOIST_INVALID,
                      "pull: %s chooses among the files of a place: 'hoist pull s3://BUCKET/PREFIX "
                      "DIRECTORY'",
                      o->for_copies);
  if (places > 0 && (cli->arg_count != 2 || !is_place(cli->args[0]) || is_place(cli->args[1])))
    return hoist_fail(
        err, HOIST_INVALID,
        "pull: a place is copied into a directory, one at a time: usage is 'hoist pull "
        "PLACE DIRECTORY'; models are brought into the cache with 'hoist pull ID'");
  return HOIST_OK;
}

static enum hoist_status copy(struct cli *cli) {
  HOIST_AUTO(work) struct work work = {0};
  struct hoist_config config;
  const struct options *o = &cli->options;
  enum hoist_status status = cli_configure(cli, &config);
  if (status == HOIST_OK) status = copying_open(cli, &config, cli->args[1], &work);
  if (status != HOIST_OK) return status;
  if (o->rule_count > 0 && o->rules[0].include)
    cli_warn(cli, "an --include that no --exclude comes before chooses nothing that was not "
                  "chosen: to copy only "
                  "some files, begin with --exclude '*'");
  const struct hoist_copy_options options = {.rules = o->rules, .rule_count = o->rule_count};
  return copying_run(&work, cli->args[0], cli->args[1], &options, NULL);
}

enum hoist_status cmd_pull(struct cli *cli) {
  static const struct transfer_ops ops = {
      .waterfall = false, .bring = bring, .info = info, .release = release};
  struct hoist_error error;
  size_t places = 0;
  for (size_t i = 0; i < cli->arg_count; i++)
    places += is_place(cli->args[i]);
  enum hoist_status status = check_words(cli, places, &error);
  if (status != HOIST_OK) {
    cli_report(cli, NULL, NULL, &error);
    return status;
  }
  return places > 0 ? copy(cli) : transfer_run(cli, &ops);
}
