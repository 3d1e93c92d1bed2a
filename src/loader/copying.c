/* SPDX-License-Identifier: Apache-2.0 */
/* hoist_copy: a place's files into a directory, beside the cache and without it. */
#include "copy.h"
#include "metrics.h"
#include "operation.h"
#include "place.h"
#include "text.h"

static void describe_request(struct operation *op, const char *place, const char *directory) {
  /* An id that is none: what the copy goes by in progress events and traces. */
  text_copy(op->id.text, sizeof op->id.text, place);
  hoist_span_set_string(&op->span, "copy.place", op->id.text);
  hoist_span_set_string(&op->span, "copy.directory", directory);
}

static void describe_result(struct operation *op, const struct hoist_copy_result *r) {
  hoist_span_set_int(&op->span, "copy.files", (int64_t)r->files);
  hoist_span_set_int(&op->span, "copy.bytes", (int64_t)r->bytes);
  hoist_span_set_int(&op->span, "copy.copied_files", (int64_t)r->copied_files);
  hoist_span_set_int(&op->span, "copy.copied_bytes", (int64_t)r->copied_bytes);
  hoist_span_set_int(&op->span, "copy.resumed_bytes", (int64_t)r->resumed_bytes);
  hoist_span_set_int(&op->span, "copy.unchanged_files", (int64_t)r->unchanged_files);
  hoist_span_set_int(&op->span, "copy.excluded_files", (int64_t)r->excluded_files);
}

static enum hoist_status check(const struct operation *op, const char *place, const char *directory,
                               struct hoist_error *err) {
  if (!place || !*place) return hoist_fail(err, HOIST_INVALID, "no place to copy from was given");
  if (!directory || !*directory)
    return hoist_fail(err, HOIST_INVALID, "no directory to copy to was given");
  if (op->hoist->offline && text_starts_with(place, "s3://"))
    return hoist_fail(err, HOIST_UNAVAILABLE,
                      "%.200s cannot be copied: offline mode is on (OFFLINE_MODE)", place);
  return HOIST_OK;
}

static enum hoist_status copy(struct operation *op, const char *text, const char *directory,
                              const struct hoist_copy_options *options,
                              struct hoist_copy_result *result) {
  HOIST_AUTO(place) struct place place = {0};
  struct hoist *hoist = op->hoist;
  enum hoist_status status = check(op, text, directory, &op->error);
  if (status != HOIST_OK) return status;
  describe_request(op, text, directory);
  status = place_open(&hoist->config, hoist->http, text, &place, &op->error);
  if (status != HOIST_OK) return status;
  struct source *source = place.chain.sources[0];
  hoist_span_set_string(&op->span, "model.artifacts.source", source->name);
  const struct copy_request request = {.source = source,
                                       .below = place.below,
                                       .directory = directory,
                                       .rules = options ? options->rules : NULL,
                                       .rule_count = options ? options->rule_count : 0,
                                       .unpack = options ? options->unpack : 0,
                                       .connections = hoist->connections,
                                       .patience_ns = hoist->lock_timeout_ns};
  status = copy_run(&op->call, &request, result, &op->error);
  if (status == HOIST_CORRUPT)
    hoist_error_advise(&op->error, "try again, and check the file where it comes from");
  describe_result(op, result);
  metrics_artifact_bytes(&op->span, hoist->telemetry, source->name, hoist_status_name(status),
                         result->copied_bytes);
  if (status == HOIST_OK)
    operation_report(op, (struct hoist_progress){.kind = HOIST_PROGRESS_DONE});
  return status;
}

enum hoist_status hoist_copy(struct hoist *hoist, const char *place, const char *directory,
                             const struct hoist_copy_options *copy_options,
                             const struct hoist_call_options *options,
                             struct hoist_copy_result *ret_result, struct hoist_error *err) {
  struct operation op;
  struct hoist_copy_result result = {0};
  enum hoist_status status = operation_begin_on_cache(&op, hoist, "artifacts.copy", options);
  if (status == HOIST_OK) status = copy(&op, place, directory, copy_options, &result);
  result.seconds = operation_seconds(&op);
  status = operation_end(&op, status, err);
  if (status == HOIST_OK && ret_result) *ret_result = result;
  return status;
}
