// SPDX-License-Identifier: Apache-2.0
//
// A machine that is set up for the Roboflow inference server is set up for hoist: each variable that it reads under
// that server's name does what it does there.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hoist, hoistBin, hoistOk, named, start, tempDir } from '../lib/harness.mjs';
import { startOrigin } from '../origin/origin.mjs';
import { makeWorld, marker, modelFiles, modelId, putModel } from './world.mjs';

const world = await makeWorld(after);
const { origin, receiver } = world;
const isApi = { kind: 'api' };
const apiOf = (cache, more = {}) => world.env(cache, { HOIST_SOURCES: 'roboflow_api', HOIST_MAX_ATTEMPTS: '1', ...more });
const weightsIn = (cache) => readFileSync(join(cache, modelId, 'weights.onnx'));

/** An origin of its own kind, and the environment that leads to its API. */
async function ownOrigin(t, options) {
  const own = await startOrigin({ apiKey: `${marker}-apikey`, ...options });
  t.after(() => own.close());
  putModel(own);
  return { own, env: (cache, more) => apiOf(cache, { ...own.env(), ...more }) };
}

const fresh = (t) => { origin.reset(); receiver.reset(); return tempDir(t); };

test('MODEL_CACHE_DIR: where models are kept, unless HOIST_CACHE_DIR says otherwise', async (t) => {
  const [cache, other] = [fresh(t), tempDir(t)];
  await hoistOk(['pull', modelId], { env: apiOf(cache) });
  assert.deepEqual(weightsIn(cache), modelFiles['weights.onnx']);
  await hoistOk(['pull', modelId], { env: apiOf(cache, { HOIST_CACHE_DIR: other }) });
  assert.deepEqual(weightsIn(other), modelFiles['weights.onnx']);
});

test('ROBOFLOW_API_KEY, else API_KEY; a key of "local" is none', async (t) => {
  const key = `${marker}-apikey`;
  for (const [variables, works] of [
    [{ ROBOFLOW_API_KEY: key }, true], [{ ROBOFLOW_API_KEY: '', API_KEY: key }, true], [{ ROBOFLOW_API_KEY: key, API_KEY: 'wrong-key' }, true],
    [{ ROBOFLOW_API_KEY: 'wrong-key', API_KEY: key }, false], [{ ROBOFLOW_API_KEY: 'local' }, false],
  ]) {
    const cache = fresh(t);
    const result = await hoist(['pull', modelId], { env: apiOf(cache, variables) });
    assert.equal(result.rc, works ? 0 : 4, result.output);
    const sent = JSON.stringify(origin.requests(isApi));
    assert.equal(sent.includes('local'), false, 'a key of "local" was sent');
    if (variables.ROBOFLOW_API_KEY === 'local') assert.ok(!sent.includes('api_key=') && !/"authorization"/.test(sent), 'a key was sent');
  }
});

test('API_BASE_URL, INTERNAL_WEIGHTS_URL_SUFFIX and ROBOFLOW_SERVICE_SECRET', async (t) => {
  const { own, env } = await ownOrigin(t, { weightsSuffix: 'serverless', serviceSecret: `${marker}-service` });
  const cache = fresh(t);
  await hoistOk(['pull', modelId], { env: env(cache, { API_BASE_URL: `${own.url}/`, INTERNAL_WEIGHTS_URL_SUFFIX: 'serverless', ROBOFLOW_SERVICE_SECRET: `${marker}-service` }) });
  const [ort] = own.requests({ ...isApi, path: /^\/serverless\/ort\// });
  assert.match(ort.query, /&countinference=false&service_secret=MARKER[^&]*$/);
  assert.deepEqual(own.violations(), []);
});

test('ROBOFLOW_API_EXTRA_HEADERS: to the API alone, and never in place of ours', async (t) => {
  const { own, env } = await ownOrigin(t, { extraHeaders: { 'X-Extra': `${marker}-extra`, 'X-Second': 'two' } });
  const extra = { 'X-Extra': `${marker}-extra`, 'X-Second': 'two', 'x-allow-chunked': 'false', 'X-ROBOFLOW-INFERENCE-VERSION': 'not ours' };
  await hoistOk(['pull', modelId], { env: env(fresh(t), { ROBOFLOW_API_EXTRA_HEADERS: JSON.stringify(extra) }) });
  assert.deepEqual(own.violations(), []);
  assert.ok(own.requests(isApi).length > 0);
  for (const { headers } of own.requests(isApi)) {
    assert.equal(headers['x-extra'], `${marker}-extra`);
    assert.equal(headers['x-allow-chunked'], 'true');
    assert.notEqual(headers['x-roboflow-inference-version'], 'not ours');
  }
  const files = own.requests({ kind: 'files' });
  assert.ok(files.length > 0);
  for (const { headers } of files) for (const name of Object.keys(extra)) assert.equal(headers[name.toLowerCase()], undefined);
});

test('ROBOFLOW_API_REQUEST_TIMEOUT: seconds for one request to the API, not for its files', async (t) => {
  const cache = fresh(t);
  origin.script([{ path: '^/(ort|models)/', delayMs: 30_000, times: 0 }]);
  const late = await hoist(['pull', modelId], { env: apiOf(cache, { ROBOFLOW_API_REQUEST_TIMEOUT: '0.5' }) });
  assert.ok([5, 6].includes(late.rc), late.output);
  assert.ok(late.durationMs < 20_000);
  origin.script([{ path: '^/files/.*weights', delayMs: 1500 }]);
  await hoistOk(['pull', modelId], { env: apiOf(cache, { ROBOFLOW_API_REQUEST_TIMEOUT: '1' }) });
});

test('ROBOFLOW_API_VERIFY_SSL: a certificate that nobody vouches for is refused, unless it is false', async (t) => {
  const dir = tempDir(t);
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(dir, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const { env } = await ownOrigin(t, { tls: { cert: readFileSync(cert), key: readFileSync(key) } });
  const refused = await hoist(['pull', modelId], { env: env(fresh(t)) });
  assert.equal(refused.rc, 5, refused.output);
  assert.match(refused.stderr, /certificate/);
  for (const off of ['false', 'False', '0']) await hoistOk(['pull', modelId], { env: env(fresh(t), { ROBOFLOW_API_VERIFY_SSL: off }) });
});

test('SECURE_GATEWAY: every URL of the API and of its files goes through it, wrapped once', async (t) => {
  for (const gateway of [`127.0.0.1:${origin.port}`, `http://127.0.0.1:${origin.port}/`]) {
    const cache = fresh(t);
    await hoistOk(['pull', modelId], { env: apiOf(cache, { SECURE_GATEWAY: gateway }) });
    const requests = origin.requests();
    assert.ok(requests.length >= 3 && requests.every((request) => request.gateway), JSON.stringify(requests.map(({ url, gateway: through }) => [url, through])));
    for (const { url } of requests) assert.doesNotMatch(url, /proxy\?url=/, 'wrapped twice');
    assert.deepEqual(weightsIn(cache), modelFiles['weights.onnx']);
  }
  // What the API hands out may be wrapped already.
  const cache = fresh(t);
  origin.script([{ path: '/ort/', times: 0, edit: (answer) => { answer.ort.model = `http://127.0.0.1:${origin.port}/proxy?url=${encodeURIComponent(answer.ort.model)}`; return answer; } }]);
  await hoistOk(['pull', modelId], { env: apiOf(cache, { SECURE_GATEWAY: `127.0.0.1:${origin.port}` }) });
  for (const { url } of origin.requests()) assert.doesNotMatch(url, /proxy\?url=/, 'wrapped twice');
});

test('MD5_VERIFICATION_ENABLED: a promise that is not kept is noticed, unless it is false', async (t) => {
  const corrupt = [{ path: '^/files/.*weights', corrupt: true, times: 0 }];
  const cache = fresh(t);
  origin.script(corrupt);
  const refused = await hoist(['pull', modelId], { env: apiOf(cache) });
  assert.equal(refused.rc, 7, refused.output);
  assert.match(refused.stderr, /md5/i);
  origin.script(corrupt);
  await hoistOk(['pull', modelId], { env: apiOf(cache, { MD5_VERIFICATION_ENABLED: 'false' }) });
  assert.notDeepEqual(weightsIn(cache), modelFiles['weights.onnx']);
});

test('INFER_BUCKET and the names of the AWS tools', async (t) => {
  const cache = fresh(t);
  const { AWS_ENDPOINT_URL_S3: endpoint, ...rest } = world.env(cache, { HOIST_SOURCES: '', ROBOFLOW_API_KEY: '' });
  await hoistOk(['pull', modelId], { env: { ...rest, AWS_ENDPOINT_URL: endpoint, AWS_DEFAULT_REGION: 'us-east-1', AWS_REGION: '' } });
  assert.ok(origin.requests({ kind: 's3' }).length > 0);
});

test('MAX_ACTIVE_MODELS: a model stays in memory without a user', async (t) => {
  const program = { bin: join(hoistBin, '../../../tests/programs/load_models') };
  const env = world.env(fresh(t), { HOIST_SOURCES: 's3' });
  const shared = async (variables) => {
    receiver.reset();
    const result = await start([modelId, '3'], { env: { ...env, ...variables }, ...program }).done;
    assert.equal(result.rc, 0, result.output);
    return named(receiver.spans(), 'model.load').map((span) => span.attributes['model.shared']);
  };
  assert.deepEqual(await shared({}), [false, false, false]);
  assert.deepEqual(await shared({ MAX_ACTIVE_MODELS: '1' }), [false, true, true]);
});

test('OTEL_TRACING_ENABLED, OTEL_EXPORTER_PROTOCOL, OTEL_EXPORTER_ENDPOINT, OTEL_SAMPLING_RATE; the standard names win', async (t) => {
  const cache = fresh(t);
  const spans = async (variables) => {
    receiver.reset();
    await hoistOk(['pull', modelId], { env: { ...apiOf(cache), OTEL_EXPORTER_OTLP_ENDPOINT: '', ...variables } });
    return receiver.spans().length;
  };
  const at = (url) => new URL(url).host;
  assert.equal(await spans({}), 0);
  assert.ok(await spans({ OTEL_TRACING_ENABLED: 'true', OTEL_EXPORTER_PROTOCOL: 'http', OTEL_EXPORTER_ENDPOINT: at(receiver.httpUrl) }) > 0);
  assert.equal(receiver.requests()[0].via, 'http');
  assert.ok(await spans({ OTEL_TRACING_ENABLED: 'true', OTEL_EXPORTER_PROTOCOL: 'grpc', OTEL_EXPORTER_ENDPOINT: at(receiver.grpcUrl) }) > 0);
  assert.equal(receiver.requests()[0].via, 'grpc');
  assert.equal(await spans({ OTEL_TRACING_ENABLED: 'true', OTEL_EXPORTER_PROTOCOL: 'http', OTEL_EXPORTER_ENDPOINT: at(receiver.httpUrl), OTEL_SAMPLING_RATE: '0' }), 0);
  assert.ok(await spans({ OTEL_TRACING_ENABLED: 'true', OTEL_EXPORTER_ENDPOINT: '127.0.0.1:9', OTEL_EXPORTER_OTLP_ENDPOINT: receiver.httpUrl }) > 0);
});

test('OTEL_METRICS_ENABLED, OTEL_METRIC_EXPORTER_ENDPOINT', async (t) => {
  const cache = fresh(t);
  const env = { ...apiOf(cache), OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_EXPORTER_PROTOCOL: 'http', OTEL_METRIC_EXPORTER_ENDPOINT: new URL(receiver.httpUrl).host };
  await hoistOk(['pull', modelId], { env: { ...env, OTEL_METRICS_ENABLED: 'true' } });
  assert.ok(receiver.metrics().length > 0);
  receiver.reset();
  await hoistOk(['pull', modelId], { env: { ...env, OTEL_METRICS_ENABLED: 'false' } });
  assert.equal(receiver.metrics().length, 0);
});

// ---- offline -------------------------------------------------------------------------------------

/** Runs hoist under strace: {result, sockets}: the system calls that open or use a connection to anywhere. */
async function traced(t, args, env) {
  const log = join(tempDir(t), 'strace');
  const result = await start(['-f', '-qq', '-e', 'trace=%network', '-o', log, hoistBin, ...args], { bin: 'strace', env }).done;
  return { result, sockets: readFileSync(log, 'utf8').split('\n').filter((line) => /AF_INET|connect\(|sendto\(|sendmsg\(/.test(line)) };
}

/** Every variable that could lead somewhere is set. A collector would be one such place, so there is none. */
const offline = (cache) => world.env(cache, { OFFLINE_MODE: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: '', HOIST_SOURCES: 's3,roboflow_api', MODELS_CACHE_AUTH_ENABLED: 'true' });

test('OFFLINE_MODE: no command touches the network, whatever is in the cache', async (t) => {
  const cache = fresh(t);
  await hoistOk(['pull', modelId], { env: apiOf(cache) });
  const online = await traced(t, ['pull', 'other/1'], { ...offline(cache), OFFLINE_MODE: 'false' });
  assert.ok(online.sockets.length > 0, 'this test can see nothing');
  for (const [args, rc] of [
    [['pull', modelId], 0], [['load', modelId], 0], [['load', 'other/1'], 3], [['info', modelId], 0], [['verify'], 0], [['ls'], 0],
    [['config'], 0], [['doctor'], 0], [['gc', '--dry-run'], 0],
  ]) {
    const { result, sockets } = await traced(t, args, offline(cache));
    assert.equal(result.rc, rc, `${args.join(' ')}: ${result.output}`);
    assert.deepEqual(sockets, [], args.join(' '));
  }
});

test('OFFLINE_MODE: what is missing is named, and how to get it', async (t) => {
  const cache = fresh(t);
  const env = offline(cache);
  const says = async (texts, rc) => {
    const result = await hoist(['load', modelId], { env });
    assert.equal(result.rc, rc, result.output);
    for (const text of texts) assert.ok(result.stderr.includes(text), `${result.stderr}\nexpected: ${text}`);
  };
  await says([modelId, `${cache}/${modelId}/.hoist-manifest.json`, `hoist pull ${modelId}`], 3);
  await hoistOk(['pull', modelId], { env: apiOf(cache) });
  for (const name of ['class_names.txt', 'environment.json', 'weights.onnx']) {
    const path = join(cache, modelId, name);
    const bytes = readFileSync(path);
    rmSync(path);
    await says([`${name}`, 'offline', `hoist pull ${modelId}`], 7);
    writeFileSync(path, bytes);
  }
  // Files that somebody else put there, without a manifest.
  rmSync(join(cache, modelId, '.hoist-manifest.json'));
  await says([`${modelId}/.hoist-manifest.json`, `hoist pull ${modelId}`], 3);
  assert.ok(existsSync(join(cache, modelId, 'weights.onnx')));
});
