/* SPDX-License-Identifier: Apache-2.0 */
/* A source made up in memory, for tests: says what it is told to say and counts how often it is asked. */
#ifndef HOIST_TESTS_FAKE_SOURCE_H
#define HOIST_TESTS_FAKE_SOURCE_H

#include <stdatomic.h>

#include "source.h"

#define FAKE_MAX_FILES 64

struct fake_file;

/** Answers request `n` (from 0) for a file in place of what the fields below say. */
typedef enum hoist_status fake_answer(const struct call *call, struct fake_file *f, int n,
                                      struct source_request *request, struct hoist_error *err);

struct fake_file {
  const char *name;
  const char *data;
  size_t size;
  int64_t listed_size;    /* what describe says: FILE_SIZE_UNKNOWN, or anything */
  struct digest promised; /* by describe */
  int64_t announced_size; /* what fetch announces */
  struct digest in_response;
  int64_t in_response_part_bytes;
  enum hoist_status fail; /* not OK: fetch fails so after half of the bytes */
  int attempts;           /* how often begin is called with half the bytes before the real one */
  int waits_for_stop;     /* 1: fetch waits until the call is stopped */
  fake_answer *answer;    /* NULL: none */
  const char *version;    /* for `answer` to use */
  atomic_int requests;
  atomic_llong sent; /* bytes, by fake_send */
};

struct fake_source {
  struct source base;
  struct fake_file files[FAKE_MAX_FILES];
  size_t file_count;
  enum hoist_status describe_status;
  const char *task_type;
  atomic_int describes, fetches, in_flight, most_in_flight;
  struct call call; /* of the last describe */
};

/** A source of that name with no files. Release with source_free. */
struct fake_source *fake_source_new(const char *name);
struct fake_file *fake_source_add(struct fake_source *s, const char *name, const char *data);

/** For an answer that sends by itself: bytes that it is about to send. */
void fake_note_sent(struct fake_file *f, size_t size);
/** As a server that knows ranges: exactly what was asked for, as of version `validator`. */
enum hoist_status fake_send(struct fake_file *f, struct source_request *request,
                            const char *validator, struct hoist_error *err);
/** The same, but it breaks off at byte `until` of the file; the caller says how. */
enum hoist_status fake_send_until(struct fake_file *f, struct source_request *request,
                                  const char *validator, int64_t until, struct hoist_error *err);
/** As one that does not: all of it, and the first `size` bytes before the connection breaks. */
enum hoist_status fake_send_whole(struct fake_file *f, struct source_request *request, size_t size,
                                  const char *validator, struct hoist_error *err);

#endif
