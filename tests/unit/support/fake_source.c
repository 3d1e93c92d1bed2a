/* SPDX-License-Identifier: Apache-2.0 */
/* The made-up source. */
#include "fake_source.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text.h"

#define FAKE_CHUNK_BYTES 100000 /* no divisor of anything */

static enum hoist_status describe(const struct call *call, struct source *source,
                                  const struct model_id *id, struct manifest *ret_manifest,
                                  struct hoist_error *err) {
  struct fake_source *s = (struct fake_source *)source;
  s->call = *call;
  s->describes++;
  if (s->describe_status != HOIST_OK)
    return hoist_fail(err, s->describe_status, "%s has no answer for %s", source->name, id->text);
  ret_manifest->source = text_dup(source->name);
  ret_manifest->task_type = text_dup(s->task_type);
  for (size_t i = 0; i < s->file_count; i++) {
    struct manifest_file *file = NULL;
    enum hoist_status status = manifest_add(ret_manifest, s->files[i].name, &file, err);
    if (status != HOIST_OK) return status;
    file->size = s->files[i].listed_size;
    file->digest = s->files[i].promised;
  }
  return HOIST_OK;
}

static enum hoist_status wait_for_stop(const struct call *call, struct hoist_error *err) {
  for (;;) {
    enum hoist_status status = call_check(call, "waiting", err);
    if (status != HOIST_OK) return status;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
}

static enum hoist_status begin(const struct fake_file *f, const struct source_sink *sink,
                               struct hoist_error *err) {
  const struct source_response response = {.length = f->announced_size,
                                           .size = f->announced_size,
                                           .promised = f->in_response,
                                           .promised_part_bytes = f->in_response_part_bytes};
  return sink->begin(sink->user, &response, err);
}

static _Thread_local const struct call *answered; /* whom the thread sends to */

void fake_note_sent(struct fake_file *f, size_t size) {
  f->sent += (long long)size;
  call_note_received(answered, size);
}

static enum hoist_status send(const struct call *call, struct fake_file *f,
                              const struct source_sink *sink, struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  fake_note_sent(f, (size_t)f->attempts * (f->size / 2) + f->size / 2);
  for (int i = 0; i < f->attempts && status == HOIST_OK; i++) {
    status = begin(f, sink, err);
    if (status == HOIST_OK)
      status = sink->write(sink->user, "garbage of an attempt that broke", f->size / 2, err);
  }
  if (status == HOIST_OK) status = begin(f, sink, err);
  if (status == HOIST_OK) status = sink->write(sink->user, f->data, f->size / 2, err);
  if (status != HOIST_OK) return status;
  if (f->fail != HOIST_OK) return hoist_fail(err, f->fail, "%s: failed half-way", f->name);
  if (f->waits_for_stop) return wait_for_stop(call, err);
  fake_note_sent(f, f->size - f->size / 2);
  return sink->write(sink->user, f->data + f->size / 2, f->size - f->size / 2, err);
}

static enum hoist_status send_bytes(struct fake_file *f, struct source_request *request, int64_t at,
                                    int64_t end, struct hoist_error *err) {
  while (at < end) {
    int64_t n = end - at < FAKE_CHUNK_BYTES ? end - at : FAKE_CHUNK_BYTES;
    fake_note_sent(f, (size_t)n);
    enum hoist_status status =
        request->sink.write(request->sink.user, f->data + at, (size_t)n, err);
    if (status != HOIST_OK) return status;
    at += n;
  }
  return HOIST_OK;
}

enum hoist_status fake_send(struct fake_file *f, struct source_request *request,
                            const char *validator, struct hoist_error *err) {
  return fake_send_until(f, request, validator, INT64_MAX, err);
}

enum hoist_status fake_send_until(struct fake_file *f, struct source_request *request,
                                  const char *validator, int64_t until, struct hoist_error *err) {
  int64_t size = (int64_t)f->size, from = request->whole ? 0 : request->from;
  int64_t end = request->to == SOURCE_TO_END || request->to > size ? size : request->to;
  const struct source_response response = {.offset = from,
                                           .length = end - from,
                                           .size = size,
                                           .validator = validator,
                                           .promised = f->in_response,
                                           .promised_part_bytes = f->in_response_part_bytes};
  enum hoist_status status = request->sink.begin(request->sink.user, &response, err);
  return status == HOIST_OK ? send_bytes(f, request, from, end < until ? end : until, err) : status;
}

enum hoist_status fake_send_whole(struct fake_file *f, struct source_request *request, size_t size,
                                  const char *validator, struct hoist_error *err) {
  const struct source_response response = {.length = (int64_t)f->size,
                                           .size = (int64_t)f->size,
                                           .validator = validator,
                                           .promised = f->in_response,
                                           .promised_part_bytes = f->in_response_part_bytes};
  enum hoist_status status = request->sink.begin(request->sink.user, &response, err);
  return status == HOIST_OK ? send_bytes(f, request, 0, (int64_t)size, err) : status;
}

static enum hoist_status fetch(const struct call *call, struct source *source,
                               const struct model_id *id, struct source_request *request,
                               struct hoist_error *err) {
  struct fake_source *s = (struct fake_source *)source;
  const struct source_sink *sink = &request->sink;
  (void)id;
  answered = call;
  s->fetches++;
  int now = ++s->in_flight, most = s->most_in_flight;
  while (now > most && !atomic_compare_exchange_weak(&s->most_in_flight, &most, now))
    ;
  enum hoist_status status = HOIST_NOT_FOUND;
  for (size_t i = 0; i < s->file_count; i++)
    if (strcmp(s->files[i].name, request->file->name) == 0) {
      struct fake_file *f = &s->files[i];
      int n = f->requests++;
      status = f->answer ? f->answer(call, f, n, request, err) : send(call, f, sink, err);
    }
  s->in_flight--;
  return status;
}

static void free_source(struct source *source) {
  free(source->location);
  free(source);
}

static const struct source_ops ops = {.describe = describe, .fetch = fetch, .free = free_source};

struct fake_source *fake_source_new(const char *name) {
  struct fake_source *s = calloc(1, sizeof *s);
  if (!s) abort();
  s->base = (struct source){.ops = &ops, .name = name, .location = text_format("fake:%s", name)};
  return s;
}

struct fake_file *fake_source_add(struct fake_source *s, const char *name, const char *data) {
  if (s->file_count == FAKE_MAX_FILES) abort();
  struct fake_file *f = &s->files[s->file_count++];
  *f = (struct fake_file){.name = name,
                          .data = data,
                          .size = strlen(data),
                          .listed_size = (int64_t)strlen(data),
                          .announced_size = (int64_t)strlen(data)};
  return f;
}
