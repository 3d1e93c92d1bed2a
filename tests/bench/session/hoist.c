/* SPDX-License-Identifier: Apache-2.0 */
/* What a program does that loads through libhoist, configured by the environment.
 *   bench_session load ID [hold]   prints {"ms": …, "session_ms": … with the runtime's start, "own_ms": the rest of
 *                                  the call, "graph": …, memory}
 *   bench_session pull ID          {"ms": …, memory}: the download, or the look-up, alone
 *   bench_session save ID          loads, and waits until the graph is saved */
#include <hoist/hoist.h>
#include <stdio.h>
#include <string.h>

#include "bench_memory.h"

static double session_began_ms, session_ended_ms;

static void note(void *user, const struct hoist_progress *event) {
  if (event->kind == HOIST_PROGRESS_SESSION) session_began_ms = bench_now_ms();
  if (event->kind == HOIST_PROGRESS_DONE) session_ended_ms = bench_now_ms();
}

static int fail(const struct hoist_error *err) {
  fprintf(stderr, "%s\n", err->message);
  return 1;
}

static int load(struct hoist *hoist, const char *id, int hold, int save, double started,
                struct hoist_error *err) {
  const struct hoist_call_options options = {.progress = note};
  struct hoist_model *model = NULL;
  double called = bench_now_ms();
  if (hoist_load(hoist, id, &options, &model, err) != HOIST_OK) return fail(err);
  double ended = bench_now_ms(), session = session_ended_ms - session_began_ms;
  printf("{\"ms\": %.3f, \"session_ms\": %.3f, \"own_ms\": %.3f, \"graph\": \"%s\", ",
         ended - started, session, ended - called - session, hoist_model_info(model)->graph_cache);
  bench_print_memory();
  if (save && hoist_settle(hoist, NULL, NULL, NULL, err) != HOIST_OK) return fail(err);
  return bench_hold(hold);
}

int main(int argc, char **argv) {
  struct hoist_config config;
  struct hoist *hoist = NULL;
  struct hoist_error err;
  if (argc < 3) return 2;
  double started = bench_now_ms();
  hoist_config_init(&config);
  if (hoist_config_from_env(&config, NULL, &err) != HOIST_OK) return fail(&err);
  if (hoist_open(&config, &hoist, &err) != HOIST_OK) return fail(&err);
  if (strcmp(argv[1], "pull") != 0)
    return load(hoist, argv[2], argc > 3, strcmp(argv[1], "save") == 0, started, &err);
  if (hoist_pull(hoist, argv[2], NULL, NULL, &err) != HOIST_OK) return fail(&err);
  printf("{\"ms\": %.3f, ", bench_now_ms() - started);
  bench_print_memory();
  hoist_close(hoist);
  return 0;
}
