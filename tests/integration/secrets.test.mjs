// SPDX-License-Identifier: Apache-2.0
//
// No secret gets out. Every command, every source and every kind of fault is run with marked keys, tokens,
// signatures and headers; then every byte that came out is searched for them, in clear and encoded: standard
// output and error, the trace file, the metrics file, what went to the collector, the cache, the home directory.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertNoSecrets, hoist, tempDir } from '../lib/harness.mjs';
import { startOrigin } from '../origin/origin.mjs';
import { startReceiver } from '../otlp/receiver.mjs';
import { baseEnv, marker, modelFiles, modelId, putModel } from './world.mjs';

/** Secrets with characters that are written differently in URLs, JSON and headers. */
const secret = (name) => `${marker}/${name}+"=`;
const plain = (name) => `${marker}-${name}`; // where only letters fit
const NAMES = ['apikey', 's3secret', 'session', 'extra', 'service', 'otlp', 'password', 'baggage', 'signature', 'echo'];
const SECRETS = [marker, ...NAMES.map(secret), ...NAMES.map(plain)];

const origin = await startOrigin({
  credentials: { accessKey: 'standinkey', secret: secret('s3secret'), sessionToken: secret('session') },
  apiKey: secret('apikey'), extraHeaders: { 'X-Extra': secret('extra') },
});
const receiver = await startReceiver({ keepBytes: true });
after(async () => { await origin.close(); await receiver.close(); });
const dir = tempDir(after);
execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1', '-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem')], { stdio: 'ignore' });
const tls = await startOrigin({ tls: { cert: readFileSync(join(dir, 'cert.pem')), key: readFileSync(join(dir, 'key.pem')) }, apiKey: secret('apikey') });
after(() => tls.close());
for (const id of [modelId, 'instant-model', 'second/2']) putModel(origin, id);
putModel(origin, 'garbage/1', { ...modelFiles, 'weights.onnx': 'this is not an ONNX model' });
putModel(origin, 'badenv/1', { ...modelFiles, 'environment.json': '{"PREPROCESSING": 12}' });
putModel(origin, 'bare/1', { 'weights.onnx': modelFiles['weights.onnx'], 'model_type.json': modelFiles['model_type.json'] });

const environment = (cache, more) => ({
  ...baseEnv(), ...origin.env(), MODEL_CACHE_DIR: cache, HOIST_MAX_ATTEMPTS: '1', HOIST_STALL_TIMEOUT: '1',
  ROBOFLOW_API_EXTRA_HEADERS: JSON.stringify({ 'X-Extra': secret('extra') }), ROBOFLOW_SERVICE_SECRET: secret('service'),
  BAGGAGE: `tenant=${plain('baggage')}`, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.httpUrl,
  OTEL_EXPORTER_OTLP_HEADERS: `x-token=${encodeURIComponent(secret('otlp'))}`, ...more,
});

/** What requests were signed with: those of the URLs that the API handed out, and those of S3. */
const signatures = (requests) => [...new Set(requests.flatMap(({ query, headers }) => [
  ...[...query.matchAll(/Signature=([0-9a-f]{32,})/g)].map((match) => match[1]),
  ...[...(headers.authorization ?? '').matchAll(/Signature=([0-9a-f]{32,})/g)].map((match) => match[1]),
]))];

/** Runs one command with everything on that can carry a secret out: {result, places: {name: what is there}}. */
async function run(t, args, more = {}, { script = [], cache = tempDir(t), files = true } = {}) {
  origin.reset();
  receiver.reset();
  origin.script(script);
  const out = tempDir(t);
  const home = join(out, 'home');
  mkdirSync(home);
  const trace = join(out, 'trace.jsonl');
  const options = files ? ['--trace-file', trace, '--metrics-file', join(out, 'metrics.prom')] : [];
  const result = await hoist([...args, ...options], { env: environment(cache, more), home, timeoutMs: 120_000 });
  assert.equal(result.signal, null, `${args.join(' ')} died of ${result.signal}: ${result.output}`);
  const places = {
    'what it printed': result, 'the files it wrote': { dir: out }, 'the cache': { dir: cache },
    'what the collector got': Buffer.concat(receiver.requests().map(({ data }) => data)),
  };
  return { result, places, trace, cache, signed: signatures(origin.requests()) };
}

function assertClean({ places, signed }) {
  for (const place of Object.values(places)) assertNoSecrets([...SECRETS, ...signed], place);
}

/** A server that is too talkative: what it was sent is in what it answers. */
const echo = (name) => `<Error><Code>AccessDenied</Code><Message>no access for ${secret(name)}</Message><StringToSign>${plain('s3secret')}</StringToSign></Error>`;
const s3 = { HOIST_SOURCES: 's3' };
const api = { HOIST_SOURCES: 'roboflow_api' };
const weights = { path: 'weights\\.onnx' };
const ask = { path: '^/(ort|models/v1|getWeights)' };
const at = (url, user) => url.replace('://', `://${user}:${plain('password')}@`);
const sign = (answer) => JSON.parse(JSON.stringify(answer).replace(/(X-Goog-Signature=)/g, `sig=${plain('signature')}&token=${plain('signature')}&$1`));

// ---- the search itself ---------------------------------------------------------------------------

test('a secret that does get out is found, wherever it gets out', async (t) => {
  const leak = plain('planted').toLowerCase();
  putModel(origin, `${leak}/1`);
  const { result, places } = await run(t, ['load', `${leak}/1`], s3);
  assert.equal(result.rc, 0, result.output);
  for (const [name, place] of Object.entries(places)) assert.throws(() => assertNoSecrets([leak], place), /holds the secret/, `${name} was not searched`);
  for (const file of ['trace.jsonl', 'metrics.prom']) {
    assert.ok(readdirSync(places['the files it wrote'].dir).includes(file), `${file} was not written`);
    assert.throws(() => assertNoSecrets([leak], readFileSync(join(places['the files it wrote'].dir, file))), /holds the secret/, `${file} has nothing to find`);
  }
});

test('signatures are among what is searched for', async (t) => {
  const fromApi = await run(t, ['pull', modelId], api);
  assert.ok(fromApi.signed.length >= 2, 'no signature of a file URL was seen');
  const fromS3 = await run(t, ['pull', modelId], s3);
  assert.ok(fromS3.signed.length >= 5, 'no signature of a request to S3 was seen');
});

// ---- every command -------------------------------------------------------------------------------

test('every command, as text and as JSON', async (t) => {
  const first = await run(t, ['load', modelId, 'second/2'], { HOIST_SOURCES: 's3,roboflow_api', HOIST_GRAPH_CACHE: 'before_returning' });
  assert.equal(first.result.rc, 0, first.result.output);
  assertClean(first);
  const { cache } = first;
  for (const args of [
    ['load', modelId], ['load', '--json', modelId], ['load', '--repeat', '2', modelId], ['pull', 'second/2'], ['pull', '--json', 'second/2'],
    ['info', modelId], ['info', '--json', modelId], ['ls'], ['ls', '--json'], ['verify'], ['verify', '--json'], ['bench', '--repeat', '1', modelId],
    ['doctor'], ['doctor', '--json'], ['gc', '--dry-run', '--max-size', '0'], ['rm', 'second/2'],
  ]) assertClean(await run(t, args, { HOIST_SOURCES: 's3,roboflow_api' }, { cache }));
  for (const args of [['config'], ['config', '--json'], ['help'], ['help', 'load'], ['version'], ['trace', first.trace], ['trace', '--html', join(tempDir(t), 'page.html'), first.trace], ['nonsense'], ['load', '--nonsense']])
    assertClean(await run(t, args, {}, { cache, files: false }));
});

// ---- every fault ---------------------------------------------------------------------------------

/** [title, arguments, environment, script] */
const faults = [
  ...[400, 401, 402, 403, 404, 423, 429, 503].flatMap((status) => [
    [`the API says ${status}`, ['load', modelId], api, [{ ...ask, status, body: { message: `for ${secret('echo')}` }, times: 0 }]],
    [`the storage of the API says ${status}`, ['pull', modelId], api, [{ path: '^/files/', status, body: `for ${secret('echo')}`, times: 0 }]],
    [`S3 says ${status} and echoes`, ['pull', modelId], s3, [{ path: '^/models', status, body: echo(status % 2 ? 's3secret' : 'session'), times: 0 }]],
    [`S3 says ${status}`, ['load', modelId], s3, [{ ...weights, status, times: 0 }]],
  ]),
  ...[['a reset', { reset: true, at: 0.5 }], ['no answer', { close: 'before' }], ['a stall', { stall: true, at: 0.5 }], ['a wrong byte', { corrupt: true }], ['a wrong length', { lengthDelta: 50 }]].flatMap(([title, fault]) => [
    [`${title}, from the API`, ['pull', modelId], api, [{ ...weights, ...fault, times: 0 }]],
    [`${title}, from S3`, ['pull', modelId], s3, [{ ...weights, ...fault, times: 0 }]],
  ]),
  ['a wrong byte, and one source after the other', ['pull', modelId], { HOIST_SOURCES: 's3,roboflow_api' }, [{ ...weights, corrupt: true, times: 0 }]],
  ['file URLs that have expired', ['pull', modelId], api, [{ ...ask, expire: true, times: 0 }]],
  ['file URLs with more secrets', ['pull', modelId], api, [{ ...ask, edit: sign, times: 0 }]],
  ['file URLs with more secrets, that fail', ['pull', modelId], api, [{ ...ask, edit: sign, times: 9 }, { path: '^/files/', status: 500, times: 0 }]],
  ['what is tried again', ['load', modelId], { HOIST_SOURCES: 's3,roboflow_api', HOIST_MAX_ATTEMPTS: '2' }, [{ path: '^/(models|ort|files)', status: 503, every: 2, times: 0 }]],
  ['a model without a version', ['pull', 'instant-model'], api],
  ['answers that are none', ['pull', modelId], api, [{ ...ask, garbage: 'html', times: 0 }]],
  ['answers of the wrong shape', ['pull', modelId], api, [{ ...ask, merge: { ort: { model: plain('signature') }, modelMetadata: plain('signature') }, times: 0 }]],
  ['a file URL that is none', ['pull', modelId], api, [{ ...ask, merge: { ort: { model: `http://[1?sig=${plain('signature')}` } }, times: 0 }]],
  ['a redirect with a secret, to nowhere', ['pull', modelId], api, [{ path: '^/files/', redirect: `http://127.0.0.1:9/x?sig=${plain('signature')}`, times: 0 }]],
  ['a redirect of S3 with a secret', ['pull', modelId], s3, [{ ...weights, redirect: `http://127.0.0.1:9/x?X-Amz-Signature=${plain('signature')}`, times: 0 }]],
  ['a redirect of the API with a password', ['pull', modelId], api, [{ ...ask, redirect: `http://user:${plain('password')}@127.0.0.1:9/x`, times: 0 }]],
  ['a model that is no ONNX', ['load', 'garbage/1'], s3],
  ['a model whose metadata makes no sense', ['load', 'badenv/1'], api],
  ['a model that lacks a file', ['load', 'bare/1'], s3],
  ['a model that nobody has', ['load', 'nobody/1'], { HOIST_SOURCES: 's3,roboflow_api' }],
  ['a wrong API key', ['load', modelId], { ...api, ROBOFLOW_API_KEY: `${marker}wrong` }],
  ['a wrong secret of S3', ['load', modelId], { ...s3, AWS_SECRET_ACCESS_KEY: `${marker}wrong` }],
  ['a wrong session token', ['load', modelId], { ...s3, AWS_SESSION_TOKEN: `${marker}wrong` }],
  ['an API that is down', ['load', modelId], { ...api, API_BASE_URL: `http://user:${plain('password')}@127.0.0.1:9` }],
  ['an API with a password in its URL', ['load', modelId], { ...api, API_BASE_URL: at(origin.url, 'user') }],
  ['an S3 with a password in its URL', ['load', modelId], { ...s3, AWS_ENDPOINT_URL_S3: at(origin.url, 'user') }],
  ['a gateway with a password', ['load', modelId], { ...api, SECURE_GATEWAY: at(origin.url, 'user') }],
  ['a gateway', ['load', modelId], { ...api, SECURE_GATEWAY: origin.url }],
  ['a gateway that is down', ['load', modelId], { ...api, SECURE_GATEWAY: `user:${plain('password')}@127.0.0.1:9` }],
  ['a proxy with a password that is down', ['load', modelId], { ...api, http_proxy: `http://user:${plain('password')}@127.0.0.1:9` }],
  ['a host that nobody knows', ['load', modelId], { ...api, API_BASE_URL: 'http://nowhere.invalid' }],
  ['a certificate that nobody vouches for', ['load', modelId], { ...api, API_BASE_URL: tls.url }],
  ['time that is up', ['load', modelId, '--timeout', '1'], api, [{ ...ask, delayMs: 20_000, times: 0 }]],
  ['access that is denied', ['load', modelId], { ...s3, MODELS_CACHE_AUTH_ENABLED: 'true' }, [{ ...ask, status: 403, times: 0 }]],
  ['the sources examined', ['doctor'], { HOIST_SOURCES: 's3,roboflow_api', AWS_ENDPOINT_URL_S3: at(origin.url, 'user'), API_BASE_URL: `http://user:${plain('password')}@127.0.0.1:9` }],
  ['spans on the console', ['load', modelId], { ...api, OTEL_TRACES_EXPORTER: 'console', OTEL_METRICS_EXPORTER: 'console' }],
  ['a collector with a password that is down', ['load', modelId], { ...api, OTEL_EXPORTER_OTLP_ENDPOINT: `http://user:${plain('password')}@127.0.0.1:9` }],
  ['a collector by gRPC', ['load', modelId], { ...api, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_ENDPOINT: receiver.grpcUrl }],
  ...[
    ['ROBOFLOW_API_EXTRA_HEADERS', `{"X-Extra": "${plain('extra')}`], ['ROBOFLOW_API_EXTRA_HEADERS', `["${plain('extra')}"]`], ['ROBOFLOW_API_EXTRA_HEADERS', `{"X-Extra": ["${plain('extra')}"]}`],
    ['ROBOFLOW_API_EXTRA_HEADERS', `{"X-Extra": "${plain('extra')}\\n"}`], ['SECURE_GATEWAY', `ftp://user:${plain('password')}@127.0.0.1`], ['API_BASE_URL', `user:${plain('password')}@127.0.0.1`],
    ['AWS_ENDPOINT_URL_S3', `user:${plain('password')}@127.0.0.1`], ['AWS_ENDPOINT_URL_S3', `http://user:${plain('password')}@[127`], ['API_BASE_URL', `http://user:${plain('password')}@[127`],
    ['OTEL_EXPORTER_OTLP_HEADERS', `x token ${plain('otlp')}`], ['OTEL_EXPORTER_OTLP_HEADERS', `x-token=${plain('otlp')}%zz`], ['OTEL_EXPORTER_OTLP_ENDPOINT', `user:${plain('password')}@`],
    ['ROBOFLOW_API_KEY', `${plain('apikey')}\n`], ['AWS_SESSION_TOKEN', `${plain('session')}\r\nX: y`],
  ].map(([name, value], i) => [`${name} that is malformed (${i + 1})`, ['load', modelId], { HOIST_SOURCES: 's3,roboflow_api', [name]: value }]),
];
for (const [title, args, more, script = []] of faults) {
  test(title, async (t) => {
    for (const form of args[0] === 'load' ? [args, [args[0], '--json', ...args.slice(1)]] : [args]) assertClean(await run(t, form, more, { script }));
  });
}
