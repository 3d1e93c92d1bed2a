/* SPDX-License-Identifier: Apache-2.0 */
/* Pulls or loads a model, configured by the environment, and calls that off once a line comes on standard input:
 * cancel_call pull|load MODEL-ID. Says "session" on standard output when a session is being created; then prints the
 * status that the call returned, and after how many milliseconds, as one line of JSON. */
#include <hoist/hoist.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct work {
  struct hoist *hoist;
  const char *what, *id;
  struct hoist_cancel cancel;
  enum hoist_status status;
  double ended_s;
};

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tell(void *user, const struct hoist_progress *event) {
  if (event->kind != HOIST_PROGRESS_SESSION) return;
  puts("session");
  fflush(stdout);
}

static enum hoist_status load(struct work *work, const struct hoist_call_options *options) {
  struct hoist_model *model = NULL;
  enum hoist_status status = hoist_load(work->hoist, work->id, options, &model, NULL);
  hoist_model_unref(model);
  return status;
}

static void *run(void *user) {
  struct work *work = user;
  const struct hoist_call_options options = {.cancel = &work->cancel, .progress = tell};
  work->status = strcmp(work->what, "pull") == 0
                     ? hoist_pull(work->hoist, work->id, &options, NULL, NULL)
                     : load(work, &options);
  work->ended_s = now_s();
  return NULL;
}

int main(int argc, char **argv) {
  struct hoist_error err = {.message = "usage: cancel_call pull|load MODEL-ID"};
  struct hoist_config config;
  struct work work = {0};
  pthread_t thread;
  hoist_config_init(&config);
  if (argc == 3) work = (struct work){.what = argv[1], .id = argv[2]};
  if (argc != 3 || hoist_config_from_env(&config, NULL, &err) != HOIST_OK ||
      hoist_open(&config, &work.hoist, &err) != HOIST_OK ||
      pthread_create(&thread, NULL, run, &work) != 0) {
    fprintf(stderr, "cancel_call: %s\n", err.message);
    return 1;
  }
  (void)getchar();
  double cancelled_s = now_s();
  hoist_cancel(&work.cancel);
  pthread_join(thread, NULL);
  printf("{\"status\":\"%s\",\"ms\":%.1f}\n", hoist_status_name(work.status),
         (work.ended_s - cancelled_s) * 1000);
  hoist_close(work.hoist);
  return 0;
}
