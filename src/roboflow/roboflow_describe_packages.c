/* SPDX-License-Identifier: Apache-2.0 */
/* The packages of a model: all pages of them, and the one that is chosen. Any thread. */
#include <stdio.h>
#include <string.h>

#include <hoist/hoist.h>

#include "path_rule.h"
#include "roboflow_describe_internal.h"
#include "task.h"

#define MAX_PAGES 10

static enum hoist_status ask_pages(const struct call *call, const struct description *d,
                                   struct roboflow_packages *packages, struct hoist_error *err) {
  HOIST_AUTO(mem) char *page = NULL;
  enum hoist_status status = HOIST_OK;
  for (int i = 0; status == HOIST_OK && i < MAX_PAGES && (i == 0 || (page && *page)); i++) {
    HOIST_AUTO(buf) struct buf body = {0};
    HOIST_AUTO(mem) char *next = NULL;
    status = roboflow_ask(call, d->client, ROBOFLOW_PACKAGES, d->id, page, &body, err);
    if (status != HOIST_OK) return status;
    status =
        roboflow_read_page(buf_str(&body), body.size, d->client->verify_md5, packages, &next, err);
    free(page);
    page = HOIST_TAKE(next);
  }
  char shown[PATH_SHOWN_SIZE];
  if (status != HOIST_OK) hoist_error_prepend(err, "model \"%s\"", path_shown(d->id->text, shown));
  return status;
}

static void warn_of_odd_packages(const struct call *call, const struct description *d,
                                 const struct roboflow_packages *packages) {
  char message[HOIST_ERROR_MESSAGE_SIZE], shown[PATH_SHOWN_SIZE];
  const struct roboflow_package *first = NULL;
  size_t count = 0;
  for (size_t i = 0; i < packages->count; i++) {
    if (!packages->items[i].is_odd) continue;
    if (!first) first = &packages->items[i];
    count++;
  }
  if (!first || d->wanted != ROBOFLOW_WANT_ALL) return;
  snprintf(message, sizeof message, "model \"%s\": %zu of %zu packages skipped; %.64s: %s",
           path_shown(d->id->text, shown), count, packages->count,
           first->id ? first->id : "one without an id", first->problem);
  const struct hoist_attr text = {
      .key = "message", .type = HOIST_ATTR_STRING, .value = {.string = message}};
  hoist_span_add_event(call->span, "hoist.warning", &text, 1);
  const struct hoist_progress event = {.kind = HOIST_PROGRESS_WARNING, .message = message};
  if (call->progress) call->progress(call->progress_user, &event);
}

static void visit_packages(const struct description *d, const struct roboflow_packages *packages,
                           size_t chosen) {
  char facts[ROBOFLOW_FACTS_SIZE], reason[ROBOFLOW_REASON_SIZE];
  for (size_t i = 0; i < packages->count; i++) {
    const struct roboflow_package *package = &packages->items[i];
    const struct source_candidate candidate = {
        .endpoint = roboflow_endpoint(ROBOFLOW_PACKAGES),
        .package_id = package->id,
        .facts = roboflow_package_facts(package, facts),
        .is_chosen = i == chosen,
        .reason = roboflow_reason(packages, &d->client->wish, chosen, i, reason),
    };
    roboflow_visit(d, &candidate);
  }
}

static enum hoist_status fail_unusable(const struct description *d,
                                       const struct roboflow_packages *packages,
                                       struct hoist_error *err) {
  char shown[PATH_SHOWN_SIZE];
  const char *id = path_shown(d->id->text, shown);
  if (packages->dependencies)
    return hoist_fail(
        err, HOIST_UNSUPPORTED,
        "model \"%s\" does not work without other models (%.128s), and hoist does not "
        "put models together: pull each by its id",
        id, packages->dependencies);
  if (packages->count == 0)
    return hoist_fail(
        err, HOIST_UNSUPPORTED,
        "model \"%s\": the Roboflow API has no package of it: export it there as ONNX", id);
  const struct roboflow_package *first = &packages->items[0];
  return hoist_fail(
      err, HOIST_UNSUPPORTED,
      "model \"%s\": none of its %zu packages can be used here; %.64s: %s (all: hoist "
      "info --why)",
      id, packages->count, first->id ? first->id : "the first", first->problem);
}

/* Under the name by which the reference server looks for it. */
static enum hoist_status name_weights(struct manifest *m, struct hoist_error *err) {
  const char *name = task_weights_name(m->task_type, m->model_type);
  if (manifest_find(m, name)) return HOIST_OK;
  for (size_t i = 0; i < m->file_count; i++) {
    if (strcmp(m->files[i].name, "weights.onnx") != 0) continue;
    char *copy = strdup(name);
    if (!copy) return hoist_fail_memory(err, "a manifest");
    free(m->files[i].name);
    m->files[i].name = copy;
  }
  return HOIST_OK;
}

static enum hoist_status take_package(struct roboflow_packages *packages, size_t chosen,
                                      struct manifest *ret_manifest, struct hoist_error *err) {
  struct roboflow_package *package = &packages->items[chosen];
  struct manifest m = package->files;
  package->files = (struct manifest){0};
  m.package_id = HOIST_TAKE(package->id);
  m.task_type = HOIST_TAKE(packages->task_type);
  m.model_type = HOIST_TAKE(packages->model_type);
  m.model_variant = HOIST_TAKE(packages->model_variant);
  *ret_manifest = m;
  return name_weights(ret_manifest, err);
}

enum hoist_status roboflow_describe_by_packages(const struct call *call, struct description *d,
                                                struct hoist_error *err) {
  HOIST_AUTO(roboflow_packages) struct roboflow_packages packages = {0};
  enum hoist_status status = ask_pages(call, d, &packages, err);
  if (status != HOIST_OK) return status;
  size_t chosen =
      packages.dependencies ? ROBOFLOW_NONE : roboflow_choose(&packages, &d->client->wish);
  warn_of_odd_packages(call, d, &packages);
  visit_packages(d, &packages, chosen);
  if (chosen == ROBOFLOW_NONE) return fail_unusable(d, &packages, err);
  d->is_makeshift = !packages.items[chosen].is_complete;
  return take_package(&packages, chosen, &d->manifest, err);
}
