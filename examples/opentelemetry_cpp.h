/* SPDX-License-Identifier: Apache-2.0 */
/* hoist's spans and metrics in the opentelemetry-cpp that a C++ program has already: a struct
 * hoist_tracer over its Tracer and Meter, to copy into the program. Needs C++14 and the headers of
 * opentelemetry-cpp's API, no SDK and no exporter: those are the program's.
 *
 *     hoist_opentelemetry::Adapter adapter(tracer, meter);     // meter: {} for spans only
 *     hoist_tracer table = adapter.table();
 *     hoist_telemetry_adapt(&table, &telemetry, &err);
 *     config.telemetry = telemetry;                            // of struct hoist_config
 *
 * The adapter must outlive the telemetry object. Its functions are called from any thread, as those
 * of opentelemetry-cpp may be. None lets an exception out: what opentelemetry-cpp does where memory
 * is missing (it ends the program), this does too. */
#ifndef EXAMPLES_OPENTELEMETRY_CPP_H
#define EXAMPLES_OPENTELEMETRY_CPP_H

#include <hoist/telemetry.h>

#include <opentelemetry/common/key_value_iterable.h>
#include <opentelemetry/context/runtime_context.h>
#include <opentelemetry/metrics/async_instruments.h>
#include <opentelemetry/metrics/meter.h>
#include <opentelemetry/metrics/observer_result.h>
#include <opentelemetry/metrics/sync_instruments.h>
#include <opentelemetry/trace/tracer.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace hoist_opentelemetry {

namespace common = opentelemetry::common;
namespace metrics = opentelemetry::metrics;
namespace nostd = opentelemetry::nostd;
namespace trace = opentelemetry::trace;

inline const char *text(const char *string) {
  return string ? string : "";
}

/* ---- attributes -------------------------------------------------------------------------------- */

/* The value of a hoist_attr as opentelemetry-cpp takes it: borrowed, but for the arrays whose elements
 * have another layout there. */
class Value {
public:
  explicit Value(const hoist_attr &attr) : value_(convert(attr)) {
  }
  Value(const Value &) = delete;
  Value &operator=(const Value &) = delete;

  const common::AttributeValue &get() const {
    return value_;
  }

private:
  common::AttributeValue convert(const hoist_attr &attr) {
    switch (attr.type) {
    case HOIST_ATTR_STRING:
      return nostd::string_view(text(attr.value.string));
    case HOIST_ATTR_INT:
      return attr.value.integer;
    case HOIST_ATTR_DOUBLE:
      return attr.value.number;
    case HOIST_ATTR_BOOL:
      return attr.value.integer != 0;
    case HOIST_ATTR_STRING_ARRAY:
      for (uint32_t i = 0; i < attr.count; i++)
        strings_.emplace_back(text(attr.value.strings[i]));
      return nostd::span<const nostd::string_view>(strings_.data(), strings_.size());
    case HOIST_ATTR_INT_ARRAY:
      return nostd::span<const int64_t>(attr.value.integers, attr.count);
    case HOIST_ATTR_DOUBLE_ARRAY:
      return nostd::span<const double>(attr.value.numbers, attr.count);
    case HOIST_ATTR_BOOL_ARRAY:
      booleans_.reset(new bool[attr.count]);
      std::transform(attr.value.booleans, attr.value.booleans + attr.count, booleans_.get(),
                     [](uint8_t boolean) { return boolean != 0; });
      return nostd::span<const bool>(booleans_.get(), attr.count);
    }
    return nostd::string_view(); /* a type newer than this file */
  }

  std::vector<nostd::string_view> strings_;
  std::unique_ptr<bool[]> booleans_;
  common::AttributeValue value_; /* after what it may point into */
};

class Attributes final : public common::KeyValueIterable {
public:
  Attributes(const hoist_attr *attrs, size_t count) : attrs_(attrs), count_(count) {
  }
  bool ForEachKeyValue(nostd::function_ref<bool(nostd::string_view, common::AttributeValue)> visit)
      const noexcept override {
    return std::all_of(attrs_, attrs_ + count_,
                       [&](const hoist_attr &attr) { return visit(attr.key, Value(attr).get()); });
  }
  size_t size() const noexcept override {
    return count_;
  }

private:
  const hoist_attr *attrs_;
  size_t count_;
};

/* ---- spans ------------------------------------------------------------------------------------- */

/* What hoist holds as its `void *` span. */
struct Span {
  nostd::shared_ptr<trace::Span> span;
  uint64_t start_unix_ns;
  std::string tracestate; /* what get_context lends out until the end */
  bool is_ok;             /* the status is final */
};

inline trace::SpanContext to_context(const hoist_span_context &context) {
  return trace::SpanContext(trace::TraceId(context.trace_id), trace::SpanId(context.span_id),
                            trace::TraceFlags(context.flags), context.remote != 0,
                            trace::TraceState::FromHeader(text(context.tracestate)));
}

inline trace::SpanKind to_kind(hoist_span_kind kind) {
  switch (kind) {
  case HOIST_SPAN_SERVER:
    return trace::SpanKind::kServer;
  case HOIST_SPAN_CLIENT:
    return trace::SpanKind::kClient;
  case HOIST_SPAN_PRODUCER:
    return trace::SpanKind::kProducer;
  case HOIST_SPAN_CONSUMER:
    return trace::SpanKind::kConsumer;
  case HOIST_SPAN_INTERNAL:
    break;
  }
  return trace::SpanKind::kInternal;
}

/* opentelemetry-cpp takes a span's beginning from one clock and its length from another. hoist's times
 * are of one clock already, so both get the same number and the length comes out exact. */
inline common::SteadyTimestamp to_steady(uint64_t unix_ns) {
  return common::SteadyTimestamp(std::chrono::nanoseconds(unix_ns));
}

inline common::SystemTimestamp to_system(uint64_t unix_ns) {
  return common::SystemTimestamp(std::chrono::nanoseconds(unix_ns));
}

/* ---- metrics ----------------------------------------------------------------------------------- */

using Record = std::function<void(double, const hoist_attr *, size_t)>;

/* A gauge that is set when something happens. ABI 1 of opentelemetry-cpp has only one that is asked: the
 * last value of each attribute set is kept until then. Arrays are left out of its attributes. */
class Gauge {
public:
  explicit Gauge(nostd::shared_ptr<metrics::ObservableInstrument> instrument)
      : instrument_(std::move(instrument)) {
    instrument_->AddCallback(observe, this);
  }
  ~Gauge() {
    instrument_->RemoveCallback(observe, this);
  }
  Gauge(const Gauge &) = delete;
  Gauge &operator=(const Gauge &) = delete;

  void set(double value, const hoist_attr *attrs, size_t count) {
    Key key;
    for (size_t i = 0; i < count; i++)
      if (attrs[i].type <= HOIST_ATTR_BOOL) key.emplace_back(attrs[i]);
    std::lock_guard<std::mutex> guard(lock_);
    last_[std::move(key)] = value;
  }

private:
  struct OwnedAttr {
    explicit OwnedAttr(const hoist_attr &attr)
        : key(attr.key), type(attr.type), bits(attr.value.integer) {
      if (type != HOIST_ATTR_STRING) return;
      string = text(attr.value.string);
      bits = 0;
    }
    hoist_attr lend() const {
      hoist_attr attr = hoist_attr();
      attr.key = key.c_str();
      attr.type = type;
      attr.value.integer = bits;
      if (type == HOIST_ATTR_STRING) attr.value.string = string.c_str();
      return attr;
    }
    bool operator<(const OwnedAttr &other) const {
      return std::tie(key, type, string, bits) <
             std::tie(other.key, other.type, other.string, other.bits);
    }
    std::string key, string;
    hoist_attr_type type;
    int64_t bits; /* of the number, whatever its type */
  };
  using Key = std::vector<OwnedAttr>;

  static void observe(metrics::ObserverResult result, void *self) {
    using Doubles = nostd::shared_ptr<metrics::ObserverResultT<double>>;
    Gauge *gauge = static_cast<Gauge *>(self);
    std::lock_guard<std::mutex> guard(gauge->lock_);
    for (const auto &entry : gauge->last_) {
      std::vector<hoist_attr> attrs;
      for (const OwnedAttr &attr : entry.first)
        attrs.push_back(attr.lend());
      nostd::get<Doubles>(result)->Observe(entry.second, Attributes(attrs.data(), attrs.size()));
    }
  }

  nostd::shared_ptr<metrics::ObservableInstrument> instrument_;
  std::mutex lock_;
  std::map<Key, double> last_;
};

/* How to record with an instrument of hoist's. A histogram's bounds are the program's to choose, with a
 * view of its MeterProvider (opentelemetry_cpp.cc does). */
inline Record make_instrument(metrics::Meter &meter, const hoist_instrument &i) {
  const char *unit = text(i.unit), *description = text(i.description);
  switch (i.kind) {
  case HOIST_COUNTER: {
    std::shared_ptr<metrics::Counter<double>> counter(
        meter.CreateDoubleCounter(i.name, description, unit).release());
    return [counter](double value, const hoist_attr *attrs, size_t count) {
      counter->Add(value, Attributes(attrs, count),
                   opentelemetry::context::RuntimeContext::GetCurrent());
    };
  }
  case HOIST_UP_DOWN_COUNTER: {
    std::shared_ptr<metrics::UpDownCounter<double>> counter(
        meter.CreateDoubleUpDownCounter(i.name, description, unit).release());
    return [counter](double value, const hoist_attr *attrs, size_t count) {
      counter->Add(value, Attributes(attrs, count),
                   opentelemetry::context::RuntimeContext::GetCurrent());
    };
  }
  case HOIST_HISTOGRAM:
  case HOIST_EXPONENTIAL_HISTOGRAM: { /* which of the two, a view says */
    std::shared_ptr<metrics::Histogram<double>> histogram(
        meter.CreateDoubleHistogram(i.name, description, unit).release());
    return [histogram](double value, const hoist_attr *attrs, size_t count) {
      histogram->Record(value, Attributes(attrs, count),
                        opentelemetry::context::RuntimeContext::GetCurrent());
    };
  }
  case HOIST_GAUGE: {
    auto gauge =
        std::make_shared<Gauge>(meter.CreateDoubleObservableGauge(i.name, description, unit));
    return [gauge](double value, const hoist_attr *attrs, size_t count) {
      gauge->set(value, attrs, count);
    };
  }
  }
  return [](double, const hoist_attr *, size_t) {}; /* a kind newer than this file */
}

/* ---- the table --------------------------------------------------------------------------------- */

class Adapter {
public:
  explicit Adapter(nostd::shared_ptr<trace::Tracer> tracer,
                   nostd::shared_ptr<metrics::Meter> meter = {})
      : tracer_(std::move(tracer)), meter_(std::move(meter)) {
  }
  Adapter(const Adapter &) = delete;
  Adapter &operator=(const Adapter &) = delete;

  /* What hoist_telemetry_adapt takes; it points at this object. */
  hoist_tracer table() {
    hoist_tracer table = hoist_tracer();
    table.size = sizeof table;
    table.user = this;
    table.span_start = span_start;
    table.span_set_attr = span_set_attr;
    table.span_add_event = span_add_event;
    table.span_set_status = span_set_status;
    table.span_get_context = span_get_context;
    table.span_end = span_end;
    table.span_update_name = span_update_name;
    table.span_is_recording = span_is_recording;
    if (meter_) table.metric_add = metric_add;
#if OPENTELEMETRY_ABI_VERSION_NO >= 2
    table.span_add_link = span_add_link; /* ABI 1 takes links at the start of a span only */
#endif
    return table;
  }

private:
  static Span *from(void *span) {
    return static_cast<Span *>(span);
  }

  /* Below: a span of hoist's, else what came from another process, else the span that is active in the
   * calling thread of the program, else nothing. The last two are StartSpan's own rule. */
  static void *span_start(void *user, const char *name, hoist_span_kind kind, void *parent,
                          const hoist_span_context *remote, uint64_t start_unix_ns) noexcept {
    trace::StartSpanOptions options;
    options.kind = to_kind(kind);
    options.start_system_time = to_system(start_unix_ns);
    options.start_steady_time = to_steady(start_unix_ns);
    if (parent)
      options.parent = from(parent)->span->GetContext();
    else if (remote && hoist_span_context_is_valid(remote)) /* it may be there only to be forced */
      options.parent = to_context(*remote);
    auto span = static_cast<Adapter *>(user)->tracer_->StartSpan(name, options);
    std::string tracestate = span->GetContext().trace_state()->ToHeader();
    return new Span{std::move(span), start_unix_ns, std::move(tracestate), false};
  }

  static void span_set_attr(void *, void *span, const hoist_attr *attr) noexcept {
    from(span)->span->SetAttribute(attr->key, Value(*attr).get());
  }

  static void span_add_event(void *, void *span, const char *name, uint64_t unix_ns,
                             const hoist_attr *attrs, size_t count) noexcept {
    from(span)->span->AddEvent(name, to_system(unix_ns), Attributes(attrs, count));
  }

  /* Ok is final (Trace API, "Set Status"); opentelemetry-cpp lets the last one win. */
  static void span_set_status(void *, void *span, hoist_span_status status,
                              const char *description) noexcept {
    if (from(span)->is_ok) return;
    from(span)->is_ok = status == HOIST_SPAN_OK;
    from(span)->span->SetStatus(status == HOIST_SPAN_OK ? trace::StatusCode::kOk
                                                        : trace::StatusCode::kError,
                                text(description));
  }

  static void span_get_context(void *, void *span, hoist_span_context *ret_context) noexcept {
    const trace::SpanContext context = from(span)->span->GetContext();
    const auto &trace_id = context.trace_id().Id();
    const auto &span_id = context.span_id().Id();
    std::copy(trace_id.begin(), trace_id.end(), ret_context->trace_id);
    std::copy(span_id.begin(), span_id.end(), ret_context->span_id);
    ret_context->flags = context.trace_flags().flags();
    ret_context->remote = context.IsRemote();
    ret_context->forced = 0;
    ret_context->tracestate = from(span)->tracestate.c_str();
  }

  static void span_update_name(void *, void *span, const char *name) noexcept {
    from(span)->span->UpdateName(name);
  }

  static int span_is_recording(void *, void *span) noexcept {
    return from(span)->span->IsRecording();
  }

#if OPENTELEMETRY_ABI_VERSION_NO >= 2
  static void span_add_link(void *, void *span, const hoist_span_context *context,
                            const hoist_attr *attrs, size_t count) noexcept {
    const Attributes attributes(attrs, count);
    const common::KeyValueIterable &iterable = attributes; /* not the overload for containers */
    from(span)->span->AddLink(to_context(*context), iterable);
  }
#endif

  static void span_end(void *, void *span, uint64_t end_unix_ns) noexcept {
    std::unique_ptr<Span> ended(from(span));
    trace::EndSpanOptions options;
    options.end_steady_time = to_steady(std::max(end_unix_ns, ended->start_unix_ns));
    ended->span->End(options);
  }

  static void metric_add(void *user, const hoist_instrument *instrument, double value,
                         const hoist_attr *attrs, size_t count) noexcept {
    static_cast<Adapter *>(user)->find (*instrument)(value, attrs, count);
  }

  /* An instrument of hoist's is known by its address. References into the map stay good. */
  const Record &find(const hoist_instrument &instrument) {
    std::lock_guard<std::mutex> guard(lock_);
    Record &record = instruments_[&instrument];
    if (!record) record = make_instrument(*meter_, instrument);
    return record;
  }

  nostd::shared_ptr<trace::Tracer> tracer_;
  nostd::shared_ptr<metrics::Meter> meter_;
  std::mutex lock_;
  std::unordered_map<const hoist_instrument *, Record> instruments_;
};

} /* namespace hoist_opentelemetry */
#endif
