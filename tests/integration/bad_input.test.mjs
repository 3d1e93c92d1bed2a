// SPDX-License-Identifier: Apache-2.0
//
// The table of bad input: each row says what is wrong and what the user gets: the exit status, what
// the one line of error names, and always: nothing half-written, a span with status Error, no secret.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertNoSecrets, assertSoundTrace, hoist, listTree, mountSmall, tempDir } from '../lib/harness.mjs';
import { startOrigin } from '../origin/origin.mjs';
import { makeWorld, marker, modelFiles, modelId, putModel, writeModel } from './world.mjs';

const world = await makeWorld(after);
const { origin } = world;
putModel(origin, 'garbage/1', { ...modelFiles, 'weights.onnx': 'this is not an ONNX model' });
putModel(origin, 'truncated/1', { ...modelFiles, 'weights.onnx': modelFiles['weights.onnx'].subarray(0, 200_000) });
putModel(origin, 'empty/1', { ...modelFiles, 'weights.onnx': '' });
putModel(origin, 'two/1', { 'one.onnx': 'a', 'two.onnx': 'b' });
putModel(origin, 'none/1', { 'class_names.txt': 'face\n', 'readme.md': 'no weights' });
putModel(origin, 'badenv/1', { ...modelFiles, 'environment.json': '{"PREPROCESSING": 12}' });
putModel(origin, 'notjson/1', { 'weights.onnx': modelFiles['weights.onnx'], 'environment.json': '{"PREPROCESSING": ' });
origin.s3.synthesise('huge', 'faces/1/', 1_000_000);
for (const [i, name] of ['../escape.txt', 'a/../../escape.txt', '/abs.onnx', 'back\\slash.onnx', 'new\nline.onnx', '.hoist-manifest.json'].entries()) {
  origin.s3.put('evil', `name${i}/1/weights.onnx`, 'x');
  origin.s3.put('evil', `name${i}/1/${name}`, 'x');
}
const dir = tempDir(after);
execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1',
  '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem')], { stdio: 'ignore' });
const tlsOrigin = await startOrigin({ tls: { cert: readFileSync(join(dir, 'cert.pem')), key: readFileSync(join(dir, 'key.pem')) }, apiKey: `${marker}-apikey` });
tlsOrigin.certificate = join(dir, 'cert.pem');
after(() => tlsOrigin.close());
putModel(tlsOrigin);

const s3 = { HOIST_SOURCES: 's3', HOIST_MAX_ATTEMPTS: '2' };
const api = { HOIST_SOURCES: 'roboflow_api', HOIST_MAX_ATTEMPTS: '2' };
const answer = (garbage, more = {}) => [{ path: '^/ort/', garbage, times: 0, ...more }];
const merged = (merge) => [{ path: '^/ort/', merge, times: 0 }];

/** [title, exit status, texts that the error line has, what to run, environment, origin script] */
const rows = [
  ['an id with ..', 2, ['a/../b', '..'], ['load', 'a/../b'], s3],
  ['an id that is only ..', 2, ['..'], ['load', '..'], s3],
  ['an id with an empty segment', 2, ['a//b', 'empty'], ['load', 'a//b'], s3],
  ['an id that begins with a slash', 2, ['/etc/passwd'], ['load', '/etc/passwd'], s3],
  ['an id with a backslash', 2, ['backslash'], ['load', 'a\\b'], s3],
  ['an id with control bytes', 2, ['control'], ['load', 'a\x1b[31mb'], s3],
  ['an id of 4 KB', 2, ['bytes'], ['load', 'x'.repeat(4096)], s3],
  ['an empty id', 2, ['empty'], ['load', ''], s3],
  ['a wrong secret', 4, ['SignatureDoesNotMatch', 'AWS_SECRET_ACCESS_KEY'], ['load', modelId], { ...s3, AWS_SECRET_ACCESS_KEY: `${marker}-wrong` }],
  ['an unknown access key', 4, ['InvalidAccessKeyId', 'AWS_ACCESS_KEY_ID'], ['load', modelId], { ...s3, AWS_ACCESS_KEY_ID: 'nobody-at-all' }],
  ['a missing bucket', 3, ['no-such-bucket', 'NoSuchBucket'], ['load', modelId], { ...s3, INFER_BUCKET: 'no-such-bucket' }],
  ['a missing model in S3', 3, ['nobody/1', 's3://models/nobody/1'], ['load', 'nobody/1'], s3],
  ['a missing model at the API', 3, ['nobody/1'], ['load', 'nobody/1'], api],
  ['a missing API key', 4, ['401', 'ROBOFLOW_API_KEY'], ['load', modelId], { ...api, ROBOFLOW_API_KEY: '' }],
  ['a wrong API key', 4, ['401', 'ROBOFLOW_API_KEY'], ['load', modelId], { ...api, ROBOFLOW_API_KEY: `${marker}-wrong` }],
  ['an API that is down', 5, ['127.0.0.1:9'], ['load', modelId], { ...api, API_BASE_URL: 'http://127.0.0.1:9' }],
  ['a proxy that is down', 5, ['api.invalid', 'the proxy 127.0.0.1 port 9', 'no_proxy'], ['load', modelId], { ...api, API_BASE_URL: 'http://api.invalid', http_proxy: 'http://127.0.0.1:9', no_proxy: '127.0.0.1', HOIST_MAX_ATTEMPTS: '1' }],
  ['a host that does not exist', 5, ['nowhere.invalid'], ['load', modelId], { ...api, API_BASE_URL: 'http://nowhere.invalid' }],
  ['an API URL that is none', 2, ['API_BASE_URL', 'https://'], ['load', modelId], { ...api, API_BASE_URL: 'not a url' }, null, { noSpan: true }], // nothing is loaded yet
  ['a listing of a million keys', 7, ['s3://huge', 'more than 16384 objects'], ['load', modelId], { ...s3, INFER_BUCKET: 'huge' }],
  ['a file name with ..', 7, ['..'], ['load', 'name0/1'], { ...s3, INFER_BUCKET: 'evil' }],
  ['a file name with .. further down', 7, ['..'], ['load', 'name1/1'], { ...s3, INFER_BUCKET: 'evil' }],
  ['a file name with an empty segment', 7, ['abs.onnx'], ['load', 'name2/1'], { ...s3, INFER_BUCKET: 'evil' }],
  ['a file name with a backslash', 7, ['slash.onnx'], ['load', 'name3/1'], { ...s3, INFER_BUCKET: 'evil' }],
  ['a file name with a line break', 7, ['line.onnx'], ['load', 'name4/1'], { ...s3, INFER_BUCKET: 'evil' }],
  ['a file named like our manifest', 7, ['.hoist-manifest.json'], ['load', 'name5/1'], { ...s3, INFER_BUCKET: 'evil' }],
  ['an API file name that leaves the directory', 7, ['..'], ['load', modelId], api, merged({ ort: { weights: { '../../escape': 'http://127.0.0.1:9/x' } } })],
  ['JSON of the wrong shape', 7, ['ort'], ['load', modelId], api, merged({ ort: 12 })],
  ['JSON without the model URL', 7, ['ort.model', 'missing'], ['load', modelId], api, merged({ ort: { model: null } })],
  ['a model URL that is a number', 7, ['ort.model', 'number'], ['load', modelId], api, merged({ ort: { model: 7 } })],
  ['a model URL of another scheme', 7, ['ort.model'], ['load', modelId], api, merged({ ort: { model: 'file:///etc/passwd' } })],
  ['truncated JSON', 7, ['JSON'], ['load', modelId], api, answer('truncated')],
  ['JSON 10,000 levels deep', 7, ['deep'], ['load', modelId], api, answer('deep', { levels: 10_000 })],
  ['100 MB of JSON', 7, ['bytes'], ['load', modelId], api, answer('huge', { bytes: 100 * 1024 * 1024 })],
  ['HTML for JSON', 7, ['JSON'], ['load', modelId], api, answer('html')],
  ['nothing for JSON', 7, ['JSON'], ['load', modelId], api, answer('empty')],
  ['S3 XML that is none', 7, ['s3://models'], ['load', modelId], s3, [{ path: 'list-type', garbage: 'html', times: 0 }]],
  ['S3 XML with an entity bomb', 7, ['s3://models'], ['load', modelId], s3, [{ path: 'list-type', garbage: 'laughs', times: 0 }]],
  ['S3 XML 10,000 levels deep', 7, ['s3://models'], ['load', modelId], s3, [{ path: 'list-type', garbage: 'deep-xml', levels: 10_000, times: 0 }]],
  ['an environment.json of the wrong shape', 7, ['environment.json', 'PREPROCESSING'], ['load', 'badenv/1'], s3],
  ['an environment.json that is no JSON', 7, ['environment.json'], ['load', 'notjson/1'], s3],
  ['two weights files', 7, ['one.onnx', 'two.onnx'], ['load', 'two/1'], s3],
  ['no weights file', [3, 7], ['onnx'], ['load', 'none/1'], s3],
  ['a file that is not ONNX', 7, ['weights.onnx', 'ONNX Runtime'], ['load', 'garbage/1'], s3, null, { cached: true }],
  ['a truncated ONNX file', 7, ['weights.onnx', 'ONNX Runtime'], ['load', 'truncated/1'], s3, null, { cached: true }],
  ['an empty ONNX file', 7, ['weights.onnx'], ['load', 'empty/1'], s3, null, { cached: true }],
  ['no ONNX Runtime', 8, ['HOIST_ONNXRUNTIME', '/nonexistent/libonnxruntime.so'], ['load', modelId], { ...s3, HOIST_ONNXRUNTIME: '/nonexistent/libonnxruntime.so' }, null, { cached: true }],
  ['a library that is not ONNX Runtime', 8, ['OrtGetApiBase'], ['load', modelId], { ...s3, HOIST_ONNXRUNTIME: '/lib/x86_64-linux-gnu/libz.so.1' }, null, { cached: true, only: process.arch === 'x64' }],
  ['no source at all', 2, ['HOIST_SOURCES'], ['load', modelId], { HOIST_SOURCES: '', INFER_BUCKET: '', ROBOFLOW_API_KEY: '' }],
  ['offline and not cached', 3, ['offline', modelId], ['load', modelId], { ...s3, OFFLINE_MODE: 'true' }],
];

const errorLines = (result) => result.stderr.split('\n').filter((line) => line.startsWith('hoist: '));

/** What must hold whatever went wrong. */
function assertClean(result, cache, { cached = false } = {}) {
  assert.equal(errorLines(result).length, 1, `one line of error:\n${result.output}`);
  assert.ok(Buffer.byteLength(errorLines(result)[0]) < 700, errorLines(result)[0]);
  assertNoSecrets([marker], result, world.receiver.requests().map((r) => r.body), { dir: cache });
  const left = listTree(cache).filter((path) => !path.startsWith('.hoist/') && !path.endsWith('/') && path !== 'CACHEDIR.TAG');
  if (!cached) assert.deepEqual(left, [], 'something was left in the cache');
  assert.deepEqual(listTree(join(cache, '.hoist/staging')), [], 'something was left in the staging');
}

function assertFailedSpan() {
  const spans = world.receiver.spans();
  assertSoundTrace(spans);
  const [root] = spans.filter((span) => span.name === 'model.load');
  assert.equal(root.status.code, 'Error');
  assert.ok(root.attributes['error.type']);
}

for (const [title, rc, says, args, env, script, options = {}] of rows) {
  if (options.only === false) continue;
  test(title, async (t) => {
    world.origin.reset();
    world.receiver.reset();
    if (script) world.origin.script(script);
    const cache = tempDir(t);
    const result = await hoist([...args, '--no-color'], { env: world.env(cache, env), timeoutMs: 60_000 });
    assert.ok([rc].flat().includes(result.rc), `exit status ${result.rc}, expected ${rc}\n${result.output}`);
    for (const text of says) assert.ok(errorLines(result)[0]?.includes(text), `"${text}" is not in: ${result.output}`);
    assertClean(result, cache, options);
    if (!options.noSpan) assertFailedSpan();
  });
}

test('a certificate nobody vouches for, and then one that is trusted', async (t) => {
  world.receiver.reset();
  const cache = tempDir(t);
  const env = world.env(cache, { ...api, API_BASE_URL: tlsOrigin.url });
  const result = await hoist(['load', modelId], { env });
  assert.equal(result.rc, 5, result.output);
  assert.match(errorLines(result)[0], /certificate/);
  assert.match(errorLines(result)[0], /HOIST_CA_FILE/);
  assertClean(result, cache);
  assertFailedSpan();
  const trusted = await hoist(['load', modelId, '-q'], { env: { ...env, HOIST_CA_FILE: tlsOrigin.certificate } });
  assert.equal(trusted.rc, 0, trusted.output);
});

test('a full disk: a clean error, nothing left', async (t) => {
  world.receiver.reset();
  const mount = mountSmall(t, '256k');
  const result = await hoist(['load', modelId], { env: world.env(join(mount, 'cache'), s3) });
  assert.equal(result.rc, 9, result.output);
  assert.match(errorLines(result)[0], /space|free/);
  assertClean(result, join(mount, 'cache'));
  assertFailedSpan();
});

test('a read-only cache serves what it has and says why it cannot fetch', async (t) => {
  world.receiver.reset();
  const mount = mountSmall(t, '8m');
  const cache = join(mount, 'cache');
  const env = world.env(cache, s3);
  assert.equal((await hoist(['pull', modelId, '-q'], { env })).rc, 0);
  execFileSync('mount', ['-o', 'remount,ro', mount]);
  const hit = await hoist(['load', modelId, '-q'], { env });
  assert.equal(hit.rc, 0, hit.output);
  const miss = await hoist(['load', 'two/1'], { env });
  assert.equal(miss.rc, 4, miss.output);
  assert.match(errorLines(miss)[0], /read-only/);
  assert.match(errorLines(miss)[0], /MODEL_CACHE_DIR|HOIST_CACHE_DIR/);
});

test('a cache path that is a file', async (t) => {
  world.receiver.reset();
  const path = join(tempDir(t), 'file');
  writeFileSync(path, 'x');
  const result = await hoist(['load', modelId], { env: world.env(path, s3) });
  assert.notEqual(result.rc, 0);
  assert.equal(errorLines(result).length, 1);
  assert.ok(errorLines(result)[0].includes(path));
  assert.equal(readFileSync(path, 'utf8'), 'x');
});

test('a directory source with a link that leads out of it', async (t) => {
  const root = writeModel(tempDir(t), 'linked/1', { 'class_names.txt': 'x\n' });
  mkdirSync(join(root, 'linked/1'), { recursive: true });
  execFileSync('ln', ['-s', '/etc/passwd', join(root, 'linked/1/weights.onnx')]);
  const cache = tempDir(t);
  const result = await hoist(['load', 'linked/1'], { env: world.env(cache, { HOIST_SOURCES: `dir:${root}` }) });
  assert.notEqual(result.rc, 0, result.output);
  assert.match(errorLines(result)[0], /weights\.onnx/);
  assertClean(result, cache);
});
