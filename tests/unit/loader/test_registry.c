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
static const struct hoist_error cancelled_load = {.status = HOIST_CANCELLED},
                                failed_load = {.status = HOIST_UNAVAILABLE, .message = "down"};

static void test_the_first_to_join_loads_and_the_next_shares(void **state) {
  struct registry *r = NULL;
  struct hoist_model *model = some_model;
  assert_int_equal(registry_new(&r, NULL), HOIST_OK);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  assert_null(model);
  registry_finish(r, "a", some_model, NULL);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  assert_ptr_equal(model, some_model);
  assert_int_equal(registry_unref_model(r, "a"), 0);
  assert_int_equal(registry_unref_model(r, "a"), 1);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  assert_null(model);
  registry_finish(r, "a", NULL, &cancelled_load);
  registry_unref(r);
}

static void test_a_waiter_gives_up_when_its_call_ends(void **state) {
  struct registry *r = NULL;
  struct hoist_model *model = NULL;
  atomic_int cancel = 1;
  const struct call cancelled = {.cancel = &cancel}, late = {.deadline_ns = 1};
  assert_int_equal(registry_new(&r, NULL), HOIST_OK);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  assert_int_equal(registry_join(&cancelled, r, "a", &model, NULL), HOIST_CANCELLED);
  assert_int_equal(registry_join(&late, r, "a", &model, NULL), HOIST_TIMEOUT);
  assert_int_equal(registry_join(&no_call, r, "b", &model, NULL), HOIST_OK);
  registry_finish(r, "a", NULL, &cancelled_load);
  registry_finish(r, "b", NULL, &cancelled_load);
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
  if (s->status == HOIST_OK) registry_finish(s->registry, "a", NULL, &cancelled_load);
  return NULL;
}

static void test_a_failure_is_shared_by_all_who_waited(void **state) {
  struct sharer sharers[4] = {0};
  pthread_t threads[4];
  struct registry *r = NULL;
  struct hoist_model *model = some_model;
  assert_int_equal(registry_new(&r, NULL), HOIST_OK);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  for (int i = 0; i < 4; i++) {
    sharers[i].registry = r;
    assert_int_equal(pthread_create(&threads[i], NULL, wait_for_the_load, &sharers[i]), 0);
  }
  usleep(100000); /* whoever is not waiting yet becomes a loader of its own, which is right too */
  registry_finish(r, "a", NULL, &failed_load);
  int shared = 0;
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], NULL);
    assert_true(sharers[i].status == HOIST_UNAVAILABLE || sharers[i].status == HOIST_OK);
    shared += sharers[i].status == HOIST_UNAVAILABLE;
  }
  assert_true(shared > 0);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  assert_null(model); /* nothing of the failure stays */
  registry_finish(r, "a", NULL, &cancelled_load);
  registry_unref(r);
}

struct crowd {
  struct registry *registry;
  atomic_int loaders, sharers, last;
};

static void *join_and_leave(void *user) {
  struct crowd *c = user;
  for (int i = 0; i < 500; i++) {
    struct hoist_model *model = NULL;
    assert_int_equal(registry_join(&no_call, c->registry, "a", &model, NULL), HOIST_OK);
    if (!model) {
      c->loaders++;
      int fails = i % 3 == 0;
      registry_finish(c->registry, "a", fails ? NULL : some_model, &cancelled_load);
      if (fails) continue;
    } else {
      assert_ptr_equal(model, some_model);
      c->sharers++;
    }
    c->last += registry_unref_model(c->registry, "a");
  }
  return NULL;
}

static void test_many_threads_never_see_a_half_loaded_model(void **state) {
  struct crowd c = {0};
  pthread_t threads[6];
  assert_int_equal(registry_new(&c.registry, NULL), HOIST_OK);
  for (int i = 0; i < 6; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, join_and_leave, &c), 0);
  for (int i = 0; i < 6; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(c.loaders + c.sharers, 6 * 500);
  assert_in_range(c.last, 1, c.loaders);
  registry_unref(c.registry);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_first_to_join_loads_and_the_next_shares),
      cmocka_unit_test(test_a_waiter_gives_up_when_its_call_ends),
      cmocka_unit_test(test_a_failure_is_shared_by_all_who_waited),
      cmocka_unit_test(test_many_threads_never_see_a_half_loaded_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
