/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ids.h"
#include "queue.h"

enum { FRAME = 64 };

static bool put(struct queue *q, unsigned slot, uint8_t value, size_t size) {
  struct shard *shard;
  uint8_t *frame = queue_reserve(q, slot, size, &shard);
  if (frame) memset(frame, value, size);
  (void)queue_commit(shard);
  return frame != NULL;
}

static void test_what_goes_in_comes_out_in_order(void **state) {
  struct queue q;
  assert_int_equal(queue_init(&q, QUEUE_BYTES_MIN, NULL), HOIST_OK);
  for (int i = 0; i < 100; i++)
    assert_true(put(&q, 0, (uint8_t)i, FRAME));
  uint8_t expected = 0;
  for (size_t left = queue_seal(&q); left > 0; left--) {
    struct chunk *chunk = queue_take(&q);
    for (uint32_t at = 0; at < chunk->size; at += FRAME)
      assert_int_equal(chunk->data[at], expected++);
    queue_release(&q, chunk);
  }
  assert_int_equal(expected, 100);
  assert_int_equal(queue_seal(&q), 0);
  assert_null(queue_take(&q));
  queue_done(&q);
}

static void test_a_full_queue_refuses_counts_and_calls_its_reader(void **state) {
  struct queue q;
  struct shard *shard;
  uint64_t accepted, refused;
  assert_int_equal(queue_init(&q, QUEUE_BYTES_MIN, NULL), HOIST_OK);
  int stored = 0;
  while (put(&q, 0, 1, QUEUE_FRAME_MAX))
    stored++;
  assert_int_equal(stored, QUEUE_BYTES_MIN / 4096);
  assert_null(queue_reserve(&q, 0, FRAME, &shard));
  assert_true(queue_commit(shard));
  queue_counts(&q, &accepted, &refused);
  assert_int_equal(accepted, stored);
  assert_int_equal(refused, 2);
  (void)queue_seal(&q);
  queue_release(&q, queue_take(&q));
  assert_true(put(&q, 0, 1, QUEUE_FRAME_MAX)); /* room again */
  queue_done(&q);
}

static void test_the_reader_is_called_when_the_queue_is_half_full(void **state) {
  struct queue q;
  struct shard *shard;
  size_t frames = 0;
  assert_int_equal(queue_init(&q, QUEUE_BYTES_MIN, NULL), HOIST_OK);
  for (bool is_called = false; !is_called; frames++) {
    assert_non_null(queue_reserve(&q, 0, QUEUE_FRAME_MAX, &shard));
    is_called = queue_commit(shard);
  }
  assert_int_equal(frames, q.chunk_count / 2 + 1);
  queue_done(&q);
}

static void test_sizes_outside_the_bounds_are_brought_inside(void **state) {
  struct queue q;
  assert_int_equal(queue_init(&q, 0, NULL), HOIST_OK);
  assert_int_equal(q.chunk_count * q.chunk_bytes, QUEUE_BYTES_MIN);
  queue_done(&q);
  queue_done(&q);
}

static void test_a_reset_forgets_everything(void **state) {
  struct queue q;
  uint64_t accepted, refused;
  assert_int_equal(queue_init(&q, UINT64_C(1) << 20, NULL), HOIST_OK);
  for (unsigned i = 0; i < 1000; i++)
    assert_true(put(&q, i, 1, FRAME));
  queue_reset_after_fork(&q);
  queue_counts(&q, &accepted, &refused);
  assert_int_equal(accepted + refused, 0);
  assert_int_equal(queue_seal(&q), 0);
  queue_done(&q);
}

enum { THREADS = 3, PER_THREAD = 4000 };

struct writer {
  struct queue *queue;
  unsigned slot;
  unsigned stored;
};

static void *write_frames(void *arg) {
  struct writer *w = arg;
  for (int i = 0; i < PER_THREAD; i++)
    w->stored += put(w->queue, w->slot, (uint8_t)w->slot, FRAME);
  return NULL;
}

static size_t read_frames(struct queue *q) {
  size_t count = 0;
  for (size_t left = queue_seal(q); left > 0; left--) {
    struct chunk *chunk = queue_take(q);
    count += chunk->count;
    queue_release(q, chunk);
  }
  return count;
}

static void test_nothing_is_lost_between_threads(void **state) {
  struct queue q;
  pthread_t threads[THREADS];
  struct writer writers[THREADS];
  uint64_t accepted, refused;
  assert_int_equal(queue_init(&q, UINT64_C(1) << 20, NULL), HOIST_OK);
  for (unsigned i = 0; i < THREADS; i++) {
    writers[i] = (struct writer){.queue = &q, .slot = i};
    assert_int_equal(pthread_create(&threads[i], NULL, write_frames, &writers[i]), 0);
  }
  size_t read = 0, stored = 0;
  for (int i = 0; i < 50; i++)
    read += read_frames(&q);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    stored += writers[i].stored;
  }
  read += read_frames(&q);
  queue_counts(&q, &accepted, &refused);
  assert_int_equal(read, stored);
  assert_int_equal(accepted, stored);
  assert_int_equal(accepted + refused, THREADS * PER_THREAD);
  queue_done(&q);
}

static void *take_ids(void *arg) {
  (void)ids_fill(arg, (uint8_t *)arg + 16);
  return NULL;
}

static void test_ids_differ_between_calls_and_threads(void **state) {
  uint8_t ids[3][24];
  pthread_t thread;
  (void)ids_fill(ids[0], ids[0] + 16);
  (void)ids_fill(ids[1], ids[1] + 16);
  assert_int_equal(pthread_create(&thread, NULL, take_ids, ids[2]), 0);
  pthread_join(thread, NULL);
  for (int i = 0; i < 3; i++) {
    assert_memory_not_equal(ids[i], ids[(i + 1) % 3], 16);
    assert_memory_not_equal(ids[i] + 16, ids[(i + 1) % 3] + 16, 8);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_goes_in_comes_out_in_order),
      cmocka_unit_test(test_a_full_queue_refuses_counts_and_calls_its_reader),
      cmocka_unit_test(test_the_reader_is_called_when_the_queue_is_half_full),
      cmocka_unit_test(test_sizes_outside_the_bounds_are_brought_inside),
      cmocka_unit_test(test_a_reset_forgets_everything),
      cmocka_unit_test(test_nothing_is_lost_between_threads),
      cmocka_unit_test(test_ids_differ_between_calls_and_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
