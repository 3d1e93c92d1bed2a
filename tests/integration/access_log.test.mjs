// SPDX-License-Identifier: Apache-2.0
//
// Every request and every byte that goes over the wire is on the trace: the spans are held against the access log of
// the server, request by request, whatever happened on the way.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { assertAccounted, settled } from '../lib/accounts.mjs';
import { assertSoundTrace, hoist, named, start, tempDir } from '../lib/harness.mjs';
import { makeWorld, modelFiles, putModel } from './world.mjs';

const MiB = 1024 * 1024;
const world = await makeWorld(after);
const id = 'big/1';
const data = randomBytes(40 * MiB + 4321);
const files = { ...modelFiles, 'weights.onnx': data };
for (let i = 0; i < 40; i++) files[`labels/${i}.txt`] = `label ${i}\n`.repeat(i * 50);
const size = Object.values(files).reduce((sum, bytes) => sum + Buffer.byteLength(bytes), 0);
const described = ['environment.json', 'class_names.txt', 'model_type.json'].reduce((total, name) => total + files[name].length, 0); // by the API itself
const s3 = { HOIST_SOURCES: 's3' };
const api = { HOIST_SOURCES: 'roboflow_api' };
const weights = { path: '/weights\\.onnx' };
const weightsAsked = { path: /weights\.onnx$/ };
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const sum = (spans, name) => spans.reduce((total, span) => total + Number(span.attributes[name] ?? 0), 0);

function reset(script = []) {
  putModel(world.origin, id, files);
  world.origin.reset();
  world.receiver.reset();
  world.origin.script(script);
}

async function account() {
  await settled(world.origin);
  const spans = world.receiver.spans();
  assertSoundTrace(spans);
  return { spans, ...assertAccounted(spans, world.origin.requests()) };
}

/** What the process says of itself in its other voices. */
function assertSame(result, spans) {
  const [root] = spans.filter((span) => span.parentSpanId === null);
  const told = JSON.parse(result.stdout.trim().split('\n').at(-1)).downloaded_bytes;
  const downloads = named(spans, 'model.artifacts.download');
  const delivered = sum(downloads.filter((span) => span.status.code !== 'Error'), 'model.artifacts.bytes');
  assert.equal(told, delivered);
  if (root.name === 'model.load') assert.equal(Number(root.attributes['model.artifacts.downloaded_bytes']), delivered);
  const counted = world.receiver.metrics().filter((metric) => metric.name === 'hoist.artifacts.bytes').at(-1);
  assert.equal(counted.points.reduce((total, point) => total + Number(point.value), 0), sum(downloads, 'model.artifacts.bytes'));
}

/** What happens on the way: [title, environment, script]. */
const ways = [
  ['nothing', s3, []],
  ['nothing, from the API', api, []],
  ['503s and 429s', s3, [{ ...weights, status: 503, times: 2 }, { path: 'labels', status: 429, every: 5, times: 4 }]],
  ['resets', api, [{ ...weights, reset: true, at: 0.4, skip: 1, times: 2 }]],
  ['connections that end early', s3, [{ ...weights, close: true, at: 0.7, skip: 1, times: 2 }, { path: 'labels/7', close: true, at: 0.5 }]],
  ['no answer at all', s3, [{ ...weights, close: 'before', times: 2 }, { path: 'list-type', reset: 'before' }]],
  ['a stall', { ...s3, HOIST_STALL_TIMEOUT: '1' }, [{ ...weights, stall: true, at: 0.5, skip: 2 }]],
  ['one slow part', s3, [{ ...weights, drip: { bytes: 65536, ms: 8 }, skip: 3 }]],
  ['a trickle', { ...s3, HOIST_STALL_TIMEOUT: '1' }, [{ ...weights, drip: { bytes: 100, ms: 50 }, skip: 2 }]],
  ['expired URLs', api, [{ path: '^/files/.*weights', status: 403, skip: 2 }]],
  ['redirects', api, [{ path: '^/files/.*weights', redirect: `${world.origin.url}/files/nowhere`, times: 1 }]],
  ['ranges that are ignored', s3, [{ ...weights, ignoreRange: true, times: 0 }]],
  ['ranges that are ignored now and then', s3, [{ ...weights, ignoreRange: true, skip: 2 }]],
  ['a wrong Content-Range', s3, [{ ...weights, headers: { 'content-range': `bytes 0-8388607/${data.length}` }, skip: 2 }]],
  ['a corrupt file, and another source', { HOIST_SOURCES: 's3,roboflow_api' }, [{ path: '^/models/.*weights', corrupt: true, skip: 1 }]],
  ['a source that is down, and another', { HOIST_SOURCES: 's3,roboflow_api', HOIST_MAX_ATTEMPTS: '2' }, [{ path: 'list-type', status: 503, times: 0 }]],
  ['a missing file, and another source', { HOIST_SOURCES: 's3,roboflow_api' }, [{ path: '^/models/.*weights', status: 404, times: 0 }]],
];
for (const [title, env, script] of ways) {
  test(`every byte is accounted for: ${title}`, async (t) => {
    reset(script);
    const result = await hoist(['pull', id, '--json'], { env: world.env(tempDir(t), env) });
    const { spans, fileBytes, sent, whole } = await account();
    assert.equal(result.rc, 0, result.stderr);
    assertSame(result, spans);
    const said = sum(named(spans, 'model.artifacts.download'), 'model.artifacts.bytes');
    assert.equal(said, fileBytes);
    if (whole) assert.equal(fileBytes, sent);
    const files = new Set(named(spans, 'model.artifact.download').map((span) => span.spanId));
    const refused = spans.filter((span) => files.has(span.parentSpanId) && !/^2/.test(span.attributes['http.response.status_code'])); // an empty file has no ranges
    if (title.startsWith('nothing')) assert.equal(said - sum(refused, 'http.response.body.size'), size - (env === api ? described : 0));
  });
}

test('every byte is accounted for: a kill, and going on from there', async (t) => {
  reset([{ ...weights, delayMs: 20_000, skip: 4, times: 0 }]);
  const env = world.env(tempDir(t), s3);
  const victim = start(['pull', id, '-q'], { env });
  while (world.origin.requests(weightsAsked).filter((entry) => entry.complete).length < 4) await sleep(5);
  await sleep(500); // to write and note what was sent
  victim.child.kill('SIGINT');
  assert.equal((await victim.done).rc, 130);
  const stopped = await account();
  assert.ok(stopped.fileBytes <= stopped.sent);
  reset();
  const result = await hoist(['pull', id, '--json'], { env });
  assert.equal(result.rc, 0, result.stderr);
  const { spans, fileBytes, sent, whole } = await account();
  assertSame(result, spans);
  const [download] = named(spans, 'model.artifacts.download');
  assert.ok(Number(download.attributes['model.artifacts.resumed_bytes']) > 0);
  assert.equal(Number(download.attributes['model.artifacts.bytes']) + Number(download.attributes['model.artifacts.resumed_bytes']), size);
  assert.ok(whole ? fileBytes === sent : fileBytes <= sent);
});
