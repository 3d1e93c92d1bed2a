// SPDX-License-Identifier: Apache-2.0
//
// hoist pull PLACE DIRECTORY: what a place holds, brought into a directory whole, verified, and only where it is not
// there already; interrupted in every way, refused where it must be.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, statfsSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { assertNoSecrets, assertSoundTrace, assertTree, hoist, hoistOk, jsonLines, listTree, mountSmall, named, start, tempDir } from '../lib/harness.mjs';
import { makeWorld, marker } from './world.mjs';

const MiB = 1024 * 1024;
const world = await makeWorld(after);
const modified = new Date('2026-01-02T03:04:05.678Z');
const files = {
  'config.json': '{}',
  '1/model.onnx': randomBytes(300_000),
  '1/vocab/tokens.txt': 'a\nb\n',
  'empty.py': '',
  'with space+plus%.txt': 'odd',
};
function put(bucket, prefix, contents, options = { modified }) {
  for (const [name, data] of Object.entries(contents)) world.origin.s3.put(bucket, prefix + name, Buffer.from(data), options);
}
put('data', 'm/', files);
put('data', 'm-other/', { 'x.txt': 'not asked for' });
put('data', '', { 'm/folder/': '' });
const env = (more = {}) => ({ ...world.env(join('/nowhere', 'cache'), { HOIST_SOURCES: 'nonsense:that is not looked at' }), ...more });
const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));
const gets = () => world.origin.requests().filter((request) => !request.query.includes('list-type'));
const sentBytes = () => gets().reduce((sum, request) => sum + request.sent, 0);

function reset(script = []) {
  world.origin.reset();
  world.receiver.reset();
  world.origin.script(script);
}

function assertFiles(dir, expected = files) {
  assert.deepEqual(listTree(dir).filter((path) => !path.endsWith('/')).sort(), Object.keys(expected).sort());
  for (const [name, data] of Object.entries(expected)) assert.ok(readFileSync(join(dir, name)).equals(Buffer.from(data)), name);
}

const result = (run) => jsonLines(run.stdout).find((line) => line.event === 'result');

// ---- what is copied ---------------------------------------------------------------------------

for (const place of ['s3://data/m', 's3://data/m/']) {
  test(`${place} is all that is below it, without its prefix`, async (t) => {
    reset();
    const dir = join(tempDir(t), 'new/dir');
    const run = await hoistOk(['pull', place, dir], { env: env() });
    assertFiles(dir);
    assert.match(run.stdout, new RegExp(`^${place}: 5 files copied \\(300 KB\\) to .* in .*\n$`));
    assert.equal(statSync(join(dir, '1/model.onnx')).mtimeMs, modified.getTime());
    assertNoSecrets([marker], run, { dir });
  });
}

test('a directory that cannot be: says so, and nothing of a cache', async (t) => {
  reset();
  const file = join(tempDir(t), 'file');
  writeFileSync(file, '');
  symlinkSync('/nonexistent', `${file}-link`);
  for (const [dir, why] of [[join(file, 'below'), 'Not a directory'], [`${file}-link`, 'No such file or directory'], ['', 'Invalid argument']]) {
    const run = await hoist(['pull', 's3://data/m', dir], { env: env() });
    assert.equal(run.rc, 2, run.output);
    assert.equal(run.stderr, `hoist: the directory to copy into, "${dir}": ${why}; name one that can be made and written to\n`);
  }
});

test('one object, by its key', async (t) => {
  reset();
  const dir = tempDir(t);
  await hoistOk(['pull', 's3://data/m/1/model.onnx', dir], { env: env() });
  assertFiles(dir, { 'model.onnx': files['1/model.onnx'] });
});

test('one object, where listing is not allowed', async (t) => {
  reset([{ path: 'list-type', status: 403, body: '<Error><Code>AccessDenied</Code></Error>', times: 0 }]);
  const dir = tempDir(t);
  await hoistOk(['pull', 's3://data/m/config.json', dir], { env: env() });
  assertFiles(dir, { 'config.json': '{}' });
});

test('a directory, and one file of it', async (t) => {
  const from = tempDir(t);
  const dir = tempDir(t);
  for (const [name, data] of Object.entries({ ...files, '.hidden': 'dot' })) {
    mkdirSync(dirname(join(from, name)), { recursive: true });
    writeFileSync(join(from, name), data);
  }
  await hoistOk(['pull', `dir:${from}`, join(dir, 'all')], { env: env() });
  assertFiles(join(dir, 'all'), { ...files, '.hidden': 'dot' });
  await hoistOk(['pull', `dir:${from}/1/model.onnx`, join(dir, 'one')], { env: env() });
  assertFiles(join(dir, 'one'), { 'model.onnx': files['1/model.onnx'] });
});

const choices = [
  ['everything', [], Object.keys(files)],
  ['all but what is excluded', ['--exclude', '*.txt'], ['config.json', '1/model.onnx', 'empty.py']],
  ['the last one that matches decides', ['--exclude', '*', '--include', '*.txt', '--exclude', 'with*'], ['1/vocab/tokens.txt']],
  ['an exclude at the end takes all', ['--include', '*.onnx', '--exclude', '1/*'], ['config.json', 'empty.py', 'with space+plus%.txt']],
  ['a star crosses directories', ['--exclude', '1*n*x'], ['1/vocab/tokens.txt', 'config.json', 'empty.py', 'with space+plus%.txt']],
  ['sets and single characters', ['--exclude', '*', '--include', '[!a-d]*.p?'], ['empty.py']],
];
for (const [what, options, expected] of choices) {
  test(`--include and --exclude: ${what}`, async (t) => {
    reset();
    const dir = tempDir(t);
    const run = await hoistOk(['pull', '--json', ...options, 's3://data/m', dir], { env: env() });
    assertFiles(dir, Object.fromEntries(expected.map((name) => [name, files[name]])));
    assert.equal(result(run).excluded_files, Object.keys(files).length - expected.length);
  });
}

test('an include that chooses nothing by itself is warned of', async (t) => {
  reset();
  const run = await hoistOk(['pull', '--include', '*.onnx', 's3://data/m', tempDir(t)], { env: env() });
  assert.match(run.stderr, /warning: .*begin with --exclude '\*'/);
});

// ---- again ------------------------------------------------------------------------------------

test('what is there unchanged is not fetched again, and what changed on either side is', async (t) => {
  reset();
  const dir = tempDir(t);
  await hoistOk(['pull', 's3://data/m', dir, '-q'], { env: env() });
  reset();
  let run = await hoistOk(['pull', '--json', 's3://data/m', dir], { env: env() });
  assert.equal(gets().length, 0);
  assert.deepEqual([result(run).unchanged_files, result(run).copied_files, result(run).copied_bytes], [5, 0, 0]);
  writeFileSync(join(dir, 'config.json'), '[]'); // the same size
  utimesSync(join(dir, 'empty.py'), 5, 5);
  put('data', 'm/', { '1/vocab/tokens.txt': 'c\nd\n' }, { modified: new Date('2026-02-02T00:00:00Z') });
  t.after(() => put('data', 'm/', { '1/vocab/tokens.txt': files['1/vocab/tokens.txt'] }));
  run = await hoistOk(['pull', '--json', 's3://data/m', dir], { env: env() });
  assert.deepEqual(gets().map((request) => request.path.split('/').at(-1)).sort(), ['config.json', 'empty.py', 'tokens.txt']);
  assertFiles(dir, { ...files, '1/vocab/tokens.txt': 'c\nd\n' });
  assert.equal(result(run).copied_files, 3);
});

test('what else is in the directory stays', async (t) => {
  reset();
  const dir = tempDir(t);
  writeFileSync(join(dir, 'mine.txt'), 'mine');
  await hoistOk(['pull', 's3://data/m', dir, '-q'], { env: env() });
  assertFiles(dir, { ...files, 'mine.txt': 'mine' });
});

test('a file that was written a moment ago does not pass for unchanged', async (t) => {
  reset();
  const dir = tempDir(t);
  put('data', 'new/', { 'x.txt': 'one' }, { modified: new Date() });
  await hoistOk(['pull', 's3://data/new', dir, '-q'], { env: env() });
  reset();
  await hoistOk(['pull', 's3://data/new', dir, '-q'], { env: env() });
  assert.equal(gets().length, 1);
});

// ---- interrupted ------------------------------------------------------------------------------

const big = randomBytes(64 * MiB);
put('data', 'big/', { 'weights.bin': big, 'a.txt': 'small', 'z.txt': 'small, too' });
const slow = [{ path: '/weights\\.bin', drip: { bytes: 256 * 1024, ms: 4 }, times: 0 }];
const slower = [{ path: '/weights\\.bin', drip: { bytes: 256 * 1024, ms: 40 }, times: 0 }];

for (const signal of ['SIGKILL', 'SIGINT']) {
  test(`${signal} in the middle: whole files are there, and the next pull goes on`, async (t) => {
    const dir = mountSmall(t, '200m');
    reset(slow);
    const { child, done } = start(['pull', 's3://data/big', dir, '-q'], { env: env({ HOIST_CONNECTIONS: '2' }) });
    while (sentBytes() < 40 * MiB) await sleep(2);
    child.kill(signal);
    const ended = await done;
    assert.ok(signal === 'SIGKILL' ? ended.signal === signal : ended.rc === 130, ended.output);
    assert.ok(!existsSync(join(dir, 'weights.bin')));
    assert.equal(readFileSync(join(dir, 'a.txt'), 'utf8'), 'small');
    reset();
    const run = await hoistOk(['pull', '--json', 's3://data/big', dir], { env: env() });
    assertFiles(dir, { 'weights.bin': big, 'a.txt': 'small', 'z.txt': 'small, too' });
    assert.ok(result(run).resumed_bytes >= 8 * MiB, `${result(run).resumed_bytes} bytes resumed`);
    assert.ok(sentBytes() <= big.length - result(run).resumed_bytes + 100);
    assert.deepEqual(listTree(dir), ['a.txt', 'weights.bin', 'z.txt']);
  });
}

test('two at once: the second waits, shows how far the first is, and finds it done', async (t) => {
  const dir = tempDir(t);
  reset(slower);
  const first = start(['pull', 's3://data/big', dir, '-q'], { env: env() });
  while (sentBytes() < MiB) await sleep(2);
  const second = await hoistOk(['pull', '--json', 's3://data/big', dir], { env: env() });
  assert.equal((await first.done).rc, 0);
  assert.equal(result(second).unchanged_files, 3);
  const waits = jsonLines(second.stdout).filter((line) => line.kind === 'wait');
  assert.ok(waits.length > 1, `${waits.length} lines`);
  for (const wait of waits) assert.equal(wait.waiting_for_pid, first.child.pid);
  assert.ok(waits.at(-1).total_done > waits[0].total_done, JSON.stringify(waits));
  assert.equal(waits.at(-1).total_bytes, result(second).bytes);
});

test('one that gets no further is not waited for without end', async (t) => {
  const dir = tempDir(t);
  reset(slower);
  const first = start(['pull', 's3://data/big', dir, '-q'], { env: env() });
  while (sentBytes() < MiB) await sleep(2);
  first.child.kill('SIGSTOP');
  const { rc, output } = await hoist(['pull', 's3://data/big', dir], { env: env({ MODEL_LOCK_ACQUIRE_TIMEOUT: '1' }) });
  first.child.kill('SIGKILL');
  await first.done;
  assert.equal(rc, 5, output);
  assert.match(output, new RegExp(`waiting for process ${first.child.pid} to finish with a copy into ${dir}, .* without progress for \\d+ ms: try again, or raise MODEL_LOCK_ACQUIRE_TIMEOUT`));
});

test('one that is killed is taken over by the one that waits for it', async (t) => {
  const dir = tempDir(t);
  reset(slower);
  const first = start(['pull', 's3://data/big', dir, '-q'], { env: env() });
  while (sentBytes() < MiB) await sleep(2);
  const second = start(['pull', '--json', 's3://data/big', dir], { env: env() });
  let told = '';
  second.child.stdout.on('data', (text) => { told += text; });
  while (!told.includes('"kind":"wait"')) await sleep(2);
  world.origin.script([]);
  first.child.kill('SIGKILL');
  await first.done;
  const { rc, output } = await second.done;
  assert.equal(rc, 0, output);
  assert.deepEqual(listTree(dir), ['a.txt', 'weights.bin', 'z.txt']);
});

test('damage on the way is repaired or refused, never kept', async (t) => {
  reset([{ path: '/config\\.json', corrupt: true, times: 0 }]);
  const dir = tempDir(t);
  const run = await hoist(['pull', 's3://data/m', dir], { env: env() });
  assert.equal(run.rc, 7, run.output);
  assert.match(run.stderr, /config\.json/);
  assert.ok(!existsSync(join(dir, 'config.json')));
  assert.ok(!existsSync(join(dir, '.hoist-copy')));
});

test('a copy that comes to nothing leaves no directory that it made', async (t) => {
  const dir = tempDir(t);
  for (const [place, script, rc] of [['s3://data/m/config.json', [{ path: '.', corrupt: true, times: 0 }], 7], ['s3://data/nothing', [], 3], ['s3://data/m', [{ path: '.', status: 403, times: 0 }], 4]]) {
    reset(script);
    const run = await hoist(['pull', place, join(dir, 'new/a/b')], { env: env() });
    assert.equal(run.rc, rc, run.output);
    assert.deepEqual(listTree(dir), [], place);
  }
});

test('a full disk is noticed before, and in the middle', async (t) => {
  reset();
  const disk = mountSmall(t, '40m');
  const run = await hoist(['pull', 's3://data/big', join(disk, 'dir')], { env: env() });
  assert.equal(run.rc, 9, run.output);
  assert.match(run.stderr, /67 MB are to be copied and .* has 4\d MB free/);
  assert.equal(gets().length, 0);
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, 'filler'), Buffer.alloc(bavail * bsize - 100_000));
  reset([{ path: 'list-type', status: 403, body: '<Error><Code>AccessDenied</Code></Error>', times: 0 }]); // so no size is known
  const other = await hoist(['pull', 's3://data/m/1/model.onnx', join(disk, 'dir')], { env: env() });
  assert.equal(other.rc, 9, other.output);
  assert.deepEqual(listTree(join(disk, 'dir')), []);
});

// ---- refused ----------------------------------------------------------------------------------

const refusals = [
  ['a missing bucket', ['s3://nobucket/m', 'DIR'], 3, /nobucket.*no such bucket/],
  ['nothing below the prefix', ['s3://data/none/', 'DIR'], 3, /s3:\/\/data\/none\/: nothing is there/],
  ['no such object or prefix', ['s3://data/non', 'DIR'], 3, /s3:\/\/data\/non.*(nothing|no such)/],
  ['nothing chosen', ['--exclude', '*', 's3://data/m', 'DIR'], 3, /none of the 5 files at .* is chosen/],
  ['another kind of place', ['gs://bucket/m', 'DIR'], 2, /gs:\/\/bucket\/m is no place/],
  ['no bucket', ['s3:///m', 'DIR'], 2, /bucket's name is missing/],
  ['no directory named', ['s3://data/m'], 2, /usage is 'hoist pull PLACE DIRECTORY'/],
  ['two places', ['s3://data/m', 's3://data/m'], 2, /usage is 'hoist pull PLACE DIRECTORY'/],
  ['models and a place', ['faces/1', 's3://data/m'], 2, /usage is 'hoist pull PLACE DIRECTORY'/],
  ['a choice among the files of a model', ['--include', '*', 'faces/1'], 2, /--include chooses among the files of a place/],
  ['a missing directory to copy from', ['dir:/no/such', 'DIR'], 3, /dir:\/no\/such: No such file/],
  ['offline', ['--offline', 's3://data/m', 'DIR'], 5, /offline mode is on/],
];
for (const [what, words, rc, message] of refusals) {
  test(`refused: ${what}`, async (t) => {
    reset();
    const dir = join(tempDir(t), 'dir');
    const run = await hoist(['pull', ...words.map((word) => (word === 'DIR' ? dir : word))], { env: env() });
    assert.equal(run.rc, rc, run.output);
    assert.match(run.stderr, message);
    assert.deepEqual(listTree(dir), []);
    assertNoSecrets([marker], run);
  });
}

test('refused: a wrong secret', async (t) => {
  reset();
  const run = await hoist(['pull', 's3://data/m', tempDir(t)], { env: env({ AWS_SECRET_ACCESS_KEY: 'wrong' }) });
  assert.equal(run.rc, 4, run.output);
  assert.match(run.stderr, /secret key does not match/);
});

for (const name of ['../escape', 'a/../../escape', '.hoist-copy/lock', 'back\\slash', 'a//b']) {
  test(`refused: an object called ${name}`, async (t) => {
    reset();
    const top = tempDir(t);
    put('evil', 'm/', { [name]: 'x', 'good.txt': 'y' });
    t.after(() => world.origin.s3.drop('evil'));
    const run = await hoist(['pull', 's3://evil/m', join(top, 'dir')], { env: env() });
    assert.equal(run.rc, 7, run.output);
    assert.match(run.stderr, /file name ".*" has .*leave it out with --exclude/);
    assert.deepEqual(listTree(top), []);
    await hoistOk(['pull', '--exclude', '*', '--include', 'good.txt', 's3://evil/m', join(top, 'dir')], { env: env() });
    assertFiles(join(top, 'dir'), { 'good.txt': 'y' });
  });
}

test('refused: a name that is a file and a directory', async (t) => {
  reset();
  put('evil', 'm/', { a: 'x', 'a-b': 'z', 'a/b': 'y' });
  t.after(() => world.origin.s3.drop('evil'));
  const run = await hoist(['pull', 's3://evil/m', join(tempDir(t), 'dir')], { env: env() });
  assert.equal(run.rc, 7, run.output);
  assert.match(run.stderr, /"a" is both a file and a directory/);
});

test('a link in the directory leads nowhere', async (t) => {
  reset();
  const [dir, outside] = [tempDir(t), tempDir(t)];
  symlinkSync(outside, join(dir, '1'));
  writeFileSync(join(outside, 'victim'), 'as it was');
  symlinkSync(join(outside, 'victim'), join(dir, 'config.json'));
  const run = await hoist(['pull', 's3://data/m', dir], { env: env() });
  assert.equal(run.rc, 2, run.output);
  assert.match(run.stderr, /a symbolic link, is where one has to be: move it away/);
  rmSync(join(dir, '1'));
  await hoistOk(['pull', 's3://data/m', dir, '-q'], { env: env() });
  assertFiles(dir); // the link to a file was replaced, not followed
  assert.deepEqual(listTree(outside), ['victim']);
  assert.equal(readFileSync(join(outside, 'victim'), 'utf8'), 'as it was');
});

test('a directory in the place of a file is not touched', async (t) => {
  reset();
  const dir = tempDir(t);
  mkdirSync(join(dir, 'config.json/mine'), { recursive: true });
  const run = await hoist(['pull', 's3://data/m', dir], { env: env() });
  assert.equal(run.rc, 2, run.output);
  assert.match(run.stderr, /config\.json: a directory is where the file has to be/);
  assert.ok(existsSync(join(dir, 'config.json/mine')));
});

// ---- what is seen -----------------------------------------------------------------------------

test('the spans of a copy', async (t) => {
  reset();
  await hoistOk(['pull', 's3://data/m', tempDir(t), '-q'], { env: env() });
  const spans = world.receiver.spans();
  assertSoundTrace(spans);
  assertTree(spans, {
    name: 'artifacts.copy',
    attributes: {
      'copy.place': 's3://data/m', 'copy.files': 5, 'copy.copied_files': 5, 'copy.copied_bytes': 300_009, 'copy.unchanged_files': 0,
      'copy.excluded_files': 0, 'model.artifacts.source': 's3', 'model.id': undefined,
    },
    anyOrder: true,
    children: [
      { name: 'aws.credentials' },
      { name: 'S3.ListObjectsV2', count: 2 },
      { name: 'model.artifact.download', count: 5, attributes: { 'model.id': undefined }, children: [{ name: 'S3.GetObject' }] },
    ],
  });
  assert.deepEqual(named(spans, 'model.artifact.download').map((span) => span.attributes['artifact.filename']).sort(), Object.keys(files).sort());
});

test('progress for programs adds up over the whole copy', async (t) => {
  reset();
  const run = await hoistOk(['pull', '--json', 's3://data/m', tempDir(t)], { env: env() });
  const events = jsonLines(run.stdout).filter((line) => line.event === 'progress');
  assert.deepEqual([events[0].kind, events[1].kind, events.at(-1).kind], ['source', 'plan', 'done']);
  assert.deepEqual([events[1].file_count, events[1].total_bytes], [5, 300_009]);
  const last = events.filter((line) => line.kind === 'file').at(-1);
  assert.deepEqual([last.files_done, last.total_done, last.model_id], [5, 300_009, 's3://data/m']);
});

test('more files than one batch', async (t) => {
  reset();
  world.origin.s3.synthesise('many', 'p/', 4200);
  const dir = tempDir(t);
  const run = await hoistOk(['pull', '--json', '--exclude', '*', '--include', '*[05]', 's3://many/p', dir], { env: env() });
  assert.equal(result(run).copied_files, 840);
  assert.equal(listTree(dir).length, 840);
});

test('a waterfall of a copy', async (t) => {
  reset();
  const run = await hoistOk(['pull', '--waterfall', 's3://data/m', tempDir(t)], { env: env() });
  assert.match(run.stdout, /artifacts\.copy/);
});
