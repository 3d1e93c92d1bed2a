// SPDX-License-Identifier: Apache-2.0
//
// The power is cut: only what was synced is still there. In the middle of a download, what was synced is gone on with, and
// the result is right to the bit; directly after a pull has ended, the whole model is there; in between, all of it or nothing.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cutDisk, noCutDisk } from '../lib/cut_disk.mjs';
import { hoist, hoistOk, listTree, named, start, tempDir } from '../lib/harness.mjs';
import { meddle, readLedger, syncedBytes } from '../lib/meddle.mjs';
import { makeWorld, modelFiles, putModel } from './world.mjs';

const MiB = 1024 * 1024;
const skip = noCutDisk ?? false;
const world = await makeWorld(after);
const data = randomBytes(200_000_000);
const small = randomBytes(24 * MiB);
putModel(world.origin, 'small/1', { ...modelFiles, 'weights.onnx': small, ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`labels/${i}.txt`, `${i}\n`])) });
for (const [name, text] of Object.entries({ ...modelFiles, 'weights.onnx': data })) world.origin.s3.put('models', `big/1/${name}`, Buffer.from(text));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const sentBytes = () => world.origin.requests({ path: /weights\.onnx$/ }).reduce((sum, request) => sum + request.sent, 0);
const env = (disk, more = {}) => world.env(join(disk.path, 'models'), { HOIST_SOURCES: 's3', ...more });

function reset() {
  world.origin.reset();
  world.receiver.reset();
}

/** Bytes that were durable, and a durable note of them: the journal is synced after the data. */
function notedBytes(ledger) {
  const { writes, syncs, otherSyncs } = readLedger(ledger);
  const noted = syncs.filter((sync) => otherSyncs.some(({ beganNs }) => beganNs >= sync.endedNs)); // the small files came long before
  return syncedBytes({ writes, syncs: noted }, data.length, 8 * MiB);
}

for (const share of [0.5, 0.9]) {
  test(`a power cut after ${share * 100} % of ${data.length / 1e6} MB: what was synced is gone on with`, { skip }, async (t) => {
    reset();
    world.origin.script([{ path: '/weights\\.onnx', drip: { bytes: 256 * 1024, ms: share > 0.8 ? 120 : 16 }, times: 0 }]); // so that the disk keeps up, a busy one, too
    const disk = await cutDisk(t, 460_000_000);
    const ledger = join(tempDir(t), 'ledger');
    const victim = start(['pull', 'big/1', '-q'], { env: env(disk, meddle({ ledger })) });
    while (sentBytes() < share * data.length) await sleep(1);
    while (share > 0.8 && notedBytes(ledger) === 0 && victim.child.exitCode === null) await sleep(10); // on a busy machine the disk takes its time
    await disk.cut(victim);
    const synced = notedBytes(ledger);
    reset();
    await hoistOk(['pull', 'big/1', '-q'], { env: env(disk) });
    assert.ok(readFileSync(join(disk.path, 'models/big/1/weights.onnx')).equals(data), 'the bytes differ');
    assert.deepEqual(listTree(join(disk.path, 'models/.hoist/staging')), []);
    const [download] = named(world.receiver.spans(), 'model.artifacts.download');
    const resumed = Number(download.attributes['model.artifacts.resumed_bytes']);
    t.diagnostic(`${Math.round(resumed / MiB)} MiB were gone on with, of ${Math.round(synced / MiB)} synced and ${Math.round(share * data.length / MiB)} sent`);
    if (share > 0.8) assert.ok(resumed > 0, 'nothing was made durable in all that time');
    assert.ok(resumed >= 0.9 * synced, `${resumed} of ${synced} synced bytes were reused`);
  });
}

test('a power cut directly after a pull: the whole model is there, and the new one where there was an old one', { skip }, async (t) => {
  reset();
  const disk = await cutDisk(t, 120_000_000);
  await hoistOk(['pull', 'small/1', '-q'], { env: env(disk) });
  const renewed = randomBytes(small.length);
  world.origin.s3.put('models', 'small/1/weights.onnx', renewed);
  await hoistOk(['rm', 'small/1', '-q'], { env: env(disk) });
  await hoistOk(['pull', 'small/1', '-q'], { env: env(disk) });
  await disk.cut();
  await hoistOk(['verify', 'small/1'], { env: env(disk) });
  assert.ok(readFileSync(join(disk.path, 'models/small/1/weights.onnx')).equals(renewed));
  assert.deepEqual(listTree(join(disk.path, 'models/.hoist/staging')), []);
  world.origin.s3.put('models', 'small/1/weights.onnx', small);
});

test('a power cut while a model is made durable and published: it is there whole, or not at all', { skip }, async (t) => {
  let there = 0;
  for (let i = 0; i < 5; i++) {
    reset();
    const disk = await cutDisk(t, 120_000_000);
    const victim = start(['pull', 'small/1', '-q'], { env: env(disk) });
    while (sentBytes() < small.length) await sleep(1);
    await sleep(100 * i);
    await disk.cut(victim);
    const verdict = await hoist(['verify', 'small/1'], { env: env(disk) });
    assert.ok([0, 3].includes(verdict.rc), verdict.output);
    there += verdict.rc === 0;
    await hoistOk(['pull', 'small/1', '-q'], { env: env(disk) });
    await hoistOk(['verify', 'small/1', '-q'], { env: env(disk) });
    assert.deepEqual(listTree(join(disk.path, 'models/.hoist/staging')), []);
  }
  t.diagnostic(`${there} of 5 were published before the cut`);
});
