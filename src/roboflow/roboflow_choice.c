/* SPDX-License-Identifier: Apache-2.0 */
/* A list of criteria, each of which compares two packages; the first that tells them apart decides, and is the
 * reason. Pure; any thread. */
#include "roboflow_choice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "task.h"
#include "text.h"

#define PROVIDER_SUFFIX "ExecutionProvider"

/* ---- wishes ----------------------------------------------------------------------------------- */

static size_t rank_of(const struct roboflow_wish *wish, enum roboflow_quantization quantization) {
  size_t i = 0;
  while (i < ROBOFLOW_QUANTIZATIONS - 1 && wish->quantizations[i] != quantization)
    i++;
  return i;
}

static enum hoist_status add_wish(struct roboflow_wish *wish, size_t *count, const char *name,
                                  size_t size, struct hoist_error *err) {
  enum roboflow_quantization q;
  if (!roboflow_quantization_scan(name, size, &q))
    return hoist_fail(err, HOIST_INVALID,
                      "quantization: \"%.*s\" is none: use fp32, fp16, bf16, int8, unknown",
                      size > 32 ? 32 : (int)size, name);
  for (size_t i = 0; i < *count; i++)
    if (wish->quantizations[i] == q)
      return hoist_fail(err, HOIST_INVALID, "quantization: %s occurs twice",
                        roboflow_quantization_name(q));
  wish->quantizations[(*count)++] = q;
  return HOIST_OK;
}

enum hoist_status roboflow_wish_parse(const char *text, struct roboflow_wish *wish,
                                      struct hoist_error *err) {
  size_t count = 0;
  for (const char *rest = text ? text : ""; *rest;) {
    size_t whole = strcspn(rest, ","), size = whole;
    const char *name = text_trim(rest, &size);
    if (size > 0) {
      enum hoist_status status = add_wish(wish, &count, name, size, err);
      if (status != HOIST_OK) return status;
    }
    rest += whole + (rest[whole] == ',');
  }
  for (int q = 0; q < ROBOFLOW_QUANTIZATIONS; q++) {
    size_t i = 0;
    while (i < count && wish->quantizations[i] != (enum roboflow_quantization)q)
      i++;
    if (i == count) wish->quantizations[count++] = (enum roboflow_quantization)q;
  }
  return HOIST_OK;
}

/* ---- what rules a package out ----------------------------------------------------------------- */

static size_t size_of_provider(const char *name, size_t size) {
  size_t suffix = strlen(PROVIDER_SUFFIX);
  return size > suffix && strncasecmp(name + size - suffix, PROVIDER_SUFFIX, suffix) == 0
             ? size - suffix
             : size;
}

static bool is_listed(const json_t *list, const char *name, size_t size) {
  size_t index;
  json_t *item;
  size = size_of_provider(name, size);
  json_array_foreach(list, index, item) {
    const char *other = json_string_value(item);
    if (size_of_provider(other, json_string_length(item)) == size &&
        strncasecmp(name, other, size) == 0)
      return true;
  }
  return false;
}

/* The first wished-for provider that cannot run it; "CUDA(device_id=0),OpenVINO!" is how they are written. */
static const char *find_incompatible(const struct roboflow_package *package, const char *providers,
                                     size_t *ret_size) {
  const char *rest = providers && *providers ? providers : "CPU";
  while (*rest) {
    size_t size = strcspn(rest, ",(!");
    const char *name = text_trim(rest, &size);
    if (size > 0 && is_listed(package->incompatible, name, size)) {
      *ret_size = size;
      return name;
    }
    rest += strcspn(rest, ",(");
    if (*rest == '(') rest += strcspn(rest, ")");
    rest += strcspn(rest, ",");
    if (*rest == ',') rest++;
  }
  return NULL;
}

/* What the reference server looks for beside the weights, so that both find a model whole. hoist itself could do
 * with the description that a package has of itself. */
static bool is_complete(const struct roboflow_package *package, const char *task_type) {
  const char *needed[TASK_MAX_FILES];
  size_t count = task_files(task_type, needed);
  for (size_t i = 0; i < count; i++)
    if (!manifest_find(&package->files, needed[i])) return false;
  return true;
}

static void rule_out(struct roboflow_package *package, const char *task_type,
                     const struct roboflow_wish *wish) {
  size_t size = 0;
  if (package->problem[0] || !package->is_onnx) return;
  const char *provider = find_incompatible(package, wish->providers, &size);
  if (provider) {
    snprintf(package->problem, sizeof package->problem, "does not run on %.*s",
             size > 48 ? 48 : (int)size, provider);
    return;
  }
  struct hoist_error err;
  if (task_check_files(task_type, &package->files, &err) != HOIST_OK)
    snprintf(package->problem, sizeof package->problem, "%.*s", ROBOFLOW_REASON_SIZE - 1,
             err.message);
  package->is_complete = is_complete(package, task_type);
}

/* ---- what makes one better than another ------------------------------------------------------- */

/* Below 0: `a` is better. */
typedef int compare(const struct roboflow_package *a, const struct roboflow_package *b,
                    const struct roboflow_wish *wish);

static int three_way(int64_t a, int64_t b) {
  return (a > b) - (a < b);
}

static int by_completeness(const struct roboflow_package *a, const struct roboflow_package *b,
                           const struct roboflow_wish *wish) {
  return b->is_complete - a->is_complete;
}

static int by_trust(const struct roboflow_package *a, const struct roboflow_package *b,
                    const struct roboflow_wish *wish) {
  return b->is_trusted - a->is_trusted;
}

static int by_quantization(const struct roboflow_package *a, const struct roboflow_package *b,
                           const struct roboflow_wish *wish) {
  return three_way((int64_t)rank_of(wish, a->quantization),
                   (int64_t)rank_of(wish, b->quantization));
}

static int by_dynamic_batch(const struct roboflow_package *a, const struct roboflow_package *b,
                            const struct roboflow_wish *wish) {
  return b->is_dynamic - a->is_dynamic;
}

static int by_static_batch(const struct roboflow_package *a, const struct roboflow_package *b,
                           const struct roboflow_wish *wish) {
  return three_way(a->static_batch, b->static_batch);
}

static int by_opset(const struct roboflow_package *a, const struct roboflow_package *b,
                    const struct roboflow_wish *wish) {
  return three_way(b->opset, a->opset);
}

static int by_id(const struct roboflow_package *a, const struct roboflow_package *b,
                 const struct roboflow_wish *wish) {
  return strcmp(a->id, b->id);
}

static const struct {
  compare *compare;
  const char *won;  /* what the chosen one has over the next */
  const char *lost; /* what is wrong with another */
} criteria[] = {
    {by_completeness, "it has environment.json",
     "it lacks environment.json, and another one has it"},
    {by_trust, "it is trusted", "not trusted, and another one is"},
    {by_quantization, "its quantization is preferred", "another quantization is preferred"},
    {by_dynamic_batch, "its batch is dynamic", "a fixed batch, and another one's is dynamic"},
    {by_static_batch, "its batch is the smallest", "a larger batch than another one's"},
    {by_opset, "its opset is the highest", "a lower opset than another one's"},
    {by_id, "its id sorts first", "equal to another one, whose id sorts first"},
};
#define CRITERIA (sizeof criteria / sizeof criteria[0])

/* The criterion that tells them apart; CRITERIA where they have even the id in common. */
static size_t find_difference(const struct roboflow_package *a, const struct roboflow_package *b,
                              const struct roboflow_wish *wish, int *ret_order) {
  size_t i = 0;
  *ret_order = 0;
  while (i < CRITERIA && (*ret_order = criteria[i].compare(a, b, wish)) == 0)
    i++;
  return i;
}

size_t roboflow_choose(struct roboflow_packages *packages, const struct roboflow_wish *wish) {
  size_t best = ROBOFLOW_NONE;
  for (size_t i = 0; i < packages->count; i++) {
    struct roboflow_package *package = &packages->items[i];
    int order = 0;
    rule_out(package, packages->task_type, wish);
    if (package->problem[0]) continue;
    if (best != ROBOFLOW_NONE) (void)find_difference(package, &packages->items[best], wish, &order);
    if (best == ROBOFLOW_NONE || order < 0) best = i;
  }
  return best;
}

/* The criterion that it took to tell the chosen one from its nearest rival. */
static const char *why_chosen(const struct roboflow_packages *packages,
                              const struct roboflow_wish *wish, size_t chosen) {
  size_t last = 0;
  bool has_rival = false;
  for (size_t i = 0; i < packages->count; i++) {
    int order;
    if (i == chosen || packages->items[i].problem[0]) continue;
    size_t which = find_difference(&packages->items[chosen], &packages->items[i], wish, &order);
    if (which < CRITERIA && which >= last) last = which;
    has_rival = true;
  }
  return has_rival ? criteria[last].won : "the only one that can be used";
}

const char *roboflow_reason(const struct roboflow_packages *packages,
                            const struct roboflow_wish *wish, size_t chosen, size_t i,
                            char out[ROBOFLOW_REASON_SIZE]) {
  const struct roboflow_package *package = &packages->items[i];
  const char *reason = package->problem;
  if (i == chosen) {
    reason = why_chosen(packages, wish, chosen);
  } else if (!package->problem[0]) {
    int order;
    size_t which = find_difference(package, &packages->items[chosen], wish, &order);
    reason = which < CRITERIA ? criteria[which].lost : "there twice";
  }
  snprintf(out, ROBOFLOW_REASON_SIZE, "%s", reason);
  return out;
}
