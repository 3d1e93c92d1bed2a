/* SPDX-License-Identifier: Apache-2.0 */
/* The hoist object: built once from a configuration, immutable afterwards. */
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "fetch.h"
#include "hoist_internal.h"
#include "settings.h"
#include "text.h"

const char *hoist_version(void) {
  return HOIST_VERSION;
}

void hoist_cancel(struct hoist_cancel *cancel) {
  atomic_store_explicit((atomic_int *)(void *)&cancel->private_, 1, memory_order_relaxed);
}

HOIST_DEFINE_AUTO(hoist, struct hoist, hoist_close)

static enum hoist_status check(const struct hoist_config *config, struct hoist_error *err) {
  if (config->size != sizeof *config)
    return hoist_fail(err, HOIST_INVALID,
                      "the configuration was not filled in by this library's hoist_config_init");
  if (config->connections < 1 || config->connections > FETCH_MAX_CONNECTIONS)
    return hoist_fail(err, HOIST_INVALID, "connections is %u: use 1 to %d", config->connections,
                      FETCH_MAX_CONNECTIONS);
  if (config->max_attempts < 1 || config->max_attempts > 20)
    return hoist_fail(err, HOIST_INVALID, "max_attempts is %u: use 1 to 20", config->max_attempts);
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

static enum hoist_status fill(struct hoist *hoist, const struct hoist_config *config,
                              struct hoist_error *err) {
  hoist->owner = getpid();
  hoist->telemetry = hoist_telemetry_scope(config->telemetry, "hoist", HOIST_VERSION);
  hoist->offline = config->offline;
  hoist->connections = config->connections;
  hoist->intra_op_threads = config->intra_op_threads;
  hoist->cache_max_bytes = config->cache_max_bytes;
  hoist->onnxruntime = text_dup(config->onnxruntime);
  if (config->onnxruntime && !hoist->onnxruntime)
    return hoist_fail_memory(err, "the configuration");
  enum hoist_status status = open_cache(config, &hoist->cache, err);
  if (status == HOIST_OK) cache_set_patience(hoist->cache, config->lock_timeout_ms * NS_PER_MS);
  if (status == HOIST_OK) status = open_http(config, &hoist->http, err);
  if (status == HOIST_OK) status = chain_init(&hoist->chain, config, hoist->http, err);
  if (status == HOIST_OK) status = registry_new(&hoist->registry, err);
  return status;
}

enum hoist_status hoist_open(const struct hoist_config *config, struct hoist **ret_hoist,
                             struct hoist_error *err) {
  enum hoist_status status = check(config, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(hoist) struct hoist *hoist = calloc(1, sizeof *hoist);
  if (!hoist) return hoist_fail_memory(err, "the hoist object");
  status = fill(hoist, config, err);
  if (status != HOIST_OK) return status;
  *ret_hoist = HOIST_TAKE(hoist);
  return HOIST_OK;
}

void hoist_close(struct hoist *hoist) {
  if (!hoist) return;
  chain_done(&hoist->chain);
  http_free(hoist->http);
  cache_close(hoist->cache);
  registry_unref(hoist->registry);
  free(hoist->onnxruntime);
  free(hoist);
}
