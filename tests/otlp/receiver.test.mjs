// SPDX-License-Identifier: Apache-2.0
//
// The receiver itself: it decodes what the official encoder encodes over each transport, refuses
// what the schema does not know, and misbehaves exactly as its script says.

import assert from 'node:assert/strict';
import http from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';
import { startReceiver } from './receiver.mjs';

const require = createRequire(join(dirname(fileURLToPath(import.meta.url)), '../../.deps/npm/tests/node_modules/index.js'));
const grpc = require('@grpc/grpc-js');
const { opentelemetry } = require(join(dirname(require.resolve('@opentelemetry/otlp-transformer/package.json')), 'build/src/generated/root.js'));
const Traces = opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
const TraceResponse = opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse;
const Metrics = opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;

const TRACE = '0102030405060708090a0b0c0d0e0f10';
const request = {
  resourceSpans: [{
    resource: { attributes: [{ key: 'service.name', value: { stringValue: 'hoist' } }] },
    scopeSpans: [{ scope: { name: 's', version: '1' }, spans: [{
      traceId: Buffer.from(TRACE, 'hex'), spanId: Buffer.from('1112131415161718', 'hex'), name: 'model.load', kind: 1,
      startTimeUnixNano: 1_700_000_000_000_000_001n.toString(), endTimeUnixNano: 1_700_000_000_000_000_009n.toString(),
      attributes: [{ key: 'n', value: { intValue: 7 } }, { key: 'd', value: { doubleValue: 0.5 } }, { key: 'b', value: { boolValue: true } },
        { key: 'l', value: { arrayValue: { values: [{ stringValue: 'x' }] } } }],
      status: { code: 2, message: 'no' }, events: [{ name: 'exception', timeUnixNano: '5', attributes: [] }], flags: 0x101,
    }] }],
  }],
};
const bytes = Buffer.from(Traces.encode(Traces.fromObject(request)).finish());

let receiver;
before(async () => { receiver = await startReceiver(); });
after(() => receiver.close());
beforeEach(() => receiver.reset());

function post(body, { path = '/v1/traces', headers = { 'content-type': 'application/x-protobuf' } } = {}) {
  return new Promise((resolve) => {
    const req = http.request({ port: receiver.httpPort, host: '127.0.0.1', path, method: 'POST', headers, timeout: 300 }, (res) => {
      const chunks = [];
      res.on('data', (c) => chunks.push(c));
      res.on('error', () => resolve({ status: res.statusCode, broken: true }));
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks) }));
    });
    req.on('timeout', () => { resolve({ timedOut: true }); req.destroy(); });
    req.on('error', () => resolve({ broken: true }));
    req.end(body);
  });
}

function call(body) {
  const client = new grpc.Client(`127.0.0.1:${receiver.grpcPort}`, grpc.credentials.createInsecure());
  return new Promise((resolve) => {
    client.makeUnaryRequest('/opentelemetry.proto.collector.trace.v1.TraceService/Export', (b) => b, (b) => b, body, { deadline: Date.now() + 5000 },
      (error, answer) => { client.close(); resolve({ code: error?.code ?? 0, details: error?.details, metadata: error?.metadata, answer }); });
  });
}

function assertDecoded() {
  const [span, ...more] = receiver.spans();
  assert.equal(more.length, 0);
  assert.equal(span.traceId, TRACE);
  assert.equal(span.parentSpanId, null);
  assert.equal(span.name, 'model.load');
  assert.equal(span.kind, 'INTERNAL');
  assert.equal(span.endNs - span.startNs, 8n);
  assert.deepEqual(span.attributes, { n: 7, d: 0.5, b: true, l: ['x'] });
  assert.deepEqual(span.status, { code: 'Error', message: 'no' });
  assert.equal(span.events[0].name, 'exception');
  assert.deepEqual(span.resource, { 'service.name': 'hoist' });
}

test('decodes protobuf over HTTP', async () => {
  assert.equal((await post(bytes)).status, 200);
  assertDecoded();
});

test('decodes gzip over HTTP', async () => {
  assert.equal((await post(zlib.gzipSync(bytes), { headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' } })).status, 200);
  assertDecoded();
});

test('decodes JSON with ids in hexadecimal', async () => {
  const json = JSON.parse(JSON.stringify(request, (key, value) => (value?.type === 'Buffer' ? Buffer.from(value.data).toString('hex') : value)));
  assert.equal((await post(JSON.stringify(json), { headers: { 'content-type': 'application/json' } })).status, 200);
  assertDecoded();
});

test('decodes gRPC', async () => {
  assert.equal((await call(bytes)).code, 0);
  assertDecoded();
});

test('decodes metrics', async () => {
  const message = Metrics.fromObject({ resourceMetrics: [{ scopeMetrics: [{ metrics: [
    { name: 'inference.model.loads', sum: { isMonotonic: true, aggregationTemporality: 2, dataPoints: [{ asInt: 3, attributes: [{ key: 'model.id', value: { stringValue: 'a/1' } }] }] } },
    { name: 'inference.model.load.duration', unit: 's', histogram: { aggregationTemporality: 2, dataPoints: [{ count: 2, sum: 1.5, explicitBounds: [1], bucketCounts: [1, 1] }] } },
  ] }] }] });
  assert.equal((await post(Buffer.from(Metrics.encode(message).finish()), { path: '/v1/metrics' })).status, 200);
  const [loads, duration] = receiver.metrics();
  assert.equal(loads.points[0].value, 3);
  assert.equal(loads.temporality, 'cumulative');
  assert.deepEqual(loads.points[0].attributes, { 'model.id': 'a/1' });
  assert.deepEqual([duration.type, duration.unit, duration.points[0].count, duration.points[0].buckets], ['histogram', 's', 2, [1, 1]]);
});

test('refuses bytes that are no message, unknown fields, other types and paths', async () => {
  assert.equal((await post(Buffer.from([0x0a, 0xff]))).status, 400);
  assert.equal((await post(Buffer.concat([bytes, Buffer.from([0xf8, 0x07, 0x01])]))).status, 400);
  assert.match(receiver.requests().at(-1).error, /unknown fields/);
  assert.equal((await post(bytes, { headers: { 'content-type': 'text/plain' } })).status, 415);
  assert.equal((await post(bytes, { path: '/v1/other' })).status, 404);
  assert.equal((await call(Buffer.from([0x0a, 0xff]))).code, grpc.status.INVALID_ARGUMENT);
  assert.equal(receiver.spans().length, 0);
});

test('answers HTTP as scripted, then succeeds', async () => {
  receiver.script([503, { status: 429, retryAfter: 2 }, { halfClose: 'before' }, { halfClose: true }, { garbage: true }, { stall: true }, { partial: { rejected: 3, message: 'bad' } }]);
  assert.equal((await post(bytes)).status, 503);
  const slow = await post(bytes);
  assert.deepEqual([slow.status, slow.headers['retry-after']], [429, '2']);
  assert.ok((await post(bytes)).broken);
  assert.ok((await post(bytes)).broken);
  assert.match((await post(bytes)).body.toString('latin1'), /garbage/);
  assert.ok((await post(bytes)).timedOut);
  const partial = TraceResponse.toObject(TraceResponse.decode((await post(bytes)).body), { longs: Number });
  assert.deepEqual(partial.partialSuccess, { rejectedSpans: 3, errorMessage: 'bad' });
  assert.equal((await post(bytes)).status, 200);
});

test('answers gRPC as scripted, with retry information', async () => {
  receiver.script([{ code: 14, retryInfoMs: 2500, message: 'busy: 100% é' }, 8]);
  const busy = await call(bytes);
  assert.deepEqual([busy.code, busy.details], [14, 'busy: 100% é']);
  const details = busy.metadata.get('grpc-status-details-bin')[0];
  assert.ok(details.includes(Buffer.from('google.rpc.RetryInfo')));
  assert.ok(details.includes(Buffer.from([0x08, 0x02, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01]))); // 2 s, 500000000 ns
  assert.equal((await call(bytes)).code, 8);
  assert.equal((await call(bytes)).code, 0);
});

test('waits for what the test wants, with a bound', async () => {
  setTimeout(() => post(bytes), 20);
  await receiver.waitFor((r) => r.spans().length === 1);
  await assert.rejects(receiver.waitFor((r) => r.spans().length === 2, 30), /got 1/);
});
