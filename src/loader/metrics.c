/* SPDX-License-Identifier: Apache-2.0 */
/* Instruments and how they are fed. Everything is a no-op without telemetry. */
#include "metrics.h"

static const struct hoist_instrument models_loaded = {
    .name = "inference.models.loaded",
    .unit = "{model}",
    .description = "Models in memory.",
    .kind = HOIST_UP_DOWN_COUNTER,
};
static const struct hoist_instrument model_loads = {
    .name = "inference.model.loads",
    .unit = "{load}",
    .description = "Models loaded since the start.",
    .kind = HOIST_COUNTER,
};
static const struct hoist_instrument model_unloads = {
    .name = "inference.model.unloads",
    .unit = "{unload}",
    .description = "Models released since the start.",
    .kind = HOIST_COUNTER,
};
static const struct hoist_instrument load_duration = {
    .name = "inference.model.load.duration",
    .unit = "s",
    .description = "Time from the request for a model to its session.",
    .kind = HOIST_HISTOGRAM,
};
static const struct hoist_instrument errors = {
    .name = "inference.errors",
    .unit = "{error}",
    .description = "Calls that failed.",
    .kind = HOIST_COUNTER,
};
static const struct hoist_instrument cache_lookups = {
    .name = "hoist.cache.lookups",
    .unit = "{lookup}",
    .description = "Lookups in the model cache.",
    .kind = HOIST_COUNTER,
};
static const struct hoist_instrument graph_lookups = {
    .name = "hoist.graph_cache.lookups",
    .unit = "{lookup}",
    .description = "Looks for a saved graph of a model that is loaded.",
    .kind = HOIST_COUNTER,
};
static const struct hoist_instrument artifact_bytes = {
    .name = "hoist.artifacts.bytes",
    .unit = "By",
    .description = "Bytes of artifacts fetched from sources.",
    .kind = HOIST_COUNTER,
};
static const struct hoist_instrument cache_size = {
    .name = "hoist.cache.size",
    .unit = "By",
    .description = "What the models in the cache take.",
    .kind = HOIST_GAUGE,
};

static const struct hoist_instrument cache_evictions = {
    .name = "hoist.cache.evictions",
    .unit = "{model}",
    .description = "Models removed from the cache to keep it within its limits.",
    .kind = HOIST_COUNTER,
};

static struct hoist_attr text_attr(const char *key, const char *value) {
  return (struct hoist_attr){.key = key, .type = HOIST_ATTR_STRING, .value = {.string = value}};
}

void metrics_loaded(const struct hoist_span *span, struct hoist_telemetry *t, const char *model_id,
                    double seconds) {
  const struct hoist_attr id = text_attr("model.id", model_id);
  hoist_metric_add_in(span, t, &models_loaded, 1, NULL, 0);
  hoist_metric_add_in(span, t, &model_loads, 1, &id, 1);
  hoist_metric_add_in(span, t, &load_duration, seconds, &id, 1);
}

void metrics_unloaded(struct hoist_telemetry *t, const char *model_id) {
  const struct hoist_attr id = text_attr("model.id", model_id);
  hoist_metric_add(t, &models_loaded, -1, NULL, 0);
  hoist_metric_add(t, &model_unloads, 1, &id, 1);
}

void metrics_error(const struct hoist_span *span, struct hoist_telemetry *t,
                   enum hoist_status status) {
  const struct hoist_attr type = text_attr("error.type", hoist_status_name(status));
  hoist_metric_add_in(span, t, &errors, 1, &type, 1);
}

void metrics_lookup(const struct hoist_span *span, struct hoist_telemetry *t, const char *result) {
  const struct hoist_attr attr = text_attr("result", result);
  hoist_metric_add_in(span, t, &cache_lookups, 1, &attr, 1);
}

void metrics_graph_lookup(const struct hoist_span *span, struct hoist_telemetry *t,
                          const char *result) {
  const struct hoist_attr attr = text_attr("result", result);
  hoist_metric_add_in(span, t, &graph_lookups, 1, &attr, 1);
}

void metrics_artifact_bytes(const struct hoist_span *span, struct hoist_telemetry *t,
                            const char *source, const char *outcome, uint64_t bytes) {
  const struct hoist_attr attrs[] = {text_attr("source", source), text_attr("outcome", outcome)};
  hoist_metric_add_in(span, t, &artifact_bytes, (double)bytes, attrs, 2);
}

void metrics_evicted(const struct hoist_span *span, struct hoist_telemetry *t, const char *reason) {
  const struct hoist_attr attr = text_attr("reason", reason);
  hoist_metric_add_in(span, t, &cache_evictions, 1, &attr, 1);
}

void metrics_cache_size(const struct hoist_span *span, struct hoist_telemetry *t, uint64_t bytes) {
  hoist_metric_add_in(span, t, &cache_size, (double)bytes, NULL, 0);
}
