// SPDX-License-Identifier: Apache-2.0
//
// What only AWS does, by the stand-in origin: checksums of every kind, composites, regions that redirect, requests
// that are to slow down, objects whose key nobody gave us.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertSoundTrace, hoist, listTree, named, tempDir } from '../lib/harness.mjs';
import { makeWorld } from './world.mjs';

const MIB = 1024 * 1024;
const world = await makeWorld(after);
const { origin, receiver } = world;
const small = randomBytes(300_000);
const large = randomBytes(17 * MIB + 5); // more than one request fetches
const WEIGHTS = 'm/1/weights.onnx';
const MULTIPART = `${'0'.repeat(32)}-3`;

async function pull(t, extra = {}) {
  receiver.reset();
  const cache = tempDir(t);
  const result = await hoist(['pull', 'm/1', '--no-color'], { env: world.env(cache, { HOIST_SOURCES: 's3', ...extra }) });
  const spans = receiver.spans();
  assertSoundTrace(spans);
  if (result.rc !== 0) assert.deepEqual(listTree(cache).filter((path) => path.startsWith('m/')), []);
  return { result, spans, promise: named(spans, 'model.artifact.download')[0]?.attributes, read: () => readFileSync(join(cache, WEIGHTS)) };
}

/** Reflected, a byte at a time, by the definition: nothing that hoist computes it with. */
function crc(polynomial, bits, data) {
  const table = Array.from({ length: 256 }, (_, byte) => {
    let value = BigInt(byte);
    for (let i = 0; i < 8; i++) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n;
    return value;
  });
  const ones = (1n << BigInt(bits)) - 1n;
  let value = ones;
  for (const byte of data) value = table[Number((value ^ BigInt(byte)) & 0xffn)] ^ (value >> 8n);
  const hex = (value ^ ones).toString(16).padStart(bits / 4, '0');
  return Buffer.from(hex, 'hex');
}
const digests = {
  crc32: (data) => crc(0xedb88320n, 32, data),
  crc32c: (data) => crc(0x82f63b78n, 32, data),
  crc64nvme: (data) => crc(0x9a6c9329ac4bc9b5n, 64, data),
  sha1: (data) => createHash('sha1').update(data).digest(),
  sha256: (data) => createHash('sha256').update(data).digest(),
};
const piecesOf = (data, parts) => parts.map((size, i) => { const at = parts.slice(0, i).reduce((sum, part) => sum + part, 0); return data.subarray(at, at + size); });
const composite = (kind, data, parts) => `${digests[kind](Buffer.concat(piecesOf(data, parts).map(digests[kind]))).toString('base64')}-${parts.length}`;
const header = (kind, value, type) => ({ [`x-amz-checksum-${kind}`]: value, 'x-amz-checksum-type': type });
const flip = (data) => { const other = Buffer.from(data); other[other.length >> 1] ^= 1; return other; };

for (const kind of Object.keys(digests)) {
  test(`${kind} of the whole object: kept, and broken`, async (t) => {
    const checksum = header(kind, digests[kind](small).toString('base64'), 'FULL_OBJECT');
    origin.s3.put('models', WEIGHTS, small, { etag: MULTIPART, checksum });
    const { result, promise, read } = await pull(t);
    assert.equal(result.rc, 0, result.output);
    assert.ok(read().equals(small));
    assert.equal(promise['artifact.promise'], kind);
    origin.s3.put('models', WEIGHTS, flip(small), { etag: MULTIPART, checksum });
    const broken = await pull(t);
    assert.equal(broken.result.rc, 7, broken.result.output);
    assert.match(broken.result.stderr, new RegExp(`weights.onnx: ${kind} is [0-9a-f]+, the source promised`));
  });

  const parts = [120_000, 120_000, 60_000];
  for (const hidesParts of [false, true])
    test(`composite ${kind}, parts told ${hidesParts ? 'one by one' : 'as attributes'}: kept, and broken`, async (t) => {
      const checksum = header(kind, composite(kind, small, parts), 'COMPOSITE');
      origin.s3.put('models', WEIGHTS, small, { etag: MULTIPART, checksum, parts, hidesParts });
      const { result, spans, promise } = await pull(t);
      assert.equal(result.rc, 0, result.output);
      assert.equal(promise['artifact.promise'], kind);
      assert.equal(promise['artifact.promise.part_bytes'], 120_000);
      assert.equal(named(spans, 'S3.GetObjectAttributes').length, 1);
      assert.equal(named(spans, 'S3.HeadObject').length, hidesParts ? 3 : 0);
      origin.s3.put('models', WEIGHTS, flip(small), { etag: MULTIPART, checksum, parts, hidesParts });
      const broken = await pull(t);
      assert.equal(broken.result.rc, 7, broken.result.output);
      assert.match(broken.result.stderr, new RegExp(`the composite ${kind} is`));
    });
}

test('a composite whose parts are not told, or not alike, is no failure', async (t) => {
  for (const parts of [undefined, [100_000, 50_000, 150_000]]) {
    origin.s3.put('models', WEIGHTS, small, { etag: MULTIPART, checksum: header('sha256', composite('sha256', small, parts ?? [100_000, 100_000, 100_000]), 'COMPOSITE'), parts });
    const { result, spans, promise } = await pull(t);
    assert.equal(result.rc, 0, result.output);
    assert.equal(promise['artifact.promise'], 'none');
    assert.equal(named(spans, 'S3.GetObject')[0].attributes['hoist.s3.promise'], 'composite sha256 of 3 parts, whose lengths are not known');
  }
});

test('a large object that came in parts: its checksum is asked for once', async (t) => {
  const parts = [8 * MIB, 8 * MIB, MIB + 5];
  for (const [checksum, bytes] of [
    [header('crc64nvme', digests.crc64nvme(large).toString('base64'), 'FULL_OBJECT'), undefined],
    [header('sha256', composite('sha256', large, parts), 'COMPOSITE'), 8 * MIB]]) {
    origin.s3.put('models', WEIGHTS, large, { etag: MULTIPART, checksum, parts });
    const { result, spans, promise, read } = await pull(t);
    assert.equal(result.rc, 0, result.output);
    assert.ok(read().equals(large));
    assert.equal(promise['artifact.promise.part_bytes'], bytes);
    assert.notEqual(promise['artifact.promise'], 'none');
    assert.equal(named(spans, 'S3.HeadObject').length, 1);
    origin.s3.put('models', WEIGHTS, flip(large), { etag: MULTIPART, checksum, parts });
    assert.equal((await pull(t)).result.rc, 7);
  }
});

test('an ETag under a key of KMS is no MD5', async (t) => {
  origin.s3.put('models', WEIGHTS, small, { etag: 'a'.repeat(32), headers: { 'x-amz-server-side-encryption': 'aws:kms' } });
  const { result, promise } = await pull(t);
  assert.equal(result.rc, 0, result.output);
  assert.equal(promise['artifact.promise'], 'none');
});

test('the region is learned from the redirect, once for the bucket', async (t) => {
  origin.reset();
  origin.s3.put('models', WEIGHTS, small);
  origin.script([{ path: 'list-type=2', status: 301, headers: { 'x-amz-bucket-region': origin.region }, body: '<Error><Code>PermanentRedirect</Code></Error>' }]);
  const { result, spans } = await pull(t, { AWS_REGION: 'ap-south-2' });
  assert.equal(result.rc, 0, result.output);
  assert.deepEqual(named(spans, 'S3.ListObjectsV2').map((span) => span.attributes['cloud.region']), ['ap-south-2', origin.region]);
  assert.deepEqual(named(spans, 'S3.GetObject').map((span) => span.attributes['cloud.region']), [origin.region]);
});

test('SlowDown is waited out, and every refusal is a span', async (t) => {
  origin.reset();
  origin.s3.put('models', WEIGHTS, small);
  origin.script([{ path: '/weights\\.onnx', status: 503, times: 2, retryAfter: 0 }]);
  const { result, spans } = await pull(t);
  assert.equal(result.rc, 0, result.output);
  assert.deepEqual(named(spans, 'S3.GetObject').map((span) => span.attributes['aws.error.code']), ['SlowDown', 'SlowDown', undefined]);
});

test('200 with an error in place of the listing, and of the object', async (t) => {
  origin.reset();
  origin.s3.put('models', WEIGHTS, small);
  const body = '<?xml version="1.0"?>\n<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message><RequestId>R9</RequestId></Error>';
  origin.script([{ path: 'list-type=2', status: 200, times: 0, body }]);
  const list = await pull(t);
  assert.equal(list.result.rc, 5, list.result.output);
  assert.match(list.result.stderr, /s3:\/\/models\/m\/1\/: .*InternalError/);
  origin.script([{ path: '/weights\\.onnx', status: 200, times: 0, body }]);
  const object = await pull(t);
  assert.equal(object.result.rc, 7, object.result.output);
  assert.match(object.result.stderr, /weights\.onnx: the server sends \d+ bytes, its listing says 300000/);
});

test('an object under a key of the customer is refused with a next step', async (t) => {
  origin.reset();
  origin.s3.put('models', WEIGHTS, small);
  origin.script([{ path: '/weights\\.onnx', status: 400, times: 0,
    body: '<Error><Code>InvalidRequest</Code><Message>The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.</Message></Error>' }]);
  const { result } = await pull(t);
  assert.equal(result.rc, 8, result.output);
  assert.match(result.stderr, /SSE-C.*store it with SSE-S3 or SSE-KMS \(InvalidRequest\)/);
});

test('who agrees to pay says so with every request', async (t) => {
  origin.reset();
  origin.s3.put('models', WEIGHTS, small);
  const { result } = await pull(t, { HOIST_S3_REQUESTER_PAYS: 'true' });
  assert.equal(result.rc, 0, result.output);
  assert.ok(origin.requests().length >= 2 && origin.requests().every((entry) => entry.headers['x-amz-request-payer'] === 'requester'));
});
