// SPDX-License-Identifier: Apache-2.0
//
// S3 as it is really spoken: the same tests against two servers that share no line of code and both verify
// signatures, Ceph's radosgw and OpenStack Swift, each over http and https.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { assertNoSecrets, assertSoundTrace, hoist, hoistBin, hoistOk, listTree, named, tempDir } from '../lib/harness.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { certificate, tlsFront } from '../lib/tls.mjs';
import { startReceiver } from '../otlp/receiver.mjs';
import { startCeph, startSwift } from '../servers/servers.mjs';

const MIB = 1024 * 1024;
const dir = mkdtempSync(join(tmpdir(), 'hoist-s3-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const tls = certificate(dir);
const receiver = await startReceiver();
after(() => receiver.close());
const [ceph, swift] = await Promise.all([startCeph({ tlsPem: tls.pem }), startSwift()]);
after(() => Promise.all([ceph.stop(), swift.stop()]));
const front = await tlsFront(Number(new URL(swift.url).port), tls);
after(() => front.close());

const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const large = randomBytes(16 * MIB + 17); // just above what is fetched in one request
const small = randomBytes(100_000);
const oddNames = ['a b.bin', 'a+b.bin', '100%25.bin', '%.bin', 'ünï/cødé.bin', 'k=v&x.bin', "quote'(1)!*~.bin", 'semi;colon@at,comma$.bin', '[x]{y}|^`.bin', '#?.bin', '模型.bin'];

// What both servers have; buckets are made once for http and https.
for (const server of [ceph, swift]) {
  for (const bucket of ['models', 'dotted.name', 'denied', 'versions']) await server.createBucket(bucket);
  await server.upload('models', 'plain/1/weights.onnx', 'these are weights');
  for (const name of ['weights.onnx', ...oddNames]) await server.upload('models', `odd/1/${name}`, `body of ${name}`);
  for (const prefix of ['sp ace+plus/%25=ü/', 'two//slashes/']) await server.upload('models', `${prefix}m/1/weights.onnx`, prefix);
  await server.upload('models', 'large/1/weights.onnx', large);
  await server.uploadParts('models', 'parts/1/weights.onnx', [large.subarray(0, 9 * MIB), large.subarray(9 * MIB)]);
  await server.uploadParts('models', 'fewparts/1/weights.onnx', [large.subarray(0, 5 * MIB), small]);
  await server.upload('dotted.name', 'm/1/weights.onnx', 'dotted');
  await server.upload('denied', 'm/1/weights.onnx', 'secret weights');
  await server.enableVersions('versions');
  await server.upload('versions', 'm/1/weights.onnx', 'version one');
  await server.upload('versions', 'm/1/weights.onnx', 'version two');
}
await ceph.upload('denied', 'open/1/weights.onnx', 'open weights');
await ceph.denyReads('denied', 'm/');

/** `count` empty objects before the one that is wanted, in a directory that is a model of its own. */
async function crowd(server, count) {
  const keys = Array.from({ length: count }, (_, i) => `many/1/a+b/${String(i).padStart(5, '0')}.onnx`);
  await Promise.all(Array.from({ length: 16 }, async () => {
    for (let key; (key = keys.pop()) !== undefined;) await server.upload('models', key, '');
  }));
  await server.upload('models', 'many/1/weights.onnx', 'behind all others');
}

const places = [
  ['Ceph over http', ceph, ceph.url, {}],
  ['Ceph over https', ceph, ceph.tlsUrl, { AWS_CA_BUNDLE: tls.cert }],
  ['Swift over http', swift, swift.url, {}],
  ['Swift over https', swift, front.url, { AWS_CA_BUNDLE: tls.cert }],
];

for (const [title, server, url, more] of places) {
  const env = (cache, bucket = 'models', extra = {}) => ({
    ...server.env(bucket), AWS_ENDPOINT_URL_S3: url, MODEL_CACHE_DIR: cache, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.httpUrl, ...more, ...extra,
  });
  /** Pulls a model and gives its files, spans, and what was said. */
  async function pull(t, id, { bucket, extra = {}, rc = 0, ...options } = {}) {
    receiver.reset();
    const cache = tempDir(t);
    const variables = env(cache, bucket, extra);
    const command = options.command ?? [hoistBin];
    const result = await hoist([...command.slice(1), 'pull', id, '--no-color', ...(options.args ?? [])], { env: variables, bin: command[0] });
    assert.equal(result.rc, rc, result.output);
    const spans = receiver.spans();
    assertSoundTrace(spans);
    assertNoSecrets([server.secret], result, receiver.requests().map((request) => request.body), { dir: cache });
    const read = (name) => readFileSync(join(cache, id, name));
    if (rc !== 0) assert.deepEqual(listTree(cache).filter((path) => path.startsWith(id)), [], 'something was published');
    return { result, spans, read, cache, error: result.stderr.split('\n').find((line) => line.startsWith('hoist: ')) ?? result.stderr };
  }
  const over = server === ceph;

  describe(title, { concurrency: false }, () => {
    test('a model is listed, fetched and verified', async (t) => {
      const { read, spans } = await pull(t, 'plain/1');
      assert.equal(read('weights.onnx').toString(), 'these are weights');
      const [get] = named(spans, 'S3.GetObject');
      const [list] = named(spans, 'S3.ListObjectsV2');
      for (const span of [get, list]) {
        assert.equal(span.attributes['rpc.system'], 'aws-api');
        assert.equal(span.attributes['aws.s3.bucket'], 'models');
        assert.equal(span.attributes['cloud.region'], server.region);
        assert.match(span.attributes['aws.request_id'], /./);
        assert.match(span.attributes['url.full'], new RegExp(`^${url}/models`));
      }
      assert.equal(get.attributes['aws.s3.key'], 'plain/1/weights.onnx');
      assert.equal(get.attributes['hoist.s3.promise'], 'md5');
      assert.equal(named(spans, 'model.artifact.download')[0].attributes['artifact.promise'], 'md5');
    });

    test('keys with spaces, plus, percent, equals, quotes, unicode', async (t) => {
      const { read } = await pull(t, 'odd/1');
      for (const name of oddNames) assert.equal(read(name).toString(), `body of ${name}`, name);
    });

    for (const prefix of ['sp ace+plus/%25=ü/', 'two//slashes/'])
      test(`a prefix "${prefix}"`, async (t) => {
        const { read } = await pull(t, 'm/1', { extra: { HOIST_S3_PREFIX: prefix } });
        assert.equal(read('weights.onnx').toString(), prefix);
      });

    test('a bucket whose name has dots', async (t) => {
      const { read } = await pull(t, 'm/1', { bucket: 'dotted.name' });
      assert.equal(read('weights.onnx').toString(), 'dotted');
    });

    test('a large object comes in ranges of one version', async (t) => {
      const { read, spans } = await pull(t, 'large/1');
      assert.equal(sha256(read('weights.onnx')), sha256(large));
      const gets = named(spans, 'S3.GetObject');
      assert.ok(gets.length > 1 && gets.every((span) => span.attributes['http.response.status_code'] === 206));
      assert.equal(named(spans, 'model.artifact.download')[0].attributes['artifact.promise'], 'md5');
    });

    for (const [id, bytes] of [['parts/1', large], ['fewparts/1', Buffer.concat([large.subarray(0, 5 * MIB), small])]])
      test(`a multipart upload of ${Math.round(bytes.length / MIB)} MiB: its ETag is not taken for an MD5`, async (t) => {
        const { read, spans } = await pull(t, id);
        assert.equal(sha256(read('weights.onnx')), sha256(bytes));
        assert.equal(named(spans, 'model.artifact.download')[0].attributes['artifact.promise'], 'none');
      });

    test('a wrong secret', async (t) => {
      const { error } = await pull(t, 'plain/1', { extra: { AWS_SECRET_ACCESS_KEY: 'wrong-secret-0123' }, rc: 4 });
      assert.match(error, /s3:\/\/models\/plain\/1\/: .*check AWS_SECRET_ACCESS_KEY \(SignatureDoesNotMatch\).*\[request /);
    });

    test('an unknown access key', async (t) => {
      const { error } = await pull(t, 'plain/1', { extra: { AWS_ACCESS_KEY_ID: 'nobody:atall' }, rc: 4 });
      // Swift does not tell an unknown key from a wrong secret.
      assert.match(error, over ? /check AWS_ACCESS_KEY_ID \(InvalidAccessKeyId\)/ : /\(SignatureDoesNotMatch\)/);
    });

    for (const skew of ['+3h', '-3h'])
      test(`a clock that is ${skew} off is corrected once, and said so in the trace`, async (t) => {
        const { read, spans } = await pull(t, 'plain/1', {
          command: ['faketime', '-f', skew, hoistBin], extra: { FAKETIME_DONT_FAKE_MONOTONIC: '1' },
        });
        assert.equal(read('weights.onnx').toString(), 'these are weights');
        const [refused, listed] = named(spans, 'S3.ListObjectsV2');
        assert.equal(refused.attributes['aws.error.code'], 'RequestTimeTooSkewed');
        assert.equal(listed.attributes['http.response.status_code'], 200);
        assert.equal(named(spans, 'S3.GetObject').length, 1, 'the clock was not remembered');
      });

    test('a wrong region', async (t) => {
      const { spans } = await pull(t, 'plain/1', { extra: { AWS_REGION: 'eu-nowhere-7' } });
      const lists = named(spans, 'S3.ListObjectsV2');
      if (over) return assert.equal(lists.length, 1); // Ceph takes any
      assert.deepEqual(lists.map((span) => span.attributes['cloud.region']), ['eu-nowhere-7', 'us-east-1']);
      assert.equal(lists[0].attributes['aws.error.code'], 'AuthorizationHeaderMalformed');
      assert.equal(named(spans, 'S3.GetObject')[0].attributes['cloud.region'], 'us-east-1');
    });

    test('a bucket that is not there', async (t) => {
      const { error } = await pull(t, 'plain/1', { bucket: 'nobody-has-it', rc: 3 });
      assert.match(error, /there is no such bucket; check its name \(NoSuchBucket\)/);
    });

    test('a model that is not there', async (t) => {
      const { error } = await pull(t, 'none/1', { rc: 3 });
      assert.match(error, /s3:\/\/models\/none\/1\/: no model here/);
    });

    test('what these credentials may not read', async (t) => {
      const { error, spans } = await pull(t, 'm/1', { bucket: 'denied', rc: 4, extra: server.otherUser ?? {} });
      assert.match(error, /allow them s3:GetObject and s3:ListBucket \(AccessDenied\)/);
      const refused = spans.find((span) => span.attributes['aws.error.code'] === 'AccessDenied');
      assert.equal(refused.status.code, 'Error');
      assert.match(refused.attributes['aws.request_id'], /./);
    });

    if (over) test('a prefix that these credentials may not read, in a bucket that they may', async (t) => {
      const { read } = await pull(t, 'open/1', { bucket: 'denied' });
      assert.equal(read('weights.onnx').toString(), 'open weights');
      await pull(t, 'm/1', { bucket: 'denied', rc: 4 });
    });

    if (over) test('without credentials', async (t) => {
      const { error } = await pull(t, 'plain/1', { rc: 4, extra: { HOIST_S3_ANONYMOUS: 'true' } });
      assert.match(error, /not readable without credentials/);
    });

    test('of a versioned object the last version, named in the trace', async (t) => {
      const { read, spans } = await pull(t, 'm/1', { bucket: 'versions' });
      assert.equal(read('weights.onnx').toString(), 'version two');
      assert.match(named(spans, 'S3.GetObject')[0].attributes['hoist.s3.version_id'], /./);
    });
  });
}

// ---- what happens to an object while it is fetched -------------------------------------------------

/** Lets `bytes` of answers through, then calls `meanwhile`, and goes on only after that. */
async function holdingFront(port, bytes, meanwhile) {
  let left = bytes;
  let done;
  const sockets = new Set();
  const server = net.createServer((client) => {
    const behind = net.connect(port, '127.0.0.1');
    for (const socket of [client, behind]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => { sockets.delete(socket); client.destroy(); behind.destroy(); });
    }
    client.pipe(behind);
    behind.on('data', async (chunk) => {
      left -= chunk.length;
      if (left < 0) { behind.pause(); await (done ??= meanwhile()); behind.resume(); }
      if (!client.write(chunk)) { behind.pause(); client.once('drain', () => behind.resume()); }
    });
  });
  await new Promise((ok) => server.listen(0, '127.0.0.1', ok));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => new Promise((ok) => { server.close(ok); for (const socket of sockets) socket.destroy(); }) };
}

for (const server of [ceph, swift]) {
  const over = async (t, key, meanwhile) => {
    const hold = await holdingFront(Number(new URL(server.url).port), 2 * MIB, meanwhile);
    t.after(() => hold.close());
    await server.upload('models', `${key}/1/weights.onnx`, large);
    receiver.reset();
    const cache = tempDir(t);
    const result = await hoist(['pull', `${key}/1`], {
      env: { ...server.env('models'), AWS_ENDPOINT_URL_S3: hold.url, MODEL_CACHE_DIR: cache, HOIST_CONNECTIONS: '2', OTEL_EXPORTER_OTLP_ENDPOINT: receiver.httpUrl },
    });
    assertSoundTrace(receiver.spans());
    return { result, cache };
  };

  test(`${server.name}: an object that is deleted while it is fetched`, async (t) => {
    const { result, cache } = await over(t, 'deleted', () => server.remove('models', 'deleted/1/weights.onnx'));
    assert.equal(result.rc, 3, result.output);
    assert.match(result.stderr, /deleted\/1\/weights\.onnx: there is no such object \(NoSuchKey\)/);
    assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
  });

  test(`${server.name}: an object that is replaced while it is fetched`, async (t) => {
    const next = Buffer.from(large).reverse();
    const { result, cache } = await over(t, 'replaced', () => server.upload('models', 'replaced/1/weights.onnx', next));
    assert.equal(result.rc, 0, result.output);
    assert.equal(sha256(readFileSync(join(cache, 'replaced/1/weights.onnx'))), sha256(next));
  });

  test(`${server.name}: a versioned object whose last version is a deletion`, async (t) => {
    await server.upload('versions', 'gone/1/weights.onnx', 'was here');
    await server.remove('versions', 'gone/1/weights.onnx');
    const result = await hoist(['pull', 'gone/1'], { env: { ...server.env('versions'), MODEL_CACHE_DIR: tempDir(t) } });
    assert.equal(result.rc, 3, result.output);
  });

  test(`${server.name}: virtual hosts, through a proxy that knows where they are`, async (t) => {
    const proxy = await startProxy(Number(new URL(server.url).port));
    t.after(() => proxy.close());
    const cache = tempDir(t);
    await hoistOk(['pull', 'plain/1'], {
      env: { ...server.env('models'), AWS_ENDPOINT_URL_S3: 'http://s3.localtest', HOIST_S3_ADDRESSING: 'virtual', http_proxy: proxy.url, MODEL_CACHE_DIR: cache },
    });
    assert.equal(readFileSync(join(cache, 'plain/1/weights.onnx'), 'utf8'), 'these are weights');
    assert.ok(proxy.asked.length >= 2 && proxy.asked.every((line) => line.startsWith('GET http://models.s3.localtest/')), proxy.asked.join('\n'));
  });
}

test('Ceph: a listing that goes on, with continuation tokens of its own', async (t) => {
  await crowd(ceph, 1005);
  receiver.reset();
  const cache = tempDir(t);
  await hoistOk(['pull', 'many/1'], { env: { ...ceph.env('models'), MODEL_CACHE_DIR: cache, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.httpUrl } });
  assert.equal(readFileSync(join(cache, 'many/1/weights.onnx'), 'utf8'), 'behind all others');
  assert.equal(named(receiver.spans(), 'S3.ListObjectsV2').length, 2);
});

test('https through a proxy, and past it', async (t) => {
  const proxy = await startProxy(Number(new URL(ceph.tlsUrl).port));
  t.after(() => proxy.close());
  const env = { ...ceph.env('models'), AWS_ENDPOINT_URL_S3: ceph.tlsUrl, AWS_CA_BUNDLE: tls.cert, HTTPS_PROXY: proxy.url };
  await hoistOk(['pull', 'plain/1'], { env: { ...env, MODEL_CACHE_DIR: tempDir(t), NO_PROXY: '127.0.0.1' } });
  assert.deepEqual(proxy.asked, []);
  await hoistOk(['pull', 'plain/1'], { env: { ...env, MODEL_CACHE_DIR: tempDir(t) } });
  assert.ok(proxy.asked.length > 0 && proxy.asked.every((line) => line.startsWith('CONNECT 127.0.0.1:')), proxy.asked.join('\n'));
});

test('a certificate that AWS_CA_BUNDLE does not vouch for', async (t) => {
  const result = await hoist(['pull', 'plain/1'], { env: { ...ceph.env('models'), AWS_ENDPOINT_URL_S3: ceph.tlsUrl, MODEL_CACHE_DIR: tempDir(t) } });
  assert.equal(result.rc, 5, result.output);
  assert.match(result.stderr, /certificate/);
});
