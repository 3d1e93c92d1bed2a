/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and unloads a model many times in one process, as a server does, while its telemetry is exported
 * in the background as the environment says: load_models MODEL-ID LOADS. Prints the time of each load
 * and what became of the spans, as one line of JSON. */
#include <hoist/hoist.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LOADS_MAX = 1000, CLOSE_MS = 1000 };

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int load(struct hoist *hoist, const char *id, int loads, double *seconds,
                struct hoist_error *err) {
  for (int i = 0; i < loads; i++) {
    struct hoist_model *model;
    if (hoist_load(hoist, id, NULL, &model, err) != HOIST_OK) return 0;
    seconds[i] = hoist_model_info(model)->load_time_s;
    hoist_model_unref(model);
  }
  return 1;
}

static void print(const double *seconds, int loads, const struct hoist_telemetry_status *s,
                  double close_s) {
  fputs("{\"seconds\":[", stdout);
  for (int i = 0; i < loads; i++)
    printf("%s%.6f", i ? "," : "", seconds[i]);
  printf("],\"ended\":%" PRIu64 ",\"exported\":%" PRIu64 ",\"dropped\":%" PRIu64
         ",\"exportsFailed\":%" PRIu64 ",\"closeSeconds\":%.3f}\n",
         s->spans_ended, s->spans_exported, s->spans_dropped, s->exports_failed, close_s);
}

int main(int argc, char **argv) {
  static double seconds[LOADS_MAX];
  struct hoist_error err = {.message = "usage: load_models MODEL-ID LOADS"};
  struct hoist_telemetry_config telemetry_config;
  struct hoist_telemetry_status status = {0};
  struct hoist_telemetry *telemetry = NULL;
  struct hoist_config config;
  struct hoist *hoist = NULL;
  int loads = argc == 3 ? (int)strtol(argv[2], NULL, 10) : 0;
  hoist_config_init(&config);
  hoist_telemetry_config_init(&telemetry_config);
  int ok = loads > 0 && loads <= LOADS_MAX;
  ok = ok && hoist_config_from_env(&config, NULL, &err) == HOIST_OK;
  if (ok && hoist_telemetry_config_from_env(&telemetry_config, NULL))
    ok = hoist_telemetry_open(&telemetry_config, &telemetry, &err) == HOIST_OK;
  config.telemetry = telemetry;
  ok = ok && hoist_open(&config, &hoist, &err) == HOIST_OK &&
       load(hoist, argv[1], loads, seconds, &err);
  if (!ok) fprintf(stderr, "load_models: %s\n", err.message);
  hoist_close(hoist);
  if (telemetry) hoist_telemetry_get_status(telemetry, &status);
  double before = now_s();
  hoist_telemetry_close(telemetry, CLOSE_MS);
  if (ok) print(seconds, loads, &status, now_s() - before);
  hoist_telemetry_config_done(&telemetry_config);
  return !ok;
}
