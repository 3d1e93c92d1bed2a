/* SPDX-License-Identifier: Apache-2.0 */
/* Phases of a session's creation. The runtime has no interface for them, but its log at INFO level
 * is the same from 1.21 to 1.30 in the lines looked for here. Since the text is no interface, every
 * line is optional: a phase that misses an end is not written, and its time stays in the parent
 * span.
 *
 * Lines come on the creating thread and may come on threads of the runtime, even after the
 * creation: a session keeps its logging function for life. */
#include "phases.h"

#include <string.h>

static const struct {
  const char *text; /* how the line begins */
  enum phase_mark mark;
} lines[] = {
    {"Initializing session.", MARK_INITIALIZE},
    {"Use DeviceBasedPartition", MARK_PLAN},
    {"Saving initialized tensors.", MARK_WEIGHTS},
    {"Done saving initialized tensors", MARK_WEIGHTS_DONE},
    {"Session successfully initialized.", MARK_DONE},
};

static const struct {
  const char *span;
  enum phase_mark start, end;
} phase_table[] = {
    {"ort.model_parse", MARK_CREATE, MARK_INITIALIZE},
    {"ort.partition", MARK_INITIALIZE, MARK_FIRST_OPTIMIZER},
    {"ort.graph_optimize", MARK_FIRST_OPTIMIZER, MARK_LAST_OPTIMIZER},
    {"ort.kernel_init", MARK_LAST_OPTIMIZER, MARK_WEIGHTS},
    {"ort.weights", MARK_WEIGHTS, MARK_WEIGHTS_DONE},
    {"ort.prepack", MARK_WEIGHTS_DONE, MARK_DONE},
};

void phases_begin(struct phases *phases, uint64_t start_unix_ns, uint64_t (*now)(void)) {
  *phases = (struct phases){.listening = true, .start_unix_ns = start_unix_ns, .now = now};
  pthread_mutex_init(&phases->lock, NULL);
  phases->at[MARK_CREATE] = now();
}

/* A graph inside a node (If, Loop) goes through the same steps after the main one, so the first of
 * each counts; only the optimizers go on to their last report before the weights. */
static void mark(struct phases *phases, enum phase_mark mark, uint64_t now_ns) {
  if (phases->at[mark] == 0) phases->at[mark] = now_ns;
}

static void mark_optimizer(struct phases *phases, uint64_t now_ns) {
  if (phases->at[MARK_WEIGHTS] != 0) return;
  mark(phases, MARK_FIRST_OPTIMIZER, now_ns);
  phases->at[MARK_LAST_OPTIMIZER] = now_ns;
}

static bool begins(const char *message, const char *text) {
  return strncmp(message, text, strlen(text)) == 0;
}

static void read_line(struct phases *phases, const char *message) {
  if (begins(message, "GraphTransformer ")) {
    mark_optimizer(phases, phases->now());
    return;
  }
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
    if (begins(message, lines[i].text)) mark(phases, lines[i].mark, phases->now());
}

void phases_log(void *param, unsigned severity, const char *category, const char *log_id,
                const char *location, const char *message) {
  struct phases *phases = param;
  pthread_mutex_lock(&phases->lock);
  if (phases->listening) read_line(phases, message);
  pthread_mutex_unlock(&phases->lock);
}

static uint64_t unix_ns(const struct phases *phases, enum phase_mark mark) {
  return phases->start_unix_ns + (phases->at[mark] - phases->at[MARK_CREATE]);
}

static void write_span(const struct phases *phases, size_t phase, const struct hoist_span *parent) {
  enum phase_mark start = phase_table[phase].start, end = phase_table[phase].end;
  if (phases->at[start] == 0 || phases->at[end] <= phases->at[start]) return;
  struct hoist_span span;
  hoist_span_start_at(parent, phase_table[phase].span, HOIST_SPAN_INTERNAL, unix_ns(phases, start),
                      &span);
  hoist_span_end_at(&span, unix_ns(phases, end));
}

void phases_end(struct phases *phases, const struct hoist_span *parent) {
  pthread_mutex_lock(&phases->lock);
  phases->listening = false;
  pthread_mutex_unlock(&phases->lock);
  uint64_t *at = phases->at;
  if (at[MARK_FIRST_OPTIMIZER] == 0) /* optimisation was off: planning follows at once */
    at[MARK_FIRST_OPTIMIZER] = at[MARK_LAST_OPTIMIZER] = at[MARK_PLAN];
  for (size_t i = 0; i < sizeof phase_table / sizeof phase_table[0]; i++)
    write_span(phases, i, parent);
}
