/* SPDX-License-Identifier: Apache-2.0 */
/* Self-examination: tries what a load would need and says what it found. */
#include <stdio.h>
#include <unistd.h>

#include "operation.h"
#include "session.h"

/* No source is expected to have it; being told so in good order is what a healthy source does. */
#define PROBE_ID "hoist-doctor-probe/1"

struct examination {
  struct operation *op;
  void (*report)(void *user, const struct hoist_finding *finding);
  void *user;
};

static void report(const struct examination *x, const char *subject, enum hoist_status status,
                   const char *detail) {
  const struct hoist_finding finding = {.subject = subject, .status = status, .detail = detail};
  x->report(x->user, &finding);
}

/* It was not tried, or does not apply. */
static void report_skipped(const struct examination *x, const char *subject, const char *detail) {
  const struct hoist_finding finding = {.subject = subject, .detail = detail, .skipped = 1};
  x->report(x->user, &finding);
}

static void examine_cache(const struct examination *x) {
  const char *root = cache_root(x->op->hoist->cache);
  char detail[HOIST_ERROR_MESSAGE_SIZE];
  if (access(root, W_OK) != 0) {
    snprintf(detail, sizeof detail,
             "%s, read-only: what is in it loads, nothing can be fetched into it", root);
    report(x, "cache", HOIST_OK, detail);
    return;
  }
  snprintf(detail, sizeof detail, "%s, writable", root);
  report(x, "cache", HOIST_OK, detail);
}

static void examine_locks(const struct examination *x) {
  struct cache *cache = x->op->hoist->cache;
  char detail[HOIST_ERROR_MESSAGE_SIZE];
  switch (cache_locks(cache)) {
  case CACHE_LOCKS_WORK:
    report(x, "file locks", HOIST_OK,
           "work: processes that share the cache keep out of each other's way");
    return;
  case CACHE_LOCKS_DO_NOTHING:
    snprintf(
        detail, sizeof detail,
        "do nothing in %.256s, as on some network file systems: processes that load one model at "
        "once may disturb each other; set HOIST_CACHE_DIR to a local directory",
        cache_root(cache));
    report(x, "file locks", HOIST_UNSUPPORTED, detail);
    return;
  case CACHE_LOCKS_UNKNOWN:
    report_skipped(x, "file locks", "are tried when the first model is fetched");
    return;
  }
}

static void report_place(void *user, const struct aws_finding *finding) {
  char subject[64];
  snprintf(subject, sizeof subject, "aws %s", finding->place);
  if (finding->skipped)
    report_skipped(user, subject, finding->detail);
  else
    report(user, subject, finding->status, finding->detail);
}

/* Where the S3 sources get their credentials from. */
static enum hoist_status examine_aws(const struct examination *x) {
  struct operation *op = x->op;
  if (op->hoist->offline) return HOIST_OK;
  if (!op->hoist->chain.aws) {
    report_skipped(x, "aws",
                   "no S3 source is configured (INFER_BUCKET): credentials are not looked for");
    return HOIST_OK;
  }
  if (op->hoist->anonymous) {
    report(x, "aws", HOIST_OK, "requests are not signed: HOIST_S3_ANONYMOUS is set");
    return HOIST_OK;
  }
  return aws_examine(&op->call, op->hoist->chain.aws, report_place, (void *)(uintptr_t)x,
                     &op->error);
}

static void examine_source(const struct examination *x, struct source *source) {
  struct operation *op = x->op;
  HOIST_AUTO(manifest) struct manifest m = {0};
  char subject[64], detail[HOIST_ERROR_MESSAGE_SIZE];
  snprintf(subject, sizeof subject, "source %s", source->name);
  enum hoist_status status = source->ops->describe(&op->call, source, &op->id, &m, &op->error);
  if (status == HOIST_OK || status == HOIST_NOT_FOUND) {
    snprintf(detail, sizeof detail, "%s answers", source->location);
    report(x, subject, HOIST_OK, detail);
    return;
  }
  report(x, subject, status, op->error.message);
}

static void examine_runtime(const struct examination *x) {
  struct operation *op = x->op;
  struct ort *ort = NULL;
  char detail[HOIST_ERROR_MESSAGE_SIZE];
  enum hoist_status status = ort_open(&op->call, op->hoist->onnxruntime, &ort, &op->error);
  if (status != HOIST_OK) {
    report(x, "onnxruntime", status, op->error.message);
    return;
  }
  char providers[160];
  ort_list_providers(ort, providers, sizeof providers);
  snprintf(detail, sizeof detail, "%s, %.256s; providers: %s", ort_version(ort), ort_path(ort),
           providers);
  report(x, "onnxruntime", HOIST_OK, detail);
  ort_close(ort);
}

static enum hoist_status examine(const struct examination *x) {
  struct operation *op = x->op;
  const struct chain *chain = &op->hoist->chain;
  examine_cache(x);
  examine_locks(x);
  if (chain->count == 0)
    report(x, "sources", HOIST_INVALID,
           "none is configured, only cached models can be loaded: set INFER_BUCKET, "
           "ROBOFLOW_API_KEY or HOIST_SOURCES");
  enum hoist_status status = examine_aws(x);
  if (status != HOIST_OK) return status;
  for (size_t i = 0; i < chain->count && !op->hoist->offline; i++) {
    status = call_check(&op->call, "examining the sources", &op->error);
    if (status != HOIST_OK) return status;
    examine_source(x, chain->sources[i]);
  }
  examine_runtime(x);
  return call_check(&op->call, "examining", &op->error);
}

enum hoist_status hoist_diagnose(struct hoist *hoist, const struct hoist_call_options *options,
                                 void (*report_to)(void *user, const struct hoist_finding *finding),
                                 void *user, struct hoist_error *err) {
  struct operation op;
  const struct examination x = {.op = &op, .report = report_to, .user = user};
  enum hoist_status status = operation_begin(&op, hoist, "hoist.diagnose", PROBE_ID, options);
  if (status == HOIST_OK) status = examine(&x);
  return operation_end(&op, status, err);
}
