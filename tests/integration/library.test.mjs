// SPDX-License-Identifier: Apache-2.0
//
// The library as a stranger uses it: the examples, built against the shared library and the public
// headers, load a model and run it; an installed copy is found by pkg-config and links.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertExit, hoistBin, projectRoot, start, tempDir } from '../lib/harness.mjs';
import { baseEnv, modelId, writeModel } from './world.mjs';

const build = join(hoistBin, '../../..');
const example = (name) => join(build, 'examples', `example-${name}`);
const env = (t, more = {}) => ({ ...baseEnv(), MODEL_CACHE_DIR: tempDir(t), HOIST_SOURCES: `dir:${writeModel(tempDir(t))}`, ...more });

test('the example of under 40 lines loads a model and runs it on zeros', async (t) => {
  assert.ok(readFileSync(join(projectRoot, 'examples/zeros.c'), 'utf8').split('\n').length - 1 < 40);
  const result = await start([modelId], { bin: example('zeros'), env: env(t) }).done;
  assertExit(result, 0);
  assert.match(result.stdout, /^faces\/1: \S+\[0\] = -?\d+(\.\d+)?(e[-+]\d+)? after \d+ ms\n$/);
  const again = await start(['nobody/1'], { bin: example('zeros'), env: env(t) }).done;
  assertExit(again, 1);
  assert.match(again.stderr, /nobody\/1/);
});

test('the example with its own tracer gets every span, nested', async (t) => {
  const result = await start([modelId], { bin: example('own_tracer'), env: env(t) }).done;
  assertExit(result, 0);
  const lines = result.stdout.split('\n').filter(Boolean);
  assert.match(lines.at(-1), /^model\.load \d+\.\d ms model\.id=faces\/1/);
  for (const name of ['model.artifacts.download', 'model.artifacts.load', 'model.session.create']) {
    assert.ok(lines.some((line) => line.startsWith(`  ${name} `)), `${name}\n${result.stdout}`);
  }
  assert.ok(lines.some((line) => line.startsWith('    model.artifact.download ')), result.stdout);
  const failed = await start(['nobody/1'], { bin: example('own_tracer'), env: env(t) }).done;
  assertExit(failed, 1);
  assert.match(failed.stdout.split('\n').filter(Boolean).at(-1), /^model\.load .* ERROR /);
});

test('the example that records its own spans and metrics does so where the environment asks', async () => {
  const quiet = await start([], { bin: example('telemetry'), env: {} }).done;
  assertExit(quiet, 0);
  assert.equal(quiet.stdout + quiet.stderr, '0 spans\n');
  const result = await start([], { bin: example('telemetry'), env: { OTEL_TRACES_EXPORTER: 'console', OTEL_METRICS_EXPORTER: 'console' } }).done;
  assertExit(result, 0);
  assert.equal(result.stdout, '2 spans\n');
  for (const text of ['order', 'pack', 'customer.kind=regular', 'items=3', '"name":"shop"', 'shop.orders.packed']) assert.ok(result.stderr.includes(text), `${text}\n${result.stderr}`);
});

test('the example in C++ finds hoist\'s spans in its own trace, and hoist\'s metrics', {
  skip: existsSync(example('opentelemetry_cpp')) ? false : 'opentelemetry-cpp is not installed',
}, async (t) => {
  const result = await start([modelId], { bin: example('opentelemetry_cpp'), env: env(t) }).done;
  assertExit(result, 0);
  const spans = new Map(result.stdout.split(/^\{$/m).filter((text) => /^ *span_id +:/m.test(text)).map((text) => {
    const field = (name) => text.match(new RegExp(`^ *${name} *: (.*)$`, 'm'))[1].trim();
    return [field('name'), { traceId: field('trace_id'), id: field('span_id'), parent: field('parent_span_id'), model: text.match(/model\.id: (.*)/)?.[1] }];
  }));
  const request = spans.get('request');
  assert.match(request.traceId, /^[0-9a-f]{32}$/);
  assert.match(request.parent, /^0{16}$/);
  for (const [name, span] of spans) assert.equal(span.traceId, request.traceId, name);
  const below = [['model.load', 'request'], ['model.artifacts.download', 'model.load'], ['model.artifact.download', 'model.artifacts.download'],
    ['model.artifacts.load', 'model.load'], ['model.session.create', 'model.load'], ['ort.create_env', 'model.session.create']];
  for (const [name, parent] of below) assert.equal(spans.get(name)?.parent, spans.get(parent).id, `${name} below ${parent}`);
  assert.equal(spans.get('model.load').model, modelId);
  for (const name of ['inference.model.loads', 'inference.models.loaded', 'inference.model.load.duration']) {
    assert.match(result.stdout, new RegExp(`name\\s*: ${name.replaceAll('.', '\\.')}\n`));
  }
  assert.match(result.stdout, /buckets +: \[0\.005, /);
  const failed = await start(['nobody/1'], { bin: example('opentelemetry_cpp'), env: env(t) }).done;
  assertExit(failed, 1);
  assert.match(failed.stdout, /name +: model\.load\n[^}]*status +: Error\n/);
});

test('the adapter in C++ is right for both ABIs of opentelemetry-cpp', {
  skip: existsSync(example('opentelemetry_cpp')) ? false : 'opentelemetry-cpp is not installed',
}, () => {
  const flags = execFileSync('pkg-config', ['--cflags', 'opentelemetry_api']).toString().trim().split(/\s+/)
    .filter((flag) => !/ABI_VERSION_NO/.test(flag)).map((flag) => flag.replace(/^-I/, '-isystem'));
  for (const abi of [1, 2]) {
    for (const std of ['c++14', 'c++17', 'c++20']) {
      execFileSync('c++', [`-std=${std}`, '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-fsyntax-only', `-I${join(projectRoot, 'include')}`, ...flags,
        `-DOPENTELEMETRY_ABI_VERSION_NO=${abi}`, '-include', join(projectRoot, 'examples/opentelemetry_cpp.h'), '-x', 'c++', '-'], { input: 'int main() { return 0; }\n' });
    }
  }
});

// A program of two files, so that what the headers inline must neither be missing nor there twice.
const one = `
#include <hoist/hoist.h>
int other(struct hoist_telemetry *telemetry);
int main(void) {
  struct hoist_span span;
  hoist_span_start_root(NULL, "root", HOIST_SPAN_INTERNAL, NULL, &span);
  hoist_span_set_string(&span, "key", "value");
  hoist_span_set_double(&span, "key", 1);
  hoist_span_end(&span);
  return hoist_version()[0] == 0 || other(NULL);
}
`;
const two = `
#include <hoist/hoist.h>
int other(struct hoist_telemetry *telemetry);
int other(struct hoist_telemetry *telemetry) {
  void (*end)(struct hoist_span *) = hoist_span_end;
  struct hoist_span span;
  hoist_span_start_root(telemetry, "root", HOIST_SPAN_INTERNAL, NULL, &span);
  hoist_bound_add(NULL, 1);
  end(&span);
  return hoist_span_is_recording(&span);
}
`;

test('the public headers are C99 to C17, with the inline of gnu89 too, and C++11 to C++20', async (t) => {
  const dir = tempDir(t);
  const headers = readdirSync(join(projectRoot, 'include/hoist'));
  assert.ok(headers.includes('hoist.h') && headers.length >= 6, `${headers}`);
  const c = ['-std=c99 -Wpedantic', '-std=c11 -Wpedantic', '-std=c17 -Wpedantic', '-std=gnu11 -fgnu89-inline -Wpedantic', '-std=gnu89']
    .map((std) => ['cc', 'c', `${std} -Wstrict-prototypes`]);
  const cxx = ['c++11', 'c++14', 'c++17', 'c++20'].map((std) => ['c++', 'c++', `-std=${std} -Wpedantic`]);
  for (const [compiler, language, dialect] of [...c, ...cxx]) {
    const flags = ['-x', language, ...dialect.split(' '), '-Wall', '-Wextra', '-Werror', `-I${join(projectRoot, 'include')}`];
    for (const header of headers) { // each by itself: none leans on what another one includes
      execFileSync(compiler, [...flags, '-fsyntax-only', '-include', `hoist/${header}`, '-'], { input: 'int main(void) { return 0; }\n' });
    }
    for (const [name, input] of [['one', one], ['two', two]]) for (const level of ['-O0', '-O2']) {
      execFileSync(compiler, [...flags, level, '-c', '-o', join(dir, `${name}${level}.o`), '-'], { input });
    }
    for (const level of ['-O0', '-O2']) {
      const bin = join(dir, `program${level}`);
      execFileSync(compiler, ['-o', bin, join(dir, `one${level}.o`), join(dir, `two${level}.o`), `-L${join(build, 'src')}`, '-lhoist', `-Wl,-rpath,${join(build, 'src')}`]);
      assertExit(await start([], { bin }).done, 0);
    }
  }
});

test('an installed hoist is found by pkg-config and links, shared and static', async (t) => {
  const dest = tempDir(t);
  execFileSync('meson', ['install', '-C', build, '--no-rebuild', '--destdir', dest], { stdio: 'pipe' });
  const find = (name) => execFileSync('find', [dest, '-name', name]).toString().trim().split('\n')[0];
  const pc = find('hoist.pc');
  const prefix = readFileSync(pc, 'utf8').match(/^prefix=(.*)$/m)[1];
  const flags = (...args) => execFileSync('pkg-config', [`--define-variable=prefix=${dest}${prefix}`, ...args, 'hoist'], {
    env: { ...process.env, PKG_CONFIG_PATH: join(pc, '..') },
  }).toString().trim().split(/\s+/).filter((flag) => flag !== '');
  const source = join(projectRoot, 'examples/zeros.c');
  const shared = join(dest, 'zeros-shared');
  execFileSync('cc', ['-o', shared, source, ...flags('--cflags', '--libs')]);
  // Our archive with the distribution's shared libraries below it: what Requires.private is for.
  const fixed = join(dest, 'zeros-static');
  const below = execFileSync('pkg-config', ['--print-requires-private', 'hoist'], { env: { ...process.env, PKG_CONFIG_PATH: join(pc, '..') } })
    .toString().trim().split('\n').map((line) => line.split(/\s/)[0]);
  const libs = execFileSync('pkg-config', ['--libs', ...below]).toString().trim().split(/\s+/);
  execFileSync('cc', ['-o', fixed, source, ...flags('--cflags'), find('libhoist.a'), ...libs, '-lpthread', '-ldl', '-lm']);
  const libraries = join(find('libhoist.so.0'), '..');
  for (const [bin, more] of [[shared, { LD_LIBRARY_PATH: libraries }], [fixed, {}]]) {
    const result = await start([modelId], { bin, env: env(t, more) }).done;
    assertExit(result, 0);
  }
  assert.match(execFileSync('objdump', ['-p', join(libraries, 'libhoist.so.0')]).toString(), /SONAME\s+libhoist\.so\.0/);
  assert.match(find('hoist.1') + find('hoist.1.gz'), /man1/);
});
