/* SPDX-License-Identifier: Apache-2.0 */
/* hoist gc: what was removed, line by line as it goes, then the sum. Main thread. */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "human.h"
#include "work.h"

static void print_item_json(struct cli *cli, const struct hoist_gc_item *item) {
  struct json *j = &cli->json;
  json_open(j, NULL, '{');
  json_text(j, "event", cli->options.dry_run ? "would_remove" : "removed");
  if (item->model_id) json_text(j, "model_id", item->model_id);
  json_text(j, "path", item->path);
  json_text(j, "reason", item->reason);
  json_uint(j, "size_bytes", item->size_bytes);
  if (item->model_id) json_uint(j, "used_unix_s", item->used_unix_s);
  json_close(j, '}');
  json_end(j);
}

static const char *words_of(const char *reason) {
  static const struct {
    const char *reason, *words;
  } table[] = {
      {"staging", "left by a download that was killed"},
      {"saving", "left by the saving of a graph that was killed"},
      {"removal", "left by a removal that was killed"},
      {"graph", "saved for a model that is gone"},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (strcmp(reason, table[i].reason) == 0) return table[i].words;
  return reason;
}

/* Lock files are counted at the end only: they take no room, and nobody knows their names. */
static void print_item(void *user, const struct hoist_gc_item *item) {
  struct cli *cli = user;
  char size[HUMAN_SIZE], age[HUMAN_SIZE];
  if (cli->options.json) {
    print_item_json(cli, item);
    return;
  }
  if (cli->options.quiet || strcmp(item->reason, "lock") == 0) return;
  uint64_t now_unix_s = clock_realtime_ns() / NS_PER_S;
  fputs(cli->options.dry_run ? "would remove " : "removed ", cli->out);
  cli_put(cli->out, item->model_id ? item->model_id : item->path);
  fprintf(cli->out, ", %s", human_bytes(size, item->size_bytes));
  if (item->model_id)
    fprintf(cli->out, ", used %s\n",
            human_age(age, now_unix_s > item->used_unix_s ? now_unix_s - item->used_unix_s : 0));
  else
    fprintf(cli->out, ", %s\n", words_of(item->reason));
}

static void print_result_json(struct cli *cli, const struct hoist_gc_result *r) {
  struct json *j = &cli->json;
  json_open(j, NULL, '{');
  json_text(j, "event", "result");
  json_text(j, "status", "ok");
  json_bool(j, "dry_run", cli->options.dry_run);
  json_uint(j, "removed_models", r->removed_models);
  json_uint(j, "removed_leftovers", r->removed_leftovers);
  json_uint(j, "removed_locks", r->removed_locks);
  json_uint(j, "freed_bytes", r->freed_bytes);
  json_uint(j, "busy_models", r->busy_models);
  json_uint(j, "models", r->models);
  json_uint(j, "models_bytes", r->models_bytes);
  json_close(j, '}');
  json_end(j);
}

static void print_result(struct cli *cli, const struct hoist_gc_result *r) {
  char freed[HUMAN_SIZE], left[HUMAN_SIZE];
  if (cli->options.json) {
    print_result_json(cli, r);
    return;
  }
  if (cli->options.quiet) return;
  fprintf(cli->out, "%s%s freed; %zu model%s, %s in the cache\n",
          cli->options.dry_run ? "would be " : "", human_bytes(freed, r->freed_bytes), r->models,
          r->models == 1 ? "" : "s", human_bytes(left, r->models_bytes));
}

static void warn_if_busy(struct cli *cli, const struct hoist_gc_result *r) {
  char text[160];
  if (r->busy_models == 0) return;
  snprintf(text, sizeof text, "%zu model%s stayed although the limits ask for %s: in use just now",
           r->busy_models, r->busy_models == 1 ? "" : "s", r->busy_models == 1 ? "it" : "them");
  fflush(cli->out);
  cli_warn(cli, text);
}

enum hoist_status cmd_gc(struct cli *cli) {
  HOIST_AUTO(work) struct work work = {0};
  enum hoist_status status = work_open(cli, TRACING_EXPORT, &work);
  if (status != HOIST_OK) return status;
  const struct options *o = &cli->options;
  const struct hoist_gc_options gc = {.limit_size = o->limit_size,
                                      .max_bytes = o->max_bytes,
                                      .limit_age = o->limit_age,
                                      .max_age_s = o->max_age_s,
                                      .dry_run = o->dry_run,
                                      .removed = print_item,
                                      .user = cli};
  const struct hoist_call_options options = work_call_options(&work);
  struct hoist_gc_result result;
  struct hoist_error error;
  status = hoist_gc(work.hoist, &gc, &options, &result, &error);
  if (status != HOIST_OK) {
    fflush(cli->out);
    cli_report(cli, NULL, NULL, &error);
    return status;
  }
  print_result(cli, &result);
  warn_if_busy(cli, &result);
  return HOIST_OK;
}
