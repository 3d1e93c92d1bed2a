// SPDX-License-Identifier: Apache-2.0
//
// How long a model takes to open, and what memory: ONNX Runtime alone, hoist's first load, its second, and
// two processes at once; for real models and generated ones. One Markdown table of medians, then what became
// of the project's bars.
//
//   node tests/bench/session.mjs [--build DIR] [--runs N] [--only TEXT] [--large BYTES] [--json FILE] [--svg FILE]
//
// --runs (default 11) of every contestant, who take turns, each in a process of its own. --large (1000M) is
// the size of the largest generated model; --only keeps the models whose name contains TEXT.
//
// "ONNX Runtime alone" is a program that opens the library, an environment and a session on the file
// (tests/bench/session/alone.c); "hoist" is one that loads by the public API. Times are from the start of
// either to a session that can run. The source of first loads is a directory on the same disk.

import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { onnxRuntime, projectRoot } from '../lib/harness.mjs';
import { plot } from './session/plot.mjs';

const { values: options } = parseArgs({ options: {
  build: { type: 'string', default: 'build' }, runs: { type: 'string', default: '11' }, only: { type: 'string', default: '' },
  large: { type: 'string', default: '1000M' }, json: { type: 'string' }, svg: { type: 'string' },
} });
const runs = Number(options.runs);
const build = resolve(projectRoot, options.build);
const alone = join(build, 'tests/bench/bench_alone');
const ours = join(build, 'tests/bench/bench_session');
const root = mkdtempSync(join(tmpdir(), 'hoist-bench-session-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

const library = onnxRuntime() ?? execFileSync('sh', ['-c', 'ldconfig -p | sed -n "s/.*=> \\(.*libonnxruntime.so.*\\)/\\1/p" | head -1']).toString().trim();
const models = ['blazeface', 'silero', 'ppocr_det', 'ppocr_rec', 'mlsd', 'generated 100M', `generated ${options.large}`].filter((name) => name.includes(options.only));

/* ---- the models ------------------------------------------------------------------------------- */

function putModel(name) {
  const id = name.replace(/ .*/, name.includes(' ') ? `-${name.split(' ')[1].toLowerCase()}` : '');
  const dir = join(root, 'models', id, '1');
  mkdirSync(dir, { recursive: true });
  const path = join(dir, 'weights.onnx');
  if (name.startsWith('generated')) execFileSync(process.execPath, [join(projectRoot, 'tests/lib/genonnx.mjs'), path, '--size', name.split(' ')[1]]);
  else copyFileSync(join(projectRoot, `.deps/models/${name}.onnx`), path);
  return { name, id: `${id}/1`, path, bytes: statSync(path).size };
}

/* ---- running ---------------------------------------------------------------------------------- */

const env = (cache, more = {}) => ({ PATH: process.env.PATH, HOME: root, HOIST_ONNXRUNTIME: library, HOIST_SOURCES: `dir:${join(root, 'models')}`, HOIST_CACHE_DIR: cache, ...more });

const run = (program, args, environment) => JSON.parse(execFileSync(program, args, { env: environment ?? process.env, stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 20 }).toString());

/** A process that holds its model until `release`. */
function hold(program, args, environment) {
  const child = spawn(program, [...args, 'hold'], { env: environment ?? process.env, stdio: ['pipe', 'pipe', 'inherit'] });
  const line = new Promise((done, failed) => {
    let text = '';
    child.stdout.on('data', (chunk) => { text += chunk; if (text.includes('\n')) done(JSON.parse(text)); });
    child.on('exit', (code) => failed(new Error(`ended with ${code}`)));
  });
  return { line, release: () => new Promise((done) => { child.removeAllListeners('exit'); child.on('exit', done); child.stdin.end(); }) };
}

const median = (values) => { const s = [...values].sort((a, b) => a - b); return (s[(s.length - 1) >> 1] + s[s.length >> 1]) / 2; };

async function measure(model) {
  const cache = join(root, 'cache');
  const fresh = join(root, 'fresh');
  const touch = () => execFileSync(alone, ['touch', String(Math.ceil(model.bytes / 2 ** 20) * 3 + 64)]);
  const of = { alone: [], first: [], pull: [], second: [], plain: [], hit: [], pair: [] };
  run(ours, ['save', model.id], env(cache)); // the first load, with its graph
  run(ours, ['load', model.id], env(cache)); // files that are known from now on
  for (let i = -1; i < runs; i++) {
    const keep = (name, value) => { if (i >= 0) of[name].push(value); };
    touch();
    keep('alone', run(alone, [library, model.path]));
    for (const [name, verb] of [['pull', 'pull'], ['first', 'load']]) {
      rmSync(fresh, { recursive: true, force: true });
      execFileSync('sync');
      touch();
      keep(name, run(ours, [verb, model.id], env(fresh)));
    }
    rmSync(fresh, { recursive: true, force: true });
    touch();
    keep('second', run(ours, ['load', model.id], env(cache)));
    touch();
    keep('plain', run(ours, ['load', model.id], env(cache, { HOIST_GRAPH_CACHE: 'off' })));
    keep('hit', run(ours, ['pull', model.id], env(cache)));
    touch();
    const pair = [hold(ours, ['load', model.id], env(cache)), hold(ours, ['load', model.id], env(cache))];
    const lines = await Promise.all(pair.map(({ line }) => line));
    keep('pair', { ms: Math.max(...lines.map(({ ms }) => ms)), anonymous_kb: lines[1].anonymous_kb });
    await Promise.all(pair.map(({ release }) => release()));
  }
  const middle = (name, key) => median(of[name].map((result) => result[key]));
  const runtime = median(of.alone.map((result) => result.ms - result.session_ms));
  const graphs = join(cache, '.hoist/graphs');
  const graphBytes = existsSync(graphs) ? Number(execFileSync('du', ['-sb', graphs]).toString().split(/\s/)[0]) : 0;
  rmSync(cache, { recursive: true, force: true });
  return {
    model: model.name, bytes: model.bytes, graph: of.second[0].graph, graphBytes,
    alone: middle('alone', 'ms'), aloneSession: middle('alone', 'session_ms'), aloneMemory: middle('alone', 'anonymous_kb'),
    pull: middle('pull', 'ms'), first: middle('first', 'ms'),
    plain: middle('plain', 'ms'), second: middle('second', 'ms'), secondSession: middle('second', 'session_ms') - runtime, secondMemory: middle('second', 'anonymous_kb'),
    own: middle('second', 'own_ms'), hit: middle('hit', 'ms'), pair: middle('pair', 'ms'), pairMemory: middle('pair', 'anonymous_kb'),
    runtime,
  };
}

/* ---- showing ---------------------------------------------------------------------------------- */

const ms = (value) => (value < 10 ? value.toFixed(1) : Math.round(value).toString());
const mb = (kb) => (kb / 1000 < 10 ? (kb / 1000).toFixed(1) : Math.round(kb / 1000).toString());
const size = (bytes) => (bytes < 1e6 ? `${Math.round(bytes / 1e3)} KB` : bytes < 1e9 ? `${(bytes / 1e6).toPrecision(3)} MB` : `${(bytes / 1e9).toPrecision(3)} GB`);

const results = [];
for (const name of models) {
  const model = putModel(name);
  results.push(await measure(model));
  rmSync(model.path);
  process.stderr.write(`${name}: done\n`);
}
const [{ version }] = [{ version: readdirSync(join(projectRoot, '.deps/onnxruntime')).length ? JSON.parse(execFileSync('cat', [join(projectRoot, '.deps/onnxruntime/package.json')]).toString()).version : '' }];
console.log(`Medians of ${runs} runs, in turns, each in a process of its own; ONNX Runtime ${version}. Milliseconds, and MB of anonymous memory.\n`);
console.log('| model | ORT alone | hoist first: download + open | second, from the saved graph | of ORT alone | without starting the runtime | two at once | memory: ORT alone | hoist | second of two |');
console.log('|---|---|---|---|---|---|---|---|---|---|');
for (const r of results) {
  console.log(`| ${r.model}, ${size(r.bytes)} | ${ms(r.alone)} | ${ms(r.first)} (download alone ${ms(r.pull)}) | ${ms(r.second)}${r.graph === 'hit' ? '' : ` (graph ${r.graph})`} | **${(r.second / r.alone).toFixed(2)}** | ${ms(r.aloneSession)} → ${ms(r.secondSession)}: **${(r.secondSession / r.aloneSession).toFixed(2)}** | ${ms(r.pair)} | ${mb(r.aloneMemory)} | ${mb(r.secondMemory)} | ${mb(r.pairMemory)} |`);
}
console.log(`\nOpening the library and its environment is ${ms(median(results.map((r) => r.runtime)))} ms of every load, hoist's or not. What hoist itself adds to a hit known by its files, everything but the session: ${results.map((r) => `${r.own.toFixed(2)}`).join(' · ')} ms. Saved graphs take ${results.map((r) => size(r.graphBytes)).join(' · ')}.\n`);

const bars = [];
const bar = (holds, text) => bars.push({ holds, text });
for (const r of results) {
  bar(r.first <= 1.05 * r.alone + r.pull, `${r.model}: first load ≤ 1.05 × ORT alone + download: ${ms(r.first)}, allowed ${ms(1.05 * r.alone + r.pull)}`);
  bar(r.own <= 1, `${r.model}: a hit costs hoist itself ≤ 1 ms: ${r.own.toFixed(2)}`);
  bar(r.second <= r.alone, `${r.model}: second load never slower than ORT alone: ${(r.second / r.alone).toFixed(2)}`);
  if (r.model.endsWith('100M')) bar(r.pairMemory <= 0.2 * r.aloneMemory, `${r.model}: second process ≤ 20 % of ORT alone's memory: ${Math.round((100 * r.pairMemory) / r.aloneMemory)} %`);
}
if (results.length > 1) {
  const middle = median(results.map((r) => r.second / r.alone));
  bar(middle <= 0.5, `second load ≤ 0.5 × ORT alone on the median model: ${middle.toFixed(2)} (without starting the runtime: ${median(results.map((r) => r.secondSession / r.aloneSession)).toFixed(2)})`);
}
const missed = bars.filter(({ holds }) => !holds);
console.log(`Bars: ${bars.length - missed.length} of ${bars.length} hold.${missed.length ? ' Missed:\n' : ''}`);
for (const { text } of missed) console.log(`- ${text}`);
if (options.json) writeFileSync(options.json, `${JSON.stringify({ runs, results, bars }, null, 1)}\n`);
if (options.svg) writeFileSync(options.svg, plot(results));
