// SPDX-License-Identifier: Apache-2.0
//
// The test tools themselves: a check that cannot fail checks nothing.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { modelBuffer, shapeFor, writeModel } from './genonnx.mjs';
import { assertExit, assertNoSecrets, assertSoundTrace, assertTree, jsonLines, listTree, start, tempDir, treeText } from './harness.mjs';

const ID = 'a'.repeat(32);
let serial = 0;
function span(name, startMs, endMs, parent = null, extra = {}) {
  return {
    traceId: ID, spanId: (++serial).toString(16).padStart(16, '0'), parentSpanId: parent?.spanId ?? null, name, kind: 'INTERNAL',
    startNs: BigInt(startMs) * 1_000_000n, endNs: BigInt(endMs) * 1_000_000n, attributes: {}, events: [], status: { code: 'Unset', message: '' }, ...extra,
  };
}
function sample() {
  const load = span('model.load', 1, 100, null, { attributes: { 'model.id': 'a/1' } });
  const s3 = span('model.artifacts.download', 2, 20, load, { status: { code: 'Error', message: 'x' }, attributes: { 'error.type': 'UNAVAILABLE', 'model.artifacts.source': 's3' } });
  const api = span('model.artifacts.download', 21, 80, load, { attributes: { 'model.artifacts.source': 'roboflow_api' } });
  const files = [30, 31, 32].map((at) => span('model.artifact.download', at, 79, api));
  return { all: [files[1], load, s3, files[0], api, files[2]], load, s3, api, files };
}

test('prints a tree whatever the order of arrival, folding what is alike', () => {
  assert.equal(treeText(sample().all, { attributes: ['model.id', 'model.artifacts.source'] }), [
    'model.load {model.id=a/1}',
    '  model.artifacts.download {model.artifacts.source=s3} ! UNAVAILABLE',
    '  model.artifacts.download {model.artifacts.source=roboflow_api}',
    '    model.artifact.download × 3',
  ].join('\n'));
});

test('a sound trace passes; each defect is found', () => {
  assertSoundTrace(sample().all);
  const DEFECTS = [
    [(s) => { s.files[0].traceId = 'b'.repeat(32); }, /more than one trace/],
    [(s) => { s.files[0].spanId = s.files[1].spanId; }, /not unique/],
    [(s) => { s.files[0].parentSpanId = 'f'.repeat(16); }, /parent is missing/],
    [(s) => { s.files[0].endNs = s.files[0].startNs - 1n; }, /ends before/],
    [(s) => { s.files[0].endNs = 90_000_000n; }, /not within its parent/],
    [(s) => { s.s3.attributes = {}; }, /without error.type/],
    [(s) => { s.all.length = 0; }, /no spans/],
  ];
  for (const [break_, message] of DEFECTS) {
    const broken = sample();
    break_(broken);
    assert.throws(() => assertSoundTrace(broken.all), message);
  }
});

const SHAPE = {
  name: 'model.load', attributes: { 'model.id': 'a/1', absent: undefined },
  children: [
    { name: 'model.artifacts.download', status: 'Error', attributes: { 'error.type': /^UNAV/ } },
    { name: 'model.artifacts.download', children: [{ name: 'model.artifact.download', count: 3 }] },
  ],
};

test('the right shape passes; each wrong one is told apart', () => {
  assertTree(sample().all, SHAPE);
  const change = (edit) => { const shape = structuredClone(SHAPE); edit(shape); return shape; };
  const WRONG = [
    [(s) => { s.name = 'other'; }, /expected other/],
    [(s) => { s.attributes = { 'model.id': 'b' }; }, /model.id is "a\/1"/],
    [(s) => { s.children.reverse(); }, /status Error, expected/],
    [(s) => { s.children.pop(); }, /unexpected model.artifacts.download/],
    [(s) => { s.children[1].children[0].count = 4; }, /3 × model.artifact.download, expected 4/],
    [(s) => { s.children[1].children[0].count = 2; }, /unexpected model.artifact.download/],
    [(s) => { s.children.push({ name: 'model.session.create' }); }, /0 × model.session.create/],
  ];
  for (const [edit, message] of WRONG) assert.throws(() => assertTree(sample().all, change(edit)), message);
  assertTree(sample().all, change((s) => { s.children.pop(); s.rest = true; }));
  assertTree(sample().all, change((s) => { s.children.reverse(); s.anyOrder = true; }));
  assertTree(sample().all, change((s) => { s.children[1].children[0].count = 'some'; s.children.push({ name: 'x', optional: true }); }));
});

test('finds a secret in every form and place', (t) => {
  const dir = tempDir(t);
  mkdirSync(`${dir}/sub`);
  writeFileSync(`${dir}/sub/file`, 'clean');
  const secret = 'S3cr/t+"x"';
  assertNoSecrets([secret], 'clean', { stdout: '', stderr: '' }, { dir }, { a: 1n });
  const header = (text) => Buffer.from(`${text}${secret}:x`).toString('base64');
  for (const leak of [secret, encodeURIComponent(secret), encodeURIComponent(encodeURIComponent(secret)), encodeURIComponent(secret).toLowerCase(), JSON.stringify(secret),
    Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('base64url'), Buffer.from(secret).toString('hex'), ...['', 'u', 'us', 'use'].map(header)]) {
    assert.throws(() => assertNoSecrets([secret], `before ${leak} after`), /holds the secret/);
    assert.throws(() => assertNoSecrets([secret], { stdout: '', stderr: leak }), /stderr holds/);
  }
  writeFileSync(`${dir}/sub/file`, secret);
  assert.throws(() => assertNoSecrets([secret], { dir }), /holds the secret/);
  assert.throws(() => assertNoSecrets([secret], { nested: [secret] }), /holds the secret/);
});

test('runs a program in a clean environment and captures what it does', async (t) => {
  process.env.HOIST_LEAK = 'leak';
  t.after(() => delete process.env.HOIST_LEAK);
  const result = await start(['-c', 'env; echo err >&2; cat; exit 3'], { bin: '/bin/sh', env: { GIVEN: '1' }, input: 'typed' }).done;
  assert.equal(result.rc, 3);
  assert.match(result.stdout, /GIVEN=1/);
  assert.match(result.stdout, /typed$/);
  assert.equal(result.stderr, 'err\n');
  assert.doesNotMatch(result.stdout, /HOIST_LEAK/);
  assert.throws(() => assertExit(result, 0), /exited with 3, expected 0/);
});

test('stops a program that runs past its time', async () => {
  const result = await start(['-c', 'exec sleep 30'], { bin: '/bin/sh', timeoutMs: 50 }).done;
  assert.ok(result.timedOut && result.durationMs < 5000);
  assert.throws(() => assertExit(result, 0), /ran past its time/);
});

test('says what is missing where the program is not built', async () => {
  await assert.rejects(start([], { bin: '/nonexistent/hoist' }).done, /build it first/);
});

test('reads JSON lines and shows the line that is none', () => {
  assert.deepEqual(jsonLines('{"a":1}\n\n2\n'), [{ a: 1 }, 2]);
  assert.throws(() => jsonLines('{}\noops\n'), /line 2 is not JSON.*oops/);
});

test('makes models of about the size asked for, the same each time', async (t) => {
  const dir = tempDir(t);
  for (const size of [1000, 100_000, 3_000_000]) {
    const written = await writeModel(`${dir}/${size}.onnx`, { size });
    assert.ok(written <= size && written > size * 0.85, `${written} for ${size}`);
  }
  assert.deepEqual(listTree(dir), ['1000.onnx', '100000.onnx', '3000000.onnx']);
  assert.deepEqual(modelBuffer({ size: 5000 }), modelBuffer({ size: 5000 }));
  assert.notDeepEqual(modelBuffer({ size: 5000 }), modelBuffer({ size: 5000, seed: 2 }));
  assert.throws(() => modelBuffer({ ...shapeFor(3e9) }), /2 GiB/);
});
