/* SPDX-License-Identifier: Apache-2.0 */
/* fetch, interrupted and gone on with: what was finished is kept, and only if it is still what it was. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fetch_world.h"
#include "file.h"
#include "fs.h"

#define PARTS 7
#define SIZE ((size_t)((PARTS - 1) * FILE_PART_BYTES + 4321))

static char *pattern;

static int make_pattern(void **state) {
  (void)state;
  pattern = malloc(SIZE + 1);
  for (size_t i = 0; i < SIZE; i++)
    pattern[i] = (char)(1 + (i * 31 + (i >> 10)) % 251);
  pattern[SIZE] = '\0';
  return 0;
}

static int free_pattern(void **state) {
  (void)state;
  free(pattern);
  return 0;
}

static enum hoist_status good(const struct call *call, struct fake_file *f, int n,
                              struct source_request *request, struct hoist_error *err) {
  (void)call, (void)n;
  if (request->validator && strcmp(request->validator, f->version) != 0) {
    request->trouble = SOURCE_CHANGED;
    return hoist_fail(err, HOIST_UNAVAILABLE, "changed");
  }
  return fake_send(f, request, f->version, err);
}

/* Everything before part 4, and then an end. */
static enum hoist_status ends_at_part_4(struct fake_file *f, struct source_request *request,
                                        enum hoist_status how, struct hoist_error *err) {
  enum hoist_status status = request->from < 4 * FILE_PART_BYTES
                                 ? fake_send_until(f, request, f->version, 4 * FILE_PART_BYTES, err)
                                 : HOIST_OK;
  if (status != HOIST_OK || request->from < 4 * FILE_PART_BYTES) return status;
  return request->to == 4 * FILE_PART_BYTES ? HOIST_OK : hoist_fail(err, how, "the end");
}

static enum hoist_status breaks_at_part_4(const struct call *call, struct fake_file *f, int n,
                                          struct source_request *request, struct hoist_error *err) {
  (void)call, (void)n;
  return ends_at_part_4(f, request, HOIST_UNAVAILABLE, err);
}

static enum hoist_status denies_part_4(const struct call *call, struct fake_file *f, int n,
                                       struct source_request *request, struct hoist_error *err) {
  (void)call, (void)n;
  return ends_at_part_4(f, request, HOIST_DENIED, err);
}

static int64_t breaks_at;

static enum hoist_status breaks(const struct call *call, struct fake_file *f, int n,
                                struct source_request *request, struct hoist_error *err) {
  (void)call, (void)n;
  enum hoist_status status = fake_send_until(f, request, f->version, breaks_at, err);
  return status == HOIST_OK && request->from == breaks_at
             ? hoist_fail(err, HOIST_UNAVAILABLE, "the end")
             : status;
}

static struct fake_file *add(struct world *w, fake_answer *answer) {
  struct fake_file *f = fake_source_add(w->source, "w.onnx", pattern);
  f->answer = answer;
  f->version = "\"v1\"";
  return f;
}

/* Parts 0 to 3 arrive; what is staged is left for the next one. */
static void interrupt_download(struct world *w) {
  add(w, breaks_at_part_4);
  assert_int_equal(world_fetch_all(w, 1), HOIST_UNAVAILABLE);
  assert_int_equal(w->outcome.keep, 1);
  assert_int_equal(w->outcome.resumed_bytes, 0);
}

static void go_on(struct world *w) {
  cache_txn_keep(w->txn);
  w->txn = NULL;
  manifest_done(&w->m);
  w->m = (struct manifest){0};
  w->source->file_count = 0;
  assert_int_equal(cache_begin(&w->call, w->lock, 0, &w->txn, NULL), HOIST_OK);
}

static void assert_whole(struct world *w) {
  struct digest wanted;
  assert_int_equal(digest_of(DIGEST_SHA256, pattern, SIZE, &wanted, NULL), HOIST_OK);
  assert_true(digest_equal(&w->m.files[0].digest, &wanted));
  struct cache_entry *entry = NULL;
  for (size_t i = 0; i < w->m.file_count; i++)
    assert_int_equal(w->m.files[i].digest.kind, DIGEST_SHA256);
  enum hoist_status status =
      cache_commit(&w->call, HOIST_TAKE(w->txn), &w->m, &w->lock, &entry, &w->err);
  if (status != HOIST_OK) fail_msg("%s", w->err.message);
  cache_entry_release(entry);
}

/* The one file of that name in the staging. */
static int open_staged(struct world *w, const char *name) {
  char command[256], path[256] = "";
  snprintf(command, sizeof command, "ls -d %s/.hoist/staging/*/%s", w->root, name);
  FILE *f = popen(command, "r");
  assert_non_null(fgets(path, sizeof path, f));
  assert_int_equal(pclose(f), 0);
  path[strcspn(path, "\n")] = '\0';
  return open(path, O_RDWR | O_CLOEXEC);
}

static void test_what_was_finished_is_not_fetched_again(void **state) {
  struct world *w = *state;
  interrupt_download(w);
  go_on(w);
  struct fake_file *f = add(w, good);
  assert_int_equal(world_fetch_all(w, 1), HOIST_OK);
  assert_int_equal(w->outcome.resumed_bytes, 4 * FILE_PART_BYTES);
  assert_int_equal(f->sent, (int64_t)SIZE - 4 * FILE_PART_BYTES);
  const struct fake_span *span = fake_span(w->tracer, "model.artifact.download", 1);
  assert_string_equal(fake_attr(span, "artifact.resumed_bytes"), "33554432");
  assert_whole(w);
}

/* One is finished before the large file begins, so that its digest is known by then, and not when the
 * journal is looked for. */
static void test_files_that_were_finished_first_do_not_void_the_parts(void **state) {
  struct world *w = *state;
  fake_source_add(w->source, "a.txt", "small");
  add(w, breaks_at_part_4);
  assert_int_equal(world_fetch_all(w, 1), HOIST_UNAVAILABLE);
  assert_int_equal(w->outcome.keep, 1);
  go_on(w);
  fake_source_add(w->source, "a.txt", "small");
  struct fake_file *f = add(w, good);
  /* one connection: with more, what is slow would be asked for twice */
  assert_int_equal(world_fetch_all(w, 1), HOIST_OK);
  assert_int_equal(w->outcome.resumed_bytes, 4 * FILE_PART_BYTES);
  assert_int_equal(f->sent, (int64_t)SIZE - 4 * FILE_PART_BYTES);
}

static void test_an_interruption_may_be_interrupted(void **state) {
  struct world *w = *state;
  interrupt_download(w);
  go_on(w);
  atomic_int cancel = 1;
  add(w, good);
  w->call.cancel = &cancel;
  struct source *s = &w->source->base;
  assert_int_equal(s->ops->describe(&w->call, s, &w->id, &w->m, &w->err), HOIST_OK);
  assert_int_equal(fetch_model(&w->call, s, &w->id, &w->m, w->txn, 2, &w->outcome, &w->err),
                   HOIST_CANCELLED);
  assert_int_equal(w->outcome.keep, 1);
  w->call.cancel = NULL;
  go_on(w);
  add(w, good);
  assert_int_equal(world_fetch_all(w, 2), HOIST_OK);
  assert_int_equal(w->outcome.resumed_bytes, 4 * FILE_PART_BYTES);
  assert_whole(w);
}

static void test_a_part_that_is_damaged_on_disk_is_fetched_again(void **state) {
  struct world *w = *state;
  interrupt_download(w);
  HOIST_AUTO(fd) int fd = open_staged(w, "w.onnx");
  assert_int_equal(pwrite(fd, "x", 1, FILE_PART_BYTES + 77), 1);
  go_on(w);
  struct fake_file *f = add(w, good);
  assert_int_equal(world_fetch_all(w, 1), HOIST_OK);
  assert_int_equal(w->outcome.resumed_bytes, 3 * FILE_PART_BYTES);
  assert_int_equal(f->sent, (int64_t)SIZE - 3 * FILE_PART_BYTES);
  assert_whole(w);
}

static void fetch_until(struct world *w, int64_t end) {
  breaks_at = end;
  add(w, breaks);
  assert_int_equal(world_fetch_all(w, 1), HOIST_UNAVAILABLE);
  assert_int_equal(w->outcome.keep, 1);
}

static void assert_goes_on_from(struct world *w, int64_t from) {
  struct fake_file *f = add(w, good);
  assert_int_equal(world_fetch_all(w, 1), HOIST_OK);
  assert_int_equal(w->outcome.resumed_bytes, from);
  assert_int_equal(f->sent, (int64_t)SIZE - from);
  assert_whole(w);
}

static void test_what_is_there_of_a_part_is_kept(void **state) {
  struct world *w = *state;
  fetch_until(w, 2 * FILE_PART_BYTES + 5 * BLOCK_BYTES + 77);
  go_on(w);
  assert_goes_on_from(w, 2 * FILE_PART_BYTES + 5 * BLOCK_BYTES);
}

static void test_little_by_little_a_part_becomes_whole(void **state) {
  struct world *w = *state;
  fetch_until(w, 3 * BLOCK_BYTES);
  for (int64_t blocks = 10; blocks < 80; blocks += 7) {
    go_on(w);
    fetch_until(w, blocks * BLOCK_BYTES);
    assert_int_equal(w->outcome.bytes, 7 * BLOCK_BYTES);
  }
  go_on(w);
  assert_goes_on_from(w, 73 * BLOCK_BYTES);
}

/* What was noted before it was damaged is still right. */
static void test_of_a_part_that_is_damaged_as_much_is_kept_as_is_known_to_be_right(void **state) {
  struct world *w = *state;
  fetch_until(w, 4 * BLOCK_BYTES);
  go_on(w);
  fetch_until(w, 9 * BLOCK_BYTES);
  HOIST_AUTO(fd) int fd = open_staged(w, "w.onnx");
  assert_int_equal(pwrite(fd, "x", 1, 6 * BLOCK_BYTES), 1);
  go_on(w);
  assert_goes_on_from(w, 4 * BLOCK_BYTES);
}

static void test_a_torn_record_ends_the_journal(void **state) {
  struct world *w = *state;
  interrupt_download(w);
  HOIST_AUTO(fd) int fd = open_staged(w, ".hoist-journal");
  struct stat st;
  assert_int_equal(fstat(fd, &st), 0);
  assert_int_equal(ftruncate(fd, st.st_size - 3), 0);
  go_on(w);
  add(w, good);
  assert_int_equal(world_fetch_all(w, 2), HOIST_OK);
  assert_int_equal(w->outcome.resumed_bytes, 3 * FILE_PART_BYTES);
  assert_whole(w);
}

static void test_garbage_for_a_journal_voids_everything(void **state) {
  struct world *w = *state;
  interrupt_download(w);
  HOIST_AUTO(fd) int fd = open_staged(w, ".hoist-journal");
  assert_int_equal(pwrite(fd, "garbage", 7, 0), 7);
  go_on(w);
  add(w, good);
  assert_int_equal(world_fetch_all(w, 2), HOIST_OK);
  assert_int_equal(w->outcome.resumed_bytes, 0);
  assert_whole(w);
}

static void test_parts_of_another_version_are_not_used(void **state) {
  struct world *w = *state;
  interrupt_download(w);
  go_on(w);
  struct fake_file *f = add(w, good);
  f->version = "\"v2\"";
  assert_int_equal(world_fetch_all(w, 1), HOIST_OK);
  assert_int_equal(f->sent, SIZE);
  assert_int_equal(w->outcome.resumed_bytes, 0);
  assert_whole(w);
}

static void test_parts_of_other_files_are_thrown_away(void **state) {
  struct world *w = *state;
  interrupt_download(w);
  go_on(w);
  add(w, good);
  fake_source_add(w->source, "new.txt", "was not there before");
  assert_int_equal(world_fetch_all(w, 2), HOIST_OK);
  assert_int_equal(w->outcome.resumed_bytes, 0);
  assert_whole(w);
}

static void test_what_cannot_heal_is_not_kept(void **state) {
  struct world *w = *state;
  add(w, denies_part_4);
  assert_int_equal(world_fetch_all(w, 1), HOIST_DENIED);
  assert_int_equal(w->outcome.keep, 0);
}

static void test_small_files_leave_nothing_to_go_on_with(void **state) {
  struct world *w = *state;
  fake_source_add(w->source, "a", "0123456789")->fail = HOIST_UNAVAILABLE;
  assert_int_equal(world_fetch_all(w, 1), HOIST_UNAVAILABLE);
  assert_int_equal(w->outcome.keep, 0);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
  const struct CMUnitTest tests[] = {
      T(test_what_was_finished_is_not_fetched_again),
      T(test_files_that_were_finished_first_do_not_void_the_parts),
      T(test_an_interruption_may_be_interrupted),
      T(test_what_is_there_of_a_part_is_kept),
      T(test_little_by_little_a_part_becomes_whole),
      T(test_of_a_part_that_is_damaged_as_much_is_kept_as_is_known_to_be_right),
      T(test_a_part_that_is_damaged_on_disk_is_fetched_again),
      T(test_a_torn_record_ends_the_journal),
      T(test_garbage_for_a_journal_voids_everything),
      T(test_parts_of_another_version_are_not_used),
      T(test_parts_of_other_files_are_thrown_away),
      T(test_what_cannot_heal_is_not_kept),
      T(test_small_files_leave_nothing_to_go_on_with),
  };
  return cmocka_run_group_tests_name("resume", tests, make_pattern, free_pattern);
}
