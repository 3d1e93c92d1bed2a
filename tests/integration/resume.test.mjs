// SPDX-License-Identifier: Apache-2.0
//
// kill -9 at random points of a download, then the same again: the result is right to the bit, and what
// was durable is not fetched a second time.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertSoundTrace, hoist, listTree, named, start, tempDir } from '../lib/harness.mjs';
import { makeWorld } from './world.mjs';

const MiB = 1024 * 1024;
const PART = 8 * MiB;
const ROUNDS = 10;
const HEADS = 44 + 312; // of a journal: its key, and the one large file
const RECORD = 24; // of a part
const world = await makeWorld(after);
const id = 'big/1';
const data = randomBytes(100_000_000);
world.origin.s3.put('models', `${id}/weights.onnx`, data);
const env = (cache) => world.env(cache, { HOIST_SOURCES: 's3' });
const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));
const sent = () => world.origin.requests({ path: /weights\.onnx$/ }).length;

function reset() {
  world.origin.reset();
  world.receiver.reset();
  world.origin.script([{ path: '/weights\\.onnx', delayMs: 50, times: 0 }]);
}

/** Bytes of finished parts that the journal on disk speaks of. */
function durableBytes(cache) {
  const staging = join(cache, '.hoist/staging');
  const [dir] = existsSync(staging) ? readdirSync(staging) : [];
  const journal = dir && join(staging, dir, '.hoist-journal');
  if (!journal || !existsSync(journal)) return 0;
  return Math.max(0, Math.floor((statSync(journal).size - HEADS) / RECORD)) * PART;
}

async function pullWhole(cache) {
  world.receiver.reset();
  const result = await hoist(['pull', id], { env: env(cache) });
  assert.equal(result.rc, 0, result.output);
  assert.ok(readFileSync(join(cache, id, 'weights.onnx')).equals(data), 'the bytes differ');
  assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
  assertSoundTrace(world.receiver.spans());
  const [download] = named(world.receiver.spans(), 'model.artifacts.download');
  const resumed = Number(download.attributes['model.artifacts.resumed_bytes']);
  assert.equal(Number(download.attributes['model.artifacts.bytes']), data.length - resumed);
  return resumed;
}

test(`kill -9 at ${ROUNDS} random points, then resume`, async (t) => {
  reset();
  const from = Date.now();
  await pullWhole(tempDir(t));
  const whole = Date.now() - from;
  let kept = 0;
  for (let round = 0; round < ROUNDS; round++) {
    reset();
    const cache = tempDir(t);
    const { child, done } = start(['pull', id], { env: env(cache) });
    await sleep(whole * (0.2 + 0.8 * Math.random()));
    child.kill('SIGKILL');
    await done;
    if (existsSync(join(cache, id))) continue; // it was faster than that
    const durable = durableBytes(cache);
    const resumed = await pullWhole(cache);
    assert.ok(resumed >= 0.9 * durable, `${resumed} of ${durable} durable bytes were reused`);
    kept += resumed;
  }
  t.diagnostic(`${kept} bytes were reused in ${ROUNDS} rounds`);
});

test('Ctrl-C keeps what is finished, and the next pull goes on', async (t) => {
  reset();
  world.origin.script([{ path: '/weights\\.onnx', stall: true, at: 0.5, skip: 5, times: 0 }]);
  const cache = tempDir(t);
  const { child, done } = start(['pull', id], { env: env(cache) });
  while (sent() < 6) await sleep(5);
  await sleep(500);
  child.kill('SIGINT');
  assert.equal((await done).rc, 130);
  assert.ok(durableBytes(cache) >= 4 * PART, `${durableBytes(cache)} bytes were kept`);
  reset();
  assert.ok(await pullWhole(cache) >= 4 * PART);
});

test('a file that changed meanwhile is fetched whole', async (t) => {
  reset();
  world.origin.script([{ path: '/weights\\.onnx', status: 503, skip: 5, times: 0 }]);
  const cache = tempDir(t);
  const failed = await hoist(['pull', id], { env: { ...env(cache), HOIST_MAX_ATTEMPTS: '1' } });
  assert.equal(failed.rc, 5, failed.output);
  assert.ok(durableBytes(cache) > 0);
  data[0] ^= 255;
  world.origin.s3.put('models', `${id}/weights.onnx`, data);
  reset();
  assert.equal(await pullWhole(cache), 0);
});
