// SPDX-License-Identifier: Apache-2.0
//
// Sixteen processes, four models, one cache, and somebody who kills one of them now and then, those that download rather
// than others; who is killed comes again. At the end every model is whole, nothing is left in the staging, and nothing was
// downloaded more often than the kills explain. HOIST_STORM_SECONDS is for how long (60).

import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { settled } from '../lib/accounts.mjs';
import { hoistOk, listTree, start, tempDir } from '../lib/harness.mjs';
import { meddle, readLedger, syncedParts } from '../lib/meddle.mjs';
import { makeWorld, modelFiles, putModel } from './world.mjs';

const SECONDS = Number(process.env.HOIST_STORM_SECONDS ?? 60);
const PROCESSES = 16;
const KILL_EVERY_MS = 700;
const KILLS_END_MS = 6000; // of a round, so that it ends
const PART = 8 * 1024 * 1024;

const world = await makeWorld(after);
const models = Object.fromEntries(Array.from({ length: 4 }, (_, i) => [`storm/${i}`, randomBytes(40 * 1024 * 1024 + i * 1001)]));
for (const [id, data] of Object.entries(models)) putModel(world.origin, id, { ...modelFiles, 'weights.onnx': data });
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const any = (list) => list[randomInt(list.length)];
const traceOf = (request) => request.headers.traceparent?.split('-')[1];
const weightsOf = (id) => world.origin.requests({ path: new RegExp(`/${id}/weights\\.onnx$`) });

/** One process that wants `id`. Its requests carry its trace id, so the access log tells who asked. */
function enter(env, id) {
  const trace = randomBytes(16).toString('hex');
  const ledger = join(env.MODEL_CACHE_DIR, '..', trace);
  const member = { id, trace, ledger, ...start(['pull', id, '-q'], { env: { ...env, ...meddle({ ledger }), TRACEPARENT: `00-${trace}-00f067aa0ba902b7-01` } }) };
  member.done.then((result) => { member.result = result; });
  return member;
}

async function round(env) {
  const ids = Object.keys(models);
  const all = Array.from({ length: PROCESSES }, (_, i) => enter(env, ids[i % ids.length]));
  const alive = () => all.filter((member) => !member.result && !member.killedMs);
  const began = Date.now();
  let nextKill = began + KILL_EVERY_MS;
  while (alive().length > 0) {
    await sleep(10);
    if (Date.now() < nextKill || Date.now() > began + KILLS_END_MS) continue;
    nextKill += KILL_EVERY_MS;
    const downloading = alive().filter((member) => weightsOf(member.id).some((request) => traceOf(request) === member.trace));
    const victim = any(downloading.length && randomInt(2) ? downloading : alive());
    if (!victim) continue;
    victim.child.kill('SIGKILL');
    victim.killedMs = Date.now();
    all.push(enter(env, victim.id));
  }
  await Promise.all(all.map((member) => member.done));
  return all;
}

/** Bytes of the durable parts of a download that was killed which later ones asked for again. */
function fetchedAgain(parts, later) {
  const ranges = later.map((request) => [Number(/=(\d+)-/.exec(request.headers.range)?.[1] ?? 0), request.sent]);
  return ranges.reduce((sum, [at, sent]) => sum + parts.reduce((inner, [from, to]) => inner + Math.max(0, Math.min(to, at + sent) - Math.max(from, at)), 0), 0);
}

function assertMinimal(id, all) {
  const requests = weightsOf(id);
  const attempts = new Map();
  for (const request of requests) attempts.set(traceOf(request), [...attempts.get(traceOf(request)) ?? [], request]);
  const killed = all.filter((member) => member.killedMs && attempts.has(member.trace));
  const whole = [...attempts.keys()].filter((trace) => !killed.some((member) => member.trace === trace));
  // None where it was killed when it had published the model and not ended yet.
  assert.ok(whole.length <= 1, `${id}: ${whole.length} downloads ran to their end, and ${killed.length} were killed`);
  const spans = [...attempts.values()].map((list) => [Math.min(...list.map((r) => r.at)), Math.max(...list.map((r) => r.at + r.tookMs))]).sort(([a], [b]) => a - b);
  for (let i = 1; i < spans.length; i++) assert.ok(spans[i][0] >= spans[i - 1][1] - 100, `${id}: two downloads at once`);
  let durable = 0;
  for (const member of killed) {
    const parts = syncedParts(readLedger(member.ledger), models[id].length, PART);
    const bytes = parts.reduce((sum, [from, to]) => sum + to - from, 0);
    const again = fetchedAgain(parts, requests.filter((request) => request.at > member.killedMs));
    assert.ok(again <= 0.1 * bytes, `${id}: ${again} of ${bytes} durable bytes were fetched again`);
    durable += bytes;
  }
  return { sent: requests.reduce((sum, request) => sum + request.sent, 0), kills: killed.length, durable };
}

test(`${PROCESSES} processes × 4 models with random kills for ${SECONDS} s`, { timeout: (SECONDS + 120) * 1000 }, async (t) => {
  const root = tempDir(t);
  const total = { rounds: 0, kills: 0, killsOfDownloads: 0, durable: 0, sent: 0, size: 0 };
  for (const end = Date.now() + SECONDS * 1000; Date.now() < end; total.rounds++) {
    world.origin.reset();
    world.origin.script([{ path: '/weights\\.onnx', drip: { bytes: 128 * 1024, ms: 20 }, times: 0 }]);
    const cache = join(root, String(total.rounds), 'models');
    mkdirSync(cache, { recursive: true });
    const env = world.env(cache, { HOIST_SOURCES: 's3', HOIST_CONNECTIONS: '2', OTEL_EXPORTER_OTLP_ENDPOINT: '' });
    const all = await round(env);
    for (const { result, killedMs } of all) assert.ok(killedMs || result.rc === 0, result.output);
    await settled(world.origin);
    await hoistOk(['verify', ...Object.keys(models)], { env });
    assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
    for (const [id, data] of Object.entries(models)) {
      assert.ok(readFileSync(join(cache, id, 'weights.onnx')).equals(data), `${id}: the bytes differ`);
      const { sent, kills, durable } = assertMinimal(id, all);
      total.sent += sent;
      total.durable += durable;
      total.size += data.length;
      total.killsOfDownloads += kills;
    }
    total.kills += all.filter((member) => member.killedMs).length;
    rmSync(join(cache, '..'), { recursive: true });
  }
  t.diagnostic(`${total.rounds} rounds, ${total.kills} kills, ${total.killsOfDownloads} of them of downloads, ${Math.round(total.durable / 1e6)} MB were durable by then, ${(total.sent / total.size).toFixed(2)} × the models' size was sent`);
  assert.ok(total.killsOfDownloads > 0, 'nobody was killed who downloaded');
});
