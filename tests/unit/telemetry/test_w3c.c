/* SPDX-License-Identifier: Apache-2.0 */
/* The W3C trace-context test suite (github.com/w3c/trace-context, test/test.py as of June 2026, strict
 * level 2, specification level 2). A row is one request of the suite and carries the name of its test; a
 * test that sends several requests has several rows, in its order. The service under test is a span that
 * continues what came and one request made in it. */
#include "recording.h"
#include "requests.h"

#define TRACE "12345678901234567890123456789012"
#define PARENT "1234567890123456"
#define SAMPLED "00-" TRACE "-" PARENT "-01"
#define UNSAMPLED "00-" TRACE "-" PARENT "-00"

#define Z16 "zzzzzzzzzzzzzzzz"
#define Z256 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16
#define T16 "tttttttttttttttt"
#define T240 T16 T16 T16 T16 T16 T16 T16 T16 T16 T16 T16 T16 T16 T16 T16
#define KEY_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
#define VALUE_CHARACTERS                                                                           \
  " !\"#$%&'()*+-./"                                                                               \
  "0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
#define BARS_1_TO_10                                                                               \
  "bar01=01,bar02=02,bar03=03,bar04=04,bar05=05,bar06=06,bar07=07,bar08=08,bar09=09,bar10=10"
#define BARS_11_TO_20                                                                              \
  "bar11=11,bar12=12,bar13=13,bar14=14,bar15=15,bar16=16,bar17=17,bar18=18,bar19=19,bar20=20"
#define BARS_21_TO_30                                                                              \
  "bar21=21,bar22=22,bar23=23,bar24=24,bar25=25,bar26=26,bar27=27,bar28=28,bar29=29,bar30=30"

/* ---- traceparent --------------------------------------------------------------------------------- */

enum outcome { CONTINUED, RESTARTED };

static const struct {
  const char *name;
  struct header headers[HEADERS_MAX];
  enum outcome outcome;
} parents[] = {
    {"test_both_traceparent_and_tracestate_missing", {{0}}, RESTARTED},
    {"test_traceparent_included_tracestate_missing", {{"traceparent", SAMPLED}}, CONTINUED},
    {"test_traceparent_duplicated",
     {{"traceparent", "00-12345678901234567890123456789011-" PARENT "-01"},
      {"traceparent", SAMPLED}},
     RESTARTED},
    {"test_traceparent_header_name", {{"trace-parent", SAMPLED}}, RESTARTED},
    {"test_traceparent_header_name", {{"trace.parent", SAMPLED}}, RESTARTED},
    {"test_traceparent_header_name_valid_casing", {{"TraceParent", SAMPLED}}, CONTINUED},
    {"test_traceparent_header_name_valid_casing", {{"TrAcEpArEnT", SAMPLED}}, CONTINUED},
    {"test_traceparent_header_name_valid_casing", {{"TRACEPARENT", SAMPLED}}, CONTINUED},
    {"test_traceparent_version_0x00", {{"traceparent", SAMPLED "."}}, RESTARTED},
    {"test_traceparent_version_0x00",
     {{"traceparent", SAMPLED "-what-the-future-will-be-like"}},
     RESTARTED},
    {"test_traceparent_version_0xcc", {{"traceparent", "cc-" TRACE "-" PARENT "-01"}}, CONTINUED},
    {"test_traceparent_version_0xcc",
     {{"traceparent", "cc-" TRACE "-" PARENT "-01-what-the-future-will-be-like"}},
     CONTINUED},
    {"test_traceparent_version_0xcc",
     {{"traceparent", "cc-" TRACE "-" PARENT "-01.what-the-future-will-be-like"}},
     RESTARTED},
    {"test_traceparent_version_0xff", {{"traceparent", "ff-" TRACE "-" PARENT "-01"}}, RESTARTED},
    {"test_traceparent_version_illegal_characters",
     {{"traceparent", ".0-" TRACE "-" PARENT "-01"}},
     RESTARTED},
    {"test_traceparent_version_illegal_characters",
     {{"traceparent", "0.-" TRACE "-" PARENT "-01"}},
     RESTARTED},
    {"test_traceparent_version_too_long",
     {{"traceparent", "000-" TRACE "-" PARENT "-01"}},
     RESTARTED},
    {"test_traceparent_version_too_long",
     {{"traceparent", "0000-" TRACE "-" PARENT "-01"}},
     RESTARTED},
    {"test_traceparent_version_too_short",
     {{"traceparent", "0-" TRACE "-" PARENT "-01"}},
     RESTARTED},
    {"test_traceparent_trace_id_all_zero",
     {{"traceparent", "00-00000000000000000000000000000000-" PARENT "-01"}},
     RESTARTED},
    {"test_traceparent_trace_id_illegal_characters",
     {{"traceparent", "00-.2345678901234567890123456789012-" PARENT "-01"}},
     RESTARTED},
    {"test_traceparent_trace_id_illegal_characters",
     {{"traceparent", "00-1234567890123456789012345678901.-" PARENT "-01"}},
     RESTARTED},
    {"test_traceparent_trace_id_too_long",
     {{"traceparent", "00-123456789012345678901234567890123-" PARENT "-01"}},
     RESTARTED},
    {"test_traceparent_trace_id_too_short",
     {{"traceparent", "00-1234567890123456789012345678901-" PARENT "-01"}},
     RESTARTED},
    {"test_traceparent_parent_id_all_zero",
     {{"traceparent", "00-" TRACE "-0000000000000000-01"}},
     RESTARTED},
    {"test_traceparent_parent_id_illegal_characters",
     {{"traceparent", "00-" TRACE "-.234567890123456-01"}},
     RESTARTED},
    {"test_traceparent_parent_id_illegal_characters",
     {{"traceparent", "00-" TRACE "-123456789012345.-01"}},
     RESTARTED},
    {"test_traceparent_parent_id_too_long",
     {{"traceparent", "00-" TRACE "-12345678901234567-01"}},
     RESTARTED},
    {"test_traceparent_parent_id_too_short",
     {{"traceparent", "00-" TRACE "-123456789012345-01"}},
     RESTARTED},
    {"test_traceparent_trace_flags_illegal_characters",
     {{"traceparent", "00-" TRACE "-" PARENT "-.0"}},
     RESTARTED},
    {"test_traceparent_trace_flags_illegal_characters",
     {{"traceparent", "00-" TRACE "-" PARENT "-0."}},
     RESTARTED},
    {"test_traceparent_trace_flags_too_long",
     {{"traceparent", "00-" TRACE "-" PARENT "-001"}},
     RESTARTED},
    {"test_traceparent_trace_flags_too_short",
     {{"traceparent", "00-" TRACE "-" PARENT "-1"}},
     RESTARTED},
    {"test_traceparent_ows_handling", {{"traceparent", " " SAMPLED}}, CONTINUED},
    {"test_traceparent_ows_handling", {{"traceparent", "\t" SAMPLED}}, CONTINUED},
    {"test_traceparent_ows_handling", {{"traceparent", SAMPLED " "}}, CONTINUED},
    {"test_traceparent_ows_handling", {{"traceparent", SAMPLED "\t"}}, CONTINUED},
    {"test_traceparent_ows_handling", {{"traceparent", "\t " SAMPLED " \t"}}, CONTINUED},
};

/* The service: what it sends, as read back. */
static void pass_on(struct hoist_telemetry *telemetry, const struct header *headers,
                    struct sent *ret_sent) {
  struct hoist_remote_context remote;
  struct hoist_span server, client;
  struct hoist_span_context context;
  extract(headers, &remote);
  hoist_span_start_root(telemetry, "server", HOIST_SPAN_SERVER, &remote.span, &server);
  hoist_span_start(&server, "client", HOIST_SPAN_CLIENT, &client);
  hoist_span_get_context(&client, &context);
  hoist_context_inject(&context, set_header, ret_sent);
  hoist_span_end(&client);
  hoist_span_end(&server);
}

static void serve(struct hoist_telemetry *telemetry, const struct header *headers,
                  struct hoist_span_context *ret_sent) {
  struct sent sent = {0};
  pass_on(telemetry, headers, &sent);
  const char *parent = sent_value(&sent, "traceparent");
  assert_non_null(parent);
  assert_int_equal(hoist_traceparent_parse(parent, ret_sent), HOIST_OK);
}

static void came(struct hoist_span_context *ret_context) {
  assert_int_equal(hoist_traceparent_parse(SAMPLED, ret_context), HOIST_OK);
}

static void test_a_traceparent_is_continued_or_a_new_trace_begun(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span_context old, new;
  came(&old);
  for (size_t i = 0; i < sizeof parents / sizeof *parents; i++) {
    serve(recording_telemetry(r), parents[i].headers, &new);
    enum outcome outcome =
        memcmp(new.trace_id, old.trace_id, sizeof old.trace_id) == 0 ? CONTINUED : RESTARTED;
    if (outcome != parents[i].outcome) fail_msg("row %zu: %s", i, parents[i].name);
    if (memcmp(new.span_id, old.span_id, sizeof old.span_id) == 0)
      fail_msg("row %zu: %s: the parent's id went on", i, parents[i].name);
  }
  recording_stop(r);
}

/* ---- tracestate ---------------------------------------------------------------------------------- */

static const struct {
  const char *name;
  struct header headers[HEADERS_MAX];
  const char *state; /* what goes on; NULL: no tracestate */
} states[] = {
    {"test_tracestate_included_traceparent_missing", {{"tracestate", "foo=1"}}, NULL},
    {"test_tracestate_included_traceparent_missing", {{"tracestate", "foo=1,bar=2"}}, NULL},
    {"test_tracestate_included_traceparent_included",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=1,bar=2"}},
     "foo=1,bar=2"},
    {"test_tracestate_header_name", {{"traceparent", UNSAMPLED}, {"trace-state", "foo=1"}}, NULL},
    {"test_tracestate_header_name", {{"traceparent", UNSAMPLED}, {"trace.state", "foo=1"}}, NULL},
    {"test_tracestate_header_name_valid_casing",
     {{"traceparent", UNSAMPLED}, {"TraceState", "foo=1"}},
     "foo=1"},
    {"test_tracestate_header_name_valid_casing",
     {{"traceparent", UNSAMPLED}, {"TrAcEsTaTe", "foo=1"}},
     "foo=1"},
    {"test_tracestate_header_name_valid_casing",
     {{"traceparent", UNSAMPLED}, {"TRACESTATE", "foo=1"}},
     "foo=1"},
    {"test_tracestate_empty_header", {{"traceparent", UNSAMPLED}, {"tracestate", ""}}, NULL},
    {"test_tracestate_empty_header",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=1"}, {"tracestate", ""}},
     "foo=1"},
    {"test_tracestate_empty_header",
     {{"traceparent", UNSAMPLED}, {"tracestate", ""}, {"tracestate", "foo=1"}},
     "foo=1"},
    {"test_tracestate_multiple_headers_different_keys",
     {{"traceparent", UNSAMPLED},
      {"tracestate", "foo=1,bar=2"},
      {"tracestate", "rojo=1,congo=2"},
      {"tracestate", "baz=3"}},
     "foo=1,bar=2,rojo=1,congo=2,baz=3"},
    {"test_tracestate_duplicated_keys",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=1,foo=1"}},
     "foo=1"},
    {"test_tracestate_duplicated_keys",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=1,foo=2"}},
     "foo=1"},
    {"test_tracestate_duplicated_keys",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=1"}, {"tracestate", "foo=1"}},
     "foo=1"},
    {"test_tracestate_duplicated_keys",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=1"}, {"tracestate", "foo=2"}},
     "foo=1"},
    {"test_tracestate_all_allowed_characters",
     {{"traceparent", UNSAMPLED}, {"tracestate", KEY_CHARACTERS "=" VALUE_CHARACTERS}},
     KEY_CHARACTERS "=" VALUE_CHARACTERS},
    {"test_tracestate_all_allowed_characters",
     {{"traceparent", UNSAMPLED}, {"tracestate", KEY_CHARACTERS "@a-z0-9_-*/=" VALUE_CHARACTERS}},
     KEY_CHARACTERS "@a-z0-9_-*/=" VALUE_CHARACTERS},
    {"test_tracestate_ows_handling",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=1 \t , \t bar=2, \t baz=3"}},
     "foo=1,bar=2,baz=3"},
    {"test_tracestate_ows_handling",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=1\t \t,\t \tbar=2,\t \tbaz=3"}},
     "foo=1,bar=2,baz=3"},
    {"test_tracestate_ows_handling",
     {{"traceparent", UNSAMPLED}, {"tracestate", " foo=1"}},
     "foo=1"},
    {"test_tracestate_ows_handling",
     {{"traceparent", UNSAMPLED}, {"tracestate", "\tfoo=1"}},
     "foo=1"},
    {"test_tracestate_ows_handling",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=1 "}},
     "foo=1"},
    {"test_tracestate_ows_handling",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=1\t"}},
     "foo=1"},
    {"test_tracestate_ows_handling",
     {{"traceparent", UNSAMPLED}, {"tracestate", "\t foo=1 \t"}},
     "foo=1"},
    {"test_tracestate_key_illegal_characters",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo =1"}},
     NULL},
    {"test_tracestate_key_illegal_characters",
     {{"traceparent", UNSAMPLED}, {"tracestate", "FOO=1"}},
     NULL},
    {"test_tracestate_key_illegal_characters",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo.bar=1"}},
     NULL},
    {"test_tracestate_key_illegal_vendor_format",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo@=1,bar=2"}},
     "foo@=1,bar=2"},
    {"test_tracestate_key_illegal_vendor_format",
     {{"traceparent", UNSAMPLED}, {"tracestate", "@foo=1,bar=2"}},
     NULL},
    {"test_tracestate_key_illegal_vendor_format",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo@@bar=1,bar=2"}},
     "foo@@bar=1,bar=2"},
    {"test_tracestate_key_illegal_vendor_format",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo@bar@baz=1,bar=2"}},
     "foo@bar@baz=1,bar=2"},
    {"test_tracestate_member_count_limit",
     {{"traceparent", UNSAMPLED},
      {"tracestate", BARS_1_TO_10},
      {"tracestate", BARS_11_TO_20},
      {"tracestate", BARS_21_TO_30},
      {"tracestate", "bar31=31,bar32=32"}},
     BARS_1_TO_10 "," BARS_11_TO_20 "," BARS_21_TO_30 ",bar31=31,bar32=32"},
    {"test_tracestate_member_count_limit",
     {{"traceparent", UNSAMPLED},
      {"tracestate", BARS_1_TO_10},
      {"tracestate", BARS_11_TO_20},
      {"tracestate", BARS_21_TO_30},
      {"tracestate", "bar31=31,bar32=32,bar33=33"}},
     NULL},
    {"test_tracestate_key_length_limit",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=1"}, {"tracestate", Z256 "=1"}},
     "foo=1," Z256 "=1"},
    {"test_tracestate_key_length_limit",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=1"}, {"tracestate", Z256 "z=1"}},
     NULL},
    {"test_tracestate_key_length_limit",
     {{"traceparent", UNSAMPLED},
      {"tracestate", "foo=1"},
      {"tracestate", T240 "t@vvvvvvvvvvvvvv=1"}},
     "foo=1," T240 "t@vvvvvvvvvvvvvv=1"},
    {"test_tracestate_key_length_limit",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=1"}, {"tracestate", T240 "tt@v=1"}},
     "foo=1," T240 "tt@v=1"},
    {"test_tracestate_key_length_limit",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=1"}, {"tracestate", "t@vvvvvvvvvvvvvvv=1"}},
     "foo=1,t@vvvvvvvvvvvvvvv=1"},
    {"test_tracestate_value_illegal_characters",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=bar=baz"}},
     NULL},
    {"test_tracestate_value_illegal_characters",
     {{"traceparent", UNSAMPLED}, {"tracestate", "foo=,bar=3"}},
     NULL},
};

static void test_a_tracestate_goes_on_or_is_dropped_without_its_traceparent(void **state) {
  for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
    struct hoist_remote_context remote;
    struct sent sent = {0};
    extract(states[i].headers, &remote);
    hoist_context_inject(&remote.span, set_header, &sent);
    const char *actual = sent_value(&sent, "tracestate"), *expected = states[i].state;
    if (!actual != !expected || (actual && strcmp(actual, expected) != 0))
      fail_msg("row %zu: %s: \"%s\"", i, states[i].name, actual ? actual : "(none)");
    const char *parent = sent_value(&sent, "traceparent");
    if (strcmp(states[i].headers[0].name, "traceparent") == 0)
      assert_string_equal(parent, UNSAMPLED);
    else
      assert_null(parent);
  }
}

static void test_spans_pass_a_tracestate_on_as_it_came(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
    struct sent sent = {0};
    pass_on(recording_telemetry(r), states[i].headers, &sent);
    const char *actual = sent_value(&sent, "tracestate"), *expected = states[i].state;
    if (!actual != !expected || (actual && strcmp(actual, expected) != 0))
      fail_msg("row %zu: %s: \"%s\"", i, states[i].name, actual ? actual : "(none)");
  }
  recording_stop(r);
}

/* ---- AdvancedTest, TraceContext2Test ------------------------------------------------------------- */

static void serve_three(const struct header *headers, struct hoist_span_context sent[3]) {
  struct recording *r = recording_start(NULL, 1024);
  for (int i = 0; i < 3; i++)
    serve(recording_telemetry(r), headers, &sent[i]);
  recording_stop(r);
  for (int i = 0; i < 3; i++)
    assert_memory_not_equal(sent[i].span_id, sent[(i + 1) % 3].span_id, sizeof sent[i].span_id);
}

static void test_multiple_requests_with_valid_traceparent(void **state) {
  const struct header headers[HEADERS_MAX] = {{"traceparent", SAMPLED}};
  struct hoist_span_context sent[3], old;
  came(&old);
  serve_three(headers, sent);
  for (int i = 0; i < 3; i++)
    assert_memory_equal(sent[i].trace_id, old.trace_id, sizeof old.trace_id);
}

static void test_multiple_requests_without_traceparent(void **state) {
  const struct header headers[HEADERS_MAX] = {{0}};
  struct hoist_span_context sent[3];
  serve_three(headers, sent);
}

static void test_multiple_requests_with_illegal_traceparent(void **state) {
  const struct header headers[HEADERS_MAX] = {
      {"traceparent", "00-00000000000000000000000000000000-" PARENT "-01"}};
  struct hoist_span_context sent[3];
  serve_three(headers, sent);
  for (int i = 0; i < 3; i++)
    assert_true(hoist_span_context_is_valid(&sent[i]));
}

static void test_propagates_random_flag(void **state) {
  const struct header headers[HEADERS_MAX] = {{"traceparent", "00-" TRACE "-" PARENT "-02"}};
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span_context sent, old;
  came(&old);
  serve(recording_telemetry(r), headers, &sent);
  assert_memory_equal(sent.trace_id, old.trace_id, sizeof old.trace_id);
  assert_memory_not_equal(sent.span_id, old.span_id, sizeof old.span_id);
  assert_int_equal(sent.flags & 2, 2);
  recording_stop(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_traceparent_is_continued_or_a_new_trace_begun),
      cmocka_unit_test(test_spans_pass_a_tracestate_on_as_it_came),
      cmocka_unit_test(test_a_tracestate_goes_on_or_is_dropped_without_its_traceparent),
      cmocka_unit_test(test_multiple_requests_with_valid_traceparent),
      cmocka_unit_test(test_multiple_requests_without_traceparent),
      cmocka_unit_test(test_multiple_requests_with_illegal_traceparent),
      cmocka_unit_test(test_propagates_random_flag),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
