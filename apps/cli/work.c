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

/* Closing waits for what the runtime is at, and for a slow disk. Who stopped the command does not: the cache is as
 * after a kill then, which it is made for. */
#define CLOSE_MS 10

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

static bool is_over_soon(struct closing *c) {
  uint64_t until_ns = clock_monotonic_ns() + CLOSE_MS * NS_PER_MS;
  pthread_mutex_lock(&c->lock);
  while (!c->is_over && condition_wait_until(&c->ended, &c->lock, until_ns)) {
  }
  bool is_over = c->is_over;
  pthread_mutex_unlock(&c->lock);
  return is_over;
}

/* False: it goes on, and `c` must stay. */
static bool close_soon(struct closing *c) {
  pthread_t thread;
  pthread_mutex_init(&c->lock, NULL);
  condition_init(&c->ended);
  if (pthread_create(&thread, NULL, close_in_thread, c) != 0)
    hoist_close(c->hoist);
  else if (is_over_soon(c))
    pthread_join(thread, NULL);
  else
    return false;
  pthread_cond_destroy(&c->ended);
  pthread_mutex_destroy(&c->lock);
  return true;
}

static bool close_hoist(struct work *work) {
  struct closing *c = work->hoist && signals_stopped() ? calloc(1, sizeof *c) : NULL;
  if (!c) {
    hoist_close(work->hoist);
    return true;
  }
  c->hoist = work->hoist;
  if (!close_soon(c)) return false;
  free(c);
  return true;
}

void work_close(struct work *work) {
  if (close_hoist(work)) {
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

static void print_graph(void *user, const struct hoist_graph_report *r) {
  struct cli *cli = user;
  char weights[HUMAN_SIZE], graph[HUMAN_SIZE], bytes[HUMAN_SIZE];
  if (cli->options.json) {
    print_graph_json(cli, r);
    return;
  }
  if (cli->options.quiet) return;
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
  struct hoist_call_options options = work_call_options(work);
  options.timeout_ms = 0; /* the timeout is for each model's load */
  fflush(work->cli->out);
  enum hoist_status ignored = hoist_settle(work->hoist, &options, print_graph, work->cli, NULL);
  (void)ignored; /* called off: then there is no graph */
}
