// SPDX-License-Identifier: Apache-2.0
//
// The main job: `hoist load` by every path, with the whole span tree as the receiver decoded it. S3 is
// Ceph radosgw, which checks every signature; the API is the strict stand-in.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  assertNoSecrets, assertSoundTrace, assertTree, hoist, hoistOk, jsonLines, listTree, named, tempDir,
} from '../lib/harness.mjs';
import { startCeph, startSwift } from '../servers/servers.mjs';
import { makeWorld, marker, modelFiles, modelId, totalBytes, writeModel } from './world.mjs';

const world = await makeWorld(after);
const ceph = await startCeph();
after(() => ceph.stop());
await ceph.createBucket('models');
for (const [name, data] of Object.entries(modelFiles)) await ceph.upload('models', `${modelId}/${name}`, data);

const files = Object.keys(modelFiles).length;
const seconds = (value) => typeof value === 'number' && value > 0 && value < 60;

/** What every session creation shows: the phases depend on the runtime, so only the framework is fixed. */
const session = {
  name: 'model.session.create',
  attributes: { 'model.id': modelId, 'onnxruntime.version': /^1\.\d+\.\d+/, 'onnxruntime.execution_provider': 'CPUExecutionProvider', graph_cache: 'off' },
  rest: true,
  children: [{ name: 'ort.model_parse' }, { name: 'ort.graph_optimize' }, { name: 'ort.weights' }, { name: 'ort.prepack' }],
};
/** The runtime is opened within the session of a hit, and beside the download of a miss. */
const opening = [{ name: 'ort.dlopen' }, { name: 'ort.create_env' }];
const openedAhead = { name: 'model.runtime.open', children: opening };
const fromCache = (verification) => ({
  name: 'model.artifacts.load',
  attributes: { 'model.id': modelId, 'model.artifacts.source': 'local_cache', 'model.artifacts.files': files, 'model.artifacts.verification': verification },
});
const loaded = (cacheHit, children, attributes = {}) => ({
  name: 'model.load',
  attributes: {
    'model.id': modelId, 'model.load_time_seconds': seconds, 'model.artifacts.cache_hit': cacheHit,
    'model.artifacts.downloaded_bytes': (value) => (cacheHit ? value === 0 : value > 400_000), ...attributes,
  },
  ...(cacheHit ? { children: [...children, { ...session, children: [...opening, ...session.children] }] } : { children: [openedAhead, ...children, session], anyOrder: true }),
});
const get = (status = 200) => ({
  name: 'GET', kind: 'CLIENT',
  ...(status >= 400 ? { status: 'Error' } : {}),
  attributes: { 'http.request.method': 'GET', 'server.address': '127.0.0.1', 'server.port': (v) => v > 0, 'url.full': /^http:/, 'http.response.status_code': status },
});
const file = (child, more = {}) => ({
  name: 'model.artifact.download',
  attributes: { 'model.id': modelId, 'artifact.filename': /./, 'file.size': (v) => v > 0, 'artifact.hash': /^[0-9a-f]{64}$/ },
  children: child ? [child] : [], ...more,
});
const download = (source, children, more = {}) => ({
  name: 'model.artifacts.download',
  attributes: { 'model.id': modelId, 'model.artifacts.source': source, ...more.attributes },
  ...(more.status ? { status: more.status } : {}),
  children,
});
const credentials = { name: 'aws.credentials', attributes: { 'aws.credentials.provider': 'environment' } };
const fromS3 = download('s3', [
  credentials,
  { name: 'S3.ListObjectsV2', kind: 'CLIENT', attributes: { 'aws.s3.bucket': 'models', 'rpc.method': 'ListObjectsV2', 'http.response.status_code': 200 } },
  file({ name: 'S3.GetObject', kind: 'CLIENT', attributes: { 'aws.s3.bucket': 'models', 'aws.s3.key': /^faces\/1\//, 'aws.request_id': /./, 'http.response.status_code': 200 } }, { count: files }),
  { name: 'model.artifacts.commit' },
], { attributes: { 'model.artifacts.files': files, 'model.artifacts.bytes': totalBytes } });
const fromApi = download('roboflow_api', [
  { name: 'roboflow_api.call', attributes: { 'roboflow_api.function': /./ }, children: [get()], rest: true },
  { ...file(get(206), { optional: true }), count: 'some' }, // of unknown size: the first part is asked for
  { ...file(null, { optional: true }), count: 'some' },
  { name: 'model.artifacts.commit' },
], { attributes: { 'model.artifacts.bytes': (v) => v > 400_000 } });

async function load(env, args = []) {
  world.receiver.reset();
  const result = await hoistOk(['load', modelId, ...args], { env });
  const spans = world.receiver.spans();
  assertSoundTrace(spans);
  assertNoSecrets([marker, 'testsecretkey0123456789'], result, world.receiver.requests().map((r) => r.body), { dir: env.MODEL_CACHE_DIR });
  return { result, spans };
}
const cephEnv = (cache, more) => world.env(cache, { ...ceph.env('models'), AWS_SESSION_TOKEN: '', HOIST_SOURCES: 's3', ...more });

test('an S3 miss is downloaded from Ceph, then a hit comes from the cache', async (t) => {
  const env = cephEnv(tempDir(t));
  const miss = await load(env);
  assertTree(miss.spans, loaded(false, [fromS3, fromCache('sha256_on_download')]));
  assert.deepEqual(listTree(join(env.MODEL_CACHE_DIR, modelId)).filter((name) => !name.startsWith('.')), Object.keys(modelFiles).sort());
  assert.deepEqual(readFileSync(join(env.MODEL_CACHE_DIR, modelId, 'weights.onnx')), modelFiles['weights.onnx']);
  const hit = await load(env);
  assertTree(hit.spans, loaded(true, [fromCache(/^(stat|sha256)$/)]));
  assert.notEqual(hit.spans[0].traceId, miss.spans[0].traceId);
});

test('Swift, the second real server, delivers the same files', async (t) => {
  const swift = await startSwift();
  t.after(() => swift.stop());
  await swift.createBucket('models');
  for (const [name, data] of Object.entries(modelFiles)) await swift.upload('models', `${modelId}/${name}`, data);
  const env = world.env(tempDir(t), { ...swift.env('models'), AWS_SESSION_TOKEN: '', HOIST_SOURCES: 's3' });
  world.receiver.reset();
  await hoistOk(['load', modelId], { env });
  assertTree(world.receiver.spans(), loaded(false, [fromS3, fromCache('sha256_on_download')]));
  for (const [name, data] of Object.entries(modelFiles)) assert.deepEqual(readFileSync(join(env.MODEL_CACHE_DIR, modelId, name)), Buffer.from(data));
});

test('an API miss asks the API, fetches the file URLs, and honours the contract', async (t) => {
  world.origin.reset();
  const { spans } = await load(world.env(tempDir(t), { HOIST_SOURCES: 'roboflow_api' }));
  assertTree(spans, loaded(false, [{ ...fromApi, anyOrder: true }, fromCache('sha256_on_download')]));
  assert.deepEqual(world.origin.violations(), []);
  for (const request of world.origin.requests({ kind: 'files' })) assert.equal(request.headers['x-allow-chunked'], undefined);
});

test('a failing S3 falls through to the API, and the failed try stays in the trace', async (t) => {
  const env = world.env(tempDir(t), { HOIST_SOURCES: 's3,roboflow_api', AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9' });
  const { spans, result } = await load(env);
  assertTree(spans, loaded(false, [
    { ...download('s3', [credentials, { name: 'S3.ListObjectsV2', kind: 'CLIENT', status: 'Error', count: 'some', attributes: { 'error.type': 'connection_refused' } }], { status: 'Error', attributes: { 'error.type': 'unavailable' } }) },
    { ...fromApi, anyOrder: true },
    fromCache('sha256_on_download'),
  ]));
  const [failed] = named(spans, 'model.artifacts.download');
  assert.equal(failed.events.filter((event) => event.name === 'exception').length, 1);
  assert.match(result.stdout + result.stderr, /roboflow_api/);
});

test('a load that fails marks the failing span and model.load, once each', async (t) => {
  world.receiver.reset();
  const env = cephEnv(tempDir(t));
  const result = await hoist(['load', 'nobody/7'], { env });
  assert.equal(result.rc, 3, result.output);
  const spans = world.receiver.spans();
  assertSoundTrace(spans);
  assertTree(spans, {
    name: 'model.load', status: 'Error', attributes: { 'model.id': 'nobody/7', 'error.type': 'not_found', 'model.load_time_seconds': seconds },
    anyOrder: true,
    children: [openedAhead, { name: 'model.artifacts.download', status: 'Error', attributes: { 'error.type': 'not_found', 'model.artifacts.source': 's3' }, rest: true }],
  });
  for (const name of ['model.load', 'model.artifacts.download']) {
    const [span] = named(spans, name);
    assert.equal(span.events.filter((event) => event.name === 'exception').length, 1, name);
    assert.ok(span.status.message.length > 0);
  }
  assert.equal(result.stderr.trim().split('\n').filter((line) => line.startsWith('hoist:')).length, 1, result.stderr);
});

test('TRACEPARENT makes the load part of the caller\'s trace', async (t) => {
  world.receiver.reset();
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  await hoistOk(['load', modelId], { env: cephEnv(tempDir(t), { TRACEPARENT: `00-${traceId}-b7ad6b7169203331-01` }) });
  assertSoundTrace(world.receiver.spans(), { traceId, remoteParent: 'b7ad6b7169203331' });
});

test('an unsampled TRACEPARENT exports no span; the waterfall and the trace file show the load all the same', async (t) => {
  world.receiver.reset();
  const dir = tempDir(t);
  const path = join(dir, 'trace.jsonl');
  const env = cephEnv(dir, { TRACEPARENT: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' });
  const result = await hoistOk(['load', modelId, '--trace-file', path], { env });
  assert.equal(world.receiver.spans().length, 0);
  assert.ok(world.receiver.metrics().length > 0);
  assert.match(result.stdout, /model\.session\.create/);
  assert.match(readFileSync(path, 'utf8'), /0af7651916cd43dd8448eb211c80319c/);
});

test('the metrics arrive over OTLP/HTTP', async (t) => {
  world.receiver.reset();
  const env = world.env(tempDir(t), { HOIST_SOURCES: 'roboflow_api' });
  await hoistOk(['load', modelId], { env });
  await hoist(['load', 'nobody/7'], { env });
  const metrics = world.receiver.metrics();
  const latest = (name) => metrics.filter((metric) => metric.name === name).at(-1);
  const loads = metrics.find((metric) => metric.name === 'inference.model.loads');
  assert.equal(loads.type, 'sum');
  assert.equal(loads.monotonic, true);
  assert.deepEqual(loads.points.map((p) => [p.attributes['model.id'], p.value]), [[modelId, 1]]);
  const duration = metrics.find((metric) => metric.name === 'inference.model.load.duration');
  assert.equal(duration.unit, 's');
  assert.equal(duration.points[0].count, 1);
  assert.ok(duration.points[0].sum > 0 && duration.points[0].sum < 60);
  assert.equal(metrics.find((metric) => metric.name === 'inference.models.loaded').monotonic, false);
  assert.ok(latest('inference.roboflow_api.duration').points.every((p) => p.attributes['roboflow_api.function']));
  assert.deepEqual(latest('inference.errors').points.map((p) => p.attributes['error.type']), ['not_found']);
});

test('the same spans reach a trace file, and hoist trace draws them', async (t) => {
  const dir = tempDir(t);
  const path = join(dir, 'trace.jsonl');
  const { spans } = await load(cephEnv(dir), ['--trace-file', path]);
  const inFile = jsonLines(readFileSync(path, 'utf8')).filter((line) => line.resourceSpans)
    .flatMap((line) => line.resourceSpans.flatMap((r) => r.scopeSpans.flatMap((s) => s.spans)));
  assert.deepEqual(inFile.map((span) => span.spanId).sort(), spans.map((span) => span.spanId).sort());
  const drawn = await hoistOk(['trace', path]);
  for (const name of ['model.load', 'model.artifacts.download', 'model.session.create']) assert.ok(drawn.stdout.includes(name), drawn.stdout);
});

test('without any telemetry configured the waterfall is still drawn', async (t) => {
  const env = cephEnv(tempDir(t));
  delete env.OTEL_EXPORTER_OTLP_ENDPOINT;
  world.receiver.reset();
  const result = await hoistOk(['load', modelId], { env });
  for (const name of ['model.load', 'model.artifacts.download', 'model.artifacts.load', 'model.session.create']) assert.ok(result.output.includes(name), result.output);
  assert.equal(world.receiver.requests().length, 0);
});

test('a dead or hanging collector neither fails nor slows a load', async (t) => {
  const env = cephEnv(tempDir(t));
  await hoistOk(['load', modelId], { env });
  const dead = await hoistOk(['load', modelId], { env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' } });
  assert.ok(dead.durationMs < 20_000, `${dead.durationMs} ms`);
  world.receiver.reset();
  world.receiver.script(Array(20).fill({ stall: true }));
  const hanging = await hoistOk(['load', modelId], { env });
  assert.ok(hanging.durationMs < 20_000, `${hanging.durationMs} ms`);
});

test('a directory tree is a source like the others', async (t) => {
  const root = writeModel(tempDir(t));
  const env = world.env(tempDir(t), { HOIST_SOURCES: `dir:${root}` });
  const { spans } = await load(env);
  assertTree(spans, loaded(false, [
    download('dir', [file(null, { count: files }), { name: 'model.artifacts.commit' }], { attributes: { 'model.artifacts.files': files } }),
    fromCache('sha256_on_download'),
  ]));
});
