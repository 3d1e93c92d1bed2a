/* SPDX-License-Identifier: Apache-2.0 */
/* Whole command lines: what is printed where, and the exit code. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "command_line.h"
#include "fs.h"
#include "text.h"

/* ---- exit codes, errors ---------------------------------------------------------------------- */

static void test_every_status_has_its_exit_code_and_one_line(void **state) {
  static const struct {
    const char *id;
    int code;
  } cases[] = {{"fine/1", 0},      {"internal/1", 1},   {"invalid/1", 2},
               {"not_found/1", 3}, {"denied/1", 4},     {"unavailable/1", 5},
               {"timeout/1", 6},   {"corrupt/1", 7},    {"unsupported/1", 8},
               {"no_space/1", 9},  {"no_memory/1", 10}, {"cancelled/1", 130}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char line[128], message[128];
    snprintf(line, sizeof line, "hoist rm %s", cases[i].id);
    run_line(line);
    assert_int_equal(run.code, cases[i].code);
    if (cases[i].code == 0) {
      assert_string_equal(run.err.text, "");
      continue;
    }
    snprintf(message, sizeof message, "hoist: %s: it is %.*s\n", cases[i].id,
             (int)strcspn(cases[i].id, "/"), cases[i].id);
    assert_string_equal(run.err.text, message);
  }
}

static void test_all_ids_are_tried_and_the_first_failure_decides(void **state) {
  static const char *const commands[] = {"load", "pull", "verify", "rm"};
  for (size_t i = 0; i < 4; i++) {
    char line[128];
    snprintf(line, sizeof line, "hoist %s -q a/1 denied/1 b/1 not_found/1", commands[i]);
    run_line(line);
    assert_int_equal(run.code, 4);
    assert_string_equal(run.err.text,
                        "hoist: denied/1: it is denied\nhoist: not_found/1: it is not_found\n");
    assert_string_equal(run.out.text, "");
  }
  assert_int_equal(fake_hoist.loads, 4);
  assert_int_equal(fake_hoist.removes, 4);
}

static void test_a_cancelled_command_tries_no_further(void **state) {
  run_line("hoist load cancelled/1 b/1 c/1 d/1");
  assert_int_equal(run.code, 130);
  assert_in_range(fake_hoist.loads, 1, 2); /* the next one may have been under way */
  assert_null(strstr(run.out.text, "b/1"));
  assert_int_equal(fake_hoist.settles, 0);
  fake_hoist_reset();
  run_line("hoist pull cancelled/1 b/1");
  assert_int_equal(run.code, 130);
  assert_int_equal(fake_hoist.pulls, 1);
}

static void test_wrong_command_lines_are_refused(void **state) {
  static const struct {
    const char *line, *says;
  } cases[] = {
      {"hoist", "no command was given"},
      {"hoist lod x", "unknown command 'lod': did you mean 'load'?"},
      {"hoist frobnicate", "unknown command 'frobnicate': see 'hoist help'"},
      {"hoist load", "load: too few arguments: usage is 'hoist load ID...'"},
      {"hoist ls extra", "ls: unexpected argument 'extra'"},
      {"hoist info a b", "info: unexpected argument 'b'"},
      {"hoist ls --waterfall", "ls draws no waterfall"},
      {"hoist ls --bogus", "unknown option '--bogus'"},
      {"hoist pull --repeat 3 a/1", "pull: --repeat is an option of load and bench only"},
      {"hoist load --repeat 0 a/1", "--repeat is '0': expected a number from 1 to 1000"},
      {"hoist load --repeat few a/1", "--repeat is 'few'"},
      {"hoist load --svg x.svg a/1", "load: --svg is an option of 'hoist bench' only"},
      {"hoist bench a/1 b/1", "bench: unexpected argument 'b/1'"},
      {"hoist ls --max-size 1G", "ls: --max-size is an option of 'hoist gc' only"},
      {"hoist ls --why", "ls: --why is an option of 'hoist info' only"},
      {"hoist rm --dry-run a/1", "rm: --dry-run is an option of 'hoist gc' only"},
      {"hoist gc a/1", "gc: unexpected argument 'a/1'"},
      {"hoist gc --max-size ten", "--max-size is 'ten': expected a number of bytes, such as 10G"},
      {"hoist gc --max-size -1", "--max-size is '-1'"},
      {"hoist gc --max-age 30", "--max-age is '30': expected a time, such as 30d"},
      {"hoist gc --max-age 1.5d", "--max-age is '1.5d'"},
      {"hoist gc --max-age 99999999999999999999w", "--max-age is '99999999999999999999w'"},
      {"hoist ls --connections many", "--connections is 'many'"},
      {"hoist pull s3://bucket/prefix", "usage is 'hoist pull PLACE DIRECTORY'"},
      {"hoist pull a/1 s3://bucket/prefix", "usage is 'hoist pull PLACE DIRECTORY'"},
      {"hoist pull dir:/a dir:/b", "usage is 'hoist pull PLACE DIRECTORY'"},
      {"hoist pull --exclude x a/1", "pull: --exclude chooses among the files of a place"},
      {"hoist ls --include x", "ls: --include is an option of 'hoist pull PLACE DIRECTORY' only"},
      {"hoist models s3 dir:/a", "models: unexpected argument 'dir:/a'"},
      {"hoist help frobnicate", "there is no command 'frobnicate'"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    run_line(cases[i].line);
    assert_int_equal(run.code, 2);
    assert_memory_equal(run.err.text, "hoist: ", 7);
    assert_says(&run.err, cases[i].says);
    assert_int_equal(fake_hoist.opened, 0);
  }
}

static void test_a_wrong_variable_is_named(void **state) {
  static const char *const variables[] = {"OFFLINE_MODE", "maybe", NULL};
  environment = variables;
  run_line("hoist ls");
  assert_int_equal(run.code, 2);
  assert_string_equal(run.err.text,
                      "hoist: OFFLINE_MODE is 'maybe': expected true or false (also 1, 0, yes, "
                      "no)\n");
  run_line("hoist help"); /* help must work whatever the environment is */
  assert_int_equal(run.code, 0);
}

static void test_with_json_a_failure_is_an_object_besides_the_line(void **state) {
  run_line("hoist rm --json denied/1");
  assert_string_equal(run.err.text, "hoist: denied/1: it is denied\n");
  assert_string_equal(run.out.text,
                      "{\"model_id\":\"denied/1\",\"status\":\"denied\",\"error\":{\"status\":"
                      "\"denied\",\"message\":\"denied/1: it is denied\",\"http_status\":403}}\n");
  fake_hoist.open_status = HOIST_DENIED;
  run_line("hoist ls --json");
  assert_int_equal(run.code, 4);
  assert_string_equal(run.out.text, "{\"status\":\"denied\",\"error\":{\"status\":\"denied\","
                                    "\"message\":\"/cache: read-only\"}}\n");
}

/* ---- load and pull --------------------------------------------------------------------------- */

static void test_load_draws_where_the_time_went(void **state) {
  run_line("hoist load faces/1");
  assert_int_equal(run.code, 0);
  assert_says(&run.out, "model.load");
  assert_says(&run.out, "`-model.session.create");
  assert_says(&run.out,
              "\nfaces/1: 100 ms - 60 % downloading from s3 (442 KB), 40 % creating the session\n");
  assert_string_equal(run.err.text, "faces/1: weights.onnx is complete (1 of 1 files)\n");
}

static void test_each_model_gets_its_own_waterfall(void **state) {
  run_line("hoist load a/1 denied/1 b/1");
  assert_int_equal(run.code, 4);
  const char *a = strstr(run.out.text, "\na/1: 100 ms - ");
  const char *d = strstr(run.out.text, "\ndenied/1: failed after 100 ms - 60 % trying s3, ");
  const char *b = strstr(run.out.text, "\nb/1: 100 ms - ");
  assert_non_null(a);
  assert_true(d > a && b > d);
}

static void test_without_a_waterfall_one_line_is_left(void **state) {
  run_line("hoist load --no-waterfall faces/1");
  assert_string_equal(run.out.text, "faces/1: loaded from s3 (442 KB) in 100 ms\n");
  run_line("hoist pull faces/1");
  assert_string_equal(run.out.text, "faces/1: ready from s3 (442 KB) in 100 ms\n");
  run_line("hoist pull --waterfall faces/1");
  assert_says(&run.out, "model.pull");
  run_line("hoist load -q faces/1");
  assert_string_equal(run.out.text, "");
  assert_string_equal(run.err.text, "");
}

static void test_models_are_told_of_in_their_order_although_they_overlap(void **state) {
  run_line("hoist load --no-waterfall a/1 b/1 c/1 denied/1 d/1 e/1");
  assert_int_equal(run.code, 4);
  assert_string_equal(run.out.text, "a/1: loaded from s3 (442 KB) in 100 ms\n"
                                    "b/1: loaded from s3 (442 KB) in 100 ms\n"
                                    "c/1: loaded from s3 (442 KB) in 100 ms\n"
                                    "d/1: loaded from s3 (442 KB) in 100 ms\n"
                                    "e/1: loaded from s3 (442 KB) in 100 ms\n");
  assert_int_equal(fake_hoist.loads, 6);
}

static void test_load_waits_for_graphs_and_says_what_came_of_them(void **state) {
  fake_hoist.saves_graph = 1;
  run_line("hoist load --no-waterfall good/1");
  assert_int_equal(fake_hoist.settles, 1);
  assert_says(&run.err, "good/1: graph saved for later loads (666 KB): a session takes 9.70 ms "
                        "instead of 36.0 ms\n");
  run_line("hoist load --json good/1");
  json_t *last = json_line(-1);
  assert_string_equal(text_at(last, "event"), "graph");
  assert_string_equal(text_at(last, "status"), "ok");
  assert_int_equal(json_integer_value(json_object_get(last, "bytes")), 666432);
  json_decref(last);
  run_line("hoist load -q good/1");
  assert_string_equal(run.err.text, "");
  run_line("hoist pull good/1");
  assert_int_equal(fake_hoist.settles, 3);
}

/* ---- again and again --------------------------------------------------------------------- */

static void test_repeated_loads_are_summed_up_by_phase(void **state) {
  run_line("hoist load --repeat 4 faces/1");
  assert_int_equal(run.code, 0);
  assert_int_equal(fake_hoist.loads, 4);
  assert_says(&run.out, "faces/1, 4 loads\n");
  assert_says(&run.out, "      first        min     median        p90\n");
  assert_says(&run.out,
              "model.load                           100 ms     100 ms     100 ms     100 ms\n");
  assert_says(&run.out,
              "  model.artifacts.download          60.0 ms    60.0 ms    60.0 ms    60.0 ms\n");
  assert_says(&run.out,
              "  model.session.create              40.0 ms    40.0 ms    40.0 ms    40.0 ms\n");
  run_line("hoist load --repeat 2 --json -q faces/1 b/1");
  json_t *first = json_line(0), *second = json_line(1);
  assert_string_equal(text_at(first, "model_id"), "faces/1");
  assert_string_equal(text_at(second, "model_id"), "b/1");
  json_t *phase = json_array_get(json_object_get(second, "phases"), 1);
  assert_string_equal(text_at(phase, "phase"), "model.artifacts.download");
  assert_int_equal(json_integer_value(json_object_get(phase, "runs")), 2);
  json_decref(first);
  json_decref(second);
  run_line("hoist load --repeat 3 denied/1");
  assert_int_equal(run.code, 4);
}

static void test_json_ends_with_a_result_that_has_the_phases(void **state) {
  run_line("hoist load --json faces/1");
  assert_int_equal(run.code, 0);
  assert_string_equal(run.err.text, "");
  json_t *first = json_line(0), *last = json_line(-1);
  assert_string_equal(text_at(first, "event"), "progress");
  assert_string_equal(text_at(first, "kind"), "source");
  assert_string_equal(text_at(last, "event"), "result");
  assert_string_equal(text_at(last, "model_id"), "faces/1");
  assert_string_equal(text_at(last, "status"), "ok");
  assert_int_equal(strlen(text_at(last, "trace_id")), 32);
  json_t *phases = json_object_get(last, "phases");
  assert_in_range(json_array_size(phases), 2, 3); /* the rest may be too short to count */
  assert_string_equal(text_at(json_array_get(phases, 0), "phase"), "download");
  assert_string_equal(text_at(json_array_get(phases, 0), "source"), "s3");
  assert_int_equal(json_integer_value(json_object_get(json_array_get(phases, 0), "bytes")), 442000);
  assert_string_equal(text_at(json_array_get(phases, 1), "phase"), "session");
  json_decref(first);
  json_decref(last);
}

static void test_json_of_a_failed_load_ends_with_its_error(void **state) {
  run_line("hoist load --json denied/1");
  assert_int_equal(run.code, 4);
  json_t *last = json_line(-1);
  assert_string_equal(text_at(last, "event"), "result");
  assert_string_equal(text_at(last, "status"), "denied");
  assert_int_equal(
      json_integer_value(json_object_get(json_object_get(last, "error"), "http_status")), 403);
  json_decref(last);
}

static void test_options_reach_the_library(void **state) {
  run_line("hoist load -q --timeout 2.5 --cache-dir /c --sources dir:/m faces/1");
  assert_int_equal(fake_hoist.timeout_ms, 2500);
  assert_true(fake_hoist.has_cancel);
  assert_string_equal(fake_hoist.cache_dir, "/c");
  assert_string_equal(fake_hoist.sources, "dir:/m");
}

static void test_traceparent_is_the_parent(void **state) {
  static const char *const variables[] = {
      "TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", NULL};
  environment = variables;
  run_line("hoist load faces/1");
  assert_int_equal(fake_hoist.parent.trace_id[0], 0x4b);
  assert_int_equal(fake_hoist.parent.span_id[7], 0xb7);
  assert_says(&run.out, "trace 4bf92f3577b34da6a3ce929d0e0e4736");
}

static void test_a_malformed_traceparent_is_ignored(void **state) {
  static const char *const variables[] = {"TRACEPARENT", "nonsense", NULL};
  environment = variables;
  run_line("hoist load faces/1");
  assert_int_equal(run.code, 0);
  assert_int_equal(fake_hoist.parent.trace_id[0], 0);
}

#define SAMPLED_PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define UNSAMPLED_PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"

static void test_what_the_caller_passed_on_reaches_the_library(void **state) {
  static const struct {
    const char *variables[9];
    int has_parent;
    const char *tracestate, *baggage;
  } cases[] = {
      {{"TRACESTATE", "a=1", NULL}, 0, "", ""},
      {{"TRACEPARENT", SAMPLED_PARENT, "TRACESTATE", " a=1 , b=2,,a=3", NULL}, 1, "a=1,b=2", ""},
      {{"TRACEPARENT", SAMPLED_PARENT, "TRACESTATE", "nonsense", NULL}, 1, "", ""},
      {{"BAGGAGE", "user=Am%C3%A9lie", NULL}, 0, "", "user=Am%C3%A9lie"},
      {{"TRACEPARENT", SAMPLED_PARENT, "TRACESTATE", "a=1", "BAGGAGE", "b=2", "OTEL_PROPAGATORS",
        "none", NULL},
       0,
       "",
       ""},
      {{"TRACEPARENT", SAMPLED_PARENT, "BAGGAGE", "b=2", "OTEL_PROPAGATORS", "baggage", NULL},
       0,
       "",
       "b=2"},
      {{"TRACEPARENT", SAMPLED_PARENT, "BAGGAGE", "b=2", "OTEL_SDK_DISABLED", "true", NULL},
       1,
       "",
       "b=2"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fake_hoist_reset();
    environment = cases[i].variables;
    run_line("hoist pull -q faces/1");
    assert_int_equal(run.code, 0);
    assert_int_equal(fake_hoist.parent.trace_id[0], cases[i].has_parent ? 0x4b : 0);
    assert_string_equal(fake_hoist.tracestate, cases[i].tracestate);
    assert_string_equal(fake_hoist.baggage, cases[i].baggage);
    assert_string_equal(run.err.text, "");
  }
}

static void test_malformed_baggage_is_ignored_with_a_warning(void **state) {
  static const char *const variables[] = {"BAGGAGE", "hunter2 and more", NULL};
  environment = variables;
  run_line("hoist pull faces/1");
  assert_int_equal(run.code, 0);
  assert_says(&run.err, "BAGGAGE is ignored: baggage entry 1");
  assert_null(strstr(run.err.text, "hunter2"));
  assert_string_equal(fake_hoist.baggage, "");
}

static void test_spans_that_stay_here_are_no_parents_for_others(void **state) {
  static const struct {
    const char *line, *variables[5];
    int unchanged;
  } cases[] = {
      {"hoist load faces/1", {NULL}, 1}, /* only drawn */
      {"hoist pull -q faces/1", {"OTEL_TRACES_EXPORTER", "console", NULL}, 0},
      {"hoist load faces/1",
       {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/", NULL},
       0},
      {"hoist load --trace-file /dev/null faces/1", {NULL}, 0},
      {"hoist load --trace-file /dev/null faces/1", {"TRACEPARENT", UNSAMPLED_PARENT, NULL}, 1},
      {"hoist load faces/1", {"TRACEPARENT", SAMPLED_PARENT, "OTEL_SDK_DISABLED", "true", NULL}, 1},
      {"hoist pull -q faces/1", {"OTEL_METRICS_EXPORTER", "console", NULL}, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fake_hoist_reset();
    environment = cases[i].variables;
    run_line(cases[i].line);
    assert_int_equal(run.code, 0);
    if (!(fake_hoist.propagators & HOIST_PROPAGATE_UNCHANGED) != !cases[i].unchanged)
      fail_msg("case %zu: %u", i, fake_hoist.propagators);
  }
}

static void test_a_trace_file_can_be_drawn_again(void **state) {
  char path[] = "/tmp/hoist-cli-test-XXXXXX", line[128];
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  snprintf(line, sizeof line, "hoist pull -q --trace-file %s faces/1", path);
  run_line(line);
  assert_int_equal(run.code, 0);
  snprintf(line, sizeof line, "hoist trace %s", path);
  run_line(line);
  assert_int_equal(run.code, 0);
  assert_says(&run.out, "\nfaces/1: 100 ms - 60 % downloading from s3 (442 KB), ");
  snprintf(line, sizeof line, "hoist trace --json %s", path);
  run_line(line);
  json_t *trace = json_line(0);
  json_t *spans = json_object_get(trace, "spans");
  assert_int_equal(json_array_size(spans), 3);
  assert_string_equal(text_at(json_array_get(spans, 0), "name"), "model.pull");
  assert_string_equal(text_at(json_array_get(spans, 1), "parent_id"),
                      text_at(json_array_get(spans, 0), "span_id"));
  json_decref(trace);
  unlink(path);
}

static void test_metrics_go_into_a_file(void **state) {
  static const char *const variables[] = {"OTEL_METRICS_EXPORTER", "prometheus", NULL};
  char path[] = "/tmp/hoist-cli-test-XXXXXX", line[128];
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  snprintf(line, sizeof line, "hoist pull -q --metrics-file %s faces/1", path);
  run_line(line);
  assert_int_equal(run.code, 0);
  HOIST_AUTO(buf) struct buf text = buf_make(1 << 20);
  assert_int_equal(fs_read_file(AT_FDCWD, path, &text, NULL), HOIST_OK);
  assert_non_null(strstr(buf_str(&text), "service_name=\"hoist\""));
  unlink(path);
  environment = variables; /* asks for metrics, but a command has nowhere to show them */
  run_line("hoist pull faces/1");
  assert_int_equal(run.code, 0);
  assert_says(&run.err, "say --metrics-file");
  run_line("hoist config --metrics-file m.prom");
  assert_says(&run.out, "--metrics-file");
}

static void test_telemetry_trouble_is_a_warning_only(void **state) {
  run_line("hoist load --trace-file /nonexistent/dir/t.json faces/1");
  assert_int_equal(run.code, 0);
  assert_says(&run.err, "hoist: warning: ");
  assert_says(&run.err, "/nonexistent/dir/t.json");
  assert_says(&run.out, "\nfaces/1: 100 ms - "); /* the waterfall is still drawn */
  static const char *const variables[] = {"OTEL_TRACES_SAMPLER", "always_off", NULL};
  environment = variables;
  run_line("hoist load faces/1");
  assert_int_equal(run.code, 0);
  assert_says(&run.out,
              "\nfaces/1: 100 ms - "); /* what is not exported can be looked at all the same */
}

/* ---- the cache ------------------------------------------------------------------------------- */

static void test_ls_is_a_table_with_a_total(void **state) {
  fake_hoist.list_count = 2;
  run_line("hoist ls");
  assert_int_equal(run.code, 0);
  assert_says(&run.out,
              "MODEL              SIZE   FILES  SOURCE            AGE              USED\n");
  assert_says(&run.out, "m1/1             442 KB       3  s3                ");
  assert_says(&run.out, "\n2 models, 884 KB\n");
  fake_hoist.list_problem = "the manifest is damaged";
  run_line("hoist ls");
  assert_says(&run.out, "m0/1          the manifest is damaged\n");
  fake_hoist.list_count = 0;
  run_line("hoist ls");
  assert_string_equal(run.out.text, "0 models, 0 B\n");
}

static void test_ls_is_one_object_for_programs(void **state) {
  fake_hoist.list_count = 2;
  run_line("hoist ls --json");
  json_t *json = json_line(0);
  assert_int_equal(json_array_size(json_object_get(json, "models")), 2);
  assert_int_equal(json_integer_value(json_object_get(json, "total_bytes")), 884000);
  json_decref(json);
}

static void test_gc_says_what_it_removed_and_how_much_that_was(void **state) {
  run_line("hoist gc --max-size 10G --max-age 30d");
  assert_int_equal(run.code, 0);
  assert_int_equal(fake_hoist.gc.limit_size, 1);
  assert_int_equal(fake_hoist.gc.max_bytes, 10000000000);
  assert_int_equal(fake_hoist.gc.limit_age, 1);
  assert_int_equal(fake_hoist.gc.max_age_s, 30 * 86400);
  assert_int_equal(fake_hoist.gc.dry_run, 0);
  assert_says(&run.out, "removed old/1, 442 KB, used ");
  assert_says(&run.out, "removed .hoist/staging/x.1, 1.00 KB, left by a download that was killed\n"
                        "443 KB freed; 2 models, 884 KB in the cache\n");
  assert_string_equal(run.err.text, "");
}

static void test_gc_can_only_say_what_it_would_do(void **state) {
  run_line("hoist gc --dry-run");
  assert_int_equal(run.code, 0);
  assert_int_equal(fake_hoist.gc.dry_run, 1);
  assert_int_equal(fake_hoist.gc.limit_size, 0);
  assert_int_equal(fake_hoist.gc.limit_age, 0);
  assert_says(&run.out, "would remove old/1, 442 KB");
  assert_says(&run.out, "would be 443 KB freed; 2 models");
}

static void test_gc_warns_of_models_that_had_to_stay(void **state) {
  fake_hoist.gc_busy = 2;
  run_line("hoist gc --max-size 0");
  assert_int_equal(run.code, 0);
  assert_string_equal(run.err.text, "hoist: warning: 2 models stayed although the limits ask for "
                                    "them: in use just now\n");
}

static void test_gc_is_one_object_a_line_for_programs(void **state) {
  run_line("hoist gc --json");
  json_t *item = json_line(0), *lock = json_line(2), *result = json_line(3);
  assert_string_equal(json_string_value(json_object_get(item, "event")), "removed");
  assert_string_equal(json_string_value(json_object_get(item, "model_id")), "old/1");
  assert_string_equal(json_string_value(json_object_get(item, "reason")), "size");
  assert_string_equal(json_string_value(json_object_get(lock, "path")), ".hoist/locks/x.lock");
  assert_null(json_object_get(lock, "model_id"));
  assert_string_equal(json_string_value(json_object_get(result, "event")), "result");
  assert_int_equal(json_integer_value(json_object_get(result, "freed_bytes")), 443000);
  assert_int_equal(json_integer_value(json_object_get(result, "removed_locks")), 1);
  json_decref(item);
  json_decref(lock);
  json_decref(result);
  fake_hoist.gc_status = HOIST_DENIED;
  run_line("hoist gc");
  assert_int_equal(run.code, 4);
  assert_string_equal(run.err.text, "hoist: /cache cannot be cleaned up\n");
}

static void test_verify_without_ids_verifies_all(void **state) {
  fake_hoist.list_count = 3;
  run_line("hoist verify");
  assert_int_equal(run.code, 0);
  assert_int_equal(fake_hoist.verifies, 3);
  assert_says(&run.out, "ok m2/1  442 KB in ");
  fake_hoist.list_status = HOIST_DENIED;
  run_line("hoist verify");
  assert_int_equal(run.code, 4);
  fake_hoist.list_status = HOIST_OK;
  fake_hoist.list_count = 0;
  run_line("hoist verify");
  assert_string_equal(run.out.text, "there are no models in the cache\n");
}

static void test_info_describes_or_says_what_is_wrong(void **state) {
  run_line("hoist info faces/1");
  assert_says(&run.out, "faces/1\n");
  assert_says(&run.out, "weights.onnx    442 KB  sha256 ab\n");
  run_line("hoist info --json faces/1");
  json_t *json = json_line(0);
  assert_string_equal(text_at(json, "model_id"), "faces/1");
  json_decref(json);
  run_line("hoist info corrupt/1");
  assert_int_equal(run.code, 7);
}

static void test_info_says_what_was_weighed(void **state) {
  run_line("hoist info --why faces/1");
  assert_int_equal(run.code, 0);
  assert_says(&run.out, "faces/1\n");
  assert_says(&run.out, "* exact");
  assert_says(&run.out, "ONNX, fp32: its quantization is preferred\n");
  assert_says(&run.out, "ONNX, fp16: another quantization is preferred\n");
  assert_null(strchr(run.out.text, '\x1b')); /* whatever a server says */
  run_line("hoist info --why --json faces/1");
  json_t *json = json_line(0), *candidates = json_object_get(json, "candidates");
  assert_int_equal(json_array_size(candidates), 4);
  json_t *first = json_array_get(candidates, 0), *last = json_array_get(candidates, 3);
  assert_string_equal(text_at(first, "package_id"), "exact");
  assert_true(json_is_true(json_object_get(first, "chosen")));
  assert_string_equal(text_at(last, "source"), "s3");
  assert_true(json_is_null(json_object_get(last, "endpoint")));
  json_decref(json);
  run_line("hoist info --why not_found/1");
  assert_int_equal(run.code, 3);
}

/* ---- config, doctor, trace, version, help ---------------------------------------------------- */

static void test_config_shows_values_origins_and_no_secret(void **state) {
  static const char *const variables[] = {"ROBOFLOW_API_KEY",
                                          "hunter2",
                                          "INFER_BUCKET",
                                          "models",
                                          "HOME",
                                          "/home/a",
                                          "OTEL_EXPORTER_OTLP_ENDPOINT",
                                          "http://user:hunter2@127.0.0.1:1",
                                          "SECURE_GATEWAY",
                                          "https://user:hunter2@gate/?token=hunter2",
                                          NULL};
  environment = variables;
  run_line("hoist config --connections 3");
  assert_int_equal(run.code, 0);
  assert_says(&run.out, "/home/a/.cache/hoist");
  assert_says(&run.out, "bucket              models ");
  assert_says(&run.out, " INFER_BUCKET\n");
  assert_says(&run.out, "api_key             set ");
  assert_says(&run.out, " ROBOFLOW_API_KEY\n");
  assert_says(&run.out, "traces_endpoint     http://127.0.0.1:1/v1/traces ");
  assert_says(&run.out, "connections         3 ");
  assert_says(&run.out, " --connections\n");
  assert_null(strstr(run.out.text, "hunter2"));
  run_line("hoist config --json");
  assert_null(strstr(run.out.text, "hunter2"));
  json_t *json = json_line(0), *settings = json_object_get(json, "settings");
  size_t count;
  settings_table(&count);
  assert_int_equal(json_array_size(settings), count);
  json_decref(json);
}

static void test_doctor_exits_with_the_first_failure(void **state) {
  run_line("hoist doctor");
  assert_int_equal(run.code, 0);
  assert_says(&run.out, "ok   cache                 /cache, writable\n");
  assert_says(&run.out, "--   file locks            are tried later\n");
  assert_says(&run.out, "--   telemetry             not exported: set OTEL_EXPORTER_OTLP_ENDPOINT");
  assert_says(&run.out, "hoist 9.8.7, libcurl ");
  fake_hoist.finding_status = HOIST_DENIED;
  run_line("hoist doctor");
  assert_int_equal(run.code, 4);
  assert_says(&run.out, "FAIL source s3             bucket models\n");
  run_line("hoist doctor --json");
  assert_int_equal(run.code, 4);
  json_t *json = json_line(0);
  assert_int_equal(json_array_size(json_object_get(json, "findings")), 4);
  assert_string_equal(text_at(json_array_get(json_object_get(json, "findings"), 1), "status"),
                      "skipped");
  assert_string_equal(text_at(json, "hoist"), "9.8.7");
  json_decref(json);
  fake_hoist.diagnose_status = HOIST_TIMEOUT;
  fake_hoist.finding_status = HOIST_OK;
  run_line("hoist doctor");
  assert_int_equal(run.code, 6);
}

static void test_doctor_tells_of_a_cache_that_cannot_be_opened(void **state) {
  fake_hoist.open_status = HOIST_DENIED;
  run_line("hoist doctor");
  assert_int_equal(run.code, 4);
  assert_says(&run.out, "FAIL cache and sources     /cache: read-only\n");
  assert_says(&run.out, "--   telemetry ");
  run_line("hoist doctor --json");
  assert_int_equal(run.code, 4);
  json_t *json = json_line(0);
  assert_int_equal(json_array_size(json_object_get(json, "findings")), 2);
  json_decref(json);
}

static void test_doctor_finds_out_that_nobody_collects(void **state) {
  static const char *const variables[] = {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1",
                                          NULL};
  environment = variables;
  run_line("hoist doctor");
  assert_int_equal(run.code, 5);
  assert_says(&run.out, "FAIL telemetry ");
  assert_says(&run.out, "127.0.0.1");
}

static void test_trace_draws_what_can_be_read_of_a_damaged_file(void **state) {
  char path[] = "/tmp/hoist-cli-test-XXXXXX", line[128];
  static const char text[] = "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"good\","
                             "\"startTimeUnixNano\":\"1000000\",\"endTimeUnixNano\":\"3000000\"}]}"
                             "]}]}\n{\"resourceSpans\":";
  int fd = mkstemp(path);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  close(fd);
  snprintf(line, sizeof line, "hoist trace %s", path);
  run_line(line);
  unlink(path);
  assert_int_equal(run.code, 7);
  assert_says(&run.out, "\ngood: 2.00 ms\n");
  assert_says(&run.err, ":2: not JSON");
  run_line("hoist trace /nonexistent.json");
  assert_int_equal(run.code, 3);
  assert_says(&run.err, "hoist: /nonexistent.json: No such file or directory\n");
  run_line("hoist trace /dev/null");
  assert_int_equal(run.code, 3);
  assert_says(&run.err, "there are no spans in it");
}

#define SPAN(id, parent, name, from, to)                                                           \
  "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"spanId\":\"000000000000000" id              \
  "\",\"parentSpanId\":\"" parent "\",\"name\":\"" name "\",\"startTimeUnixNano\":\"" from         \
  "000000\",\"endTimeUnixNano\":\"" to "000000\"}]}]}]}\n"

static void write_trace(char path[], const char *text) {
  int fd = mkstemp(path);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  close(fd);
}

static void test_trace_shows_what_meets_the_conditions(void **state) {
  char path[] = "/tmp/hoist-cli-test-XXXXXX", line[128];
  write_trace(path, SPAN("1", "", "root", "1", "9") SPAN("2", "0000000000000001", "quick", "1", "2")
                        SPAN("3", "0000000000000001", "slow", "2", "8"));
  snprintf(line, sizeof line, "hoist trace --slower-than 5ms --name slow %s", path);
  run_line(line);
  assert_int_equal(run.code, 0);
  assert_says(&run.out, "slow");
  assert_null(strstr(run.out.text, "quick  "));
  assert_says(&run.out, "2 of 3 spans shown\n");
  snprintf(line, sizeof line, "hoist trace --json --name slow %s", path);
  run_line(line);
  json_t *trace = json_line(0), *spans = json_object_get(trace, "spans");
  assert_int_equal(json_array_size(spans), 2);
  assert_true(json_is_true(json_object_get(json_array_get(spans, 0), "context")));
  assert_null(json_object_get(json_array_get(spans, 1), "context"));
  json_decref(trace);
  snprintf(line, sizeof line, "hoist trace --name nothing %s", path);
  run_line(line);
  unlink(path);
  assert_int_equal(run.code, 3);
  assert_says(&run.err, "none of its 3 spans meets the conditions");
  run_line("hoist ls --name x");
  assert_int_equal(run.code, 2);
  assert_says(&run.err, "ls: --name is an option of 'hoist trace' only");
}

#define ODD_SPAN                                                                                   \
  "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a\\u001b[1m\",\"attributes\":["    \
  "{\"key\":\"big\",\"value\":{\"intValue\":\"9007199254740993\"}},"                               \
  "{\"key\":\"ss\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"x\"}]}}},"            \
  "{\"key\":\"inf\",\"value\":{\"doubleValue\":\"-Infinity\"}}]}]}]}]}\n"

static void test_trace_writes_values_that_json_or_script_cannot_hold_as_text(void **state) {
  char path[] = "/tmp/hoist-cli-test-XXXXXX", line[128];
  write_trace(path, ODD_SPAN);
  snprintf(line, sizeof line, "hoist trace --json --attr ss %s", path);
  run_line(line);
  assert_says(&run.out, "\"name\":\"a\\u001b[1m\"");
  assert_says(&run.out, "{\"big\":9007199254740993,\"ss\":\"[\\\"x\\\"]\",\"inf\":\"-Infinity\"}");
  snprintf(line, sizeof line, "hoist trace --html - %s", path);
  run_line(line);
  assert_says(&run.out, "\"name\":\"a?[1m\"");
  assert_says(&run.out, "{\"big\":\"9007199254740993\",\"ss\":");
  snprintf(line, sizeof line, "hoist trace %s", path);
  run_line(line);
  unlink(path);
  assert_null(strchr(run.out.text, '\x1b'));
}

/* Two spans of one origin, the first with all that a span may have. */
#define WHOLE_SPAN                                                                                 \
  "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"       \
  "\"stringValue\":\"shop\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"lib\",\"version\":\"2\"},"  \
  "\"spans\":[{\"spanId\":\"0000000000000001\",\"name\":\"a\",\"kind\":3,\"traceState\":\"k=v\","  \
  "\"startTimeUnixNano\":\"1000000000\",\"endTimeUnixNano\":\"2000000000\","                       \
  "\"droppedAttributesCount\":1,\"droppedEventsCount\":2,\"droppedLinksCount\":3,"                 \
  "\"events\":[{\"name\":\"e1\",\"timeUnixNano\":\"1500000000\",\"attributes\":[{\"key\":\"n\","   \
  "\"value\":{\"intValue\":7}}]},{\"name\":\"e2\",\"droppedAttributesCount\":4}],"                 \
  "\"links\":[{\"traceId\":\"00000000000000000000000000000009\",\"spanId\":\"0000000000000008\","  \
  "\"traceState\":\"l=1\",\"attributes\":[{\"key\":\"why\",\"value\":{\"boolValue\":true}}]}]},"   \
  "{\"spanId\":\"0000000000000002\",\"parentSpanId\":\"0000000000000001\",\"name\":\"b\"}]}]}]}\n"

static void test_trace_carries_all_that_a_span_has(void **state) {
  char path[] = "/tmp/hoist-cli-test-XXXXXX", line[128];
  write_trace(path, WHOLE_SPAN);
  snprintf(line, sizeof line, "hoist trace --json --attr service.name=shop %s", path);
  run_line(line);
  assert_says(
      &run.out,
      "\"kind\":\"client\",\"tracestate\":\"k=v\",\"dropped_attributes\":1,\"dropped_events\":2,"
      "\"dropped_links\":3,\"attributes\":{},\"events\":[{\"name\":\"e1\",\"at_s\":0.5,"
      "\"attributes\":{\"n\":7}},{\"name\":\"e2\",\"dropped_attributes\":4,\"attributes\":{}}],"
      "\"links\":[{\"trace_id\":\"00000000000000000000000000000009\",\"span_id\":"
      "\"0000000000000008\",\"tracestate\":\"l=1\",\"attributes\":{\"why\":true}}],"
      "\"scope\":{\"name\":\"lib\",\"version\":\"2\"},\"resource\":{\"service.name\":\"shop\"}}");
  const char *second = strstr(run.out.text, "\"name\":\"b\"");
  assert_non_null(second);
  assert_null(strstr(second, "\"resource\"")); /* as its parent's */
  unlink(path);
}

static void test_trace_writes_a_page(void **state) {
  char path[] = "/tmp/hoist-cli-test-XXXXXX", line[128];
  write_trace(path,
              SPAN("1", "", "</script>", "1", "9") SPAN("2", "0000000000000001", "b", "1", "2"));
  snprintf(line, sizeof line, "hoist trace --html - %s", path);
  run_line(line);
  assert_int_equal(run.code, 0);
  assert_memory_equal(run.out.text, "<!doctype html>", 15);
  assert_says(&run.out, "type=\"application/json\">[{\"trace_id\":");
  assert_says(&run.out, "\"name\":\"\\u003c/script\\u003e\"");
  assert_says(&run.out, "}]}]</script>");
  snprintf(line, sizeof line, "hoist trace --html /nonexistent/page.html %s", path);
  run_line(line);
  assert_int_equal(run.code, 3);
  assert_says(&run.err, "/nonexistent/page.html: No such file");
  snprintf(line, sizeof line, "hoist trace --html /dev/full %s", path);
  run_line(line);
  unlink(path);
  assert_int_equal(run.code, 9);
  assert_says(&run.err, "/dev/full cannot be written");
}

static void test_trace_compares_two_files(void **state) {
  char a[] = "/tmp/hoist-cli-test-XXXXXX", b[] = "/tmp/hoist-cli-test-XXXXXX", line[160];
  write_trace(a, SPAN("1", "", "root", "1", "9") SPAN("2", "0000000000000001", "part", "1", "2"));
  write_trace(b, SPAN("1", "", "root", "1", "19") SPAN("2", "0000000000000001", "part", "1", "12"));
  snprintf(line, sizeof line, "hoist trace --diff %s %s", a, b);
  run_line(line);
  assert_int_equal(run.code, 0);
  assert_says(&run.out, "\nslower by 10.0 ms: 10.0 ms in part\n");
  snprintf(line, sizeof line, "hoist trace --json --diff %s %s", b, a);
  run_line(line);
  json_t *diff = json_line(0);
  assert_int_equal(json_array_size(json_object_get(diff, "rows")), 2);
  assert_int_equal(json_integer_value(json_object_get(diff, "culprit")), 1);
  json_decref(diff);
  snprintf(line, sizeof line, "hoist trace --diff %s /dev/null", a);
  run_line(line);
  unlink(a);
  unlink(b);
  assert_int_equal(run.code, 3);
  assert_says(&run.err, "/dev/null: there are no spans in it");
  assert_string_equal(run.out.text, "");
}

static void test_options_of_trace_that_make_no_sense_are_refused(void **state) {
  static const struct {
    const char *line, *error;
  } cases[] = {
      {"hoist trace a b", "trace: shows one file; --diff compares two"},
      {"hoist trace --diff a", "trace: --diff compares two files: name both"},
      {"hoist trace --diff --name x a b", "trace: --diff compares whole files"},
      {"hoist trace --diff --html - a b", "trace: --diff compares whole files"},
      {"hoist trace --json --html - a", "--html and --json exclude each other"},
      {"hoist ls --diff", "ls: --diff is an option of 'hoist trace' only"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    run_line(cases[i].line);
    assert_int_equal(run.code, 2);
    assert_says(&run.err, cases[i].error);
  }
}

static void test_version_and_help(void **state) {
  run_line("hoist version");
  assert_memory_equal(run.out.text, "hoist 9.8.7\nlibcurl ", 20);
  run_line("hoist --version -q");
  assert_string_equal(run.out.text, "hoist 9.8.7\n");
  run_line("hoist version --json");
  json_t *json = json_line(0);
  assert_string_equal(text_at(json, "hoist"), "9.8.7");
  json_decref(json);
  size_t count;
  const struct command *commands = cli_commands(&count);
  run_line("hoist --help");
  assert_int_equal(run.code, 0);
  for (size_t i = 0; i < count; i++) {
    char line[64];
    assert_says(&run.out, commands[i].summary);
    snprintf(line, sizeof line, "hoist help %s", commands[i].name);
  }
  run_line("hoist load --help");
  assert_memory_equal(run.out.text, "Usage: hoist load [OPTIONS] ID...\n", 34);
  assert_int_equal(fake_hoist.loads, 0);
  run_line("hoist help settings");
  assert_says(&run.out, "--cache-dir");
  assert_null(strstr(run.out.text, "--secret-key"));
}

static void test_output_that_cannot_be_written_is_a_failure(void **state) {
  char word[] = "hoist", help[] = "help", *argv[] = {word, help, NULL};
  FILE *full = fopen("/dev/full", "w");
  if (!full) skip();
  capture_begin(&run.err);
  capture_begin(&run.out);
  assert_int_equal(cli_run(2, argv, full, run.err.stream, fake_env), 9);
  capture_end(&run.err);
  assert_says(&run.err, "hoist: standard output cannot be written: No space left");
  fclose(full);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_every_status_has_its_exit_code_and_one_line),
      TEST(test_all_ids_are_tried_and_the_first_failure_decides),
      TEST(test_a_cancelled_command_tries_no_further),
      TEST(test_wrong_command_lines_are_refused),
      TEST(test_a_wrong_variable_is_named),
      TEST(test_with_json_a_failure_is_an_object_besides_the_line),
      TEST(test_load_draws_where_the_time_went),
      TEST(test_each_model_gets_its_own_waterfall),
      TEST(test_without_a_waterfall_one_line_is_left),
      TEST(test_models_are_told_of_in_their_order_although_they_overlap),
      TEST(test_load_waits_for_graphs_and_says_what_came_of_them),
      TEST(test_repeated_loads_are_summed_up_by_phase),
      TEST(test_json_ends_with_a_result_that_has_the_phases),
      TEST(test_json_of_a_failed_load_ends_with_its_error),
      TEST(test_options_reach_the_library),
      TEST(test_traceparent_is_the_parent),
      TEST(test_a_malformed_traceparent_is_ignored),
      TEST(test_what_the_caller_passed_on_reaches_the_library),
      TEST(test_malformed_baggage_is_ignored_with_a_warning),
      TEST(test_spans_that_stay_here_are_no_parents_for_others),
      TEST(test_a_trace_file_can_be_drawn_again),
      TEST(test_metrics_go_into_a_file),
      TEST(test_telemetry_trouble_is_a_warning_only),
      TEST(test_ls_is_a_table_with_a_total),
      TEST(test_ls_is_one_object_for_programs),
      TEST(test_verify_without_ids_verifies_all),
      TEST(test_gc_says_what_it_removed_and_how_much_that_was),
      TEST(test_gc_can_only_say_what_it_would_do),
      TEST(test_gc_warns_of_models_that_had_to_stay),
      TEST(test_gc_is_one_object_a_line_for_programs),
      TEST(test_info_describes_or_says_what_is_wrong),
      TEST(test_info_says_what_was_weighed),
      TEST(test_config_shows_values_origins_and_no_secret),
      TEST(test_doctor_exits_with_the_first_failure),
      TEST(test_doctor_tells_of_a_cache_that_cannot_be_opened),
      TEST(test_doctor_finds_out_that_nobody_collects),
      TEST(test_trace_draws_what_can_be_read_of_a_damaged_file),
      TEST(test_trace_shows_what_meets_the_conditions),
      TEST(test_trace_writes_values_that_json_or_script_cannot_hold_as_text),
      TEST(test_trace_carries_all_that_a_span_has),
      TEST(test_trace_writes_a_page),
      TEST(test_trace_compares_two_files),
      TEST(test_options_of_trace_that_make_no_sense_are_refused),
      TEST(test_version_and_help),
      TEST(test_output_that_cannot_be_written_is_a_failure),
  };
  return cmocka_run_group_tests_name("commands", tests, NULL, NULL);
}
