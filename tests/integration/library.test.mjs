// SPDX-License-Identifier: Apache-2.0
//
// The library as a stranger uses it: the examples, built against the shared library and the public
// headers, load a model and run it; an installed copy is found by pkg-config and links.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
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

test('the public headers are C11 and C++', () => {
  const headers = ['error.h', 'hoist.h', 'telemetry.h'];
  for (const header of headers) {
    const include = ['-Wall', '-Wextra', '-Wpedantic', '-Werror', '-fsyntax-only', `-I${join(projectRoot, 'include')}`, '-include', `hoist/${header}`, '-'];
    execFileSync('cc', ['-std=c11', '-x', 'c', ...include], { input: 'int main(void) { return 0; }\n' });
    execFileSync('c++', ['-std=c++11', '-x', 'c++', ...include], { input: 'int main() { return 0; }\n' });
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
