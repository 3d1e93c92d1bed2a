/* SPDX-License-Identifier: Apache-2.0 */
/* Execution providers by name. CUDA and TensorRT have functions of their own in the runtime's interface,
 * all others share one that takes a name. A provider that is compiled in may still lack its library or
 * its device: that shows when it is appended. One thread per options object. */
#include "providers.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "text.h"

#define SUFFIX "ExecutionProvider"
#define CPU "CPUExecutionProvider"

/* ---- wishes ------------------------------------------------------------------------------ */

void provider_list_done(struct provider_list *list) {
  for (size_t i = 0; i < list->count; i++)
    pairs_done(&list->items[i].options);
  list->count = 0;
}

/* Up to the next comma outside of parentheses. */
static size_t wish_size(const char *text) {
  size_t size = 0;
  for (int depth = 0; text[size] && (text[size] != ',' || depth > 0); size++)
    depth += (text[size] == '(') - (text[size] == ')');
  return size;
}

static enum hoist_status read_options(const char *text, size_t size, struct provider_wish *wish,
                                      struct hoist_error *err) {
  if (size == 0) return HOIST_OK;
  if (text[size - 1] != ')')
    return hoist_fail(err, HOIST_INVALID, "the options of %s do not end with \")\"", wish->name);
  enum hoist_status status = pairs_parse(text + 1, size - 2, ';', &wish->options, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "%s", wish->name);
  return status;
}

static enum hoist_status read_wish(const char *text, size_t size, struct provider_wish *wish,
                                   struct hoist_error *err) {
  text = text_trim(text, &size);
  wish->required = size > 0 && text[size - 1] == '!';
  size -= wish->required;
  const char *open = memchr(text, '(', size);
  size_t name_size = open ? (size_t)(open - text) : size;
  const char *name = text_trim(text, &name_size);
  if (name_size == 0 || name_size >= sizeof wish->name)
    return hoist_fail(err, HOIST_INVALID, "\"%.*s\" is not the name of a provider",
                      (int)(name_size < 80 ? name_size : 80), name);
  snprintf(wish->name, sizeof wish->name, "%.*s", (int)name_size, name);
  return read_options(open, open ? size - (size_t)(open - text) : 0, wish, err);
}

enum hoist_status provider_list_parse(const char *text, struct provider_list *ret_list,
                                      struct hoist_error *err) {
  __attribute__((cleanup(provider_list_cleanup))) struct provider_list list = {0};
  for (const char *p = text ? text : ""; *p;) {
    size_t size = wish_size(p);
    if (list.count == PROVIDERS_MAX)
      return hoist_fail(err, HOIST_INVALID, "more than %d providers", PROVIDERS_MAX);
    enum hoist_status status = read_wish(p, size, &list.items[list.count++], err);
    if (status != HOIST_OK) return status;
    p += size + (p[size] == ',');
  }
  *ret_list = list;
  list.count = 0;
  return HOIST_OK;
}

/* ---- what the runtime has ---------------------------------------------------------------- */

static bool is_named(const char *provider, const char *wish) {
  size_t size = strlen(provider) - (text_ends_with(provider, SUFFIX) ? strlen(SUFFIX) : 0);
  return strcasecmp(provider, wish) == 0 ||
         (strlen(wish) == size && strncasecmp(provider, wish, size) == 0);
}

static bool is_cpu(const char *wish) {
  return is_named(CPU, wish);
}

bool provider_list_requires(const struct provider_list *list) {
  for (size_t i = 0; i < list->count; i++)
    if (list->items[i].required && !is_cpu(list->items[i].name)) return true;
  return false;
}

/* The runtime's own spelling of a provider that it has; "" where it has none of the name. */
static struct OrtStatus *find_provider(const struct ort *ort, const char *wish,
                                       char ret_name[PROVIDER_NAME_SIZE]) {
  const struct ort_api *api = &ort->library.api;
  char **names = NULL;
  int count = 0;
  ret_name[0] = '\0';
  struct OrtStatus *failed = api->GetAvailableProviders(&names, &count);
  if (failed) return failed;
  for (int i = 0; i < count; i++)
    if (is_named(names[i], wish)) text_copy(ret_name, PROVIDER_NAME_SIZE, names[i]);
  return api->ReleaseAvailableProviders(names, count);
}

void ort_list_providers(const struct ort *ort, char *out, size_t size) {
  const struct ort_api *api = &ort->library.api;
  char **names = NULL;
  int count = 0;
  out[0] = '\0';
  struct OrtStatus *failed = api->GetAvailableProviders(&names, &count);
  for (int i = 0; !failed && i < count; i++) {
    size_t used = strlen(out), name_size = strlen(names[i]);
    if (text_ends_with(names[i], SUFFIX)) name_size -= strlen(SUFFIX);
    snprintf(out + used, size - used, "%s%.*s", used ? ", " : "", (int)name_size, names[i]);
  }
  if (!failed) failed = api->ReleaseAvailableProviders(names, count);
  if (failed) api->ReleaseStatus(failed);
}

/* ---- appending --------------------------------------------------------------------------- */

static struct OrtStatus *append_cuda(const struct ort_api *api, struct OrtSessionOptions *options,
                                     const struct pairs *p) {
  struct OrtCUDAProviderOptionsV2 *own = NULL;
  struct OrtStatus *failed = api->CreateCUDAProviderOptions(&own);
  if (failed) return failed;
  if (p->count > 0) failed = api->UpdateCUDAProviderOptions(own, p->keys, p->values, p->count);
  if (!failed) failed = api->SessionOptionsAppendExecutionProvider_CUDA_V2(options, own);
  api->ReleaseCUDAProviderOptions(own);
  return failed;
}

static struct OrtStatus *append_tensorrt(const struct ort_api *api,
                                         struct OrtSessionOptions *options, const struct pairs *p) {
  struct OrtTensorRTProviderOptionsV2 *own = NULL;
  struct OrtStatus *failed = api->CreateTensorRTProviderOptions(&own);
  if (failed) return failed;
  if (p->count > 0) failed = api->UpdateTensorRTProviderOptions(own, p->keys, p->values, p->count);
  if (!failed) failed = api->SessionOptionsAppendExecutionProvider_TensorRT_V2(options, own);
  api->ReleaseTensorRTProviderOptions(own);
  return failed;
}

/* The names that the common function takes are not always those that the runtime lists. */
static struct OrtStatus *append_by_name(const struct ort_api *api,
                                        struct OrtSessionOptions *options, const char *provider,
                                        const struct pairs *p) {
  static const char *const spellings[][2] = {{"Xnnpack", "XNNPACK"}, {"Azure", "AZURE"},
                                             {"Js", "JS"},           {"WebNN", "WEBNN"},
                                             {"Dml", "DML"},         {"WebGpu", "WebGPU"}};
  char name[PROVIDER_NAME_SIZE];
  text_copy(name, sizeof name, provider);
  if (text_ends_with(name, SUFFIX)) name[strlen(name) - strlen(SUFFIX)] = '\0';
  for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++)
    if (strcmp(name, spellings[i][0]) == 0) text_copy(name, sizeof name, spellings[i][1]);
  return api->SessionOptionsAppendExecutionProvider(options, name, p->keys, p->values, p->count);
}

static struct OrtStatus *append(const struct ort_api *api, struct OrtSessionOptions *options,
                                const char *provider, const struct pairs *p) {
  if (is_cpu(provider)) return NULL; /* always there, and takes no options */
  if (is_named(provider, "CUDA")) return append_cuda(api, options, p);
  if (is_named(provider, "Tensorrt")) return append_tensorrt(api, options, p);
  return append_by_name(api, options, provider, p);
}

void provider_outcome_refuse(struct provider_outcome *outcome, const char *name,
                             const char *reason) {
  const char *parts[] = {outcome->refused[0] ? "; " : "", name, ": ", reason};
  size_t used = strlen(outcome->refused);
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    size_t size = strlen(parts[i]), room = sizeof outcome->refused - 1 - used;
    size = utf8_prefix(parts[i], size, room);
    memcpy(outcome->refused + used, parts[i], size);
    used += size;
  }
  outcome->refused[used] = '\0';
}

static enum hoist_status try_wish(const struct ort *ort, struct OrtSessionOptions *options,
                                  const struct provider_wish *wish, char *provider,
                                  struct hoist_error *err) {
  struct OrtStatus *failed = find_provider(ort, wish->name, provider);
  if (failed) return ort_fail(ort, failed, "asking for the runtime's providers", err);
  if (!*provider)
    return hoist_fail(err, HOIST_UNSUPPORTED, "ONNX Runtime %.20s has no provider of that name",
                      ort_version(ort));
  failed = append(&ort->library.api, options, provider, &wish->options);
  return failed ? ort_fail(ort, failed, "setting it up", err) : HOIST_OK;
}

enum hoist_status providers_append(const struct ort *ort, struct OrtSessionOptions *options,
                                   const struct provider_list *list,
                                   struct provider_outcome *ret_outcome, struct hoist_error *err) {
  struct provider_outcome outcome = {.chosen = ""};
  for (size_t i = 0; i < list->count; i++) {
    const struct provider_wish *wish = &list->items[i];
    char provider[PROVIDER_NAME_SIZE];
    struct hoist_error problem = {0};
    enum hoist_status status = try_wish(ort, options, wish, provider, &problem);
    if (status == HOIST_OK) {
      if (!outcome.chosen[0]) text_copy(outcome.chosen, sizeof outcome.chosen, provider);
      outcome.beyond_cpu |= !is_cpu(provider);
      continue;
    }
    if (status == HOIST_NO_MEMORY) return hoist_fail_memory(err, "setting up a provider");
    if (wish->required)
      return hoist_fail(
          err, HOIST_UNSUPPORTED,
          "the execution provider %s is required (providers) and cannot be had: %.300s", wish->name,
          problem.message);
    provider_outcome_refuse(&outcome, wish->name, problem.message);
  }
  if (!outcome.chosen[0]) text_copy(outcome.chosen, sizeof outcome.chosen, CPU);
  *ret_outcome = outcome;
  return HOIST_OK;
}
