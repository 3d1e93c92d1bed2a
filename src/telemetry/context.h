/* SPDX-License-Identifier: Apache-2.0 */
/* The few facts about a span context that more than one file needs. */
#ifndef HOIST_TELEMETRY_CONTEXT_H
#define HOIST_TELEMETRY_CONTEXT_H

#include <hoist/telemetry.h>
#include <stdbool.h>
#include <string.h>

enum { CONTEXT_SAMPLED = 0x01, CONTEXT_RANDOM = 0x02, CONTEXT_FLAGS = 0x03 };

static inline bool context_is_valid(const struct hoist_span_context *context) {
  static const uint8_t zero[16];
  return memcmp(context->trace_id, zero, 16) != 0 && memcmp(context->span_id, zero, 8) != 0;
}
#endif
