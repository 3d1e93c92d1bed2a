/* SPDX-License-Identifier: Apache-2.0 */
/* From our options of a session to the runtime's. One thread per options object. */
#include <stdio.h>
#include <string.h>

#include "session_internal.h"
#include "text.h"

#define DIRECT "session.use_ort_model_bytes_directly"
#define DIRECT_WEIGHTS "session.use_ort_model_bytes_for_initializers"

static enum hoist_status parse_config(const struct session_options *o, struct pairs *ret_pairs,
                                      struct hoist_error *err) {
  const char *text = o->config ? o->config : "";
  enum hoist_status status = pairs_parse(text, strlen(text), ',', ret_pairs, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "session_config");
  return status;
}

static enum hoist_status parse_providers(const struct session_options *o,
                                         struct provider_list *ret_list, struct hoist_error *err) {
  enum hoist_status status = provider_list_parse(o->providers, ret_list, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "providers");
  return status;
}

static enum hoist_status check_threads(const char *what, int threads, struct hoist_error *err) {
  if (threads >= 0) return HOIST_OK;
  return hoist_fail(err, HOIST_INVALID,
                    "%s threads: %d is not a number of threads; use 0 for the runtime's default",
                    what, threads);
}

enum hoist_status session_options_check(const struct session_options *o, struct hoist_error *err) {
  __attribute__((cleanup(pairs_cleanup))) struct pairs config = {0};
  __attribute__((cleanup(provider_list_cleanup))) struct provider_list providers = {0};
  enum hoist_status status = check_threads("intra-op", o->intra_op_threads, err);
  if (status == HOIST_OK) status = check_threads("inter-op", o->inter_op_threads, err);
  if (status == HOIST_OK) status = parse_config(o, &config, err);
  if (status == HOIST_OK) status = parse_providers(o, &providers, err);
  return status;
}

/* What an optimised graph is loaded or saved with. */
static struct OrtStatus *set_model(const struct ort_api *api, struct OrtSessionOptions *options,
                                   const struct session_model *m) {
  struct OrtStatus *failed = NULL;
  if (m->is_optimized)
    failed = api->SetSessionGraphOptimizationLevel(options, ORT_OPTIMIZE_NOTHING);
  if (!failed && m->map) failed = api->AddSessionConfigEntry(options, DIRECT, "1");
  if (!failed && m->map) failed = api->AddSessionConfigEntry(options, DIRECT_WEIGHTS, "1");
  if (!failed && m->map)
    failed = api->AddSessionConfigEntry(options, "session.load_model_format", "ORT");
  return failed;
}

/* The runtime aligns what is larger than 1 MiB in the file of weights, and nothing else; kernels that find
 * packed weights at odd addresses crash. So the rest stays in the graph's own file. */
#define PACKED_MIN_BYTES "1048577"

static struct OrtStatus *set_saving(const struct ort_api *api, struct OrtSessionOptions *options,
                                    const char *path, enum graph_form form) {
  static const char *const packed[][2] = {
      {"session.optimized_model_external_initializers_file_name", GRAPH_PACKED_WEIGHTS},
      {"session.optimized_model_external_initializers_min_size_in_bytes", PACKED_MIN_BYTES},
      {"session.save_external_prepacked_constant_initializers", "1"}};
  struct OrtStatus *failed = api->SetOptimizedModelFilePath(options, path);
  if (!failed && form == GRAPH_MAPPED)
    failed = api->AddSessionConfigEntry(options, "session.save_model_format", "ORT");
  for (size_t i = 0; form == GRAPH_PACKED && !failed && i < sizeof packed / sizeof packed[0]; i++)
    failed = api->AddSessionConfigEntry(options, packed[i][0], packed[i][1]);
  return failed;
}

static enum hoist_status save_to(const struct ort *ort, struct OrtSessionOptions *options,
                                 const struct session_model *m, struct hoist_error *err) {
  if (!m->save_dir) return HOIST_OK;
  HOIST_AUTO(mem)
  char *path = text_format("%s/%s", m->save_dir,
                           m->save_form == GRAPH_MAPPED ? GRAPH_MAPPED_FILE : GRAPH_PACKED_FILE);
  if (!path) return hoist_fail_memory(err, "saving a graph");
  struct OrtStatus *failed = set_saving(&ort->library.api, options, path, m->save_form);
  return failed ? ort_fail(ort, failed, "saving a graph", err) : HOIST_OK;
}

static struct OrtStatus *set_plain(const struct ort_api *api, struct OrtSessionOptions *options,
                                   const struct session_options *o) {
  struct OrtStatus *failed = NULL;
  if (o->intra_op_threads > 0) failed = api->SetIntraOpNumThreads(options, o->intra_op_threads);
  if (!failed && o->inter_op_threads > 0)
    failed = api->SetInterOpNumThreads(options, o->inter_op_threads);
  if (!failed && o->no_arena) failed = api->DisableCpuMemArena(options);
  if (!failed && o->no_spinning)
    failed = api->AddSessionConfigEntry(options, "session.intra_op.allow_spinning", "0");
  if (!failed && o->no_spinning)
    failed = api->AddSessionConfigEntry(options, "session.inter_op.allow_spinning", "0");
  return failed;
}

/* Also what hoist sets by itself can be set otherwise, so these come last. */
static enum hoist_status add_config(const struct ort *ort, struct OrtSessionOptions *options,
                                    const struct session_options *o, struct hoist_error *err) {
  __attribute__((cleanup(pairs_cleanup))) struct pairs config = {0};
  enum hoist_status status = parse_config(o, &config, err);
  for (size_t i = 0; status == HOIST_OK && i < config.count; i++) {
    struct OrtStatus *failed =
        ort->library.api.AddSessionConfigEntry(options, config.keys[i], config.values[i]);
    if (failed) status = ort_fail(ort, failed, config.keys[i], err);
  }
  return status;
}

static enum hoist_status add_custom_ops(const struct ort *ort, struct OrtSessionOptions *options,
                                        const struct session_options *o, struct hoist_error *err) {
  HOIST_AUTO(mem) char *paths = text_dup(o->custom_ops ? o->custom_ops : "");
  if (!paths) return hoist_fail_memory(err, "custom operators");
  for (char *path = paths, *next; path && *path; path = next) {
    next = strchr(path, ',');
    if (next) *next++ = '\0';
    path = text_trim_in_place(path);
    struct OrtStatus *failed =
        *path ? ort->library.api.RegisterCustomOpsLibrary_V2(options, path) : NULL;
    if (failed) return ort_fail(ort, failed, "loading custom operators (custom_ops)", err);
  }
  return HOIST_OK;
}

static enum hoist_status add_providers(const struct ort *ort, struct OrtSessionOptions *options,
                                       const struct session_options *o, int cpu_only,
                                       struct provider_outcome *ret_outcome,
                                       struct hoist_error *err) {
  __attribute__((cleanup(provider_list_cleanup))) struct provider_list list = {0};
  enum hoist_status status = cpu_only ? HOIST_OK : parse_providers(o, &list, err);
  if (status != HOIST_OK) return status;
  return providers_append(ort, options, &list, ret_outcome, err);
}

static enum hoist_status fill(const struct ort *ort, struct OrtSessionOptions *options,
                              const struct session_model *model, const struct session_options *o,
                              int cpu_only, struct provider_outcome *ret_outcome,
                              struct hoist_error *err) {
  struct OrtStatus *failed = set_plain(&ort->library.api, options, o);
  if (!failed) failed = set_model(&ort->library.api, options, model);
  if (failed) return ort_fail(ort, failed, "setting the options of a session", err);
  enum hoist_status status = add_custom_ops(ort, options, o, err);
  if (status == HOIST_OK) status = add_config(ort, options, o, err);
  if (status == HOIST_OK) status = save_to(ort, options, model, err);
  if (status == HOIST_OK) status = add_providers(ort, options, o, cpu_only, ret_outcome, err);
  return status;
}

enum hoist_status session_make_options(const struct ort *ort, const struct session_model *model,
                                       const struct session_options *wanted, int cpu_only,
                                       struct OrtSessionOptions **ret_options,
                                       struct provider_outcome *ret_outcome,
                                       struct hoist_error *err) {
  struct OrtSessionOptions *options = NULL;
  struct OrtStatus *failed = ort->library.api.CreateSessionOptions(&options);
  if (failed) return ort_fail(ort, failed, "setting the options of a session", err);
  enum hoist_status status = fill(ort, options, model, wanted, cpu_only, ret_outcome, err);
  if (status != HOIST_OK) {
    ort->library.api.ReleaseSessionOptions(options);
    return status;
  }
  *ret_options = options;
  return HOIST_OK;
}
