/* SPDX-License-Identifier: Apache-2.0 */
/* Brings models in and says how it went, in the order they were named. Main thread; models may be brought in
 * by others, whose progress events come from still other threads, so all that is printed meanwhile has one
 * lock. */
#include "transfer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "breakdown.h"
#include "clock.h"
#include "err.h"
#include "human.h"
#include "info_text.h"
#include "lookahead.h"
#include "progress.h"
#include "repeat.h"
#include "text.h"
#include "trace_text.h"
#include "waterfall.h"
#include "work.h"

#define THREADS 2 /* one model is fetched while another is opened */

struct transfer;

struct task {
  struct transfer *transfer;
  const char *model_id;
  struct progress progress;
  bool is_shown; /* its bars are the ones on the screen */
  /* What came of it: */
  void *held;
  enum hoist_status status;
  struct hoist_error error;
};

struct transfer {
  struct cli *cli;
  const struct transfer_ops *ops;
  const struct work *work;
  struct task *tasks;
  bool draws;
  pthread_mutex_t lock; /* of what is printed */
};

static bool draws_waterfall(const struct cli *cli, const struct transfer_ops *ops) {
  if (!cli_talks(cli) || cli->options.repeat > 0) return false;
  return cli->options.waterfall == CHOICE_DEFAULT ? ops->waterfall
                                                  : cli->options.waterfall == CHOICE_YES;
}

/* ---- results --------------------------------------------------------------------------------- */

static void print_result_json(struct transfer *t, const char *asked_for,
                              const struct hoist_info *info, const struct trace_set *spans) {
  struct json *j = &t->cli->json;
  json_open(j, NULL, '{');
  json_text(j, "event", "result");
  json_text(j, "model_id", info->model_id);
  if (!text_equal(asked_for, info->model_id)) json_text(j, "alias", asked_for);
  json_text(j, "status", "ok");
  json_bool(j, "cache_hit", info->cache_hit != 0);
  json_uint(j, "downloaded_bytes", info->downloaded_bytes);
  json_uint(j, "resumed_bytes", info->resumed_bytes);
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
    fprintf(cli->out, " (%s", human_bytes(bytes, info->downloaded_bytes));
    if (info->resumed_bytes > 0)
      fprintf(cli->out, ", and %s of an interrupted download",
              human_bytes(bytes, info->resumed_bytes));
    fputc(')', cli->out);
  }
  fprintf(cli->out, " in %s\n",
          human_duration(duration, (uint64_t)(info->load_time_s * 1e9), cli->out_term.unicode));
}

static void print_result(struct transfer *t, const char *asked_for, const struct hoist_info *info,
                         const struct trace_set *spans) {
  if (t->cli->options.json)
    print_result_json(t, asked_for, info, spans);
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

/* ---- one model ------------------------------------------------------------------------------- */

/* Bars are drawn for one model at a time: the next whose result is waited for. */
static void on_progress(void *user, const struct hoist_progress *event) {
  struct task *task = user;
  struct transfer *t = task->transfer;
  pthread_mutex_lock(&t->lock);
  if (task->progress.mode != PROGRESS_BARS || task->is_shown)
    progress_event(&task->progress, event);
  pthread_mutex_unlock(&t->lock);
}

static void bring(void *user, size_t item) {
  struct transfer *t = user;
  struct task *task = &t->tasks[item];
  struct hoist_call_options options = work_call_options(t->work);
  options.progress = on_progress;
  options.progress_user = task;
  task->status = t->ops->bring(t->work->hoist, task->model_id, &options, &task->held, &task->error);
}

static void show(struct transfer *t, struct task *task) {
  pthread_mutex_lock(&t->lock);
  task->is_shown = true;
  pthread_mutex_unlock(&t->lock);
}

static enum hoist_status tell(struct transfer *t, struct task *task, bool first) {
  const struct trace_set *spans = tracing_spans(t->work->tracing, task->model_id);
  pthread_mutex_lock(&t->lock);
  progress_end(&task->progress);
  draw(t, spans, first);
  fflush(t->cli->out); /* so that the two streams appear in the order things happened */
  if (task->status == HOIST_OK)
    print_result(t, task->model_id, t->ops->info(task->held), spans);
  else
    cli_report(t->cli, "result", task->model_id, &task->error);
  pthread_mutex_unlock(&t->lock);
  if (task->status == HOIST_OK) t->ops->release(task->held);
  task->held = NULL;
  return task->status;
}

/* ---- again and again ------------------------------------------------------------------------- */

static enum hoist_status repeat_one(struct transfer *t, struct task *task) {
  __attribute__((cleanup(repeat_cleanup))) struct repeat stats = {0};
  show(t, task);
  for (uint32_t i = 0; i < t->cli->options.repeat; i++) {
    bring(t, (size_t)(task - t->tasks));
    const struct trace_set *spans = tracing_spans(t->work->tracing, task->model_id);
    progress_end(&task->progress);
    if (task->status != HOIST_OK) {
      cli_report(t->cli, "result", task->model_id, &task->error);
      return task->status;
    }
    t->ops->release(task->held);
    task->held = NULL;
    if (spans) repeat_add(&stats, spans);
    if (i == 0 && t->ops->settles) work_settle(t->work); /* or it would disturb the next ones */
  }
  repeat_print(t->cli, task->model_id, &stats);
  return HOIST_OK;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static enum hoist_status take_all(struct transfer *t, struct lookahead *lookahead,
                                  size_t *ret_taken) {
  enum hoist_status result = HOIST_OK;
  for (size_t i = 0; i < t->cli->arg_count; i++) {
    show(t, &t->tasks[i]);
    if (lookahead)
      lookahead_wait(lookahead, i);
    else
      bring(t, i);
    enum hoist_status status = tell(t, &t->tasks[i], i == 0);
    *ret_taken = i + 1;
    result = cli_worse(result, status);
    if (status == HOIST_CANCELLED) return status;
  }
  return result;
}

static enum hoist_status bring_all(struct transfer *t) {
  size_t count = t->cli->arg_count, taken = 0;
  struct lookahead *lookahead = NULL;
  if (t->ops->overlaps && count > 1) lookahead_start(count, THREADS, bring, t, &lookahead);
  enum hoist_status status = take_all(t, lookahead, &taken);
  size_t begun = lookahead_stop(lookahead);
  for (size_t i = taken; i < begun; i++)
    if (t->tasks[i].held) t->ops->release(t->tasks[i].held);
  return status;
}

static enum hoist_status repeat_all(struct transfer *t) {
  enum hoist_status result = HOIST_OK;
  for (size_t i = 0; i < t->cli->arg_count; i++) {
    enum hoist_status status = repeat_one(t, &t->tasks[i]);
    result = cli_worse(result, status);
    if (status == HOIST_CANCELLED) break;
  }
  return result;
}

static enum hoist_status make_tasks(struct transfer *t) {
  struct cli *cli = t->cli;
  struct hoist_error error;
  t->tasks = calloc(cli->arg_count, sizeof *t->tasks);
  if (!t->tasks) {
    enum hoist_status status = hoist_fail_memory(&error, "the list of models");
    cli_report(cli, NULL, NULL, &error);
    return status;
  }
  for (size_t i = 0; i < cli->arg_count; i++)
    t->tasks[i] =
        (struct task){.transfer = t, .model_id = cli->args[i], .progress = work_progress(cli)};
  return HOIST_OK;
}

enum hoist_status transfer_run(struct cli *cli, const struct transfer_ops *ops) {
  HOIST_AUTO(work) struct work work = {0};
  struct transfer t = {.cli = cli, .ops = ops, .work = &work, .draws = draws_waterfall(cli, ops)};
  bool capture = t.draws || cli->options.json || cli->options.repeat > 0;
  enum hoist_status result = work_open(cli, capture ? TRACING_CAPTURE : TRACING_EXPORT, &work);
  if (result == HOIST_OK) result = make_tasks(&t);
  if (result != HOIST_OK) return result;
  pthread_mutex_init(&t.lock, NULL);
  result = cli->options.repeat > 0 ? repeat_all(&t) : bring_all(&t);
  if (ops->settles && result != HOIST_CANCELLED) work_settle(&work);
  pthread_mutex_destroy(&t.lock);
  free(t.tasks);
  return result;
}
