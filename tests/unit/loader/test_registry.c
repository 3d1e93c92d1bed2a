/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: sharing, waiting, taking over. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "registry.h"

static struct hoist_model *const some_model = (struct hoist_model *)(uintptr_t)0x1000;
static const struct call no_call = {0};

static void test_the_first_to_join_loads_and_the_next_shares(void **state) {
  struct registry *r = NULL;
  struct hoist_model *model = some_model;
  assert_int_equal(registry_new(&r, NULL), HOIST_OK);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  assert_null(model);
  registry_finish(r, "a", some_model);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  assert_ptr_equal(model, some_model);
  assert_int_equal(registry_unref_model(r, "a"), 0);
  assert_int_equal(registry_unref_model(r, "a"), 1);
  assert_int_equal(registry_join(&no_call, r, "a", &model, NULL), HOIST_OK);
  assert_null(model);
  registry_finish(r, "a", NULL);
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
  registry_finish(r, "a", NULL);
  registry_finish(r, "b", NULL);
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
      registry_finish(c->registry, "a", fails ? NULL : some_model);
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
      cmocka_unit_test(test_many_threads_never_see_a_half_loaded_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
