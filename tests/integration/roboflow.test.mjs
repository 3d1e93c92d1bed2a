// SPDX-License-Identifier: Apache-2.0
//
// The Roboflow API from outside: every family of endpoints, the choice of a package, and what each refusal of the API
// becomes. The stand-in refuses what the API merely tolerates, and remembers it as a violation.

import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertNoSecrets, assertSoundTrace, hoist, hoistOk, jsonLines, listTree, named, start, tempDir } from '../lib/harness.mjs';
import { makeWorld, marker, modelFiles, modelId, putModel } from './world.mjs';

const world = await makeWorld(after);
const { origin, receiver } = world;
const api = { HOIST_SOURCES: 'roboflow_api', HOIST_MAX_ATTEMPTS: '2' };
const PACKAGES = '^/models/v1/external/weights';

putModel(origin, 'packed/1');
origin.api.offer('packed/1');
putModel(origin, 'solo');
origin.api.offer('solo');
putModel(origin, 'portraits');
putModel(origin, 'acme/faces/latest');
origin.api.put('clip/ViT-B-16', 'visual.onnx', modelFiles['weights.onnx']);
origin.api.put('clip/ViT-B-16', 'textual.onnx', 'text');
origin.api.setKind('clip/ViT-B-16', 'core_model');
origin.api.put('sam/vit_h', 'encoder.pth', 'encoder');
origin.api.put('sam/vit_h', 'decoder.onnx', modelFiles['weights.onnx']);
origin.api.setKind('sam/vit_h', 'core_model');
origin.api.put('owls/3', 'weights.pt', 'owl');
origin.api.setKind('owls/3', 'owlv2');

async function run(t, args, env = {}, script = []) {
  origin.reset();
  receiver.reset();
  origin.script(script);
  const cache = tempDir(t);
  const result = await hoist(args, { env: world.env(cache, { ...api, ...env }) });
  assertNoSecrets([marker], result, receiver.requests().map((r) => r.body), { dir: cache });
  assertSoundTrace(receiver.spans());
  assert.deepEqual(origin.violations(), []);
  return { result, cache, spans: receiver.spans() };
}
const filesOf = (cache, path) => listTree(join(cache, path)).filter((name) => !name.startsWith('.'));
const manifestOf = (cache, path) => JSON.parse(readFileSync(join(cache, path, '.hoist-manifest.json')));
const functions = (spans) => named(spans, 'roboflow_api.call').map((span) => span.attributes['roboflow_api.function']);
const detection = Object.keys(modelFiles).sort();

// ---- the families ------------------------------------------------------------------------------

/** [title, id, functions of the API that are called, files in the cache] */
const families = [
  ['a versioned model that has packages', 'packed/1', ['get_model_packages'], detection],
  ['a model of one segment that has packages', 'solo', ['get_model_packages'], detection],
  ['a versioned model without packages', modelId, ['get_model_packages', 'get_model_data'], detection],
  ['a model of one segment', 'portraits', ['get_model_packages', 'get_weights'], detection],
  ['a model of three segments', 'acme/faces/latest', ['get_model_packages', 'get_weights'], detection],
  ['a core model', 'clip/ViT-B-16', ['get_model_packages', 'get_core_model'], ['textual.onnx', 'visual.onnx']],
  ['a core model with one ONNX file', 'sam/vit_h', ['get_model_packages', 'get_core_model'], ['decoder.onnx', 'encoder.pth']],
  ['an OWLv2 model', 'owls/3', ['get_model_packages', 'get_model_data', 'get_owlv2_model'], ['weights.pt']],
];
for (const [title, id, called, files] of families) {
  test(`${title} is pulled, whole`, async (t) => {
    const { result, cache, spans } = await run(t, ['pull', id, '-q']);
    assert.equal(result.rc, 0, result.output);
    assert.deepEqual(functions(spans), called);
    const path = /^[a-z0-9._ /-]+$/.test(id) ? id : listTree(cache).find((name) => /^~clip-[^/]*\/$/.test(name));
    assert.deepEqual(filesOf(cache, path), files);
    for (const span of named(spans, 'roboflow_api.call')) assert.notEqual(span.status.code, 'Error', 'an endpoint without the model is no failure');
    const verified = await hoistOk(['verify', id], { env: world.env(cache, api) });
    assert.equal(verified.rc, 0);
  });
}

test('a bundle for other programs has no session, and says so; what can be opened of one is', async (t) => {
  const { result } = await run(t, ['load', 'clip/ViT-B-16']);
  assert.equal(result.rc, 8, result.output);
  assert.match(result.stderr, /a bundle of 2 files for other programs.*hoist pull brings it into the cache/);
  const { result: sam } = await run(t, ['load', 'sam/vit_h', '-q']);
  assert.equal(sam.rc, 0, sam.output);
});

test('a bundle that is cached is listed and described without weights', async (t) => {
  const { cache } = await run(t, ['pull', 'clip/ViT-B-16', '-q']);
  const env = world.env(cache, api);
  const [info] = jsonLines((await hoistOk(['info', 'clip/ViT-B-16', '--json'], { env })).stdout);
  assert.deepEqual([info.weights, info.files.map((file) => file.name)], [null, ['textual.onnx', 'visual.onnx']]);
  assert.match((await hoistOk(['ls'], { env })).stdout, /clip\/ViT-B-16/);
});

// ---- packages ----------------------------------------------------------------------------------

test('of all pages the best package is taken, and one of an unknown type is warned of', async (t) => {
  putModel(origin, 'many/1');
  origin.api.offer('many/1', { pageSize: 2, packages: [
    { packageId: 'half', manifest: { quantization: 'fp16' } },
    { packageId: 'foreign', manifest: { type: 'coreml-model-package-v1' } },
    { packageId: 'torn', manifest: { opset: 'seventeen' } },
    { packageId: 'exact' },
    { packageId: 'engine', manifest: { type: 'trt-model-package-v1' } },
    { raw: { type: 'external-model-package-v9' } },
  ] });
  const { result, cache, spans } = await run(t, ['load', 'many/1', '--json']);
  assert.equal(result.rc, 0, result.output);
  assert.equal(manifestOf(cache, 'many/1').package_id, 'exact');
  const [call] = named(spans, 'roboflow_api.call');
  assert.equal(call.attributes['roboflow_api.package_id'], 'exact');
  assert.equal(spans.filter((span) => span.parentSpanId === call.spanId).length, 3, 'one request a page');
  const warnings = jsonLines(result.stdout + result.stderr).filter((line) => line.kind === 'warning');
  assert.equal(warnings.length, 1);
  assert.match(warnings[0].message, /3 of 6 packages skipped; foreign: of the type "coreml-model-package-v1"/);
  const { cache: other } = await run(t, ['pull', 'many/1', '-q'], { HOIST_QUANTIZATION: 'fp16' });
  assert.equal(manifestOf(other, 'many/1').package_id, 'half');
});

test('a package without what its task needs gives way to the older endpoint', async (t) => {
  putModel(origin, 'bare/1');
  origin.api.offer('bare/1', { packages: [{ packageId: 'bare', files: { 'weights.onnx': 'weights.onnx' } }] });
  const { result, cache, spans } = await run(t, ['pull', 'bare/1', '-q']);
  assert.equal(result.rc, 0, result.output);
  assert.deepEqual(functions(spans), ['get_model_packages', 'get_model_data']);
  assert.deepEqual(filesOf(cache, 'bare/1'), detection);
});

test('a package that only describes itself is taken where nothing better is there', async (t) => {
  const files = { 'weights.onnx': 'weights.onnx', 'class_names.txt': 'class_names.txt', 'inference_config.json': 'inference_config.json' };
  for (const id of ['half/1', 'half/2']) {
    putModel(origin, id, { ...modelFiles, 'inference_config.json': '{}' });
    origin.api.offer(id, { packages: [{ packageId: 'half', files }] });
  }
  origin.api.setKind('half/2', 'packages'); // no other endpoint has it
  const { cache, spans } = await run(t, ['pull', 'half/1', '-q']);
  assert.deepEqual(functions(spans), ['get_model_packages', 'get_model_data']);
  assert.ok(filesOf(cache, 'half/1').includes('environment.json'));
  const { result, cache: other } = await run(t, ['pull', 'half/2', '-q']);
  assert.equal(result.rc, 0, result.output);
  assert.equal(manifestOf(other, 'half/2').package_id, 'half');
});

test('packages of no use and nothing else: unsupported, with the reason', async (t) => {
  putModel(origin, 'engines/1');
  origin.api.setKind('engines/1', 'packages');
  origin.api.offer('engines/1', { packages: [{ packageId: 'engine', manifest: { type: 'trt-model-package-v1' } }] });
  const { result, spans } = await run(t, ['load', 'engines/1']);
  assert.equal(result.rc, 8, result.output);
  assert.match(result.stderr, /none of its 1 packages can be used here; engine: for TensorRT: hoist runs ONNX packages/);
  assert.equal(named(spans, 'model.load')[0].attributes['error.type'], 'unsupported');
});

test('a model that needs other models says which', async (t) => {
  origin.api.offer('engines/1', { metadata: { modelDependencies: [{ type: 'model-dependency-v1', name: 'vision', modelId: 'clip/ViT-B-16' }] } });
  const { result } = await run(t, ['load', 'engines/1']);
  assert.equal(result.rc, 8, result.output);
  assert.match(result.stderr, /does not work without other models \(vision: clip\/ViT-B-16\).*pull each by its id/);
});

test('what the package says of its files is verified, unless it is switched off', async (t) => {
  const script = [{ path: '^/files/.*weights', corrupt: true, times: 0 }];
  const { result } = await run(t, ['pull', 'packed/1'], {}, script);
  assert.equal(result.rc, 7, result.output);
  assert.match(result.stderr, /weights\.onnx: .*md5/i);
  const { result: unchecked } = await run(t, ['pull', 'packed/1', '-q'], { MD5_VERIFICATION_ENABLED: 'false' }, script);
  assert.equal(unchecked.rc, 0, unchecked.output);
});

test('what another model in the cache has is neither fetched nor stored again', async (t) => {
  putModel(origin, 'packed/2');
  origin.api.offer('packed/2');
  const { cache } = await run(t, ['pull', 'packed/1', '-q']);
  const env = world.env(cache, api);
  const inode = (id) => statSync(join(cache, id, 'weights.onnx'));
  origin.reset();
  receiver.reset();
  await hoistOk(['load', 'packed/2', '-q'], { env });
  assert.equal(origin.requests({ path: /weights\.onnx$/ }).length, 0);
  assert.equal(inode('packed/1').ino, inode('packed/2').ino);
  const [download] = named(receiver.spans(), 'model.artifacts.download');
  assert.equal(download.attributes['model.artifacts.shared_bytes'], modelFiles['weights.onnx'].length);
  await hoistOk(['verify'], { env });
  await hoistOk(['rm', 'packed/1'], { env });
  await hoistOk(['load', 'packed/2', '-q', '--offline'], { env });
  assert.equal(inode('packed/2').nlink, 1);
});

test('a damaged file is not passed on to another model', async (t) => {
  const { cache } = await run(t, ['pull', 'packed/1', '-q']);
  const env = world.env(cache, api);
  const path = join(cache, 'packed/1/weights.onnx');
  const bytes = readFileSync(path);
  bytes[1000] ^= 1;
  writeFileSync(path, bytes);
  await hoistOk(['pull', 'packed/2', '-q'], { env });
  assert.deepEqual(readFileSync(join(cache, 'packed/2/weights.onnx')), modelFiles['weights.onnx']);
  await hoistOk(['load', 'packed/1', '-q'], { env }); // found damaged, and out of packed/2 again
  assert.deepEqual(readFileSync(path), modelFiles['weights.onnx']);
});

test('URLs of a package that expire are asked for again', async (t) => {
  const { result, cache, spans } = await run(t, ['pull', 'packed/1', '-q'], {}, [{ path: PACKAGES, expire: true }]);
  assert.equal(result.rc, 0, result.output);
  assert.deepEqual(functions(spans), ['get_model_packages', 'get_model_packages']);
  assert.deepEqual(readFileSync(join(cache, 'packed/1/weights.onnx')), modelFiles['weights.onnx']);
});

test('what was weighed is shown, and nothing is fetched', async (t) => {
  const { result, cache } = await run(t, ['info', '--why', 'many/1', '--json']);
  assert.equal(result.rc, 0, result.output);
  const [{ candidates }] = jsonLines(result.stdout);
  const shown = candidates.map((c) => [c.endpoint, c.package_id, c.chosen, c.reason]);
  const packages = '/models/v1/external/weights';
  assert.deepEqual(shown.filter(([, id]) => ['half', 'exact', 'engine'].includes(id)), [
    [packages, 'half', false, 'another quantization is preferred'],
    [packages, 'exact', true, 'its quantization is preferred'],
    [packages, 'engine', false, 'for TensorRT: hoist runs ONNX packages'],
  ]);
  assert.deepEqual(shown.slice(-2).map(([endpoint, , chosen]) => [endpoint, chosen]), [['/ort', false], ['/owlv2', false]]);
  assert.equal(shown.length, 6 + 1 + 2, 'every package, its endpoint, the others');
  assert.deepEqual(filesOf(cache, 'many/1'), []);
  assert.equal(origin.requests({ kind: 'files' }).length, 0);
  const { result: text } = await run(t, ['info', '--why', 'many/1']);
  assert.match(text.stdout, /✓ exact .*ONNX, fp32, batch of 1, opset 9, trusted, 3 files: its quantization is preferred/);
});

// ---- other names -------------------------------------------------------------------------------

test('a name stands for its model, wherever an id is expected', async (t) => {
  putModel(origin, 'coco/3');
  const { cache, spans } = await run(t, ['pull', 'yolov8n-640', '-q']);
  const [root] = named(spans, 'model.pull');
  assert.deepEqual([root.attributes['model.id'], root.attributes['model.alias']], ['coco/3', 'yolov8n-640']);
  const told = jsonLines((await run(t, ['pull', 'yolov8n-640', '--json'])).result.stdout).at(-1);
  assert.deepEqual([told.model_id, told.alias], ['coco/3', 'yolov8n-640']);
  assert.deepEqual(filesOf(cache, 'coco/3'), detection);
  const env = world.env(cache, api);
  for (const id of ['yolov8n-640', 'coco/3']) assert.equal(jsonLines((await hoistOk(['info', id, '--json'], { env })).stdout)[0].task_type, 'object-detection');
  await hoistOk(['rm', 'yolov8n-640'], { env });
  assert.deepEqual(filesOf(cache, 'coco/3'), []);
});

test('a file of names adds to the table and takes from it; a model under the very name is that model', async (t) => {
  const path = join(tempDir(t), 'aliases.json');
  writeFileSync(path, JSON.stringify({ mine: 'faces/1', sam: null, clip: 'faces/1' }));
  const { result, cache } = await run(t, ['pull', 'mine', '-q'], { HOIST_ALIASES: path });
  assert.equal(result.rc, 0, result.output);
  assert.deepEqual(filesOf(cache, modelId), detection);
  putModel(origin, 'clip');
  const unaliased = { HOIST_ALIASES: join(tempDir(t), 'none.json') };
  writeFileSync(unaliased.HOIST_ALIASES, '{"clip": null}');
  origin.api.setKind('clip', 'core_model');
  const { cache: other } = await run(t, ['pull', 'clip', '-q'], unaliased);
  await hoistOk(['verify', 'clip'], { env: world.env(other, api) });
  const broken = await hoist(['pull', 'mine'], { env: world.env(cache, { ...api, HOIST_ALIASES: '/nonexistent/aliases.json' }) });
  assert.equal(broken.rc, 2, broken.output);
  assert.match(broken.stderr, /aliases: .*\/nonexistent\/aliases\.json/);
});

// ---- what the API's refusals become --------------------------------------------------------------

const DESCRIBES = '^/(ort|models/v1/external)/';
const status = (number, path = '^/ort/') => [{ path, status: number, times: 0 }];
const merge = (value) => [{ path: '^/ort/', merge: value, times: 0 }];

/** [title, environment, script, options of load, exit status, error.type, what the message says to do, the span that failed] */
const refusals = [
  ['401 with a key', {}, status(401), [], 4, 'denied', /does not accept this API key: check ROBOFLOW_API_KEY/, 'roboflow_api.call'],
  ['401 without a key', { ROBOFLOW_API_KEY: '' }, [], [], 4, 'denied', /none is set: set ROBOFLOW_API_KEY/, 'roboflow_api.call'],
  ['401 of the packages', {}, status(401, PACKAGES), [], 4, 'denied', /check ROBOFLOW_API_KEY/, 'roboflow_api.call'],
  ['402', {}, status(402), [], 4, 'denied', /check the workspace's plan and credits/, 'roboflow_api.call'],
  ['403', {}, status(403), [], 4, 'denied', /check the scopes of the API key and its workspace/, 'roboflow_api.call'],
  ['404', {}, status(404), [], 3, 'not_found', /check the id and the API key's workspace/, 'roboflow_api.call'],
  ['423', {}, status(423), [], 4, 'denied', /ask the workspace's administrator to resume it/, 'roboflow_api.call'],
  ['no answer before the caller\'s deadline', {}, [{ path: DESCRIBES, delayMs: 20_000, times: 0 }], ['--timeout', '1'], 6, 'timeout', /deadline|time/, 'roboflow_api.call'],
  ['no answer within the time for one request', { ROBOFLOW_API_REQUEST_TIMEOUT: '0.5' }, [{ path: DESCRIBES, delayMs: 20_000, times: 0 }], [], 5, 'unavailable', /127\.0\.0\.1/, 'roboflow_api.call'],
  ['no connection', { API_BASE_URL: 'http://127.0.0.1:9' }, [], [], 5, 'unavailable', /127\.0\.0\.1:9/, 'roboflow_api.call'],
  ...[408, 429, 500, 502, 503, 504].map((number) => [`${number}, after retries`, {}, status(number), [], 5, 'unavailable', /try again later/, 'roboflow_api.call']),
  ['503 of the packages', {}, status(503, PACKAGES), [], 5, 'unavailable', /try again later/, 'roboflow_api.call'],
  ['no JSON', {}, [{ path: '^/ort/', garbage: 'html', times: 0 }], [], 7, 'corrupt', /the Roboflow API's answer: not JSON/, 'roboflow_api.call'],
  ['no JSON of the packages', {}, [{ path: PACKAGES, status: 200, body: '{"modelMetadata"', times: 0 }], [], 7, 'corrupt', /not JSON/, 'roboflow_api.call'],
  ['JSON of another shape', {}, merge({ ort: [] }), [], 7, 'corrupt', /ort: expected an object, found a list/, 'roboflow_api.call'],
  ['an answer without the environment', {}, merge({ ort: { environment: null } }), [], 7, 'corrupt', /ort\.environment: .*missing/, 'roboflow_api.call'],
  ['an answer without the weights', {}, merge({ ort: { model: null } }), [], 7, 'corrupt', /ort\.model: .*missing/, 'roboflow_api.call'],
  ['an environment that the storage does not have', {}, status(404, '^/files/.*environment'), [], 7, 'corrupt', /environment\.json: the API lists it, but its storage does not have it/, 'roboflow_api.call'],
  ['weights that the storage does not have', {}, status(404, '^/files/.*weights'), [], 7, 'corrupt', /weights\.onnx: the API lists it, but its storage does not have it/, 'model.artifact.download'],
];
for (const [title, env, script, options, rc, type, says, failing] of refusals) {
  test(`${title}: ${type}, and what to do`, async (t) => {
    const { result, cache, spans } = await run(t, ['load', modelId, ...options], env, script);
    assert.equal(result.rc, rc, result.output);
    const lines = result.stderr.split('\n').filter((line) => line.startsWith('hoist: '));
    assert.equal(lines.length, 1, result.output);
    assert.match(lines[0], says);
    for (const name of ['model.load', failing]) {
      const isIt = ({ status, attributes }) => status.code === 'Error' && (attributes['artifact.filename'] ?? 'weights.onnx') === 'weights.onnx'; // others may have been under way
      const failed = named(spans, name).filter(isIt);
      assert.equal(failed.length, 1, `${failed.length} × ${name} failed`);
      assert.equal(failed[0].attributes['error.type'], type);
      assert.equal(failed[0].events.filter((event) => event.name === 'exception').length, 1);
    }
    const metric = (name) => receiver.metrics().filter((each) => each.name === name).at(-1);
    assert.deepEqual(metric('inference.errors').points.map((p) => [p.attributes['error.type'], p.value]), [[type, 1]]);
    assert.ok(metric('inference.roboflow_api.duration').points.every((p) => p.count >= 1));
    assert.deepEqual(filesOf(cache, modelId), []);
  });
}

test('a lock that is not let go: unavailable, and who holds it', async (t) => {
  origin.reset();
  receiver.reset();
  origin.script([{ path: '^/files/.*weights', stall: true, at: 0.5, times: 0 }]);
  const cache = tempDir(t);
  const holder = start(['pull', modelId, '-q'], { env: world.env(cache, api) });
  t.after(() => holder.child.kill('SIGKILL'));
  for (let i = 0; i < 400 && origin.requests({ path: /weights/ }).length === 0; i++) await new Promise((ok) => setTimeout(ok, 10));
  const result = await hoist(['load', modelId], { env: world.env(cache, { ...api, MODEL_LOCK_ACQUIRE_TIMEOUT: '1' }) });
  assert.equal(result.rc, 5, result.output);
  assert.match(result.stderr, new RegExp(`${holder.child.pid}`));
  assertNoSecrets([marker], result, receiver.requests().map((r) => r.body));
  const spans = receiver.spans().filter((span) => span.attributes['error.type']);
  for (const name of ['model.load', 'model.cache.lock_wait']) assert.equal(named(spans, name)[0]?.attributes['error.type'], 'unavailable', name);
  const errors = receiver.metrics().filter((each) => each.name === 'inference.errors').at(-1);
  assert.deepEqual(errors.points.map((p) => [p.attributes['error.type'], p.value]), [['unavailable', 1]]);
});
