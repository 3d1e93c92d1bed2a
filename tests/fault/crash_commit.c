/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 at every step. A child publishes or removes a model and is killed before its N-th changing
 * system call, for every N; then the cache is opened again. Whatever is found must be a whole model,
 * old or new; then the same must succeed, and leave nothing of the accident behind. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache_fixture.h"
#include "fs.h"
#include "wrapped.h"

#define MAX_STEPS 1000 /* a child that makes more of them is running in circles */

static const struct made_file old_files[] = {
    {"environment.json", "{}"}, {"old/names.txt", "a\n"}, {"weights.onnx", "old weights"}, {0}};
static const struct made_file new_files[] = {
    {"environment.json", "{1}"}, {"new/names.txt", "b\n"}, {"weights.onnx", "new weights!"}, {0}};
static const struct made_file inner_files[] = {{"weights.onnx", "inner"}, {0}};

static long kill_at, steps;

static void die_at_the_chosen_step(const char *call) {
  if (++steps == kill_at) raise(SIGKILL);
}

enum may_find { NOTHING = 1, OLD = 2, NEW = 4 };

struct scenario {
  const char *id;
  bool has_old, has_inner; /* published before: the old model, another one inside it */
  bool no_exchange;
  bool removes;
  bool evicts;       /* a removal, by a clean-up */
  bool is_journaled; /* the download is one that may be gone on with */
  unsigned may_find; /* after the accident */
};

/* ---- one accident ------------------------------------------------------------------------ */

static void prepare(struct fixture *f, const struct scenario *s) {
  assert_true(fixture_init(f));
  if (s->has_old) assert_int_equal(model_publish(f->cache, s->id, old_files, NULL, NULL), HOIST_OK);
  if (s->has_inner)
    assert_int_equal(model_publish(f->cache, "a/1", inner_files, NULL, NULL), HOIST_OK);
}

static enum hoist_status clean_up(struct fixture *f, struct hoist_error *err) {
  const struct cache_limits limits = {.max_bytes = 0, .max_unused_s = UINT64_MAX};
  struct cache_cleanup done = {.models = 0};
  enum hoist_status status = cache_evict(&no_limits, f->cache, &limits, &done, err);
  if (status == HOIST_OK) status = cache_sweep(&no_limits, f->cache, 0, &done, err);
  return status;
}

static enum hoist_status publish_journaled(struct fixture *f, const char *id,
                                           struct hoist_error *err) {
  const struct model_id model = id_of(id);
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  HOIST_AUTO(cache_txn) struct cache_txn *txn = NULL;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  HOIST_AUTO(manifest) struct manifest m = {0};
  HOIST_AUTO(fd) int journal = -1;
  enum hoist_status status = cache_lock(&no_limits, f->cache, &model, &lock, err);
  if (status == HOIST_OK) status = model_stage(lock, new_files, &txn, err);
  if (status == HOIST_OK) status = cache_txn_journal(txn, &journal, err);
  if (status == HOIST_OK) status = model_manifest(new_files, &m, err);
  if (status != HOIST_OK) return status;
  return cache_commit(&no_limits, HOIST_TAKE(txn), &m, &lock, &entry, err);
}

static enum hoist_status act(struct fixture *f, const struct scenario *s, struct hoist_error *err) {
  if (s->evicts) return clean_up(f, err);
  if (s->removes) return model_remove(f->cache, s->id, NULL, err);
  if (s->is_journaled) return publish_journaled(f, s->id, err);
  return model_publish(f->cache, s->id, new_files, NULL, err);
}

/* Returns whether the child was killed; otherwise it had finished before its N-th step. */
static bool run_until_killed(struct fixture *f, const struct scenario *s, long n) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    kill_at = n;
    wrapped_hooks.before = die_at_the_chosen_step;
    _exit(act(f, s, NULL) == HOIST_OK ? 0 : 1);
  }
  int how;
  assert_int_equal(waitpid(pid, &how, 0), pid);
  if (WIFSIGNALED(how)) return true;
  assert_int_equal(WEXITSTATUS(how), 0);
  return false;
}

static unsigned find(struct fixture *f, const char *id, struct hoist_error *err) {
  enum hoist_status status = model_check(f->cache, id, old_files, err);
  if (status == HOIST_OK) return OLD;
  if (status == HOIST_NOT_FOUND) return NOTHING;
  return model_check(f->cache, id, new_files, err) == HOIST_OK ? NEW : 0;
}

static void check_after_accident(struct fixture *f, const struct scenario *s, long n) {
  cache_close(f->cache);
  f->cache = NULL;
  assert_int_equal(cache_open(f->root, &f->cache, NULL), HOIST_OK);
  struct hoist_error err = {.message = ""};
  unsigned found = find(f, s->id, &err);
  if (!(found & s->may_find)) fail_msg("killed at %ld, found %u: %s", n, found, err.message);
  if (s->has_inner) assert_int_equal(model_check(f->cache, "a/1", inner_files, NULL), HOIST_OK);
}

static void check_recovery(struct fixture *f, const struct scenario *s, long n) {
  struct hoist_error err = {.message = ""};
  enum hoist_status status = act(f, s, &err);
  if (status != HOIST_OK && !(s->removes && status == HOIST_NOT_FOUND))
    fail_msg("after being killed at %ld: %s", n, err.message);
  unsigned found = find(f, s->id, &err);
  if (found != (s->removes ? NOTHING : NEW)) fail_msg("killed at %ld: %s", n, err.message);
  assert_true(path_count(f, ".hoist/staging") == 0);
  char path[64];
  snprintf(path, sizeof path, "%s/weights.onnx", s->id);
  assert_int_equal(path_exists(f, path), !s->removes);
  snprintf(path, sizeof path, "%s/old", s->id);
  assert_false(path_exists(f, path));
  snprintf(path, sizeof path, "%s/.hoist-journal", s->id);
  assert_false(path_exists(f, path));
  snprintf(path, sizeof path, "%s/.hoist-retired.json", s->id);
  assert_false(path_exists(f, path));
  if (s->has_inner)
    assert_int_equal(model_check(f->cache, "a/1", inner_files, NULL), HOIST_OK);
  else if (s->removes && !s->evicts) /* nobody evicts a directory that is empty by then */
    assert_false(path_exists(f, s->id));
}

static void kill_at_every_step(const struct scenario *s) {
  bool killed = true;
  long n = 1;
  wrapped_no_exchange = s->no_exchange;
  for (; killed; n++) {
    struct fixture f;
    prepare(&f, s);
    killed = run_until_killed(&f, s, n);
    check_after_accident(&f, s, n);
    check_recovery(&f, s, n);
    fixture_done(&f);
    assert_true(n < MAX_STEPS);
  }
  wrapped_no_exchange = 0;
  assert_true(n > 8);
  print_message("# killed at %ld steps\n", n - 2);
}

/* ---- the scenarios ----------------------------------------------------------------------- */

static void test_a_first_publication_is_whole_or_nothing(void **state) {
  kill_at_every_step(&(struct scenario){.id = "coco/3", .may_find = NOTHING | NEW});
}

static void test_a_publication_of_what_may_be_gone_on_with_is_whole_or_nothing(void **state) {
  kill_at_every_step(
      &(struct scenario){.id = "coco/3", .is_journaled = true, .may_find = NOTHING | NEW});
}

static void test_a_replacement_is_the_old_or_the_new_model(void **state) {
  kill_at_every_step(&(struct scenario){.id = "coco/3", .has_old = true, .may_find = OLD | NEW});
}

static void test_a_replacement_without_exchange_is_never_half_done(void **state) {
  kill_at_every_step(&(struct scenario){
      .id = "coco/3", .has_old = true, .no_exchange = true, .may_find = NOTHING | OLD | NEW});
}

static void test_a_publication_around_another_model_is_whole_or_nothing(void **state) {
  kill_at_every_step(&(struct scenario){.id = "a", .has_inner = true, .may_find = NOTHING | NEW});
}

static void test_a_replacement_around_another_model_is_never_half_done(void **state) {
  kill_at_every_step(&(struct scenario){
      .id = "a", .has_old = true, .has_inner = true, .may_find = NOTHING | OLD | NEW});
}

static void test_a_removal_is_done_or_not(void **state) {
  kill_at_every_step(&(struct scenario){
      .id = "coco/3", .has_old = true, .removes = true, .may_find = NOTHING | OLD});
}

static void test_a_removal_around_another_model_is_done_or_not(void **state) {
  kill_at_every_step(&(struct scenario){
      .id = "a", .has_old = true, .has_inner = true, .removes = true, .may_find = NOTHING | OLD});
}

static void test_an_eviction_is_done_or_not_and_the_next_clean_up_leaves_nothing(void **state) {
  kill_at_every_step(&(struct scenario){
      .id = "coco/3", .has_old = true, .removes = true, .evicts = true, .may_find = NOTHING | OLD});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_first_publication_is_whole_or_nothing),
      cmocka_unit_test(test_a_publication_of_what_may_be_gone_on_with_is_whole_or_nothing),
      cmocka_unit_test(test_a_replacement_is_the_old_or_the_new_model),
      cmocka_unit_test(test_a_replacement_without_exchange_is_never_half_done),
      cmocka_unit_test(test_a_publication_around_another_model_is_whole_or_nothing),
      cmocka_unit_test(test_a_replacement_around_another_model_is_never_half_done),
      cmocka_unit_test(test_a_removal_is_done_or_not),
      cmocka_unit_test(test_a_removal_around_another_model_is_done_or_not),
      cmocka_unit_test(test_an_eviction_is_done_or_not_and_the_next_clean_up_leaves_nothing),
  };
  return cmocka_run_group_tests_name("crash_commit", tests, NULL, NULL);
}
