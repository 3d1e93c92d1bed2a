/* SPDX-License-Identifier: Apache-2.0 */
/* opentelemetry-cpp's side of the telemetry benchmark, as hoist.c is hoist's. Its batch processor gets
 * an exporter that makes OTLP messages as the real one does, and drops them: their serialisation, in
 * the export thread, is not part of what is measured here (hoist's is). */
#include <opentelemetry/exporters/memory/in_memory_metric_data.h>
#include <opentelemetry/exporters/memory/in_memory_metric_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_factory.h>
#include <opentelemetry/metrics/sync_instruments.h>
#include <opentelemetry/sdk/metrics/export/periodic_exporting_metric_reader_factory.h>
#include <opentelemetry/sdk/metrics/export/periodic_exporting_metric_reader_options.h>
#include <opentelemetry/sdk/metrics/meter_provider.h>
#include <opentelemetry/sdk/trace/batch_span_processor_factory.h>
#include <opentelemetry/sdk/trace/batch_span_processor_options.h>
#include <opentelemetry/sdk/trace/exporter.h>
#include <opentelemetry/sdk/trace/recordable.h>
#include <opentelemetry/sdk/trace/samplers/always_off_factory.h>
#include <opentelemetry/sdk/trace/samplers/always_on_factory.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/trace/provider.h>

#include <atomic>

#include "measure.h"

namespace memory = opentelemetry::exporter::memory;
namespace metrics = opentelemetry::metrics;
namespace nostd = opentelemetry::nostd;
namespace otlp = opentelemetry::exporter::otlp;
namespace sdk = opentelemetry::sdk;
namespace trace = opentelemetry::trace;

static constexpr long kCalls = 100000, kSpans = 8000;

static std::atomic<unsigned long long> made, exported;

class DroppingExporter final : public sdk::trace::SpanExporter {
public:
  std::unique_ptr<sdk::trace::Recordable> MakeRecordable() noexcept override {
    return real_->MakeRecordable();
  }
  sdk::common::ExportResult Export(
      const nostd::span<std::unique_ptr<sdk::trace::Recordable>> &spans) noexcept override {
    exported += spans.size();
    for (auto &span : spans)
      span.reset();
    return sdk::common::ExportResult::kSuccess;
  }
  bool ForceFlush(std::chrono::microseconds) noexcept override {
    return true;
  }
  bool Shutdown(std::chrono::microseconds) noexcept override {
    return true;
  }

private:
  std::unique_ptr<sdk::trace::SpanExporter> real_ = otlp::OtlpHttpExporterFactory::Create();
};

struct Tracing {
  explicit Tracing(std::unique_ptr<sdk::trace::Sampler> sampler)
      : provider(make_processor(), sdk::resource::Resource::Create({}), std::move(sampler)),
        tracer(provider.GetTracer("bench")) {
  }
  static std::unique_ptr<sdk::trace::SpanProcessor> make_processor() {
    sdk::trace::BatchSpanProcessorOptions options;
    options.max_queue_size = 4 * kSpans;
    options.schedule_delay_millis = std::chrono::milliseconds(1);
    return sdk::trace::BatchSpanProcessorFactory::Create(std::make_unique<DroppingExporter>(),
                                                         options);
  }
  sdk::trace::TracerProvider provider;
  nostd::shared_ptr<trace::Tracer> tracer;
};

static void start_and_end(void *user, long calls) {
  auto tracer = static_cast<trace::Tracer *>(user);
  for (long i = 0; i < calls; i++) {
    BENCH_OPAQUE(tracer);
    tracer->StartSpan("span-name")->End();
  }
}

static void start_set_5_and_end(void *user, long calls) {
  auto tracer = static_cast<trace::Tracer *>(user);
  for (long i = 0; i < calls; i++) {
    auto span = tracer->StartSpan("span-name");
    span->SetAttribute("key2", "hello");
    span->SetAttribute("key4", "world");
    span->SetAttribute("key1", int64_t{0});
    span->SetAttribute("key3", int64_t{123456});
    span->SetAttribute("key5", int64_t{123});
    span->End();
  }
}

/* Rows that are settled need more than the tracer. */
template <void (*run)(void *, long)> static void sampled(void *user, long calls) {
  made += static_cast<unsigned long long>(calls);
  run(static_cast<Tracing *>(user)->tracer.get(), calls);
}

static void flush(void *user) {
  static_cast<Tracing *>(user)->provider.ForceFlush();
}

static void add(void *user, long calls) {
  auto counter = static_cast<metrics::Counter<double> *>(user);
  for (long i = 0; i < calls; i++)
    counter->Add(1, {{"model.id", "coins/1"}});
}

static void record(void *user, long calls) {
  auto histogram = static_cast<metrics::Histogram<double> *>(user);
  for (long i = 0; i < calls; i++)
    histogram->Record(0.3, {{"model.id", "coins/1"}}, opentelemetry::context::Context());
}

static void measure_spans() {
  static const bench_row off = {"span.off", 1, kCalls, start_and_end, nullptr};
  static const bench_row unsampled = {"span.unsampled", 1, kCalls, start_and_end, nullptr};
  static const bench_row recorded[] = {
      {"span.sampled", 1, kSpans, sampled<start_and_end>, flush},
      {"span.five", 1, kSpans, sampled<start_set_5_and_end>, flush},
      {"span.five.2", 2, kSpans / 2, sampled<start_set_5_and_end>, flush},
  };
  bench_measure(&off, trace::Provider::GetTracerProvider()->GetTracer("bench").get());
  Tracing never(sdk::trace::AlwaysOffSamplerFactory::Create());
  bench_measure(&unsampled, never.tracer.get());
  Tracing always(sdk::trace::AlwaysOnSamplerFactory::Create());
  for (const bench_row &row : recorded)
    bench_measure(&row, &always);
  bench_report("spans", made);
  bench_report("dropped", made - exported);
}

static void measure_metrics() {
  static const bench_row adding[] = {{"counter", 1, kCalls, add, nullptr},
                                     {"counter.2", 2, kCalls, add, nullptr}};
  static const bench_row recording = {"histogram", 1, kCalls, record, nullptr};
  sdk::metrics::MeterProvider provider;
  sdk::metrics::PeriodicExportingMetricReaderOptions options;
  options.export_interval_millis = std::chrono::hours(1);
  provider.AddMetricReader(sdk::metrics::PeriodicExportingMetricReaderFactory::Create(
      memory::InMemoryMetricExporterFactory::Create(
          std::make_shared<memory::SimpleAggregateInMemoryMetricData>()),
      options));
  auto meter = provider.GetMeter("bench");
  auto counter = meter->CreateDoubleCounter("bench.count");
  auto histogram = meter->CreateDoubleHistogram("bench.time", "", "s");
  for (const bench_row &row : adding)
    bench_measure(&row, counter.get());
  bench_measure(&recording, histogram.get());
}

int main() {
  measure_spans();
  measure_metrics();
}
