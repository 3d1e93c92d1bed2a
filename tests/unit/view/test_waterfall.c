/* SPDX-License-Identifier: Apache-2.0 */
/* Drawings, compared with what they should look like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bar.h"
#include "glyph.h"
#include "rows.h"
#include "sample.h"
#include "text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct sample load[] = {
    {1, 1, 0, "model.load", 0, 400, NULL,
     STRING_ATTR("model.id", "faces/1") "," BOOL_ATTR("model.artifacts.cache_hit", false)},
    {1, 2, 1, "model.artifacts.download", 0, 240, NULL,
     STRING_ATTR("model.artifacts.source", "s3") "," INT_ATTR(
         "model.artifacts.files", 3) "," INT_ATTR("model.artifacts.bytes", 442000)},
    {1, 3, 2, "GET", 0, 120, NULL, INT_ATTR("http.response.status_code", 200)},
    {1, 4, 1, "model.session.create", 240, 400, NULL,
     STRING_ATTR("onnxruntime.execution_provider", "CPUExecutionProvider")},
};

static void test_a_load_looks_as_it_should(void **state) {
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, load, COUNT(load));
  HOIST_AUTO(mem) char *text = sample_draw(&set, 90, 1, 0);
  assert_string_equal(
      text,
      "trace 00000000000000000000000000000001 · 4 spans · 2026-11-22 14:54:36 UTC\n"
      "                     critical path • ╷0          ╷200 ms\n"
      "model.load                  400 ms • ────────────────────────  cache miss\n"
      "├ model.artifacts.download  240 ms • ───────███████▍           self 120 ms · s3 · 3 file…\n"
      "│ └ GET                     120 ms • ███████▎                  200\n"
      "└ model.session.create      160 ms •               ██████████  CPU\n"
      "faces/1: 400 ms — 60 % downloading from s3 (442 KB), 40 % creating the session\n");
}

static void test_without_unicode_the_same_is_drawn_in_ascii(void **state) {
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, load, COUNT(load));
  HOIST_AUTO(mem) char *text = sample_draw(&set, 60, 0, 0);
  assert_string_equal(text,
                      "trace 00000000000000000000000000000001, 4 spans, 2026-11-2~\n"
                      "                  critical path * |0          |200 ms\n"
                      "model.load               400 ms * -------------------------\n"
                      "|-model.artifacts.down~  240 ms * -------########\n"
                      "| `-GET                  120 ms * ########\n"
                      "`-model.session.create   160 ms *                ##########\n"
                      "faces/1: 400 ms - 60 % downloading from s3 (442 KB), 40 % creating the "
                      "session\n");
}

static void test_no_line_but_the_last_is_wider_than_the_terminal(void **state) {
  static const struct sample samples[] = {
      {1, 1, 0, "模型模型模型模型模型模型模型模型模型模型模型模型模型模型模型", 0, 10,
       "失败失败失败失败失败失败失败失败失败失败失败失败失败失败", NULL},
      {1, 2, 1, "a very long name of a span that nobody should have given to it", 1, 2,
       "an even longer message about a failure that goes on and on and on and on and on and on and "
       "on and on and on and on and on",
       STRING_ATTR("server.address", "a-very-long-name-of-a-host.example.example.example.example")},
      {1, 3, 2, "child", 1, 2, NULL, NULL},
  };
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  for (size_t width = 20; width <= 200; width++) {
    HOIST_AUTO(mem) char *text = sample_draw(&set, width, 1, 0);
    char *end = strstr(text, "\n模型模型模型模型模型模型模型模型模型模型模型模型模型模型模型:");
    assert_non_null(end);
    *end = '\0';
    for (char *line = strtok_r(text, "\n", &end); line; line = strtok_r(NULL, "\n", &end))
      if (glyph_columns(line) >= width)
        fail_msg("width %zu: %zu columns: %s", width, glyph_columns(line), line);
  }
}

static void test_a_failure_is_told_once_where_it_began(void **state) {
  static const struct sample samples[] = {
      {1, 1, 0, "model.load", 0, 10, "s3: the key was refused", STRING_ATTR("model.id", "a/1")},
      {1, 2, 1, "model.artifacts.download", 0, 9, "s3: the key was refused",
       STRING_ATTR("model.artifacts.source", "s3")},
      {1, 3, 2, "GET", 0, 9, "the key was refused", STRING_ATTR("error.type", "403")},
  };
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  HOIST_AUTO(mem) char *text = sample_draw(&set, 100, 1, 0);
  char *first = strstr(text, "✗ the key was refused\n");
  assert_non_null(first);
  assert_null(strstr(first + 1, "✗"));
  assert_non_null(strstr(text, "\na/1: failed after 10.0 ms — 90 % trying s3, 10 % elsewhere\n"));
}

static void test_a_long_message_is_wrapped_at_spaces_and_shown_whole(void **state) {
  static const struct sample samples[] = {
      {1, 1, 0, "model.load", 0, 10,
       "api.roboflow.com: the API answered 403: the key may not read faces/1; check "
       "ROBOFLOW_API_KEY",
       STRING_ATTR("model.id", "a/1")},
      {1, 2, 1, "child", 0, 9, NULL, NULL},
  };
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  HOIST_AUTO(mem) char *text = sample_draw(&set, 50, 1, 0);
  assert_non_null(strstr(text, "\n│ ✗ api.roboflow.com: the API answered 403: the\n"
                               "│   key may not read faces/1; check\n"
                               "│   ROBOFLOW_API_KEY\n"));
}

static void test_many_siblings_become_one_line(void **state) {
  struct sample samples[201] = {{1, 1, 0, "model.artifacts.download", 0, 200, NULL, NULL}};
  for (int i = 0; i < 200; i++)
    samples[i + 1] = (struct sample){
        1, i + 2, 1, "GET", i, i + (i == 77 ? 20 : 1), i == 150 ? "failed" : NULL, NULL};
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  HOIST_AUTO(rows) struct rows rows = {0};
  assert_int_equal(rows_build(&set, &set.traces[0], &rows, NULL), HOIST_OK);
  assert_int_equal(rows.spans, 1 + ROWS_KEPT_SIBLINGS);
  bool longest = false, failed = false;
  for (size_t i = 0; i < rows.count; i++) {
    const struct row *row = &rows.items[i];
    longest |= row->kind == ROW_SPAN && row->depth == 1 && trace_duration(row->span) == 20000000;
    failed |= row->kind == ROW_MESSAGE;
  }
  assert_true(longest);
  assert_true(failed);
  const struct row *hidden = &rows.items[rows.count - 1];
  assert_int_equal(hidden->kind, ROW_HIDDEN);
  assert_int_equal(hidden->hidden, 192);
  HOIST_AUTO(mem) char *text = sample_draw(&set, 100, 1, 0);
  assert_non_null(strstr(text, "└ … 192 more"));
  assert_non_null(strstr(text, "192 ms in all"));
}

static void test_twelve_siblings_are_all_shown_and_thirteen_are_not(void **state) {
  for (size_t children = 12; children <= 13; children++) {
    struct sample samples[14] = {{1, 1, 0, "root", 0, 20, NULL, NULL}};
    for (int i = 0; i < (int)children; i++)
      samples[i + 1] = (struct sample){1, i + 2, 1, "GET", i, i + 1, NULL, NULL};
    HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
    HOIST_AUTO(rows) struct rows rows = {0};
    sample_read(&set, samples, children + 1);
    assert_int_equal(rows_build(&set, &set.traces[0], &rows, NULL), HOIST_OK);
    assert_int_equal(rows.count, children == 12 ? 13 : 1 + ROWS_KEPT_SIBLINGS + 1);
  }
}

static void test_a_very_deep_trace_is_cut_and_says_so(void **state) {
  enum { DEPTH = 5000 };
  static struct sample samples[DEPTH];
  for (int i = 0; i < DEPTH; i++)
    samples[i] = (struct sample){1, i + 1, i, "level", 0, 10, NULL, NULL};
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, DEPTH);
  HOIST_AUTO(mem) char *text = sample_draw(&set, 80, 1, 0);
  assert_non_null(strstr(text, "\n… 400 of 5000 spans shown\n"));
}

static void test_traces_are_drawn_one_after_the_other_by_start(void **state) {
  static const struct sample samples[] = {{2, 1, 0, "second", 50, 60, NULL, NULL},
                                          {1, 2, 0, "first", 0, 10, NULL, NULL}};
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  HOIST_AUTO(mem) char *text = sample_draw(&set, 80, 1, 0);
  const char *first = strstr(text, "first: 10.0 ms\n\ntrace "),
             *second = strstr(text, "second: 10.0 ms\n");
  assert_non_null(first);
  assert_true(second > first);
}

static void test_a_trace_without_duration_is_drawn(void **state) {
  static const struct sample samples[] = {{1, 1, 0, "instant", 0, 0, NULL, NULL},
                                          {1, 2, 1, "", 0, 0, NULL, NULL}};
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  HOIST_AUTO(mem) char *text = sample_draw(&set, 80, 1, 0);
  assert_non_null(strstr(text, "instant: 0 µs\n"));
  assert_non_null(strstr(text, "(no name)"));
}

static void test_loads_below_somebody_elses_spans_are_put_into_words(void **state) {
  static const struct sample samples[] = {
      {1, 1, 0, "request", 0, 100, NULL, NULL},
      {1, 2, 1, "model.load", 0, 40, NULL, STRING_ATTR("model.id", "a/1")},
      {1, 3, 1, "model.load", 40, 90, NULL,
       STRING_ATTR("model.id", "b/2") "," BOOL_ATTR("model.artifacts.cache_hit", true)},
  };
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  HOIST_AUTO(mem) char *text = sample_draw(&set, 80, 1, 0);
  assert_non_null(strstr(text, "\na/1: 40.0 ms\nb/2: 50.0 ms from the cache\n"));
}

static void test_escape_sequences_come_only_from_us(void **state) {
  static const struct sample samples[] = {
      {1, 1, 0, "model.load\\u001b]0;x\\u0007", 0, 10, "\\u001b[31mred",
       STRING_ATTR("model.id", "\\u009b2J") "," STRING_ATTR("server.address", "a\\rb")}};
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  HOIST_AUTO(mem) char *plain = sample_draw(&set, 100, 1, 0);
  for (const unsigned char *p = (const unsigned char *)plain; *p; p++)
    assert_true(*p >= 0x20 || *p == '\n');
  HOIST_AUTO(mem) char *colored = sample_draw(&set, 100, 1, 1);
  for (const char *p = colored; (p = strchr(p, '\033')); p++)
    assert_true(p[1] == '[' && strchr("0123456789", p[2]) && strchr("0123456789m", p[3]));
}

static void test_colours_tell_failures_and_phases_apart(void **state) {
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, load, COUNT(load));
  HOIST_AUTO(mem) char *text = sample_draw(&set, 100, 1, 1);
  assert_non_null(strstr(text, "\033[36m60 % downloading from s3 (442 KB)\033[0m"));
  assert_non_null(strstr(text, "\033[35m40 % creating the session\033[0m"));
  assert_non_null(strstr(text, "\033[1mfaces/1\033[0m"));
}

/* ---- bars ------------------------------------------------------------------------------------ */

static void bar_text(const struct trace_set *set, const struct trace_span *span, size_t columns,
                     char *out, size_t size) {
  const struct bar_window window = {
      .start_ns = set->traces[0].start_ns, .end_ns = set->traces[0].end_ns, .columns = columns};
  const struct term term = {.unicode = true};
  enum bar_cell cells[TERM_MAX_WIDTH];
  char *text = NULL;
  size_t text_size = 0;
  FILE *stream = open_memstream(&text, &text_size);
  bar_of_span(set, span, &window, cells);
  bar_write(stream, &term, TERM_PLAIN, cells, columns);
  fclose(stream);
  text_copy(out, size, text);
  free(text);
}

static void test_every_root_is_put_into_words(void **state) {
  static const struct sample samples[] = {
      {1, 1, 0, "short", 0, 10, NULL, NULL},
      {1, 2, 0, "long", 5, 50, NULL, NULL},
      {1, 3, 2, "part", 5, 50, NULL, NULL},
  };
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, sizeof samples / sizeof samples[0]);
  char *text = sample_draw(&set, 100, 1, 0);
  assert_non_null(strstr(text, "\nshort: 10.0 ms\nlong: 45.0 ms — 100 % in part\n"));
  free(text);
}

static void test_bars_stand_where_their_spans_were(void **state) {
  static const struct {
    double from, to;
    const char *bar; /* of ten columns over 80 ms: an eighth is a millisecond */
  } cases[] = {{0, 80, "██████████"},
               {0, 8, "█"},
               {0, 1, "▏"},
               {0, 7, "▉"},
               {8, 12, " ▌"},
               {12, 16, " ▐"},
               {12, 24, " ▐█"},
               {10, 14, " ▌"},
               {0, 9, "█▏"},
               {80, 80, "         ▕"},
               {79, 80, "         ▕"},
               {40, 40, "     ▏"},
               {72, 80, "         █"}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    const struct sample samples[] = {{1, 1, 0, "root", 0, 80, NULL, NULL},
                                     {1, 2, 1, "span", cases[i].from, cases[i].to, NULL, NULL}};
    HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
    char bar[64];
    sample_read(&set, samples, COUNT(samples));
    bar_text(&set, &set.spans[1], 10, bar, sizeof bar);
    assert_string_equal(bar, cases[i].bar);
  }
}

static void test_a_parents_bar_is_thin_where_its_children_work(void **state) {
  static const struct sample samples[] = {{1, 1, 0, "root", 0, 80, NULL, NULL},
                                          {1, 2, 1, "a", 8, 32, NULL, NULL},
                                          {1, 3, 1, "inside a", 10, 20, NULL, NULL},
                                          {1, 4, 1, "b", 48, 64, NULL, NULL}};
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  char bar[64];
  sample_read(&set, samples, COUNT(samples));
  bar_text(&set, &set.spans[0], 10, bar, sizeof bar);
  assert_string_equal(bar, "█───██──██");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_load_looks_as_it_should),
      cmocka_unit_test(test_without_unicode_the_same_is_drawn_in_ascii),
      cmocka_unit_test(test_no_line_but_the_last_is_wider_than_the_terminal),
      cmocka_unit_test(test_a_failure_is_told_once_where_it_began),
      cmocka_unit_test(test_a_long_message_is_wrapped_at_spaces_and_shown_whole),
      cmocka_unit_test(test_many_siblings_become_one_line),
      cmocka_unit_test(test_twelve_siblings_are_all_shown_and_thirteen_are_not),
      cmocka_unit_test(test_a_very_deep_trace_is_cut_and_says_so),
      cmocka_unit_test(test_traces_are_drawn_one_after_the_other_by_start),
      cmocka_unit_test(test_a_trace_without_duration_is_drawn),
      cmocka_unit_test(test_loads_below_somebody_elses_spans_are_put_into_words),
      cmocka_unit_test(test_escape_sequences_come_only_from_us),
      cmocka_unit_test(test_colours_tell_failures_and_phases_apart),
      cmocka_unit_test(test_every_root_is_put_into_words),
      cmocka_unit_test(test_bars_stand_where_their_spans_were),
      cmocka_unit_test(test_a_parents_bar_is_thin_where_its_children_work),
  };
  return cmocka_run_group_tests_name("waterfall", tests, NULL, NULL);
}
