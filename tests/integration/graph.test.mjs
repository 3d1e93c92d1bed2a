// SPDX-License-Identifier: Apache-2.0
//
// Saved graphs with the command and real processes: what the second load runs on, and every way in which a
// saved graph can be of no use. Whatever happens to it, the load is right.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertSoundTrace, hoist, hoistBin, hoistOk, jsonLines, listTree, mountSmall, named, projectRoot, start, tempDir } from '../lib/harness.mjs';
import { makeWorld, modelId, writeModel } from './world.mjs';

const world = await makeWorld(after);
const deps = join(projectRoot, '.deps');
const otherRuntime = join(deps, 'onnxruntimes/1.28/libonnxruntime.so.1');

/** An environment that loads from a directory with a few real models, each under two ids. */
function makeEnv(t, cache = join(tempDir(t), 'cache'), more = {}) {
  const models = tempDir(t);
  writeModel(models);
  for (const name of ['mlsd', 'silero']) {
    mkdirSync(join(models, name, '1'), { recursive: true });
    copyFileSync(join(deps, `models/${name}.onnx`), join(models, name, '1/weights.onnx'));
  }
  return world.env(cache, { HOIST_SOURCES: `dir:${models}`, HOIST_GRAPH_CACHE: 'background', ...more });
}
const graphFiles = (env) => listTree(join(env.MODEL_CACHE_DIR, '.hoist/graphs')).filter((path) => !path.endsWith('/'));
const graphs = (env) => graphFiles(env).filter((path) => /graph\.(ort|onnx)$/.test(path)).map((path) => join(env.MODEL_CACHE_DIR, '.hoist/graphs', path));

/** One load: its result, and what became of a graph, if that was said. */
async function load(env, id = modelId, args = []) {
  world.receiver.reset();
  const out = await hoistOk(['load', id, '--json', '-q', ...args], { env });
  const lines = jsonLines(out.stdout);
  return { ...lines.find(({ event }) => event === 'result'), saved: lines.find(({ event }) => event === 'graph'), spans: world.receiver.spans() };
}

test('the first load saves the graph, the second runs on it, and both say so', async (t) => {
  const env = makeEnv(t);
  const first = await load(env);
  assert.equal(first.graph_cache, 'miss');
  assert.equal(first.saved.status, 'ok', JSON.stringify(first.saved));
  assert.ok(first.saved.graph_s < first.saved.weights_s);
  const [save] = named(first.spans, 'model.graph_cache.save');
  const [loaded] = named(first.spans, 'model.load');
  assert.equal(save.attributes['model.id'], modelId);
  assert.notEqual(save.traceId, loaded.traceId); // it is no part of the load …
  assert.deepEqual(save.links.map((link) => link.traceId), [loaded.traceId]); // … but came of it
  const second = await load(env);
  assert.equal(second.graph_cache, 'hit');
  assert.match(second.graph_detail, /^mapped: [\d.]+ ms instead of [\d.]+$/);
  assert.equal(second.saved, undefined);
  const [create] = named(second.spans, 'model.session.create');
  assert.equal(create.attributes.graph_cache, 'hit');
  assertSoundTrace(second.spans.filter((span) => span.traceId === create.traceId));
  assert.equal(named(second.spans, 'ort.graph_optimize').length, 0);
  assert.deepEqual(second.inputs, first.inputs);
  assert.deepEqual(second.outputs, first.outputs);
  const info = await hoistOk(['info', modelId], { env });
  assert.match(info.stdout, /\n {2}graph {7}hit, mapped: .* \(\d+ KB\)\n/);
  const drawn = await hoistOk(['load', modelId], { env });
  assert.match(drawn.stdout, /graph hit/);
});

test('it is off where it is switched off, and before returning where that is asked for', async (t) => {
  const env = makeEnv(t);
  assert.equal((await load(env, modelId, ['--graph-cache=off'])).graph_cache, 'off');
  assert.deepEqual(graphFiles(env), []);
  const { graph_cache: use, spans } = await load(env, modelId, ['--graph-cache=before_returning']);
  assert.equal(use, 'miss');
  const [save] = named(spans, 'model.graph_cache.save');
  assert.equal(save.parentSpanId ?? save.parentId, named(spans, 'model.load')[0].spanId);
  assert.equal((await load(env)).graph_cache, 'hit');
  assert.equal((await load(env, modelId, ['--graph-cache=off'])).graph_cache, 'off');
});

test('a graph that is damaged is refused, the load is right, and the next graph is sound', async (t) => {
  const env = makeEnv(t);
  await load(env);
  const damages = {
    truncated: (path) => truncateSync(path, 1000),
    'bit-flipped': (path) => { const data = readFileSync(path); data[data.length >> 1] ^= 4; writeFileSync(path, data); },
    'of another model': (path) => copyFileSync(join(deps, 'models/mlsd.onnx'), path),
    empty: (path) => writeFileSync(path, ''),
    gone: (path) => rmSync(path),
  };
  for (const [name, damage] of Object.entries(damages)) {
    damage(graphs(env)[0]);
    const bad = await load(env);
    assert.equal(bad.graph_cache, 'refused', name);
    assert.equal(named(bad.spans, 'model.load')[0].status.code, 'Unset');
    assert.equal(bad.inputs.length, 1);
    assert.equal(bad.saved.status, 'ok', name);
    assert.equal((await load(env)).graph_cache, 'hit', name);
  }
});

test('another release of the runtime has a graph of its own', { skip: !existsSync(otherRuntime) && 'there is no second runtime for this architecture' }, async (t) => {
  const env = makeEnv(t);
  await load(env);
  const other = { ...env, HOIST_ONNXRUNTIME: otherRuntime };
  const first = await load(other);
  assert.match(first.onnxruntime_version, /^1\.28\./);
  assert.equal(first.graph_cache, 'miss');
  assert.equal((await load(other)).graph_cache, 'hit');
  assert.equal((await load(env)).graph_cache, 'hit');
  assert.equal(graphs(env).length, 2);
});

test('killed while it saves, a command leaves nothing that counts', async (t) => {
  const env = makeEnv(t);
  await hoistOk(['pull', 'mlsd/1', '-q'], { env });
  for (let round = 0; round < 4; round++) {
    const child = spawn(hoistBin, ['load', 'mlsd/1', '-q'], { env: { PATH: process.env.PATH, ...env }, stdio: 'ignore' });
    const ended = new Promise((done) => { child.on('exit', done); });
    for (let i = 0; i < 2000 && child.exitCode === null && !graphFiles(env).some((path) => /\/new\./.test(path) || path.startsWith('new.')); i++) await new Promise((done) => { setTimeout(done, 2); });
    await new Promise((done) => { setTimeout(done, round * 15); });
    child.kill('SIGKILL');
    await ended;
  }
  const next = await load(env, 'mlsd/1');
  assert.ok(['miss', 'hit'].includes(next.graph_cache), next.graph_cache);
  assert.equal((await load(env, 'mlsd/1')).graph_cache, 'hit');
  assert.ok(!graphFiles(env).some((path) => path.includes('new.')), graphFiles(env).join());
});

test('a disk without room for it has no graph, and a load as good', async (t) => {
  const mount = mountSmall(t, '4m');
  const env = makeEnv(t, join(mount, 'cache'));
  for (let i = 0; i < 2; i++) {
    const result = await load(env);
    assert.equal(result.graph_cache, 'miss');
    assert.equal(result.saved.status, 'no_space');
    assert.match(result.saved.message, /of disk, .* are free/);
  }
  assert.ok(!graphFiles(env).some((path) => /ort$|new\./.test(path)));
});

test('a disk that fills up while it is written leaves nothing', async (t) => {
  const env = makeEnv(t);
  await hoistOk(['pull', modelId, '-q'], { env });
  // The graph has 666 KB; a larger file than 600 KB cannot be written.
  const out = execFileSync('bash', ['-c', "trap '' XFSZ; ulimit -f 600; exec \"$0\" load \"$1\" --json -q", hoistBin, modelId], { env: { PATH: process.env.PATH, ...env } }).toString();
  const lines = jsonLines(out);
  assert.equal(lines.find(({ event }) => event === 'result').graph_cache, 'miss');
  assert.notEqual(lines.find(({ event }) => event === 'graph').status, 'ok');
  assert.deepEqual(graphs(env), []);
  assert.ok(!graphFiles(env).some((path) => path.includes('new.')));
});

test('a read-only cache with a graph in it is used as it is', async (t) => {
  const mount = mountSmall(t, '64m');
  const env = makeEnv(t, join(mount, 'cache'));
  await load(env);
  await new Promise((done) => { setTimeout(done, 50); });
  await load(env);
  execFileSync('mount', ['-o', 'remount,ro', mount]);
  const result = await load(env);
  assert.equal(result.graph_cache, 'hit');
  const other = await hoist(['load', 'mlsd/1', '-q'], { env });
  assert.equal(other.rc, 4, other.output); // nothing can be fetched into it
});

test('a read-only cache without a graph loads as before, and says why none is saved', async (t) => {
  const mount = mountSmall(t, '64m');
  const env = makeEnv(t, join(mount, 'cache'));
  await hoistOk(['pull', modelId, '-q'], { env });
  execFileSync('mount', ['-o', 'remount,ro', mount]);
  const result = await load(env);
  assert.equal(result.graph_cache, 'miss');
  assert.equal(result.saved.status, 'denied');
});

test('graphs go with their models, and count in the size of the cache', async (t) => {
  const env = makeEnv(t);
  await load(env);
  await load(env, 'silero/1');
  const listed = JSON.parse((await hoistOk(['ls', '--json'], { env })).stdout);
  const models = listed.models ?? listed;
  assert.ok(models.every((model) => model.graph_bytes > 500_000), JSON.stringify(models));
  const freed = models.reduce((sum, model) => sum + model.size_bytes + model.graph_bytes, 0);
  await hoistOk(['rm', 'silero/1'], { env });
  assert.equal(graphs(env).length, 1);
  const cleaned = jsonLines((await hoistOk(['gc', '--max-size', '0', '--json'], { env })).stdout).at(-1);
  assert.ok(cleaned.freed_bytes < freed && cleaned.freed_bytes > 1_000_000, JSON.stringify(cleaned));
  assert.deepEqual(graphs(env), []);
  assert.deepEqual(readdirSync(join(env.MODEL_CACHE_DIR, '.hoist/graphs')), []);
});

test('processes that load one model at once all get it, and one of them saves the graph', async (t) => {
  const env = makeEnv(t);
  const running = Array.from({ length: 4 }, () => start(['load', 'silero/1', '--json', '-q'], { env }).done);
  for (const result of await Promise.all(running)) {
    assert.equal(result.rc, 0, result.output);
    assert.match(jsonLines(result.stdout).find(({ event }) => event === 'result').graph_cache, /^(miss|hit)$/);
  }
  assert.equal((await load(env, 'silero/1')).graph_cache, 'hit');
  assert.equal(graphs(env).length, 1);
});

test('several models are told of in their order, each with its trace', async (t) => {
  const env = makeEnv(t);
  world.receiver.reset();
  const out = await hoistOk(['load', modelId, 'silero/1', 'nobody/1', 'mlsd/1', '--json', '-q'].filter((arg) => arg !== 'nobody/1'), { env });
  const results = jsonLines(out.stdout).filter(({ event }) => event === 'result');
  assert.deepEqual(results.map(({ model_id: id }) => id), [modelId, 'silero/1', 'mlsd/1']);
  assert.equal(new Set(results.map(({ trace_id: id }) => id)).size, 3);
  assert.ok(results.every(({ phases }) => phases.length > 1));
  assert.equal(named(world.receiver.spans(), 'model.load').length, 3);
  const plain = await hoistOk(['load', modelId, 'silero/1', 'mlsd/1'], { env });
  const order = ['faces/1: ', 'silero/1: ', 'mlsd/1: '].map((text) => plain.stdout.indexOf(`\n${text}`));
  assert.ok(order[0] > 0 && order[0] < order[1] && order[1] < order[2], plain.stdout);
});

test('loads are repeated, and compared in processes of their own', async (t) => {
  const env = makeEnv(t);
  const repeated = await hoistOk(['load', '--repeat', '4', 'silero/1'], { env });
  assert.match(repeated.stdout, /silero\/1, 4 loads\n +first +min +median +p90\n/);
  assert.match(repeated.stdout, /\n {2}model\.artifacts\.download .* in 1\n/);
  assert.match(repeated.stdout, /\n {4}ort\.model_parse /);
  const svg = join(tempDir(t), 'bench.svg');
  const bench = await hoistOk(['bench', 'silero/1', '--repeat', '3', '--svg', svg], { env });
  for (const row of [/\ncold +[\d.]+ m?s/, /\nwarm +[\d.]+ m?s.* 1\.00\n/, /\ncached graph +[\d.]+ m?s.* 0\.\d\d\n/]) assert.match(bench.stdout, row);
  assert.match(readFileSync(svg, 'utf8'), /^<svg [\s\S]*cached graph[\s\S]*<\/svg>\n$/);
  const offline = await hoistOk(['bench', 'silero/1', '--repeat', '1', '--offline'], { env });
  assert.match(offline.stdout, /\ncold +no source has it/);
  assert.ok(statSync(svg).size > 1000);
});
