// SPDX-License-Identifier: Apache-2.0
//
// Somebody sets the clock while a model is loaded, by hours, forwards or backwards, as a machine does that asks for
// the time only once it is up: nothing runs into a limit because of it, and the trace stays what it was.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { assertSoundTrace, hoist, hoistOk, jsonLines, named, start, tempDir } from '../lib/harness.mjs';
import { meddle } from '../lib/meddle.mjs';
import { makeWorld, modelId } from './world.mjs';

// No signatures: those of a clock that is wrong are refused, and made again (s3.test.mjs).
const world = await makeWorld(after, { anonymous: true });
const unsigned = { HOIST_S3_ANONYMOUS: 'true', AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_SESSION_TOKEN: '' };
const limits = { HOIST_STALL_TIMEOUT: '10', ROBOFLOW_API_REQUEST_TIMEOUT: '10', MODEL_LOCK_ACQUIRE_TIMEOUT: '10' };
const slowly = { path: '/weights\\.onnx', drip: { bytes: 20_000, ms: 20 }, times: 0 };
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const jumps = [
  ['three hours forwards', '150:10800'],
  ['three hours back', '150:-10800'],
  ['to and fro', '0:86400,150:-10800,300:40000000'],
];
for (const source of ['s3', 'roboflow_api']) for (const [title, clock] of jumps)
  test(`the clock jumps ${title} during a download from ${source}`, async (t) => {
    world.origin.reset();
    world.receiver.reset();
    world.origin.script([{ path: '/weights\\.onnx', status: 503 }, slowly]);
    const env = world.env(tempDir(t), { HOIST_SOURCES: source, ...unsigned, ...limits, ...meddle({ clock }) });
    const result = await hoistOk(['load', modelId, '--timeout', '30', '--json'], { env });
    const spans = world.receiver.spans();
    assertSoundTrace(spans);
    for (const span of spans) assert.ok(Number(span.endNs - span.startNs) / 1e6 <= result.durationMs, `${span.name} took ${(span.endNs - span.startNs) / 1_000_000n} ms`);
    const [root] = named(spans, 'model.load');
    const { load_time_s: told } = jsonLines(result.stdout).find((line) => line.event === 'result');
    for (const seconds of [told, root.attributes['model.load_time_seconds']]) assert.ok(seconds > 0.3 && seconds * 1000 < result.durationMs, `${seconds} s`);
  });

test('the clock jumps while a process waits for another', async (t) => {
  world.origin.reset();
  world.receiver.reset();
  world.origin.script([{ ...slowly, drip: { bytes: 10_000, ms: 30 } }]);
  const env = world.env(tempDir(t), { HOIST_SOURCES: 's3', ...unsigned, ...limits });
  const holder = start(['pull', modelId, '-q'], { env });
  while (world.origin.requests({ path: /weights\.onnx$/ }).length === 0) await sleep(5);
  world.receiver.reset();
  const waiter = await hoist(['load', modelId, '--timeout', '30'], { env: { ...env, ...meddle({ clock: '300:10800,600:-10800' }) } });
  assert.equal(waiter.rc, 0, waiter.output);
  assert.equal((await holder.done).rc, 0);
  const waited = world.receiver.spans().filter((span) => span.traceId === named(world.receiver.spans(), 'model.load')[0].traceId);
  assertSoundTrace(waited);
  assert.equal(named(waited, 'model.cache.lock_wait').length, 1);
});
