/* SPDX-License-Identifier: Apache-2.0 */
/* Brings models in, one after the other, and says how it went. Main thread; progress events come
 * from the threads of the running call. */
#include "transfer.h"

#include <string.h>
#include <unistd.h>

#include "breakdown.h"
#include "clock.h"
#include "human.h"
#include "info_text.h"
#include "progress.h"
#include "trace_text.h"
#include "waterfall.h"
#include "work.h"

struct transfer {
  struct cli *cli;
  const struct transfer_ops *ops;
  const struct work *work;
  struct progress progress;
  bool draws;
};

static bool draws_waterfall(const struct cli *cli, const struct transfer_ops *ops) {
  if (!cli_talks(cli)) return false;
  return cli->options.waterfall == CHOICE_DEFAULT ? ops->waterfall
                                                  : cli->options.waterfall == CHOICE_YES;
}

static enum progress_mode progress_mode(const struct cli *cli) {
  if (cli->options.quiet) return PROGRESS_SILENT;
  if (cli->options.json) return PROGRESS_JSON;
  return cli->err_term.tty ? PROGRESS_BARS : PROGRESS_PLAIN;
}

/* ---- results --------------------------------------------------------------------------------- */

static void print_result_json(struct transfer *t, const struct hoist_info *info,
                              const struct trace_set *spans) {
  struct json *j = &t->cli->json;
  json_open(j, NULL, '{');
  json_text(j, "event", "result");
  json_text(j, "model_id", info->model_id);
  json_text(j, "status", "ok");
  json_bool(j, "cache_hit", info->cache_hit != 0);
  json_uint(j, "downloaded_bytes", info->downloaded_bytes);
  json_number(j, "load_time_s", info->load_time_s);
  info_json_members(t->cli, info);
  if (spans) trace_json_phases(j, spans);
  json_close(j, '}');
  json_end(j);
}

static void print_result_line(struct cli *cli, const struct hoist_info *info) {
  char bytes[HUMAN_SIZE], duration[HUMAN_SIZE];
  bool loaded = info->onnxruntime_version != NULL;
  cli_put(cli->out, info->model_id);
  fprintf(cli->out, ": %s ", loaded ? "loaded" : "ready");
  if (info->cache_hit) {
    fputs("from the cache", cli->out);
  } else {
    fputs("from ", cli->out);
    cli_put(cli->out, info->source ? info->source : "its source");
    fprintf(cli->out, " (%s)", human_bytes(bytes, info->downloaded_bytes));
  }
  fprintf(cli->out, " in %s\n",
          human_duration(duration, (uint64_t)(info->load_time_s * 1e9), cli->out_term.unicode));
}

static void print_result(struct transfer *t, const struct hoist_info *info,
                         const struct trace_set *spans) {
  if (t->cli->options.json)
    print_result_json(t, info, spans);
  else if (cli_talks(t->cli) && !(t->draws && spans))
    print_result_line(t->cli, info);
}

/* A waterfall is an extra: without the memory for it, the load was still what it was. */
static void draw(struct transfer *t, const struct trace_set *spans, bool first) {
  if (!t->draws || !spans) return;
  if (!first) fputc('\n', t->cli->out);
  enum hoist_status ignored = waterfall_draw_all(t->cli->out, &t->cli->out_term, spans, NULL);
  (void)ignored;
}

static enum hoist_status bring_one(struct transfer *t, const char *model_id, bool first) {
  struct hoist_call_options options = work_call_options(t->work);
  struct hoist_error error;
  void *held = NULL;
  options.progress = progress_event;
  options.progress_user = &t->progress;
  enum hoist_status status = t->ops->bring(t->work->hoist, model_id, &options, &held, &error);
  progress_end(&t->progress);
  const struct trace_set *spans = tracing_spans(t->work->tracing);
  draw(t, spans, first);
  fflush(t->cli->out); /* so that the two streams appear in the order things happened */
  if (status != HOIST_OK) {
    cli_report(t->cli, "result", model_id, &error);
    return status;
  }
  print_result(t, t->ops->info(held), spans);
  t->ops->release(held);
  return HOIST_OK;
}

enum hoist_status transfer_run(struct cli *cli, const struct transfer_ops *ops) {
  HOIST_AUTO(work) struct work work = {0};
  struct transfer t = {.cli = cli, .ops = ops, .work = &work, .draws = draws_waterfall(cli, ops)};
  bool capture = t.draws || cli->options.json;
  enum hoist_status result = work_open(cli, capture ? TRACING_CAPTURE : TRACING_EXPORT, &work);
  if (result != HOIST_OK) return result;
  t.progress = (struct progress){.mode = progress_mode(cli),
                                 .out = cli->err,
                                 .term = cli->err_term,
                                 .json = &cli->json,
                                 .now_ns = clock_monotonic_ns};
  for (size_t i = 0; i < cli->arg_count; i++) {
    enum hoist_status status = bring_one(&t, cli->args[i], i == 0);
    result = cli_worse(result, status);
    if (status == HOIST_CANCELLED) return status;
  }
  return result;
}
