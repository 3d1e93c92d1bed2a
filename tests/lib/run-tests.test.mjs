// SPDX-License-Identifier: Apache-2.0
//
// The counter of tests: whatever goes wrong in a test program must end as a failure.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot, start, tempDir } from './harness.mjs';

const tool = join(projectRoot, 'tools/run-tests');
const { parseTap } = createRequire(import.meta.url)(tool);
const names = (text) => parseTap(text).all.map((r) => `${r.ok ? 'ok' : 'not ok'}${r.skip ? ' skip' : ''} ${r.name}`);

test('counts what cmocka prints, with the reason of a failure', () => {
  const { all } = parseTap('TAP version 13\n1..3\nok 1 - one\nnot ok 2 - two\n# 0x1 != 0x2\n# file.c:3: error\nnot ok 3 # SKIP three\n');
  assert.deepEqual(all.map((r) => [r.name, r.ok, r.skip]), [['one', true, false], ['two', false, false], ['three', false, true]]);
  assert.deepEqual(all[1].detail, ['# 0x1 != 0x2', '# file.c:3: error']);
});

test('counts nested tests once, with the names of their suites', () => {
  assert.deepEqual(names(`TAP version 13
# Subtest: suite
    # Subtest: a
    ok 1 - a
      ---
      duration_ms: 1
      ...
    # Subtest: b \\# 2
    not ok 2 - b \\# 2
      ---
      error: 'ok 7 - not a result'
      ...
    1..2
not ok 1 - suite
  ---
  type: 'suite'
  failureType: 'subtestsFailed'
  ...
ok 2 - alone # SKIP later
1..2
`), ['ok suite › a', 'not ok suite › b # 2', 'ok skip alone']);
});

test('a suite that fails though its tests passed is a failure; an empty one is no test', () => {
  assert.deepEqual(names("    ok 1 - a\n    1..1\nnot ok 1 - suite\n  ---\n  error: 'hook failed'\n  ...\n1..1\n"), ['ok suite › a', 'not ok suite']);
  assert.deepEqual(names("    not ok 1 - a\n    1..1\nnot ok 1 - suite\n  ---\n  failureType: 'hookFailed'\n  ...\n1..1\n"), ['not ok suite › a', 'not ok suite']);
  assert.deepEqual(names("ok 1 - empty\n  ---\n  type: 'suite'\n  ...\n1..1\n"), []);
});

test('a plan that is not kept is a failure', () => {
  assert.deepEqual(names('1..3\nok 1 - a\n'), ['ok a', 'not ok (plan) 3 tests were planned, 1 ran']);
  assert.equal(parseTap('ok 1 - a\n').planned, null);
  assert.deepEqual(names('1..1\nBail out! no disk\nok 1 - a\n')[0], 'not ok Bail out! no disk');
});

// programs of a build (shell scripts, protocol) → what the whole run must say
const RUNS = [
  ['all good', { a: ['printf "1..2\\nok 1 - x\\nok 2 - y\\n"', 'tap'], b: ['exit 0', 'exitcode'] }, '3 passed, 0 failed', 0],
  ['a failed test', { a: ['printf "1..2\\nok 1 - x\\nnot ok 2 - y\\n# because\\n"; exit 1', 'tap'] }, '1 passed, 1 failed', 1],
  ['a crash in the middle', { a: ['printf "1..2\\nok 1 - x\\n"; kill -SEGV $$', 'tap'] }, '1 passed, 1 failed', 1],
  ['a crash at the end', { a: ['printf "1..1\\nok 1 - x\\n"; kill -ABRT $$', 'tap'] }, '1 passed, 1 failed', 1],
  ['a leak found at exit', { a: ['printf "1..1\\nok 1 - x\\n"; echo leak >&2; exit 1', 'tap'] }, '1 passed, 1 failed', 1],
  ['silence', { a: ['exit 0', 'tap'] }, '0 passed, 1 failed', 1],
  ['no plan', { a: ['printf "ok 1 - x\\n"', 'tap'] }, '1 passed, 1 failed', 1],
  ['an unexpected skip', { a: ['printf "1..1\\nok 1 - x # SKIP no reason\\n"', 'tap'] }, '0 passed, 1 failed', 1],
  ['an allowed skip', { a: ['printf "1..2\\nok 1 - offsets match the official header # SKIP none\\nok 2 - x\\n"', 'tap'] }, '1 passed, 0 failed', 0],
  ['a skip as cmocka prints it', { a: ['printf "1..2\\nnot ok 1 # SKIP the_official_header_agrees\\nok 2 - x\\n"', 'tap'] }, '1 passed, 0 failed', 0],
  ['a plain program that fails', { a: ['echo why >&2; exit 3', 'exitcode'] }, '0 passed, 1 failed', 1],
  ['a program that hangs', { a: ['printf "1..1\\n"; exec sleep 30', 'tap'] }, '0 passed, 1 failed', 1],
  ['no tests', {}, '0 passed, 1 failed', 1],
];
for (const [what, programs, last, rc] of RUNS) {
  test(`a build with ${what} gives "${last}"`, async (t) => {
    const dir = tempDir(t);
    const lines = ["project('x', version: '1')"];
    for (const [name, [body, protocol]] of Object.entries(programs)) {
      writeFileSync(join(dir, `${name}.sh`), `#!/bin/sh\n${body}\n`);
      chmodSync(join(dir, `${name}.sh`), 0o755);
      lines.push(`test('${name}', find_program('${name}.sh'), protocol: '${protocol}', timeout: 2, suite: 'unit')`);
    }
    writeFileSync(join(dir, 'meson.build'), `${lines.join('\n')}\n`);
    execFileSync('meson', ['setup', join(dir, 'build'), dir], { stdio: 'ignore' });
    const result = await start(['--build', join(dir, 'build'), '--no-node'], { bin: tool }).done;
    assert.equal(result.stdout.trim().split('\n').at(-1), last, result.output);
    assert.equal(result.rc, rc);
  });
}

test('two builds are counted together and told apart', async (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'a.sh'), '#!/bin/sh\necho 1..1\necho "ok 1 - x"\n');
  chmodSync(join(dir, 'a.sh'), 0o755);
  writeFileSync(join(dir, 'meson.build'), "project('x')\ntest('a', find_program('a.sh'), protocol: 'tap')\n");
  for (const build of ['one', 'two']) execFileSync('meson', ['setup', join(dir, build), dir], { stdio: 'ignore' });
  const result = await start(['--build', join(dir, 'one'), '--build', join(dir, 'two'), '--no-node'], { bin: tool }).done;
  assert.match(result.stdout, /ok {3}a: 1 passed.*\nok {3}two\/a: 1 passed.*\n2 passed, 0 failed\n$/);
});

// node test files → what the whole run must say
const FILES = [
  ['passing', "test('a', () => {}); test('b', async (t) => { await t.test('c', () => {}); await t.test('d', () => {}); });", '3 passed, 0 failed', 0],
  ['failing', "test('a', () => { throw new Error('boom'); });", '0 passed, 1 failed', 1],
  ['a syntax error', 'test(', '0 passed, 1 failed', 1],
  ['a sudden exit', "test('a', () => {}); test('b', () => process.exit(0));", null, 1],
  ['a skip', "test('a', { skip: 'lazy' }, () => {});", '0 passed, 1 failed', 1],
  ['an error after the tests', "test('a', () => { setTimeout(() => { throw new Error('late'); }, 20); });", null, 1],
  ['no tests', '', '0 passed, 1 failed', 1],
];
for (const [what, body, last, rc] of FILES) {
  test(`a node file with ${what} gives "${last ?? 'a failure'}"`, async (t) => {
    const dir = tempDir(t);
    mkdirSync(join(dir, 'sub'));
    writeFileSync(join(dir, 'sub/x.test.mjs'), `import { test } from 'node:test';\n${body}\n`);
    const result = await start(['--tests', dir, '--no-meson'], { bin: tool }).done;
    if (last) assert.equal(result.stdout.trim().split('\n').at(-1), last, result.output);
    assert.equal(result.rc, rc, result.output);
  });
}
