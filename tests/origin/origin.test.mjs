// SPDX-License-Identifier: Apache-2.0
//
// The stand-in origin itself: what it answers, what it refuses, and every fault it can be told to
// make. Its S3 is compared with real servers in tests/servers/servers.test.mjs.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { dirname, join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { detectionFiles, tempDir } from '../lib/harness.mjs';
import { signRequest } from '../lib/sigv4.mjs';
import { startOrigin } from './origin.mjs';

const API_HEADERS = { 'X-Roboflow-Inference-Version': '0.1', 'X-Allow-Chunked': 'true' };
const ORT = '/ort/faces/1?nocache=true&device=dev%2F1&dynamic=true&api_key=standin-api-key';
const WEIGHTS = Buffer.from('weights '.repeat(1000));

const dir = tempDir(after);
let origin;
before(async () => {
  mkdirSync(join(dir, 's3/models/faces/1'), { recursive: true });
  writeFileSync(join(dir, 's3/models/faces/1/weights.onnx'), WEIGHTS);
  const model = join(dir, 'api/faces/1');
  mkdirSync(model, { recursive: true });
  writeFileSync(join(model, 'weights.onnx'), WEIGHTS);
  writeFileSync(join(model, 'environment.json'), JSON.stringify({ PREPROCESSING: {}, COLORS: { face: '#ff0000' } }));
  writeFileSync(join(model, 'class_names.txt'), 'face\n');
  writeFileSync(join(model, 'model_type.json'), JSON.stringify({ project_task_type: 'object-detection', model_type: 'yolov8n', model_id: 'faces/1' }));
  origin = await startOrigin({ dir });
});
after(() => origin.close());
beforeEach(() => origin.reset());

/** → {status, headers, body, aborted}; never rejects, so that faults can be looked at. */
function get(target, { headers = {}, base = origin.url, timeout = 2000, ...options } = {}) {
  const { protocol, hostname, port } = new URL(base);
  return new Promise((resolve) => {
    const chunks = [];
    let response;
    const finish = (extra) => resolve({ status: response?.statusCode, headers: response?.headers, body: Buffer.concat(chunks), ...extra });
    const req = (protocol === 'https:' ? https : http).request({ hostname, port, path: target, headers, agent: false, timeout, ...options }, (res) => {
      response = res;
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('error', (error) => finish({ aborted: error.code }));
      res.on('end', () => finish({ aborted: res.complete ? undefined : 'incomplete' }));
    });
    req.on('timeout', () => { finish({ aborted: 'timeout' }); req.destroy(); });
    req.on('error', (error) => finish({ aborted: error.code }));
    req.end();
  });
}
const api = (target, options = {}) => get(target, { headers: API_HEADERS, ...options });
const s3 = (target, options = {}) => {
  const { accessKey, secret } = origin.credentials;
  return get(target, { ...options, headers: signRequest({ url: origin.url + target, accessKey, secret, headers: options.headers }) });
};
const ort = async () => JSON.parse((await api(ORT)).body.toString()).ort;
const pathOf = (url) => url.slice(origin.url.length);

test('says that it is a stand-in', async () => {
  assert.match((await s3('/models/faces/1/weights.onnx')).headers.server, /stand-in/);
});

test('serves an object with its MD5 as ETag', async () => {
  const answer = await s3('/models/faces/1/weights.onnx');
  assert.deepEqual([answer.status, answer.body.equals(WEIGHTS)], [200, true]);
  assert.equal(answer.headers.etag, `"${createHash('md5').update(WEIGHTS).digest('hex')}"`);
});

test('serves buckets as virtual hosts', async () => {
  const host = `models.s3.localtest:${origin.port}`;
  const { accessKey, secret } = origin.credentials;
  const headers = signRequest({ url: `http://${host}/faces/1/weights.onnx`, accessKey, secret });
  assert.ok((await get('/faces/1/weights.onnx', { headers })).body.equals(WEIGHTS));
});

test('logs how many bytes of each answer it sent, and how that ended', async () => {
  origin.s3.put('models', 'faces/1/large', Buffer.alloc(40_000_000, 'x'));
  origin.script([{ path: 'cut', status: 200, body: 'x'.repeat(1000), reset: true, at: 0.3 }]);
  await s3('/models/faces/1/weights.onnx');
  await s3('/models/faces/1/weights.onnx', { method: 'HEAD' });
  await s3('/models/faces/1/cut');
  const { accessKey, secret } = origin.credentials;
  const url = `${origin.url}/models/faces/1/large`;
  await new Promise((left) => http.get(url, { headers: signRequest({ url, accessKey, secret }) }, (res) => { res.destroy(); left(); }));
  while (origin.requests().length < 4 || origin.requests().some((request) => request.complete === undefined)) await new Promise((ok) => setTimeout(ok, 5));
  const [whole, head, cut, gone] = origin.requests();
  assert.deepEqual([whole.sent, whole.complete, whole.cut], [WEIGHTS.length, true, undefined]);
  assert.deepEqual([head.sent, head.complete], [0, true]);
  assert.deepEqual([cut.sent, cut.complete, cut.cut], [300, false, 'reset']);
  assert.ok(gone.sent < 40_000_000 && !gone.complete && !gone.cut, `${gone.sent} bytes`);
});

test('does not leave the tree', async () => {
  for (const target of ['/models/../../../../etc/passwd', '/models/faces/../../../api/faces/1/environment.json', '/models/%2e%2e/%2e%2e/api/faces/1/class_names.txt']) {
    assert.equal((await s3(target)).status, 404, target);
  }
});

test('gives S3 errors as XML with ids, for HEAD as status alone', async () => {
  const answer = await s3('/models/none');
  assert.match(answer.body.toString(), /<Error><Code>NoSuchKey<\/Code><Message>.*<RequestId>[0-9A-F]{16}<\/RequestId><HostId>/);
  assert.equal(answer.headers['x-amz-request-id'].length, 16);
  assert.equal((await s3('/none/none')).status, 404);
  assert.equal((await get('/models/faces/1/weights.onnx')).status, 403);
});

test('lists a million keys without having them, a thousand a page', async () => {
  origin.s3.synthesise('many', 'faces/1/', 1_000_000);
  const first = (await s3('/many?list-type=2&prefix=faces%2F1%2F')).body.toString();
  assert.equal(first.match(/<Key>/g).length, 1000);
  const token = /<NextContinuationToken>([^<]*)</.exec(first)[1];
  const started = Date.now();
  const second = (await s3(`/many?continuation-token=${encodeURIComponent(token)}&list-type=2&prefix=faces%2F1%2F`)).body.toString();
  assert.match(second, /<Key>faces\/1\/0001000<\/Key>/);
  assert.ok(Date.now() - started < 500);
});

test('describes a model through /ort and serves its files', async () => {
  const model = await ort();
  assert.equal(model.type, 'object-detection');
  assert.deepEqual([model.modelType, model.classes, model.colors], ['yolov8n', ['face'], { face: '#ff0000' }]);
  const answer = await get(pathOf(model.model));
  assert.ok(answer.body.equals(WEIGHTS));
  assert.equal(/md5=([^,]*)/.exec(answer.headers['x-goog-hash'])[1], createHash('md5').update(WEIGHTS).digest('base64'));
  assert.deepEqual(JSON.parse((await get(pathOf(model.environment))).body), { PREPROCESSING: {}, COLORS: { face: '#ff0000' } });
  assert.deepEqual(origin.violations(), []);
});

test('describes a model through /getWeights, /stat and /weights', async () => {
  const weights = JSON.parse((await api('/getWeights?model=faces%2F1&api_key=standin-api-key')).body);
  assert.deepEqual([weights.taskType, weights.environment, weights.colors], ['object-detection', { PREPROCESSING: {} }, { face: '#ff0000' }]);
  assert.ok((await get(pathOf(weights.modelFiles.ort.model))).body.equals(WEIGHTS));
  const bearer = { headers: { ...API_HEADERS, authorization: 'Bearer standin-api-key' } };
  assert.equal((await get('/models/v1/external/weights?modelId=faces%2F1', bearer)).status, 404);
  origin.api.offer('faces/1');
  assert.equal(JSON.parse((await get('/models/v1/external/stat?modelId=faces%2F1', bearer)).body).modelMetadata.modelId, 'faces/1');
  const [onnx] = JSON.parse((await get('/models/v1/external/weights?modelId=faces%2F1&pageSize=10', bearer)).body).modelMetadata.modelPackages;
  assert.deepEqual(onnx.packageFiles.map((file) => file.fileHandle), ['class_names.txt', 'environment.json', 'weights.onnx']);
});

test('serves packages in pages', async () => {
  const bearer = { headers: { ...API_HEADERS, authorization: 'Bearer standin-api-key' } };
  origin.api.offer('faces/1', { packages: ['a', 'b', 'c'].map((packageId) => ({ packageId })), pageSize: 2 });
  const page = async (more) => JSON.parse((await get(`/models/v1/external/weights?modelId=faces%2F1${more}`, bearer)).body).modelMetadata;
  const first = await page('');
  assert.deepEqual([first.modelPackages.map((each) => each.packageId), first.nextPage], [['a', 'b'], 'after-2']);
  const second = await page('&startAfter=after-2');
  assert.deepEqual([second.modelPackages.map((each) => each.packageId), second.nextPage], [['c'], undefined]);
  assert.equal((await get('/models/v1/external/weights?modelId=faces%2F1&startAfter=after-1', bearer)).status, 400);
});

test('has core models and OWLv2 models behind endpoints of their own', async () => {
  origin.api.put('clip/x', 'visual.onnx', 'v');
  origin.api.put('owls/1', 'weights.pt', 'w');
  origin.api.setKind('clip/x', 'core_model');
  origin.api.setKind('owls/1', 'owlv2');
  const query = '?nocache=true&device=d&dynamic=true&api_key=standin-api-key';
  const core = JSON.parse((await api(`/core_model/clip/x${query}`)).body);
  assert.match(core.weights.file_0, /\/files\/clip\/x\/visual\.onnx\?X-Goog-Signature=/);
  assert.match(JSON.parse((await api(`/owlv2/owls/1${query}`)).body).owlv2.model, /weights\.pt/);
  for (const path of ['/ort/owls/1', '/core_model/owls/1', '/owlv2/faces/1']) assert.equal((await get(`${path}${query}`, { headers: API_HEADERS })).status, 404);
});

// what is wrong, target, headers, status, what the message names
const REFUSED = [
  ['the query out of order', ORT.replace('nocache=true&device=dev%2F1', 'device=dev%2F1&nocache=true'), API_HEADERS, 400, /in this order/],
  ['a missing parameter', '/ort/faces/1?nocache=true&dynamic=true&api_key=standin-api-key', API_HEADERS, 400, /in this order/],
  ['a value that is not percent-encoded', ORT.replace('%2F', '/'), API_HEADERS, 400, /encoded as "dev\/1", not as "dev%2F1"/],
  ['no version header', ORT, { 'X-Allow-Chunked': 'true' }, 400, /X-Roboflow-Inference-Version/],
  ['no X-Allow-Chunked', ORT, { 'X-Roboflow-Inference-Version': '1' }, 400, /X-Allow-Chunked/],
  ['the key in a header', ORT, { ...API_HEADERS, Authorization: 'Bearer standin-api-key' }, 400, /belongs into the query/],
  ['the key in the query of a Bearer endpoint', '/models/v1/external/weights?modelId=a%2F1&api_key=k', API_HEADERS, 400, /order/],
  ['a version that is no integer', ORT.replace('faces/1', 'faces/x'), API_HEADERS, 400, /integer/],
  ['a wrong key', ORT.replace('standin-api-key', 'other'), API_HEADERS, 401, /not valid/],
  ['no key', ORT.replace('&api_key=standin-api-key', ''), API_HEADERS, 401, /required/],
  ['an unknown model', ORT.replace('faces/1', 'faces/2'), API_HEADERS, 404, /not found/],
  ['a model id that leaves the tree', '/getWeights?model=..%2F..&api_key=standin-api-key', API_HEADERS, 404, /not found/],
];
for (const [what, target, headers, status, message] of REFUSED) {
  test(`refuses ${what}`, async () => {
    const answer = await get(target, { headers });
    assert.deepEqual([answer.status, message.test(JSON.parse(answer.body).message)], [status, true], answer.body.toString());
  });
}

test('refuses file URLs that are expired or changed, and notes headers that leaked', async () => {
  const url = pathOf((await ort()).model);
  assert.equal((await get(url.replace(/Signature=./, (s) => `${s}0`))).status, 403);
  assert.equal((await get(url.replace('weights.onnx', 'class_names.txt'))).status, 403);
  origin.script([{ path: '^/ort', expire: true }]);
  assert.match((await get(pathOf((await ort()).model))).body.toString(), /ExpiredToken/);
  await get(url, { headers: API_HEADERS });
  assert.match(origin.violations()[0], /x-roboflow-inference-version, x-allow-chunked/);
});

test('serves through a secure gateway and under a weights suffix', async () => {
  const own = await startOrigin({ dir, weightsSuffix: 'serverless', serviceSecret: 'service-secret', extraHeaders: { 'X-Extra': '1' } });
  const headers = { ...API_HEADERS, 'X-Extra': '1' };
  try {
    const target = `/serverless${ORT}&countinference=false&service_secret=service-secret`;
    assert.equal((await get(target, { base: own.url, headers })).status, 200);
    assert.equal((await get(target, { base: own.url, headers: API_HEADERS })).status, 400);
    assert.equal((await get(target.replace('=service-secret', '=wrong-secret'), { base: own.url, headers })).status, 403);
    assert.equal((await get(`/proxy?url=${encodeURIComponent(own.url + target)}`, { base: own.url, headers })).status, 200);
    assert.equal(own.requests().at(-1).gateway, true);
  } finally {
    await own.close();
  }
});

// name, rule, what holds of the answer to the weights' URL
const FAULTS = [
  ['status with Retry-After', { status: 503, retryAfter: 7 }, (a) => a.status === 503 && a.headers['retry-after'] === '7'],
  ['a custom body', { status: 200, body: 'hello' }, (a) => a.body.toString() === 'hello'],
  ['a redirect', { redirect: 'http://elsewhere/x' }, (a) => a.status === 302 && a.headers.location === 'http://elsewhere/x'],
  ['a stall', { stall: true }, (a) => a.aborted === 'timeout' && a.body.length === WEIGHTS.length / 2],
  ['a reset in the middle', { reset: true }, (a) => a.aborted === 'ECONNRESET' && a.body.length === WEIGHTS.length / 2],
  ['a reset before the answer', { reset: 'before' }, (a) => a.aborted === 'ECONNRESET' && a.status === undefined],
  ['a close in the middle', { close: true, at: 0.25 }, (a) => a.aborted && a.body.length === WEIGHTS.length / 4],
  ['a length too long', { lengthDelta: 10 }, (a) => a.aborted && a.body.length === WEIGHTS.length],
  ['a length too short', { lengthDelta: -10 }, (a) => a.headers['content-length'] === String(WEIGHTS.length - 10)],
  ['no length', { chunked: true }, (a) => a.headers['content-length'] === undefined && a.body.equals(WEIGHTS)],
  ['one byte flipped', { corrupt: 5 }, (a) => a.body.length === WEIGHTS.length && a.body[5] === (WEIGHTS[5] ^ 255) && a.body[6] === WEIGHTS[6]],
  ['a dripping body', { drip: { bytes: 4000, ms: 5 } }, (a) => a.body.equals(WEIGHTS)],
  ['other headers', { headers: { etag: '"other"', 'x-goog-hash': null } }, (a) => a.headers.etag === '"other"' && a.headers['x-goog-hash'] === undefined],
];
for (const [name, rule, holds] of FAULTS) {
  test(`makes the fault: ${name}`, async () => {
    const url = pathOf((await ort()).model);
    origin.script([{ path: '^/files/', ...rule }]);
    const answer = await get(url, { timeout: 300 });
    assert.ok(holds(answer), JSON.stringify({ ...answer, body: answer.body.length }));
    assert.ok((await get(url)).body.equals(WEIGHTS), 'the next request is served well');
  });
}

for (const status of [401, 402, 403, 404, 423, 429, 500]) {
  test(`makes the API answer ${status}`, async () => {
    origin.script([{ path: '^/ort', status }]);
    assert.equal((await api(ORT)).status, status);
  });
}

test('makes S3 answer 503 as S3 does', async () => {
  origin.script([{ path: 'weights', status: 503 }]);
  assert.match((await s3('/models/faces/1/weights.onnx')).body.toString(), /<Code>SlowDown</);
});

test('makes bad JSON: truncated, deep, huge, merged, edited', async () => {
  origin.script([{ garbage: 'truncated' }, { garbage: 'deep' }, { garbage: 'huge', bytes: 3e6 }, { garbage: 'html' },
    { merge: { ort: { model: null, type: 7 } } }, { edit: (value) => { value.ort.weights = { '../x': 'u' }; } }]);
  const truncated = await api(ORT);
  assert.throws(() => JSON.parse(truncated.body));
  assert.match((await api(ORT)).body.toString(), /^\{"ort":\[{10000}\]{10000}\}$/);
  const huge = await api(ORT);
  assert.deepEqual([huge.body.length, typeof JSON.parse(huge.body).ort.name], [3e6, 'string']);
  assert.match((await api(ORT)).body.toString(), /^<html>/);
  const merged = await ort();
  assert.deepEqual([merged.model, merged.type, merged.name], [undefined, 7, 'faces']);
  assert.deepEqual((await ort()).weights, { '../x': 'u' });
});

test('offers a model that is nowhere on disk', async () => {
  origin.putModel('coins/2', detectionFiles(WEIGHTS, { modelId: 'coins/2', classes: ['a', 'b'] }), { bucket: 'other' });
  assert.ok((await s3('/other/coins/2/weights.onnx')).body.equals(WEIGHTS));
  assert.equal((await s3('/other?list-type=2&prefix=coins%2F2%2F')).body.toString().match(/<Key>/g).length, 4);
  const model = JSON.parse((await api(ORT.replace('faces/1', 'coins/2'))).body).ort;
  assert.deepEqual(model.classes, ['a', 'b']);
  assert.ok((await get(pathOf(model.model))).body.equals(WEIGHTS));
});

test('rules count their turns, skip, and match by method, path and host', async () => {
  origin.script([{ path: '^/ort', skip: 1, times: 2, status: 500 }, { path: '^/ort', method: 'POST', times: 0, status: 418 }, { host: 'elsewhere', times: 0, status: 418 }]);
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await api(ORT)).status);
  assert.deepEqual(statuses, [200, 500, 500, 200]);
});

test('delays, and logs what arrived', async () => {
  origin.script([{ delayMs: 100 }]);
  const started = Date.now();
  await api(ORT);
  assert.ok(Date.now() - started >= 99);
  await sleep(20);
  const [entry] = origin.requests({ kind: 'api' });
  assert.deepEqual([entry.method, entry.path, entry.status, entry.complete, entry.headers['x-allow-chunked']], ['GET', '/ort/faces/1', 200, true, 'true']);
  assert.equal(origin.requests({ path: /^\/files/ }).length, 0);
});

test('runs from the command line, over TLS, scripted over HTTP', async (t) => {
  const own = tempDir(t);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=localhost',
    '-keyout', `${own}/key`, '-out', `${own}/cert`], { stdio: 'ignore' });
  const child = spawn(process.execPath, [join(dirname(fileURLToPath(import.meta.url)), 'origin.mjs'), '--dir', dir, '--port-file', `${own}/port`, '--tls', `${own}/cert`, `${own}/key`]);
  t.after(() => child.kill());
  let said = '';
  child.stdout.on('data', (chunk) => { said += chunk; });
  for (let i = 0; i < 100 && !existsSync(`${own}/port`); i++) await sleep(50);
  const base = `https://127.0.0.1:${readFileSync(`${own}/port`, 'utf8').trim()}`;
  const options = { base, rejectUnauthorized: false };
  assert.equal((await api(ORT, options)).status, 200);
  await new Promise((done) => https.request(`${base}/__script`, { method: 'POST', agent: false, rejectUnauthorized: false }, (res) => res.resume().on('end', done)).end('[{"status":402}]'));
  assert.equal((await api(ORT, options)).status, 402);
  assert.equal(JSON.parse((await get('/__requests', options)).body).length, 2);
  assert.match(said, /^stand-in origin/);
  const ended = new Promise((done) => child.on('exit', done));
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
});
