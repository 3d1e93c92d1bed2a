// SPDX-License-Identifier: Apache-2.0
//
// What the integration tests share: running the hoist command in a clean environment, temporary
// directories that go away, span trees (built from what the OTLP receiver decoded, printed, compared)
// and the search for secrets in everything a run left behind.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, rmdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const hoistBin = resolve(projectRoot, process.env.HOIST_BIN ?? 'build/apps/cli/hoist');

/** The small real model of the demo, as a path. */
export const realModel = join(projectRoot, '.deps/models/blazeface.onnx');

/** Where tools/setup put ONNX Runtime; undefined where the distribution's is used. */
export function onnxRuntime() {
  const path = join(projectRoot, '.deps/onnxruntime/libonnxruntime.so.1');
  return existsSync(path) ? path : undefined;
}

/** The files of a small object-detection model, as the reference server names them. `weights`: bytes. */
export function detectionFiles(weights, { modelId = 'faces/1', classes = ['face'] } = {}) {
  return {
    'weights.onnx': weights,
    'environment.json': JSON.stringify({
      PREPROCESSING: { 'auto-orient': { enabled: true }, resize: { enabled: true, format: 'Stretch to', width: 128, height: 128 } },
      CLASS_MAP: Object.fromEntries(classes.map((name, i) => [i, name])),
      COLORS: Object.fromEntries(classes.map((name) => [name, '#ff8000'])),
    }),
    'class_names.txt': classes.map((name) => `${name}\n`).join(''),
    'model_type.json': JSON.stringify({ project_task_type: 'object-detection', model_type: 'yolov8n', model_id: modelId }),
  };
}

/** A new directory, removed when the test `t` ends; for a whole file or suite pass `after`, not from within a hook. */
export function tempDir(t, prefix = 'hoist-test-') {
  const dir = mkdtempSync(join(tmpdir(), prefix));
  const cleanUp = () => rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  if (typeof t === 'function') t(cleanUp); else t.after(cleanUp);
  return dir;
}

/** A small file system of its own, gone when the test ends. */
export function mountSmall(t, size) {
  const mount = mkdtempSync(join(tmpdir(), 'hoist-mount-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', mount]);
  t.after(() => { execFileSync('umount', ['-l', mount]); rmdirSync(mount); });
  return mount;
}

/** Every file below `dir` as sorted relative paths; directories end in `/`. */
export function listTree(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory()
    ? [`${entry.name}/`, ...listTree(join(dir, entry.name)).map((path) => `${entry.name}/${path}`)]
    : [entry.name])).sort();
}

// ---- running hoist -------------------------------------------------------------------------

// A sanitizer is set up by variables; nothing else of the caller's environment gets through.
const PASSED_ON = ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS', 'LSAN_OPTIONS', 'LLVM_PROFILE_FILE'];

/**
 * Starts a program (hoist, unless `bin`) and returns {child, done}. `done` resolves, never rejects for
 * a bad exit, to {rc, signal, timedOut, stdout, stderr, output, durationMs, args}. `keepInput`: its standard input stays
 * open for the caller to write to.
 */
export function start(args, { env = {}, bin = hoistBin, cwd, input, keepInput = false, timeoutMs = 60_000, home } = {}) {
  const ownHome = home === undefined;
  const homeDir = home ?? mkdtempSync(join(tmpdir(), 'hoist-home-'));
  const passed = Object.fromEntries(PASSED_ON.filter((name) => process.env[name]).map((name) => [name, process.env[name]]));
  const started = process.hrtime.bigint();
  const child = spawn(bin, args, {
    cwd: cwd ?? homeDir,
    env: { PATH: process.env.PATH, HOME: homeDir, LANG: 'C.UTF-8', ...passed, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let timedOut = false;
  const timer = setTimeout(() => { timedOut = true; child.kill('SIGKILL'); }, timeoutMs);
  const out = [];
  const err = [];
  const both = [];
  child.stdout.on('data', (chunk) => { out.push(chunk); both.push(chunk); });
  child.stderr.on('data', (chunk) => { err.push(chunk); both.push(chunk); });
  child.stdin.on('error', () => {}); // it may end before it reads
  if (!keepInput) child.stdin.end(input ?? '');
  const done = new Promise((ok, fail) => {
    child.on('error', (error) => { clearTimeout(timer); fail(new Error(`cannot run ${bin}: ${error.message} (build it first, or set HOIST_BIN)`)); });
    child.on('close', (rc, signal) => {
      clearTimeout(timer);
      if (ownHome) rmSync(homeDir, { recursive: true, force: true });
      const text = (chunks) => Buffer.concat(chunks).toString();
      ok({ rc, signal, timedOut, stdout: text(out), stderr: text(err), output: text(both), durationMs: Number(process.hrtime.bigint() - started) / 1e6, args });
    });
  });
  return { child, done };
}

/** Runs hoist to its end. */
export const hoist = (args, options) => start(args, options).done;

/** Runs hoist and demands exit status `rc` (0), showing all it said if it is another. */
export async function hoistOk(args, options = {}) {
  const result = await hoist(args, options);
  assertExit(result, options.rc ?? 0);
  return result;
}

export function assertExit(result, rc) {
  const how = result.timedOut ? 'ran past its time' : result.signal ? `died of ${result.signal}` : `exited with ${result.rc}`;
  assert.ok(result.rc === rc, `hoist ${result.args.join(' ')} ${how}, expected ${rc}\n--- stdout\n${result.stdout}--- stderr\n${result.stderr}`);
}

/** JSON lines → objects; a line that is none fails the test with its text. */
export function jsonLines(text) {
  return text.split('\n').filter((line) => line.trim() !== '').map((line, i) => {
    try { return JSON.parse(line); } catch (error) { throw new Error(`line ${i + 1} is not JSON (${error.message}): ${line.slice(0, 300)}`); }
  });
}

// ---- span trees ------------------------------------------------------------------------------
// A span is what spansOf() of tests/otlp/receiver.mjs returns.

/** → roots, each span with `children` in order of start. A parent that is not among them makes a root. */
export function spanTree(spans) {
  const byId = new Map(spans.map((span) => [span.spanId, { ...span, children: [] }]));
  const roots = [];
  for (const span of byId.values()) (byId.get(span.parentSpanId)?.children ?? roots).push(span);
  const order = (a, b) => (a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  for (const span of byId.values()) span.children.sort(order);
  return roots.sort(order);
}

const asText = (value) => (typeof value === 'string' && !/[\s,={}]/.test(value) ? value : JSON.stringify(value));

/**
 * The tree as indented text, made to be compared whole:
 *
 *   model.load {model.id=a/1} ! UNAVAILABLE
 *     model.artifacts.download {model.artifacts.source=s3}
 *
 * Only the attributes named in `attributes` are shown ('all' shows all); status Error shows as `!`
 * with error.type; runs of siblings that print alike are folded to `× n`.
 */
export function treeText(spans, { attributes = [], times = false } = {}) {
  const line = (span) => {
    const names = attributes === 'all' ? Object.keys(span.attributes) : attributes.filter((name) => name in span.attributes);
    const shown = names.filter((name) => name !== 'error.type' || attributes === 'all').map((name) => `${name}=${asText(span.attributes[name])}`);
    return span.name + (shown.length ? ` {${shown.join(', ')}}` : '')
      + (span.status.code === 'Error' ? ` ! ${span.attributes['error.type'] ?? ''}`.trimEnd() : '')
      + (times ? ` (${(Number(span.endNs - span.startNs) / 1e6).toFixed(2)} ms)` : '');
  };
  const render = (span, depth) => {
    const blocks = [];
    for (const child of span.children) {
      const block = render(child, depth + 1);
      if (blocks.at(-1)?.text === block) blocks.at(-1).count++; else blocks.push({ text: block, count: 1 });
    }
    const below = blocks.map(({ text, count }) => (count === 1 ? text : text.replace(/\n|$/, (end) => ` × ${count}${end}`)));
    return ['  '.repeat(depth) + line(span), ...below].join('\n');
  };
  return spanTree(spans).map((root) => render(root, 0)).join('\n');
}

/**
 * What holds for every trace of one run: one trace id, unique span ids, no parent missing (but the
 * one given), every span ended, children within their parents, errors with error.type.
 */
export function assertSoundTrace(spans, { remoteParent = null, traceId } = {}) {
  assert.ok(spans.length > 0, 'no spans at all');
  const ids = new Set(spans.map((span) => span.spanId));
  assert.equal(ids.size, spans.length, 'span ids are not unique');
  assert.deepEqual([...new Set(spans.map((span) => span.traceId))], [traceId ?? spans[0].traceId], 'more than one trace');
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  for (const span of spans) {
    const where = `${span.name} (${span.spanId})`;
    assert.match(span.spanId, /^(?!0{16})[0-9a-f]{16}$/, where);
    assert.match(span.traceId, /^(?!0{32})[0-9a-f]{32}$/, where);
    assert.ok(span.startNs > 0n && span.endNs >= span.startNs, `${where}: ends before it starts`);
    if (span.status.code === 'Error') assert.ok(span.attributes['error.type'], `${where}: status Error without error.type`);
    for (const event of span.events) assert.ok(event.timeNs >= span.startNs && event.timeNs <= span.endNs, `${where}: event ${event.name} outside it`);
    const parent = byId.get(span.parentSpanId);
    if (!parent) { assert.equal(span.parentSpanId, remoteParent, `${where}: its parent is missing`); continue; }
    assert.ok(span.startNs >= parent.startNs && span.endNs <= parent.endNs, `${where}: not within its parent ${parent.name}`);
  }
}

/**
 * Compares a tree with a shape: {name, status?, kind?, attributes?: {name: value | RegExp | function |
 * undefined (absent)}, children?: [shapes], count?: n | 'some' (one or more alike), optional?,
 * rest?: true (further children allowed), anyOrder?: true}.
 */
export function assertTree(spans, shape, options = {}) {
  const roots = Array.isArray(spans) ? spanTree(spans) : [spans];
  const fail = (what) => assert.fail(`${what}\n${treeText(spans, { attributes: 'all', times: true })}`);
  const problem = (span, want, path) => {
    const where = `${path}/${span.name}`;
    if (span.name !== want.name) return `${where}: expected ${want.name}`;
    if ((want.status ?? 'Unset') !== span.status.code && !(want.status === undefined && span.status.code === 'Ok')) return `${where}: status ${span.status.code}, expected ${want.status ?? 'Unset or Ok'}`;
    if (want.kind && want.kind !== span.kind) return `${where}: kind ${span.kind}, expected ${want.kind}`;
    for (const [name, expected] of Object.entries(want.attributes ?? {})) {
      const value = span.attributes[name];
      const good = expected instanceof RegExp ? expected.test(String(value))
        : typeof expected === 'function' ? expected(value) === true
          : JSON.stringify(value) === JSON.stringify(expected);
      if (!good) return `${where}: ${name} is ${JSON.stringify(value)}, expected ${expected}`;
    }
    return childrenProblem(span.children, want, where);
  };
  const childrenProblem = (children, want, where) => {
    const left = [...children];
    for (const wanted of want.children ?? []) {
      const most = wanted.count === 'some' ? Infinity : wanted.count ?? 1;
      let found = 0;
      let first = null;
      while (found < most) {
        const from = want.anyOrder || want.rest ? left : left.slice(0, 1);
        let index = -1;
        for (const [i, child] of from.entries()) {
          const trouble = problem(child, wanted, where);
          if (trouble === null) { index = i; break; }
          if (child.name === wanted.name) first ??= trouble;
        }
        if (index < 0) break;
        left.splice(index, 1);
        found++;
      }
      const least = wanted.optional ? 0 : wanted.count === 'some' ? 1 : wanted.count ?? 1;
      if (found < least) return first ?? `${where}: ${found} × ${wanted.name}, expected ${wanted.count ?? 1}; there is ${left.map((s) => s.name).join(', ') || 'nothing more'}`;
    }
    if (left.length && !want.rest) return `${where}: unexpected ${left.map((span) => span.name).join(', ')}`;
    return null;
  };
  if (roots.length !== 1 && !options.manyRoots) fail(`${roots.length} roots: ${roots.map((r) => r.name).join(', ')}`);
  const trouble = problem(roots[0], shape, '');
  if (trouble) fail(trouble);
}

/** The spans named `name`, in order of start. */
export const named = (spans, name) => spans.filter((span) => span.name === name).sort((a, b) => Number(a.startNs - b.startNs));

// ---- secrets ---------------------------------------------------------------------------------

/** The base64 of a text that stands anywhere in what was encoded: three forms, without what its neighbours decide. */
function base64Forms(bytes) {
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    const own = encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/** The forms in which a secret may leak: as it is, percent-encoded, as JSON, in hex, in base64. */
function formsOf(secret) {
  const bytes = Buffer.from(secret);
  const encoded = [encodeURIComponent(secret), encodeURIComponent(encodeURIComponent(secret)), encodeURIComponent(secret).replaceAll('%20', '+')];
  return [...new Set([secret, ...encoded, ...encoded.map((text) => text.toLowerCase()), JSON.stringify(secret).slice(1, -1),
    bytes.toString('hex'), bytes.toString('hex').toUpperCase(), ...base64Forms(bytes)])];
}

/**
 * Fails if one of `secrets` (strings of 6 or more characters) is in anything of `things`: strings,
 * Buffers, results of hoist(), objects (searched as JSON), or {dir} (every file below it and every name).
 */
export function assertNoSecrets(secrets, ...things) {
  const search = (label, data) => {
    const haystack = Buffer.isBuffer(data) ? data : Buffer.from(data);
    for (const secret of secrets) {
      assert.ok(secret.length >= 6, `"${secret}" is too short to search for`);
      for (const form of formsOf(secret)) {
        const at = haystack.indexOf(form);
        assert.ok(at < 0, `${label} holds the secret ${secret}: …${haystack.subarray(Math.max(0, at - 60), at + form.length + 20).toString()}…`);
      }
    }
  };
  const walk = (root, dir) => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      search(`a file name below ${root}`, relative(root, path));
      if (entry.isDirectory()) walk(root, path);
      else if (entry.isFile() && statSync(path).size < 64 * 1024 * 1024) search(path, readFileSync(path));
    }
  };
  for (const [i, thing] of things.entries()) {
    if (typeof thing === 'string' || Buffer.isBuffer(thing)) search(`text ${i + 1}`, thing);
    else if (thing?.dir) { if (existsSync(thing.dir)) walk(thing.dir, thing.dir); }
    else if (thing?.stdout !== undefined) { search('stdout', thing.stdout); search('stderr', thing.stderr); }
    else search(`object ${i + 1}`, JSON.stringify(thing, (_, value) => (typeof value === 'bigint' ? value.toString() : value)));
  }
}
