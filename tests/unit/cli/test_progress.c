/* SPDX-License-Identifier: Apache-2.0 */
/* Progress, with a clock that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture.h"
#include "clock.h"
#include "glyph.h"
#include "progress.h"

static uint64_t fake_now_ns;

static uint64_t fake_now(void) {
  return fake_now_ns;
}

struct scene {
  struct capture out;
  struct json json;
  struct progress progress;
};

static void begin(struct scene *s, enum progress_mode mode) {
  fake_now_ns = 1000 * NS_PER_S;
  capture_begin(&s->out);
  s->json = (struct json){.out = s->out.stream};
  s->progress = (struct progress){.mode = mode,
                                  .out = s->out.stream,
                                  .term = {.unicode = true, .tty = true, .width = 60},
                                  .json = &s->json,
                                  .now_ns = fake_now};
}

static void tell(struct scene *s, struct hoist_progress event) {
  event.model_id = "faces/1";
  progress_event(&s->progress, &event);
}

static void tell_plan(struct scene *s) {
  tell(s, (struct hoist_progress){.kind = HOIST_PROGRESS_SOURCE, .source = "s3"});
  tell(s, (struct hoist_progress){
              .kind = HOIST_PROGRESS_PLAN, .source = "s3", .file_count = 2, .total_bytes = 2000});
}

static void tell_of_file(struct scene *s, enum hoist_progress_kind kind, const char *name,
                         int64_t bytes, int64_t total_done, int done) {
  tell(s, (struct hoist_progress){.kind = kind,
                                  .source = "s3",
                                  .file = name,
                                  .bytes = bytes,
                                  .file_bytes = 1000,
                                  .file_done = done,
                                  .file_count = 2,
                                  .files_done = (size_t)done,
                                  .total_done = total_done,
                                  .total_bytes = 2000});
}

static void tell_file(struct scene *s, const char *name, int64_t bytes, int64_t total_done,
                      int done) {
  tell_of_file(s, HOIST_PROGRESS_FILE, name, bytes, total_done, done);
}

static void test_plain_lines_come_every_three_seconds_and_at_file_ends(void **state) {
  struct scene s;
  begin(&s, PROGRESS_PLAIN);
  tell_plan(&s);
  for (int i = 0; i < 70; i++) {
    tell_file(&s, "weights.onnx", i * 10, i * 10, 0);
    fake_now_ns += 100 * NS_PER_MS;
  }
  tell_file(&s, "weights.onnx", 1000, 1000, 1);
  progress_end(&s.progress);
  assert_string_equal(capture_end(&s.out),
                      "faces/1: 0 of 2 files, 300 B / 2.00 KB, 100 B/s, 17 s left, from s3\n"
                      "faces/1: 0 of 2 files, 600 B / 2.00 KB, 100 B/s, 14 s left, from s3\n"
                      "faces/1: weights.onnx is complete (1 of 2 files)\n");
  capture_free(&s.out);
}

static void test_many_files_are_not_told_one_by_one(void **state) {
  struct scene s;
  begin(&s, PROGRESS_PLAIN);
  tell_plan(&s);
  for (size_t i = 1; i <= 500; i++) {
    fake_now_ns += 10 * NS_PER_MS;
    tell(&s, (struct hoist_progress){.kind = HOIST_PROGRESS_FILE,
                                     .file = "part",
                                     .file_done = 1,
                                     .file_count = 500,
                                     .files_done = i,
                                     .total_done = (int64_t)i,
                                     .total_bytes = 500});
  }
  progress_end(&s.progress);
  assert_string_equal(capture_end(&s.out),
                      "faces/1: 300 of 500 files, 300 B / 500 B, 100 B/s, 2 s left, from s3\n");
  capture_free(&s.out);
}

static void test_plain_lines_tell_of_waiting_and_falling_through(void **state) {
  struct scene s;
  begin(&s, PROGRESS_PLAIN);
  tell(&s, (struct hoist_progress){.kind = HOIST_PROGRESS_WAIT});
  tell(&s, (struct hoist_progress){.kind = HOIST_PROGRESS_SOURCE, .source = "s3"});
  tell(&s, (struct hoist_progress){
               .kind = HOIST_PROGRESS_FALLTHROUGH, .source = "s3", .message = "no\033[2J answer"});
  progress_end(&s.progress);
  assert_string_equal(capture_end(&s.out),
                      "faces/1: waiting for another process that is downloading it\n"
                      "faces/1: s3: no?[2J answer; trying the next source\n");
  capture_free(&s.out);
}

static void tell_wait(struct scene *s, int64_t done) {
  tell(s, (struct hoist_progress){.kind = HOIST_PROGRESS_WAIT,
                                  .message = "waiting for process 42 to finish with faces/1",
                                  .waiting_for_pid = 42,
                                  .total_done = done,
                                  .total_bytes = 2000});
}

static void test_plain_lines_show_the_progress_of_the_process_waited_for(void **state) {
  struct scene s;
  begin(&s, PROGRESS_PLAIN);
  for (int i = 0; i < 14; i++) {
    tell_wait(&s, i * 50);
    fake_now_ns += 500 * NS_PER_MS;
  }
  tell(&s, (struct hoist_progress){.kind = HOIST_PROGRESS_DONE});
  progress_end(&s.progress);
  assert_string_equal(capture_end(&s.out),
                      "faces/1: waiting for process 42, which is downloading it\n"
                      "faces/1: still waiting, it has 300 B / 2.00 KB, 100 B/s, 17 s left\n"
                      "faces/1: still waiting, it has 600 B / 2.00 KB, 100 B/s, 14 s left\n");
  capture_free(&s.out);
}

static void test_a_bar_shows_the_progress_of_the_process_waited_for(void **state) {
  struct scene s;
  begin(&s, PROGRESS_BARS);
  tell_wait(&s, 0);
  fake_now_ns += NS_PER_S;
  tell_wait(&s, 1000);
  fflush(s.out.stream);
  assert_non_null(strstr(s.out.text, "faces/1: waiting for process 42, which is downloading it"));
  assert_non_null(strstr(s.out.text, "in total"));
  assert_non_null(strstr(s.out.text, "  50 % 1.00 KB / 2.00 KB"));
  tell(&s, (struct hoist_progress){.kind = HOIST_PROGRESS_SESSION});
  fflush(s.out.stream);
  const char *last = strrchr(s.out.text, ':');
  assert_null(strstr(last, "in total")); /* the bar goes with the wait */
  progress_end(&s.progress);
  capture_end(&s.out);
  capture_free(&s.out);
}

static void test_programs_learn_whom_they_wait_for(void **state) {
  struct scene s;
  begin(&s, PROGRESS_JSON);
  tell_wait(&s, 10);
  assert_string_equal(capture_end(&s.out),
                      "{\"event\":\"progress\",\"kind\":\"wait\",\"model_id\":\"faces/1\","
                      "\"waiting_for_pid\":42,\"total_done\":10,\"total_bytes\":2000,"
                      "\"message\":\"waiting for process 42 to finish with faces/1\"}\n");
  capture_free(&s.out);
}

static void test_a_warning_is_a_line_of_its_own(void **state) {
  struct scene s;
  begin(&s, PROGRESS_PLAIN);
  s.progress.term.tty = false;
  tell(&s, (struct hoist_progress){.kind = HOIST_PROGRESS_WARNING, .message = "the cache is full"});
  progress_end(&s.progress);
  assert_string_equal(capture_end(&s.out), "hoist: warning: the cache is full\n");
  capture_free(&s.out);
}

static void test_what_was_done_on_the_way_is_a_line_of_its_own(void **state) {
  struct scene s;
  begin(&s, PROGRESS_PLAIN);
  s.progress.term.tty = false;
  tell(&s, (struct hoist_progress){.kind = HOIST_PROGRESS_NOTICE, .message = "removed old/1"});
  progress_end(&s.progress);
  assert_string_equal(capture_end(&s.out), "faces/1: removed old/1\n");
  capture_free(&s.out);
}

static void test_silence_is_silent(void **state) {
  struct scene s;
  begin(&s, PROGRESS_SILENT);
  tell_plan(&s);
  tell_file(&s, "weights.onnx", 1000, 1000, 1);
  progress_end(&s.progress);
  assert_string_equal(capture_end(&s.out), "");
  capture_free(&s.out);
}

static size_t count(const char *text, const char *what) {
  size_t n = 0;
  for (const char *p = text; (p = strstr(p, what)); p++)
    n++;
  return n;
}

static void test_bars_are_redrawn_ten_times_a_second_at_most(void **state) {
  struct scene s;
  begin(&s, PROGRESS_BARS);
  tell_plan(&s);
  fflush(s.out.stream);
  size_t before = count(s.out.text, "\033[?25l");
  for (int i = 0; i < 1000; i++) {
    fake_now_ns += NS_PER_MS;
    tell_file(&s, "weights.onnx", i, i, 0);
  }
  progress_end(&s.progress);
  assert_in_range(count(capture_end(&s.out), "\033[?25l") - before, 9, 11);
  capture_free(&s.out);
}

static void test_a_frame_shows_each_file_in_flight_and_the_total(void **state) {
  struct scene s;
  begin(&s, PROGRESS_BARS);
  tell_plan(&s);
  tell_file(&s, "weights.onnx", 500, 500, 0);
  fake_now_ns += NS_PER_S;
  tell_file(&s, "模型.bin", 250, 750, 0);
  fflush(s.out.stream);
  const char *frame = s.out.text; /* the last one: each begins by hiding the cursor */
  for (const char *p = s.out.text; (p = strstr(p, "\033[?25l")); p++)
    frame = p;
  assert_string_equal(frame, "\033[?25l\r\033[2A"
                             "faces/1: downloading from s3, 250 B/s, 5 s left\033[K\n"
                             "  weights.onnx ████████▌········  50 % 500 B / 1.00 KB\033[K\n"
                             "  模型.bin     ████▎············  25 % 250 B / 1.00 KB\033[K\n"
                             "  0 of 2 files ██████▍··········  37 % 750 B / 2.00 KB\033[K\n"
                             "\033[J");
  progress_end(&s.progress);
  capture_free(&s.out);
}

static void test_the_bars_leave_nothing_behind(void **state) {
  struct scene s;
  begin(&s, PROGRESS_BARS);
  tell_plan(&s);
  tell_file(&s, "a", 1, 1, 0);
  progress_end(&s.progress);
  const char *text = capture_end(&s.out);
  const char *end = "\r\033[2A\033[J\033[?25h";
  assert_string_equal(text + strlen(text) - strlen(end), end);
  capture_free(&s.out);
}

static void test_no_line_of_a_frame_is_wider_than_the_terminal(void **state) {
  for (size_t width = 20; width < 200; width++) {
    struct scene s;
    begin(&s, PROGRESS_BARS);
    s.progress.term.width = width;
    tell_plan(&s);
    fake_now_ns += NS_PER_S;
    tell_file(&s, "模型-权重-a-very-long-name-of-a-file-that-goes-on-and-on-and-on-and-on.bin", 500,
              500, 0);
    fake_now_ns += NS_PER_S;
    tell_file(&s, "b", 500, 999, 0);
    fflush(s.out.stream);
    char *rest = s.out.text;
    for (char *line; (line = strsep(&rest, "\n"));) {
      char *start = strrchr(line, '\r');
      char *end = strstr(line, "\033[K");
      if (!end) continue;
      *end = '\0';
      start = start ? start + 1 : line;
      if (start[0] == '\033') start = strchr(start, 'A') + 1;
      assert_true(glyph_columns(start) < width);
    }
    progress_end(&s.progress);
    capture_free(&s.out);
  }
}

static void test_more_files_in_flight_than_bars_are_only_counted(void **state) {
  struct scene s;
  begin(&s, PROGRESS_BARS);
  tell_plan(&s);
  for (int i = 0; i < 20; i++) {
    char name[8];
    snprintf(name, sizeof name, "f%d", i);
    tell_file(&s, name, 1, i, 0);
  }
  assert_int_equal(s.progress.in_flight, PROGRESS_MAX_FILES);
  for (int i = 0; i < 20; i++) {
    char name[8];
    snprintf(name, sizeof name, "f%d", i);
    tell_file(&s, name, 1, i, 1);
  }
  assert_int_equal(s.progress.in_flight, 0);
  progress_end(&s.progress);
  capture_free(&s.out);
}

static void test_the_rate_follows_the_last_seconds(void **state) {
  struct scene s;
  begin(&s, PROGRESS_BARS);
  tell_plan(&s);
  int64_t done = 0;
  for (int i = 0; i < 100; i++) { /* slow for long */
    tell_file(&s, "a", 0, done += 10, 0);
    fake_now_ns += 250 * NS_PER_MS;
  }
  for (int i = 0; i < PROGRESS_SAMPLES; i++) { /* then fast */
    tell_file(&s, "a", 0, done += 1000, 0);
    fake_now_ns += 250 * NS_PER_MS;
  }
  assert_in_range((uint64_t)progress_rate(&s.progress), 3700, 4000);
  progress_end(&s.progress);
  capture_free(&s.out);
}

static void tell_resumed(struct scene *s) {
  tell_of_file(s, HOIST_PROGRESS_RESUME, "weights.onnx", 600, 600, 0);
}

static void test_what_was_there_is_told_and_came_at_no_speed(void **state) {
  struct scene s;
  begin(&s, PROGRESS_PLAIN);
  tell_plan(&s);
  tell_file(&s, "class_names.txt", 0, 0, 0);
  fake_now_ns += NS_PER_S;
  tell_resumed(&s);
  assert_true(progress_rate(&s.progress) == 0);
  fake_now_ns += 2 * NS_PER_S;
  tell_file(&s, "weights.onnx", 700, 700, 0);
  assert_int_equal((uint64_t)progress_rate(&s.progress), 50);
  progress_end(&s.progress);
  assert_non_null(strstr(capture_end(&s.out),
                         "faces/1: weights.onnx: an interrupted download had brought 600 B of "
                         "1.00 KB; only the rest is fetched\n"));
  capture_free(&s.out);
}

static void test_programs_learn_what_was_there(void **state) {
  struct scene s;
  begin(&s, PROGRESS_JSON);
  tell_resumed(&s);
  progress_end(&s.progress);
  assert_string_equal(
      capture_end(&s.out),
      "{\"event\":\"progress\",\"kind\":\"resume\",\"model_id\":\"faces/1\",\"source\":\"s3\","
      "\"file\":\"weights.onnx\",\"bytes\":600,\"file_bytes\":1000,\"file_count\":2,"
      "\"files_done\":0,\"total_done\":600,\"total_bytes\":2000,\"total_retries\":0}\n");
  capture_free(&s.out);
}

static void test_speed_begins_anew_after_a_pause(void **state) {
  struct scene s;
  begin(&s, PROGRESS_BARS);
  tell_plan(&s);
  tell_file(&s, "weights.onnx", 0, 0, 0);
  fake_now_ns += 60 * NS_PER_S; /* the server asked for it */
  tell_file(&s, "weights.onnx", 10, 10, 0);
  fake_now_ns += NS_PER_S;
  tell_file(&s, "weights.onnx", 510, 510, 0);
  assert_int_equal((uint64_t)progress_rate(&s.progress), 500);
  progress_end(&s.progress);
  capture_free(&s.out);
}

static void test_a_total_that_is_not_known_has_no_percentage(void **state) {
  struct scene s;
  begin(&s, PROGRESS_BARS);
  tell_plan(&s);
  fake_now_ns += NS_PER_S;
  tell(&s, (struct hoist_progress){.kind = HOIST_PROGRESS_FILE,
                                   .file = "a",
                                   .bytes = 5,
                                   .file_bytes = -1,
                                   .file_count = 1,
                                   .total_done = 5,
                                   .total_bytes = -1});
  progress_end(&s.progress);
  const char *text = capture_end(&s.out);
  assert_non_null(strstr(text, "? 5 B"));
  assert_null(strstr(text, "left"));
  capture_free(&s.out);
}

static void test_events_are_json_lines_for_programs(void **state) {
  struct scene s;
  begin(&s, PROGRESS_JSON);
  tell_plan(&s);
  tell_file(&s, "weights.onnx", 10, 10, 0);
  tell(&s, (struct hoist_progress){
               .kind = HOIST_PROGRESS_FALLTHROUGH, .source = "s3", .message = "no answer"});
  progress_end(&s.progress);
  assert_string_equal(
      capture_end(&s.out),
      "{\"event\":\"progress\",\"kind\":\"source\",\"model_id\":\"faces/1\",\"source\":\"s3\"}\n"
      "{\"event\":\"progress\",\"kind\":\"plan\",\"model_id\":\"faces/1\",\"source\":\"s3\","
      "\"file_count\":2,\"files_done\":0,\"total_done\":0,\"total_bytes\":2000,"
      "\"total_retries\":0}\n"
      "{\"event\":\"progress\",\"kind\":\"file\",\"model_id\":\"faces/1\",\"source\":\"s3\","
      "\"file\":\"weights.onnx\",\"bytes\":10,\"file_bytes\":1000,\"file_done\":false,"
      "\"file_count\":2,\"files_done\":0,\"total_done\":10,\"total_bytes\":2000,"
      "\"total_retries\":0}\n"
      "{\"event\":\"progress\",\"kind\":\"fallthrough\",\"model_id\":\"faces/1\",\"source\":\"s3\","
      "\"message\":\"no answer\"}\n");
  capture_free(&s.out);
}

static void test_programs_learn_rate_time_left_and_retries(void **state) {
  struct scene s;
  begin(&s, PROGRESS_JSON);
  tell_plan(&s);
  tell_file(&s, "weights.onnx", 0, 0, 0);
  tell(&s, (struct hoist_progress){.kind = HOIST_PROGRESS_RETRY,
                                   .source = "s3",
                                   .file = "weights.onnx",
                                   .message = "again",
                                   .wait_ms = 240});
  fake_now_ns += 2 * NS_PER_S;
  tell_file(&s, "weights.onnx", 1000, 1000, 0);
  progress_end(&s.progress);
  const char *text = capture_end(&s.out);
  assert_non_null(strstr(text, "\"kind\":\"retry\",\"model_id\":\"faces/1\",\"source\":\"s3\","
                               "\"file\":\"weights.onnx\",\"wait_ms\":240"));
  assert_non_null(strstr(text, "\"total_retries\":1,\"bytes_per_s\":500,\"seconds_left\":2}"));
  capture_free(&s.out);
}

static void test_only_waits_of_a_second_and_more_are_told_to_people(void **state) {
  struct scene s;
  begin(&s, PROGRESS_PLAIN);
  tell(&s,
       (struct hoist_progress){.kind = HOIST_PROGRESS_RETRY, .message = "short", .wait_ms = 999});
  tell(&s,
       (struct hoist_progress){.kind = HOIST_PROGRESS_RETRY, .message = "long", .wait_ms = 1000});
  progress_end(&s.progress);
  const char *text = capture_end(&s.out);
  assert_null(strstr(text, "short"));
  assert_non_null(strstr(text, "faces/1: long\n"));
  capture_free(&s.out);
}

static void test_what_a_server_kept_silent_for_long_before_is_told(void **state) {
  struct scene s;
  begin(&s, PROGRESS_PLAIN);
  tell_plan(&s);
  fake_now_ns += 30 * NS_PER_S;
  tell(&s, (struct hoist_progress){
               .kind = HOIST_PROGRESS_RETRY, .message = "the server sent nothing", .wait_ms = 10});
  progress_end(&s.progress);
  assert_non_null(strstr(capture_end(&s.out), "faces/1: the server sent nothing\n"));
  capture_free(&s.out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain_lines_come_every_three_seconds_and_at_file_ends),
      cmocka_unit_test(test_many_files_are_not_told_one_by_one),
      cmocka_unit_test(test_plain_lines_tell_of_waiting_and_falling_through),
      cmocka_unit_test(test_silence_is_silent),
      cmocka_unit_test(test_plain_lines_show_the_progress_of_the_process_waited_for),
      cmocka_unit_test(test_a_bar_shows_the_progress_of_the_process_waited_for),
      cmocka_unit_test(test_programs_learn_whom_they_wait_for),
      cmocka_unit_test(test_a_warning_is_a_line_of_its_own),
      cmocka_unit_test(test_what_was_done_on_the_way_is_a_line_of_its_own),
      cmocka_unit_test(test_bars_are_redrawn_ten_times_a_second_at_most),
      cmocka_unit_test(test_a_frame_shows_each_file_in_flight_and_the_total),
      cmocka_unit_test(test_the_bars_leave_nothing_behind),
      cmocka_unit_test(test_no_line_of_a_frame_is_wider_than_the_terminal),
      cmocka_unit_test(test_more_files_in_flight_than_bars_are_only_counted),
      cmocka_unit_test(test_the_rate_follows_the_last_seconds),
      cmocka_unit_test(test_what_was_there_is_told_and_came_at_no_speed),
      cmocka_unit_test(test_programs_learn_what_was_there),
      cmocka_unit_test(test_speed_begins_anew_after_a_pause),
      cmocka_unit_test(test_a_total_that_is_not_known_has_no_percentage),
      cmocka_unit_test(test_events_are_json_lines_for_programs),
      cmocka_unit_test(test_programs_learn_rate_time_left_and_retries),
      cmocka_unit_test(test_only_waits_of_a_second_and_more_are_told_to_people),
      cmocka_unit_test(test_what_a_server_kept_silent_for_long_before_is_told),
  };
  return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
