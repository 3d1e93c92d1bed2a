/* SPDX-License-Identifier: Apache-2.0 */
/* The hoist object: built once from a configuration, immutable afterwards. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "clock.h"
#include "fetch.h"
#include "hoist_internal.h"
#include "model.h"
#include "saver.h"
#include "settings.h"
#include "text.h"

const char *hoist_version(void) {
  return HOIST_VERSION;
}

void hoist_cancel(struct hoist_cancel *cancel) {
  atomic_store_explicit((atomic_int *)(void *)&cancel->private_, 1, memory_order_relaxed);
}

HOIST_DEFINE_AUTO(hoist, struct hoist, hoist_close)

static void free_text(const char *text) {
  free((void *)(uintptr_t)text);
}

static enum hoist_status check(const struct hoist_config *config, struct hoist_error *err) {
  if (config->size != sizeof *config)
    return hoist_fail(err, HOIST_INVALID,
                      "the configuration was not filled in by this library's hoist_config_init");
  if (config->connections < 1 || config->connections > FETCH_MAX_CONNECTIONS)
    return hoist_fail(err, HOIST_INVALID, "connections is %u: use 1 to %d", config->connections,
                      FETCH_MAX_CONNECTIONS);
  if (config->max_attempts < 1 || config->max_attempts > 20)
    return hoist_fail(err, HOIST_INVALID, "max_attempts is %u: use 1 to 20", config->max_attempts);
  if (config->intra_op_threads > INT_MAX || config->inter_op_threads > INT_MAX)
    return hoist_fail(err, HOIST_INVALID, "the number of threads is too large");
  return HOIST_OK;
}

static enum hoist_status open_cache(const struct hoist_config *config, struct cache **ret_cache,
                                    struct hoist_error *err) {
  if (config->cache_dir) return cache_open(config->cache_dir, ret_cache, err);
  HOIST_AUTO(mem) char *dir = NULL;
  enum hoist_status status = settings_default_cache_dir(NULL, &dir, err);
  if (status != HOIST_OK) return status;
  return cache_open(dir, ret_cache, err);
}

static enum hoist_status open_http(const struct hoist_config *config, struct http **ret_http,
                                   struct hoist_error *err) {
  struct http_options options;
  http_options_init(&options);
  options.user_agent = "hoist/" HOIST_VERSION;
  options.ca_file = config->ca_file;
  options.verify_tls = config->verify_tls;
  options.stall_timeout_ms = config->stall_timeout_ms;
  options.max_attempts = config->max_attempts;
  return http_new(&options, ret_http, err);
}

/* @param words  the choices, NULL at their end; the first is the default */
static enum hoist_status choose(const char *setting, const char *value, const char *const *words,
                                int *ret_index, struct hoist_error *err) {
  *ret_index = 0;
  for (int i = 0; value && words[i]; i++) {
    *ret_index = i;
    if (strcmp(value, words[i]) == 0) return HOIST_OK;
  }
  if (!value) return HOIST_OK;
  return hoist_fail(err, HOIST_INVALID, "%s is \"%.80s\", which is none of its choices", setting,
                    value);
}

static enum hoist_status choose_policies(struct hoist *hoist, const struct hoist_config *config,
                                         struct hoist_error *err) {
  static const char *const verifications[] = {"stat", "sha256", NULL};
  static const char *const graphs[] = {"background", "before_returning", "off", NULL};
  static const enum graph_policy policies[] = {GRAPHS_IN_BACKGROUND, GRAPHS_BEFORE_RETURNING,
                                               GRAPHS_OFF};
  int index;
  enum hoist_status status =
      choose("verification", config->verification, verifications, &index, err);
  if (status != HOIST_OK) return status;
  hoist->verification = index == 0 ? CACHE_VERIFY_STAT : CACHE_VERIFY_SHA256;
  status = choose("graph_cache", config->graph_cache, graphs, &index, err);
  if (status == HOIST_OK) hoist->graphs = policies[index];
  return status;
}

static enum hoist_status copy_session_options(struct hoist *hoist,
                                              const struct hoist_config *config,
                                              struct hoist_error *err) {
  struct session_options *o = &hoist->session;
  *o = (struct session_options){.intra_op_threads = (int)config->intra_op_threads,
                                .inter_op_threads = (int)config->inter_op_threads,
                                .no_spinning = !config->spinning,
                                .no_arena = !config->memory_arena,
                                .providers = text_dup(config->providers),
                                .config = text_dup(config->session_config),
                                .custom_ops = text_dup(config->custom_ops)};
  if ((config->providers && !o->providers) || (config->session_config && !o->config) ||
      (config->custom_ops && !o->custom_ops))
    return hoist_fail_memory(err, "the configuration");
  return session_options_check(o, err);
}

static enum hoist_status fill(struct hoist *hoist, const struct hoist_config *config,
                              struct hoist_error *err) {
  hoist->owner = getpid();
  hoist->telemetry = hoist_telemetry_scope(config->telemetry, "hoist", HOIST_VERSION);
  hoist->offline = config->offline;
  hoist->anonymous = config->s3_anonymous;
  hoist->connections = config->connections;
  hoist->warm_up = config->warm_up;
  hoist->lock_timeout_ns = config->lock_timeout_ms * NS_PER_MS;
  hoist->cache_max_bytes = config->cache_max_bytes;
  hoist->onnxruntime = text_dup(config->onnxruntime);
  if (config->onnxruntime && !hoist->onnxruntime)
    return hoist_fail_memory(err, "the configuration");
  enum hoist_status status = settings_copy(config, &hoist->config, err);
  if (status == HOIST_OK) status = choose_policies(hoist, config, err);
  if (status == HOIST_OK) status = copy_session_options(hoist, config, err);
  if (status == HOIST_OK) status = open_cache(config, &hoist->cache, err);
  if (status == HOIST_OK) cache_set_patience(hoist->cache, hoist->lock_timeout_ns);
  if (status == HOIST_OK) status = open_http(config, &hoist->http, err);
  if (status == HOIST_OK) status = alias_table_new(config->aliases, &hoist->aliases, err);
  if (status == HOIST_OK) status = chain_init(&hoist->chain, config, hoist->http, err);
  if (status == HOIST_OK) status = access_new(config, hoist->http, &hoist->access, err);
  const struct registry_bounds bounds = {.max_models = config->max_loaded_models,
                                         .max_bytes = config->max_loaded_bytes};
  if (status == HOIST_OK) status = registry_new(&bounds, model_unload, &hoist->registry, err);
  if (status == HOIST_OK) status = saver_new(hoist, &hoist->saver, err);
  return status;
}

enum hoist_status hoist_open(const struct hoist_config *config, struct hoist **ret_hoist,
                             struct hoist_error *err) {
  enum hoist_status status = check(config, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(hoist) struct hoist *hoist = calloc(1, sizeof *hoist);
  if (!hoist) return hoist_fail_memory(err, "the hoist object");
  pthread_mutex_init(&hoist->runtime_lock, NULL);
  gate_init(&hoist->gate);
  status = fill(hoist, config, err);
  if (status != HOIST_OK) return status;
  *ret_hoist = HOIST_TAKE(hoist);
  return HOIST_OK;
}

void hoist_close(struct hoist *hoist) {
  if (!hoist) return;
  if (hoist->owner == getpid()) saver_free(hoist->saver); /* a forked child has no such thread */
  session_await_left();
  chain_done(&hoist->chain);
  settings_copy_done(&hoist->config);
  access_free(hoist->access);
  alias_table_free(hoist->aliases);
  http_free(hoist->http);
  cache_close(hoist->cache);
  if (hoist->registry) registry_close(hoist->registry);
  registry_unref(hoist->registry);
  ort_close(hoist->runtime);
  pthread_mutex_destroy(&hoist->runtime_lock);
  gate_done(&hoist->gate);
  free_text(hoist->session.providers);
  free_text(hoist->session.config);
  free_text(hoist->session.custom_ops);
  free(hoist->onnxruntime);
  free(hoist);
}
