// SPDX-License-Identifier: Apache-2.0
//
// An origin that misbehaves: what heals by itself heals, what cannot is an error of the right class,
// and the files are right in the end or not there.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertNoSecrets, assertSoundTrace, hoist, listTree, named, start, tempDir } from '../lib/harness.mjs';
import { makeWorld, marker, modelFiles, modelId } from './world.mjs';

const world = await makeWorld(after);

const s3 = { HOIST_SOURCES: 's3', HOIST_MAX_ATTEMPTS: '3' };
const api = { HOIST_SOURCES: 'roboflow_api', HOIST_MAX_ATTEMPTS: '3' };
const weights = { path: 'weights\\.onnx' };

async function load(t, env, script) {
  world.origin.reset();
  world.receiver.reset();
  world.origin.script(script);
  const cache = tempDir(t);
  const result = await hoist(['load', modelId], { env: world.env(cache, env) });
  assertNoSecrets([marker], result, world.receiver.requests().map((r) => r.body), { dir: cache });
  assertSoundTrace(world.receiver.spans());
  assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
  return { result, cache, spans: world.receiver.spans() };
}

/** Faults that go away: [title, environment, script, how often the weights are asked for]. */
const healing = [
  ['a 500, once', s3, [{ ...weights, status: 500 }], 2],
  ['a 503 with Retry-After', s3, [{ ...weights, status: 503, retryAfter: 1 }], 2],
  ['a 429', api, [{ ...weights, status: 429 }], 2],
  ['a reset in the middle', s3, [{ ...weights, reset: true, at: 0.5 }], 2],
  ['a reset in the middle, twice', api, [{ ...weights, reset: true, at: 0.3, times: 2 }], 3],
  ['a body shorter than announced', s3, [{ ...weights, close: true, at: 0.9 }], 2],
  ['a connection closed without an answer', s3, [{ ...weights, close: 'before' }], 2],
  ['a slow answer', s3, [{ ...weights, delayMs: 500 }], 1],
  ['no Content-Length', s3, [{ ...weights, chunked: true }], 1],
  ['a Content-Length that is too large, from the API', api, [{ ...weights, lengthDelta: 100 }], 2],
  ['a stall', { ...s3, HOIST_STALL_TIMEOUT: '1' }, [{ ...weights, stall: true, at: 0.5 }], 2],
  ['a trickle', { ...s3, HOIST_STALL_TIMEOUT: '1' }, [{ ...weights, drip: { bytes: 100, ms: 50 } }], 2],
  ['a slow server that goes on', { ...s3, HOIST_STALL_TIMEOUT: '1' }, [{ ...weights, drip: { bytes: 32768, ms: 90 } }], 1],
  ['a storm of 503s', { ...s3, HOIST_MAX_ATTEMPTS: '10' }, [{ path: '^/models', status: 503, every: 2, times: 0 }], [1, 2, 3, 4]],
  ['a storm of 429s', { ...api, HOIST_MAX_ATTEMPTS: '10' }, [{ path: '^/(ort|files)', status: 429, every: 2, times: 0 }], [1, 2, 3, 4]],
  ['a listing that fails once', s3, [{ path: 'list-type', status: 503 }], 1],
  ['an API that fails once', api, [{ path: '^/ort/', status: 502 }], 1],
  ['file URLs that have expired', api, [{ path: '^/ort/', expire: true }], [1, 2]],
];
for (const [title, env, script, asked] of healing) {
  test(`${title}: heals`, async (t) => {
    const { result, cache } = await load(t, env, script);
    assert.equal(result.rc, 0, result.output);
    assert.deepEqual(readFileSync(join(cache, modelId, 'weights.onnx')), modelFiles['weights.onnx']);
    const requests = world.origin.requests({ path: /weights\.onnx$/ }).filter((r) => r.status !== 403);
    assert.ok([asked].flat().includes(requests.length), `${requests.length} requests for the weights`);
  });
}

/** Faults that stay: [title, environment, script, exit status, error.type of the download]. */
const lasting = [
  ['500 for ever', s3, [{ ...weights, status: 500, times: 0 }], 5, 'unavailable'],
  ['503s for ever', s3, [{ ...weights, status: 503, times: 0 }], 5, 'unavailable'],
  ['a trickle for ever', { ...s3, HOIST_STALL_TIMEOUT: '1', HOIST_MAX_ATTEMPTS: '2' }, [{ ...weights, drip: { bytes: 100, ms: 50 }, times: 0 }], 5, 'unavailable'],
  ['resets for ever', s3, [{ ...weights, reset: true, at: 0.5, times: 0 }], 5, 'unavailable'],
  ['a wrong digest', s3, [{ ...weights, corrupt: true, times: 0 }], 7, 'corrupt'],
  ['a wrong digest from the API', api, [{ ...weights, corrupt: true, times: 0 }], 7, 'corrupt'],
  ['a Content-Length that is not the listing\'s', s3, [{ ...weights, lengthDelta: 100, times: 0 }], 7, 'corrupt'],
  ['a listing that says more than comes', s3, [{ ...weights, lengthDelta: -100, times: 0 }], [5, 7], /unavailable|corrupt/],
  ['a Content-Length that is too small, from the API', api, [{ ...weights, lengthDelta: -100, times: 0 }], 7, 'corrupt'],
  ['401', api, [{ path: '^/ort/', status: 401, times: 0 }], 4, 'denied'],
  ['402', api, [{ path: '^/ort/', status: 402, times: 0 }], 4, 'denied'],
  ['403', api, [{ path: '^/ort/', status: 403, times: 0 }], 4, 'denied'],
  ['404', api, [{ path: '^/ort/', status: 404, times: 0 }], 3, 'not_found'],
  ['423', api, [{ path: '^/ort/', status: 423, times: 0 }], 4, 'denied'],
  ['429 for ever', api, [{ path: '^/ort/', status: 429, times: 0 }], 5, 'unavailable'],
  ['503 for ever', api, [{ path: '^/ort/', status: 503, times: 0 }], 5, 'unavailable'],
  ['an object that vanishes after the listing', s3, [{ ...weights, status: 404, times: 0 }], 3, 'not_found'],
  ['a file URL that is refused even when fresh', api, [{ path: '^/files/.*weights', status: 403, times: 0 }], 4, 'denied'],
  ['a redirect in circles', api, [{ path: '^/files/.*weights', redirect: '/files/faces/1/weights.onnx', times: 0 }], [5, 7], /unavailable|corrupt/],
  ['a redirect to a file of this machine', api, [{ path: '^/files/.*weights', redirect: 'file:///etc/passwd', times: 0 }], [5, 7], /unavailable|corrupt/],
];
for (const [title, env, script, rc, type] of lasting) {
  test(`${title}: a clear failure`, async (t) => {
    const { result, cache, spans } = await load(t, env, script);
    assert.ok([rc].flat().includes(result.rc), `exit ${result.rc}\n${result.output}`);
    const lines = result.stderr.split('\n').filter((line) => /^hoist: (?!warning: )/.test(line));
    assert.equal(lines.length, 1, result.output);
    const [download] = named(spans, 'model.artifacts.download');
    assert.equal(download.status.code, 'Error');
    assert.match(download.attributes['error.type'], type instanceof RegExp ? type : new RegExp(`^${type}$`));
    assert.ok(!existsSync(join(cache, modelId)));
  });
}

test('each attempt is a span of its own, and says which', async (t) => {
  const { spans } = await load(t, s3, [{ ...weights, status: 503, times: 2 }]);
  const attempts = named(spans, 'S3.GetObject').filter((span) => span.attributes['aws.s3.key'].endsWith('weights.onnx'));
  assert.deepEqual(attempts.map((span) => span.attributes['http.response.status_code']), [503, 503, 200]);
  assert.deepEqual(attempts.map((span) => span.attributes['http.request.resend_count']), [undefined, 1, 2]);
  assert.deepEqual(attempts.map((span) => span.status.code), ['Error', 'Error', 'Unset']);
});

test('Retry-After is honoured', async (t) => {
  const { spans } = await load(t, s3, [{ ...weights, status: 503, retryAfter: 2 }]);
  const [first, second] = named(spans, 'S3.GetObject').filter((span) => span.attributes['aws.s3.key'].endsWith('weights.onnx'));
  assert.ok(second.startNs - first.endNs >= 1_900_000_000n);
});

for (const [source, env] of [['S3', s3], ['the API', api]])
  test(`a Retry-After longer than the timeout allows, from ${source}: gives up at once, and says so`, async (t) => {
    world.origin.reset();
    world.origin.script([{ ...weights, status: 503, retryAfter: 45, times: 0 }]);
    const { rc, stderr } = await hoist(['pull', modelId, '--timeout', '30'], { env: world.env(tempDir(t), env) });
    assert.equal(rc, 5, stderr);
    assert.match(stderr, /after 1 attempt, asking for a wait of 45 s, which is longer than the timeout allows/);
    assert.equal(world.origin.requests({ path: /weights\.onnx/ }).length, 1);
  });

test('a redirect of a file URL is followed, and the API\'s headers stay at home', async (t) => {
  const { result } = await load(t, { ...api, ROBOFLOW_API_EXTRA_HEADERS: JSON.stringify({ 'X-Extra': `${marker}-header` }) },
    [{ path: '^/files/.*weights', redirect: `${world.origin.url}/models/public` }, { path: '^/models/public', status: 404, times: 0 }]);
  assert.equal(result.rc, 7, result.output); // the API lists a file that its storage does not have
  assert.deepEqual(world.origin.violations(), []);
  for (const request of world.origin.requests({ kind: 'api' })) assert.equal(request.headers['x-extra'], `${marker}-header`);
  for (const request of world.origin.requests({ path: /^\/(files|models\/public)/ })) assert.equal(request.headers['x-extra'], undefined);
});

test('a deadline is the caller\'s: exit status 6, no other source is asked', async (t) => {
  world.origin.reset();
  world.receiver.reset();
  world.origin.script([{ path: 'list-type', delayMs: 20_000, times: 0 }]);
  const cache = tempDir(t);
  const result = await hoist(['load', modelId, '--timeout', '1'], { env: world.env(cache, { HOIST_SOURCES: 's3,roboflow_api' }) });
  assert.equal(result.rc, 6, result.output);
  assert.ok(result.durationMs < 10_000);
  assert.equal(world.origin.requests({ kind: 'api' }).length, 0);
});

test('Ctrl-C stops at once, cleanly, with status 130', async (t) => {
  world.origin.reset();
  world.receiver.reset();
  world.origin.script([{ ...weights, stall: true, at: 0.5, times: 0 }]);
  const cache = tempDir(t);
  const { child, done } = start(['load', modelId], { env: world.env(cache, s3) });
  for (let i = 0; i < 400 && world.origin.requests({ path: /weights/ }).length === 0; i++) await new Promise((ok) => setTimeout(ok, 10));
  const asked = Date.now();
  child.kill('SIGINT');
  const result = await done;
  assert.equal(result.rc, 130, result.output);
  assert.ok(Date.now() - asked < 5000);
  assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
  const [root] = named(world.receiver.spans(), 'model.load');
  assert.equal(root.attributes['error.type'], 'cancelled');
});
