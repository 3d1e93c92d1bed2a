// SPDX-License-Identifier: Apache-2.0
//
// Waiting for the download of another process: seeing how far it is, for as long as it gets further, and
// taking over when it dies.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hoist, hoistBin, hoistOk, jsonLines, listTree, named, start, tempDir } from '../lib/harness.mjs';
import { makeWorld, modelFiles, modelId, totalBytes } from './world.mjs';

const world = await makeWorld(after);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const weights = () => world.origin.requests({ path: /weights\.onnx$/ }).filter((r) => r.method === 'GET');
const size = modelFiles['weights.onnx'].length;
const drip = (seconds) => ({ path: 'weights\\.onnx', drip: { bytes: Math.ceil(size / (seconds * 20)), ms: 50 } });

/** A process that is downloading the model, in an empty cache. */
async function holder(t, rule, { how = [], ...more } = {}) {
  world.origin.reset();
  world.receiver.reset();
  world.origin.script([rule]);
  const cache = tempDir(t);
  const env = world.env(cache, { HOIST_SOURCES: 's3', ...more });
  const [bin, ...args] = [...how, hoistBin, 'pull', modelId, '-q'];
  const process = start(args, { bin, env });
  for (let i = 0; i < 400 && weights().length === 0; i++) await sleep(10);
  return { cache, env, process };
}

test('a waiter shows the progress of the process it waits for', async (t) => {
  const { env, process } = await holder(t, drip(8));
  const [programs, people] = await Promise.all([hoistOk(['pull', modelId, '--json'], { env }), hoistOk(['pull', modelId], { env })]);
  assert.equal((await process.done).rc, 0);
  assert.equal(weights().length, 1);
  // At the end one of the two may see the other one look at what has come.
  const waits = jsonLines(programs.stdout).filter((event) => event.kind === 'wait' && event.waiting_for_pid === process.child.pid);
  assert.ok(waits.length >= 3, `${waits.length} events`);
  const done = waits.map((event) => event.total_done);
  assert.deepEqual(done, done.toSorted((a, b) => a - b));
  assert.equal(waits.at(-1).total_bytes, totalBytes);
  assert.ok(done.some((bytes) => bytes > 0 && bytes < totalBytes), `${done}`);
  assert.match(people.stderr, new RegExp(`faces/1: waiting for process ${process.child.pid}, which is downloading it\n`));
  assert.match(people.stderr, /faces\/1: still waiting, it has [\d.]+ KB \/ [\d.]+ KB, .*B\/s/);
});

test('a holder in another container is known by its progress, not by its pid', async (t) => {
  const { cache, env, process } = await holder(t, drip(3), { how: ['unshare', '--pid', '--fork', '--kill-child'] });
  const { stdout } = await hoistOk(['pull', modelId, '--json'], { env: { ...env, MODEL_LOCK_ACQUIRE_TIMEOUT: '2' } });
  assert.equal((await process.done).rc, 0);
  const waits = jsonLines(stdout).filter((event) => event.kind === 'wait');
  assert.ok(waits.length >= 3, `${waits.length} events`);
  for (const event of waits) assert.ok(!('waiting_for_pid' in event), JSON.stringify(event));
  assert.ok(waits.at(-1).total_done > 0 && waits.at(-1).total_bytes === totalBytes, JSON.stringify(waits));
  assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
});

test('patience is for a holder that gets no further', async (t) => {
  const moving = await holder(t, drip(4), { MODEL_LOCK_ACQUIRE_TIMEOUT: '1.5' });
  const patient = await hoistOk(['pull', modelId, '-q'], { env: moving.env }); // took longer than the limit
  assert.ok(patient.durationMs > 1500, `${patient.durationMs} ms`);
  assert.equal((await moving.process.done).rc, 0);

  const stuck = await holder(t, { path: 'weights', stall: true, at: 0.5 }, { MODEL_LOCK_ACQUIRE_TIMEOUT: '1.5' });
  const result = await hoist(['pull', modelId], { env: stuck.env });
  stuck.process.child.kill('SIGKILL');
  await stuck.process.done;
  assert.equal(result.rc, 5, result.output);
  assert.match(result.stderr, /waiting for process \d+ to finish with faces\/1, .* without progress for 1\d\d\d ms/);
  assert.match(result.stderr, /raise MODEL_LOCK_ACQUIRE_TIMEOUT/);
});

test('a holder that does nothing at all is told of every three seconds', async (t) => {
  const { env, process } = await holder(t, { path: 'weights', stall: true, at: 0.5 });
  process.child.kill('SIGSTOP');
  const result = await hoist(['pull', modelId, '--json', '--timeout', '7'], { env });
  process.child.kill('SIGKILL');
  await process.done;
  assert.equal(result.rc, 6, result.output);
  const waits = jsonLines(result.stdout).filter((event) => event.kind === 'wait');
  assert.ok(waits.length >= 3 && waits.length <= 4, `${waits.length} events`);
});

test('of two waiters, one takes over from a holder that was killed', async (t) => {
  const { cache, env, process } = await holder(t, { path: 'weights', stall: true, at: 0.5 });
  const waiters = [1, 2].map(() => start(['load', modelId, '--json'], { env }));
  await Promise.all(waiters.map(({ child }) => new Promise((waits) => {
    let told = '';
    child.stdout.on('data', (text) => { told += text; if (told.includes('"kind":"wait"')) waits(); });
  })));
  world.origin.script([{ path: 'weights', delayMs: 500, times: 0 }]);
  process.child.kill('SIGKILL');
  await process.done;
  for (const result of await Promise.all(waiters.map(({ done }) => done))) assert.equal(result.rc, 0, result.output);
  assert.equal(weights().length, 2); // the one that was killed, and one more
  const spans = world.receiver.spans();
  assert.equal(named(spans, 'model.cache.lock_wait').length, 2);
  assert.equal(named(spans, 'model.artifacts.download').length, 1);
  assert.deepEqual(readFileSync(join(cache, modelId, 'weights.onnx')), modelFiles['weights.onnx']);
  assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
});
