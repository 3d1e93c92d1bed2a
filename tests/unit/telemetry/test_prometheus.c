/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus text of hand-made metrics. That Prometheus reads it is shown with promtool by
 * tests/integration/metrics_file.test.mjs. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "attr.h"
#include "numeric_locale.h"
#include "prometheus.h"
#include "prometheus_name.h"
#include "reading.h"

static const struct prometheus_scope scopes[] = {{"hoist", "1.0"}, {"li\"b\\", ""}};

static int set_up(void **state) {
  static struct metrics m;
  metrics_init(&m, &(struct metrics_config){0});
  *state = &m;
  return 0;
}

static int tear_down(void **state) {
  metrics_done(*state);
  return 0;
}

static void add(struct metrics *m, unsigned scope, const struct hoist_instrument *instrument,
                double value, const struct hoist_attr *attrs, size_t attr_count) {
  const struct measurement measurement = {
      .instrument = instrument, .value = value, .attrs = attrs, .attr_count = attr_count};
  metrics_add(m, scope, &measurement);
}

static size_t left_out;

/* Without a resource. Valid until the next call. */
static const char *render(struct metrics *m) {
  static struct buf text;
  const struct prometheus_source source = {.metrics = m, .scopes = scopes, .scope_count = 2};
  buf_done(&text);
  text = buf_make(1 << 20);
  assert_int_equal(prometheus_render(&source, &text, &left_out, NULL), HOIST_OK);
  return buf_str(&text);
}

static void test_names_have_words_for_units_and_types(void **state) {
  static const struct {
    const char *name, *unit;
    enum hoist_instrument_kind kind;
    const char *expected;
  } cases[] = {
      {"inference.model.load.duration", "s", HOIST_HISTOGRAM,
       "inference_model_load_duration_seconds"},
      {"hoist.artifacts.bytes", "By", HOIST_COUNTER, "hoist_artifacts_bytes_total"},
      {"inference.model.loads", "{load}", HOIST_COUNTER, "inference_model_loads_total"},
      {"a.total", "s", HOIST_COUNTER, "a_seconds_total"},
      {"a.total", NULL, HOIST_GAUGE, "a_total"},
      {"a_seconds", "s", HOIST_GAUGE, "a_seconds"},
      {"aseconds", "s", HOIST_GAUGE, "aseconds_seconds"},
      {"seconds", "s", HOIST_GAUGE, "seconds_seconds"},
      {"use", "1", HOIST_GAUGE, "use_ratio"},
      {"use", "1", HOIST_COUNTER, "use_total"},
      {"use", "1", HOIST_UP_DOWN_COUNTER, "use"},
      {"speed", "m/s", HOIST_GAUGE, "speed_meters_per_second"},
      {"rate", "{request}/s", HOIST_GAUGE, "rate_per_second"},
      {"rate", "By{x}/min", HOIST_GAUGE, "rate_bytes_per_minute"},
      {"share", "%", HOIST_GAUGE, "share_percent"},
      {"odd", "fu.rlong", HOIST_GAUGE, "odd_fu_rlong"},
      {"a..b--c", NULL, HOIST_GAUGE, "a_b_c"},
      {"a:b", NULL, HOIST_GAUGE, "a:b"},
      {"1st", NULL, HOIST_GAUGE, "_1st"},
      {"\xc3\xa9t\xc3\xa9", NULL, HOIST_GAUGE, "_t_"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char name[PROMETHEUS_NAME_SIZE];
    const struct hoist_instrument instrument = {
        .name = cases[i].name, .unit = cases[i].unit, .kind = cases[i].kind};
    prometheus_metric_name(&instrument, name);
    assert_string_equal(name, cases[i].expected);
  }
}

static void test_long_names_are_cut_before_their_endings(void **state) {
  char text[2000], name[PROMETHEUS_NAME_SIZE];
  memset(text, 'a', sizeof text);
  text[sizeof text - 1] = '\0';
  const struct hoist_instrument instrument = {.name = text, .unit = "s", .kind = HOIST_COUNTER};
  prometheus_metric_name(&instrument, name);
  assert_string_equal(name + strlen(name) - strlen("a_seconds_total"), "a_seconds_total");
}

static void test_counters_gauges_and_levels(void **state) {
  static const struct hoist_instrument count = {.name = "loads",
                                                .unit = "{load}",
                                                .description = "Loads\nof \\ \"models\"",
                                                .kind = HOIST_COUNTER};
  static const struct hoist_instrument level = {.name = "open", .kind = HOIST_UP_DOWN_COUNTER};
  static const struct hoist_instrument gauge = {.name = "heat", .kind = HOIST_GAUGE};
  const struct hoist_attr attrs[] = {
      {.key = "model.id", .type = HOIST_ATTR_STRING, .value = {.string = "a\"b\\c\nd"}},
      {.key = "n", .type = HOIST_ATTR_INT, .value = {.integer = -7}},
      {.key = "ok", .type = HOIST_ATTR_BOOL, .value = {.integer = 1}},
      {.key = "x", .type = HOIST_ATTR_DOUBLE, .value = {.number = 0.5}}};
  add(*state, 0, &count, 2, attrs, 4);
  add(*state, 0, &level, -1, NULL, 0);
  add(*state, 1, &gauge, 0.1, NULL, 0);
  assert_string_equal(
      render(*state),
      "# HELP loads_total Loads\\nof \\\\ \"models\"\n"
      "# TYPE loads_total counter\n"
      "loads_total{model_id=\"a\\\"b\\\\c\\nd\",n=\"-7\",ok=\"true\",otel_scope_name=\"hoist\","
      "otel_scope_version=\"1.0\",x=\"0.5\"} 2\n"
      "# TYPE open gauge\n"
      "open{otel_scope_name=\"hoist\",otel_scope_version=\"1.0\"} -1\n"
      "# TYPE heat gauge\n"
      "heat{otel_scope_name=\"li\\\"b\\\\\"} 0.1\n");
  assert_int_equal(left_out, 0);
}

#define OWN "otel_scope_name=\"hoist\",otel_scope_version=\"1.0\""

static void test_histograms_are_cumulative_over_their_buckets(void **state) {
  static const double bounds[] = {0.25, 10};
  static const struct hoist_instrument h = {
      .name = "t", .unit = "s", .kind = HOIST_HISTOGRAM, .bounds = bounds, .bound_count = 2};
  static const double values[] = {0.25, 1, 2, 11};
  for (size_t i = 0; i < 4; i++)
    add(*state, 0, &h, values[i], NULL, 0);
  assert_string_equal(render(*state), "# TYPE t_seconds histogram\n"
                                      "t_seconds_bucket{" OWN ",le=\"0.25\"} 1\n"
                                      "t_seconds_bucket{" OWN ",le=\"10\"} 3\n"
                                      "t_seconds_bucket{" OWN ",le=\"+Inf\"} 4\n"
                                      "t_seconds_sum{" OWN "} 14.25\n"
                                      "t_seconds_count{" OWN "} 4\n");
}

static void test_exponential_histograms_have_powers_of_two_for_bounds(void **state) {
  static const struct hoist_instrument h = {.name = "t", .kind = HOIST_EXPONENTIAL_HISTOGRAM};
  static const double values[] = {0, 0.75, 1, 3, 5, -2, -3, -1};
  for (size_t i = 0; i < 8; i++)
    add(*state, 0, &h, values[i], NULL, 0);
  assert_string_equal(render(*state), "# TYPE t histogram\n"
                                      "t_bucket{" OWN ",le=\"-2.0000000000000004\"} 1\n"
                                      "t_bucket{" OWN ",le=\"-1.0000000000000002\"} 2\n"
                                      "t_bucket{" OWN ",le=\"-0.5000000000000001\"} 3\n"
                                      "t_bucket{" OWN ",le=\"0\"} 4\n"
                                      "t_bucket{" OWN ",le=\"1\"} 6\n"
                                      "t_bucket{" OWN ",le=\"2\"} 6\n"
                                      "t_bucket{" OWN ",le=\"4\"} 7\n"
                                      "t_bucket{" OWN ",le=\"8\"} 8\n"
                                      "t_bucket{" OWN ",le=\"+Inf\"} 8\n"
                                      "t_sum{" OWN "} 3.75\n"
                                      "t_count{" OWN "} 8\n");
}

static void test_bounds_beyond_numbers_are_left_to_infinity(void **state) {
  static const struct hoist_instrument h = {.name = "t", .kind = HOIST_EXPONENTIAL_HISTOGRAM};
  add(*state, 0, &h, 1.5e308, NULL, 0);
  add(*state, 0, &h, -4e-324, NULL, 0);
  const char *text = render(*state);
  assert_null(strstr(text, "le=\"-0\""));
  assert_non_null(strstr(text, "t_bucket{" OWN ",le=\"0\"} 1\n"
                               "t_bucket{" OWN ",le=\"+Inf\"} 2\n"));
}

static void test_labels_that_come_to_the_same_name_are_one(void **state) {
  static const struct hoist_instrument count = {.name = "c", .kind = HOIST_COUNTER};
  static const struct hoist_instrument h = {.name = "h", .kind = HOIST_EXPONENTIAL_HISTOGRAM};
  const struct hoist_attr attrs[] = {
      {.key = "a_b", .type = HOIST_ATTR_STRING, .value = {.string = "2"}},
      {.key = "a.b", .type = HOIST_ATTR_STRING, .value = {.string = "1"}},
      {.key = "otel.scope.name", .type = HOIST_ATTR_STRING, .value = {.string = "mine"}},
      {.key = "9", .type = HOIST_ATTR_STRING, .value = {.string = "9"}}};
  const struct hoist_attr le = {.key = "le", .type = HOIST_ATTR_STRING, .value = {.string = "x"}};
  add(*state, 0, &count, 1, attrs, 4);
  add(*state, 0, &h, 1, &le, 1);
  add(*state, 0, &count, 1, &le, 1);
  const char *text = render(*state);
  assert_non_null(strstr(text, "c_total{_9=\"9\",a_b=\"1;2\",otel_scope_name=\"mine;hoist\","
                               "otel_scope_version=\"1.0\"} 1\n"));
  assert_non_null(strstr(text, "c_total{le=\"x\"," OWN "} 1\n"));
  assert_non_null(strstr(text, "h_bucket{exported_le=\"x\"," OWN ",le=\"1\"} 1\n"));
}

static void test_clashing_metrics_are_left_out_and_counted(void **state) {
  static const struct hoist_instrument all[] = {
      {.name = "a.b", .kind = HOIST_COUNTER},       /* stays */
      {.name = "a_b", .kind = HOIST_COUNTER},       /* the same samples again */
      {.name = "a_b_total", .kind = HOIST_GAUGE},   /* another type */
      {.name = "h", .kind = HOIST_HISTOGRAM},       /* stays */
      {.name = "h_count", .kind = HOIST_GAUGE},     /* a sample of the histogram's */
      {.name = "target.info", .kind = HOIST_GAUGE}, /* the resource's */
      {.name = "x_sum", .kind = HOIST_GAUGE},       /* stays */
      {.name = "x", .kind = HOIST_HISTOGRAM},       /* would have x_sum */
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    add(*state, 0, &all[i], 1, NULL, 0);
  const char *text = render(*state);
  assert_int_equal(left_out, 5);
  size_t types = 0;
  for (const char *p = text; (p = strstr(p, "# TYPE ")); p++)
    types++;
  assert_int_equal(types, 3);
}

static void test_scopes_share_a_family(void **state) {
  static const struct hoist_instrument mine = {
      .name = "c", .description = "one", .kind = HOIST_COUNTER};
  static const struct hoist_instrument between = {.name = "g", .kind = HOIST_GAUGE};
  static const struct hoist_instrument theirs = {
      .name = "c", .description = "two", .kind = HOIST_COUNTER};
  add(*state, 0, &mine, 1, NULL, 0);
  add(*state, 0, &between, 1, NULL, 0);
  add(*state, 1, &theirs, 2, NULL, 0);
  assert_string_equal(render(*state), "# HELP c_total one\n"
                                      "# TYPE c_total counter\n"
                                      "c_total{" OWN "} 1\n"
                                      "c_total{otel_scope_name=\"li\\\"b\\\\\"} 2\n"
                                      "# TYPE g gauge\n"
                                      "g{" OWN "} 1\n");
}

static void test_it_is_cumulative_whatever_exporters_get(void **state) {
  static const struct hoist_instrument count = {.name = "c", .kind = HOIST_COUNTER};
  struct buf encoded = buf_make(1 << 20);
  size_t points;
  for (int i = 1; i <= 3; i++) {
    char line[100];
    add(*state, 0, &count, 1, NULL, 0);
    const struct metrics_window window = {HOIST_TEMPORALITY_DELTA, 1, 2};
    assert_int_equal(metrics_encode(*state, 0, &window, &encoded, &points, NULL), HOIST_OK);
    snprintf(line, sizeof line, "c_total{" OWN "} %d\n", i);
    assert_non_null(strstr(render(*state), line));
  }
  buf_done(&encoded);
}

static void test_the_resource_is_target_info(void **state) {
  uint8_t resource[400], *p = resource;
  static const struct {
    const char *key, *value;
  } attrs[] = {{"service.name", "shop"}, {"le", "x"}, {"deployment.environment", "a\"b"}};
  for (size_t i = 0; i < 3; i++) {
    struct hoist_attr attr = {
        .key = attrs[i].key, .type = HOIST_ATTR_STRING, .value = {.string = attrs[i].value}};
    p = attr_put(p, resource + sizeof resource, 0x0a, &attr, strlen(attr.key), 100);
  }
  struct buf text = buf_make(1 << 20);
  const struct prometheus_source source = {.metrics = *state,
                                           .scopes = scopes,
                                           .scope_count = 2,
                                           .resource = resource,
                                           .resource_size = (size_t)(p - resource)};
  assert_int_equal(prometheus_render(&source, &text, &left_out, NULL), HOIST_OK);
  assert_string_equal(
      buf_str(&text),
      "# HELP target_info Target metadata\n"
      "# TYPE target_info gauge\n"
      "target_info{deployment_environment=\"a\\\"b\",le=\"x\",service_name=\"shop\"} 1\n");
  buf_done(&text);
}

static void test_numbers_read_back_as_the_same_in_any_locale(void **state) {
  static const struct hoist_instrument gauge = {.name = "g", .kind = HOIST_GAUGE};
  static const double values[] = {0.1, 1.0 / 3, 1e300, -0.5, 123456789012345, 5e-324};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    char *end;
    add(*state, 0, &gauge, values[i], NULL, 0);
    numeric_locale_begin();
    const char *text = strstr(render(*state), "} ");
    setlocale(LC_NUMERIC, "C");
    assert_true(strtod(text + 2, &end) == values[i]);
    assert_int_equal(*end, '\n');
  }
}

static void test_what_does_not_fit_is_left_out_whole_and_counted(void **state) {
  static const struct hoist_instrument gauge = {.name = "g", .kind = HOIST_GAUGE};
  static const struct hoist_instrument h = {.name = "h", .kind = HOIST_HISTOGRAM};
  const struct prometheus_source source = {.metrics = *state};
  add(*state, 0, &gauge, 1, NULL, 0);
  add(*state, 0, &h, 1, NULL, 0);
  add(*state, 0, &h, 1, &(struct hoist_attr){.key = "a", .type = HOIST_ATTR_BOOL}, 1);
  static const struct {
    size_t max, left_out;
    const char *text;
  } cases[] = {
      {0, 3, ""}, {18, 3, ""}, {19, 2, "# TYPE g gauge\ng 1\n"}, {300, 2, "# TYPE g gauge\ng 1\n"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct buf text = buf_make(cases[i].max);
    assert_int_equal(prometheus_render(&source, &text, &left_out, NULL), HOIST_OK);
    assert_string_equal(buf_str(&text), cases[i].text);
    assert_int_equal(left_out, cases[i].left_out);
    buf_done(&text);
  }
}

static void test_no_sample_is_there_twice(void **state) {
  static const struct hoist_instrument count = {.name = "c", .kind = HOIST_COUNTER};
  const struct hoist_attr attrs[] = {
      {.key = "a.b", .type = HOIST_ATTR_STRING, .value = {.string = "1"}},
      {.key = "a_b", .type = HOIST_ATTR_STRING, .value = {.string = "1"}},
      {.key = "a_b", .type = HOIST_ATTR_INT, .value = {.integer = 1}},
      {.key = "a_b", .type = HOIST_ATTR_INT, .value = {.integer = 2}}};
  for (size_t i = 0; i < 4; i++)
    add(*state, 0, &count, (double)(i + 1), &attrs[i], 1);
  assert_string_equal(render(*state), "# TYPE c_total counter\n"
                                      "c_total{a_b=\"1\"," OWN "} 1\n"
                                      "c_total{a_b=\"2\"," OWN "} 4\n");
  assert_int_equal(left_out, 2);
}

/* Enough of them that sets of labels grow and values are copied in several goes. */
static void test_every_attribute_set_is_there_once(void **state) {
  static const struct hoist_instrument count = {.name = "c", .kind = HOIST_COUNTER};
  size_t lines = 0;
  for (int i = 0; i < 1500; i++)
    add(*state, 0, &count, 1,
        &(struct hoist_attr){.key = "n", .type = HOIST_ATTR_INT, .value = {.integer = i}}, 1);
  const char *text = render(*state);
  for (const char *p = text; (p = strstr(p, "\nc_total{n=")); p++)
    lines++;
  assert_int_equal(lines, 1500);
  assert_int_equal(left_out, 0);
}

static void *add_series(void *metrics) {
  static const struct hoist_instrument h = {.name = "h", .kind = HOIST_EXPONENTIAL_HISTOGRAM};
  for (int i = 0; i < 1000; i++)
    add(metrics, 0, &h, i,
        &(struct hoist_attr){.key = "n", .type = HOIST_ATTR_INT, .value = {.integer = i % 200}}, 1);
  return NULL;
}

static void test_series_may_appear_while_text_is_written(void **state) {
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, add_series, *state), 0);
  for (int i = 0; i < 20; i++)
    render(*state);
  pthread_join(thread, NULL);
  const char *text = render(*state);
  assert_non_null(strstr(text, "h_count{n=\"199\"," OWN "} 5\n"));
  assert_int_equal(left_out, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_names_have_words_for_units_and_types),
      TEST(test_long_names_are_cut_before_their_endings),
      TEST(test_counters_gauges_and_levels),
      TEST(test_histograms_are_cumulative_over_their_buckets),
      TEST(test_exponential_histograms_have_powers_of_two_for_bounds),
      TEST(test_bounds_beyond_numbers_are_left_to_infinity),
      TEST(test_labels_that_come_to_the_same_name_are_one),
      TEST(test_clashing_metrics_are_left_out_and_counted),
      TEST(test_scopes_share_a_family),
      TEST(test_it_is_cumulative_whatever_exporters_get),
      TEST(test_the_resource_is_target_info),
      TEST(test_numbers_read_back_as_the_same_in_any_locale),
      TEST(test_what_does_not_fit_is_left_out_whole_and_counted),
      TEST(test_no_sample_is_there_twice),
      TEST(test_every_attribute_set_is_there_once),
      TEST(test_series_may_appear_while_text_is_written),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
