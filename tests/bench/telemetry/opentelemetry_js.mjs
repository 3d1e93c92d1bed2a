// SPDX-License-Identifier: Apache-2.0
//
// OpenTelemetry JS's side of the telemetry benchmark, as hoist.c is hoist's. Its exporter encodes each
// batch to OTLP and drops it. V8 does not count allocations: the bytes that a round adds to the heap
// are told instead, in a process whose young generation is too large to be collected meanwhile.
//
//   node --expose-gc --max-semi-space-size=256 tests/bench/telemetry/opentelemetry_js.mjs

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { projectRoot } from '../../lib/harness.mjs';

const require = createRequire(join(projectRoot, '.deps/npm/tests/node_modules/index.js'));
const { metrics, trace } = require('@opentelemetry/api');
const { ProtobufTraceSerializer } = require('@opentelemetry/otlp-transformer');
const { AlwaysOffSampler, AlwaysOnSampler, BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');

const rounds = 101;
const calls = 100_000;
const spans = 8000;
let made = 0;
let exported = 0;

async function measure(id, calls, run, settle = () => {}) {
  const round = async () => {
    const started = process.hrtime.bigint();
    run(calls);
    const ns = Number(process.hrtime.bigint() - started) / calls;
    await settle();
    return ns;
  };
  for (let i = 0; i < 5; i++) await round(); // the compiler's turn
  const cpu = process.cpuUsage();
  const ns = [];
  for (let i = 0; i < rounds; i++) ns.push(await round());
  const used = process.cpuUsage(cpu);
  globalThis.gc();
  const few = Math.min(calls, spans);
  const before = process.memoryUsage().heapUsed;
  run(few);
  const bytes = (process.memoryUsage().heapUsed - before) / few;
  await settle();
  ns.sort((a, b) => a - b);
  console.log(JSON.stringify({
    row: id, best_ns: ns[0], median_ns: ns[Math.floor(rounds / 2)], cpu_ns: (used.user + used.system) * 1000 / (rounds * calls), bytes: Math.max(0, bytes),
  }));
}

const exporter = {
  export(batch, done) {
    exported += batch.length;
    ProtobufTraceSerializer.serializeRequest(batch);
    done({ code: 0 });
  },
  shutdown: async () => {},
  forceFlush: async () => {},
};

const startAndEnd = (tracer) => (calls) => {
  for (let i = 0; i < calls; i++) tracer.startSpan('span-name').end();
};
const startSet5AndEnd = (tracer) => (calls) => {
  for (let i = 0; i < calls; i++) {
    const span = tracer.startSpan('span-name');
    span.setAttribute('key2', 'hello');
    span.setAttribute('key4', 'world');
    span.setAttribute('key1', 0);
    span.setAttribute('key3', 123456);
    span.setAttribute('key5', 123);
    span.end();
  }
};

await measure('span.off', calls, startAndEnd(trace.getTracer('bench')));
await measure('span.unsampled', calls, startAndEnd(new BasicTracerProvider({ sampler: new AlwaysOffSampler() }).getTracer('bench')));
const provider = new BasicTracerProvider({
  sampler: new AlwaysOnSampler(),
  spanProcessors: [new BatchSpanProcessor(exporter, { maxQueueSize: 4 * spans, maxExportBatchSize: 512, scheduledDelayMillis: 1 })],
});
for (const [id, run] of [['span.sampled', startAndEnd], ['span.five', startSet5AndEnd]]) {
  const record = run(provider.getTracer('bench'));
  await measure(id, spans, (calls) => { record(calls); made += calls; }, () => provider.forceFlush());
}
await provider.shutdown();
console.log(JSON.stringify({ report: 'spans', value: made }));
console.log(JSON.stringify({ report: 'dropped', value: made - exported }));

const reader = new PeriodicExportingMetricReader({ exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE), exportIntervalMillis: 3_600_000 });
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
const meter = metrics.getMeter('bench');
const counter = meter.createCounter('bench.count');
const histogram = meter.createHistogram('bench.time', { unit: 's' });
await measure('counter', calls, (calls) => { for (let i = 0; i < calls; i++) counter.add(1, { 'model.id': 'coins/1' }); });
await measure('histogram', calls, (calls) => { for (let i = 0; i < calls; i++) histogram.record(0.3, { 'model.id': 'coins/1' }); });
process.exit(0);
