/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_hoist.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "dispatch.h"
#include "err.h"
#include "text.h"

struct fake_hoist fake_hoist;

struct hoist {
  struct hoist_telemetry *telemetry;
};

struct hoist_model {
  struct hoist_info info;
};

static struct hoist object;

void fake_hoist_reset(void) {
  fake_hoist = (struct fake_hoist){0};
}

const char *hoist_version(void) {
  return "9.8.7";
}

void hoist_cancel(struct hoist_cancel *cancel) {
  cancel->private_ = 1;
}

enum hoist_status hoist_open(const struct hoist_config *config, struct hoist **ret_hoist,
                             struct hoist_error *err) {
  if (fake_hoist.open_status != HOIST_OK)
    return hoist_fail(err, fake_hoist.open_status, "/cache: read-only");
  fake_hoist.opened++;
  text_copy(fake_hoist.cache_dir, sizeof fake_hoist.cache_dir,
            config->cache_dir ? config->cache_dir : "");
  text_copy(fake_hoist.sources, sizeof fake_hoist.sources, config->sources ? config->sources : "");
  object.telemetry = config->telemetry;
  fake_hoist.propagators = telemetry_propagators(config->telemetry);
  *ret_hoist = &object;
  return HOIST_OK;
}

void hoist_close(struct hoist *hoist) {
  if (hoist) fake_hoist.closed++;
}

/* ---- models ---------------------------------------------------------------------------------- */

/* Loads may come from two threads at once. */
static pthread_mutex_t options_lock = PTHREAD_MUTEX_INITIALIZER;

static void note_options(const struct hoist_call_options *options) {
  pthread_mutex_lock(&options_lock);
  fake_hoist.timeout_ms = options->timeout_ms;
  fake_hoist.has_cancel = options->cancel != NULL;
  fake_hoist.parent =
      options->remote_parent ? *options->remote_parent : (struct hoist_span_context){0};
  if (fake_hoist.parent.tracestate)
    text_copy(fake_hoist.tracestate, sizeof fake_hoist.tracestate, fake_hoist.parent.tracestate);
  fake_hoist.parent.tracestate = NULL;
  if (options->baggage) hoist_baggage_format(options->baggage, fake_hoist.baggage);
  pthread_mutex_unlock(&options_lock);
}

static enum hoist_status verdict(const char *id, struct hoist_error *err) {
  for (int status = HOIST_INVALID; status <= HOIST_INTERNAL; status++) {
    const char *name = hoist_status_name((enum hoist_status)status);
    if (!text_starts_with(id, name)) continue;
    hoist_fail(err, (enum hoist_status)status, "%s: it is %s", id, name);
    if (err && status == HOIST_DENIED) err->http_status = 403;
    return (enum hoist_status)status;
  }
  return HOIST_OK;
}

static void child(const struct hoist_span *parent, const char *name, uint64_t from_ns,
                  uint64_t to_ns, const struct hoist_error *failure) {
  struct hoist_span span;
  hoist_span_start_at(parent, name, HOIST_SPAN_INTERNAL, from_ns, &span);
  hoist_span_set_string(&span, "model.artifacts.source", "s3");
  hoist_span_set_int(&span, "model.artifacts.bytes", 442000);
  if (failure) hoist_span_record_error(&span, failure);
  hoist_span_end_at(&span, to_ns);
}

static void record(struct hoist *hoist, const char *name, const char *id,
                   const struct hoist_call_options *options, const struct hoist_error *failure) {
  struct hoist_span span;
  hoist_span_start_root(hoist->telemetry, name, HOIST_SPAN_INTERNAL, options->remote_parent, &span);
  uint64_t now = clock_realtime_ns();
  hoist_span_set_string(&span, "model.id", id);
  child(&span, "model.artifacts.download", now, now + 60 * NS_PER_MS, failure);
  if (!failure)
    child(&span, "model.session.create", now + 60 * NS_PER_MS, now + 100 * NS_PER_MS, NULL);
  if (failure) hoist_span_record_error(&span, failure);
  hoist_span_end_at(&span, now + 100 * NS_PER_MS);
}

static void tell_progress(const struct hoist_call_options *options, const char *id) {
  static const enum hoist_progress_kind kinds[] = {HOIST_PROGRESS_SOURCE, HOIST_PROGRESS_FILE,
                                                   HOIST_PROGRESS_DONE};
  for (size_t i = 0; options->progress && i < 3; i++) {
    const struct hoist_progress event = {.kind = kinds[i],
                                         .model_id = id,
                                         .source = "s3",
                                         .file = "weights.onnx",
                                         .bytes = 442000,
                                         .file_bytes = 442000,
                                         .file_done = 1,
                                         .file_count = 1,
                                         .files_done = 1,
                                         .total_done = 442000,
                                         .total_bytes = 442000};
    options->progress(options->progress_user, &event);
  }
}

static const struct hoist_file the_file = {"weights.onnx", 442000, "ab"};

static struct hoist_info *info_new(const char *id, int loaded) {
  struct hoist_info *info = calloc(1, sizeof *info);
  if (!info) abort();
  *info = (struct hoist_info){.model_id = text_dup(id),
                              .directory = "/cache/x",
                              .source = "s3",
                              .total_bytes = 442000,
                              .files = &the_file,
                              .file_count = 1,
                              .weights = "weights.onnx",
                              .downloaded_bytes = 442000,
                              .load_time_s = 0.1,
                              .onnxruntime_version = loaded ? "1.30.0" : NULL};
  fake_hoist.models_held++;
  return info;
}

void hoist_info_free(struct hoist_info *info) {
  if (!info) return;
  free((char *)(uintptr_t)info->model_id);
  free(info);
  fake_hoist.models_held--;
}

static enum hoist_status bring(struct hoist *hoist, const char *span_name, const char *id,
                               const struct hoist_call_options *options, struct hoist_error *err) {
  struct hoist_error failure;
  enum hoist_status status = verdict(id, &failure);
  note_options(options);
  tell_progress(options, id);
  record(hoist, span_name, id, options, status == HOIST_OK ? NULL : &failure);
  if (status != HOIST_OK && err) *err = failure;
  return status;
}

enum hoist_status hoist_load(struct hoist *hoist, const char *model_id,
                             const struct hoist_call_options *options,
                             struct hoist_model **ret_model, struct hoist_error *err) {
  fake_hoist.loads++;
  enum hoist_status status = bring(hoist, "model.load", model_id, options, err);
  if (status == HOIST_OK) *ret_model = (struct hoist_model *)info_new(model_id, 1);
  return status;
}

void hoist_model_unref(struct hoist_model *model) {
  hoist_info_free((struct hoist_info *)model);
}

const struct hoist_info *hoist_model_info(const struct hoist_model *model) {
  return &model->info;
}

enum hoist_status hoist_pull(struct hoist *hoist, const char *model_id,
                             const struct hoist_call_options *options, struct hoist_info **ret_info,
                             struct hoist_error *err) {
  fake_hoist.pulls++;
  enum hoist_status status = bring(hoist, "model.pull", model_id, options, err);
  if (status == HOIST_OK) *ret_info = info_new(model_id, 0);
  return status;
}

/* ---- the cache ------------------------------------------------------------------------------- */

enum hoist_status hoist_inspect(struct hoist *hoist, const char *model_id,
                                const struct hoist_call_options *options,
                                struct hoist_info **ret_info, struct hoist_error *err) {
  enum hoist_status status = verdict(model_id, err);
  if (status == HOIST_OK) *ret_info = info_new(model_id, 1);
  return status;
}

enum hoist_status hoist_explain(struct hoist *hoist, const char *model_id,
                                const struct hoist_call_options *options,
                                void (*report)(void *user, const struct hoist_candidate *candidate),
                                void *user, struct hoist_error *err) {
  static const struct hoist_candidate candidates[] = {
      {"roboflow_api", "/weights", "exact", "ONNX, fp32", 1, "its quantization is preferred"},
      {"roboflow_api", "/weights", "ha\x1blf", "ONNX, fp16", 0,
       "another quantization is preferred"},
      {"roboflow_api", "/ort", NULL, NULL, 0, "not asked"},
      {"s3", NULL, NULL, NULL, 0, "not asked"},
  };
  for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++)
    report(user, &candidates[i]);
  return verdict(model_id, err);
}

enum hoist_status hoist_verify(struct hoist *hoist, const char *model_id,
                               const struct hoist_call_options *options, uint64_t *ret_bytes,
                               struct hoist_error *err) {
  fake_hoist.verifies++;
  enum hoist_status status = verdict(model_id, err);
  if (status == HOIST_OK) *ret_bytes = 442000;
  return status;
}

enum hoist_status hoist_remove(struct hoist *hoist, const char *model_id,
                               const struct hoist_call_options *options, uint64_t *ret_freed_bytes,
                               struct hoist_error *err) {
  fake_hoist.removes++;
  enum hoist_status status = verdict(model_id, err);
  if (status == HOIST_OK) *ret_freed_bytes = 442000;
  return status;
}

enum hoist_status hoist_list(struct hoist *hoist,
                             int (*visit)(void *user, const struct hoist_list_item *item),
                             void *user, struct hoist_error *err) {
  if (fake_hoist.list_status != HOIST_OK)
    return hoist_fail(err, fake_hoist.list_status, "/cache cannot be read");
  for (int i = 0; i < fake_hoist.list_count; i++) {
    char id[32];
    snprintf(id, sizeof id, "m%d/1", i);
    const struct hoist_list_item item = {.model_id = id,
                                         .directory = "/cache/x",
                                         .source = "s3",
                                         .size_bytes = 442000,
                                         .file_count = 3,
                                         .problem = i == 0 ? fake_hoist.list_problem : NULL};
    if (visit(user, &item)) break;
  }
  return HOIST_OK;
}

enum hoist_status hoist_gc(struct hoist *hoist, const struct hoist_gc_options *gc,
                           const struct hoist_call_options *options,
                           struct hoist_gc_result *ret_result, struct hoist_error *err) {
  const struct hoist_gc_item items[] = {
      {.model_id = "old/1", .path = "old/1", .reason = "size", .size_bytes = 442000},
      {.path = ".hoist/staging/x.1", .reason = "staging", .size_bytes = 1000},
      {.path = ".hoist/locks/x.lock", .reason = "lock"},
  };
  fake_hoist.gc = *gc;
  for (size_t i = 0; i < 3; i++)
    gc->removed(gc->user, &items[i]);
  if (fake_hoist.gc_status != HOIST_OK)
    return hoist_fail(err, fake_hoist.gc_status, "/cache cannot be cleaned up");
  *ret_result = (struct hoist_gc_result){.removed_models = 1,
                                         .removed_leftovers = 1,
                                         .removed_locks = 1,
                                         .freed_bytes = 443000,
                                         .busy_models = fake_hoist.gc_busy,
                                         .models = 2,
                                         .models_bytes = 884000};
  return HOIST_OK;
}

enum hoist_status hoist_diagnose(struct hoist *hoist, const struct hoist_call_options *options,
                                 void (*report)(void *user, const struct hoist_finding *finding),
                                 void *user, struct hoist_error *err) {
  const struct hoist_finding findings[] = {
      {.subject = "cache", .detail = "/cache, writable"},
      {.subject = "file locks", .detail = "are tried later", .skipped = 1},
      {.subject = "source s3", .status = fake_hoist.finding_status, .detail = "bucket models"},
  };
  for (size_t i = 0; i < 3; i++)
    report(user, &findings[i]);
  if (fake_hoist.diagnose_status != HOIST_OK)
    return hoist_fail(err, fake_hoist.diagnose_status, "out of time");
  return HOIST_OK;
}

enum hoist_status hoist_settle(struct hoist *hoist, const struct hoist_call_options *options,
                               void (*report)(void *user, const struct hoist_graph_report *report),
                               void *user, struct hoist_error *err) {
  const struct hoist_graph_report saved = {.model_id = "good/1",
                                           .message = "saved",
                                           .weights_s = 0.036,
                                           .graph_s = 0.0097,
                                           .bytes = 666432};
  fake_hoist.settles++;
  if (fake_hoist.saves_graph) report(user, &saved);
  return HOIST_OK;
}

/* ---- copies and offers ------------------------------------------------------------------------ */

static void note_copy(const char *text, const char *more) {
  size_t size = strlen(fake_hoist.copied);
  snprintf(fake_hoist.copied + size, sizeof fake_hoist.copied - size, "%s%s", text, more);
}

enum hoist_status hoist_copy(struct hoist *hoist, const char *place, const char *directory,
                             const struct hoist_copy_options *copy,
                             const struct hoist_call_options *options,
                             struct hoist_copy_result *ret_result, struct hoist_error *err) {
  note_options(options);
  note_copy(place, " > ");
  note_copy(directory, "");
  for (size_t i = 0; copy && i < copy->rule_count; i++)
    note_copy(copy->rules[i].include ? " +" : " -", copy->rules[i].pattern);
  note_copy("\n", "");
  enum hoist_status status = verdict(strrchr(place, '/') + 1, err);
  if (status == HOIST_OK && ret_result) *ret_result = fake_hoist.copy_result;
  return status;
}

enum hoist_status hoist_offers(struct hoist *hoist, const char *source,
                               const struct hoist_call_options *options,
                               int (*visit)(void *user, const struct hoist_offer *offer),
                               void *user, struct hoist_error *err) {
  char id[32];
  note_options(options);
  text_copy(fake_hoist.offers_source, sizeof fake_hoist.offers_source, source ? source : "");
  for (int i = 0; i < fake_hoist.offer_count; i++) {
    snprintf(id, sizeof id, "m%d/1", i);
    const struct hoist_offer offer = {.model_id = id,
                                      .source = "s3",
                                      .location = "s3://bucket/",
                                      .size_bytes = 1000000u * (unsigned)(i + 1),
                                      .file_count = 3,
                                      .modified_unix_s = i == 0 ? 0 : 1,
                                      .in_cache = i == 1};
    if (visit(user, &offer) != 0) return HOIST_OK;
  }
  if (fake_hoist.offers_problem) {
    const struct hoist_offer offer = {
        .source = "dir", .location = "/models", .problem = fake_hoist.offers_problem};
    if (visit(user, &offer) != 0) return HOIST_OK;
  }
  if (fake_hoist.offers_status == HOIST_OK) return HOIST_OK;
  return hoist_fail(err, fake_hoist.offers_status, "%s", fake_hoist.offers_problem);
}
