/* SPDX-License-Identifier: Apache-2.0 */
/* The loader's story with made-up sources and a real cache: which source is asked when, what is
 * published, what the spans and metrics say. Sessions are the integration tests' business. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
  struct fake_source *first, *second; /* "s3" and "roboflow_api"; owned by the chain */
  struct hoist_error err;
};

static struct hoist *open_hoist(struct world *w) {
  struct hoist *hoist = NULL;
  assert_int_equal(hoist_open(&w->config, &hoist, &w->err), HOIST_OK);
  return hoist;
}

static int set_up(void **state) {
  struct world *w = calloc(1, sizeof *w);
  strcpy(w->root, "/tmp/hoist-loader-XXXXXX");
  assert_non_null(mkdtemp(w->root));
  w->tracer = fake_tracer_new();
  hoist_config_init(&w->config);
  w->config.cache_dir = w->root;
  w->config.telemetry = w->tracer->telemetry;
  w->hoist = open_hoist(w);
  assert_int_equal(w->hoist->chain.count, 0);
  w->first = fake_source_new("s3");
  w->second = fake_source_new("roboflow_api");
  w->hoist->chain.sources[w->hoist->chain.count++] = &w->first->base;
  w->hoist->chain.sources[w->hoist->chain.count++] = &w->second->base;
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

static void give_model(struct fake_source *s, const char *weights) {
  fake_source_add(s, "weights.onnx", weights);
  fake_source_add(s, "class_names.txt", "cat\ndog\n");
  fake_source_add(
      s, "environment.json",
      "{\"PREPROCESSING\": {\"auto-orient\": {\"enabled\": true}, \"resize\": "
      "{\"enabled\": true, \"format\": \"Stretch to\", \"width\": 640, \"height\": 480}}, "
      "\"COLORS\": {\"dog\": \"#00ff00\"}}");
  s->task_type = "object-detection";
}

static enum hoist_status pull(struct world *w, struct hoist_info **ret_info) {
  return hoist_pull(w->hoist, "faces/1", NULL, ret_info, &w->err);
}

static void test_a_miss_is_downloaded_and_described(void **state) {
  struct world *w = *state;
  struct hoist_info *info = NULL;
  give_model(w->first, "0123456789");
  assert_int_equal(pull(w, &info), HOIST_OK);
  assert_string_equal(info->model_id, "faces/1");
  assert_string_equal(info->source, "s3");
  assert_string_equal(info->weights, "weights.onnx");
  assert_string_equal(info->task_type, "object-detection");
  assert_int_equal(info->class_count, 2);
  assert_string_equal(info->classes[1].name, "dog");
  assert_string_equal(info->classes[1].color, "#00ff00");
  assert_null(info->classes[0].color);
  assert_true(info->preprocessing.present && info->preprocessing.auto_orient);
  assert_int_equal(info->preprocessing.width, 640);
  assert_int_equal(info->preprocessing.height, 480);
  assert_int_equal(info->cache_hit, 0);
  assert_true(info->downloaded_bytes > 10);
  assert_int_equal(info->file_count, 4); /* model_type.json was added */
  assert_int_equal(w->second->describes, 0);
  hoist_info_free(info);
}

static void test_a_call_without_a_parent_joins_the_current_span(void **state) {
  struct world *w = *state;
  struct hoist_span current;
  struct hoist_scope scope;
  give_model(w->first, "0123456789");
  hoist_span_start_root(w->tracer->telemetry, "caller", HOIST_SPAN_INTERNAL, NULL, &current);
  hoist_scope_enter(&scope, &current);
  assert_int_equal(pull(w, NULL), HOIST_OK);
  hoist_scope_leave(&scope);
  assert_int_equal(pull(w, NULL), HOIST_OK);
  hoist_span_end(&current);
  assert_int_equal(fake_span(w->tracer, "model.pull", 0)->parent, 0);
  assert_int_equal(fake_span(w->tracer, "model.pull", 1)->parent, -1);
}

static void test_the_current_span_gives_way_to_a_parent_that_is_named(void **state) {
  struct world *w = *state;
  struct hoist_span current, parent;
  struct hoist_scope scope;
  struct hoist_span_context remote = {.trace_id = {1}, .span_id = {1}, .remote = 1};
  struct hoist_call_options options = {.remote_parent = &remote};
  give_model(w->first, "0123456789");
  hoist_span_start_root(w->tracer->telemetry, "current", HOIST_SPAN_INTERNAL, NULL, &current);
  hoist_span_start_root(w->tracer->telemetry, "parent", HOIST_SPAN_INTERNAL, NULL, &parent);
  hoist_scope_enter(&scope, &current);
  assert_int_equal(hoist_pull(w->hoist, "faces/1", &options, NULL, NULL), HOIST_OK);
  options = (struct hoist_call_options){.parent = &parent};
  assert_int_equal(hoist_pull(w->hoist, "faces/1", &options, NULL, NULL), HOIST_OK);
  hoist_scope_leave(&scope);
  hoist_span_end(&parent);
  hoist_span_end(&current);
  assert_int_equal(fake_span(w->tracer, "model.pull", 0)->parent, -1);
  assert_int_equal(fake_span(w->tracer, "model.pull", 1)->parent, 1);
}

static void test_a_current_span_of_other_telemetry_is_no_parent(void **state) {
  struct world *w = *state;
  struct fake_tracer *other = fake_tracer_new();
  struct hoist_span current, nothing = {0};
  struct hoist_scope scope;
  give_model(w->first, "0123456789");
  hoist_span_start_root(other->telemetry, "current", HOIST_SPAN_INTERNAL, NULL, &current);
  hoist_scope_enter(&scope, &current);
  assert_int_equal(pull(w, NULL), HOIST_OK);
  hoist_scope_leave(&scope);
  hoist_scope_enter(&scope, &nothing);
  assert_int_equal(pull(w, NULL), HOIST_OK);
  hoist_scope_leave(&scope);
  hoist_span_end(&current);
  assert_int_equal(other->span_count, 1);
  assert_int_equal(fake_span(w->tracer, "model.pull", 0)->parent, -1);
  assert_int_equal(fake_span(w->tracer, "model.pull", 1)->parent, -1);
  fake_tracer_free(other);
}

static void test_what_the_caller_passed_on_goes_with_the_call(void **state) {
  struct world *w = *state;
  struct hoist_span parent;
  struct hoist_span_context remote = {.trace_id = {1}, .span_id = {1}, .remote = 1};
  struct hoist_baggage *baggage = NULL;
  assert_int_equal(hoist_baggage_new(&baggage, NULL), HOIST_OK);
  struct hoist_call_options options = {.remote_parent = &remote, .baggage = baggage};
  give_model(w->first, "0123456789");
  assert_int_equal(hoist_pull(w->hoist, "faces/1", &options, NULL, NULL), HOIST_OK);
  assert_ptr_equal(w->first->call.remote, &remote);
  assert_ptr_equal(w->first->call.baggage, baggage);
  /* A parent in this process is what goes on, not what is behind it. */
  hoist_span_start_root(w->tracer->telemetry, "parent", HOIST_SPAN_INTERNAL, NULL, &parent);
  options = (struct hoist_call_options){.parent = &parent, .remote_parent = &remote};
  assert_int_equal(hoist_remove(w->hoist, "faces/1", NULL, NULL, NULL), HOIST_OK);
  assert_int_equal(hoist_pull(w->hoist, "faces/1", &options, NULL, NULL), HOIST_OK);
  assert_null(w->first->call.remote);
  assert_null(w->first->call.baggage);
  hoist_span_end(&parent);
  hoist_baggage_free(baggage);
}

static void test_the_span_tree_of_a_miss(void **state) {
  struct world *w = *state;
  give_model(w->first, "0123456789");
  assert_int_equal(pull(w, NULL), HOIST_OK);
  const struct fake_span *root = fake_span(w->tracer, "model.pull", 0);
  const struct fake_span *download = fake_span(w->tracer, "model.artifacts.download", 0);
  const struct fake_span *load = fake_span(w->tracer, "model.artifacts.load", 0);
  const struct fake_span *commit = fake_span(w->tracer, "model.artifacts.commit", 0);
  assert_int_equal(root->parent, -1);
  assert_int_equal(download->parent, root->index);
  assert_int_equal(load->parent, root->index);
  assert_int_equal(commit->parent, download->index);
  for (int i = 0; i < 4; i++)
    assert_int_equal(fake_span(w->tracer, "model.artifact.download", i)->parent, download->index);
  assert_string_equal(fake_attr(download, "model.id"), "faces/1");
  assert_string_equal(fake_attr(download, "model.artifacts.source"), "s3");
  assert_string_equal(fake_attr(download, "model.artifacts.files"), "4");
  assert_string_equal(fake_attr(load, "model.id"), "faces/1");
  assert_string_equal(fake_attr(load, "model.artifacts.source"), "local_cache");
  assert_string_equal(fake_attr(load, "model.artifacts.origin"), "s3");
  assert_string_equal(fake_attr(root, "model.artifacts.cache_hit"), "false");
  assert_non_null(fake_attr(root, "model.load_time_seconds"));
  assert_int_equal(root->errors + download->errors + load->errors + commit->errors, 0);
}

/* A file that was written a moment ago is compared byte by byte until its time of change is past. */
static const char *verification_of_next_hit(struct world *w) {
  int loads = fake_span_count(w->tracer, "model.artifacts.load");
  assert_int_equal(pull(w, NULL), HOIST_OK);
  return fake_attr(fake_span(w->tracer, "model.artifacts.load", loads),
                   "model.artifacts.verification");
}

static void test_a_hit_is_known_by_its_files_until_one_changes(void **state) {
  struct world *w = *state;
  char path[128];
  give_model(w->first, "0123456789");
  assert_int_equal(pull(w, NULL), HOIST_OK);
  const char *how = "sha256";
  for (int i = 0; i < 100 && strcmp(how, "stat") != 0; i++) {
    how = verification_of_next_hit(w);
    usleep(10000);
  }
  assert_string_equal(how, "stat");
  snprintf(path, sizeof path, "%s/faces/1/weights.onnx", w->root);
  const struct timespec long_ago[] = {{.tv_sec = 1}, {.tv_sec = 1}};
  assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
  assert_string_equal(verification_of_next_hit(w), "sha256");
  assert_int_equal(w->first->describes, 1);
  w->hoist->verification = CACHE_VERIFY_SHA256;
  assert_string_equal(verification_of_next_hit(w), "sha256");
  assert_string_equal(verification_of_next_hit(w), "sha256");
}

static void test_a_hit_asks_no_source(void **state) {
  struct world *w = *state;
  struct hoist_info *info = NULL;
  give_model(w->first, "0123456789");
  assert_int_equal(pull(w, NULL), HOIST_OK);
  assert_int_equal(pull(w, &info), HOIST_OK);
  assert_int_equal(info->cache_hit, 1);
  assert_int_equal(info->downloaded_bytes, 0);
  assert_int_equal(w->first->describes, 1);
  assert_int_equal(fake_span_count(w->tracer, "model.artifacts.download"), 1);
  const struct fake_span *load = fake_span(w->tracer, "model.artifacts.load", 1);
  assert_int_equal(load->parent, fake_span(w->tracer, "model.pull", 1)->index);
  assert_non_null(fake_attr(load, "model.artifacts.verification"));
  assert_int_equal((int)fake_metric_sum(w->tracer, "hoist.cache.lookups", "result=hit"), 1);
  hoist_info_free(info);
}

static void test_which_failures_let_the_next_source_try(void **state) {
  struct world *w = *state;
  static const struct {
    enum hoist_status status;
    int falls_through;
  } cases[] = {
      {HOIST_NOT_FOUND, 1}, {HOIST_UNAVAILABLE, 1}, {HOIST_CORRUPT, 1},  {HOIST_DENIED, 0},
      {HOIST_TIMEOUT, 0},   {HOIST_CANCELLED, 0},   {HOIST_NO_SPACE, 0}, {HOIST_NO_MEMORY, 0},
      {HOIST_INVALID, 0},   {HOIST_UNSUPPORTED, 1}, {HOIST_INTERNAL, 0},
  };
  give_model(w->second, "0123456789");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int asked = w->second->describes;
    w->first->describe_status = cases[i].status;
    assert_int_equal(pull(w, NULL), cases[i].falls_through ? HOIST_OK : cases[i].status);
    assert_int_equal(w->second->describes - asked, cases[i].falls_through);
    if (cases[i].falls_through)
      assert_int_equal(hoist_remove(w->hoist, "faces/1", NULL, NULL, NULL), HOIST_OK);
  }
}

static void test_a_fall_through_shows_both_sources(void **state) {
  struct world *w = *state;
  w->first->describe_status = HOIST_UNAVAILABLE;
  give_model(w->second, "0123456789");
  assert_int_equal(pull(w, NULL), HOIST_OK);
  const struct fake_span *failed = fake_span(w->tracer, "model.artifacts.download", 0);
  const struct fake_span *worked = fake_span(w->tracer, "model.artifacts.download", 1);
  const struct fake_span *root = fake_span(w->tracer, "model.pull", 0);
  assert_string_equal(fake_attr(failed, "model.artifacts.source"), "s3");
  assert_string_equal(fake_attr(failed, "error.type"), "unavailable");
  assert_int_equal(failed->errors, 1);
  assert_int_equal(failed->exception_events, 1);
  assert_string_equal(fake_attr(worked, "model.artifacts.source"), "roboflow_api");
  assert_int_equal(worked->errors + root->errors, 0);
}

static void test_when_none_delivers_the_error_names_each_and_the_spans_fail(void **state) {
  struct world *w = *state;
  w->first->describe_status = HOIST_UNAVAILABLE;
  w->second->describe_status = HOIST_NOT_FOUND;
  assert_int_equal(pull(w, NULL), HOIST_UNAVAILABLE);
  assert_non_null(strstr(w->err.message, "faces/1"));
  assert_non_null(strstr(w->err.message, "s3: s3 has no answer"));
  assert_non_null(strstr(w->err.message, "roboflow_api: roboflow_api has no answer"));
  const struct fake_span *root = fake_span(w->tracer, "model.pull", 0);
  assert_int_equal(root->errors, 1);
  assert_int_equal(root->exception_events, 1);
  assert_string_equal(fake_attr(root, "error.type"), "unavailable");
  assert_int_equal((int)fake_metric_sum(w->tracer, "inference.errors", "error.type=unavailable"),
                   1);
  w->first->describe_status = HOIST_NOT_FOUND;
  assert_int_equal(pull(w, NULL), HOIST_NOT_FOUND);
}

static void test_a_broken_download_falls_through_and_publishes_only_the_good_one(void **state) {
  struct world *w = *state;
  struct hoist_info *info = NULL;
  give_model(w->first, "broken bytes");
  w->first->files[0].promised.kind = DIGEST_MD5;
  give_model(w->second, "0123456789");
  assert_int_equal(pull(w, &info), HOIST_OK);
  assert_string_equal(info->source, "roboflow_api");
  hoist_info_free(info);
}

static void test_a_malformed_package_falls_through_too(void **state) {
  struct world *w = *state;
  struct hoist_info *info = NULL;
  fake_source_add(w->first, "weights.onnx", "0123456789");
  fake_source_add(w->first, "environment.json", "{\"PREPROCESSING\": 7}");
  give_model(w->second, "0123456789");
  assert_int_equal(pull(w, &info), HOIST_OK);
  assert_string_equal(info->source, "roboflow_api");
  hoist_info_free(info);
}

static void damage(struct world *w) {
  char path[128];
  snprintf(path, sizeof path, "%s/faces/1/weights.onnx", w->root);
  HOIST_AUTO(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(pwrite(fd, "X", 1, 3), 1);
}

static void keep_warning(void *user, const struct hoist_progress *event) {
  if (event->kind == HOIST_PROGRESS_WARNING)
    snprintf(user, HOIST_ERROR_MESSAGE_SIZE, "%s", event->message);
}

static void test_a_damaged_entry_is_fetched_again_never_served(void **state) {
  struct world *w = *state;
  char warning[HOIST_ERROR_MESSAGE_SIZE] = "";
  const struct hoist_call_options options = {.progress = keep_warning, .progress_user = warning};
  struct hoist_info *info = NULL;
  give_model(w->first, "0123456789");
  assert_int_equal(pull(w, NULL), HOIST_OK);
  damage(w);
  assert_int_equal(hoist_verify(w->hoist, "faces/1", NULL, NULL, &w->err), HOIST_CORRUPT);
  assert_non_null(strstr(w->err.message, "weights.onnx"));
  assert_int_equal(hoist_pull(w->hoist, "faces/1", &options, &info, &w->err), HOIST_OK);
  assert_non_null(strstr(warning, "the copy in the cache is damaged and is fetched again: "));
  assert_non_null(strstr(warning, "weights.onnx"));
  assert_int_equal(info->cache_hit, 0);
  assert_int_equal(w->first->describes, 2);
  assert_int_equal(hoist_verify(w->hoist, "faces/1", NULL, NULL, &w->err), HOIST_OK);
  assert_true(fake_metric_sum(w->tracer, "hoist.cache.lookups", "result=corrupt") >= 1);
  hoist_info_free(info);
}

static void test_offline_serves_the_cache_and_asks_nobody(void **state) {
  struct world *w = *state;
  give_model(w->first, "0123456789");
  w->hoist->offline = 1;
  assert_int_equal(pull(w, NULL), HOIST_NOT_FOUND);
  assert_non_null(strstr(w->err.message, "offline"));
  assert_int_equal(w->first->describes, 0);
  w->hoist->offline = 0;
  assert_int_equal(pull(w, NULL), HOIST_OK);
  w->hoist->offline = 1;
  assert_int_equal(pull(w, NULL), HOIST_OK);
  damage(w);
  assert_int_equal(pull(w, NULL), HOIST_CORRUPT);
  assert_int_equal(w->first->describes, 1);
}

static void test_without_sources_the_error_says_what_to_set(void **state) {
  struct world *w = *state;
  w->hoist->chain.count = 0;
  assert_int_equal(pull(w, NULL), HOIST_INVALID);
  assert_non_null(strstr(w->err.message, "HOIST_SOURCES"));
  source_free(&w->first->base);
  source_free(&w->second->base);
}

static void test_bad_ids_fail_with_a_span(void **state) {
  struct world *w = *state;
  static const char *const bad[] = {NULL, "", "..", "a/../b", "a//b", "/a", "a/", "a\\b", "a\nb"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(hoist_pull(w->hoist, bad[i], NULL, NULL, &w->err), HOIST_INVALID);
    assert_int_equal(fake_span(w->tracer, "model.pull", (int)i)->errors, 1);
  }
  assert_int_equal(w->first->describes, 0);
}

static void test_a_deadline_that_passed_and_a_cancel_stop_at_once(void **state) {
  struct world *w = *state;
  struct hoist_cancel cancel = {0};
  hoist_cancel(&cancel);
  const struct hoist_call_options options = {.cancel = &cancel};
  assert_int_equal(hoist_pull(w->hoist, "faces/1", &options, NULL, &w->err), HOIST_CANCELLED);
  assert_int_equal(w->first->describes, 0);
}

static void test_two_weights_files_name_both(void **state) {
  struct world *w = *state;
  w->hoist->chain.count = 1;
  fake_source_add(w->first, "one.onnx", "1");
  fake_source_add(w->first, "two.onnx", "2");
  assert_int_equal(pull(w, NULL), HOIST_CORRUPT);
  assert_non_null(strstr(w->err.message, "one.onnx"));
  assert_non_null(strstr(w->err.message, "two.onnx"));
  source_free(&w->second->base);
}

static void *pull_in_thread(void *user) {
  struct world *w = user;
  return (void *)(intptr_t)hoist_pull(w->hoist, "faces/1", NULL, NULL, NULL);
}

static void test_eight_threads_cause_one_download(void **state) {
  struct world *w = *state;
  pthread_t threads[8];
  give_model(w->first, "0123456789");
  for (int i = 0; i < 8; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, pull_in_thread, w), 0);
  for (int i = 0; i < 8; i++) {
    void *result = NULL;
    pthread_join(threads[i], &result);
    assert_int_equal((intptr_t)result, HOIST_OK);
  }
  assert_int_equal(w->first->describes, 1);
  assert_int_equal(w->first->fetches, 3);
}

static int collect(void *user, const struct hoist_list_item *item) {
  char *text = user;
  strcat(text, item->model_id);
  strcat(text, item->problem ? "! " : " ");
  return strcmp(item->model_id, "stop") == 0;
}

static void test_the_cache_is_listed_in_order_until_the_visitor_stops(void **state) {
  struct world *w = *state;
  static const char *const ids[] = {"zebra/1", "stop", "ant"};
  give_model(w->first, "0123456789");
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(hoist_pull(w->hoist, ids[i], NULL, NULL, &w->err), HOIST_OK);
  char seen[128] = "";
  assert_int_equal(hoist_list(w->hoist, collect, seen, &w->err), HOIST_OK);
  assert_string_equal(seen, "ant stop ");
}

static void test_removing_frees_and_then_finds_nothing(void **state) {
  struct world *w = *state;
  uint64_t freed = 0;
  give_model(w->first, "0123456789");
  assert_int_equal(pull(w, NULL), HOIST_OK);
  assert_int_equal(hoist_remove(w->hoist, "faces/1", NULL, &freed, &w->err), HOIST_OK);
  assert_true(freed > 10);
  assert_int_equal(hoist_remove(w->hoist, "faces/1", NULL, &freed, &w->err), HOIST_NOT_FOUND);
}

struct seen {
  int kinds[16];
};

static void watch(void *user, const struct hoist_progress *event) {
  struct seen *seen = user;
  seen->kinds[event->kind]++;
  assert_string_equal(event->model_id, "faces/1");
}

static void test_progress_tells_the_story(void **state) {
  struct world *w = *state;
  struct seen seen = {0};
  const struct hoist_call_options options = {.progress = watch, .progress_user = &seen};
  w->first->describe_status = HOIST_NOT_FOUND;
  give_model(w->second, "0123456789");
  assert_int_equal(hoist_pull(w->hoist, "faces/1", &options, NULL, &w->err), HOIST_OK);
  assert_int_equal(seen.kinds[HOIST_PROGRESS_SOURCE], 2);
  assert_int_equal(seen.kinds[HOIST_PROGRESS_FALLTHROUGH], 1);
  assert_int_equal(seen.kinds[HOIST_PROGRESS_PLAN], 1);
  assert_int_equal(seen.kinds[HOIST_PROGRESS_COMMIT], 1);
  assert_int_equal(seen.kinds[HOIST_PROGRESS_DONE], 1);
}

static void test_sources_are_configured_in_order_or_refused(void **state) {
  struct world *w = *state;
  static const struct {
    const char *sources, *bucket, *key, *names, *says;
  } cases[] = {
      {NULL, NULL, NULL, "", NULL},
      {NULL, "b", NULL, "s3 ", NULL},
      {NULL, NULL, "k", "roboflow_api ", NULL},
      {NULL, "b", "k", "s3 roboflow_api ", NULL},
      {"roboflow_api, s3", "b", NULL, "roboflow_api s3 ", NULL},
      {" dir:/models ,s3://other/p ", NULL, NULL, "dir s3 ", NULL},
      {"", NULL, NULL, "", NULL},
      {"s3", NULL, NULL, NULL, "INFER_BUCKET"},
      {"ftp://x", NULL, NULL, NULL, "'ftp://x' is no source"},
      {"dir:", NULL, NULL, NULL, "dir:PATH"},
      {"s3:///x", NULL, NULL, NULL, "bucket"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct chain chain;
    w->config.sources = cases[i].sources;
    w->config.bucket = cases[i].bucket;
    w->config.api_key = cases[i].key;
    enum hoist_status status = chain_init(&chain, &w->config, w->hoist->http, &w->err);
    assert_int_equal(status, cases[i].says ? HOIST_INVALID : HOIST_OK);
    if (cases[i].says) {
      assert_non_null(strstr(w->err.message, cases[i].says));
      continue;
    }
    char names[128] = "";
    for (size_t j = 0; j < chain.count; j++) {
      strcat(names, chain.sources[j]->name);
      strcat(names, " ");
    }
    assert_string_equal(names, cases[i].names);
    chain_done(&chain);
  }
}

static void test_a_configuration_nobody_initialised_is_refused(void **state) {
  struct hoist_config config;
  struct hoist *hoist = NULL;
  struct hoist_error err = {0};
  memset(&config, 0, sizeof config);
  assert_int_equal(hoist_open(&config, &hoist, &err), HOIST_INVALID);
  assert_null(hoist);
  hoist_close(NULL);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      T(test_a_miss_is_downloaded_and_described),
      T(test_a_call_without_a_parent_joins_the_current_span),
      T(test_the_current_span_gives_way_to_a_parent_that_is_named),
      T(test_a_current_span_of_other_telemetry_is_no_parent),
      T(test_what_the_caller_passed_on_goes_with_the_call),
      T(test_the_span_tree_of_a_miss),
      T(test_a_hit_asks_no_source),
      T(test_a_hit_is_known_by_its_files_until_one_changes),
      T(test_which_failures_let_the_next_source_try),
      T(test_a_fall_through_shows_both_sources),
      T(test_when_none_delivers_the_error_names_each_and_the_spans_fail),
      T(test_a_broken_download_falls_through_and_publishes_only_the_good_one),
      T(test_a_malformed_package_falls_through_too),
      T(test_a_damaged_entry_is_fetched_again_never_served),
      T(test_offline_serves_the_cache_and_asks_nobody),
      T(test_without_sources_the_error_says_what_to_set),
      T(test_bad_ids_fail_with_a_span),
      T(test_a_deadline_that_passed_and_a_cancel_stop_at_once),
      T(test_two_weights_files_name_both),
      T(test_eight_threads_cause_one_download),
      T(test_the_cache_is_listed_in_order_until_the_visitor_stops),
      T(test_removing_frees_and_then_finds_nothing),
      T(test_progress_tells_the_story),
      T(test_sources_are_configured_in_order_or_refused),
      T(test_a_configuration_nobody_initialised_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
