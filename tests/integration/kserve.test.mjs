// SPDX-License-Identifier: Apache-2.0
//
// hoist kserve: the contract of KServe's storage initializer, arguments and environment as its webhook gives them,
// against a real S3 server; archives of real archivers; the image and the manifest.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { assertNoSecrets, hoist, hoistBin, listTree, projectRoot, start, tempDir } from '../lib/harness.mjs';
import { startCeph } from '../servers/servers.mjs';

const secret = 'a-secret-of-the-initializer-0123456789';
const server = await startCeph({ secret });
after(() => server.stop());
const files = { 'config.json': '{}', '1/model.onnx': 'onnx', '1/data/part.bin': 'part', 'empty.txt': '' };
await server.createBucket('data');
for (const [name, data] of Object.entries(files)) await server.upload('data', `models/sklearn/${name}`, data);
await server.upload('data', 'models/sklearn-old/x', 'a sibling');

/** As the webhook mounts them from a secret and its annotations. */
const mounted = (more = {}) => ({
  AWS_ACCESS_KEY_ID: server.accessKey, AWS_SECRET_ACCESS_KEY: secret, AWS_ENDPOINT_URL: server.url,
  S3_ENDPOINT: server.url.replace('http://', ''), S3_USE_HTTPS: '0', S3_VERIFY_SSL: '0', AWS_DEFAULT_REGION: 'us-east-1', ...more,
});
const storageConfig = (more = {}) => JSON.stringify({
  type: 's3', access_key_id: server.accessKey, secret_access_key: secret, endpoint_url: server.url, region: 'us-east-1',
  bucket: 'data', default_bucket: 'data', ...more,
});
const kserve = (args, env) => hoist(['kserve', ...args], { env });

function assertFiles(dir, expected) {
  assert.deepEqual(listTree(dir).filter((path) => !path.endsWith('/')).sort(), Object.keys(expected).sort());
  for (const [name, data] of Object.entries(expected)) assert.equal(readFileSync(join(dir, name), 'utf8'), data, name);
}

// What KServe's own initializer makes of each, and what hoist does: docs/kserve.md, "Compared".
const rows = [
  ['a prefix, stripped', ['s3://data/models/sklearn'], {}, files],
  ['a prefix with a slash', ['s3://data/models/sklearn/'], {}, files],
  ['one object', ['s3://data/models/sklearn/1/model.onnx'], {}, { 'model.onnx': 'onnx' }],
  ['patterns that allow', ['s3://data/models/sklearn'], { STORAGE_ALLOW_PATTERNS: '["*.onnx", "*.json"]' }, { 'config.json': '{}', '1/model.onnx': 'onnx' }],
  ['patterns that ignore', ['s3://data/models/sklearn'], { STORAGE_IGNORE_PATTERNS: '1/data/*,*.txt' }, { 'config.json': '{}', '1/model.onnx': 'onnx' }],
];
for (const [what, [uri], more, expected] of rows) {
  for (const [how, env] of [['variables', mounted(more)], ['STORAGE_CONFIG', { STORAGE_CONFIG: storageConfig(), ...more }]]) {
    test(`${what}, with credentials in ${how}`, async (t) => {
      const dir = join(tempDir(t), 'mnt/models');
      const run = await kserve([uri, dir], env);
      assert.equal(run.rc, 0, run.output);
      assertFiles(dir, expected);
      assertNoSecrets([secret], run);
    });
  }
}

test('several URIs, each to its directory', async (t) => {
  const top = tempDir(t);
  const run = await kserve(['s3://data/models/sklearn', join(top, 'a'), 's3://data/models/sklearn-old', join(top, 'b')], mounted());
  assert.equal(run.rc, 0, run.output);
  assertFiles(join(top, 'a'), files);
  assertFiles(join(top, 'b'), { x: 'a sibling' });
});

test('STORAGE_OVERRIDE_CONFIG overrides', async (t) => {
  const run = await kserve(['s3://data/models/sklearn', tempDir(t)], {
    STORAGE_CONFIG: storageConfig({ secret_access_key: 'wrong-secret-key' }), STORAGE_OVERRIDE_CONFIG: JSON.stringify({ secret_access_key: secret }),
  });
  assert.equal(run.rc, 0, run.output);
});

test('a restarted init container fetches nothing again', async (t) => {
  const dir = tempDir(t);
  await new Promise((ok) => setTimeout(ok, 2100)); // what was just uploaded may not pass for unchanged
  assert.equal((await kserve(['s3://data/models/sklearn', dir], mounted())).rc, 0);
  const run = await kserve(['--json', 's3://data/models/sklearn', dir], mounted());
  assert.equal(JSON.parse(run.stdout.trim().split('\n').at(-1)).unchanged_files, 4);
});

test('no home, no cache, a user nobody knows, a root that may only be read', async (t) => {
  const dir = tempDir(t);
  execFileSync('chmod', ['0777', dir]);
  const run = await start(['--reuid=12345', '--regid=12345', '--clear-groups', 'env', '-i', ...Object.entries(mounted()).map(([name, value]) => `${name}=${value}`),
    hoistBin, 'kserve', 's3://data/models/sklearn', dir], { bin: 'setpriv', cwd: '/', env: {} }).done;
  assert.equal(run.rc, 0, run.output);
  assertFiles(dir, files);
});

// ---- local ------------------------------------------------------------------------------------

test('file:// and a mounted volume are copied', async (t) => {
  const [from, top] = [tempDir(t), tempDir(t)];
  for (const [name, data] of Object.entries(files)) { mkdirSync(dirname(join(from, name)), { recursive: true }); writeFileSync(join(from, name), data); }
  assert.equal((await kserve([`file://${from}`, join(top, 'a'), from, join(top, 'b'), `file://${from}/1/model.onnx`, join(top, 'c')], {})).rc, 0);
  assertFiles(join(top, 'a'), files);
  assertFiles(join(top, 'b'), files);
  assertFiles(join(top, 'c'), { 'model.onnx': 'onnx' });
});

// ---- archives ---------------------------------------------------------------------------------

const packed = tempDir(after);
for (const [name, data] of Object.entries({ ...files, [`deep/${'long-'.repeat(30)}name/${'x'.repeat(120)}.txt`]: 'long' })) {
  mkdirSync(dirname(join(packed, 'in', name)), { recursive: true });
  writeFileSync(join(packed, 'in', name), data);
}
const contents = Object.fromEntries(listTree(join(packed, 'in')).filter((path) => !path.endsWith('/')).map((path) => [path, readFileSync(join(packed, 'in', path), 'utf8')]));
const python = (program, ...args) => execFileSync('python3', ['-c', program, ...args], { cwd: join(packed, 'in') });
const tarOf = (name, ...options) => execFileSync('tar', ['-cf', join(packed, name), '-C', join(packed, 'in'), ...options, '.']);
const archives = [
  ['model.tar', 'GNU tar', (name) => tarOf(name, '--format=gnu')],
  ['model.tar.gz', 'GNU tar and gzip', (name) => tarOf(name, '-z')],
  ['model.tgz', 'pax headers', (name) => tarOf(name, '--format=posix', '-z')],
  ['python.tar.gz', "Python's tarfile", (name) => python('import sys, tarfile; t = tarfile.open(sys.argv[1], "w:gz"); t.add("."); t.close()', join(packed, name))],
  ['model.zip', "Python's zipfile", (name) => python('import sys, zipfile, os\nz = zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED)\nfor d, _, fs in os.walk("."):\n  for f in fs: z.write(os.path.join(d, f))\nz.close()', join(packed, name))],
  ['stored64.zip', 'zip64, stored', (name) => python('import sys, zipfile, os\nz = zipfile.ZipFile(sys.argv[1], "w")\nfor d, _, fs in os.walk("."):\n  for f in fs:\n    p = os.path.join(d, f)\n    with z.open(zipfile.ZipInfo(os.path.relpath(p)), "w", force_zip64=True) as o: o.write(open(p, "rb").read())\nz.close()', join(packed, name))],
];
for (const [name, what, make] of archives) {
  test(`an archive is unpacked: ${what}`, async (t) => {
    make(name);
    await server.upload('data', `archives/${name}`, readFileSync(join(packed, name)));
    for (const uri of [`s3://data/archives/${name}`, `file://${join(packed, name)}`]) {
      const dir = tempDir(t);
      const run = await kserve([uri, dir], mounted());
      assert.equal(run.rc, 0, run.output);
      assertFiles(dir, contents);
      assert.ok(existsSync(join(packed, name)));
    }
  });
}

test('an archive among other files stays one', async (t) => {
  await server.upload('data', 'both/model.zip', 'whatever');
  await server.upload('data', 'both/other.txt', 'x');
  const dir = tempDir(t);
  assert.equal((await kserve(['s3://data/both', dir], mounted())).rc, 0);
  assertFiles(dir, { 'model.zip': 'whatever', 'other.txt': 'x' });
});

const bad = [
  ['a link', 'link.tar', 8, /"evil" in it is a link/, (path) => {
    symlinkSync('/etc', join(packed, 'evil'));
    execFileSync('tar', ['-cf', path, '-C', packed, 'evil']);
  }],
  ['a name that leads out', 'out.tar', 7, /has a segment "\.\."/, (path) => execFileSync('tar', ['-cPf', path, '-C', join(packed, 'in'), '../in/config.json'])],
  ['another compression', 'model.tar.bz2', 8, /compressed with bzip2/, (path) => execFileSync('python3', ['-c', 'import sys, tarfile; t = tarfile.open(sys.argv[1], "w:bz2"); t.add("/etc/hostname"); t.close()', path])],
  ['not an archive', 'text.zip', 7, /not a whole archive/, (path) => writeFileSync(path, 'text')],
  ['cut short', 'cut.tar.gz', 7, /cut short/, (path) => { tarOf('whole.tar.gz', '-z'); writeFileSync(path, readFileSync(join(packed, 'whole.tar.gz')).subarray(0, 200)); }],
];
for (const [what, name, rc, message, make] of bad) {
  test(`an archive that is refused: ${what}`, async (t) => {
    const dir = tempDir(t);
    make(join(packed, name));
    const run = await kserve([`file://${join(packed, name)}`, dir], {});
    assert.equal(run.rc, rc, run.output);
    assert.match(run.stderr, message);
    assert.ok(!existsSync(join(dir, '.hoist-copy')));
  });
}

// ---- refused ----------------------------------------------------------------------------------

const refusals = [
  ['nothing there', ['s3://data/none', 'DIR'], 3, /nothing is there|no such/],
  ['no such bucket', ['s3://nobucket/x', 'DIR'], 3, /no such bucket/],
  ['nothing that the patterns allow', ['s3://data/models/sklearn', 'DIR'], 3, /none of the 4 files/, { STORAGE_ALLOW_PATTERNS: '*.safetensors' }],
  ['another scheme', ['gs://data/x', 'DIR'], 8, /gs:\/\/ is not what hoist copies from.*KServe's own storage initializer/],
  ['an odd number of arguments', ['s3://data/a', 'DIR', 's3://data/b'], 2, /in pairs/],
  ['a wrong secret', ['s3://data/models/sklearn', 'DIR'], 4, /AWS_SECRET_ACCESS_KEY/, { AWS_SECRET_ACCESS_KEY: 'wrong' }],
  ['a volume without the model', ['/mnt/pvc/none', 'DIR'], 3, /in the volume/],
  ['a configuration that is no JSON', ['s3://data/x', 'DIR'], 2, /STORAGE_CONFIG is not a JSON object/, { STORAGE_CONFIG: `{"secret_access_key": "${secret}"` }],
];
for (const [what, args, rc, message, more = {}] of refusals) {
  test(`refused: ${what}`, async (t) => {
    const dir = tempDir(t);
    const run = await kserve(args.map((arg) => (arg === 'DIR' ? dir : arg)), mounted(more));
    assert.equal(run.rc, rc, run.output);
    assert.match(run.stderr, message);
    assertNoSecrets([secret], run);
    assert.deepEqual(listTree(dir), []);
  });
}

// ---- the image and the manifest ---------------------------------------------------------------

test('what the image holds is all that the command needs', async (t) => {
  const root = tempDir(t);
  execFileSync(join(projectRoot, 'packaging/kserve/gather'), [hoistBin, root]);
  chmodSync(root, 0o755);
  const tree = listTree(root).filter((path) => !path.endsWith('/'));
  assert.ok(tree.length < 80, `${tree.length} files`);
  assert.deepEqual(tree.filter((path) => /(^|\/)(sh|bash|python|libonnx)/.test(path)), []);
  const inside = (args, env = {}) => start(['--userspec=1000:1000', root, '/usr/bin/hoist', ...args], { bin: 'chroot', env: { HOME: '/tmp', ...env } }).done;
  const version = await inside(['version']);
  assert.equal(version.rc, 0, version.output);
  const run = await inside(['kserve', 's3://data/models/sklearn', '/mnt/models'], mounted());
  assert.equal(run.rc, 0, run.output);
  assertFiles(join(root, 'mnt/models'), files);
  t.diagnostic(`${tree.length} files, ${execFileSync('du', ['-sm', root]).toString().split('\t')[0]} MB`);
});

test('the Dockerfile runs what was checked', () => {
  const text = readFileSync(join(projectRoot, 'packaging/kserve/Dockerfile'), 'utf8');
  assert.match(text, /packaging\/kserve\/gather \/build\/apps\/cli\/hoist \/image/);
  assert.match(text, /^FROM scratch$/m);
  assert.deepEqual(JSON.parse(/^ENTRYPOINT (.*)$/m.exec(text)[1]), ['/usr/bin/hoist', 'kserve']);
});

test('the manifest is a ClusterStorageContainer that takes s3:// only', () => {
  const program = 'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))';
  const manifest = JSON.parse(execFileSync('python3', ['-c', program, join(projectRoot, 'packaging/kserve/storage-container.yaml')]));
  // The members that KServe's CustomResourceDefinition has, and of them those it requires.
  assert.deepEqual(Object.keys(manifest).sort(), ['apiVersion', 'kind', 'metadata', 'spec']);
  assert.equal(manifest.apiVersion, 'serving.kserve.io/v1alpha1');
  assert.equal(manifest.kind, 'ClusterStorageContainer');
  assert.deepEqual(Object.keys(manifest.spec).sort(), ['container', 'supportedUriFormats', 'workloadType']);
  assert.deepEqual(manifest.spec.supportedUriFormats, [{ prefix: 's3://' }]);
  assert.equal(manifest.spec.workloadType, 'initContainer');
  assert.equal(manifest.spec.container.name, 'storage-initializer');
  assert.match(manifest.spec.container.image, /^registry\.example\/hoist-storage-initializer:\d+\.\d+\.\d+$/);
  assert.deepEqual(manifest.spec.container.command, undefined); // the image's own entry point
});
