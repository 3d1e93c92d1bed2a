// SPDX-License-Identifier: Apache-2.0
//
// Ctrl-C, and hoist_cancel in a program, stop within 100 ms, whatever is going on just then. What else the machine does
// can only add to the time, so the best of a few tries is what hoist takes: each is tried until it was fast enough, ten
// times at most, and ahead of others where that is allowed. A sync that the disk takes its time for is waited for.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import os from 'node:os';
import { after, test } from 'node:test';
import { hoist, hoistBin, hoistOk, start, tempDir } from '../lib/harness.mjs';
import { modelChunks } from '../lib/genonnx.mjs';
import { meddle } from '../lib/meddle.mjs';
import { program } from '../lib/programs.mjs';
import { makeWorld, modelFiles, putModel } from './world.mjs';

const LIMIT_MS = 100;
const TRIES = 10;
const MiB = 1024 * 1024;
try { os.setPriority(-10); } catch { /* not allowed */ }
const world = await makeWorld(after);
const id = 'big/1';
const data = randomBytes(64 * MiB);
putModel(world.origin, id, { ...modelFiles, 'weights.onnx': data });
const weights = { path: '/weights\\.onnx' };
const slowly = { ...weights, drip: { bytes: 256 * 1024, ms: 4 }, times: 0 };
const asked = () => world.origin.requests({ path: /weights\.onnx$/ });
const sentBytes = () => asked().reduce((sum, request) => sum + request.sent, 0);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const until = async (condition) => { while (!condition()) await sleep(2); };
const nobodyAnswers = net.createServer(() => {});
await new Promise((done) => nobodyAnswers.listen(0, '127.0.0.1', done));
after(() => nobodyAnswers.close());

// Where a connection is never made: to a neighbour whose address is known, and who is not there.
const farAway = ['-n', 'sh', '-c', `ip link add near type veth peer name far && ip addr add 10.9.9.1/24 dev near && ip link set near up &&
  ip link set far up && ip neigh add 10.9.9.9 lladdr 02:00:00:00:00:01 dev near && exec "$@"`, 'sh'];

/** Leaves most of a download to go on with. */
async function beginEarlier(t, env) {
  world.origin.script([slowly]);
  const earlier = start(['pull', id, '-q'], { env });
  await until(() => sentBytes() > 0.9 * data.length);
  earlier.child.kill('SIGINT');
  await earlier.done;
}

/**
 * What is going on: {script, env, prepare (before), ready (resolves when it is), how (words before the command), command}.
 */
const moments = {
  'connecting': { env: { AWS_ENDPOINT_URL_S3: 'http://10.9.9.9', OTEL_EXPORTER_OTLP_ENDPOINT: '' }, how: ['unshare', ...farAway], ready: () => sleep(300) },
  'looking up a name': { env: { ...meddle({ resolver: 'hang' }), AWS_ENDPOINT_URL_S3: 'http://origin.test:9' }, ready: () => sleep(200) },
  'waiting for an answer': { script: [{ path: 'list-type', delayMs: 3000, times: 0 }], ready: async () => { await until(() => world.origin.requests().length > 0); await sleep(50); } },
  'waiting for bytes': { script: [{ ...weights, stall: true, at: 0.5, times: 0 }], ready: async () => { await until(() => asked().length > 1); await sleep(100); } },
  'bytes that flow': { script: [slowly], ready: () => until(() => sentBytes() > 20 * MiB) },
  'waiting before another attempt': { script: [{ ...weights, status: 503, retryAfter: 30, times: 0 }], ready: async () => { await until(() => asked().length > 0); await sleep(100); } },
  'waiting for the process that has the lock': {
    async prepare(t, env) {
      world.origin.script([{ ...weights, stall: true, times: 0 }]);
      const holder = start(['pull', id, '-q'], { env });
      t.after(async () => { holder.child.kill('SIGKILL'); await holder.done; });
      await until(() => asked().length > 0);
    },
    ready: () => sleep(200),
  },
  'reading back what an earlier download left': {
    prepare: beginEarlier,
    script: [{ ...weights, stall: true, at: 0, times: 0 }],
    env: meddle({ read_ms: 20 }),
    ready: () => sleep(300),
  },
  'hashing what is there when the last byte has come': {
    prepare: beginEarlier,
    env: meddle({ read_ms: 10 }),
    ready: async () => { await until(() => asked().length > 0 && asked().every((request) => request.complete)); await sleep(100); },
  },
  'verifying what is in the cache': { prepare: (t, env) => hoistOk(['pull', id, '-q'], { env }), env: { ...meddle({ read_ms: 10 }), HOIST_VERIFICATION: 'sha256' }, ready: () => sleep(500) },
};

async function prepared(t, { prepare, script = [], env: more = {} }) {
  world.origin.reset();
  const env = world.env(tempDir(t), { HOIST_SOURCES: 's3' });
  await prepare?.(t, env);
  world.origin.reset();
  world.receiver.reset();
  world.origin.script(script);
  return { ...env, ...more };
}

/** Milliseconds from SIGINT to the end of the process, as its parent sees it; Infinity where its spans got lost over that. */
async function interruptedMs(t, moment) {
  const env = await prepared(t, moment);
  const [bin, ...args] = [...moment.how ?? [], hoistBin, ...moment.command ?? ['pull', id, '-q']];
  const { child, done } = start(args, { bin, env });
  let ended;
  child.on('exit', () => { ended = process.hrtime.bigint(); });
  await moment.ready(child);
  assert.equal(ended, undefined, 'it ended too soon');
  const from = process.hrtime.bigint();
  child.kill('SIGINT');
  const result = await done;
  assert.equal(result.rc, moment.rc ?? 130, result.output);
  if (env.OTEL_EXPORTER_OTLP_ENDPOINT === world.receiver.httpUrl && world.receiver.spans().filter((span) => ['model.pull', 'model.load'].includes(span.name)).length !== 1) return Infinity;
  return Number(ended - from) / 1e6;
}

/** Milliseconds from hoist_cancel to the return of the call. */
async function cancelledMs(t, moment) {
  const env = await prepared(t, moment);
  const [bin, ...args] = [...moment.how ?? [], program('cancel_call'), ...moment.call ?? ['pull', id]];
  const { child, done } = start(args, { bin, env, keepInput: true });
  await moment.ready(child);
  child.stdin.end('\n');
  const { stdout, output } = await done;
  const { status, ms } = JSON.parse(stdout.trim().split('\n').at(-1) || assert.fail(output));
  assert.equal(status, 'cancelled', output);
  return ms;
}

async function assertSoon(measure, limitMs = LIMIT_MS) {
  const times = [];
  while (times.length < TRIES && !(times.at(-1) < limitMs)) times.push(await measure());
  assert.ok(times.at(-1) < limitMs, `${times.map(Math.round).join(', ')} ms`);
}

for (const [title, moment] of Object.entries(moments)) {
  test(`Ctrl-C stops within ${LIMIT_MS} ms: ${title}`, (t) => assertSoon(() => interruptedMs(t, moment)));
  test(`hoist_cancel stops within ${LIMIT_MS} ms: ${title}`, (t) => assertSoon(() => cancelledMs(t, moment)));
}

// One pass of ONNX Runtime over the thousands of nodes of this model takes it longer than that, and it looks at its switch
// between passes only.
const slow = 'slow/1';
const slowModel = Buffer.concat([...modelChunks({ layers: 6000, dim: 8 })]);
const creating = (afterMs) => ({
  async prepare(_, env) {
    putModel(world.origin, slow, { ...modelFiles, 'weights.onnx': slowModel });
    await hoistOk(['pull', slow, '-q'], { env });
  },
  env: { HOIST_GRAPH_CACHE: 'off' },
  command: ['load', slow, '--json'],
  call: ['load', slow],
  async ready(child) {
    let told = '';
    child.stdout.on('data', (text) => { told += text; });
    await until(() => told.includes('session'));
    await sleep(afterMs);
  },
});
for (const ms of [50, 100, 150, 200, 250]) {
  test(`Ctrl-C stops within ${LIMIT_MS} ms: ${ms} ms into creating a session`, (t) => assertSoon(() => interruptedMs(t, creating(ms))));
  test(`hoist_cancel stops within ${LIMIT_MS} ms: ${ms} ms into creating a session`, (t) => assertSoon(() => cancelledMs(t, creating(ms))));
}

// The runtime goes on for half a second, and nobody waits for it. (The time is that of the whole process, its start included.)
test('a timeout while a session is created ends the command', (t) => assertSoon(async () => {
  const timeoutMs = 400;
  const env = await prepared(t, creating(0));
  const { rc, durationMs, output } = await hoist(['load', slow, '--timeout', String(timeoutMs / 1000)], { env });
  assert.equal(rc, 6, output);
  return durationMs - timeoutMs;
}, 250));

// The load has ended well by then; what a thread at a low priority is at is nobody's wish any more.
test(`Ctrl-C stops within ${LIMIT_MS} ms: while a graph is saved`, (t) => assertSoon(() => interruptedMs(t, {
  ...creating(0),
  env: { HOIST_GRAPH_CACHE: 'background' },
  rc: 0,
  async ready(child) {
    let told = '';
    child.stdout.on('data', (text) => { told += text; });
    await until(() => told.includes('"event":"result"'));
    await sleep(200);
  },
})));

test('two signals at once are one wish: timeout(1) sends both the process and its group one', async (t) => {
  const env = await prepared(t, moments['waiting for bytes']);
  const { child, done } = start(['pull', id], { env });
  await moments['waiting for bytes'].ready();
  child.kill('SIGTERM');
  await sleep(1);
  child.kill('SIGTERM');
  const { rc, stderr } = await done;
  assert.equal(rc, 130, stderr);
  assert.match(stderr, /cancelled/);
});

const collectors = {
  'that does not answer': { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${nobodyAnswers.address().port}` },
  'whose name cannot be looked up': { ...meddle({ resolver: 'hang' }), OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.test:9' },
};
for (const [title, env] of Object.entries(collectors))
  test(`Ctrl-C stops within ${LIMIT_MS} ms: with a collector ${title}`, (t) => assertSoon(() => interruptedMs(t, { ...moments['waiting for an answer'], env })));
