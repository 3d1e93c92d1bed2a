// SPDX-License-Identifier: Apache-2.0
//
// MODELS_CACHE_AUTH_ENABLED: what is in the cache is served to whom the API lets have it.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { assertNoSecrets, assertSoundTrace, hoist, hoistOk, named, tempDir } from '../lib/harness.mjs';
import { makeWorld, marker, modelId } from './world.mjs';

const world = await makeWorld(after);
const { origin, receiver } = world;
const isApi = { kind: 'api' };
const ask = { path: '^/(ort|models/v1)/' };
const auth = { HOIST_SOURCES: 's3', HOIST_MAX_ATTEMPTS: '1', MODELS_CACHE_AUTH_ENABLED: 'true' };

async function filled(t) {
  const cache = tempDir(t);
  await hoistOk(['pull', modelId], { env: world.env(cache, { HOIST_SOURCES: 's3' }) });
  origin.reset();
  receiver.reset();
  return { cache, run: (args, more = {}) => hoist(args, { env: world.env(cache, { ...auth, ...more }) }) };
}

test('who may have the model gets it from the cache, after one question in a span of its own', async (t) => {
  const { cache, run } = await filled(t);
  const result = await run(['load', modelId]);
  assert.equal(result.rc, 0, result.output);
  assert.ok(origin.requests(isApi).length >= 1);
  assert.equal(origin.requests({ kind: 's3' }).length, 0);
  assertSoundTrace(receiver.spans());
  const [check] = named(receiver.spans(), 'model.access.check');
  assert.equal(check.attributes['model.id'], modelId);
  assert.equal(check.status.code, 'Unset');
  assertNoSecrets([marker], result, { dir: cache }, receiver.requests().map(({ body }) => body));
  assert.deepEqual(origin.violations(), []);
});

test('who may not gets nothing: neither from the cache, nor from S3', async (t) => {
  const { run } = await filled(t);
  for (const [status, next] of [[401, /ROBOFLOW_API_KEY/], [402, /plan/], [403, /scopes|forbids/], [423, /paused/]]) {
    for (const [command, id] of [['load', modelId], ['pull', modelId], ['pull', 'never-seen/1']]) {
      origin.reset();
      receiver.reset();
      origin.script([{ ...ask, status, times: 0 }]);
      const result = await run([command, id]);
      assert.equal(result.rc, 4, result.output);
      assert.match(result.stderr, next);
      assert.match(result.stderr, /not served/);
      assert.equal(origin.requests({ kind: 's3' }).length, 0);
      const [root] = named(receiver.spans(), `model.${command}`);
      assert.equal(root.attributes['error.type'], 'denied');
      assert.equal(named(receiver.spans(), 'model.access.check')[0].status.code, 'Error');
      assert.equal(named(receiver.spans(), 'model.artifacts.load').length, 0);
    }
  }
});

test('a wrong key, and a model that the API does not know', async (t) => {
  const { run } = await filled(t);
  assert.equal((await run(['load', modelId], { ROBOFLOW_API_KEY: `${marker}-wrong` })).rc, 4);
  assert.equal((await run(['load', modelId], { ROBOFLOW_API_KEY: '' })).rc, 4);
  assert.equal((await run(['pull', 'nobody/1'])).rc, 3);
});

test('an answer counts for its time, in one process', async (t) => {
  const { run } = await filled(t);
  const checks = async (more) => {
    receiver.reset();
    const result = await run(['pull', modelId, modelId, modelId], more);
    assert.equal(result.rc, 0, result.output);
    return named(receiver.spans(), 'model.access.check').length;
  };
  assert.equal(await checks({}), 1);
  assert.equal(await checks({ MODELS_CACHE_AUTH_CACHE_TTL: '0' }), 3);
});

test('no answer is no access', async (t) => {
  const { run } = await filled(t);
  const down = await run(['load', modelId], { API_BASE_URL: 'http://127.0.0.1:9' });
  assert.equal(down.rc, 5, down.output);
  assert.match(down.stderr, /MODELS_CACHE_AUTH_ENABLED is on/);
  origin.script([{ ...ask, status: 503, times: 0 }]);
  assert.equal((await run(['load', modelId])).rc, 5);
  origin.script([{ ...ask, delayMs: 20_000, times: 0 }]);
  assert.equal((await run(['load', modelId, '--timeout', '1'])).rc, 6);
});

test('offline nobody is asked, and without the setting neither', async (t) => {
  const { run } = await filled(t);
  assert.equal((await run(['load', modelId], { OFFLINE_MODE: 'true' })).rc, 0);
  assert.equal((await run(['load', modelId], { MODELS_CACHE_AUTH_ENABLED: 'false' })).rc, 0);
  assert.equal(origin.requests().length, 0);
});
