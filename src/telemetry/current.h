/* SPDX-License-Identifier: Apache-2.0 */
/* The current span, for code that cannot afford a call. */
#ifndef HOIST_TELEMETRY_CURRENT_H
#define HOIST_TELEMETRY_CURRENT_H

#include <hoist/trace.h>

#include "thread_local.h"

extern NEAR_THREAD_LOCAL struct hoist_span *current_span; /* what hoist_span_current() returns */

#endif
