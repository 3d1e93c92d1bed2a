// SPDX-License-Identifier: Apache-2.0
//
// hoist models: what sources offer, in the order of the chain; a bucket of a hundred thousand keys in little memory.

import assert from 'node:assert/strict';
import { writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertNoSecrets, hoist, hoistBin, hoistOk, start, tempDir } from '../lib/harness.mjs';
import { makeWorld, marker, modelFiles, totalBytes, writeModel } from './world.mjs';

const world = await makeWorld(after); // with the model faces/1 in the bucket and the API
const put = (key, data = 'x', options) => world.origin.s3.put('models', key, Buffer.from(data), options);
put('faces/weights.onnx'); // a model beside the versions of it
put('nested/deep/er/weights.ort', 'x', { modified: new Date('2026-01-02T03:04:05Z') });
put('nested/deep/er/data/part', 'xx');
put('notes/readme.md');
put('weights.onnx'); // where no id leads
const list = async (args, options) => JSON.parse((await hoistOk(['models', '--json', ...args], options)).stdout);
const short = (listing) => listing.models.map((m) => [m.source, m.model_id, m.file_count, m.in_cache]);

test('the models of a bucket, in the order of their keys', async (t) => {
  const { models, total_bytes } = await list([], { env: world.env(tempDir(t), { HOIST_SOURCES: 's3' }) });
  assert.deepEqual(models.map((m) => [m.model_id, m.size_bytes, m.file_count, m.modified_unix_s]), [
    ['faces/1', totalBytes, Object.keys(modelFiles).length, undefined],
    ['faces', 1, 1, undefined],
    ['nested/deep/er', 3, 2, Date.parse('2026-01-02T03:04:05Z') / 1000],
  ]);
  assert.equal(total_bytes, totalBytes + 4);
});

test('several sources, in their order, and what is in the cache', async (t) => {
  const cache = tempDir(t);
  const dir = writeModel(tempDir(t), 'local/2');
  writeModel(dir, 'faces/1');
  const env = world.env(cache, { HOIST_SOURCES: `dir:${dir},s3,roboflow_api` });
  await hoistOk(['pull', 'faces/1', '-q'], { env });
  const listing = await list([], { env });
  assert.deepEqual(short(listing), [
    ['dir', 'faces/1', 4, true], ['dir', 'local/2', 4, false],
    ['s3', 'faces/1', 4, true], ['s3', 'faces', 1, false], ['s3', 'nested/deep/er', 2, false],
    ['roboflow_api', null, undefined, undefined],
  ]);
  assert.match(listing.models.at(-1).problem, /roboflow_api cannot list/);
  const text = (await hoistOk(['models'], { env })).stdout;
  assert.match(text, new RegExp(`^dir  ${dir}\n +SIZE +FILES +MODIFIED +MODEL\n.* cached  faces/1\n.*        local/2\n\ns3  s3://models/`));
  assert.match(text, /\n\nroboflow_api {2}\S+\n {2}roboflow_api cannot list the models it has\n\n5 models, /);
});

test('what is listed can be loaded', async (t) => {
  const env = world.env(tempDir(t), { HOIST_SOURCES: 's3' });
  for (const { model_id: id, file_count: count } of (await list([], { env })).models) {
    const [run] = [await hoistOk(['pull', '--json', id], { env })];
    assert.equal(JSON.parse(run.stdout.trim().split('\n').at(-1)).files.length, count, id);
  }
});

test('a source named on the command line', async (t) => {
  const env = world.env(tempDir(t), { HOIST_SOURCES: 'roboflow_api' });
  assert.deepEqual(short(await list(['s3://models/nested'], { env })), [['s3', 'deep/er', 2, false]]);
});

test('hidden and unusable files of a directory are passed over', async (t) => {
  const dir = writeModel(tempDir(t), 'a/1');
  mkdirSync(join(dir, '.git/x'), { recursive: true });
  writeFileSync(join(dir, '.git/x/y.onnx'), '');
  assert.deepEqual(short(await list([`dir:${dir}`], { env: world.env(tempDir(t)) })), [['dir', 'a/1', 4, false]]);
});

test('a source that fails does not hide the others, and decides the exit status', async (t) => {
  const dir = writeModel(tempDir(t), 'a/1');
  const env = world.env(tempDir(t), { HOIST_SOURCES: `s3://nobucket/x,dir:${dir}` });
  const run = await hoist(['models', '--json'], { env });
  assert.equal(run.rc, 3, run.output);
  const listing = JSON.parse(run.stdout);
  assert.deepEqual(short(listing), [['s3', null, undefined, undefined], ['dir', 'a/1', 4, false]]);
  assert.match(listing.models[0].problem, /no such bucket/);
  assert.equal(listing.error.status, 'not_found');
  assertNoSecrets([marker], run);
});

const refusals = [
  ['no source', [], { HOIST_SOURCES: '', INFER_BUCKET: '', ROBOFLOW_API_KEY: '' }, 2, /no source is configured: name one/],
  ['no such source', ['ftp://x'], {}, 2, /'ftp:\/\/x' is no source/],
  ['only the API', ['roboflow_api'], {}, 8, /roboflow_api cannot list/],
  ['offline', ['--offline'], {}, 5, /offline mode is on/],
  ['denied', ['s3'], { AWS_SECRET_ACCESS_KEY: 'wrong' }, 4, /secret key does not match/],
  ['a missing directory', ['dir:/no/such'], {}, 3, /no such directory/],
];
for (const [what, words, more, rc, message] of refusals) {
  test(`refused: ${what}`, async (t) => {
    const run = await hoist(['models', ...words], { env: world.env(tempDir(t), more) });
    assert.equal(run.rc, rc, run.output);
    assert.match(run.stderr, message);
  });
}

test('a hundred thousand keys take no more memory than a thousand', async (t) => {
  const program = 'import resource, subprocess, sys; rc = subprocess.call(sys.argv[1:]); '
    + 'print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(rc)';
  const peak = async (count) => {
    world.origin.reset();
    world.origin.s3.synthesise('many', 'm/part-', count);
    const run = await start(['-c', program, hoistBin, 'models', '--json', 's3://many'], { bin: 'python3', env: world.env(tempDir(t)) }).done;
    assert.equal(run.rc, 0, run.output);
    assert.deepEqual(JSON.parse(run.stdout), { models: [], total_bytes: 0 });
    assert.equal(world.origin.requests({ query: /list-type/ }).length, count / 1000);
    return Number(/^peak (\d+)$/m.exec(run.stderr)[1]);
  };
  const [few, many] = [await peak(1000), await peak(100_000)];
  t.diagnostic(`${few} KiB for 1000 keys, ${many} KiB for 100000`);
  assert.ok(many < few + 4096, `${few} KiB, then ${many} KiB`);
});
