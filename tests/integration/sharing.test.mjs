// SPDX-License-Identifier: Apache-2.0
//
// Many processes, one cache: one download per model, nothing half-written whoever dies when.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hoist, hoistOk, listTree, start, tempDir } from '../lib/harness.mjs';
import { makeWorld, modelFiles, modelId, putModel } from './world.mjs';

const world = await makeWorld(after);

const weights = (requests) => requests.filter((r) => r.path.endsWith('/weights.onnx') && r.method === 'GET');
const staging = (cache) => listTree(join(cache, '.hoist/staging'));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

test('eight processes that load one model at once download it once', async (t) => {
  world.origin.reset();
  world.origin.script([{ path: 'weights', delayMs: 400, times: 0 }]);
  const env = world.env(tempDir(t), { HOIST_SOURCES: 's3' });
  const results = await Promise.all(Array.from({ length: 8 }, () => hoist(['load', modelId, '-q'], { env })));
  assert.deepEqual(results.map((r) => r.rc), Array(8).fill(0), results.map((r) => r.output).join('\n'));
  assert.equal(weights(world.origin.requests()).length, 1);
});

test('a waiter shows the lock wait as a span', async (t) => {
  world.origin.reset();
  world.receiver.reset();
  world.origin.script([{ path: 'weights', delayMs: 800 }]);
  const env = world.env(tempDir(t), { HOIST_SOURCES: 's3' });
  const first = hoist(['load', modelId, '-q'], { env });
  for (let i = 0; i < 400 && weights(world.origin.requests()).length === 0; i++) await sleep(10);
  await Promise.all([first, hoistOk(['load', modelId, '-q'], { env })]);
  assert.equal(world.receiver.spans().filter((span) => span.name === 'model.cache.lock_wait').length, 1);
  assert.equal(weights(world.origin.requests()).length, 1);
});

test('when the downloading process is killed, a waiter takes over', async (t) => {
  world.origin.reset();
  world.origin.script([{ path: 'weights', stall: true, at: 0.5 }]);
  const cache = tempDir(t);
  const env = world.env(cache, { HOIST_SOURCES: 's3' });
  const victim = start(['load', modelId, '-q'], { env });
  for (let i = 0; i < 400 && weights(world.origin.requests()).length === 0; i++) await sleep(10);
  const waiter = hoist(['load', modelId, '-q'], { env });
  await sleep(300);
  victim.child.kill('SIGKILL');
  await victim.done;
  const result = await waiter;
  assert.equal(result.rc, 0, result.output);
  assert.deepEqual(readFileSync(join(cache, modelId, 'weights.onnx')), modelFiles['weights.onnx']);
  assert.deepEqual(staging(cache), []);
});

test('killed at any moment of a pull, the cache has nothing or the whole model', async (t) => {
  const cache = tempDir(t);
  const env = world.env(cache, { HOIST_SOURCES: 's3' });
  world.origin.reset();
  let complete = 0;
  for (let delay = 0; delay < 60; delay += 3) {
    const victim = start(['pull', modelId, '-q'], { env });
    await sleep(delay);
    victim.child.kill('SIGKILL');
    await victim.done;
    const verdict = await hoist(['verify', modelId], { env });
    assert.ok(verdict.rc === 0 || verdict.rc === 3, `after ${delay} ms: ${verdict.output}`);
    complete += verdict.rc === 0;
    await hoist(['rm', modelId], { env });
  }
  await hoistOk(['pull', modelId, '-q'], { env });
  assert.deepEqual(staging(cache), []);
  t.diagnostic(`${complete} of 20 pulls had finished before they were killed`);
});

test('a damaged entry is fetched again, never served', async (t) => {
  const cache = tempDir(t);
  const env = world.env(cache, { HOIST_SOURCES: 's3' });
  await hoistOk(['pull', modelId, '-q'], { env });
  const path = join(cache, modelId, 'weights.onnx');
  const bytes = Buffer.from(modelFiles['weights.onnx']);
  bytes[1000] ^= 1;
  for (const damage of [bytes, bytes.subarray(0, 100), Buffer.alloc(0)]) {
    writeFileSync(path, damage);
    const verdict = await hoist(['verify', modelId], { env });
    assert.equal(verdict.rc, 7, verdict.output);
    assert.match(verdict.stderr, /weights\.onnx/);
    world.origin.reset();
    await hoistOk(['load', modelId, '-q'], { env });
    assert.equal(weights(world.origin.requests()).length, 1);
    assert.deepEqual(readFileSync(path), modelFiles['weights.onnx']);
  }
});

test('rm waits for a download in progress instead of tearing it', async (t) => {
  world.origin.reset();
  world.origin.script([{ path: 'weights', delayMs: 700 }]);
  const env = world.env(tempDir(t), { HOIST_SOURCES: 's3' });
  const pull = hoist(['pull', modelId, '-q'], { env });
  for (let i = 0; i < 400 && weights(world.origin.requests()).length === 0; i++) await sleep(10);
  const removal = await hoistOk(['rm', modelId], { env });
  const pulled = await pull;
  assert.equal(pulled.rc, 0, pulled.output);
  assert.ok(removal.durationMs > 100);
  assert.equal((await hoist(['verify', modelId], { env })).rc, 3);
});

test('what a killed download of another model left behind is swept up', async (t) => {
  const cache = tempDir(t);
  const env = world.env(cache, { HOIST_SOURCES: 's3' });
  putModel(world.origin, 'other/2');
  world.origin.reset();
  world.origin.script([{ path: 'weights', stall: true, at: 0.5 }]);
  const victim = start(['pull', modelId, '-q'], { env });
  for (let i = 0; i < 400 && weights(world.origin.requests()).length === 0; i++) await sleep(10);
  await sleep(100);
  victim.child.kill('SIGKILL');
  await victim.done;
  assert.notDeepEqual(staging(cache), []);
  await hoistOk(['pull', 'other/2', '-q'], { env });
  assert.deepEqual(staging(cache), []);
});

test('waiters go on together once the model is there, not one session after another', async (t) => {
  world.origin.reset();
  world.receiver.reset();
  world.origin.script([{ path: 'weights', delayMs: 1200 }]);
  const env = world.env(tempDir(t), { HOIST_SOURCES: 's3' });
  await Promise.all(Array.from({ length: 6 }, () => hoistOk(['load', modelId, '-q'], { env })));
  // Everyone who waited was let go within one poll of the others, while sessions were being created.
  const ends = world.receiver.spans().filter((span) => span.name === 'model.cache.lock_wait').map((span) => Number(span.endNs / 1_000_000n));
  const sessions = world.receiver.spans().filter((span) => span.name === 'model.session.create');
  assert.equal(sessions.length, 6);
  assert.ok(ends.length >= 3, `${ends.length} waiters`);
  const overlapping = sessions.filter((a) => sessions.some((b) => a !== b && a.startNs < b.endNs && b.startNs < a.endNs));
  assert.ok(overlapping.length >= 2, 'sessions were created strictly one after another');
});
