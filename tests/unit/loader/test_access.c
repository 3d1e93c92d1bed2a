/* SPDX-License-Identifier: Apache-2.0 */
/* The question whether a key may use a model: when it is asked, how long an answer counts, and that nothing
 * is served without one. The API is made up: what builds it is replaced at link time. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "access_answers.h"
#include "fake_source.h"
#include "fake_tracer.h"
#include "fs.h"
#include "hoist_internal.h"
#include "text.h"

#define KEY "rf_key_of_the_test"

enum hoist_status __wrap_chain_make_api(const struct hoist_config *config, struct http *http,
                                        struct source **ret_source, struct hoist_error *err);

/* ---- an API that says what it is told to --------------------------------------------------------- */

static struct {
  struct source base;
  enum hoist_status says;
  int asked;
  char last[64];
} api;

static enum hoist_status say(const struct call *call, struct source *source,
                             const struct model_id *id, struct hoist_error *err) {
  api.asked++;
  text_copy(api.last, sizeof api.last, id->text);
  return api.says == HOIST_OK ? HOIST_OK
                              : hoist_fail(err, api.says, "the API says %d", (int)api.says);
}

static void keep_api(struct source *source) {
}

static const struct source_ops api_ops = {.check_access = say, .free = keep_api};

enum hoist_status __wrap_chain_make_api(const struct hoist_config *config, struct http *http,
                                        struct source **ret_source, struct hoist_error *err) {
  assert_string_equal(config->api_key, KEY);
  *ret_source = &api.base;
  return HOIST_OK;
}

/* ---- the world ----------------------------------------------------------------------------------- */

struct world {
  char root[64];
  struct fake_tracer *tracer;
  struct hoist_config config;
  struct hoist *hoist;
  struct fake_source *source;
  struct hoist_error err;
};

static void open_hoist(struct world *w) {
  assert_int_equal(hoist_open(&w->config, &w->hoist, NULL), HOIST_OK);
  w->source = fake_source_new("s3");
  fake_source_add(w->source, "weights.onnx", "0123456789");
  w->hoist->chain.sources[w->hoist->chain.count++] = &w->source->base;
}

static int set_up(void **state) {
  struct world *w = calloc(1, sizeof *w);
  api.base = (struct source){.ops = &api_ops, .name = "roboflow_api"};
  api.says = HOIST_OK;
  api.asked = 0;
  strcpy(w->root, "/tmp/hoist-access-XXXXXX");
  assert_non_null(mkdtemp(w->root));
  w->tracer = fake_tracer_new();
  hoist_config_init(&w->config);
  w->config.cache_dir = w->root;
  w->config.telemetry = w->tracer->telemetry;
  w->config.api_key = KEY;
  w->config.sources = "dir:/nonexistent";
  w->config.cache_auth = 1;
  open_hoist(w);
  *state = w;
  return 0;
}

static int tear_down(void **state) {
  struct world *w = *state;
  hoist_close(w->hoist);
  fake_tracer_check(w->tracer, KEY);
  fake_tracer_free(w->tracer);
  assert_int_equal(fs_remove_tree(AT_FDCWD, w->root, NULL), HOIST_OK);
  free(w);
  return 0;
}

/* As another process would: with no answer kept. */
static void reopen(struct world *w) {
  hoist_close(w->hoist);
  open_hoist(w);
}

static enum hoist_status pull(struct world *w, const char *id) {
  return hoist_pull(w->hoist, id, NULL, NULL, &w->err);
}

/* ---- when it is asked ---------------------------------------------------------------------------- */

static void test_every_model_is_asked_for_once(void **state) {
  struct world *w = *state;
  assert_int_equal(pull(w, "a/1"), HOIST_OK);
  assert_string_equal(api.last, "a/1");
  assert_int_equal(pull(w, "a/1"), HOIST_OK);
  assert_int_equal(api.asked, 1);
  assert_int_equal(pull(w, "b/1"), HOIST_OK);
  assert_int_equal(api.asked, 2);
  const struct fake_span *span = fake_span(w->tracer, "model.access.check", 0);
  assert_string_equal(fake_attr(span, "model.id"), "a/1");
}

static void test_who_is_denied_gets_nothing_from_cache_or_source(void **state) {
  struct world *w = *state;
  assert_int_equal(pull(w, "a/1"), HOIST_OK);
  reopen(w);
  api.says = HOIST_DENIED;
  assert_int_equal(pull(w, "a/1"), HOIST_DENIED);
  assert_non_null(strstr(w->err.message, "a/1: not served: the API says"));
  assert_null(strstr(w->err.message, KEY));
  assert_int_equal(pull(w, "new/1"), HOIST_DENIED);
  assert_int_equal(w->source->describes, 0);
  struct hoist_model *model = NULL;
  assert_int_equal(hoist_load(w->hoist, "a/1", NULL, &model, &w->err), HOIST_DENIED);
  assert_int_equal(api.asked, 3); /* the load: not asked again, but denied as before */
  assert_int_equal(fake_span(w->tracer, "model.load", 0)->errors, 1);
  assert_int_equal(fake_span(w->tracer, "model.access.check", 1)->errors, 1);
  assert_int_equal((int)fake_metric_sum(w->tracer, "inference.errors", "error.type=denied"), 3);
}

static void test_an_answer_of_denial_counts_as_long_as_any(void **state) {
  struct world *w = *state;
  api.says = HOIST_DENIED;
  assert_int_equal(pull(w, "a/1"), HOIST_DENIED);
  api.says = HOIST_OK;
  assert_int_equal(pull(w, "a/1"), HOIST_DENIED);
  assert_int_equal(api.asked, 1);
  w->config.cache_auth_ttl_ms = 0;
  reopen(w);
  assert_int_equal(pull(w, "a/1"), HOIST_OK);
  assert_int_equal(pull(w, "a/1"), HOIST_OK);
  assert_int_equal(api.asked, 3);
}

static void test_no_answer_is_no_access_and_is_not_kept(void **state) {
  struct world *w = *state;
  assert_int_equal(pull(w, "a/1"), HOIST_OK);
  reopen(w);
  api.says = HOIST_UNAVAILABLE;
  assert_int_equal(pull(w, "a/1"), HOIST_UNAVAILABLE);
  assert_non_null(strstr(w->err.message, "MODELS_CACHE_AUTH_ENABLED"));
  api.says = HOIST_NOT_FOUND;
  assert_int_equal(pull(w, "a/1"), HOIST_NOT_FOUND);
  api.says = HOIST_OK;
  assert_int_equal(pull(w, "a/1"), HOIST_OK);
  assert_int_equal(api.asked, 4);
}

static void test_offline_and_where_it_is_off_nobody_is_asked(void **state) {
  struct world *w = *state;
  assert_int_equal(pull(w, "a/1"), HOIST_OK);
  api.says = HOIST_DENIED;
  w->config.offline = 1;
  reopen(w);
  assert_int_equal(pull(w, "a/1"), HOIST_OK);
  w->config.offline = 0;
  w->config.cache_auth = 0;
  reopen(w);
  assert_int_equal(pull(w, "a/1"), HOIST_OK);
  assert_int_equal(api.asked, 1);
}

/* ---- answers that are kept ----------------------------------------------------------------------- */

static struct digest who_what(const char *key, const char *id) {
  struct digest digest;
  assert_int_equal(access_who_what(key, id, &digest, NULL), HOIST_OK);
  return digest;
}

static void test_answers_count_until_their_time_for_their_key_and_model(void **state) {
  static struct access_answers answers;
  const struct hoist_error denied = {.status = HOIST_DENIED, .message = "no"};
  struct hoist_error found = {0};
  struct digest mine = who_what("k", "a/1");
  access_answers_init(&answers);
  assert_false(access_answers_find(&answers, &mine, 1, &found));
  access_answers_keep(&answers, &mine, 1, 100, &denied);
  assert_true(access_answers_find(&answers, &mine, 99, &found));
  assert_int_equal(found.status, HOIST_DENIED);
  assert_false(access_answers_find(&answers, &mine, 100, &found));
  const struct digest others[] = {who_what("k2", "a/1"), who_what("k", "a/2"),
                                  who_what(NULL, "a/1"), who_what("ka", "/1")};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    assert_false(access_answers_find(&answers, &others[i], 50, &found));
  access_answers_done(&answers);
}

static void test_the_table_is_bounded_and_what_goes_first_makes_room(void **state) {
  static struct access_answers answers;
  const struct hoist_error allowed = {.status = HOIST_OK};
  struct hoist_error found = {0};
  char id[16];
  access_answers_init(&answers);
  for (unsigned i = 0; i <= ACCESS_MAX_ANSWERS; i++) {
    snprintf(id, sizeof id, "m/%u", i);
    struct digest digest = who_what("k", id);
    access_answers_keep(&answers, &digest, 1, 1000 + i, &allowed);
    access_answers_keep(&answers, &digest, 1, 1000 + i, &allowed); /* takes no second place */
  }
  struct digest first = who_what("k", "m/0"), second = who_what("k", "m/1");
  assert_false(access_answers_find(&answers, &first, 10, &found));
  assert_true(access_answers_find(&answers, &second, 10, &found));
  access_answers_done(&answers);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      T(test_every_model_is_asked_for_once),
      T(test_who_is_denied_gets_nothing_from_cache_or_source),
      T(test_an_answer_of_denial_counts_as_long_as_any),
      T(test_no_answer_is_no_access_and_is_not_kept),
      T(test_offline_and_where_it_is_off_nobody_is_asked),
      cmocka_unit_test(test_answers_count_until_their_time_for_their_key_and_model),
      cmocka_unit_test(test_the_table_is_bounded_and_what_goes_first_makes_room),
  };
  return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
