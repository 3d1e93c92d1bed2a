/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: sharing, waiting, taking over. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "registry.h"

static struct hoist_model *const some_model = (struct hoist_model *)(uintptr_t)0x1000;
static const struct call no_call = {0};
static const struct registry_bounds no_bounds = {0};
static atomic_int destroyed; /* models, in this test */
static struct hoist_model *_Atomic last_destroyed;

static void destroy(struct hoist_model *model) {
  last_destroyed = model;
  destroyed++;
}

static int forget_destroyed(void **state) {
  destroyed = 0;
  last_destroyed = NULL;
  return 0;
}

static const struct hoist_error cancelled_load = {.status = HOIST_CANCELLED},
                                failed_load = {.status = HOIST_UNAVAILABLE, .message = "down"};

static void test_the_first_to_join_loads_and_the_next_shares(void **state) {
  struct registry *r = NULL;
  struct hoist_model *model = some_model;
  assert_int_equal(registry_new(&no_bounds, destroy, &r, NULL), HOIST_OK);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  assert_null(model);
  registry_finish(r, "a", some_model, 1, NULL);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  assert_ptr_equal(model, some_model);
  registry_unref_model(r, some_model);
  assert_int_equal(destroyed, 0);
  registry_unref_model(r, some_model);
  assert_int_equal(destroyed, 1);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  assert_null(model);
  registry_finish(r, "a", NULL, 1, &cancelled_load);
  registry_unref(r);
}

static void test_a_waiter_gives_up_when_its_call_ends(void **state) {
  struct registry *r = NULL;
  struct hoist_model *model = NULL;
  atomic_int cancel = 1;
  const struct call cancelled = {.cancel = &cancel}, late = {.deadline_ns = 1};
  assert_int_equal(registry_new(&no_bounds, destroy, &r, NULL), HOIST_OK);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  assert_int_equal(registry_join(&cancelled, r, "a", &model, NULL), HOIST_CANCELLED);
  assert_int_equal(registry_join(&late, r, "a", &model, NULL), HOIST_TIMEOUT);
  assert_int_equal(registry_join(&no_call, r, "b", &model, NULL), HOIST_OK);
  registry_finish(r, "a", NULL, 1, &cancelled_load);
  registry_finish(r, "b", NULL, 1, &cancelled_load);
  registry_unref(r);
}

struct sharer {
  struct registry *registry;
  atomic_int status;
};

static void *wait_for_the_load(void *user) {
  struct sharer *s = user;
  struct hoist_model *model = some_model;
  struct hoist_error err = {0};
  s->status = (int)registry_join(&no_call, s->registry, "a", &model, &err);
  if (s->status == HOIST_OK) registry_finish(s->registry, "a", NULL, 1, &cancelled_load);
  return NULL;
}

static void test_a_failure_is_shared_by_all_who_waited(void **state) {
  struct sharer sharers[4] = {0};
  pthread_t threads[4];
  struct registry *r = NULL;
  struct hoist_model *model = some_model;
  assert_int_equal(registry_new(&no_bounds, destroy, &r, NULL), HOIST_OK);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  for (int i = 0; i < 4; i++) {
    sharers[i].registry = r;
    assert_int_equal(pthread_create(&threads[i], NULL, wait_for_the_load, &sharers[i]), 0);
  }
  usleep(100000); /* whoever is not waiting yet becomes a loader of its own, which is right too */
  registry_finish(r, "a", NULL, 1, &failed_load);
  int shared = 0;
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], NULL);
    assert_true(sharers[i].status == HOIST_UNAVAILABLE || sharers[i].status == HOIST_OK);
    shared += sharers[i].status == HOIST_UNAVAILABLE;
  }
  assert_true(shared > 0);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  assert_null(model); /* nothing of the failure stays */
  registry_finish(r, "a", NULL, 1, &cancelled_load);
  registry_unref(r);
}

struct crowd {
  struct registry *registry;
  atomic_int loaders, sharers;
};

static void *join_and_leave(void *user) {
  struct crowd *c = user;
  for (int i = 0; i < 500; i++) {
    struct hoist_model *model = NULL;
    assert_int_equal(registry_join(&no_call, c->registry, "a", &model, NULL), HOIST_OK);
    if (!model) {
      c->loaders++;
      int fails = i % 3 == 0;
      registry_finish(c->registry, "a", fails ? NULL : some_model, 1, &cancelled_load);
      if (fails) continue;
    } else {
      assert_ptr_equal(model, some_model);
      c->sharers++;
    }
    registry_unref_model(c->registry, some_model);
  }
  return NULL;
}

static void test_many_threads_never_see_a_half_loaded_model(void **state) {
  struct crowd c = {0};
  pthread_t threads[6];
  assert_int_equal(registry_new(&no_bounds, destroy, &c.registry, NULL), HOIST_OK);
  for (int i = 0; i < 6; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, join_and_leave, &c), 0);
  for (int i = 0; i < 6; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(c.loaders + c.sharers, 6 * 500);
  assert_in_range(destroyed, 1, c.loaders);
  registry_unref(c.registry);
}

/* ---- bounds ---- */

static struct hoist_model *model_at(uintptr_t address) {
  return (struct hoist_model *)address;
}

static void load(struct registry *r, const char *id, uintptr_t address, uint64_t bytes) {
  struct hoist_model *model = some_model;
  assert_int_equal(registry_join(&no_call, r, id, &model, NULL), HOIST_OK);
  assert_null(model);
  registry_finish(r, id, model_at(address), bytes, NULL);
}

static void assert_loaded(struct registry *r, const char *id, uintptr_t address) {
  struct hoist_model *model = NULL;
  assert_int_equal(registry_join(&no_call, r, id, &model, NULL), HOIST_OK);
  assert_ptr_equal(model, model_at(address));
  registry_unref_model(r, model);
}

static void test_a_bound_on_the_number_keeps_the_most_recently_used(void **state) {
  const struct registry_bounds two = {.max_models = 2};
  struct registry *r = NULL;
  assert_int_equal(registry_new(&two, destroy, &r, NULL), HOIST_OK);
  load(r, "a", 1, 1);
  registry_unref_model(r, model_at(1));
  load(r, "b", 2, 1);
  registry_unref_model(r, model_at(2));
  assert_int_equal(destroyed, 0);
  assert_loaded(r, "a", 1); /* now "b" is the one that was not used for longest */
  load(r, "c", 3, 1);
  assert_int_equal(destroyed, 1);
  assert_ptr_equal(last_destroyed, model_at(2));
  assert_loaded(r, "a", 1);
  registry_unref_model(r, model_at(3));
  registry_close(r);
  assert_int_equal(destroyed, 3);
  registry_unref(r);
}

static void test_a_bound_on_the_size_counts_bytes(void **state) {
  const struct registry_bounds small = {.max_bytes = 100};
  struct registry *r = NULL;
  assert_int_equal(registry_new(&small, destroy, &r, NULL), HOIST_OK);
  load(r, "a", 1, 60);
  registry_unref_model(r, model_at(1));
  load(r, "b", 2, 40);
  registry_unref_model(r, model_at(2));
  assert_int_equal(destroyed, 0);
  load(r, "c", 3, 1);
  assert_ptr_equal(last_destroyed, model_at(1));
  registry_unref_model(r, model_at(3));
  load(r, "huge", 4, 1000); /* stays while it is used, and makes all others go */
  assert_int_equal(destroyed, 3);
  registry_unref_model(r, model_at(4));
  assert_ptr_equal(last_destroyed, model_at(4));
  registry_close(r);
  registry_unref(r);
}

static void test_models_in_use_are_never_destroyed_by_a_bound(void **state) {
  const struct registry_bounds one = {.max_models = 1};
  struct registry *r = NULL;
  assert_int_equal(registry_new(&one, destroy, &r, NULL), HOIST_OK);
  load(r, "a", 1, 1);
  load(r, "b", 2, 1);
  load(r, "c", 3, 1);
  assert_int_equal(destroyed, 0);
  registry_unref_model(r, model_at(2));
  registry_unref_model(r, model_at(1));
  assert_int_equal(destroyed, 2);
  registry_close(r);
  assert_int_equal(destroyed, 2);
  registry_unref_model(r, model_at(3)); /* after the close: with its last user */
  assert_int_equal(destroyed, 3);
  registry_unref(r);
}

static void test_a_forgotten_model_stays_for_who_uses_it_and_is_loaded_anew_for_others(
    void **state) {
  const struct registry_bounds many = {.max_models = 10};
  struct registry *r = NULL;
  assert_int_equal(registry_new(&many, destroy, &r, NULL), HOIST_OK);
  load(r, "a", 1, 1);
  registry_forget(r, "a");
  registry_forget(r, "never loaded");
  assert_int_equal(destroyed, 0);
  load(r, "a", 2, 1);
  registry_ref_model(r, model_at(1));
  registry_unref_model(r, model_at(1));
  assert_int_equal(destroyed, 0);
  registry_unref_model(r, model_at(1));
  assert_ptr_equal(last_destroyed, model_at(1));
  registry_unref_model(r, model_at(2));
  assert_loaded(r, "a", 2);
  registry_forget(r, "a"); /* nobody uses it */
  assert_ptr_equal(last_destroyed, model_at(2));
  registry_close(r);
  registry_unref(r);
}

static void *churn(void *user) {
  struct registry *r = user;
  static const char *const ids[] = {"a", "b", "c", "d"};
  for (uintptr_t i = 0; i < 2000; i++) {
    const char *id = ids[i % 4];
    struct hoist_model *model = NULL;
    assert_int_equal(registry_join(&no_call, r, id, &model, NULL), HOIST_OK);
    if (!model) {
      /* An address that no other thread uses at the same time. */
      model = model_at(((uintptr_t)&model & ~(uintptr_t)0xffff) + 16 * (i + 1));
      registry_finish(r, id, model, 1, NULL);
    }
    if (i % 7 == 0) registry_forget(r, id);
    registry_unref_model(r, model);
  }
  return NULL;
}

static void test_threads_load_use_and_forget_within_a_bound(void **state) {
  const struct registry_bounds two = {.max_models = 2};
  struct registry *r = NULL;
  pthread_t threads[4];
  assert_int_equal(registry_new(&two, destroy, &r, NULL), HOIST_OK);
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, churn, r), 0);
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
  assert_true(destroyed > 0);
  registry_close(r);
  registry_unref(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_the_first_to_join_loads_and_the_next_shares, forget_destroyed),
      cmocka_unit_test_setup(test_a_waiter_gives_up_when_its_call_ends, forget_destroyed),
      cmocka_unit_test_setup(test_a_failure_is_shared_by_all_who_waited, forget_destroyed),
      cmocka_unit_test_setup(test_many_threads_never_see_a_half_loaded_model, forget_destroyed),
      cmocka_unit_test_setup(test_a_bound_on_the_number_keeps_the_most_recently_used,
                             forget_destroyed),
      cmocka_unit_test_setup(test_a_bound_on_the_size_counts_bytes, forget_destroyed),
      cmocka_unit_test_setup(test_models_in_use_are_never_destroyed_by_a_bound, forget_destroyed),
      cmocka_unit_test_setup(
          test_a_forgotten_model_stays_for_who_uses_it_and_is_loaded_anew_for_others,
          forget_destroyed),
      cmocka_unit_test_setup(test_threads_load_use_and_forget_within_a_bound, forget_destroyed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
