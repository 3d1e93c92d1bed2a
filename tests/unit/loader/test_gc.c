/* SPDX-License-Identifier: Apache-2.0 */
/* The cache's bound as loads keep it, and hoist_gc: with a made-up source and a real cache. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "fake_source.h"
#include "fake_tracer.h"
#include "fs.h"
#include "hoist_internal.h"

struct world {
  char root[64];
  struct fake_tracer *tracer;
  struct hoist *hoist;
  struct hoist_config config;
  struct hoist_error err;
  char warning[512];
  char notice[HOIST_ERROR_MESSAGE_SIZE];
};

static int set_up(void **state) {
  struct world *w = calloc(1, sizeof *w);
  strcpy(w->root, "/tmp/hoist-gc-XXXXXX");
  assert_non_null(mkdtemp(w->root));
  w->tracer = fake_tracer_new();
  hoist_config_init(&w->config);
  w->config.cache_dir = w->root;
  w->config.telemetry = w->tracer->telemetry;
  assert_int_equal(hoist_open(&w->config, &w->hoist, &w->err), HOIST_OK);
  struct fake_source *source = fake_source_new("s3");
  fake_source_add(source, "weights.onnx", "0123456789");
  w->hoist->chain.sources[w->hoist->chain.count++] = &source->base;
  *state = w;
  return 0;
}

static int tear_down(void **state) {
  struct world *w = *state;
  hoist_close(w->hoist);
  fake_tracer_check(w->tracer, NULL);
  fake_tracer_free(w->tracer);
  assert_int_equal(fs_remove_tree(AT_FDCWD, w->root, NULL), HOIST_OK);
  free(w);
  return 0;
}

static void keep_warning(void *user, const struct hoist_progress *event) {
  struct world *w = user;
  if (event->kind == HOIST_PROGRESS_NOTICE)
    snprintf(w->notice, sizeof w->notice, "%s", event->message);
  if (event->kind == HOIST_PROGRESS_WARNING)
    snprintf(w->warning, sizeof w->warning, "%s", event->message);
}

/* Pulls the model and returns its size. */
static uint64_t pull(struct world *w, const char *id) {
  const struct hoist_call_options options = {.progress = keep_warning, .progress_user = w};
  struct hoist_info *info = NULL;
  enum hoist_status status = hoist_pull(w->hoist, id, &options, &info, &w->err);
  if (status != HOIST_OK) fail_msg("%s", w->err.message);
  uint64_t bytes = info->total_bytes;
  hoist_info_free(info);
  return bytes;
}

static int has(const struct world *w, const char *id) {
  return hoist_verify(w->hoist, id, NULL, NULL, NULL) == HOIST_OK;
}

static void set_unused_for(const struct world *w, const char *id, int64_t seconds) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s/.hoist-manifest.json", w->root, id);
  const struct timespec then = {.tv_sec = time(NULL) - (time_t)seconds};
  const struct timespec times[] = {then, then};
  assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void test_a_download_makes_the_least_recently_used_model_go(void **state) {
  struct world *w = *state;
  uint64_t size = pull(w, "a/1");
  pull(w, "b/1");
  set_unused_for(w, "a/1", 1000);
  set_unused_for(w, "b/1", 2000);
  pull(w, "b/1"); /* a hit: now a/1 is the one that was not used for longest */
  w->hoist->cache_max_bytes = 2 * size;
  pull(w, "c/1");
  assert_false(has(w, "a/1"));
  assert_true(has(w, "b/1"));
  assert_true(has(w, "c/1"));
  assert_string_equal(w->warning, "");
  assert_non_null(strstr(w->notice, "removed a/1 ("));
  assert_non_null(strstr(w->notice, ") from the cache to make room"));
  assert_int_equal((int)fake_metric_sum(w->tracer, "hoist.cache.evictions", "reason=size"), 1);
  const struct fake_span *span = fake_span(w->tracer, "model.gc", 0);
  assert_string_equal(w->tracer->spans[span->parent].name, "model.pull");
  assert_string_equal(fake_attr(span, "model.gc.removed_models"), "1");
}

static void test_a_bound_that_cannot_be_kept_is_a_warning(void **state) {
  struct world *w = *state;
  w->hoist->cache_max_bytes = 5;
  pull(w, "a/1");
  assert_true(has(w, "a/1"));
  assert_non_null(strstr(w->warning, "although its bound is 5 B: what is left is in use or new"));
}

static void test_looking_at_a_model_is_no_use(void **state) {
  struct world *w = *state;
  pull(w, "a/1");
  set_unused_for(w, "a/1", 1000);
  assert_true(has(w, "a/1"));
  const struct hoist_gc_options gc = {.limit_age = 1, .max_age_s = 900};
  struct hoist_gc_result result;
  assert_int_equal(hoist_gc(w->hoist, &gc, NULL, &result, &w->err), HOIST_OK);
  assert_int_equal(result.removed_models, 1);
}

struct told {
  char text[256];
};

static void note(void *user, const struct hoist_gc_item *item) {
  struct told *told = user;
  size_t used = strlen(told->text);
  snprintf(told->text + used, sizeof told->text - used, "%s:%s|",
           item->model_id ? item->model_id : "", item->reason);
}

static void test_a_clean_up_on_request(void **state) {
  struct world *w = *state;
  uint64_t size = pull(w, "a/1");
  pull(w, "b/1");
  set_unused_for(w, "a/1", 1000);
  struct told told = {.text = ""};
  struct hoist_gc_options gc = {
      .limit_size = 1, .max_bytes = size, .dry_run = 1, .removed = note, .user = &told};
  struct hoist_gc_result result;
  assert_int_equal(hoist_gc(w->hoist, &gc, NULL, &result, &w->err), HOIST_OK);
  assert_int_equal((int)fake_metric_sum(w->tracer, "hoist.cache.evictions", ""), 0);
  assert_true(has(w, "a/1"));
  gc.dry_run = 0;
  assert_int_equal(hoist_gc(w->hoist, &gc, NULL, &result, &w->err), HOIST_OK);
  assert_string_equal(told.text, "a/1:size|a/1:size|");
  assert_int_equal(result.removed_models, 1);
  assert_int_equal(result.freed_bytes, size);
  assert_int_equal(result.models, 1);
  assert_int_equal(result.models_bytes, size);
  assert_false(has(w, "a/1"));
  const struct fake_span *span = fake_span(w->tracer, "model.gc", 1);
  assert_int_equal(span->parent, -1);
  assert_null(fake_attr(span, "model.id"));
  assert_int_equal((int)fake_metric_sum(w->tracer, "hoist.cache.evictions", "reason=size"), 1);
}

static void test_without_options_the_configured_bound_applies(void **state) {
  struct world *w = *state;
  pull(w, "a/1");
  assert_int_equal(hoist_gc(w->hoist, NULL, NULL, NULL, &w->err), HOIST_OK);
  assert_true(has(w, "a/1"));
  w->hoist->cache_max_bytes = 1;
  assert_int_equal(hoist_gc(w->hoist, NULL, NULL, NULL, &w->err), HOIST_OK);
  assert_false(has(w, "a/1"));
}

static void test_a_clean_up_can_be_called_off(void **state) {
  struct world *w = *state;
  struct hoist_cancel cancel = {0};
  const struct hoist_call_options options = {.cancel = &cancel};
  const struct hoist_gc_options gc = {.limit_size = 1};
  pull(w, "a/1");
  hoist_cancel(&cancel);
  assert_int_equal(hoist_gc(w->hoist, &gc, &options, NULL, &w->err), HOIST_CANCELLED);
  assert_true(has(w, "a/1"));
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      T(test_a_download_makes_the_least_recently_used_model_go),
      T(test_a_bound_that_cannot_be_kept_is_a_warning),
      T(test_looking_at_a_model_is_no_use),
      T(test_a_clean_up_on_request),
      T(test_without_options_the_configured_bound_applies),
      T(test_a_clean_up_can_be_called_off),
  };
  return cmocka_run_group_tests_name("gc", tests, NULL, NULL);
}
