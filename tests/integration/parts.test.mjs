// SPDX-License-Identifier: Apache-2.0
//
// A file large enough for parts, from servers that can do them, cannot, lie, break or change the file
// meanwhile. `hoist pull` only: nobody opens the model.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertSoundTrace, hoist, hoistOk, listTree, named, start, tempDir } from '../lib/harness.mjs';
import { makeWorld, modelFiles, putModel } from './world.mjs';

const MiB = 1024 * 1024;
const world = await makeWorld(after);
const id = 'big/1';
const data = randomBytes(40 * MiB + 4321);
const other = randomBytes(data.length);
const s3 = { HOIST_SOURCES: 's3', HOIST_MAX_ATTEMPTS: '3' };
const api = { HOIST_SOURCES: 'roboflow_api', HOIST_MAX_ATTEMPTS: '3' };
const weights = { path: '/weights\\.onnx' };
const asked = () => world.origin.requests({ path: /weights\.onnx$/ });

function reset(script = []) {
  putModel(world.origin, id, { ...modelFiles, 'weights.onnx': data });
  world.origin.reset();
  world.receiver.reset();
  world.origin.script(script);
}

async function pull(t, env, script) {
  reset(script);
  const cache = tempDir(t);
  const result = await hoist(['pull', id], { env: world.env(cache, env) });
  assertSoundTrace(world.receiver.spans());
  return { result, cache, spans: world.receiver.spans() };
}

function assertWhole({ result, cache }, expected = data) {
  assert.equal(result.rc, 0, result.output);
  assert.ok(readFileSync(join(cache, id, 'weights.onnx')).equals(expected), 'the bytes differ');
  assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
}

const ranges = () => asked().map((request) => request.headers.range);

for (const [name, env] of [['S3', s3], ['file URLs of unknown size', api]]) {
  test(`${name}: every part is asked for once, all of the same version, below one span`, async (t) => {
    const pulled = await pull(t, env);
    assertWhole(pulled);
    const whole = ranges().filter((range) => Number(/=(\d+)/.exec(range)[1]) % (8 * MiB) === 0); // on a busy machine a part may look slow, and be asked for again from where it stands
    assert.deepEqual([...new Set(whole)].sort(), Array.from({ length: 6 }, (_, i) => `bytes=${i * 8 * MiB}-${Math.min(data.length, (i + 1) * 8 * MiB) - 1}`).sort());
    for (const request of asked().slice(1)) assert.match(request.headers['if-match'] ?? request.headers['if-range'], /^"[0-9a-f]{32}"$/);
    const [file] = named(pulled.spans, 'model.artifact.download').filter((span) => span.attributes['artifact.filename'] === 'weights.onnx');
    const requests = pulled.spans.filter((span) => span.parentSpanId === file.spanId);
    assert.equal(requests.length, asked().length);
    const hedged = requests.some((span) => span.attributes['hoist.http.stopped']);
    const received = requests.reduce((sum, span) => sum + Number(span.attributes['http.response.body.size'] ?? 0), 0);
    assert.ok(hedged ? received > data.length : received === data.length, `${received} bytes`);
  });
}

/** Faults that heal: [title, environment, script]. */
const healing = [
  ['a server that ignores ranges', s3, [{ ...weights, ignoreRange: true, times: 0 }]],
  ['file URLs whose server ignores ranges', api, [{ ...weights, ignoreRange: true, times: 0 }]],
  ['one that ignores them now and then', s3, [{ ...weights, ignoreRange: true, skip: 2 }]],
  ['a wrong Content-Range', s3, [{ ...weights, headers: { 'content-range': `bytes 0-8388607/${data.length}` }, skip: 2 }]],
  ['no Content-Range', api, [{ ...weights, headers: { 'content-range': null }, skip: 1 }]],
  ['a 416', s3, [{ ...weights, status: 416, skip: 1 }]],
  ['a part that is cut short', s3, [{ ...weights, close: true, at: 0.7, skip: 1, times: 2 }]],
  ['resets', api, [{ ...weights, reset: true, at: 0.4, skip: 1, times: 2 }]],
  ['a stall', { ...s3, HOIST_STALL_TIMEOUT: '1' }, [{ ...weights, stall: true, at: 0.5, skip: 2 }]],
  ['a trickle', { ...s3, HOIST_STALL_TIMEOUT: '1' }, [{ ...weights, drip: { bytes: 100, ms: 50 }, skip: 1 }]],
  ['a wrong Content-Length', s3, [{ ...weights, lengthDelta: -100, skip: 1 }]],
  ['a storm of 503s', { ...s3, HOIST_MAX_ATTEMPTS: '10' }, [{ path: '.', status: 503, every: 2, times: 0 }]],
  ['a storm of 429s with Retry-After', { ...api, HOIST_MAX_ATTEMPTS: '10' }, [{ path: '.', status: 429, retryAfter: 0, every: 3, times: 0 }]],
  ['503s', s3, [{ ...weights, status: 503, skip: 1, times: 2 }]],
  ['a URL that expires in the middle', api, [{ path: '^/files/.*weights', status: 403, skip: 2 }]],
];
for (const [title, env, script] of healing)
  test(`${title}: heals`, async (t) => assertWhole(await pull(t, env, script)));

test('what an attempt brought is not asked for again', async (t) => {
  assertWhole(await pull(t, s3, [{ ...weights, reset: true, at: 0.5, skip: 1 }]));
  const starts = ranges().map((range) => Number(/=(\d+)-/.exec(range)[1])).filter((at) => at % (8 * MiB) !== 0);
  assert.equal(starts.length, 1);
});

test('a lie for ever is an error of its own', async (t) => {
  const { result, cache } = await pull(t, s3, [{ ...weights, headers: { 'content-range': 'bytes 1-2/3' }, status: 206, body: 'abc', times: 0 }]);
  assert.equal(result.rc, 7, result.output);
  assert.match(result.stderr, /weights\.onnx/);
  assert.ok(!existsSync(join(cache, id)));
  assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
});

for (const [title, skip] of [['a corrupt byte in one of the parts', 1], ['a corrupt byte in the first part', 0]])
  test(`${title}: the file is fetched once more, without ranges`, async (t) => {
    const pulled = await pull(t, s3, [{ path: '^/models/.*weights\\.onnx', corrupt: true, skip }]);
    assertWhole(pulled);
    assert.equal(ranges().at(-1), undefined);
    assert.equal(ranges().filter((range) => range === undefined).length, 1);
    assert.match(pulled.result.stderr, /weights\.onnx: md5 is [0-9a-f]{32}, the source promised [0-9a-f]{32}: it is fetched once more/);
    const [file] = named(pulled.spans, 'model.artifact.download').filter((span) => span.attributes['artifact.filename'] === 'weights.onnx');
    assert.deepEqual(file.events.map((event) => event.name), ['artifact.wrong_digest']);
  });

test('a file that came wrong once is told by the waterfall', async (t) => {
  reset([{ path: '^/models/.*weights\\.onnx', corrupt: true }]);
  const { stdout, stderr } = await hoistOk(['pull', id, '--waterfall'], { env: { ...world.env(tempDir(t), s3), COLUMNS: '200' } });
  assert.match(stdout + stderr, /model\.artifact\.download .* came wrong once .*weights\.onnx/);
});

test('a corrupt byte that comes again is never published', async (t) => {
  const corrupt = [{ path: '^/models/.*weights\\.onnx', corrupt: true, skip: 1, times: 0 }];
  const { result, cache } = await pull(t, s3, corrupt);
  assert.equal(result.rc, 7, result.output);
  assert.match(result.stderr, /weights\.onnx: md5 is [0-9a-f]{32}, the source promised [0-9a-f]{32}(, both times it was fetched|, and something else the other time it was fetched); nothing was kept/);
  assert.ok(!existsSync(join(cache, id)));
  assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
  assertWhole(await pull(t, { ...s3, HOIST_SOURCES: 's3,roboflow_api' }, corrupt));
});

/** Puts another version each time the weights were asked for once more, as long as `more` says so. */
async function pullWhileItChanges(t, { HOIST_SOURCES }, more) {
  reset([{ ...weights, delayMs: 200, skip: 1, times: 0 }]);
  const cache = tempDir(t);
  const { done } = start(['pull', id], { env: world.env(cache, { HOIST_SOURCES }) });
  let finished = false;
  done.then(() => { finished = true; });
  for (let seen = 1, version = 0; !finished; await new Promise((ok) => setTimeout(ok, 5))) {
    if (asked().length <= seen || !more(version)) continue;
    seen = asked().length + 2;
    version++;
    putModel(world.origin, id, { 'weights.onnx': version % 2 ? other : Buffer.concat([data.subarray(0, -4), Buffer.from(String(version).padStart(4))]) });
  }
  return { result: await done, cache };
}

for (const [title, env] of [['in S3', s3], ['behind file URLs', api]]) {
  test(`a file ${title} that changes once is fetched anew`, async (t) => {
    assertWhole(await pullWhileItChanges(t, env, (version) => version === 0), other);
  });

  test(`one ${title} that changes again and again is corrupt`, async (t) => {
    const { result, cache } = await pullWhileItChanges(t, env, () => true);
    assert.equal(result.rc, 7, result.output);
    assert.match(result.stderr, /weights\.onnx: changed twice/);
    assert.ok(!existsSync(join(cache, id)));
    assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
  });
}
