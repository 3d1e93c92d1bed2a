// SPDX-License-Identifier: Apache-2.0
//
// Disks and kernels that fail: system calls that return errors wherever they are made, directories that may not be written
// to, file systems whose locks do nothing. Whatever happens, the model is there whole or not at all, nothing is left
// behind, and what is said names the cause.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hoist, hoistBin, hoistOk, jsonLines, listTree, named, start, tempDir } from '../lib/harness.mjs';
import { meddle } from '../lib/meddle.mjs';
import { makeWorld, modelFiles, putModel } from './world.mjs';

const world = await makeWorld(after);
const id = 'big/1';
putModel(world.origin, id, { ...modelFiles, 'weights.onnx': randomBytes(20 * 1024 * 1024) });
const s3 = { HOIST_SOURCES: 's3', HOIST_MAX_ATTEMPTS: '2', OTEL_EXPORTER_OTLP_ENDPOINT: '' };
const staging = (cache) => listTree(join(cache, '.hoist/staging'));

/**
 * [system call, error, which of a thread's calls fail (strace's when=), the exit status, what the message says]. Which call is
 * the one that hurts depends on the threads, so of several at least one has to.
 */
const failing = [
  ['pwrite64', 'ENOSPC', ['1', '4', '7', '30'], 9, 'No space left on device'],
  ['pwrite64', 'EDQUOT', ['2', '30'], 9, 'Disk quota exceeded'],
  ['pwrite64', 'EIO', ['3', '60'], 5, 'Input/output error'],
  ['fallocate', 'ENOSPC', ['1+'], 9, 'No space left on device'],
  ['fallocate', 'EOPNOTSUPP', ['1+'], 0, ''],
  ['fsync', 'EIO', ['1', '3', '5', '7'], 5, 'Input/output error'],
  ['fsync', 'ENOSPC', ['2', '6'], 9, 'No space left on device'],
  ['mkdirat', 'ENOSPC', ['1', '2', '4', '5'], 9, 'No space left on device'],
  ['mkdirat', 'EROFS', ['1', '5'], 4, 'read-only'],
  ['renameat', 'ENOSPC', ['1+'], 9, 'No space left on device'],
  ['renameat', 'EIO', ['1+'], 5, 'Input/output error'],
  ['flock', 'ENOLCK', ['1+'], 5, 'No locks available'],
  ['socket', 'EMFILE', ['1+'], 5, '127.0.0.1'],
  ['connect', 'ENETUNREACH', ['1+'], 5, '127.0.0.1'],
  ['clone3', 'EAGAIN', ['1+'], 0, ''], // no threads to be had: slower
];
for (const [call, error, when, rc, message] of failing) {
  test(`${call} fails with ${error}: a clean error`, async (t) => {
    let hurt = 0;
    for (const which of when) {
      const cache = tempDir(t);
      const env = world.env(cache, s3);
      const inject = ['-f', '-qq', '-o', '/dev/null', '--seccomp-bpf', '-e', `trace=${call}`, '-e', `inject=${call}:error=${error}:when=${which}`];
      const result = await start([...inject, hoistBin, 'pull', id, '-q'], { bin: 'strace', env }).done;
      const what = `call ${which}: exit ${result.rc}\n${result.output}`;
      assert.ok([0, rc].includes(result.rc), what);
      hurt += result.rc === rc;
      // Where it fails only when the published model is to be made durable, that is there.
      if (existsSync(join(cache, id)) || result.rc === 0) await hoistOk(['verify', id, '-q'], { env });
      if (result.rc !== 0) assert.match(result.stderr, new RegExp(`^hoist: .*${message}.*\n$`), what);
      assert.deepEqual(staging(cache), [], what);
      await hoistOk(['pull', id, '-q'], { env });
      await hoistOk(['verify', id, '-q'], { env });
    }
    assert.ok(hurt > 0, 'none of the calls was made');
  });
}

test('a cache directory of another user: says whose rights are missing where', async (t) => {
  const cache = tempDir(t);
  chmodSync(cache, 0o755);
  for (const below of ['.', 'not/there']) {
    const dir = join(cache, below);
    const result = await start(['--reuid=65534', '--clear-groups', hoistBin, 'pull', id], { bin: 'setpriv', env: world.env(dir, s3) }).done;
    assert.equal(result.rc, 4, result.output);
    assert.ok(result.stderr.startsWith('hoist: ') && result.stderr.includes(dir) && /HOIST_CACHE_DIR/.test(result.stderr), result.stderr);
    assert.deepEqual(listTree(cache), []);
  }
});

test('locks that do nothing are detected and said: in the terminal, in JSON, in the trace, by the doctor', async (t) => {
  world.receiver.reset();
  const cache = tempDir(t);
  const env = { ...world.env(cache, { HOIST_SOURCES: 's3' }), ...meddle({ flock: 'nothing' }) };
  const said = /file locks do nothing in .*: processes that load one model at once may disturb each other; set HOIST_CACHE_DIR to a local directory/;
  const people = await hoistOk(['pull', id], { env });
  assert.match(people.stderr, new RegExp(`^hoist: warning: ${said.source}$`, 'm'));
  const [warning] = named(world.receiver.spans(), 'model.pull')[0].events.filter((event) => event.name === 'hoist.warning');
  assert.match(warning.attributes.message, said);
  const programs = await hoistOk(['pull', 'faces/1', '--json'], { env });
  assert.match(jsonLines(programs.stdout).find((event) => event.kind === 'warning').message, said);
  const doctor = await hoist(['doctor'], { env });
  assert.match(doctor.stdout, /✗ file locks +do nothing in .*set HOIST_CACHE_DIR/);
  const working = await hoist(['doctor'], { env: world.env(cache, { HOIST_SOURCES: 's3' }) });
  assert.match(working.stdout, /✓ file locks/);
});

test('without locks, processes that download one model at once leave it whole', async (t) => {
  const cache = tempDir(t);
  const env = { ...world.env(cache, s3), ...meddle({ flock: 'nothing' }) };
  world.origin.script([{ path: 'weights', delayMs: 100, times: 0 }]);
  t.after(() => world.origin.script([]));
  const results = await Promise.all(Array.from({ length: 4 }, () => hoist(['pull', id], { env })));
  assert.ok(results.some((result) => result.rc === 0), results.map((result) => result.output).join('\n'));
  for (const result of results) assert.ok([0, 5, 7].includes(result.rc), result.output);
  await hoistOk(['verify', id], { env });
  assert.deepEqual(staging(cache), []);
});
