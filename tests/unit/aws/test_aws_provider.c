/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials are kept, renewed ahead of time, and looked for by one thread at a time. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aws_provider.h"
#include "clock.h"
#include "fake_tracer.h"

#define START 1000000
#define SECRET "s3cr3t/KEY"

static atomic_ulong now;

static uint64_t read_now(void) {
  return now;
}

/* Finds "KEY1", "KEY2", … */
struct finder {
  atomic_int searches;
  uint64_t life_s; /* 0: they do not expire */
  enum hoist_status failure;
  bool is_slow;
  bool always_same;
};

static enum hoist_status find(const struct call *call, void *user,
                              const struct aws_credentials **ret_credentials,
                              struct hoist_error *err) {
  struct finder *f = user;
  char key[16];
  int n = ++f->searches;
  if (f->is_slow) {
    enum hoist_status status = call_sleep(call, 60 * NS_PER_MS, "finding", err);
    if (status != HOIST_OK) return status;
  }
  if (f->failure) return hoist_fail(err, f->failure, "search %d failed", n);
  snprintf(key, sizeof key, "KEY%d", f->always_same ? 1 : n);
  const struct aws_credentials found = {.access_key = key,
                                        .secret_key = SECRET,
                                        .expires_unix_s = f->life_s ? now + f->life_s : 0,
                                        .provider = "finder"};
  return aws_credentials_new(&found, ret_credentials, err);
}

struct world {
  struct finder finder;
  struct aws_provider *provider;
  struct call call;
  struct hoist_error err;
};

static void set_up(struct world *w) {
  *w = (struct world){.finder = {.searches = 0}};
  now = START;
  assert_int_equal(aws_provider_new(find, &w->finder, read_now, &w->provider, NULL), HOIST_OK);
}

/* Fails unless `key` is what requests are signed with now. */
static void expect_key(struct world *w, const char *key) {
  HOIST_AUTO(aws_credentials) const struct aws_credentials *got = NULL;
  enum hoist_status status = aws_provider_get(&w->call, w->provider, &got, &w->err);
  if (status != HOIST_OK) fail_msg("%s", w->err.message);
  assert_string_equal(got->access_key, key);
}

static void expect_failure(struct world *w, enum hoist_status expected) {
  const struct aws_credentials *got = NULL;
  assert_int_equal(aws_provider_get(&w->call, w->provider, &got, &w->err), expected);
  assert_null(got);
}

static void test_credentials_that_do_not_expire_are_found_once(void **state) {
  (void)state;
  struct world w;
  set_up(&w);
  expect_key(&w, "KEY1");
  now += 100000000;
  expect_key(&w, "KEY1");
  assert_int_equal(w.finder.searches, 1);
  aws_provider_free(w.provider);
}

static void test_credentials_are_renewed_before_they_expire(void **state) {
  (void)state;
  struct world w;
  set_up(&w);
  w.finder.life_s = 3600;
  expect_key(&w, "KEY1");
  now = START + 3600 - AWS_RENEW_AHEAD_S - 1;
  expect_key(&w, "KEY1");
  now++;
  expect_key(&w, "KEY2");
  aws_provider_free(w.provider);
}

static void test_short_lived_ones_are_used_for_half_of_their_life(void **state) {
  (void)state;
  struct world w;
  set_up(&w);
  w.finder.life_s = 60;
  expect_key(&w, "KEY1");
  now += 29;
  expect_key(&w, "KEY1");
  now++;
  expect_key(&w, "KEY2");
  aws_provider_free(w.provider);
}

static void test_where_renewing_fails_the_old_ones_go_on_until_they_expire(void **state) {
  (void)state;
  struct world w;
  set_up(&w);
  w.finder.life_s = 3600;
  expect_key(&w, "KEY1");
  now += 3500;
  w.finder.failure = HOIST_UNAVAILABLE;
  expect_key(&w, "KEY1");
  expect_key(&w, "KEY1");
  assert_int_equal(w.finder.searches, 2);
  now += AWS_RENEW_AGAIN_S;
  expect_key(&w, "KEY1");
  assert_int_equal(w.finder.searches, 3);
  now = START + 3600;
  expect_failure(&w, HOIST_UNAVAILABLE);
  assert_string_equal(w.err.message, "search 4 failed");
  w.finder.failure = HOIST_OK;
  expect_key(&w, "KEY5");
  aws_provider_free(w.provider);
}

static void test_credentials_that_have_expired_when_they_come_are_an_error(void **state) {
  (void)state;
  struct world w;
  set_up(&w);
  w.finder.life_s = (uint64_t)-10;
  expect_failure(&w, HOIST_DENIED);
  assert_non_null(
      strstr(w.err.message, "the credentials of finder expired at 1970-01-12T13:46:30Z"));
  aws_provider_free(w.provider);
}

static void test_refused_credentials_are_renewed_once_for_all(void **state) {
  (void)state;
  struct world w;
  set_up(&w);
  HOIST_AUTO(aws_credentials) const struct aws_credentials *refused = NULL;
  HOIST_AUTO(aws_credentials) const struct aws_credentials *first = NULL;
  HOIST_AUTO(aws_credentials) const struct aws_credentials *second = NULL;
  assert_int_equal(aws_provider_get(&w.call, w.provider, &refused, NULL), HOIST_OK);
  assert_int_equal(aws_provider_renew(&w.call, w.provider, refused, &first, NULL), HOIST_OK);
  assert_int_equal(aws_provider_renew(&w.call, w.provider, refused, &second, NULL), HOIST_OK);
  assert_string_equal(first->access_key, "KEY2");
  assert_ptr_equal(first, second);
  aws_provider_free(w.provider);
}

static void test_the_same_again_is_nothing_new(void **state) {
  (void)state;
  struct world w;
  set_up(&w);
  w.finder.always_same = true;
  HOIST_AUTO(aws_credentials) const struct aws_credentials *refused = NULL;
  const struct aws_credentials *other = NULL;
  assert_int_equal(aws_provider_get(&w.call, w.provider, &refused, NULL), HOIST_OK);
  assert_int_equal(aws_provider_renew(&w.call, w.provider, refused, &other, NULL), HOIST_OK);
  assert_null(other);
  aws_provider_free(w.provider);
}

/* ---- threads ---------------------------------------------------------------------------------- */

#define THREADS 8

struct asker {
  struct world *w;
  struct call call;
  enum hoist_status status;
  struct hoist_error err;
  char key[16];
};

static void *ask(void *user) {
  struct asker *a = user;
  const struct aws_credentials *got = NULL;
  a->status = aws_provider_get(&a->call, a->w->provider, &got, &a->err);
  if (a->status == HOIST_OK) snprintf(a->key, sizeof a->key, "%s", got->access_key);
  aws_credentials_unref(got);
  return NULL;
}

static void ask_at_once(struct world *w, struct asker *askers) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) {
    askers[i].w = w;
    assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
}

static void test_threads_that_ask_at_once_cause_one_search(void **state) {
  (void)state;
  struct asker askers[THREADS] = {{0}};
  struct world w;
  set_up(&w);
  w.finder.is_slow = true;
  ask_at_once(&w, askers);
  for (int i = 0; i < THREADS; i++)
    assert_string_equal(askers[i].key, "KEY1");
  assert_int_equal(w.finder.searches, 1);
  aws_provider_free(w.provider);
}

static void test_the_failure_of_a_search_is_that_of_all_who_waited(void **state) {
  (void)state;
  struct asker askers[THREADS] = {{0}};
  struct world w;
  set_up(&w);
  w.finder.is_slow = true;
  w.finder.failure = HOIST_UNAVAILABLE;
  ask_at_once(&w, askers);
  for (int i = 0; i < THREADS; i++) {
    assert_int_equal(askers[i].status, HOIST_UNAVAILABLE);
    assert_non_null(strstr(askers[i].err.message, "failed"));
  }
  assert_true(w.finder.searches < THREADS);
  aws_provider_free(w.provider);
}

static void test_who_gives_up_takes_nobody_along(void **state) {
  (void)state;
  static const atomic_int cancelled = 1;
  struct asker askers[THREADS] = {{0}};
  struct world w;
  set_up(&w);
  w.finder.is_slow = true;
  for (int i = 0; i < THREADS / 2; i++)
    askers[i].call.cancel = &cancelled;
  ask_at_once(&w, askers);
  for (int i = 0; i < THREADS; i++)
    assert_true(askers[i].status == HOIST_OK ||
                (askers[i].call.cancel && askers[i].status == HOIST_CANCELLED));
  aws_provider_free(w.provider);
}

/* ---- spans ------------------------------------------------------------------------------------ */

static void test_each_search_is_a_span(void **state) {
  (void)state;
  struct fake_tracer *tracer = fake_tracer_new();
  struct hoist_span root;
  struct world w;
  set_up(&w);
  hoist_span_start_root(tracer->telemetry, "root", HOIST_SPAN_INTERNAL, NULL, &root);
  w.call.span = &root;
  w.finder.life_s = 100;
  expect_key(&w, "KEY1");
  expect_key(&w, "KEY1");
  now += 100;
  w.finder.failure = HOIST_DENIED;
  expect_failure(&w, HOIST_DENIED);
  hoist_span_end(&root);
  assert_int_equal(fake_span_count(tracer, "aws.credentials"), 2);
  const struct fake_span *found = fake_span(tracer, "aws.credentials", 0);
  assert_string_equal(fake_attr(found, "aws.credentials.provider"), "finder");
  assert_string_equal(fake_attr(found, "aws.credentials.expires"), "1970-01-12T13:48:20Z");
  const struct fake_span *failed = fake_span(tracer, "aws.credentials", 1);
  assert_string_equal(fake_attr(failed, "error.type"), "denied");
  assert_string_equal(failed->description, "search 2 failed");
  fake_tracer_check(tracer, SECRET);
  fake_tracer_check(tracer, "KEY1");
  aws_provider_free(w.provider);
  fake_tracer_free(tracer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_credentials_that_do_not_expire_are_found_once),
      cmocka_unit_test(test_credentials_are_renewed_before_they_expire),
      cmocka_unit_test(test_short_lived_ones_are_used_for_half_of_their_life),
      cmocka_unit_test(test_where_renewing_fails_the_old_ones_go_on_until_they_expire),
      cmocka_unit_test(test_credentials_that_have_expired_when_they_come_are_an_error),
      cmocka_unit_test(test_refused_credentials_are_renewed_once_for_all),
      cmocka_unit_test(test_the_same_again_is_nothing_new),
      cmocka_unit_test(test_threads_that_ask_at_once_cause_one_search),
      cmocka_unit_test(test_the_failure_of_a_search_is_that_of_all_who_waited),
      cmocka_unit_test(test_who_gives_up_takes_nobody_along),
      cmocka_unit_test(test_each_search_is_a_span),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
