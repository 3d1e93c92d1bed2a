/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ids.h"
#include "queue.h"

enum { FRAME = 64 };

static bool put(struct queue *q, unsigned slot, uint8_t value, size_t size) {
  struct queue_writer *writer;
  queue_count_started(q, slot);
  uint8_t *frame = queue_reserve(q, slot, size, &writer);
  if (!frame) return false;
  memset(frame, value, size);
  queue_commit(q, writer, size);
  return true;
}

static struct queue_counts counts_of(struct queue *q) {
  struct queue_counts counts;
  queue_get_counts(q, &counts);
  return counts;
}

static size_t read_bytes(struct queue *q) {
  struct queue_round round;
  struct queue_piece piece;
  size_t bytes = 0;
  queue_begin(q, &round);
  while (queue_next(q, &round, &piece))
    bytes += piece.size;
  return bytes;
}

static void note_pressure(void *user) {
  ++*(int *)user;
}

static void test_what_a_thread_writes_comes_out_in_order(void **state) {
  struct queue q;
  struct queue_round round;
  struct queue_piece piece;
  assert_int_equal(queue_init(&q, UINT64_C(1) << 20, NULL, NULL, NULL), HOIST_OK);
  uint8_t written = 0, expected = 0;
  for (int part = 0; part < 4; part++) { /* the last chunk is read while it is being filled */
    for (int i = 0; i < 50; i++)
      assert_true(put(&q, 3, written++, FRAME));
    assert_int_equal(counts_of(&q).bytes, 50 * FRAME);
    queue_begin(&q, &round);
    while (queue_next(&q, &round, &piece))
      for (size_t at = 0; at < piece.size; at += FRAME)
        assert_int_equal(piece.data[at], expected++);
    assert_int_equal(expected, written);
    assert_int_equal(counts_of(&q).bytes, 0);
  }
  assert_int_equal(read_bytes(&q), 0);
  queue_done(&q);
}

static void test_a_full_queue_refuses_counts_and_has_room_again_when_read(void **state) {
  struct queue q;
  int pressed = 0;
  assert_int_equal(queue_init(&q, QUEUE_BYTES_MIN, note_pressure, &pressed, NULL), HOIST_OK);
  uint64_t stored = 0;
  while (put(&q, 0, 1, QUEUE_FRAME_MAX))
    stored++;
  assert_int_equal(stored, QUEUE_BYTES_MIN / 4096);
  assert_false(put(&q, 0, 1, QUEUE_FRAME_MAX));
  assert_int_equal(counts_of(&q).accepted, stored);
  assert_int_equal(counts_of(&q).refused, 2);
  assert_int_equal(counts_of(&q).started, stored + 2);
  assert_int_equal(pressed, 1); /* once, until the reader came */
  assert_int_equal(read_bytes(&q), stored * QUEUE_FRAME_MAX);
  assert_true(put(&q, 0, 1, QUEUE_FRAME_MAX));
  queue_done(&q);
}

static void test_the_reader_is_called_when_the_queue_is_half_full_and_after_each_round(
    void **state) {
  struct queue q;
  int pressed = 0;
  assert_int_equal(queue_init(&q, UINT64_C(256) << 10, note_pressure, &pressed, NULL), HOIST_OK);
  for (int round = 1; round <= 3; round++) {
    size_t frames = 0;
    while (pressed < round) {
      assert_true(put(&q, 0, 1, QUEUE_FRAME_MAX));
      frames++;
    }
    /* of the first round; later one chunk is still held by the writer */
    if (round == 1) assert_int_equal(frames, q.chunk_count / 2);
    assert_true(frames >= q.chunk_count / 2 - 1);
    (void)read_bytes(&q);
  }
  queue_done(&q);
}

static void test_sizes_outside_the_bounds_are_brought_inside(void **state) {
  struct queue q;
  assert_int_equal(queue_init(&q, 0, NULL, NULL, NULL), HOIST_OK);
  assert_int_equal(q.chunk_count * q.chunk_bytes, QUEUE_BYTES_MIN);
  assert_int_equal(counts_of(&q).bytes_max, QUEUE_BYTES_MIN);
  queue_done(&q);
  queue_done(&q);
}

static void test_a_reset_forgets_everything(void **state) {
  struct queue q;
  assert_int_equal(queue_init(&q, UINT64_C(1) << 20, NULL, NULL, NULL), HOIST_OK);
  for (unsigned i = 0; i < 1000; i++)
    assert_true(put(&q, i % (THREAD_SLOTS + 1), 1, FRAME));
  queue_reset_after_fork(&q);
  assert_int_equal(counts_of(&q).accepted + counts_of(&q).refused + counts_of(&q).started, 0);
  assert_int_equal(read_bytes(&q), 0);
  queue_done(&q);
}

static void test_a_round_reads_all_that_was_there_when_it_began(void **state) {
  struct queue q;
  struct queue_round round;
  struct queue_piece piece;
  size_t before = 0, read = 0;
  assert_int_equal(queue_init(&q, UINT64_C(1) << 20, NULL, NULL, NULL), HOIST_OK);
  while (counts_of(&q).bytes < 2 * q.room) { /* two writers, some chunks full and some begun */
    assert_true(put(&q, 0, 1, FRAME) && put(&q, 1, 1, FRAME));
    before += 2;
  }
  queue_begin(&q, &round);
  while (queue_next(&q, &round, &piece)) {
    for (size_t at = 0; at < piece.size; at += FRAME)
      read += piece.data[at] == 1;
    for (size_t i = 0; i < q.room / FRAME + 1;
         i++) /* the begun ones fill up under the reader's eyes */
      if (counts_of(&q).accepted < before + 500) assert_true(put(&q, i & 1, 2, FRAME));
  }
  assert_int_equal(read, before);
  queue_done(&q);
}

static void test_a_borrowed_chunk_holds_one_large_frame(void **state) {
  struct queue q;
  struct queue_round round;
  struct queue_piece piece;
  assert_int_equal(queue_init(&q, UINT64_C(4) << 20, NULL, NULL, NULL), HOIST_OK);
  struct chunk *chunk = queue_borrow(&q), *other = queue_borrow(&q);
  assert_non_null(chunk);
  assert_true(q.room > 2 * QUEUE_FRAME_MAX);
  memset(chunk->data + 5, 7, q.room - 5);
  queue_send(&q, 0, chunk, 5, (uint32_t)q.room - 5);
  queue_return(&q, other);
  assert_int_equal(counts_of(&q).accepted, 1);
  assert_int_equal(counts_of(&q).bytes, q.room - 5);
  queue_begin(&q, &round);
  assert_true(queue_next(&q, &round, &piece));
  assert_int_equal(piece.size, q.room - 5);
  assert_int_equal(piece.data[0], 7);
  assert_false(queue_next(&q, &round, &piece));
  queue_done(&q);
}

static void test_nothing_is_lent_from_a_queue_that_is_small_or_half_full(void **state) {
  struct queue q;
  assert_int_equal(queue_init(&q, QUEUE_BYTES_MIN, NULL, NULL, NULL), HOIST_OK);
  assert_null(queue_borrow(&q)); /* its chunks hold no more than a frame */
  queue_done(&q);
  assert_int_equal(queue_init(&q, UINT64_C(4) << 20, NULL, NULL, NULL), HOIST_OK);
  size_t lent = 0;
  while (queue_borrow(&q))
    lent++;
  assert_int_equal(lent, q.chunk_count / 2);
  queue_done(&q);
}

enum { THREADS = 3, PER_THREAD = 4000 };

struct job {
  struct queue *queue;
  unsigned slot;
  unsigned stored;
};

static void *write_frames(void *arg) {
  struct job *job = arg;
  for (int i = 0; i < PER_THREAD; i++)
    job->stored += put(job->queue, job->slot, (uint8_t)i, FRAME);
  return NULL;
}

/* Threads with slots of their own, and threads that share. */
static void write_and_read(unsigned first_slot, unsigned slot_step) {
  struct queue q;
  pthread_t threads[THREADS];
  struct job jobs[THREADS];
  assert_int_equal(queue_init(&q, UINT64_C(1) << 20, NULL, NULL, NULL), HOIST_OK);
  for (unsigned i = 0; i < THREADS; i++) {
    jobs[i] = (struct job){.queue = &q, .slot = first_slot + i * slot_step};
    assert_int_equal(pthread_create(&threads[i], NULL, write_frames, &jobs[i]), 0);
  }
  size_t bytes = 0, stored = 0;
  for (int i = 0; i < 50; i++)
    bytes += read_bytes(&q);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    stored += jobs[i].stored;
  }
  bytes += read_bytes(&q);
  assert_int_equal(bytes, stored * FRAME);
  assert_int_equal(counts_of(&q).accepted, stored);
  assert_int_equal(counts_of(&q).accepted + counts_of(&q).refused, THREADS * PER_THREAD);
  assert_int_equal(counts_of(&q).started, THREADS * PER_THREAD);
  queue_done(&q);
}

static void test_nothing_is_lost_between_threads(void **state) {
  write_and_read(0, 1);
  write_and_read(THREAD_SLOT_SHARED, 0);
}

/* ---- slots and ids ------------------------------------------------------------------------------- */

static pthread_barrier_t all_have_one;

struct slots {
  unsigned first, later;
};

static void *take_slot(void *arg) {
  struct slots *slots = arg;
  slots->first = thread_slot();
  pthread_barrier_wait(&all_have_one);
  slots->later = thread_slot();
  return NULL;
}

static void test_living_threads_have_different_slots_and_give_them_back(void **state) {
  enum { MANY = THREAD_SLOTS + 6 };
  pthread_t threads[MANY];
  struct slots slots[MANY];
  for (int round = 0; round < 3; round++) {
    uint64_t seen = 0;
    unsigned shared = 0;
    assert_int_equal(pthread_barrier_init(&all_have_one, NULL, MANY + 1), 0);
    for (int i = 0; i < MANY; i++)
      assert_int_equal(pthread_create(&threads[i], NULL, take_slot, &slots[i]), 0);
    pthread_barrier_wait(&all_have_one);
    for (int i = 0; i < MANY; i++)
      pthread_join(threads[i], NULL);
    for (int i = 0; i < MANY; i++) {
      if (slots[i].first == THREAD_SLOT_SHARED) {
        shared++; /* and might have one later, of a thread that has ended */
        continue;
      }
      assert_int_equal(slots[i].later, slots[i].first);
      assert_int_equal(seen & UINT64_C(1) << slots[i].first, 0);
      seen |= UINT64_C(1) << slots[i].first;
    }
    assert_in_range(shared, MANY - THREAD_SLOTS, MANY - THREAD_SLOTS + 1); /* ours may have one */
    pthread_barrier_destroy(&all_have_one);
  }
}

static void *exit_with_slot(void *arg) {
  *(unsigned *)arg = thread_slot();
  return NULL;
}

static void test_a_forked_child_has_the_slots_of_the_threads_it_lost(void **state) {
  unsigned mine = thread_slot();
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    pthread_t thread;
    unsigned other = THREAD_SLOT_SHARED;
    if (thread_slot() != mine || pthread_create(&thread, NULL, exit_with_slot, &other) != 0)
      _exit(1);
    pthread_join(thread, NULL);
    _exit(other != mine && other < 2 ? 0 : 2);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

static void *take_ids(void *arg) {
  ids_fill(thread_own_get(), arg, (uint8_t *)arg + 16);
  return NULL;
}

static void test_ids_differ_between_calls_and_threads(void **state) {
  uint8_t ids[3][24];
  pthread_t thread;
  ids_fill(thread_own_get(), ids[0], ids[0] + 16);
  ids_fill(thread_own_get(), ids[1], ids[1] + 16);
  assert_int_equal(pthread_create(&thread, NULL, take_ids, ids[2]), 0);
  pthread_join(thread, NULL);
  for (int i = 0; i < 3; i++) {
    assert_memory_not_equal(ids[i], ids[(i + 1) % 3], 16);
    assert_memory_not_equal(ids[i] + 16, ids[(i + 1) % 3] + 16, 8);
  }
}

static void test_a_forked_child_draws_ids_of_its_own(void **state) {
  uint8_t mine[24], its[24];
  int pipe_ends[2], status;
  ids_fill(thread_own_get(), mine, mine + 16); /* seeded from here on */
  assert_int_equal(pipe(pipe_ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    ids_fill(thread_own_get(), its, its + 16);
    _exit(write(pipe_ends[1], its, sizeof its) == (ssize_t)sizeof its ? 0 : 1);
  }
  ids_fill(thread_own_get(), mine, mine + 16);
  assert_int_equal(read(pipe_ends[0], its, sizeof its), sizeof its);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_memory_not_equal(mine, its, 16);
  assert_memory_not_equal(mine + 16, its + 16, 8);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_a_thread_writes_comes_out_in_order),
      cmocka_unit_test(test_a_full_queue_refuses_counts_and_has_room_again_when_read),
      cmocka_unit_test(test_the_reader_is_called_when_the_queue_is_half_full_and_after_each_round),
      cmocka_unit_test(test_sizes_outside_the_bounds_are_brought_inside),
      cmocka_unit_test(test_a_reset_forgets_everything),
      cmocka_unit_test(test_a_round_reads_all_that_was_there_when_it_began),
      cmocka_unit_test(test_a_borrowed_chunk_holds_one_large_frame),
      cmocka_unit_test(test_nothing_is_lent_from_a_queue_that_is_small_or_half_full),
      cmocka_unit_test(test_nothing_is_lost_between_threads),
      cmocka_unit_test(test_living_threads_have_different_slots_and_give_them_back),
      cmocka_unit_test(test_a_forked_child_has_the_slots_of_the_threads_it_lost),
      cmocka_unit_test(test_ids_differ_between_calls_and_threads),
      cmocka_unit_test(test_a_forked_child_draws_ids_of_its_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
