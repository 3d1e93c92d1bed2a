/* SPDX-License-Identifier: Apache-2.0 */
/* Names as Prometheus wants them ("Prometheus and OpenMetrics Compatibility" of OpenTelemetry). */
#ifndef HOIST_TELEMETRY_PROMETHEUS_NAME_H
#define HOIST_TELEMETRY_PROMETHEUS_NAME_H

#include <hoist/metrics.h>

#define PROMETHEUS_NAME_SIZE 512
#define PROMETHEUS_LABEL_SIZE 160

/** The name of a metric: with the unit in words, and _total for counters; long ones are cut. */
void prometheus_metric_name(const struct hoist_instrument *instrument,
                            char out[PROMETHEUS_NAME_SIZE]);
/** The name of a label for an attribute's key. */
void prometheus_label_name(const void *key, size_t key_size, char out[PROMETHEUS_LABEL_SIZE]);

#endif
