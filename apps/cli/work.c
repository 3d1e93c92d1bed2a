/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing what nearly every command needs. Main thread. */
#include "work.h"

#include <pthread.h>
#include <stdlib.h>

#include "condition.h"
#include "human.h"
#include "signals.h"

enum hoist_status work_open(struct cli *cli, enum tracing_mode mode, struct work *ret_work) {
  struct hoist_config config;
  *ret_work = (struct work){.cli = cli};
  enum hoist_status status = cli_configure(cli, &config);
  return status == HOIST_OK ? work_open_configured(cli, mode, &config, ret_work) : status;
}

enum hoist_status work_open_configured(struct cli *cli, enum tracing_mode mode,
                                       struct hoist_config *config, struct work *ret_work) {
  struct hoist_error error;
  *ret_work = (struct work){.cli = cli};
  tracing_open(cli, mode, &ret_work->tracing);
  config->telemetry = tracing_telemetry(ret_work->tracing);
  enum hoist_status status = hoist_open(config, &ret_work->hoist, &error);
  if (status != HOIST_OK) cli_report(cli, NULL, NULL, &error);
  return status;
}

/* ---- closing --------------------------------------------------------------------------------- */

/* Closing waits for what the runtime is at, and for a slow disk. Whoever stopped the command does not, nor who gave it
 * so much time and no more: the cache is as after a kill then, which it is made for. */
#define CLOSE_MS 10
#define LOOK_MS 10

struct closing {
  struct hoist *hoist;
  pthread_mutex_t lock;
  pthread_cond_t ended;
  bool is_over; /* under the lock */
};

static void *close_in_thread(void *user) {
  struct closing *c = user;
  hoist_close(c->hoist);
  pthread_mutex_lock(&c->lock);
  c->is_over = true;
  pthread_cond_signal(&c->ended);
  pthread_mutex_unlock(&c->lock);
  return NULL;
}

/* @param has_limit  the command had so much time and no more */
static bool await_close(struct closing *c, bool has_limit) {
  uint64_t until_ns = 0;
  pthread_mutex_lock(&c->lock);
  while (!c->is_over) {
    uint64_t now = clock_monotonic_ns();
    if (until_ns == 0 && (has_limit || signals_stopped())) until_ns = now + CLOSE_MS * NS_PER_MS;
    if (until_ns != 0 && now >= until_ns) break;
    condition_wait_ns(&c->ended, &c->lock, LOOK_MS * NS_PER_MS);
  }
  bool is_over = c->is_over;
  pthread_mutex_unlock(&c->lock);
  return is_over;
}

static void closing_free(struct closing *c) {
  pthread_cond_destroy(&c->ended);
  pthread_mutex_destroy(&c->lock);
  free(c);
}

/* False: it goes on, and what it is about must stay. */
static bool close_hoist(struct hoist *hoist, bool has_limit) {
  pthread_t thread;
  struct closing *c = hoist ? calloc(1, sizeof *c) : NULL;
  if (!c) {
    hoist_close(hoist);
    return true;
  }
  c->hoist = hoist;
  pthread_mutex_init(&c->lock, NULL);
  condition_init(&c->ended);
  if (pthread_create(&thread, NULL, close_in_thread, c) != 0)
    hoist_close(hoist);
  else if (await_close(c, has_limit))
    pthread_join(thread, NULL);
  else
    return false;
  closing_free(c);
  return true;
}

void work_close(struct work *work) {
  bool has_limit = work->cli && work->cli->options.timeout_ms > 0;
  if (close_hoist(work->hoist, has_limit)) {
    tracing_close(work->tracing);
  } else {
    tracing_leave(work->tracing);
    work->cli->is_left = true;
  }
  *work = (struct work){0};
}

/* ---- for the commands ------------------------------------------------------------------------ */

static enum progress_mode progress_mode(const struct cli *cli) {
  if (cli->options.quiet) return PROGRESS_SILENT;
  if (cli->options.json) return PROGRESS_JSON;
  return cli->err_term.tty ? PROGRESS_BARS : PROGRESS_PLAIN;
}

struct progress work_progress(struct cli *cli) {
  return (struct progress){.mode = progress_mode(cli),
                           .out = cli->err,
                           .term = cli->err_term,
                           .json = &cli->json,
                           .now_ns = clock_monotonic_ns};
}

struct hoist_call_options work_call_options(const struct work *work) {
  return (struct hoist_call_options){.timeout_ms = work->cli->options.timeout_ms,
                                     .cancel = signals_cancel(),
                                     .remote_parent = tracing_parent(work->tracing),
                                     .baggage = tracing_baggage(work->tracing)};
}

static void print_graph_json(struct cli *cli, const struct hoist_graph_report *r) {
  struct json *j = &cli->json;
  json_open(j, NULL, '{');
  json_text(j, "event", "graph");
  json_text(j, "model_id", r->model_id);
  json_text(j, "status", hoist_status_name(r->status));
  json_text(j, "message", r->message);
  json_number(j, "weights_s", r->weights_s);
  json_number(j, "graph_s", r->graph_s);
  json_uint(j, "bytes", r->bytes);
  json_close(j, '}');
  json_end(j);
}

#define ERASE_LINE "\r\033[K"

/* While nothing else is shown, a terminal that stands still looks hung. */
static bool shows_settling(const struct cli *cli) {
  return cli_talks(cli) && cli->err_term.tty;
}

static void print_graph(void *user, const struct hoist_graph_report *r) {
  struct cli *cli = user;
  char weights[HUMAN_SIZE], graph[HUMAN_SIZE], bytes[HUMAN_SIZE];
  if (cli->options.json) {
    print_graph_json(cli, r);
    return;
  }
  if (cli->options.quiet) return;
  if (shows_settling(cli)) fputs(ERASE_LINE, cli->err);
  cli_put(cli->err, r->model_id);
  if (r->status != HOIST_OK) {
    fputs(": no graph saved: ", cli->err);
    cli_put(cli->err, r->message);
    fputc('\n', cli->err);
    return;
  }
  bool unicode = cli->err_term.unicode;
  fprintf(cli->err, ": graph saved for later loads (%s): a session takes %s instead of %s\n",
          human_bytes(bytes, r->bytes),
          human_duration(graph, (uint64_t)(r->graph_s * 1e9), unicode),
          human_duration(weights, (uint64_t)(r->weights_s * 1e9), unicode));
}

void work_settle(const struct work *work) {
  struct cli *cli = work->cli;
  struct hoist_call_options options = work_call_options(work);
  options.timeout_ms = 0; /* the timeout is for each model's load */
  fflush(cli->out);
  if (shows_settling(cli)) fputs("saving graphs for later loads; Ctrl-C leaves them out", cli->err);
  enum hoist_status status = hoist_settle(work->hoist, &options, print_graph, cli, NULL);
  if (shows_settling(cli)) fputs(ERASE_LINE, cli->err);
  if (cli_talks(cli) && status == HOIST_CANCELLED) fputs("no graph saved: called off\n", cli->err);
}
