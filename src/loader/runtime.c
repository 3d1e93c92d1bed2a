/* SPDX-License-Identifier: Apache-2.0 */
/* Opening ONNX Runtime takes 15 to 40 ms, which need not be added to those of a download. */
#include "runtime.h"

enum hoist_status runtime_open(const struct call *call, struct hoist *hoist, struct ort **ret_ort,
                               struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  pthread_mutex_lock(&hoist->runtime_lock);
  if (!hoist->runtime) status = ort_open(call, hoist->onnxruntime, &hoist->runtime, err);
  if (status == HOIST_OK) *ret_ort = ort_ref(hoist->runtime);
  pthread_mutex_unlock(&hoist->runtime_lock);
  return status;
}

/* Who holds the lock for longer than a moment is opening it just now. */
static int is_open_soon(struct hoist *hoist) {
  if (pthread_mutex_trylock(&hoist->runtime_lock) != 0) return 1;
  int open = hoist->runtime != NULL;
  pthread_mutex_unlock(&hoist->runtime_lock);
  return open;
}

static void *open_in_thread(void *user) {
  struct operation *op = user;
  struct hoist_span span;
  struct hoist_error problem = {0};
  struct ort *ort = NULL;
  hoist_span_start(&op->span, "model.runtime.open", HOIST_SPAN_INTERNAL, &span);
  struct call call = op->call;
  call.span = &span;
  if (runtime_open(&call, op->hoist, &ort, &problem) != HOIST_OK)
    hoist_span_record_error(&span, &problem);
  ort_close(ort);
  hoist_span_end(&span);
  return NULL;
}

void runtime_open_ahead(struct operation *op) {
  if (op->is_opening_runtime || is_open_soon(op->hoist)) return;
  op->is_opening_runtime = pthread_create(&op->runtime_thread, NULL, open_in_thread, op) == 0;
}

void runtime_await(struct operation *op) {
  if (op->is_opening_runtime) pthread_join(op->runtime_thread, NULL);
  op->is_opening_runtime = 0;
}
