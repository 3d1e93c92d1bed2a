/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines in, spans out, on a clock that moves one microsecond a reading. */
#include "phases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_tracer.h"

#define START_UNIX_NS UINT64_C(1700000000000000000)
#define STEP_NS UINT64_C(1000)

static uint64_t clock_ns;

static uint64_t ticking_clock(void) {
  return clock_ns += STEP_NS;
}

struct fixture {
  struct fake_tracer *tracer;
  struct hoist_span root;
  struct phases phases;
};

static void begin(struct fixture *f) {
  f->tracer = fake_tracer_new();
  hoist_span_start_root(f->tracer->telemetry, "root", HOIST_SPAN_INTERNAL, NULL, &f->root);
  clock_ns = 0;
  phases_begin(&f->phases, START_UNIX_NS, ticking_clock);
}

static void say(struct fixture *f, const char *message) {
  phases_log(&f->phases, 1, "onnxruntime", "", "session.cc:1 Initialize", message);
}

static void finish(struct fixture *f) {
  phases_end(&f->phases, &f->root);
  hoist_span_end(&f->root);
}

static void assert_span(const struct fixture *f, const char *name, unsigned start_us,
                        unsigned end_us) {
  const struct fake_span *span = fake_span(f->tracer, name, 0);
  assert_non_null(span);
  assert_int_equal(fake_span_count(f->tracer, name), 1);
  assert_int_equal(span->parent, 0);
  assert_int_equal(span->start_ns, START_UNIX_NS + start_us * STEP_NS);
  assert_int_equal(span->end_ns, START_UNIX_NS + end_us * STEP_NS);
}

static void test_a_whole_log_gives_six_adjoining_phases(void **state) {
  struct fixture f;
  begin(&f);
  say(&f, "Session Options {  execution_mode:0 }");
  say(&f, "Initializing session."); /* 1 */
  say(&f, "Adding default CPU execution provider.");
  say(&f, "GraphTransformer ConstantFolding modified: 1 with status: OK"); /* 2 */
  say(&f, "Removing initializer 'w'. It is no longer used by any node.");
  say(&f, "GraphTransformer NchwcTransformer modified: 0 with status: OK");  /* 3 */
  say(&f, "GraphTransformer MemcpyTransformer modified: 0 with status: OK"); /* 4 */
  say(&f, "Use DeviceBasedPartition as default");                            /* 5 */
  say(&f, "Saving initialized tensors.");                                    /* 6 */
  say(&f, "Done saving initialized tensors");                                /* 7 */
  say(&f, "Session successfully initialized.");                              /* 8 */
  finish(&f);
  assert_int_equal(f.tracer->span_count, 1 + 6);
  assert_span(&f, "ort.model_parse", 0, 1);
  assert_span(&f, "ort.partition", 1, 2);
  assert_span(&f, "ort.graph_optimize", 2, 4);
  assert_span(&f, "ort.kernel_init", 4, 6);
  assert_span(&f, "ort.weights", 6, 7);
  assert_span(&f, "ort.prepack", 7, 8);
  fake_tracer_free(f.tracer);
}

static void test_the_graphs_inside_nodes_do_not_move_the_phases(void **state) {
  struct fixture f;
  begin(&f);
  say(&f, "Saving initialized tensors.");         /* 1 */
  say(&f, "Done saving initialized tensors");     /* 2 */
  say(&f, "Use DeviceBasedPartition as default"); /* 3 */
  say(&f, "Saving initialized tensors.");         /* 4 */
  say(&f, "Done saving initialized tensors");     /* 5 */
  say(&f, "GraphTransformer MemcpyTransformer modified: 0 with status: OK");
  say(&f, "Session successfully initialized.");
  finish(&f);
  assert_span(&f, "ort.weights", 1, 2);
  assert_null(fake_span(f.tracer, "ort.graph_optimize", 0));
  assert_null(fake_span(f.tracer, "ort.kernel_init", 0));
  fake_tracer_free(f.tracer);
}

static void test_without_optimizers_the_partition_lasts_until_planning(void **state) {
  struct fixture f;
  begin(&f);
  say(&f, "Initializing session.");               /* 1 */
  say(&f, "Use DeviceBasedPartition as default"); /* 2 */
  say(&f, "Saving initialized tensors.");         /* 3 */
  finish(&f);
  assert_int_equal(f.tracer->span_count, 1 + 3);
  assert_span(&f, "ort.model_parse", 0, 1);
  assert_span(&f, "ort.partition", 1, 2);
  assert_span(&f, "ort.kernel_init", 2, 3);
  fake_tracer_free(f.tracer);
}

/* Whatever a release may reword: each line alone, or none, gives no phase that lacks an end. */
static void test_a_missing_line_costs_only_the_phases_it_bounds(void **state) {
  static const struct {
    const char *line;
    const char *span; /* NULL: none */
  } cases[] = {
      {"some other text", NULL},
      {"", NULL},
      {"Initializing session.", "ort.model_parse"},
      {"GraphTransformer X modified: 0", NULL},
      {"Use DeviceBasedPartition as default", NULL},
      {"Saving initialized tensors.", NULL},
      {"Done saving initialized tensors", NULL},
      {"Session successfully initialized.", NULL},
      {" Initializing session.", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fixture f;
    begin(&f);
    say(&f, cases[i].line);
    finish(&f);
    assert_int_equal(f.tracer->span_count, cases[i].span ? 2 : 1);
    if (cases[i].span) assert_span(&f, cases[i].span, 0, 1);
    fake_tracer_free(f.tracer);
  }
}

static void test_lines_after_the_end_are_not_listened_to(void **state) {
  struct fixture f;
  begin(&f);
  finish(&f);
  uint64_t before = clock_ns;
  say(&f, "Initializing session.");
  assert_int_equal(clock_ns, before);
  assert_int_equal(f.phases.at[MARK_INITIALIZE], 0);
  fake_tracer_free(f.tracer);
}

static void *log_many(void *arg) {
  for (int i = 0; i < 500; i++) {
    phases_log(arg, 1, "", "", "", "GraphTransformer X modified: 0");
    phases_log(arg, 1, "", "", "", "Saving initialized tensors.");
  }
  return NULL;
}

static void test_lines_may_come_from_several_threads(void **state) {
  struct fixture f;
  begin(&f);
  pthread_t threads[3];
  for (int i = 0; i < 3; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, log_many, &f.phases), 0);
  for (int i = 0; i < 3; i++)
    pthread_join(threads[i], NULL);
  finish(&f);
  assert_true(f.phases.at[MARK_WEIGHTS] > f.phases.at[MARK_LAST_OPTIMIZER]);
  fake_tracer_free(f.tracer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_whole_log_gives_six_adjoining_phases),
      cmocka_unit_test(test_the_graphs_inside_nodes_do_not_move_the_phases),
      cmocka_unit_test(test_without_optimizers_the_partition_lasts_until_planning),
      cmocka_unit_test(test_a_missing_line_costs_only_the_phases_it_bounds),
      cmocka_unit_test(test_lines_after_the_end_are_not_listened_to),
      cmocka_unit_test(test_lines_may_come_from_several_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
