/* SPDX-License-Identifier: Apache-2.0 */
/* fetch: made-up sources into a real cache transaction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block.h"
#include "fetch_world.h"

static void test_files_arrive_with_size_and_sha256(void **state) {
  struct world *w = *state;
  fake_source_add(w->source, "weights.onnx", "abc");
  assert_int_equal(world_fetch_all(w, 4), HOIST_OK);
  char hex[DIGEST_HEX_SIZE];
  digest_hex(&w->m.files[0].digest, hex);
  assert_int_equal(w->m.files[0].size, 3);
  assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert_int_equal(w->outcome.bytes, 3);
  const struct fake_span *span = fake_span(w->tracer, "model.artifact.download", 0);
  assert_string_equal(fake_attr(span, "artifact.filename"), "weights.onnx");
  assert_string_equal(fake_attr(span, "file.size"), "3");
  assert_string_equal(fake_attr(span, "artifact.hash"), hex);
  assert_int_equal(span->parent, 0);
}

static void test_what_a_broken_attempt_wrote_is_forgotten(void **state) {
  struct world *w = *state;
  fake_source_add(w->source, "weights.onnx", "0123456789")->attempts = 3;
  assert_int_equal(world_fetch_all(w, 1), HOIST_OK);
  struct digest d;
  assert_int_equal(digest_of(DIGEST_SHA256, "0123456789", 10, &d, NULL), HOIST_OK);
  assert_true(digest_equal(&d, &w->m.files[0].digest));
}

static void test_broken_promises_are_corrupt(void **state) {
  struct world *w = *state;
  static const struct {
    const char *title, *says;
    int64_t listed, announced;
    enum digest_kind manifest_kind, response_kind;
  } cases[] = {
      {"listed longer", "got 10 of 11", 11, FILE_SIZE_UNKNOWN, 0, 0},
      {"listed shorter", "more than the 9", 9, FILE_SIZE_UNKNOWN, 0, 0},
      {"announced longer", "got 10 of 12", FILE_SIZE_UNKNOWN, 12, 0, 0},
      {"announced shorter", "more than the 4", FILE_SIZE_UNKNOWN, 4, 0, 0},
      {"announced unlike listed", "its listing says 10", 10, 12, 0, 0},
      {"absurd announcement", "absurd", FILE_SIZE_UNKNOWN, INT64_MAX, 0, 0},
      {"negative announcement", "absurd", FILE_SIZE_UNKNOWN, -5, 0, 0},
      {"wrong md5 listed", "md5 is", 10, 10, DIGEST_MD5, 0},
      {"wrong sha256 listed", "sha256 is", 10, 10, DIGEST_SHA256, 0},
      {"wrong sha1 in the response", "sha1 is", 10, 10, 0, DIGEST_SHA1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct fake_file *f = fake_source_add(w->source, "w.onnx", "0123456789");
    f->listed_size = cases[i].listed;
    f->announced_size = cases[i].announced;
    f->promised.kind = cases[i].manifest_kind;
    f->in_response.kind = cases[i].response_kind;
    assert_int_equal(world_fetch_all(w, 1), HOIST_CORRUPT);
    if (!strstr(w->err.message, cases[i].says)) fail_msg("%s: %s", cases[i].title, w->err.message);
    assert_non_null(strstr(w->err.message, "w.onnx"));
    world_forget(w);
  }
}

static void test_kept_promises_of_any_kind_are_fine(void **state) {
  struct world *w = *state;
  for (int kind = DIGEST_CRC32; kind <= DIGEST_SHA256; kind++) {
    struct fake_file *f =
        fake_source_add(w->source, digest_kind_name((enum digest_kind)kind), "0123456789");
    assert_int_equal(digest_of((enum digest_kind)kind, "0123456789", 10, &f->promised, NULL),
                     HOIST_OK);
  }
  assert_int_equal(world_fetch_all(w, 1), HOIST_OK);
  for (int i = 0; i < DIGEST_SHA256; i++) {
    const struct fake_span *span = fake_span(w->tracer, "model.artifact.download", i);
    assert_string_equal(fake_attr(span, "artifact.promise"), fake_attr(span, "artifact.filename"));
    assert_null(fake_attr(span, "artifact.promise.part_bytes"));
    assert_int_equal(w->m.files[i].digest.kind, DIGEST_SHA256);
  }
}

/* MD5 of the two MD5s of "01234" and "56789". */
static void test_a_composite_of_the_response_is_checked(void **state) {
  struct world *w = *state;
  struct digest parts[2];
  assert_int_equal(digest_of(DIGEST_MD5, "01234", 5, &parts[0], NULL), HOIST_OK);
  assert_int_equal(digest_of(DIGEST_MD5, "56789", 5, &parts[1], NULL), HOIST_OK);
  uint8_t both[32];
  memcpy(both, parts[0].bytes, 16);
  memcpy(both + 16, parts[1].bytes, 16);
  for (int wrong = 0; wrong <= 1; wrong++) {
    struct fake_file *f = fake_source_add(w->source, "w.onnx", wrong ? "0123456780" : "0123456789");
    assert_int_equal(digest_of(DIGEST_MD5, both, sizeof both, &f->in_response, NULL), HOIST_OK);
    f->in_response_part_bytes = 5;
    assert_int_equal(world_fetch_all(w, 1), wrong ? HOIST_CORRUPT : HOIST_OK);
    if (wrong) assert_non_null(strstr(w->err.message, "the composite md5"));
    world_forget(w);
  }
  const struct fake_span *span = fake_span(w->tracer, "model.artifact.download", 0);
  assert_string_equal(fake_attr(span, "artifact.promise"), "md5");
  assert_string_equal(fake_attr(span, "artifact.promise.part_bytes"), "5");
}

static void test_one_failure_stops_the_others_and_is_the_one_reported(void **state) {
  struct world *w = *state;
  fake_source_add(w->source, "a", "0123456789")->waits_for_stop = 1;
  fake_source_add(w->source, "b", "0123456789")->fail = HOIST_DENIED;
  fake_source_add(w->source, "c", "0123456789")->waits_for_stop = 1;
  assert_int_equal(world_fetch_all(w, 3), HOIST_DENIED);
  assert_string_equal(w->err.message, "b: failed half-way");
  for (int i = 0; i < fake_span_count(w->tracer, "model.artifact.download"); i++)
    assert_int_equal(fake_span(w->tracer, "model.artifact.download", i)->errors, 1);
}

static void test_small_files_use_four_times_as_many_connections(void **state) {
  struct world *w = *state;
  static char names[40][8];
  for (int i = 0; i < 40; i++) {
    snprintf(names[i], sizeof names[i], "f%d", i);
    fake_source_add(w->source, names[i], "some bytes");
  }
  assert_int_equal(world_fetch_all(w, 3), HOIST_OK);
  assert_int_equal(w->source->fetches, 40);
  assert_in_range(w->source->most_in_flight, 1, 12);
  assert_int_equal(w->outcome.bytes, 400);
}

static void test_contents_the_source_made_up_are_not_fetched(void **state) {
  struct world *w = *state;
  struct manifest_file *file = NULL;
  assert_int_equal(manifest_add(&w->m, "class_names.txt", &file, NULL), HOIST_OK);
  file->content = strdup("cat\n");
  file->size = 4;
  assert_int_equal(
      fetch_model(&w->call, &w->source->base, &w->id, &w->m, w->txn, 2, &w->outcome, &w->err),
      HOIST_OK);
  assert_int_equal(w->source->fetches, 0);
  assert_int_equal(w->outcome.bytes, 0);
  assert_int_equal(w->m.files[0].digest.kind, DIGEST_SHA256);
}

static void test_a_file_larger_than_the_buffer_is_hashed_right(void **state) {
  struct world *w = *state;
  size_t size = 3 * BLOCK_BYTES + 17;
  char *data = malloc(size + 1);
  for (size_t i = 0; i < size; i++)
    data[i] = (char)('a' + i % 23);
  data[size] = '\0';
  fake_source_add(w->source, "big.onnx", data);
  assert_int_equal(world_fetch_all(w, 1), HOIST_OK);
  struct digest d;
  assert_int_equal(digest_of(DIGEST_SHA256, data, size, &d, NULL), HOIST_OK);
  assert_true(digest_equal(&d, &w->m.files[0].digest));
  free(data);
}

struct seen {
  int events, done;
  int64_t last_total;
  size_t last_files_done;
};

static void watch(void *user, const struct hoist_progress *event) {
  struct seen *seen = user;
  assert_int_equal(event->kind, HOIST_PROGRESS_FILE);
  assert_string_equal(event->model_id, "faces/1");
  assert_string_equal(event->source, "fake");
  assert_true(event->total_done >= seen->last_total);
  assert_true(event->files_done >= seen->last_files_done);
  seen->events++;
  seen->done += event->file_done;
  seen->last_total = event->total_done;
  seen->last_files_done = event->files_done;
}

static void test_progress_has_a_beginning_and_an_end_for_each_file(void **state) {
  struct world *w = *state;
  struct seen seen = {0};
  w->call.progress = watch;
  w->call.progress_user = &seen;
  fake_source_add(w->source, "a", "0123456789");
  fake_source_add(w->source, "b", "0123456789");
  assert_int_equal(world_fetch_all(w, 2), HOIST_OK);
  assert_int_equal(seen.done, 2);
  assert_true(seen.events >= 4);
  assert_int_equal(seen.last_total, 20);
  assert_int_equal(seen.last_files_done, 2);
}

static void test_a_cancelled_call_fetches_nothing(void **state) {
  struct world *w = *state;
  atomic_int cancel = 1;
  w->call.cancel = &cancel;
  fake_source_add(w->source, "a", "0123456789");
  assert_int_equal(world_fetch_all(w, 2), HOIST_CANCELLED);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
  const struct CMUnitTest tests[] = {
      T(test_files_arrive_with_size_and_sha256),
      T(test_what_a_broken_attempt_wrote_is_forgotten),
      T(test_broken_promises_are_corrupt),
      T(test_a_composite_of_the_response_is_checked),
      T(test_kept_promises_of_any_kind_are_fine),
      T(test_one_failure_stops_the_others_and_is_the_one_reported),
      T(test_small_files_use_four_times_as_many_connections),
      T(test_contents_the_source_made_up_are_not_fetched),
      T(test_a_file_larger_than_the_buffer_is_hashed_right),
      T(test_progress_has_a_beginning_and_an_end_for_each_file),
      T(test_a_cancelled_call_fetches_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
