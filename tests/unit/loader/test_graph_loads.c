/* SPDX-License-Identifier: Apache-2.0 */
/* Loads with the real runtime: from a saved graph and without, verified beside the session's creation, kept
 * within bounds, run once, with providers that are not there. */
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

#include "fake_tracer.h"
#include "fs.h"
#include "hoist_internal.h"
#include "onnx_writer.h"
#include "text.h"

struct world {
  char dir[64], cache[80], sources[96];
  struct fake_tracer *tracer;
  struct hoist_config config;
  struct hoist *hoist;
  char warnings[1024];
  struct hoist_error err;
};

/* ---- models ---- */

static void put_file(const struct world *w, const char *id, const char *name, const void *data,
                     size_t size) {
  char path[200];
  snprintf(path, sizeof path, "%s/models/%s", w->dir, id);
  assert_int_equal(fs_make_dirs(AT_FDCWD, path, NULL), HOIST_OK);
  snprintf(path, sizeof path, "%s/models/%s/%s", w->dir, id, name);
  HOIST_AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(fs_write_all(fd, data, size, path, NULL), HOIST_OK);
}

static void put_real_model(const struct world *w, const char *id, const char *name) {
  char path[512];
  HOIST_AUTO(buf) struct buf model = buf_make(64u << 20);
  snprintf(path, sizeof path, "%s/%s.onnx", getenv("HOIST_TEST_MODELS"), name);
  if (fs_read_file(AT_FDCWD, path, &model, NULL) != HOIST_OK) fail_msg("%s is missing", path);
  put_file(w, id, "weights.onnx", model.data, model.size);
}

static void open_world(struct world *w) {
  if (hoist_open(&w->config, &w->hoist, &w->err) != HOIST_OK) fail_msg("%s", w->err.message);
}

static void reopen(struct world *w) {
  hoist_close(w->hoist);
  open_world(w);
}

static int set_up(void **state) {
  struct world *w = calloc(1, sizeof *w);
  strcpy(w->dir, "/tmp/hoist-graphs-XXXXXX");
  assert_non_null(mkdtemp(w->dir));
  snprintf(w->cache, sizeof w->cache, "%s/cache", w->dir);
  snprintf(w->sources, sizeof w->sources, "dir:%s/models", w->dir);
  w->tracer = fake_tracer_new();
  hoist_config_init(&w->config);
  w->config.cache_dir = w->cache;
  w->config.sources = w->sources;
  w->config.onnxruntime = getenv("HOIST_ONNXRUNTIME");
  w->config.intra_op_threads = 1;
  w->config.telemetry = w->tracer->telemetry;
  w->config.graph_cache = "off"; /* a thread that records spans would disturb who counts them */
  put_real_model(w, "faces/1", "blazeface");
  open_world(w);
  *state = w;
  return 0;
}

static int set_up_with_graphs(void **state) {
  set_up(state);
  struct world *w = *state;
  w->config.graph_cache = "background";
  reopen(w);
  return 0;
}

static int tear_down(void **state) {
  struct world *w = *state;
  hoist_close(w->hoist);
  fake_tracer_check(w->tracer, NULL);
  fake_tracer_free(w->tracer);
  assert_int_equal(fs_remove_tree(AT_FDCWD, w->dir, NULL), HOIST_OK);
  free(w);
  return 0;
}

static void note_warning(void *user, const struct hoist_progress *event) {
  struct world *w = user;
  if (event->kind == HOIST_PROGRESS_WARNING)
    snprintf(w->warnings, sizeof w->warnings, "%s", event->message);
}

static struct hoist_model *load(struct world *w, const char *id) {
  struct hoist_model *model = NULL;
  const struct hoist_call_options options = {.progress = note_warning, .progress_user = w};
  if (hoist_load(w->hoist, id, &options, &model, &w->err) != HOIST_OK)
    fail_msg("%s", w->err.message);
  return model;
}

/* What the load ran on. */
static const char *load_and_leave(struct world *w, const char *id) {
  static char use[16];
  struct hoist_model *model = load(w, id);
  text_copy(use, sizeof use, hoist_model_info(model)->graph_cache);
  hoist_model_unref(model);
  return use;
}

static void keep_report(void *user, const struct hoist_graph_report *report) {
  struct world *w = user;
  w->err.status = report->status;
  snprintf(w->err.message, sizeof w->err.message, "%s: %s", report->model_id, report->message);
}

/* The outcome of the last graph that was to be saved. */
static enum hoist_status settle(struct world *w) {
  w->err = (struct hoist_error){.status = HOIST_INTERNAL, .message = "nothing was saved"};
  assert_int_equal(hoist_settle(w->hoist, NULL, keep_report, w, NULL), HOIST_OK);
  return w->err.status;
}

static void save_graph(struct world *w, const char *id) {
  assert_string_equal(load_and_leave(w, id), "miss");
  if (settle(w) != HOIST_OK) fail_msg("%s", w->err.message);
}

static const struct fake_span *last_span(const struct world *w, const char *name) {
  int count = fake_span_count(w->tracer, name);
  return count > 0 ? fake_span(w->tracer, name, count - 1) : NULL;
}

/* Runs a shell word list in the cache, as somebody would who knows nothing of hoist. */
static void meddle(const struct world *w, const char *command) {
  char line[400];
  snprintf(line, sizeof line, "cd %s && %s", w->cache, command);
  FILE *shell = popen(line, "r");
  assert_non_null(shell);
  assert_int_equal(pclose(shell), 0);
}

/* ---- graphs ---- */

static void test_a_graph_is_saved_in_the_background_and_used_from_then_on(void **state) {
  struct world *w = *state;
  struct hoist_model *first = load(w, "faces/1");
  assert_string_equal(hoist_model_info(first)->graph_cache, "miss");
  if (settle(w) != HOIST_OK) fail_msg("%s", w->err.message);
  assert_string_equal(w->err.message, "faces/1: saved");
  const struct fake_span *save = last_span(w, "model.graph_cache.save");
  assert_int_equal(save->parent, -1);
  assert_string_equal(fake_attr(save, "model.id"), "faces/1");
  assert_string_equal(fake_attr(save, "graph_cache.form"), "mapped");
  assert_non_null(fake_attr(save, "graph_cache.graph_seconds"));
  assert_int_equal(save->errors, 0);
  hoist_model_unref(first);
  struct hoist_model *second = load(w, "faces/1");
  const struct hoist_info *info = hoist_model_info(second);
  assert_string_equal(info->graph_cache, "hit");
  assert_non_null(strstr(info->graph_detail, "mapped: "));
  assert_true(info->graph_bytes > 400000);
  assert_int_equal(info->input_count, 1);
  assert_string_equal(fake_attr(last_span(w, "model.session.create"), "graph_cache"), "hit");
  hoist_model_unref(second);
  assert_int_equal((int)fake_metric_sum(w->tracer, "hoist.graph_cache.lookups", "result=miss"), 1);
  assert_int_equal((int)fake_metric_sum(w->tracer, "hoist.graph_cache.lookups", "result=hit"), 1);
  assert_int_equal(settle(w), HOIST_INTERNAL); /* nothing more to save */
}

static void test_a_graph_may_be_saved_before_the_load_returns(void **state) {
  struct world *w = *state;
  w->config.graph_cache = "before_returning";
  reopen(w);
  assert_string_equal(load_and_leave(w, "faces/1"), "miss");
  const struct fake_span *save = last_span(w, "model.graph_cache.save");
  assert_int_equal(save->parent, last_span(w, "model.load")->index);
  assert_string_equal(load_and_leave(w, "faces/1"), "hit");
}

static void test_it_can_be_switched_off(void **state) {
  struct world *w = *state;
  for (int i = 0; i < 2; i++)
    assert_string_equal(load_and_leave(w, "faces/1"), "off");
  assert_null(last_span(w, "model.graph_cache.save"));
  meddle(w, "test ! -e .hoist/graphs");
}

static void test_a_damaged_graph_costs_time_and_nothing_else(void **state) {
  struct world *w = *state;
  static const char *const damages[] = {
      "truncate -s 1000 .hoist/graphs/*/*/graph.ort",
      "for f in .hoist/graphs/*/*/graph.ort; do printf X | dd of=$f bs=1 seek=5000 conv=notrunc "
      "2>/dev/null; done",
      "rm .hoist/graphs/*/*/graph.ort",
      "for f in .hoist/graphs/*/*/hoist-graph; do echo garbage >$f; done",
      "for f in .hoist/graphs/*/*/graph.ort; do cp */1/weights.onnx $f; done",
  };
  save_graph(w, "faces/1");
  for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
    meddle(w, damages[i]);
    if (strcmp(load_and_leave(w, "faces/1"), "refused") != 0) fail_msg("%s", damages[i]);
    const struct fake_span *create = last_span(w, "model.session.create");
    assert_string_equal(fake_attr(create, "graph_cache"), "refused");
    assert_non_null(strstr(fake_attr(create, "graph_cache.detail"), "saved graph"));
    assert_int_equal(create->errors, 0);
    if (settle(w) != HOIST_OK) fail_msg("%s", w->err.message); /* made anew */
    assert_string_equal(load_and_leave(w, "faces/1"), "hit");
  }
}

/* The runtime itself refuses a file that the record vouches for. */
static void test_a_graph_that_the_runtime_does_not_open_is_refused(void **state) {
  struct world *w = *state;
  save_graph(w, "faces/1");
  meddle(w, "g=$(ls -d .hoist/graphs/*/*/) && head -c 300000 faces/1/weights.onnx >$g/graph.ort && "
            "sum=$(sha256sum $g/graph.ort | cut -c1-64) && "
            "sed -i \"s/^file graph.ort [0-9a-f]* [01] \\([0-9]* [0-9]*\\) [0-9]* /file graph.ort "
            "$sum 0 \\1 300000 /\" $g/hoist-graph");
  assert_string_equal(load_and_leave(w, "faces/1"), "refused");
  if (settle(w) != HOIST_OK) fail_msg("%s", w->err.message);
  assert_string_equal(load_and_leave(w, "faces/1"), "hit");
}

static void test_a_graph_of_other_options_is_another_graph(void **state) {
  struct world *w = *state;
  save_graph(w, "faces/1");
  w->config.session_config = "session.enable_quant_qdq=0";
  reopen(w);
  assert_string_equal(load_and_leave(w, "faces/1"), "miss");
  assert_int_equal(settle(w), HOIST_OK);
  assert_string_equal(load_and_leave(w, "faces/1"), "hit");
  w->config.session_config = NULL;
  reopen(w);
  assert_string_equal(load_and_leave(w, "faces/1"), "hit");
}

static void test_what_is_not_worth_it_is_not_tried_again(void **state) {
  struct world *w = *state;
  HOIST_AUTO(buf) struct buf model = buf_make(1 << 20);
  const struct onnx_spec spec = {.dims = {{4, NULL}}, .dim_count = 1};
  onnx_write(&spec, &model);
  put_file(w, "tiny/1", "weights.onnx", model.data, model.size);
  assert_string_equal(load_and_leave(w, "tiny/1"), "miss");
  enum hoist_status status = settle(w);
  if (status == HOIST_OK) return; /* on this machine it was */
  assert_int_equal(status, HOIST_UNSUPPORTED);
  assert_non_null(strstr(w->err.message, "not worth it"));
  struct hoist_model *again = load(w, "tiny/1");
  assert_string_equal(hoist_model_info(again)->graph_cache, "off");
  assert_non_null(strstr(hoist_model_info(again)->graph_detail, "not worth it"));
  hoist_model_unref(again);
  assert_int_equal(settle(w), HOIST_INTERNAL);
}

static void test_a_model_with_weights_in_another_file_loads_and_loads_again(void **state) {
  struct world *w = *state;
  HOIST_AUTO(buf) struct buf model = buf_make(1 << 20), weights = buf_make(8 << 20);
  onnx_write_external(600, "weights.bin", &model, &weights);
  put_file(w, "external/1", "weights.onnx", model.data, model.size);
  put_file(w, "external/1", "weights.bin", weights.data, weights.size);
  assert_string_equal(load_and_leave(w, "external/1"), "miss");
  enum hoist_status status = settle(w);
  assert_true(status == HOIST_OK || status == HOIST_UNSUPPORTED);
  assert_string_not_equal(load_and_leave(w, "external/1"), "refused");
  /* The key names the other file, too. */
  weights.data[0] ^= 1;
  put_file(w, "external/1", "weights.bin", weights.data, weights.size);
  assert_int_equal(hoist_remove(w->hoist, "external/1", NULL, NULL, NULL), HOIST_OK);
  assert_string_equal(load_and_leave(w, "external/1"), "miss");
  buf_done(&weights);
}

static void test_a_saved_graph_counts_in_the_bound_of_the_cache(void **state) {
  struct world *w = *state;
  put_real_model(w, "voice/1", "silero");
  w->config.graph_cache = "off";
  reopen(w);
  load_and_leave(w, "voice/1"); /* 2.3 MB, 2.8 with the other model */
  w->config.graph_cache = "background";
  w->config.cache_max_bytes = 3000000;
  reopen(w);
  assert_string_equal(load_and_leave(w, "faces/1"), "miss");
  meddle(w, "test -e voice/1/weights.onnx");
  assert_int_equal(settle(w), HOIST_OK); /* 3.4 MB with the graph */
  meddle(w, "test ! -e voice/1/weights.onnx");
  assert_string_equal(load_and_leave(w, "faces/1"), "hit");
}

static void test_closing_waits_for_the_graph_that_is_being_saved(void **state) {
  struct world *w = *state;
  assert_string_equal(load_and_leave(w, "faces/1"), "miss");
  reopen(w);
  assert_true(fake_span_count(w->tracer, "model.graph_cache.save") <= 1);
  meddle(w, "! ls -d .hoist/graphs/*/new.* 2>/dev/null");
}

static void test_a_settling_that_is_called_off_says_so_and_gives_the_graph_up(void **state) {
  struct world *w = *state;
  struct hoist_cancel cancel = {0};
  const struct hoist_call_options options = {.cancel = &cancel};
  put_real_model(w, "lines/1", "mlsd");
  assert_string_equal(load_and_leave(w, "lines/1"), "miss");
  hoist_cancel(&cancel);
  enum hoist_status status = hoist_settle(w->hoist, &options, NULL, NULL, &w->err);
  assert_true(status == HOIST_CANCELLED);
  reopen(w);
  meddle(w, "! ls -d .hoist/graphs/*/new.* 2>/dev/null");
  assert_string_equal(load_and_leave(w, "lines/1"), "miss");
}

/* ---- verification beside the session ---- */

static void test_bytes_are_compared_beside_the_creation_of_the_session(void **state) {
  struct world *w = *state;
  put_real_model(w, "lines/1", "mlsd");
  w->config.verification = "sha256";
  reopen(w);
  load_and_leave(w, "lines/1");
  load_and_leave(w, "lines/1");
  const struct fake_span *root = last_span(w, "model.load"),
                         *create = last_span(w, "model.session.create"),
                         *read = last_span(w, "model.artifacts.load");
  assert_string_equal(fake_attr(read, "model.artifacts.verification"), "sha256");
  assert_int_equal(create->parent, root->index);
  assert_int_equal(read->parent, root->index);
  assert_true(create->start_ns < read->end_ns); /* side by side */
  assert_true(fake_span_count(w->tracer, "model.session.create") == 2);
}

static void test_a_session_on_bytes_that_turn_out_wrong_is_never_seen(void **state) {
  struct world *w = *state;
  put_real_model(w, "lines/1", "mlsd");
  w->config.verification = "sha256";
  reopen(w);
  load_and_leave(w, "lines/1");
  /* A flipped bit in the weights makes a session that computes something else. */
  meddle(w,
         "printf '\\001' | dd of=lines/1/weights.onnx bs=1 seek=3000000 conv=notrunc 2>/dev/null");
  struct hoist_model *model = load(w, "lines/1");
  assert_int_equal(hoist_model_info(model)->cache_hit, 0);
  assert_int_equal(fake_span_count(w->tracer, "model.artifacts.download"), 2);
  hoist_model_unref(model);
  w->config.offline = 1;
  reopen(w);
  meddle(w,
         "printf '\\002' | dd of=lines/1/weights.onnx bs=1 seek=3000000 conv=notrunc 2>/dev/null");
  assert_int_equal(hoist_load(w->hoist, "lines/1", NULL, &model, &w->err), HOIST_CORRUPT);
  assert_non_null(strstr(w->err.message, "weights.onnx: sha256 is"));
}

static void test_the_runtime_is_opened_while_a_model_is_fetched(void **state) {
  struct world *w = *state;
  load_and_leave(w, "faces/1");
  const struct fake_span *open = last_span(w, "model.runtime.open"),
                         *dlopen_span = last_span(w, "ort.dlopen");
  assert_int_equal(open->parent, last_span(w, "model.load")->index);
  if (dlopen_span) assert_int_equal(dlopen_span->parent, open->index);
  assert_true(open->start_ns <= last_span(w, "model.artifacts.download")->end_ns);
  put_real_model(w, "lines/1", "mlsd");
  load_and_leave(w, "lines/1"); /* it is open now */
  assert_int_equal(fake_span_count(w->tracer, "model.runtime.open"), 1);
}

/* ---- models in memory ---- */

static void test_models_are_kept_within_the_bound_and_shared(void **state) {
  struct world *w = *state;
  put_real_model(w, "voice/1", "silero");
  put_real_model(w, "lines/1", "mlsd");
  w->config.max_loaded_models = 2;
  reopen(w);
  struct hoist_model *faces = load(w, "faces/1");
  void *session = hoist_model_ort_session(faces);
  hoist_model_unref(faces);
  faces = load(w, "faces/1");
  assert_ptr_equal(hoist_model_ort_session(faces), session);
  assert_string_equal(fake_attr(last_span(w, "model.load"), "model.shared"), "true");
  hoist_model_unref(faces);
  load_and_leave(w, "voice/1");
  assert_int_equal((int)fake_metric_sum(w->tracer, "inference.models.loaded", ""), 2);
  load_and_leave(w, "lines/1");
  assert_int_equal((int)fake_metric_sum(w->tracer, "inference.models.loaded", ""), 2);
  assert_int_equal((int)fake_metric_sum(w->tracer, "inference.model.unloads", "model.id=faces/1"),
                   1);
  hoist_unload(w->hoist, "lines/1");
  assert_int_equal((int)fake_metric_sum(w->tracer, "inference.models.loaded", ""), 1);
  reopen(w);
  assert_int_equal((int)fake_metric_sum(w->tracer, "inference.models.loaded", ""), 0);
}

static void test_a_model_in_use_outlives_its_unloading_and_the_hoist_object(void **state) {
  struct world *w = *state;
  w->config.max_loaded_bytes = 1; /* nothing fits */
  reopen(w);
  struct hoist_model *first = load(w, "faces/1");
  hoist_unload(w->hoist, "faces/1");
  struct hoist_model *second = load(w, "faces/1");
  assert_ptr_not_equal(first, second);
  assert_non_null(hoist_model_ort_session(first));
  hoist_close(w->hoist);
  assert_int_equal(hoist_model_info(first)->input_count, 1);
  hoist_model_unref(hoist_model_ref(first));
  hoist_model_unref(first);
  hoist_model_unref(second);
  open_world(w);
  assert_int_equal((int)fake_metric_sum(w->tracer, "inference.models.loaded", ""), 0);
}

/* ---- what else a session is told ---- */

static void test_a_warm_up_is_a_run_of_its_own_span(void **state) {
  struct world *w = *state;
  w->config.warm_up = 1;
  reopen(w);
  load_and_leave(w, "faces/1");
  const struct fake_span *run = last_span(w, "ort.first_run");
  assert_int_equal(run->parent, last_span(w, "model.load")->index);
  assert_int_equal(run->errors, 0);
  assert_string_equal(w->warnings, "");
}

static void test_a_warm_up_that_does_not_work_is_a_warning(void **state) {
  struct world *w = *state;
  HOIST_AUTO(buf) struct buf model = buf_make(1 << 20);
  const struct onnx_spec spec = {.type = 8, .dims = {{2, NULL}}, .dim_count = 1};
  onnx_write(&spec, &model);
  put_file(w, "words/1", "weights.onnx", model.data, model.size);
  w->config.warm_up = 1;
  reopen(w);
  load_and_leave(w, "words/1");
  assert_int_equal(last_span(w, "ort.first_run")->errors, 1);
  assert_non_null(strstr(w->warnings, "the first run was left out"));
}

static void test_a_provider_that_is_not_there_is_told_of_everywhere(void **state) {
  struct world *w = *state;
  w->config.providers = "Nonsense,CPU";
  reopen(w);
  struct hoist_model *model = load(w, "faces/1");
  assert_string_equal(hoist_model_info(model)->execution_provider, "CPUExecutionProvider");
  assert_non_null(strstr(hoist_model_info(model)->refused_providers, "Nonsense: "));
  assert_non_null(strstr(w->warnings, "Nonsense"));
  assert_non_null(
      strstr(fake_attr(last_span(w, "model.session.create"), "onnxruntime.refused_providers"),
             "Nonsense"));
  hoist_model_unref(model);
  w->config.providers = "Nonsense!";
  reopen(w);
  assert_int_equal(hoist_load(w->hoist, "faces/1", NULL, &model, &w->err), HOIST_UNSUPPORTED);
  assert_non_null(strstr(w->err.message, "Nonsense is required"));
}

static void test_settings_that_make_no_sense_do_not_open(void **state) {
  struct world *w = *state;
  struct hoist *hoist = NULL;
  struct hoist_config bad[] = {w->config, w->config, w->config, w->config};
  bad[0].providers = "CUDA(";
  bad[1].session_config = "nothing";
  bad[2].graph_cache = "sometimes";
  bad[3].verification = "md5";
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(hoist_open(&bad[i], &hoist, &w->err), HOIST_INVALID);
}

static void test_custom_operators_that_are_missing_are_named(void **state) {
  struct world *w = *state;
  struct hoist_model *model = NULL;
  w->config.custom_ops = "/nowhere/ops.so";
  reopen(w);
  assert_int_equal(hoist_load(w->hoist, "faces/1", NULL, &model, &w->err), HOIST_UNSUPPORTED);
  assert_non_null(strstr(w->err.message, "custom_ops"));
}

/* ---- many at once ---- */

static void *load_many(void *user) {
  struct world *w = user;
  static const char *const ids[] = {"faces/1", "voice/1", "lines/1"};
  for (int i = 0; i < 6; i++) {
    struct hoist_model *model = NULL;
    const char *id = ids[i % 3];
    if (hoist_load(w->hoist, id, NULL, &model, NULL) != HOIST_OK) return w;
    if (i == 4) hoist_unload(w->hoist, id);
    if (hoist_model_info(model)->output_count == 0) return w;
    hoist_model_unref(model);
  }
  return NULL;
}

static void test_threads_load_while_graphs_are_saved(void **state) {
  struct world *w = *state;
  pthread_t threads[4];
  put_real_model(w, "voice/1", "silero");
  put_real_model(w, "lines/1", "mlsd");
  w->config.max_loaded_models = 2;
  w->config.telemetry = NULL; /* it remembers a limited number of spans */
  reopen(w);
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, load_many, w), 0);
  for (int i = 0; i < 4; i++) {
    void *problem = NULL;
    pthread_join(threads[i], &problem);
    assert_null(problem);
  }
  assert_int_equal(hoist_settle(w->hoist, NULL, NULL, NULL, NULL), HOIST_OK);
  reopen(w);
  assert_string_equal(load_and_leave(w, "faces/1"), "hit");
}

int main(void) {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define G(test) cmocka_unit_test_setup_teardown(test, set_up_with_graphs, tear_down)
  const struct CMUnitTest tests[] = {
      G(test_a_graph_is_saved_in_the_background_and_used_from_then_on),
      T(test_a_graph_may_be_saved_before_the_load_returns),
      T(test_it_can_be_switched_off),
      G(test_a_damaged_graph_costs_time_and_nothing_else),
      G(test_a_graph_that_the_runtime_does_not_open_is_refused),
      G(test_a_graph_of_other_options_is_another_graph),
      G(test_what_is_not_worth_it_is_not_tried_again),
      G(test_a_model_with_weights_in_another_file_loads_and_loads_again),
      G(test_a_saved_graph_counts_in_the_bound_of_the_cache),
      G(test_closing_waits_for_the_graph_that_is_being_saved),
      G(test_a_settling_that_is_called_off_says_so_and_gives_the_graph_up),
      T(test_bytes_are_compared_beside_the_creation_of_the_session),
      T(test_a_session_on_bytes_that_turn_out_wrong_is_never_seen),
      T(test_the_runtime_is_opened_while_a_model_is_fetched),
      T(test_models_are_kept_within_the_bound_and_shared),
      T(test_a_model_in_use_outlives_its_unloading_and_the_hoist_object),
      T(test_a_warm_up_is_a_run_of_its_own_span),
      T(test_a_warm_up_that_does_not_work_is_a_warning),
      T(test_a_provider_that_is_not_there_is_told_of_everywhere),
      T(test_settings_that_make_no_sense_do_not_open),
      T(test_custom_operators_that_are_missing_are_named),
      G(test_threads_load_while_graphs_are_saved),
  };
  return cmocka_run_group_tests_name("graph_loads", tests, NULL, NULL);
}
