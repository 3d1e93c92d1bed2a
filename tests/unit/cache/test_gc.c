/* SPDX-License-Identifier: Apache-2.0 */
/* Cleaning up: what goes, in which order, and what stays because somebody holds it. Uses are told by
 * setting times, never by waiting. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache_fixture.h"
#include "clock.h"
#include "fs.h"

#define FILES_BYTES 9 /* of each model below */
#define HOUR_S UINT64_C(3600)

static const struct made_file files[] = {
    {"environment.json", "{}"}, {"weights.onnx", "1234567"}, {0}};
static const struct cache_limits no_limits_at_all = {.max_bytes = UINT64_MAX,
                                                     .max_unused_s = UINT64_MAX};

static void publish(struct fixture *f, const char *id) {
  assert_int_equal(model_publish(f->cache, id, files, NULL, NULL), HOIST_OK);
}

static void manifest_path(const struct fixture *f, const char *id, char out[256]) {
  snprintf(out, 256, "%s/%s/.hoist-manifest.json", f->root, id);
}

static void set_unused_for(const struct fixture *f, const char *id, int64_t seconds) {
  char path[256];
  manifest_path(f, id, path);
  time_t then = (time_t)((int64_t)(clock_realtime_ns() / NS_PER_S) - seconds);
  const struct timespec times[] = {{.tv_sec = then}, {.tv_sec = then}};
  assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static time_t used_at(const struct fixture *f, const char *id) {
  char path[256];
  struct stat st;
  manifest_path(f, id, path);
  assert_int_equal(stat(path, &st), 0);
  return st.st_mtim.tv_sec;
}

struct told {
  char text[1024];
};

static void note(void *user, const struct cache_removal *r) {
  struct told *told = user;
  size_t used = strlen(told->text);
  snprintf(told->text + used, sizeof told->text - used, "%s:%s|", r->model_id ? r->model_id : "",
           r->reason);
}

static struct cache_cleanup evict(struct fixture *f, const struct cache_limits *limits,
                                  const char *expected) {
  struct told told = {.text = ""};
  struct cache_cleanup done = {.removed = note, .user = &told};
  struct hoist_error err;
  enum hoist_status status = cache_evict(&no_limits, f->cache, limits, &done, &err);
  if (status != HOIST_OK) fail_msg("%s", err.message);
  assert_string_equal(told.text, expected);
  return done;
}

static struct cache_cleanup sweep(struct fixture *f, int dry_run, const char *expected) {
  struct told told = {.text = ""};
  struct cache_cleanup done = {.removed = note, .user = &told};
  assert_int_equal(cache_sweep(&no_limits, f->cache, dry_run, &done, NULL), HOIST_OK);
  assert_string_equal(told.text, expected);
  return done;
}

/* Three models: "new/1" used just now, "old/1" an hour ago, "older/1" two hours ago. */
static void publish_three(struct fixture *f) {
  publish(f, "new/1");
  publish(f, "old/1");
  publish(f, "older/1");
  set_unused_for(f, "old/1", (int64_t)HOUR_S);
  set_unused_for(f, "older/1", 2 * (int64_t)HOUR_S);
}

/* ---- eviction ---------------------------------------------------------------------------- */

static void test_without_limits_everything_stays(void **state) {
  struct fixture *f = *state;
  publish_three(f);
  struct cache_cleanup done = evict(f, &no_limits_at_all, "");
  assert_int_equal(done.models, 3);
  assert_int_equal(done.bytes, 3 * FILES_BYTES);
}

static void test_the_least_recently_used_go_until_the_size_fits(void **state) {
  static const struct {
    uint64_t max_bytes;
    const char *gone;
    size_t left;
  } cases[] = {
      {3 * FILES_BYTES, "", 3},
      {3 * FILES_BYTES - 1, "older/1:size|", 2},
      {FILES_BYTES, "older/1:size|old/1:size|", 1},
      {0, "older/1:size|old/1:size|new/1:size|", 0},
  };
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    publish_three(f);
    struct cache_limits limits = no_limits_at_all;
    limits.max_bytes = cases[i].max_bytes;
    limits.dry_run = 1;
    struct cache_cleanup planned = evict(f, &limits, cases[i].gone);
    assert_int_equal(model_check(f->cache, "older/1", files, NULL), HOIST_OK);
    limits.dry_run = 0;
    struct cache_cleanup done = evict(f, &limits, cases[i].gone);
    assert_int_equal(done.models, cases[i].left);
    assert_int_equal(done.bytes, cases[i].left * FILES_BYTES);
    assert_int_equal(done.freed_bytes, (3 - cases[i].left) * FILES_BYTES);
    assert_int_equal(planned.freed_bytes, done.freed_bytes);
    assert_int_equal(done.busy_models, 0);
    assert_int_equal(path_count(f, ".hoist/locks"), (int)cases[i].left);
    assert_int_equal(model_check(f->cache, "new/1", files, NULL),
                     cases[i].left > 0 ? HOIST_OK : HOIST_NOT_FOUND);
  }
}

static void test_what_was_not_used_for_long_goes(void **state) {
  struct fixture *f = *state;
  publish_three(f);
  struct cache_limits limits = no_limits_at_all;
  limits.max_unused_s = 3 * HOUR_S;
  evict(f, &limits, "");
  limits.max_unused_s = 2 * HOUR_S;
  evict(f, &limits, "older/1:age|");
  limits.max_unused_s = HOUR_S / 2;
  evict(f, &limits, "old/1:age|");
  limits.max_unused_s = 0;
  evict(f, &limits, "new/1:age|");
  assert_false(path_exists(f, "new"));
}

static void test_a_model_that_somebody_holds_stays(void **state) {
  struct fixture *f = *state;
  publish_three(f);
  struct model_id older = id_of("older/1"), old = id_of("old/1");
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  assert_int_equal(cache_find(&no_limits, f->cache, &older, &entry, NULL), HOIST_OK);
  assert_int_equal(cache_lock(&no_limits, f->cache, &old, &lock, NULL), HOIST_OK);
  struct cache_limits limits = no_limits_at_all;
  limits.max_bytes = 0;
  for (limits.dry_run = 1; limits.dry_run >= 0; limits.dry_run--) {
    struct cache_cleanup done = evict(f, &limits, "new/1:size|");
    assert_int_equal(done.busy_models, 2);
    assert_int_equal(done.bytes, 2 * FILES_BYTES);
  }
  assert_int_equal(model_check(f->cache, "older/1", files, NULL), HOIST_OK);
  cache_entry_release(HOIST_TAKE(entry));
  cache_unlock(HOIST_TAKE(lock));
  evict(f, &limits, "older/1:size|old/1:size|");
}

static void *evict_half(void *user) {
  struct fixture *f = user;
  struct cache_limits limits = no_limits_at_all;
  limits.max_bytes = 10 * FILES_BYTES;
  struct cache_cleanup done = {.models = 0};
  return cache_evict(&no_limits, f->cache, &limits, &done, NULL) == HOIST_OK ? f : NULL;
}

static void test_several_at_once_do_not_remove_more_than_one_would(void **state) {
  struct fixture *f = *state;
  pthread_t threads[4];
  char id[16];
  for (int i = 0; i < 20; i++) {
    snprintf(id, sizeof id, "m%d/1", i);
    publish(f, id);
  }
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, evict_half, f), 0);
  for (int i = 0; i < 4; i++) {
    void *ok = NULL;
    assert_int_equal(pthread_join(threads[i], &ok), 0);
    assert_non_null(ok);
  }
  assert_int_equal(evict(f, &no_limits_at_all, "").models, 10);
}

static void test_the_model_to_spare_stays(void **state) {
  struct fixture *f = *state;
  publish_three(f);
  struct model_id spare = id_of("older/1");
  struct cache_limits limits = no_limits_at_all;
  limits.max_bytes = FILES_BYTES;
  limits.spare = &spare;
  struct cache_cleanup done = evict(f, &limits, "old/1:size|new/1:size|");
  assert_int_equal(done.busy_models, 0);
  assert_int_equal(done.models, 1);
}

static void test_room_is_made_only_where_it_would_be_enough(void **state) {
  struct fixture *f = *state;
  publish_three(f);
  struct cache_limits limits = no_limits_at_all;
  limits.min_free_bytes = 1;
  evict(f, &limits, "");
  limits.min_free_bytes = UINT64_MAX - 1; /* no disk is so large */
  evict(f, &limits, "");
}

static void test_models_inside_others_and_damaged_ones(void **state) {
  struct fixture *f = *state;
  publish(f, "a");
  publish(f, "a/1");
  publish(f, "b");
  set_unused_for(f, "a", (int64_t)HOUR_S);
  assert_true(path_write(f, "b/.hoist-manifest.json", "{", 1));
  struct cache_limits limits = no_limits_at_all;
  limits.max_unused_s = HOUR_S;
  evict(f, &limits, "a:age|");
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_OK);
  limits.max_bytes = 0;
  evict(f, &limits, "a/1:size|");
  assert_true(path_exists(f, "b/weights.onnx")); /* nobody knows whose it is: hoist ls shows it */
}

static void test_a_clean_up_can_be_called_off(void **state) {
  struct fixture *f = *state;
  publish_three(f);
  atomic_int cancel = 1;
  const struct call call = {.cancel = &cancel};
  struct cache_limits limits = no_limits_at_all;
  limits.max_bytes = 0;
  struct cache_cleanup done = {.models = 0};
  assert_int_equal(cache_evict(&call, f->cache, &limits, &done, NULL), HOIST_CANCELLED);
  assert_int_equal(done.models, 3);
  assert_int_equal(model_check(f->cache, "older/1", files, NULL), HOIST_OK);
}

/* ---- the last use ------------------------------------------------------------------------ */

static void mark_used(struct fixture *f, const char *id) {
  struct model_id model = id_of(id);
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  assert_int_equal(cache_find(&no_limits, f->cache, &model, &entry, NULL), HOIST_OK);
  cache_entry_mark_used(entry);
}

static void test_a_use_is_recorded_now_and_then(void **state) {
  struct fixture *f = *state;
  publish(f, "a/1");
  time_t now = used_at(f, "a/1");
  set_unused_for(f, "a/1", CACHE_USE_INTERVAL_S - 60);
  time_t recently = used_at(f, "a/1");
  mark_used(f, "a/1");
  assert_int_equal(used_at(f, "a/1"), recently); /* no write on every hit */
  set_unused_for(f, "a/1", CACHE_USE_INTERVAL_S + 1);
  mark_used(f, "a/1");
  assert_true(used_at(f, "a/1") >= now);
  set_unused_for(f, "a/1", -2 * (int64_t)HOUR_S); /* from before the clock was set right */
  mark_used(f, "a/1");
  assert_true(used_at(f, "a/1") < now + (time_t)HOUR_S);
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_OK);
}

static enum hoist_status keep_use(void *user, const struct cache_listing *l,
                                  struct hoist_error *err) {
  *(uint64_t *)user = l->used_unix_ns / NS_PER_S;
  return HOIST_OK;
}

static void test_the_last_use_is_listed(void **state) {
  struct fixture *f = *state;
  publish(f, "a/1");
  set_unused_for(f, "a/1", 5 * (int64_t)HOUR_S);
  uint64_t used = 0;
  assert_int_equal(cache_list(f->cache, keep_use, &used, NULL), HOIST_OK);
  assert_int_equal(used, used_at(f, "a/1"));
}

/* ---- sweeping ---------------------------------------------------------------------------- */

static int stage_and_die(void *user) {
  struct fixture *f = user;
  struct model_id id = id_of("dead/1");
  struct cache_lock *lock = NULL;
  struct cache_txn *txn = NULL;
  if (cache_lock(&no_limits, f->cache, &id, &lock, NULL) != HOIST_OK ||
      model_stage(lock, files, &txn, NULL) != HOIST_OK)
    return 1;
  _exit(0);
}

static void test_what_killed_downloads_left_is_swept_and_only_that(void **state) {
  struct fixture *f = *state;
  publish(f, "kept/1");
  assert_int_equal(run_in_child(stage_and_die, f), 0);
  struct model_id id = id_of("live/1");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  HOIST_AUTO(cache_txn) struct cache_txn *txn = NULL;
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  struct cache_cleanup done = {.models = 0};
  for (int dry_run = 1; dry_run >= 0; dry_run--) {
    done = sweep(f, dry_run, ":staging|:lock|");
    assert_int_equal(done.removed_leftovers, 1);
    assert_int_equal(done.removed_locks, 1);
    assert_int_equal(done.freed_bytes, FILES_BYTES);
  }
  assert_int_equal(path_count(f, ".hoist/staging"), 0);
  assert_int_equal(path_count(f, ".hoist/locks"), 2); /* kept/1 and live/1 */
  assert_int_equal(model_stage(lock, files, &txn, NULL), HOIST_OK);
  sweep(f, 0, "");
  assert_int_equal(path_count(f, ".hoist/staging"), 1);
}

static void rename_manifest(const struct fixture *f, const char *id) {
  char from[256], to[256];
  manifest_path(f, id, from);
  snprintf(to, sizeof to, "%s/%s/.hoist-retired.json", f->root, id);
  assert_int_equal(rename(from, to), 0);
}

static void test_a_removal_that_was_cut_short_is_finished(void **state) {
  struct fixture *f = *state;
  publish(f, "a");
  publish(f, "a/1");
  rename_manifest(f, "a");
  struct cache_lock *lock = NULL;
  struct model_id id = id_of("a");
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  sweep(f, 0, ""); /* somebody is at it */
  cache_unlock(lock);
  assert_int_equal(sweep(f, 1, ":removal|:lock|").freed_bytes, FILES_BYTES);
  assert_true(path_exists(f, "a/weights.onnx"));
  assert_in_range(sweep(f, 0, ":removal|:lock|").freed_bytes, FILES_BYTES, 4096);
  assert_false(path_exists(f, "a/weights.onnx"));
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_OK);
}

static void test_a_model_with_a_retired_manifest_besides_its_own_stays(void **state) {
  struct fixture *f = *state;
  publish(f, "a");
  rename_manifest(f, "a");
  assert_true(path_write(f, "a/.hoist-manifest.json", "{}", 2));
  sweep(f, 0, ":lock|");
  assert_true(path_exists(f, "a/weights.onnx"));
}

static void test_a_staging_without_a_lock_file_is_swept_too(void **state) {
  struct fixture *f = *state;
  assert_int_equal(run_in_child(stage_and_die, f), 0);
  assert_true(path_remove(f, ".hoist/locks"));
  sweep(f, 0, ":staging|:lock|");
  assert_int_equal(path_count(f, ".hoist/staging"), 0);
  assert_int_equal(path_count(f, ".hoist/locks"), 0);
}

static void test_an_empty_cache_has_nothing_to_sweep(void **state) {
  sweep(*state, 0, "");
}

/* ---- lock files that go while others use them -------------------------------------------- */

static struct cache_lock *lock_of(struct fixture *f, const char *id) {
  struct model_id model = id_of(id);
  struct cache_lock *lock = NULL;
  assert_int_equal(cache_lock(&no_limits, f->cache, &model, &lock, NULL), HOIST_OK);
  return lock;
}

struct waiting {
  struct fixture *f;
  struct cache_lock *lock;
  int sleeps;
};

/* The holder removes the file it holds, as hoist gc does, and lets go. */
static void remove_held_file(void *user, uint64_t ns) {
  struct waiting *w = user;
  if (++w->sleeps != 2) return;
  assert_true(path_remove(w->f, ".hoist/locks"));
  assert_true(path_make_dirs(w->f, ".hoist/locks"));
  cache_unlock(HOIST_TAKE(w->lock));
}

static void test_a_waiter_does_not_take_a_lock_file_that_was_removed(void **state) {
  struct fixture *f = *state;
  struct waiting w = {.f = f, .lock = lock_of(f, "a/1")};
  const struct call call = {.sleep = remove_held_file, .sleep_user = &w};
  struct model_id id = id_of("a/1");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  assert_int_equal(cache_lock(&call, f->cache, &id, &lock, NULL), HOIST_OK);
  assert_int_equal(path_count(f, ".hoist/locks"), 1);
  /* What it holds is what newcomers find. */
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_UNAVAILABLE);
}

struct neighbour {
  struct fixture *f;
  int collects;
  int failures;
};

#define ROUNDS 60

/* Publishing, reading and cleaning up all at once: what is found is always whole. */
static void *be_a_neighbour(void *user) {
  struct neighbour *n = user;
  struct cache_limits limits = no_limits_at_all;
  limits.max_bytes = 0;
  for (int i = 0; i < ROUNDS; i++) {
    struct cache_cleanup done = {.models = 0};
    enum hoist_status status;
    if (n->collects) {
      status = cache_evict(&no_limits, n->f->cache, &limits, &done, NULL);
      if (status == HOIST_OK) status = cache_sweep(&no_limits, n->f->cache, 0, &done, NULL);
      n->failures += status != HOIST_OK;
    } else {
      status = model_publish(n->f->cache, "a/1", files, NULL, NULL);
      n->failures += status != HOIST_OK && status != HOIST_UNAVAILABLE;
      status = model_check(n->f->cache, "a/1", files, NULL);
      n->failures += status == HOIST_CORRUPT;
    }
  }
  return NULL;
}

static void test_cleaning_up_in_the_midst_of_downloads_tears_nothing(void **state) {
  struct neighbour neighbours[4];
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) {
    neighbours[i] = (struct neighbour){.f = *state, .collects = i % 2};
    assert_int_equal(pthread_create(&threads[i], NULL, be_a_neighbour, &neighbours[i]), 0);
  }
  for (int i = 0; i < 4; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(neighbours[i].failures, 0);
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_without_limits_everything_stays),
      TEST(test_the_least_recently_used_go_until_the_size_fits),
      TEST(test_what_was_not_used_for_long_goes),
      TEST(test_a_model_that_somebody_holds_stays),
      TEST(test_several_at_once_do_not_remove_more_than_one_would),
      TEST(test_the_model_to_spare_stays),
      TEST(test_room_is_made_only_where_it_would_be_enough),
      TEST(test_models_inside_others_and_damaged_ones),
      TEST(test_a_clean_up_can_be_called_off),
      TEST(test_a_use_is_recorded_now_and_then),
      TEST(test_the_last_use_is_listed),
      TEST(test_what_killed_downloads_left_is_swept_and_only_that),
      TEST(test_a_staging_without_a_lock_file_is_swept_too),
      TEST(test_a_removal_that_was_cut_short_is_finished),
      TEST(test_a_model_with_a_retired_manifest_besides_its_own_stays),
      TEST(test_an_empty_cache_has_nothing_to_sweep),
      TEST(test_a_waiter_does_not_take_a_lock_file_that_was_removed),
      TEST(test_cleaning_up_in_the_midst_of_downloads_tears_nothing),
  };
  return cmocka_run_group_tests_name("gc", tests, NULL, NULL);
}
