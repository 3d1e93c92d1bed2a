/* SPDX-License-Identifier: Apache-2.0 */
/* A C++ program that is traced by opentelemetry-cpp already loads a model, and finds hoist's spans below
 * its own and hoist's metrics among its own. Both are printed. opentelemetry_cpp MODEL-ID */
#include <hoist/hoist.h>

#include <opentelemetry/exporters/ostream/metric_exporter_factory.h>
#include <opentelemetry/exporters/ostream/span_exporter_factory.h>
#include <opentelemetry/sdk/metrics/export/periodic_exporting_metric_reader_factory.h>
#include <opentelemetry/sdk/metrics/export/periodic_exporting_metric_reader_options.h>
#include <opentelemetry/sdk/metrics/meter_provider.h>
#include <opentelemetry/sdk/metrics/view/instrument_selector_factory.h>
#include <opentelemetry/sdk/metrics/view/meter_selector_factory.h>
#include <opentelemetry/sdk/metrics/view/view_factory.h>
#include <opentelemetry/sdk/trace/simple_processor_factory.h>
#include <opentelemetry/sdk/trace/tracer_provider_factory.h>
#include <opentelemetry/trace/tracer_provider.h>

#include <iostream>

#include "opentelemetry_cpp.h"

namespace exporter = opentelemetry::exporter;
namespace sdk = opentelemetry::sdk;
namespace trace = opentelemetry::trace;

/* opentelemetry-cpp's default buckets are meant for milliseconds; hoist's durations are seconds. */
static void use_seconds(sdk::metrics::MeterProvider &provider, const char *histogram) {
  auto buckets = std::make_shared<sdk::metrics::HistogramAggregationConfig>();
  buckets->boundaries_ = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600};
  provider.AddView(sdk::metrics::InstrumentSelectorFactory::Create(
                       sdk::metrics::InstrumentType::kHistogram, histogram, "s"),
                   sdk::metrics::MeterSelectorFactory::Create("hoist", "", ""),
                   sdk::metrics::ViewFactory::Create(
                       "", "", "", sdk::metrics::AggregationType::kHistogram, buckets));
}

/* What the program would do with hoist anyway. */
static bool load(const char *model_id, hoist_telemetry *telemetry) {
  hoist_error err = hoist_error();
  hoist_config config;
  hoist *handle = nullptr;
  hoist_model *model = nullptr;
  hoist_config_init(&config);
  config.telemetry = telemetry;
  bool loaded = hoist_config_from_env(&config, nullptr, &err) == HOIST_OK &&
                hoist_open(&config, &handle, &err) == HOIST_OK &&
                hoist_load(handle, model_id, nullptr, &model, &err) == HOIST_OK;
  if (!loaded) std::cerr << "opentelemetry_cpp: " << err.message << "\n";
  hoist_model_unref(model);
  hoist_close(handle);
  return loaded;
}

int main(int argc, char **argv) {
  if (argc != 2) return std::cerr << "usage: opentelemetry_cpp MODEL-ID\n", 2;

  /* The program's own telemetry, as it has it whatever it loads. */
  auto tracers =
      sdk::trace::TracerProviderFactory::Create(sdk::trace::SimpleSpanProcessorFactory::Create(
          exporter::trace::OStreamSpanExporterFactory::Create()));
  sdk::metrics::MeterProvider meters;
  meters.AddMetricReader(sdk::metrics::PeriodicExportingMetricReaderFactory::Create(
      exporter::metrics::OStreamMetricExporterFactory::Create(),
      sdk::metrics::PeriodicExportingMetricReaderOptions()));
  use_seconds(meters, "inference.model.load.duration");

  /* hoist's, inside it. */
  hoist_opentelemetry::Adapter adapter(tracers->GetTracer("hoist", hoist_version()),
                                       meters.GetMeter("hoist", hoist_version()));
  const hoist_tracer table = adapter.table();
  hoist_telemetry *telemetry = nullptr;
  hoist_error err = hoist_error();
  if (hoist_telemetry_adapt(&table, &telemetry, &err) != HOIST_OK)
    return std::cerr << "opentelemetry_cpp: " << err.message << "\n", 1;

  bool loaded = false;
  {
    auto request = tracers->GetTracer("my-program")->StartSpan("request");
    trace::Scope active(request); /* hoist_load finds it by itself */
    loaded = load(argv[1], telemetry);
  }
  hoist_telemetry_close(telemetry, 0);
  meters.ForceFlush();
  return loaded ? 0 : 1;
}
