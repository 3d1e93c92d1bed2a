// SPDX-License-Identifier: Apache-2.0
//
// What hoist's requests carry on: the trace context of their own attempt, or of whoever called; and the
// baggage, which only the API may see. The stand-in origin records the headers and checks the signatures;
// that Ceph, too, takes signed requests with these headers is load.test.mjs's everyday case.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { join } from 'node:path';
import { assertSoundTrace, hoistOk, tempDir } from '../lib/harness.mjs';
import { makeWorld, modelId } from './world.mjs';

const world = await makeWorld(after);
const traceId = '0af7651916cd43dd8448eb211c80319c';
const sampled = `00-${traceId}-b7ad6b7169203331-01`;
const unsampled = `00-${traceId}-b7ad6b7169203331-00`;
const names = ['traceparent', 'tracestate', 'baggage', 'x-trace-id'];

async function pull(t, env, args = []) {
  world.origin.reset();
  world.receiver.reset();
  await hoistOk(['pull', modelId, ...args], { env: world.env(tempDir(t), env) });
  assert.deepEqual(world.origin.violations(), []);
  return world.origin.requests();
}

/** Every request names the span of its own attempt, which knows the request's path and status. */
function assertOwnSpans(requests, spans, { flags = '01' } = {}) {
  const attempts = new Map(spans.filter((span) => span.kind === 'CLIENT').map((span) => [span.spanId, span]));
  assert.ok(requests.length > 0);
  for (const request of requests) {
    const [version, trace, parent, sent] = request.headers.traceparent.split('-');
    const span = attempts.get(parent);
    assert.ok(span, `${request.path}: no span ${parent}`);
    assert.deepEqual([version, trace, sent], ['00', span.traceId, flags]);
    assert.equal(span.attributes['http.response.status_code'], request.status);
    assert.ok(span.attributes['url.full'].includes(request.path), `${span.attributes['url.full']} is not ${request.path}`);
    attempts.delete(parent);
  }
  assert.equal(attempts.size, 0, 'there are spans of requests that nobody saw');
}

const sent = (requests) => requests.map((request) => Object.fromEntries(names.filter((name) => name in request.headers).map((name) => [name, request.headers[name]])));
const assertAllSent = (requests, expected) => {
  assert.ok(requests.length > 0);
  for (const headers of sent(requests)) assert.deepEqual(headers, expected);
};

test('every signed request to S3 names the span of its own attempt, a retried one too', async (t) => {
  world.origin.reset();
  world.receiver.reset();
  world.origin.script([{ path: 'weights\\.onnx', status: 503, retryAfter: 0 }]);
  await hoistOk(['pull', modelId], { env: world.env(tempDir(t), { HOIST_SOURCES: 's3', TRACEPARENT: sampled, BAGGAGE: 'user=1' }) });
  const requests = world.origin.requests(), spans = world.receiver.spans();
  assertSoundTrace(spans, { traceId, remoteParent: 'b7ad6b7169203331' });
  assertOwnSpans(requests, spans);
  const weights = requests.filter((request) => request.path.endsWith('weights.onnx'));
  assert.deepEqual(weights.map((request) => request.status), [503, 200]);
  for (const request of requests) {
    assert.match(request.headers.authorization, /SignedHeaders=(?!.*(traceparent|tracestate|baggage))/);
    assert.ok(!('baggage' in request.headers), 'baggage went to storage');
  }
});

test('the API gets the baggage, the storage behind it does not; both name their spans', async (t) => {
  const requests = await pull(t, { HOIST_SOURCES: 'roboflow_api', BAGGAGE: 'user = Am%C3%A9lie ;p, empty=' });
  assertOwnSpans(requests, world.receiver.spans(), { flags: '03' }); // a new trace: its id is random
  const api = requests.filter((request) => request.kind === 'api'), files = requests.filter((request) => request.kind === 'files');
  assert.ok(api.length > 0 && files.length > 0);
  for (const request of api) assert.equal(request.headers.baggage, 'user=Am%C3%A9lie;p,empty=');
  for (const request of files) assert.ok(!('baggage' in request.headers));
  for (const request of world.receiver.requests()) for (const name of names) assert.ok(!(name in request.headers), `the collector got ${name}`);
});

test('where nothing is recorded, what came goes on unchanged', async (t) => {
  const came = { TRACEPARENT: sampled, TRACESTATE: 'rojo=00f067aa0ba902b7 , congo=t61rcWkgMzE' };
  const expected = { traceparent: sampled, tracestate: 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE' };
  assertAllSent(await pull(t, { ...came, HOIST_SOURCES: 's3', OTEL_SDK_DISABLED: 'true' }), expected);
  assertAllSent(await pull(t, { ...came, HOIST_SOURCES: 's3', OTEL_EXPORTER_OTLP_ENDPOINT: '' }), expected);
  assert.equal(world.receiver.requests().length, 0);
});

test('an unsampled parent goes on unchanged, also where the trace file shows the pull', async (t) => {
  const env = { HOIST_SOURCES: 's3', TRACEPARENT: unsampled };
  assertAllSent(await pull(t, env, ['--trace-file', join(tempDir(t), 'trace.jsonl')]), { traceparent: unsampled });
});

test('a trace that is not sampled says so to the servers', async (t) => {
  const requests = await pull(t, { HOIST_SOURCES: 's3', OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' });
  assert.ok(requests.length > 1);
  for (const request of requests) assert.match(request.headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[02]$/);
  assert.equal(new Set(requests.map((request) => request.headers.traceparent.slice(3, 35))).size, 1);
  assert.equal(new Set(requests.map((request) => request.headers.traceparent)).size, requests.length);
});

test('nothing goes out where nobody asked for telemetry and nothing came', async (t) => {
  assertAllSent(await pull(t, { HOIST_SOURCES: 's3', OTEL_EXPORTER_OTLP_ENDPOINT: '' }), {});
  assertAllSent(await pull(t, { HOIST_SOURCES: 's3', OTEL_EXPORTER_OTLP_ENDPOINT: '', TRACEPARENT: 'nonsense', TRACESTATE: 'a=1' }), {});
});

test('OTEL_PROPAGATORS says what comes in and goes out', async (t) => {
  const came = { HOIST_SOURCES: 'roboflow_api', TRACEPARENT: sampled, TRACESTATE: 'a=1', BAGGAGE: 'user=1' };
  assertAllSent(await pull(t, { ...came, OTEL_PROPAGATORS: 'none' }), {});
  assertSoundTrace(world.receiver.spans());
  assert.notEqual(world.receiver.spans()[0].traceId, traceId);
  for (const { traceparent, tracestate, baggage } of sent(await pull(t, { ...came, OTEL_PROPAGATORS: 'tracecontext' }))) {
    assert.ok(traceparent.startsWith(`00-${traceId}-`));
    assert.equal(tracestate, 'a=1');
    assert.equal(baggage, undefined);
  }
  const requests = await pull(t, { ...came, OTEL_PROPAGATORS: 'baggage' });
  assertAllSent(requests.filter((request) => request.kind === 'api'), { baggage: 'user=1' });
  assertAllSent(requests.filter((request) => request.kind === 'files'), {});
});
