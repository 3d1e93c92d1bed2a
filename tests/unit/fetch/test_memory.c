/* SPDX-License-Identifier: Apache-2.0 */
/* fetch of a large file in parts: each allocation fails in turn, in whichever thread it is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fail_alloc.h"
#include "fetch_world.h"
#include "file.h"

#define SIZE ((size_t)FILE_PARALLEL_ABOVE_BYTES + 1)
#define LEAST_ALLOCATIONS 10 /* or nothing was wrapped */

static enum hoist_status good(const struct call *call, struct fake_file *f, int n,
                              struct source_request *request, struct hoist_error *err) {
  (void)call, (void)n;
  return fake_send(f, request, "\"v1\"", err);
}

static void describe(struct world *w, const char *data) {
  struct source *s = &w->source->base;
  fake_source_add(w->source, "w.onnx", data)->answer = good;
  assert_int_equal(s->ops->describe(&w->call, s, &w->id, &w->m, NULL), HOIST_OK);
}

/* Some allocations are for what a fetch can do without: a journal, a block to hash from. */
static void test_any_allocation_may_fail(void **state) {
  struct world *w = *state;
  char *data = malloc(SIZE + 1);
  memset(data, 'x', SIZE);
  data[SIZE] = '\0';
  struct digest wanted;
  assert_int_equal(digest_of(DIGEST_SHA256, data, SIZE, &wanted, NULL), HOIST_OK);
  w->call.telemetry = NULL; /* the recorder of the tests has allocations of its own */
  w->call.span = NULL;
  long n = 0;
  for (bool failed = true; failed; n++) {
    describe(w, data);
    w->err = (struct hoist_error){0};
    fail_alloc_at(n + 1);
    enum hoist_status status =
        fetch_model(&w->call, &w->source->base, &w->id, &w->m, w->txn, 2, &w->outcome, &w->err);
    failed = fail_alloc_happened();
    fail_alloc_at(0);
    if (status == HOIST_OK)
      assert_true(digest_equal(&w->m.files[0].digest, &wanted));
    else if (status != HOIST_NO_MEMORY || !w->err.message[0])
      fail_msg("allocation %ld: %s: %s", n + 1, hoist_status_name(status), w->err.message);
    assert_true(failed || status == HOIST_OK);
    world_forget(w);
  }
  assert_true(n > LEAST_ALLOCATIONS);
  free(data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_any_allocation_may_fail, world_set_up, world_tear_down),
  };
  return cmocka_run_group_tests_name("fetch_memory", tests, NULL, NULL);
}
