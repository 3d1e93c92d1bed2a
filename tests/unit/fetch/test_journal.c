/* SPDX-License-Identifier: Apache-2.0 */
/* journal: what is on disk speaks of bytes that are on disk. fdatasync is counted, and fails on demand. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal.h"

#define HEADS (off_t)(8 + sizeof(struct digest) + 8 + sizeof(struct journal_file))
#define RECORD (off_t)(8 + sizeof(struct journal_part))

static atomic_int syncs, sync_error, hold;

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd) {
  while (hold)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  syncs++;
  errno = sync_error;
  return sync_error ? -1 : __real_fdatasync(fd);
}

struct world {
  char path[64];
  int data;
  struct digest key;
  struct journal *journal;
};

static struct journal *open_journal(struct world *w, const struct digest *key, bool *ret_void) {
  struct journal *journal = NULL;
  int fd = open(w->path, O_RDWR | O_APPEND | O_CLOEXEC);
  assert_int_equal(journal_open(fd, key, ret_void, &journal, NULL), HOIST_OK);
  return journal;
}

static void begin(struct journal *journal, const struct world *w, uint32_t file, const char *tag) {
  struct journal_file about = {.size = 1 << 30, .file = file};
  strcpy(about.validator, tag);
  assert_int_equal(journal_begin(journal, &about, w->data, NULL), HOIST_OK);
}

static int set_up(void **state) {
  struct world *w = calloc(1, sizeof *w);
  bool is_void = true;
  strcpy(w->path, "/tmp/hoist-journal-XXXXXX");
  w->data = mkstemp(w->path);
  w->key = (struct digest){.kind = DIGEST_SHA256, .bytes = {1, 2, 3}};
  syncs = sync_error = hold = 0;
  w->journal = open_journal(w, &w->key, &is_void);
  assert_false(is_void);
  begin(w->journal, w, 0, "\"v1\"");
  *state = w;
  return 0;
}

static int tear_down(void **state) {
  struct world *w = *state;
  journal_close(w->journal);
  close(w->data);
  unlink(w->path);
  free(w);
  return 0;
}

static off_t size_of(const struct world *w) {
  struct stat st;
  assert_int_equal(stat(w->path, &st), 0);
  return st.st_size;
}

static void add(struct world *w, uint32_t file, uint32_t from, uint32_t to) {
  for (uint32_t i = from; i < to; i++)
    assert_int_equal(
        journal_add(w->journal, &(struct journal_part){.file = file, .part = i, .sum = i}, NULL),
        HOIST_OK);
}

static void wait_for_size(const struct world *w, off_t size) {
  for (int i = 0; i < 5000 && size_of(w) < size; i++)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  assert_int_equal(size_of(w), size);
}

/* What a later process would find. */
static void assert_parts(struct world *w, uint32_t file, size_t wanted) {
  bool is_void;
  size_t count = 0, found = 0;
  struct journal *later = open_journal(w, &w->key, &is_void);
  assert_false(is_void);
  const struct journal_part *parts = journal_parts(later, &count);
  for (size_t i = 0; i < count; i++)
    found += parts[i].file == file && parts[i].sum == parts[i].part;
  assert_int_equal(found, wanted);
  journal_close(later);
}

static void test_parts_are_written_down_once_their_bytes_are_durable(void **state) {
  struct world *w = *state;
  hold = 1;
  add(w, 0, 0, 4);
  nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
  assert_int_equal(size_of(w), HEADS); /* the disk is not done */
  hold = 0;
  wait_for_size(w, HEADS + 4 * RECORD);
  assert_true(syncs >= 1);
  assert_parts(w, 0, 4);
}

static void test_a_few_parts_do_not_wait_for_ever(void **state) {
  struct world *w = *state;
  add(w, 0, 0, 1);
  wait_for_size(w, HEADS + RECORD);
}

static void test_a_journal_in_good_order_keeps_everything(void **state) {
  struct world *w = *state;
  add(w, 0, 0, 3);
  assert_true(journal_keep(w->journal));
  assert_parts(w, 0, 3);
}

static void test_one_without_parts_is_not_worth_keeping(void **state) {
  struct world *w = *state;
  assert_false(journal_keep(w->journal));
}

static void test_a_file_that_begins_anew_loses_its_parts(void **state) {
  struct world *w = *state;
  add(w, 0, 0, 4);
  wait_for_size(w, HEADS + 4 * RECORD);
  begin(w->journal, w, 0, "\"v2\"");
  assert_parts(w, 0, 0);
}

static void test_parts_that_are_being_synced_then_are_lost_too(void **state) {
  struct world *w = *state;
  hold = 1;
  add(w, 0, 0, 4);
  nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
  begin(w->journal, w, 0, "\"v2\"");
  add(w, 0, 7, 8);
  hold = 0;
  assert_true(journal_keep(w->journal));
  assert_parts(w, 0, 1);
}

static void test_a_file_that_is_complete_and_durable_is_written_down_at_once(void **state) {
  struct world *w = *state;
  add(w, 0, 0, 3);
  assert_int_equal(journal_end(w->journal, 0, NULL), HOIST_OK);
  assert_int_equal(size_of(w), HEADS + 3 * RECORD);
}

static void test_parts_of_one_that_ends_during_a_sync_are_not_lost(void **state) {
  struct world *w = *state;
  hold = 1;
  add(w, 0, 0, 4);
  nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
  assert_int_equal(journal_end(w->journal, 0, NULL), HOIST_OK);
  hold = 0;
  wait_for_size(w, HEADS + 4 * RECORD);
}

static void test_several_files_take_turns(void **state) {
  struct world *w = *state;
  begin(w->journal, w, 1, "\"w1\"");
  add(w, 0, 0, 5);
  add(w, 1, 0, 6);
  wait_for_size(w, HEADS + 8 + (off_t)sizeof(struct journal_file) + 11 * RECORD);
  assert_parts(w, 0, 5);
  assert_parts(w, 1, 6);
}

static void test_bytes_that_cannot_be_made_durable_are_a_failure(void **state) {
  struct world *w = *state;
  struct hoist_error err = {0};
  enum hoist_status status = HOIST_OK;
  sync_error = ENOSPC;
  for (uint32_t i = 0; i < 5000 && status == HOIST_OK; i++) {
    status = journal_add(w->journal, &(struct journal_part){.part = i}, &err);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  assert_int_equal(status, HOIST_NO_SPACE);
  assert_non_null(strstr(err.message, "durable"));
  assert_int_equal(journal_end(w->journal, 0, &err), HOIST_NO_SPACE);
  assert_false(journal_keep(w->journal));
  assert_int_equal(size_of(w), HEADS);
}

static void test_another_key_voids_it(void **state) {
  struct world *w = *state;
  bool is_void = false;
  const struct digest other = {.kind = DIGEST_SHA256, .bytes = {9}};
  journal_close(open_journal(w, &other, &is_void));
  assert_true(is_void);
}

static void test_going_on_keeps_what_was_there(void **state) {
  struct world *w = *state;
  bool is_void = true;
  struct journal_file about;
  add(w, 0, 0, 4);
  assert_true(journal_keep(w->journal));
  journal_close(w->journal);
  w->journal = open_journal(w, &w->key, &is_void);
  assert_false(is_void);
  assert_true(journal_find(w->journal, 0, &about));
  assert_string_equal(about.validator, "\"v1\"");
  assert_int_equal(journal_go_on(w->journal, 0, w->data, NULL), HOIST_OK);
  add(w, 0, 4, 6);
  assert_true(journal_keep(w->journal));
  assert_parts(w, 0, 6);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      T(test_parts_are_written_down_once_their_bytes_are_durable),
      T(test_a_few_parts_do_not_wait_for_ever),
      T(test_a_journal_in_good_order_keeps_everything),
      T(test_one_without_parts_is_not_worth_keeping),
      T(test_a_file_that_begins_anew_loses_its_parts),
      T(test_parts_that_are_being_synced_then_are_lost_too),
      T(test_a_file_that_is_complete_and_durable_is_written_down_at_once),
      T(test_parts_of_one_that_ends_during_a_sync_are_not_lost),
      T(test_several_files_take_turns),
      T(test_bytes_that_cannot_be_made_durable_are_a_failure),
      T(test_another_key_voids_it),
      T(test_going_on_keeps_what_was_there),
  };
  return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
