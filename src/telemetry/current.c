/* SPDX-License-Identifier: Apache-2.0 */
/* The current span of each thread: one pointer, which scopes save and restore. Nothing owns it; the
 * span stays its creator's. */
#include "current.h"

NEAR_THREAD_LOCAL struct hoist_span *current_span;

struct hoist_span *hoist_span_current(void) {
  return current_span;
}

void hoist_scope_enter(struct hoist_scope *ret_scope, struct hoist_span *span) {
  if (!ret_scope) return;
  ret_scope->previous = current_span;
  current_span = span;
}

void hoist_scope_leave(struct hoist_scope *scope) {
  if (scope) current_span = scope->previous;
}
