/* SPDX-License-Identifier: Apache-2.0 */
/* The example's adapter to opentelemetry-cpp (examples/opentelemetry_cpp.h), against the real SDK with
 * its exporters to memory: what hoist's public calls say is what arrives there. */
#include <opentelemetry/exporters/memory/in_memory_metric_data.h>
#include <opentelemetry/exporters/memory/in_memory_metric_exporter_factory.h>
#include <opentelemetry/exporters/memory/in_memory_span_data.h>
#include <opentelemetry/exporters/memory/in_memory_span_exporter_factory.h>
#include <opentelemetry/sdk/metrics/export/periodic_exporting_metric_reader_factory.h>
#include <opentelemetry/sdk/metrics/export/periodic_exporting_metric_reader_options.h>
#include <opentelemetry/sdk/metrics/meter_provider.h>
#include <opentelemetry/sdk/trace/samplers/always_off_factory.h>
#include <opentelemetry/sdk/trace/samplers/always_on_factory.h>
#include <opentelemetry/sdk/trace/simple_processor_factory.h>
#include <opentelemetry/sdk/trace/tracer_provider_factory.h>
#include <opentelemetry/trace/tracer_provider.h>

#include <cstring>
#include <thread>

#include "opentelemetry_cpp.h"

extern "C" {
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
}

namespace memory = opentelemetry::exporter::memory;
namespace nostd = opentelemetry::nostd;
namespace sdk = opentelemetry::sdk;
namespace trace = opentelemetry::trace;

using Spans = std::vector<std::unique_ptr<sdk::trace::SpanData>>; /* in the order of their ends */
using Points = memory::SimpleAggregateInMemoryMetricData;

/* A program with opentelemetry-cpp, and hoist plugged into it. */
struct Program {
  explicit Program(
      std::unique_ptr<sdk::trace::Sampler> sampler = sdk::trace::AlwaysOnSamplerFactory::Create())
      : tracers(sdk::trace::TracerProviderFactory::Create(
            sdk::trace::SimpleSpanProcessorFactory::Create(
                memory::InMemorySpanExporterFactory::Create(exported)),
            sdk::resource::Resource::Create({}), std::move(sampler))),
        tracer(tracers->GetTracer("hoist")), adapter(tracer, meters.GetMeter("hoist")) {
    meters.AddMetricReader(sdk::metrics::PeriodicExportingMetricReaderFactory::Create(
        memory::InMemoryMetricExporterFactory::Create(points),
        sdk::metrics::PeriodicExportingMetricReaderOptions()));
    const hoist_tracer table = adapter.table();
    assert_int_equal(hoist_telemetry_adapt(&table, &telemetry, nullptr), HOIST_OK);
  }
  ~Program() {
    hoist_telemetry_close(telemetry, 0);
  }
  void root(const char *name, hoist_span *ret_span, const hoist_span_context *remote = nullptr) {
    hoist_span_start_root(telemetry, name, HOIST_SPAN_INTERNAL, remote, ret_span);
  }

  std::shared_ptr<memory::InMemorySpanData> exported;
  std::unique_ptr<trace::TracerProvider> tracers;
  nostd::shared_ptr<trace::Tracer> tracer;
  std::shared_ptr<Points> points = std::make_shared<Points>();
  sdk::metrics::MeterProvider meters;
  hoist_opentelemetry::Adapter adapter;
  hoist_telemetry *telemetry = nullptr;
};

static void assert_child(const sdk::trace::SpanData &child, const trace::SpanContext &parent) {
  assert_true(child.GetTraceId() == parent.trace_id());
  assert_true(child.GetParentSpanId() == parent.span_id());
}

template <class T> static T attribute(const sdk::trace::SpanData &span, const char *key) {
  return nostd::get<T>(span.GetAttributes().at(key));
}

static void test_spans_hang_under_the_active_span_of_the_program(void **) {
  Program program;
  auto request = program.tracer->StartSpan("request");
  {
    trace::Scope active(request);
    hoist_span root, child, elsewhere;
    program.root("model.load", &root);
    hoist_span_start(&root, "here", HOIST_SPAN_CLIENT, &child);
    hoist_span_end(&child);
    std::thread([&] { /* where no span is active */
                      hoist_span_start(&root, "elsewhere", HOIST_SPAN_INTERNAL, &elsewhere);
                      hoist_span_end(&elsewhere);
    })
        .join();
    hoist_span_end(&root);
  }
  hoist_span alone;
  program.root("alone", &alone);
  hoist_span_end(&alone);
  const Spans spans = program.exported->GetSpans();
  assert_int_equal(spans.size(), 4);
  assert_child(*spans[0], spans[2]->GetSpanContext());
  assert_true(spans[0]->GetSpanKind() == trace::SpanKind::kClient);
  assert_child(*spans[1], spans[2]->GetSpanContext());
  assert_child(*spans[2], request->GetContext());
  assert_string_equal(std::string(spans[2]->GetName()).c_str(), "model.load");
  assert_false(spans[3]->GetParentSpanId().IsValid());
  assert_true(spans[3]->GetTraceId() != request->GetContext().trace_id());
}

static void test_a_parent_in_another_process_beats_the_active_span(void **) {
  Program program;
  auto request = program.tracer->StartSpan("request");
  trace::Scope active(request);
  hoist_span_context remote = hoist_span_context(), own;
  assert_int_equal(
      hoist_traceparent_parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", &remote),
      HOIST_OK);
  remote.tracestate = "vendor=1";
  hoist_span span;
  program.root("model.load", &span, &remote);
  hoist_span_get_context(&span, &own);
  assert_memory_equal(own.trace_id, remote.trace_id, sizeof own.trace_id);
  assert_memory_not_equal(own.span_id, remote.span_id, sizeof own.span_id);
  assert_int_equal(own.flags & 1, 1);
  assert_int_equal(own.remote, 0);
  assert_string_equal(own.tracestate, "vendor=1");
  hoist_span_end(&span);
  const Spans spans = program.exported->GetSpans();
  assert_int_equal(spans.size(), 1);
  assert_child(*spans[0], hoist_opentelemetry::to_context(remote));
  assert_memory_equal(spans[0]->GetSpanId().Id().data(), own.span_id, sizeof own.span_id);
}

static void test_a_remote_context_without_ids_leaves_the_active_span(void **) {
  Program program;
  auto request = program.tracer->StartSpan("request");
  trace::Scope active(request);
  hoist_span_context remote = hoist_span_context();
  remote.forced = 1;
  hoist_span span;
  program.root("model.load", &span, &remote);
  hoist_span_end(&span);
  assert_child(*program.exported->GetSpans()[0], request->GetContext());
}

static void test_attributes_of_every_type_arrive(void **) {
  Program program;
  hoist_span span;
  program.root("model.load", &span);
  hoist_span_set_string(&span, "string", "text");
  hoist_span_set_int(&span, "int", INT64_MIN);
  hoist_span_set_double(&span, "double", 2.5);
  hoist_span_set_bool(&span, "bool", 7);
  const char *strings[] = {"a", nullptr};
  const int64_t integers[] = {1, -2};
  const double numbers[] = {.5};
  const uint8_t booleans[] = {0, 1, 2};
  hoist_attr attr = hoist_attr();
  attr.key = "strings", attr.type = HOIST_ATTR_STRING_ARRAY, attr.count = 2,
  attr.value.strings = strings;
  hoist_span_set_attr(&span, &attr);
  attr.key = "ints", attr.type = HOIST_ATTR_INT_ARRAY, attr.count = 2,
  attr.value.integers = integers;
  hoist_span_set_attr(&span, &attr);
  attr.key = "doubles", attr.type = HOIST_ATTR_DOUBLE_ARRAY, attr.count = 1,
  attr.value.numbers = numbers;
  hoist_span_set_attr(&span, &attr);
  attr.key = "bools", attr.type = HOIST_ATTR_BOOL_ARRAY, attr.count = 3,
  attr.value.booleans = booleans;
  hoist_span_set_attr(&span, &attr);
  hoist_span_end(&span);
  const Spans spans = program.exported->GetSpans();
  const sdk::trace::SpanData &data = *spans[0];
  assert_int_equal(data.GetAttributes().size(), 8);
  assert_true(attribute<std::string>(data, "string") == "text");
  assert_true(attribute<int64_t>(data, "int") == INT64_MIN);
  assert_true(attribute<double>(data, "double") == 2.5);
  assert_true(attribute<bool>(data, "bool"));
  assert_true(attribute<std::vector<std::string>>(data, "strings") ==
              std::vector<std::string>({"a", ""}));
  assert_true(attribute<std::vector<int64_t>>(data, "ints") == std::vector<int64_t>({1, -2}));
  assert_true(attribute<std::vector<double>>(data, "doubles") == std::vector<double>({.5}));
  assert_true(attribute<std::vector<bool>>(data, "bools") ==
              std::vector<bool>({false, true, true}));
}

static void test_times_are_the_callers_to_the_nanosecond(void **) {
  const uint64_t start_ns = UINT64_C(1700000000000000001);
  Program program;
  hoist_span root, phase, backwards;
  program.root("root", &root);
  hoist_span_start_at(&root, "phase", HOIST_SPAN_INTERNAL, start_ns, &phase);
  hoist_span_end_at(&phase, start_ns + 42);
  hoist_span_start_at(&root, "backwards", HOIST_SPAN_INTERNAL, start_ns, &backwards);
  hoist_span_end_at(&backwards, start_ns - 42);
  hoist_span_end(&root);
  const Spans spans = program.exported->GetSpans();
  assert_true(spans[0]->GetStartTime().time_since_epoch().count() == (int64_t)start_ns);
  assert_true(spans[0]->GetDuration().count() == 42);
  assert_true(spans[1]->GetDuration().count() == 0);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto age = now - spans[2]->GetStartTime().time_since_epoch();
  assert_true(age >= std::chrono::seconds(0) && age < std::chrono::hours(1));
  assert_true(spans[2]->GetDuration() < std::chrono::hours(1));
}

static void test_events_carry_their_time_and_attributes(void **) {
  Program program;
  hoist_span span;
  program.root("model.load", &span);
  hoist_attr attr = hoist_attr();
  attr.key = "attempt", attr.type = HOIST_ATTR_INT, attr.value.integer = 3;
  hoist_span_add_event_at(&span, "retry", 1234567, &attr, 1);
  hoist_span_add_event(&span, "bare", nullptr, 0);
  hoist_span_end(&span);
  const Spans spans = program.exported->GetSpans();
  const auto &events = spans[0]->GetEvents();
  assert_int_equal(events.size(), 2);
  assert_string_equal(events[0].GetName().c_str(), "retry");
  assert_true(events[0].GetTimestamp().time_since_epoch().count() == 1234567);
  assert_true(nostd::get<int64_t>(events[0].GetAttributes().at("attempt")) == 3);
  assert_string_equal(events[1].GetName().c_str(), "bare");
  assert_int_equal(events[1].GetAttributes().size(), 0);
}

static void test_a_failure_is_an_error_with_its_exception_event(void **) {
  Program program;
  hoist_span span;
  program.root("model.load", &span);
  hoist_error err = hoist_error();
  err.status = HOIST_DENIED;
  strcpy(err.message, "no key");
  hoist_span_record_error(&span, &err);
  hoist_span_end(&span);
  const Spans spans = program.exported->GetSpans();
  assert_true(spans[0]->GetStatus() == trace::StatusCode::kError);
  assert_string_equal(std::string(spans[0]->GetDescription()).c_str(), "no key");
  assert_true(attribute<std::string>(*spans[0], "error.type") == "denied");
  assert_string_equal(spans[0]->GetEvents().at(0).GetName().c_str(), "exception");
}

static void test_status_ok_is_final_and_names_change(void **) {
  Program program;
  hoist_span span;
  program.root("before", &span);
  hoist_span_update_name(&span, "after");
  hoist_span_set_status(&span, HOIST_SPAN_ERROR, "for a moment");
  hoist_span_set_status(&span, HOIST_SPAN_OK, nullptr);
  hoist_span_set_status(&span, HOIST_SPAN_ERROR, "too late");
  hoist_span_end(&span);
  const Spans spans = program.exported->GetSpans();
  assert_true(spans[0]->GetStatus() == trace::StatusCode::kOk);
  assert_string_equal(std::string(spans[0]->GetDescription()).c_str(), "");
  assert_string_equal(std::string(spans[0]->GetName()).c_str(), "after");
}

static void test_what_is_not_sampled_still_has_a_context_to_pass_on(void **) {
  Program program(sdk::trace::AlwaysOffSamplerFactory::Create());
  hoist_span span;
  program.root("model.load", &span);
  hoist_span_context context;
  assert_int_equal(hoist_span_is_recording(&span), 0);
  hoist_span_get_context(&span, &context);
  assert_int_equal(hoist_span_context_is_valid(&context), 1);
  assert_int_equal(context.flags & 1, 0);
  hoist_span_end(&span);
  Program recording;
  recording.root("model.load", &span);
  assert_int_equal(hoist_span_is_recording(&span), 1);
  hoist_span_end(&span);
  assert_int_equal(program.exported->GetSpans().size(), 0);
}

/* ---- metrics ------------------------------------------------------------------------------------- */

static const hoist_instrument counter = {"count", "{load}", "loads", HOIST_COUNTER, nullptr, 0};
static const hoist_instrument level = {"level", nullptr, nullptr, HOIST_UP_DOWN_COUNTER,
                                       nullptr, 0};
static const hoist_instrument duration = {"time", "s", "", HOIST_HISTOGRAM, nullptr, 0};
static const hoist_instrument gauge = {"gauge", "By", "", HOIST_GAUGE, nullptr, 0};

static hoist_attr string_attr(const char *key, const char *value) {
  hoist_attr attr = hoist_attr();
  attr.key = key, attr.type = HOIST_ATTR_STRING, attr.value.string = value;
  return attr;
}

template <class Point>
static const Point &point(Program &program, const char *metric, const char *model = nullptr) {
  sdk::metrics::PointAttributes key;
  if (model) key.SetAttribute("model.id", model);
  return nostd::get<Point>(program.points->Get("hoist", metric).at(key));
}

static double number(const sdk::metrics::ValueType &value) {
  return nostd::get<double>(value);
}

static void test_metrics_become_instruments_of_their_kind(void **) {
  Program program;
  const hoist_attr a = string_attr("model.id", "a/1"), b = string_attr("model.id", "b/1");
  hoist_metric_add(program.telemetry, &counter, 2, &a, 1);
  hoist_metric_add(program.telemetry, &counter, 3, &a, 1);
  hoist_metric_add(program.telemetry, &counter, 1, &b, 1);
  hoist_metric_add(program.telemetry, &level, 2, nullptr, 0);
  hoist_metric_add(program.telemetry, &level, -1, nullptr, 0);
  hoist_metric_add(program.telemetry, &duration, .5, &a, 1);
  hoist_metric_add(program.telemetry, &gauge, 7, &a, 1);
  hoist_metric_add(program.telemetry, &gauge, 5, &a, 1);
  hoist_metric_add(program.telemetry, &gauge, 6, &b, 1);
  assert_true(program.meters.ForceFlush());
  const auto &sum = point<sdk::metrics::SumPointData>(program, "count", "a/1");
  assert_true(number(sum.value_) == 5 && sum.is_monotonic_);
  assert_true(number(point<sdk::metrics::SumPointData>(program, "count", "b/1").value_) == 1);
  const auto &loaded = point<sdk::metrics::SumPointData>(program, "level");
  assert_true(number(loaded.value_) == 1 && !loaded.is_monotonic_);
  const auto &histogram = point<sdk::metrics::HistogramPointData>(program, "time", "a/1");
  assert_true(histogram.count_ == 1 && number(histogram.sum_) == .5);
  assert_true(number(point<sdk::metrics::LastValuePointData>(program, "gauge", "a/1").value_) == 5);
  assert_true(number(point<sdk::metrics::LastValuePointData>(program, "gauge", "b/1").value_) == 6);
}

static void test_without_a_meter_metrics_go_nowhere(void **) {
  Program program;
  hoist_opentelemetry::Adapter spans_only(program.tracer);
  assert_null(spans_only.table().metric_add);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(test_spans_hang_under_the_active_span_of_the_program),
      cmocka_unit_test(test_a_parent_in_another_process_beats_the_active_span),
      cmocka_unit_test(test_a_remote_context_without_ids_leaves_the_active_span),
      cmocka_unit_test(test_attributes_of_every_type_arrive),
      cmocka_unit_test(test_times_are_the_callers_to_the_nanosecond),
      cmocka_unit_test(test_events_carry_their_time_and_attributes),
      cmocka_unit_test(test_a_failure_is_an_error_with_its_exception_event),
      cmocka_unit_test(test_status_ok_is_final_and_names_change),
      cmocka_unit_test(test_what_is_not_sampled_still_has_a_context_to_pass_on),
      cmocka_unit_test(test_metrics_become_instruments_of_their_kind),
      cmocka_unit_test(test_without_a_meter_metrics_go_nowhere),
  };
  return cmocka_run_group_tests_name("the adapter to opentelemetry-cpp", tests, nullptr, nullptr);
}
