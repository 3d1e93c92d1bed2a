/* SPDX-License-Identifier: Apache-2.0 */
/* frontier: a file that is hashed while it grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "frontier.h"
#include "fs.h"

#define SIZE (3 << 20)

struct world {
  char *data;
  int fd;
  struct block_pool pool;
  struct checksums sums;
  struct frontier *frontier;
};

static int set_up(void **state) {
  struct world *w = calloc(1, sizeof *w);
  char path[] = "/tmp/hoist-frontier-XXXXXX";
  w->data = malloc(SIZE);
  for (size_t i = 0; i < SIZE; i++)
    w->data[i] = (char)(i * 31 + (i >> 9));
  w->fd = mkstemp(path);
  assert_true(w->fd >= 0);
  assert_int_equal(unlink(path), 0);
  block_pool_init(&w->pool, 3);
  const struct promise md5 = {.digest = {.kind = DIGEST_MD5}};
  assert_int_equal(checksums_restart(&w->sums, &md5, NULL), HOIST_OK);
  assert_int_equal(frontier_start(w->fd, "w.onnx", &w->sums, &w->pool, &w->frontier, NULL),
                   HOIST_OK);
  *state = w;
  return 0;
}

static int tear_down(void **state) {
  struct world *w = *state;
  frontier_abandon(w->frontier);
  checksums_done(&w->sums);
  block_pool_done(&w->pool);
  close(w->fd);
  free(w->data);
  free(w);
  return 0;
}

static enum hoist_status finish(struct world *w, struct hoist_error *err) {
  static const struct call nobody = {0};
  return frontier_finish(&nobody, HOIST_TAKE(w->frontier), err);
}

static void write_to_file(const struct world *w, size_t at, size_t size) {
  assert_int_equal(pwrite(w->fd, w->data + at, size, (off_t)at), size);
}

static void assert_hashed(struct world *w) {
  struct digest wanted, got;
  assert_int_equal(finish(w, NULL), HOIST_OK);
  assert_int_equal(digest_of(DIGEST_MD5, w->data, SIZE, &w->sums.promise.digest, NULL), HOIST_OK);
  assert_int_equal(checksums_finish(&w->sums, "w.onnx", &got, NULL), HOIST_OK);
  assert_int_equal(digest_of(DIGEST_SHA256, w->data, SIZE, &wanted, NULL), HOIST_OK);
  assert_true(digest_equal(&got, &wanted));
}

static void test_what_grows_in_steps_is_hashed_once(void **state) {
  struct world *w = *state;
  for (size_t at = 0; at < SIZE;) {
    size_t n = at + 70001 < SIZE ? 70001 : SIZE - at;
    write_to_file(w, at, n);
    at += n;
    frontier_advance(w->frontier, (int64_t)at);
  }
  assert_hashed(w);
}

/* A block with what the file has there. */
static struct block *block_of(const struct world *w, struct block *block, size_t at) {
  block->at = (int64_t)at;
  block->size = SIZE - at < BLOCK_BYTES ? SIZE - at : BLOCK_BYTES;
  memcpy(block->data, w->data + at, block->size);
  return block;
}

/* Nothing of this is in the file, so nothing of it can be read back. */
static void test_blocks_that_are_handed_over_are_not_read_back(void **state) {
  struct world *w = *state;
  for (size_t at = 0; at < SIZE;) {
    struct block *block = block_take(&w->pool);
    if (!block) continue; /* until one has been hashed */
    assert_true(frontier_offer(w->frontier, block_of(w, block, at)));
    at += BLOCK_BYTES;
  }
  assert_hashed(w);
}

static void test_only_what_follows_is_handed_over(void **state) {
  struct world *w = *state;
  struct block *block = block_take(&w->pool);
  assert_false(frontier_offer(w->frontier, block_of(w, block, BLOCK_BYTES)));
  write_to_file(w, 0, BLOCK_BYTES);
  frontier_advance(w->frontier, BLOCK_BYTES);
  assert_true(frontier_offer(w->frontier, block_of(w, block, BLOCK_BYTES)));
  write_to_file(w, 2 * BLOCK_BYTES, SIZE - 2 * BLOCK_BYTES);
  frontier_advance(w->frontier, SIZE);
  block = block_take(&w->pool);
  assert_false(frontier_offer(w->frontier, block_of(w, block, BLOCK_BYTES)));
  block_give(&w->pool, block);
  assert_hashed(w);
}

static void test_an_empty_file_is_hashed_too(void **state) {
  struct world *w = *state;
  assert_int_equal(finish(w, NULL), HOIST_OK);
}

static void test_bytes_that_are_not_there_are_an_error(void **state) {
  struct world *w = *state;
  struct hoist_error err = {0};
  frontier_advance(w->frontier, 10);
  assert_int_equal(finish(w, &err), HOIST_UNAVAILABLE);
  assert_non_null(strstr(err.message, "w.onnx"));
}

static void test_it_is_not_waited_for_when_the_caller_leaves(void **state) {
  struct world *w = *state;
  const int64_t seconds_of_work = INT64_C(4) << 30;
  const atomic_int cancel = 1;
  const struct call call = {.cancel = &cancel};
  assert_int_equal(ftruncate(w->fd, seconds_of_work), 0);
  frontier_advance(w->frontier, seconds_of_work);
  assert_int_equal(frontier_finish(&call, HOIST_TAKE(w->frontier), NULL), HOIST_CANCELLED);
}

static void test_one_that_is_abandoned_leaves_nothing_behind(void **state) {
  struct world *w = *state;
  assert_int_equal(fs_write_all(w->fd, w->data, SIZE, "w.onnx", NULL), HOIST_OK);
  frontier_advance(w->frontier, SIZE); /* tear_down abandons it */
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      T(test_what_grows_in_steps_is_hashed_once),
      T(test_blocks_that_are_handed_over_are_not_read_back),
      T(test_only_what_follows_is_handed_over),
      T(test_an_empty_file_is_hashed_too),
      T(test_bytes_that_are_not_there_are_an_error),
      T(test_it_is_not_waited_for_when_the_caller_leaves),
      T(test_one_that_is_abandoned_leaves_nothing_behind),
  };
  return cmocka_run_group_tests_name("frontier", tests, NULL, NULL);
}
