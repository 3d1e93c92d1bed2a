// SPDX-License-Identifier: Apache-2.0
//
// Cleaning the cache up with the real command: on request, and by the bound on its size.

import assert from 'node:assert/strict';
import { existsSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hoist, hoistOk, jsonLines, listTree, named, start, tempDir } from '../lib/harness.mjs';
import { makeWorld, putModel, totalBytes } from './world.mjs';

const world = await makeWorld(after);
const ids = ['one/1', 'two/1', 'three/1'];
for (const id of ids) putModel(world.origin, id);

const setup = (t, more = {}) => {
  world.origin.reset();
  world.receiver.reset();
  const cache = tempDir(t);
  return { cache, env: world.env(cache, { HOIST_SOURCES: 's3', ...more }) };
};
const setUnusedFor = (cache, id, seconds) => {
  const then = Date.now() / 1000 - seconds;
  utimesSync(join(cache, id, '.hoist-manifest.json'), then, then);
};
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function pullAll(cache, env) {
  await hoistOk(['pull', ...ids, '-q'], { env });
  ids.forEach((id, i) => setUnusedFor(cache, id, (ids.length - i) * 86400));
}

test('the least recently used models go first, and ls shows who is next', async (t) => {
  const { cache, env } = setup(t);
  await pullAll(cache, env);
  await hoistOk(['pull', 'one/1', '-q'], { env }); // used: now two/1 is the oldest
  const models = JSON.parse((await hoistOk(['ls', '--json'], { env })).stdout).models;
  const byUse = models.toSorted((a, b) => a.used_unix_s - b.used_unix_s).map((m) => m.model_id);
  assert.deepEqual(byUse, ['two/1', 'three/1', 'one/1']);
  assert.match((await hoistOk(['ls'], { env })).stdout, /AGE +USED\n(.*\n)*two\/1 .* 2 days ago\n/);

  const planned = await hoistOk(['gc', '--max-size', String(totalBytes), '--dry-run'], { env });
  assert.match(planned.stdout, /^would remove two\/1, .* used 2 days ago\nwould remove three\/1, .*\nwould be .* freed; 1 model, /);
  assert.ok(existsSync(join(cache, 'two/1/weights.onnx')));
  const done = await hoistOk(['gc', '--max-size', String(totalBytes)], { env });
  assert.match(done.stdout, /^removed two\/1, .*\nremoved three\/1, .*\n.* freed; 1 model, /);
  assert.deepEqual(listTree(join(cache, 'two')), []);
  assert.deepEqual(listTree(join(cache, '.hoist/locks')).length, 1);
  await hoistOk(['verify'], { env });
});

test('by age, as JSON, as a trace', async (t) => {
  const { cache, env } = setup(t);
  await pullAll(cache, env);
  world.receiver.reset();
  const { stdout } = await hoistOk(['gc', '--max-age', '36h', '--json'], { env });
  const [first, second, result] = jsonLines(stdout);
  assert.deepEqual([first.model_id, first.reason], ['one/1', 'age']);
  assert.deepEqual([second.model_id, second.size_bytes], ['two/1', totalBytes]);
  assert.deepEqual([result.event, result.removed_models, result.freed_bytes, result.models], ['result', 2, 2 * totalBytes, 1]);
  const [span] = named(world.receiver.spans(), 'model.gc');
  assert.equal(span.attributes['model.gc.removed_models'], 2);
});

test('a bound on the size is kept by every download', async (t) => {
  const { cache, env } = setup(t, { HOIST_CACHE_MAX_SIZE: String(2 * totalBytes) });
  for (const [i, id] of ids.entries()) {
    await hoistOk(['pull', id, '-q'], { env });
    setUnusedFor(cache, id, (10 - i) * 86400);
  }
  const { models } = JSON.parse((await hoistOk(['ls', '--json'], { env })).stdout);
  assert.deepEqual(models.map((m) => m.model_id), ['three/1', 'two/1']);
  const tight = await hoistOk(['pull', 'one/1'], { env: { ...env, HOIST_CACHE_MAX_SIZE: '1k' } });
  assert.match(tight.stderr, /hoist: warning: the cache holds .* although its bound is 1\.0 KB/);
  await hoistOk(['verify', 'one/1'], { env });
  assert.match((await hoist(['config'], { env })).stdout, /cache_max_bytes/);
});

test('a download in progress keeps its staging, its lock and its model', async (t) => {
  const { cache, env } = setup(t);
  await pullAll(cache, env);
  await hoistOk(['rm', 'three/1'], { env });
  world.origin.script([{ path: 'three.*weights', delayMs: 1500 }]);
  const pull = hoist(['pull', 'three/1', '-q'], { env });
  for (let i = 0; i < 400 && world.origin.requests({ path: /three.*weights/ }).length === 0; i++) await sleep(10);
  const collected = await hoistOk(['gc', '--max-size', '0'], { env });
  assert.match(collected.stdout, /0 models, 0 B in the cache/);
  const pulled = await pull;
  assert.equal(pulled.rc, 0, pulled.output);
  await hoistOk(['verify', 'three/1'], { env });
});

test('what a killed download left behind is removed', async (t) => {
  const { cache, env } = setup(t);
  world.origin.script([{ path: 'weights', stall: true, at: 0.5 }]);
  const victim = start(['pull', 'one/1', '-q'], { env });
  for (let i = 0; i < 400 && world.origin.requests({ path: /weights/ }).length === 0; i++) await sleep(10);
  await sleep(100);
  victim.child.kill('SIGKILL');
  await victim.done;
  assert.notDeepEqual(listTree(join(cache, '.hoist/staging')), []);
  const { stdout } = await hoistOk(['gc'], { env });
  assert.match(stdout, /^removed \.hoist\/staging\/one-1-\S+, .*, left by a download that was killed\n/);
  assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
  assert.deepEqual(listTree(join(cache, '.hoist/locks')), []);
});

test('the last use is not written on every hit', async (t) => {
  const { cache, env } = setup(t);
  await hoistOk(['pull', 'one/1', '-q'], { env });
  const manifest = join(cache, 'one/1/.hoist-manifest.json');
  const before = statSync(manifest, { bigint: true }).mtimeNs;
  await hoistOk(['pull', 'one/1', '-q'], { env });
  assert.equal(statSync(manifest, { bigint: true }).mtimeNs, before);
});
