/* SPDX-License-Identifier: Apache-2.0 */
/* hoist bench with a stand-in for the processes it starts, and what it and --repeat calculate. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "again.h"
#include "capture.h"
#include "fs.h"
#include "lookahead.h"
#include "repeat.h"
#include "text.h"

static struct {
  char ways[1024]; /* a word per process: its graph policy and whether it had a cache of its own */
  int runs;
  int cold_fails, graph_misses, all_fail;
} child;

static bool has_word(char *const *argv, const char *word) {
  for (; *argv; argv++)
    if (strcmp(*argv, word) == 0) return true;
  return false;
}

static bool has_prefix(char *const *argv, const char *prefix) {
  for (; *argv; argv++)
    if (text_starts_with(*argv, prefix)) return true;
  return false;
}

/* A load that takes 100 ms cold, 50 warm, 20 with a graph, each of which grows by 1 ms a round. */
static enum hoist_status fake_run(struct cli *cli, char *const *argv, struct again *ret_again,
                                  struct hoist_error *err) {
  bool cold = has_prefix(argv, "--cache-dir="),
       graph = has_word(argv, "--graph-cache=before_returning");
  assert_true(has_word(argv, "--json") && has_word(argv, "--quiet") && has_word(argv, "faces/1"));
  assert_true(has_word(argv, "--onnxruntime=/lib/x.so"));
  size_t used = strlen(child.ways);
  snprintf(child.ways + used, sizeof child.ways - used, "%s ",
           cold    ? "cold"
           : graph ? "graph"
                   : "warm");
  double ms = (cold ? 100 : graph ? 20 : 50) + child.runs++ / 3;
  *ret_again = (struct again){.out = buf_make(1 << 16),
                              .exit_code = child.all_fail || (cold && child.cold_fails) ? 3 : 0,
                              .wall_ns = (uint64_t)((ms + 10) * 1e6),
                              .peak_bytes = 50000000};
  return buf_printf(
      &ret_again->out, err,
      "{\"event\":\"progress\"}\n{\"event\":\"result\",\"load_time_s\":%.4f,\"graph_cache\":\"%s\","
      "\"graph_detail\":\"not worth it\",\"phases\":[{\"phase\":\"session\",\"seconds\":%.4f},"
      "{\"phase\":\"verify\",\"seconds\":0.001},{\"phase\":\"lock_wait\",\"seconds\":0.002}]}\n",
      ms / 1e3, graph ? (child.graph_misses ? "off" : "hit") : "off", ms / 1e3 - 0.003);
}

static int forget_child(void **state) {
  memset(&child, 0, sizeof child);
  return 0;
}

static const char *no_env(const char *name) {
  return NULL;
}

struct outcome {
  struct capture out, err;
  enum hoist_status status;
};

static void run_bench(struct outcome *o, char **argv, int argc) {
  struct cli cli = {.get_env = no_env, .command = cli_command("bench"), .run_again = fake_run};
  char *args[] = {(char[]){"faces/1"}};
  capture_begin(&o->out);
  capture_begin(&o->err);
  cli.out = o->out.stream;
  cli.err = o->err.stream;
  cli.json = (struct json){.out = cli.out};
  assert_int_equal(options_parse(argc, argv, &cli.options, NULL), HOIST_OK);
  cli.args = args;
  cli.arg_count = 1;
  o->status = cmd_bench(&cli);
  capture_end(&o->out);
  capture_end(&o->err);
}

static void free_outcome(struct outcome *o) {
  capture_free(&o->out);
  capture_free(&o->err);
}

static void assert_has(const struct capture *c, const char *text) {
  if (!strstr(c->text, text)) fail_msg("'%s' is not in: %s", text, c->text);
}

#define RUN(o, ...)                                                                                \
  do {                                                                                             \
    char *argv_[] = {(char[]){"hoist"}, (char[]){"--onnxruntime=/lib/x.so"}, __VA_ARGS__, NULL};   \
    run_bench(o, argv_, (int)(sizeof argv_ / sizeof argv_[0]) - 1);                                \
  } while (0)

static void test_the_three_ways_take_turns_and_their_medians_are_shown(void **state) {
  struct outcome o;
  RUN(&o, (char[]){"--repeat=3"});
  assert_int_equal(o.status, HOIST_OK);
  assert_string_equal(child.ways, "graph graph cold warm graph cold warm graph cold warm graph ");
  assert_has(&o.out, "faces/1, medians of 3 runs");
  assert_has(&o.out, "cold              101 ms      0 us   1.00 ms   98.0 ms   2.00 ms    111 ms   "
                     "50.0 MB    1.94\n");
  assert_has(&o.out, "warm             52.0 ms");
  assert_has(&o.out, "1.00\ncached graph     22.0 ms");
  free_outcome(&o);
}

static void test_a_way_that_cannot_be_gone_is_left_out_with_the_reason(void **state) {
  struct outcome o;
  child.cold_fails = child.graph_misses = 1;
  RUN(&o, (char[]){"--repeat=2"});
  assert_int_equal(o.status, HOIST_OK);
  assert_has(&o.out, "cold          no source has it: the load ended with exit status 3\n");
  assert_has(&o.out, "cached graph  not worth it\n");
  assert_string_equal(child.ways, "graph graph cold warm warm ");
  free_outcome(&o);
}

static void test_a_model_that_does_not_load_is_a_failure(void **state) {
  struct outcome o;
  child.all_fail = 1;
  RUN(&o, (char[]){"--repeat=2"});
  assert_int_equal(o.status, HOIST_NOT_FOUND);
  assert_has(&o.err, "hoist: the load ended with exit status 3");
  free_outcome(&o);
}

static void test_programs_get_the_medians_as_json(void **state) {
  struct outcome o;
  RUN(&o, (char[]){"--json"});
  json_t *json = json_loads(o.out.text, 0, NULL);
  assert_int_equal(json_integer_value(json_object_get(json, "runs")), 10);
  json_t *ways = json_object_get(json, "ways");
  assert_int_equal(json_array_size(ways), 3);
  json_t *graph = json_array_get(ways, 2);
  assert_string_equal(json_string_value(json_object_get(graph, "way")), "cached graph");
  assert_true(json_real_value(json_object_get(graph, "load_s")) > 0.02);
  assert_true(json_real_value(json_object_get(graph, "session_s")) > 0.015);
  json_decref(json);
  free_outcome(&o);
}

static void test_the_picture_is_one_of_bars(void **state) {
  struct outcome o;
  char path[] = "/tmp/hoist-bench-svg-XXXXXX", option[64];
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  snprintf(option, sizeof option, "--svg=%s", path);
  RUN(&o, (char[]){"--repeat=1"}, option);
  assert_int_equal(o.status, HOIST_OK);
  HOIST_AUTO(buf) struct buf svg = buf_make(1 << 20);
  assert_int_equal(fs_read_file(AT_FDCWD, path, &svg, NULL), HOIST_OK);
  assert_true(text_starts_with(buf_str(&svg), "<svg "));
  assert_non_null(strstr(buf_str(&svg), ">cached graph</text>"));
  assert_non_null(strstr(buf_str(&svg), "</svg>\n"));
  unlink(path);
  free_outcome(&o);
  RUN(&o, (char[]){"--repeat=1"}, (char[]){"--svg=/nowhere/x.svg"});
  assert_int_equal(o.status, HOIST_NOT_FOUND);
  free_outcome(&o);
}

/* ---- statistics ---- */

static struct repeat made_of(const uint64_t *ns, size_t count) {
  static bool there[64];
  static uint64_t values[64];
  struct repeat r = {.phase_count = 1, .runs = count};
  for (size_t i = 0; i < count; i++) {
    there[i] = ns[i] > 0;
    values[i] = ns[i];
  }
  r.phases[0] = (struct repeat_phase){.name = "x", .ns = values, .is_there = there};
  return r;
}

static void test_medians_and_percentiles(void **state) {
  static const struct {
    uint64_t ns[12];
    size_t count;
    uint64_t first, min, median, p90;
    size_t runs;
  } cases[] = {
      {{5}, 1, 5, 5, 5, 5, 1},
      {{9, 1}, 2, 9, 1, 5, 9, 2},
      {{3, 1, 2}, 3, 3, 1, 2, 3, 3},
      {{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 10, 10, 1, 5, 9, 10},
      {{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 11, 11, 1, 6, 10, 11},
      {{0, 4, 0, 2}, 4, 4, 2, 3, 4, 2}, /* runs without the phase do not count */
      {{0, 0}, 2, 0, 0, 0, 0, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct repeat r = made_of(cases[i].ns, cases[i].count);
    struct repeat_summary s = repeat_summarize(&r, 0);
    assert_int_equal(s.first_ns, cases[i].first);
    assert_int_equal(s.min_ns, cases[i].min);
    assert_int_equal(s.median_ns, cases[i].median);
    assert_int_equal(s.p90_ns, cases[i].p90);
    assert_int_equal(s.runs, cases[i].runs);
  }
}

/* ---- working ahead ---- */

static struct { atomic_int running, most, done; } ahead;

static void work(void *user, size_t item) {
  int now = ++ahead.running;
  if (now > ahead.most) ahead.most = now;
  usleep(1000);
  ahead.running--;
  ahead.done++;
}

static void test_results_are_waited_for_in_order_and_do_not_pile_up(void **state) {
  struct lookahead *l = NULL;
  memset(&ahead, 0, sizeof ahead);
  lookahead_start(20, 3, work, NULL, &l);
  assert_non_null(l);
  for (size_t i = 0; i < 20; i++) {
    lookahead_wait(l, i);
    assert_in_range(ahead.done, i + 1, i + 3);
  }
  assert_int_equal(lookahead_stop(l), 20);
  assert_in_range(ahead.most, 1, 3);
}

static void test_work_that_is_called_off_ends_with_what_was_begun(void **state) {
  struct lookahead *l = NULL;
  memset(&ahead, 0, sizeof ahead);
  lookahead_start(20, 2, work, NULL, &l);
  lookahead_wait(l, 0);
  size_t begun = lookahead_stop(l);
  assert_in_range(begun, 1, 2);
  assert_int_equal(ahead.done, begun);
  assert_int_equal(lookahead_stop(NULL), 0);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup(function, forget_child)
  const struct CMUnitTest tests[] = {
      TEST(test_the_three_ways_take_turns_and_their_medians_are_shown),
      TEST(test_a_way_that_cannot_be_gone_is_left_out_with_the_reason),
      TEST(test_a_model_that_does_not_load_is_a_failure),
      TEST(test_programs_get_the_medians_as_json),
      TEST(test_the_picture_is_one_of_bars),
      TEST(test_medians_and_percentiles),
      TEST(test_results_are_waited_for_in_order_and_do_not_pile_up),
      TEST(test_work_that_is_called_off_ends_with_what_was_begun),
  };
  return cmocka_run_group_tests_name("bench", tests, NULL, NULL);
}
