/* SPDX-License-Identifier: Apache-2.0 */
/* What a request carries on from whoever called: whose trace context, when none, and to whom the baggage
 * goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dispatch.h"
#include "http_fixture.h"

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define REMOTE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"

struct world {
  struct fixture f;
  struct fake_tracer *tracer;
  struct hoist_span parent;
  struct hoist_span_context remote;
  struct hoist_baggage *baggage;
};

static const struct script_reply ok_replies[] = {{.data = OK_REPLY}};

/* Requests are made below a span of the tracer where `traced`. */
static void set_up(struct world *w, int traced) {
  memset(w, 0, sizeof *w);
  fixture_init(&w->f);
  w->tracer = fake_tracer_new();
  assert_int_equal(hoist_traceparent_parse(REMOTE, &w->remote), HOIST_OK);
  w->remote.tracestate = "vendor=1";
  assert_int_equal(hoist_baggage_parse("user=Am%C3%A9lie;p\t;q", &w->baggage, NULL), HOIST_OK);
  if (!traced) return;
  hoist_span_start_root(w->tracer->telemetry, "parent", HOIST_SPAN_INTERNAL, NULL, &w->parent);
  w->f.call.span = &w->parent;
  w->f.call.telemetry = w->tracer->telemetry;
}

static void tear_down(struct world *w) {
  hoist_span_end(&w->parent);
  fake_tracer_free(w->tracer);
  hoist_baggage_free(w->baggage);
  fixture_done(&w->f);
}

/* The value of a header of request `n`; NULL: it has none. Fails where it has two. */
static const char *sent(struct script_server *server, int n, const char *name) {
  static char value[512];
  char line[64];
  snprintf(line, sizeof line, "\r\n%s: ", name);
  const char *at = strcasestr(script_server_request(server, n), line);
  if (!at) return NULL;
  assert_null(strcasestr(at + 1, line));
  at += strlen(line);
  snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r"), at);
  return value;
}

static void assert_sent(struct script_server *server, int n, const char *name, const char *value) {
  const char *actual = sent(server, n, name);
  if (value)
    assert_string_equal(actual ? actual : "(none)", value);
  else
    assert_null(actual);
}

/* The traceparent that names the index-th span of the fake tracer. */
static const char *parent_of(const struct fake_span *span) {
  static char text[64];
  assert_non_null(span);
  snprintf(text, sizeof text, "00-01000000000000000000000000000000-%02x00000000000000-01",
           span->index + 1);
  return text;
}

static void test_every_attempt_names_its_own_span(void **state) {
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"},
      {.data = "HTTP/1.1 307 Moved\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"},
      {.data = OK_REPLY}};
  struct world w;
  struct http_request request = {.method = "GET", .max_body = 16, .follow_redirects = 1};
  set_up(&w, 1);
  FIXTURE_REPLAY(&w.f, replies);
  w.f.call.remote = &w.remote; /* there is a span to name */
  assert_int_equal(fixture_perform(&w.f, &request, "/a"), HOIST_OK);
  for (int i = 0; i < 3; i++) {
    assert_sent(w.f.server, i, "traceparent", parent_of(fake_span(w.tracer, "GET", i)));
    assert_sent(w.f.server, i, "tracestate", NULL);
    assert_sent(w.f.server, i, "baggage", NULL);
  }
  tear_down(&w);
}

static void test_where_nothing_records_what_came_goes_on_unchanged(void **state) {
  struct world w;
  set_up(&w, 0);
  FIXTURE_REPLAY(&w.f, ok_replies);
  w.f.call.remote = &w.remote;
  assert_int_equal(fixture_get(&w.f, "/"), HOIST_OK);
  assert_sent(w.f.server, 0, "traceparent", REMOTE);
  assert_sent(w.f.server, 0, "tracestate", "vendor=1");
  tear_down(&w);
}

static void test_without_a_valid_context_there_is_no_header(void **state) {
  const struct hoist_span_context nothing = {.forced = 1, .tracestate = "vendor=1"};
  const struct hoist_span_context *const contexts[] = {NULL, &nothing};
  for (size_t i = 0; i < 2; i++) {
    struct world w;
    set_up(&w, 0);
    FIXTURE_REPLAY(&w.f, ok_replies);
    w.f.call.remote = contexts[i];
    assert_int_equal(fixture_get(&w.f, "/"), HOIST_OK);
    assert_sent(w.f.server, 0, "traceparent", NULL);
    assert_sent(w.f.server, 0, "tracestate", NULL);
    tear_down(&w);
  }
}

static unsigned bits;

static unsigned get_bits(const struct hoist_telemetry *telemetry) {
  return bits;
}

static void test_the_propagators_say_what_goes_out(void **state) {
  static const struct {
    unsigned propagators;
    enum { NOTHING, OWN, AS_IT_CAME } context;
    int baggage;
  } cases[] = {
      {0, NOTHING, 0},
      {HOIST_PROPAGATE_TRACECONTEXT, OWN, 0},
      {HOIST_PROPAGATE_BAGGAGE, NOTHING, 1},
      {HOIST_PROPAGATE_TRACECONTEXT | HOIST_PROPAGATE_BAGGAGE, OWN, 1},
      {HOIST_PROPAGATE_TRACECONTEXT | HOIST_PROPAGATE_UNCHANGED, AS_IT_CAME, 0},
      {HOIST_PROPAGATE_UNCHANGED, NOTHING, 0},
  };
  static const struct lifetime_ops lifetime = {.propagators = get_bits};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct world w;
    struct hoist_telemetry telemetry = {.lifetime = &lifetime};
    struct http_request request = {.method = "GET", .max_body = 16, .with_baggage = 1};
    set_up(&w, 1);
    FIXTURE_REPLAY(&w.f, ok_replies);
    bits = cases[i].propagators;
    w.f.call.telemetry = &telemetry;
    w.f.call.remote = &w.remote;
    w.f.call.baggage = w.baggage;
    assert_int_equal(fixture_perform(&w.f, &request, "/"), HOIST_OK);
    const char *own = parent_of(fake_span(w.tracer, "GET", 0));
    assert_sent(w.f.server, 0, "traceparent",
                cases[i].context == OWN          ? own
                : cases[i].context == AS_IT_CAME ? REMOTE
                                                 : NULL);
    assert_sent(w.f.server, 0, "tracestate", cases[i].context == AS_IT_CAME ? "vendor=1" : NULL);
    assert_sent(w.f.server, 0, "baggage", cases[i].baggage ? "user=Am%C3%A9lie;p\t;q" : NULL);
    tear_down(&w);
  }
}

static void test_unchanged_without_a_remote_parent_is_nothing(void **state) {
  static const struct lifetime_ops lifetime = {.propagators = get_bits};
  struct hoist_telemetry telemetry = {.lifetime = &lifetime};
  struct world w;
  set_up(&w, 1);
  FIXTURE_REPLAY(&w.f, ok_replies);
  bits = HOIST_PROPAGATE_TRACECONTEXT | HOIST_PROPAGATE_UNCHANGED;
  w.f.call.telemetry = &telemetry;
  assert_int_equal(fixture_get(&w.f, "/"), HOIST_OK);
  assert_sent(w.f.server, 0, "traceparent", NULL);
  tear_down(&w);
}

static void test_baggage_goes_only_where_the_request_says_so(void **state) {
  struct world w;
  struct http_request request = {.method = "GET", .max_body = 16};
  set_up(&w, 0);
  FIXTURE_REPLAY(&w.f, ok_replies);
  w.f.call.baggage = w.baggage;
  assert_int_equal(fixture_perform(&w.f, &request, "/storage"), HOIST_OK);
  request.with_baggage = 1;
  assert_int_equal(fixture_perform(&w.f, &request, "/api"), HOIST_OK);
  assert_int_equal(hoist_baggage_set(w.baggage, "user", NULL, NULL, NULL), HOIST_OK);
  assert_int_equal(fixture_perform(&w.f, &request, "/api"), HOIST_OK);
  w.f.call.baggage = NULL;
  assert_int_equal(fixture_perform(&w.f, &request, "/api"), HOIST_OK);
  assert_sent(w.f.server, 0, "baggage", NULL);
  assert_sent(w.f.server, 1, "baggage", "user=Am%C3%A9lie;p\t;q");
  assert_sent(w.f.server, 2, "baggage", NULL); /* it is empty */
  assert_sent(w.f.server, 3, "baggage", NULL);
  tear_down(&w);
}

static void test_a_redirect_to_another_host_takes_the_trace_along_but_no_baggage(void **state) {
  struct world w;
  char reply[256];
  struct http_request request = {
      .method = "GET", .max_body = 16, .follow_redirects = 1, .with_baggage = 1};
  set_up(&w, 1);
  w.f.other = script_server_replay(ok_replies, 1);
  snprintf(reply, sizeof reply,
           "HTTP/1.1 307 Moved\r\nLocation: %s/file\r\nContent-Length: 0\r\n\r\n",
           script_server_url(w.f.other));
  const struct script_reply replies[] = {{.data = reply}};
  FIXTURE_REPLAY(&w.f, replies);
  w.f.call.baggage = w.baggage;
  assert_int_equal(fixture_perform(&w.f, &request, "/"), HOIST_OK);
  assert_non_null(sent(w.f.server, 0, "baggage"));
  assert_sent(w.f.other, 0, "baggage", NULL);
  assert_sent(w.f.other, 0, "traceparent", parent_of(fake_span(w.tracer, "GET", 1)));
  tear_down(&w);
}

static void test_a_header_that_the_caller_sets_itself_is_left_alone(void **state) {
  static const char own[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  static const struct http_header headers[] = {{"TraceParent", own}, {"Baggage", "own=1"}};
  struct world w;
  struct http_request request = {
      .method = "GET", .max_body = 16, .headers = headers, .header_count = 2, .with_baggage = 1};
  set_up(&w, 0);
  FIXTURE_REPLAY(&w.f, ok_replies);
  w.f.call.remote = &w.remote;
  w.f.call.baggage = w.baggage;
  assert_int_equal(fixture_perform(&w.f, &request, "/"), HOIST_OK);
  assert_sent(w.f.server, 0, "traceparent", own);
  assert_sent(w.f.server, 0, "tracestate", NULL); /* it belongs to the other traceparent */
  assert_sent(w.f.server, 0, "baggage", "own=1");
  tear_down(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_attempt_names_its_own_span),
      cmocka_unit_test(test_where_nothing_records_what_came_goes_on_unchanged),
      cmocka_unit_test(test_without_a_valid_context_there_is_no_header),
      cmocka_unit_test(test_the_propagators_say_what_goes_out),
      cmocka_unit_test(test_unchanged_without_a_remote_parent_is_nothing),
      cmocka_unit_test(test_baggage_goes_only_where_the_request_says_so),
      cmocka_unit_test(test_a_redirect_to_another_host_takes_the_trace_along_but_no_baggage),
      cmocka_unit_test(test_a_header_that_the_caller_sets_itself_is_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
