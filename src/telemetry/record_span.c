/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a span: it is written as an OTLP Span message from the start, into the caller's struct
 * hoist_span, so that ending it is a few bytes more and one copy into this thread's chunk of the queue.
 * Nothing here allocates, and no lock is shared but when a chunk is full. */
#include "record.h"

#include <string.h>

#include "attr.h"
#include "bound.h"
#include "clock.h"
#include "context.h"
#include "ids.h"
#include "thread_slot.h"

enum {
  SCOPE_SPANS_SPAN = WIRE_TAG(2, WIRE_BYTES),
  FRAME_HEAD_MAX = 1 + 1 + 3, /* scope, tag, length */
  TRACESTATE_MAX = HOIST_TRACESTATE_SIZE - 1,
};

_Static_assert(RECORD_MESSAGE_MAX + FRAME_HEAD_MAX <= QUEUE_FRAME_MAX, "a span fits a frame");
_Static_assert(offsetof(struct record, message) + TRACESTATE_MAX + RECORD_ERROR_RESERVE + 1024 <
                   sizeof(((struct hoist_span *)NULL)->private_),
               "a span with the longest tracestate still has room");

/* ---- start --------------------------------------------------------------------------------------- */

/* What a span inherits, wherever its parent is. */
struct ancestry {
  const uint8_t *trace_id, *parent_id; /* NULL: it is the first of its trace */
  const char *tracestate;
  uint8_t flags;
  uint8_t is_forced;
};

static inline struct ancestry ancestry_of(const struct hoist_span *parent_span,
                                          const struct hoist_span_context *remote) {
  struct ancestry a = {.tracestate = "", .flags = CONTEXT_RANDOM};
  if (parent_span) {
    const struct record *parent = record_peek(parent_span);
    a.trace_id = parent->message + TRACE_ID_AT;
    a.parent_id = parent->message + SPAN_ID_AT;
    a.tracestate = record_tracestate(parent);
    a.flags = parent->flags;
  } else if (remote) {
    a.is_forced = remote->forced;
    if (!context_is_valid(remote)) return a;
    a.trace_id = remote->trace_id;
    a.parent_id = remote->span_id;
    a.tracestate = remote->tracestate ? remote->tracestate : "";
    a.flags = remote->flags;
  }
  return a;
}

/* Ids, sampling, flags and tracestate: what a span has whether it is recorded or not. */
static inline void identify(struct record *r, const struct ancestry *a,
                            const struct recorder_config *config, struct thread_own *own) {
  wire_put_head(r->message, SPAN_TRACE_ID, 16);
  wire_put_head(r->message + SPAN_ID_AT - 2, SPAN_SPAN_ID, 8);
  if (a->parent_id) memcpy(r->message + TRACE_ID_AT, a->trace_id, 16);
  ids_fill(own, a->parent_id ? NULL : r->message + TRACE_ID_AT, r->message + SPAN_ID_AT);
  r->is_recording = sampler_decide(&config->sampler, r->message + TRACE_ID_AT, a->parent_id != NULL,
                                   a->flags & CONTEXT_SAMPLED) ||
                    (a->is_forced && config->allow_forced);
  r->flags = (uint8_t)((a->flags & CONTEXT_RANDOM) | (r->is_recording ? CONTEXT_SAMPLED : 0));
  r->tracestate_size = 0;
  if (*a->tracestate) {
    size_t size = strlen(a->tracestate);
    if (size > TRACESTATE_MAX) return;
    r->tracestate_size = (uint16_t)size;
    memcpy(record_inline_end(r), a->tracestate, size + 1);
  }
}

/* What is known at the start, behind the ids. */
static inline void begin_message(struct record *r, const struct ancestry *a, const char *name,
                                 enum hoist_span_kind kind) {
  uint8_t *p = r->message + IDS_SIZE;
  if (a->parent_id) p = wire_put_bytes(p, SPAN_PARENT_ID, a->parent_id, 8);
  p = wire_put_number(p, SPAN_KIND, (unsigned)kind & 0x7f);
  p = wire_put_fixed64(p, SPAN_START, r->start_unix_ns);
  if (r->tracestate_size)
    p = wire_put_bytes(p, SPAN_TRACE_STATE, record_tracestate(r), r->tracestate_size);
  r->items = p;
  r->room_end = record_inline_end(r) - RECORD_END_RESERVE;
  r->at = text_put(p, r->room_end, SPAN_NAME, name ? name : "", RECORD_NAME_MAX);
}

static inline void begin_record(struct recorder *recorder, struct record *r,
                                const struct hoist_span *parent_span, uint64_t start_unix_ns) {
  const struct record *parent = parent_span ? record_peek(parent_span) : NULL;
  uint64_t now = clock_monotonic_ns();
  r->anchor_ns =
      parent && parent->is_recording ? parent->anchor_ns : recorder_anchor(recorder, now);
  r->start_unix_ns = start_unix_ns ? start_unix_ns : now + r->anchor_ns;
  r->chunk = NULL;
  r->keys_seen = 0;
  r->generation = fork_generation();
  r->dropped_attrs = r->dropped_events = r->dropped_links = 0;
  r->attr_count = r->event_count = r->link_count = 0;
  r->status = r->has_status_item = r->has_failed = 0;
}

static void span_start(struct hoist_telemetry *telemetry, const struct hoist_span *parent,
                       const struct hoist_span_context *remote, const char *name,
                       enum hoist_span_kind kind, uint64_t start_unix_ns,
                       struct hoist_span *ret_span) {
  struct recorder *recorder = recorder_of(telemetry);
  struct record *r = record_of(ret_span);
  struct thread_own *own = thread_own_get();
  struct ancestry ancestry = ancestry_of(parent, remote);
  identify(r, &ancestry, &recorder->config, own);
  ret_span->telemetry = telemetry;
  r->self = r->is_recording ? r : NULL;
  if (!r->is_recording) return;
  begin_record(recorder, r, parent, start_unix_ns);
  r->scope = scope_of(telemetry)->index;
  r->parent_is_remote = remote && remote->remote && ancestry.parent_id;
  begin_message(r, &ancestry, name, kind);
  recorder_settle(recorder);
  queue_count_started(&recorder->queue, thread_slot_of(own));
}

/* ---- while it runs ------------------------------------------------------------------------------- */

bool record_move(struct recorder *recorder, struct record *r) {
  recorder_settle(recorder);
  if (r->chunk || r->generation != fork_generation()) return false;
  struct chunk *chunk = queue_borrow(&recorder->queue);
  if (!chunk) return false;
  uint8_t *message = chunk->data + FRAME_HEAD_MAX;
  size_t size = (size_t)(r->at - r->message);
  memcpy(message, r->message, size);
  r->items = message + (r->items - r->message);
  r->at = message + size;
  r->room_end = chunk->data + recorder->queue.room - RECORD_END_RESERVE;
  r->chunk = chunk;
  return true;
}

static int is_recording(const struct hoist_span *span) {
  const struct record *r = record_peek(span);
  return record_is_live(r) && r->generation == fork_generation();
}

static void get_context(const struct hoist_span *span, struct hoist_span_context *ret_context) {
  const struct record *r = record_peek(span);
  memcpy(ret_context->trace_id, r->message + TRACE_ID_AT, sizeof ret_context->trace_id);
  memcpy(ret_context->span_id, r->message + SPAN_ID_AT, sizeof ret_context->span_id);
  ret_context->flags = r->flags;
  ret_context->remote = ret_context->forced = 0;
  ret_context->tracestate = record_tracestate(r);
}

/* ---- end ----------------------------------------------------------------------------------------- */

static inline uint8_t *put_dropped(uint8_t *p, const struct record *r) {
  if (r->dropped_attrs) p = wire_put_number(p, SPAN_DROPPED_ATTRIBUTES, r->dropped_attrs);
  if (r->dropped_events) p = wire_put_number(p, SPAN_DROPPED_EVENTS, r->dropped_events);
  if (r->dropped_links) p = wire_put_number(p, SPAN_DROPPED_LINKS, r->dropped_links);
  return p;
}

/* What the end adds, at most RECORD_END_RESERVE bytes. */
static inline uint8_t *put_tail(uint8_t *p, const struct record *r, uint64_t end_unix_ns) {
  p = wire_put_fixed64(p, SPAN_END, end_unix_ns);
  if (r->dropped_attrs | r->dropped_events | r->dropped_links) p = put_dropped(p, r);
  if (r->status && !r->has_status_item) {
    p = wire_put_head(p, SPAN_STATUS, 2);
    p = wire_put_number(p, STATUS_CODE, r->status);
  }
  uint32_t flags =
      wire_le32(r->flags | HAS_IS_REMOTE | (r->parent_is_remote ? (uint32_t)IS_REMOTE : 0));
  p = wire_put_varint(p, 16 << 3 | WIRE_FIXED32);
  return wire_put_raw(p, &flags, sizeof flags);
}

static inline uint8_t *put_frame_head(uint8_t *p, const struct record *r, size_t size) {
  *p++ = r->scope;
  return wire_put_head(p, SCOPE_SPANS_SPAN, size);
}

/* Of the unusual end: something was dropped, or there is a status without a message. */
static __attribute__((noinline)) size_t measure_tail(const struct record *r) {
  uint8_t tail[RECORD_END_RESERVE];
  return (size_t)(put_tail(tail, r, 0) - tail);
}

/* The tail goes right into the queue: copying bytes that were written just now would wait for them. */
static inline void enqueue(struct queue *queue, const struct record *r, const uint8_t *message,
                           uint64_t end_unix_ns) {
  enum { TIME_SIZE = 9, FLAGS_SIZE = 6 };
  struct queue_writer *writer;
  size_t size = (size_t)(r->at - message), tail_size = TIME_SIZE + FLAGS_SIZE;
  if (r->dropped_attrs | r->dropped_events | r->dropped_links | r->status)
    tail_size = measure_tail(r);
  size_t frame_size = 1 + wire_bytes_size(size + tail_size);
  uint8_t *frame = queue_reserve(queue, thread_slot(), frame_size, &writer);
  if (!frame) return;
  uint8_t *p = put_frame_head(frame, r, size + tail_size);
  memcpy(p, message, size);
  put_tail(p + size, r, end_unix_ns);
  queue_commit(queue, writer, frame_size);
}

/* A message that would leave most of its chunk empty is copied as any other. A larger one stays where it is;
 * its head goes right before it. */
static void enqueue_moved(struct queue *queue, struct record *r, uint64_t end_unix_ns) {
  uint8_t *message = r->chunk->data + FRAME_HEAD_MAX;
  if ((size_t)(r->at - message) < queue->room / 2 - FRAME_HEAD_MAX - RECORD_END_RESERVE) {
    enqueue(queue, r, message, end_unix_ns);
    queue_return(queue, r->chunk);
    return;
  }
  size_t size = (size_t)(put_tail(r->at, r, end_unix_ns) - message);
  size_t head_size = 1 + wire_bytes_size(size) - size;
  put_frame_head(message - head_size, r, size);
  queue_send(queue, thread_slot(), r->chunk, (uint32_t)(FRAME_HEAD_MAX - head_size),
             (uint32_t)(head_size + size));
}

static __attribute__((noinline)) void end_record(struct recorder *recorder, struct record *r,
                                                 uint64_t end_unix_ns) {
  if (end_unix_ns == 0) end_unix_ns = clock_monotonic_ns() + r->anchor_ns;
  if (end_unix_ns < r->start_unix_ns) end_unix_ns = r->start_unix_ns;
  recorder_settle(recorder);
  if (r->generation != fork_generation()) return; /* begun before a fork: the parent's to report */
  if (r->chunk)
    enqueue_moved(&recorder->queue, r, end_unix_ns);
  else
    enqueue(&recorder->queue, r, r->message, end_unix_ns);
}

/* A copy of a span, or one that was moved: where its message is nobody knows any more. */
static __attribute__((noinline, cold)) void drop_copy(struct recorder *recorder,
                                                      const struct record *r) {
  recorder_settle(recorder);
  if (r->generation == fork_generation()) queue_count_refused(&recorder->queue, thread_slot());
}

static void span_end(struct hoist_span *span, uint64_t end_unix_ns) {
  struct record *r = record_of(span);
  if (record_is_live(r))
    end_record(record_recorder(span), r, end_unix_ns);
  else if (r->is_recording)
    drop_copy(record_recorder(span), r);
}

static uint64_t span_now(const struct hoist_span *span) {
  const struct record *r = record_peek(span);
  return r->is_recording ? clock_monotonic_ns() + r->anchor_ns : clock_realtime_ns();
}

/* ---- the table ----------------------------------------------------------------------------------- */

static void metric_add(struct hoist_telemetry *telemetry, const struct measurement *m) {
  struct recorder *recorder = recorder_of(telemetry);
  recorder_settle(recorder);
  metrics_add(&recorder->metrics, scope_of(telemetry)->index, m);
}

static struct hoist_bound *bind_metric(struct hoist_telemetry *telemetry,
                                       const struct hoist_instrument *instrument,
                                       const struct hoist_attr *attrs, size_t attr_count) {
  struct recorder *recorder = recorder_of(telemetry);
  recorder_settle(recorder);
  return bound_get(recorder, scope_of(telemetry)->index, instrument, attrs, attr_count);
}

const struct span_ops recorder_spans = {
    .start = span_start,
    .set_attr = record_set_attr,
    .add_event = record_add_event,
    .add_link = record_add_link,
    .set_status = record_set_status,
    .update_name = record_update_name,
    .is_recording = is_recording,
    .get_context = get_context,
    .end = span_end,
    .now = span_now,
    .metric_add = metric_add,
    .bind = bind_metric,
};
