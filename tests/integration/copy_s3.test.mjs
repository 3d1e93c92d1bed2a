// SPDX-License-Identifier: Apache-2.0
//
// hoist pull PLACE DIRECTORY and hoist models against the two real S3 servers, which check signatures.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hoist, hoistOk, jsonLines, listTree, start, tempDir } from '../lib/harness.mjs';
import { startCeph, startSwift } from '../servers/servers.mjs';

const files = {
  'config.json': '{}',
  '1/weights.onnx': randomBytes(100_000),
  'a b+c%20é=x&y.txt': 'odd',
  "quote'(1)!*~.txt": 'odder',
  'big.bin': randomBytes(40 * 1024 * 1024),
};
const result = (run) => jsonLines(run.stdout).find((line) => line.event === 'result');

for (const [name, startServer] of [['Ceph', startCeph], ['Swift', startSwift]]) {
  describe(`a copy from ${name}`, () => {
    let server;
    let env;
    before(async () => {
      server = await startServer();
      await server.createBucket('data');
      for (const [key, data] of Object.entries(files)) await server.upload('data', `m/${key}`, data);
      await server.upload('data', 'm-other', 'not asked for');
      env = server.env('data');
    });
    after(() => server?.stop());

    const assertFiles = (dir, names = Object.keys(files)) => {
      assert.deepEqual(listTree(dir).filter((path) => !path.endsWith('/')).sort(), [...names].sort());
      for (const key of names) assert.ok(readFileSync(join(dir, key)).equals(Buffer.from(files[key])), key);
    };

    test('all below a prefix, and nothing of it a second time', async (t) => {
      const dir = tempDir(t);
      await hoistOk(['pull', 's3://data/m', dir, '-q'], { env });
      assertFiles(dir);
      await new Promise((ok) => setTimeout(ok, 2100)); // what was just uploaded may not pass for unchanged
      await hoistOk(['pull', 's3://data/m', dir, '-q'], { env });
      const again = await hoistOk(['pull', '--json', 's3://data/m', dir], { env });
      assert.deepEqual([result(again).unchanged_files, result(again).copied_bytes], [Object.keys(files).length, 0]);
    });

    test('one object', async (t) => {
      const dir = tempDir(t);
      await hoistOk(['pull', 's3://data/m/1/weights.onnx', dir, '-q'], { env });
      assert.ok(readFileSync(join(dir, 'weights.onnx')).equals(files['1/weights.onnx']));
    });

    test('what is chosen of it', async (t) => {
      const dir = tempDir(t);
      await hoistOk(['pull', 's3://data/m', dir, '-q', '--exclude', '*', '--include', '*.txt', '--exclude', 'quote*'], { env });
      assertFiles(dir, ['a b+c%20é=x&y.txt']);
    });

    test('killed in the middle, and gone on with', async (t) => {
      const dir = tempDir(t);
      const { child, done } = start(['pull', '--json', 's3://data/m', dir], { env: { ...env, HOIST_CONNECTIONS: '1' } });
      child.stdout.on('data', () => { if (listTree(join(dir, '.hoist-copy/new')).includes('big.bin')) child.kill('SIGKILL'); });
      await done;
      await hoistOk(['pull', 's3://data/m', dir, '-q'], { env });
      assertFiles(dir);
      assert.ok(!listTree(dir).includes('.hoist-copy/'));
    });

    test('a missing bucket, an empty prefix, a wrong secret', async (t) => {
      const dir = tempDir(t);
      for (const [place, more, rc, message] of [
        ['s3://nobucket/m', {}, 3, /no such bucket/],
        ['s3://data/none', {}, 3, /nothing is there|no such/],
        ['s3://data/m', { AWS_SECRET_ACCESS_KEY: 'wrong' }, 4, /AWS_SECRET_ACCESS_KEY/],
      ]) {
        const run = await hoist(['pull', place, dir], { env: { ...env, ...more } });
        assert.equal(run.rc, rc, run.output);
        assert.match(run.stderr, message);
      }
      assert.deepEqual(listTree(dir), []);
    });

    test('the models that it offers', async () => {
      const listing = JSON.parse((await hoistOk(['models', '--json'], { env })).stdout);
      assert.deepEqual(listing.models.map((m) => [m.model_id, m.size_bytes, m.file_count]), [['m/1', 100_000, 1]]);
      assert.ok(Math.abs(listing.models[0].modified_unix_s - Date.now() / 1000) < 300);
    });
  });
}
