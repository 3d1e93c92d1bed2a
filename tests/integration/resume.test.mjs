// SPDX-License-Identifier: Apache-2.0
//
// kill -9 at random points of a download, then the same again: the result is right to the bit, and what
// was durable is not fetched a second time.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertSoundTrace, hoist, jsonLines, listTree, mountSmall, named, start, tempDir } from '../lib/harness.mjs';
import { meddle, readLedger, syncedBytes } from '../lib/meddle.mjs';
import { makeWorld, modelFiles, putModel, totalBytes } from './world.mjs';

const MiB = 1024 * 1024;
const PART = 8 * MiB;
const BLOCK = MiB / 4;
const KILLS = 20;
const world = await makeWorld(after);
const id = 'big/1';
const data = randomBytes(200_000_000);
putModel(world.origin, id, { ...modelFiles, 'weights.onnx': '' });
world.origin.s3.put('models', `${id}/weights.onnx`, data);
const size = data.length + totalBytes - modelFiles['weights.onnx'].length;
const env = (cache, more = {}) => world.env(cache, { HOIST_SOURCES: 's3', ...more });
const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));
const asked = () => world.origin.requests({ path: /weights\.onnx$/ });
const sentBytes = () => asked().reduce((sum, request) => sum + request.sent, 0);

function reset(script = []) {
  world.origin.reset();
  world.receiver.reset();
  world.origin.script(script);
}

/** The staged weights; undefined where there are none. */
function stagedWeights(cache) {
  const staging = join(cache, '.hoist/staging');
  const [dir] = existsSync(staging) ? readdirSync(staging) : [];
  const path = dir && join(staging, dir, 'weights.onnx');
  return path && existsSync(path) ? path : undefined;
}

async function pullWhole(cache) {
  reset();
  const result = await hoist(['pull', id], { env: env(cache) });
  assert.equal(result.rc, 0, result.output);
  assert.ok(readFileSync(join(cache, id, 'weights.onnx')).equals(data), 'the bytes differ');
  assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
  assertSoundTrace(world.receiver.spans());
  const [download] = named(world.receiver.spans(), 'model.artifacts.download');
  const resumed = Number(download.attributes['model.artifacts.resumed_bytes']);
  const twice = sentBytes() - (data.length - resumed); // of a part that is asked for a second time because it is slow
  assert.ok(twice >= 0 && twice <= 4 * PART, `${twice} bytes were sent twice`);
  const cameTwice = Number(download.attributes['model.artifacts.bytes']) - (size - resumed);
  assert.ok(cameTwice >= 0 && cameTwice <= twice, `${cameTwice} bytes came twice, ${twice} were sent twice`);
  return resumed;
}

// The kills are spread over the download by what the server has sent, so that all of them hit it however fast it is. What was
// durable by then is not what hoist says, but what it was seen to write and to sync (tests/programs/meddle.c).
test(`kill -9 at ${KILLS} random points of ${data.length / 1e6} MB, then resume`, async (t) => {
  const disk = mountSmall(t, '500m'); // a kill loses nothing that was written, so a disk would only be slower
  let sent = 0;
  let durable = 0;
  let reused = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    reset();
    const cache = join(disk, `models-${kill}`);
    const ledger = join(disk, 'ledger');
    const point = data.length * ((kill + Math.random()) / KILLS);
    const victim = start(['pull', id, '-q'], { env: env(cache, meddle({ ledger })) });
    while (sentBytes() < point) await sleep(1);
    victim.child.kill('SIGKILL');
    assert.equal((await victim.done).signal, 'SIGKILL');
    const seen = readLedger(ledger);
    assert.ok(seen.writes.length > 0 || point < data.length / 4, 'nobody saw it write: does it write in a way that meddle.c does not know?');
    const synced = syncedBytes(seen, data.length, PART);
    const resumed = await pullWhole(cache);
    assert.ok(resumed >= 0.9 * synced, `${resumed} of ${synced} durable bytes were reused, of ${Math.round(point)} sent`);
    sent += point;
    durable += synced;
    reused += resumed;
    rmSync(cache, { recursive: true });
    rmSync(ledger);
  }
  const percent = (share, of) => `${Math.round(100 * share / of)} %`;
  t.diagnostic(`of what was sent ${percent(durable, sent)} was durable, of what was durable ${percent(reused, durable)} reused`);
  assert.ok(reused > 0.25 * sent, 'too little was made durable for a resume to be worth it');
});

/** Ctrl-C once about `point` bytes were sent. Returns how many were, at the end. */
async function interrupt(cache, point) {
  reset([{ path: '/weights\\.onnx', drip: { bytes: 256 * 1024, ms: 2 }, times: 0 }]);
  const { child, done } = start(['pull', id, '-q'], { env: env(cache, { HOIST_CONNECTIONS: '4' }) });
  while (sentBytes() < point) await sleep(1);
  child.kill('SIGINT');
  assert.equal((await done).rc, 130);
  return sentBytes();
}

test('Ctrl-C keeps what is finished, and the next pull goes on', async (t) => {
  const cache = tempDir(t);
  const sent = await interrupt(cache, data.length / 2);
  // Lost are the blocks that were under way, and what had not left the sockets.
  const resumed = await pullWhole(cache);
  assert.ok(resumed >= sent - 4 * (BLOCK + 6 * MiB), `${resumed} of ${sent} bytes`);
});

test('what an interrupted download had brought is told, to people and to programs', async (t) => {
  const cache = tempDir(t);
  await interrupt(cache, data.length / 2);
  await interrupt(cache, data.length / 4);
  reset([{ path: '/weights\\.onnx', drip: { bytes: 256 * 1024, ms: 2 }, times: 0 }]);
  const { child, done } = start(['pull', id], { env: env(cache) });
  while (sentBytes() < data.length / 8) await sleep(1);
  child.kill('SIGINT');
  assert.match((await done).stderr, /big\/1: weights\.onnx: an interrupted download had brought \d+ MB of 200 MB; only the rest is fetched/);
  reset();
  const events = jsonLines((await hoist(['pull', id, '--json'], { env: env(cache) })).stdout);
  const [there] = events.filter(({ kind }) => kind === 'resume');
  assert.deepEqual([there.file, there.file_bytes], ['weights.onnx', data.length]);
  const result = events.at(-1);
  assert.ok(there.bytes > data.length / 2 && result.resumed_bytes === there.bytes, JSON.stringify([there, result]));
  assert.ok(result.downloaded_bytes >= size - result.resumed_bytes);
});

// A machine that is restarted again and again, with a slow connection, comes to an end all the same.
for (const [signal, point] of [['SIGINT', 12 * MiB], ['SIGKILL', 36 * MiB]])
  test(`${signal} over slow connections, before a single part is whole: the next pull goes on`, async (t) => {
    const cache = tempDir(t);
    reset([{ path: '/weights\\.onnx', drip: { bytes: 64 * 1024, ms: 50 }, times: 0 }]);
    const victim = start(['pull', id, '-q'], { env: env(cache, { HOIST_CONNECTIONS: '8' }) });
    while (sentBytes() < point) await sleep(5);
    victim.child.kill(signal);
    await victim.done;
    assert.ok(asked().every((request) => request.sent < PART));
    const resumed = await pullWhole(cache);
    assert.ok(resumed > 0 && resumed <= point + 8 * MiB, `${resumed} bytes`);
  });

test('an interruption may be interrupted', async (t) => {
  const cache = tempDir(t);
  await interrupt(cache, data.length / 3);
  await interrupt(cache, data.length / 3);
  const [download] = named(world.receiver.spans(), 'model.artifacts.download');
  const before = Number(download.attributes['model.artifacts.resumed_bytes']);
  assert.ok(before > 0);
  assert.ok(await pullWhole(cache) > before);
});

test('a file that changed meanwhile is fetched whole', async (t) => {
  const cache = tempDir(t);
  await interrupt(cache, data.length / 2);
  assert.ok(stagedWeights(cache));
  data[0] ^= 255;
  world.origin.s3.put('models', `${id}/weights.onnx`, data);
  assert.equal(await pullWhole(cache), 0);
});
