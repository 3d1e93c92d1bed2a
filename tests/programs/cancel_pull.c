/* SPDX-License-Identifier: Apache-2.0 */
/* Pulls a model, configured by the environment, and calls that off once a line comes on standard input:
 * cancel_pull MODEL-ID. Prints the status that the call returned, and after how long, as one line of JSON. */
#include <hoist/hoist.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

struct pull {
  struct hoist *hoist;
  const char *id;
  struct hoist_cancel cancel;
  enum hoist_status status;
  double ended_s;
};

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *run(void *user) {
  struct pull *pull = user;
  const struct hoist_call_options options = {.cancel = &pull->cancel};
  pull->status = hoist_pull(pull->hoist, pull->id, &options, NULL, NULL);
  pull->ended_s = now_s();
  return NULL;
}

int main(int argc, char **argv) {
  struct hoist_error err = {.message = "usage: cancel_pull MODEL-ID"};
  struct hoist_config config;
  struct pull pull = {.id = argv[argc - 1]};
  pthread_t thread;
  hoist_config_init(&config);
  if (argc != 2 || hoist_config_from_env(&config, NULL, &err) != HOIST_OK ||
      hoist_open(&config, &pull.hoist, &err) != HOIST_OK ||
      pthread_create(&thread, NULL, run, &pull) != 0) {
    fprintf(stderr, "cancel_pull: %s\n", err.message);
    return 1;
  }
  (void)getchar();
  double cancelled_s = now_s();
  hoist_cancel(&pull.cancel);
  pthread_join(thread, NULL);
  printf("{\"status\":\"%s\",\"ms\":%.1f}\n", hoist_status_name(pull.status),
         (pull.ended_s - cancelled_s) * 1000);
  hoist_close(pull.hoist);
  return 0;
}
