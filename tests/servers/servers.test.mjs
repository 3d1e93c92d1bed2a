// SPDX-License-Identifier: Apache-2.0
//
// The judge of our test tools: real Ceph and real Swift must accept what our signer signs, refuse
// what it must refuse, and the stand-in origin must give the same status and error code as they do.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { uriEncode } from '../lib/sigv4.mjs';
import { startOrigin } from '../origin/origin.mjs';
import { S3Server, startCeph, startSwift } from './servers.mjs';

const KEYS = ['plain.bin', 'dir/sub/file.txt', 'a b', 'a+b', "quote'(1)!*~", 'ünï/cødé', '100%25', 'a&b=c?d', 'semi;colon@at,comma', 'tail.', '[x]{y}|^`'];
const BUCKET = 'models';

async function startStandIn() {
  const origin = await startOrigin();
  const { accessKey, secret } = origin.credentials;
  const server = new S3Server({ name: 'stand-in', url: origin.url, accessKey, secret, region: origin.region, stop: origin.close });
  server.createBucket = async () => {};
  server.upload = async (bucket, key, data) => origin.s3.put(bucket, key, data);
  return server;
}

const path = (key) => `/${BUCKET}/${uriEncode(key, { keepSlash: true })}`;
const code = (answer) => /<Code>([^<]*)<\/Code>/.exec(answer.body.toString())?.[1];
const listed = (answer) => [...answer.body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => decodeURIComponent(key.replace(/\+/g, '%20').replace(/&apos;/g, "'")));

for (const [name, start] of [['stand-in', startStandIn], ['ceph', startCeph], ['swift', startSwift]]) {
  describe(`S3 as ${name} speaks it`, () => {
    let server;
    before(async () => {
      server = await start();
      await server.createBucket(BUCKET);
      for (const key of KEYS) await server.upload(BUCKET, key, `body of ${key}`);
    });
    after(() => server?.stop());

    for (const key of KEYS) {
      test(`gets the key ${key}`, async () => {
        const answer = await server.request(path(key));
        assert.equal(answer.status, 200, answer.body.toString());
        assert.equal(answer.body.toString(), `body of ${key}`);
      });
    }

    test('gets a range, and refuses one beyond the end', async () => {
      const part = await server.request(path('plain.bin'), { headers: { range: 'bytes=2-5' } });
      assert.equal(part.status, 206);
      assert.equal(part.body.toString(), 'dy o');
      assert.equal(part.headers['content-range'], 'bytes 2-5/17');
      const suffix = await server.request(path('plain.bin'), { headers: { range: 'bytes=-3' } });
      assert.equal(suffix.body.toString(), 'bin');
      assert.equal((await server.request(path('plain.bin'), { headers: { range: 'bytes=100-' } })).status, 416);
    });

    test('honours If-Match', async () => {
      const { headers: { etag } } = await server.request(path('plain.bin'), { method: 'HEAD' });
      assert.match(etag, /^"?[0-9a-f]{32}"?$/);
      assert.equal((await server.request(path('plain.bin'), { headers: { 'if-match': etag } })).status, 200);
      assert.equal((await server.request(path('plain.bin'), { headers: { 'if-match': '"00000000000000000000000000000000"' } })).status, 412);
    });

    test('lists everything, page by page', async () => {
      const keys = [];
      let token;
      do {
        // Parameters unsorted on purpose: the signature must sort them.
        const query = `prefix=&list-type=2&max-keys=3&encoding-type=url${token ? `&continuation-token=${uriEncode(token)}` : ''}`;
        const answer = await server.request(`/${BUCKET}?${query}`);
        assert.equal(answer.status, 200, answer.body.toString());
        keys.push(...listed(answer));
        token = /<NextContinuationToken>([^<]*)</.exec(answer.body.toString())?.[1];
      } while (token);
      assert.deepEqual(keys, [...KEYS].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    });

    test('lists by prefix and delimiter', async () => {
      const plus = await server.request(`/${BUCKET}?list-type=2&prefix=a%2B&encoding-type=url`);
      assert.deepEqual(listed(plus), ['a+b']);
      const answer = (await server.request(`/${BUCKET}?delimiter=%2F&list-type=2`)).body.toString();
      assert.match(answer, /<CommonPrefixes><Prefix>dir\/<\/Prefix><\/CommonPrefixes>/);
    });

    // what is asked, how it is signed, status and code expected
    const REFUSALS = [
      ['a missing key', '/models/none', {}, 404, 'NoSuchKey'],
      ['a missing bucket', '/nobucket/key', {}, 404, 'NoSuchBucket'],
      ['a wrong secret', '/models/plain.bin', { secret: 'wrong' }, 403, 'SignatureDoesNotMatch'],
      ['an unknown access key', '/models/plain.bin', { accessKey: 'nobody' }, 403, 'InvalidAccessKeyId'],
      ['a clock that is 20 minutes late', '/models/plain.bin', { date: new Date(Date.now() - 20 * 60_000) }, 403, 'RequestTimeTooSkewed'],
    ];
    for (const [what, target, sign, status, expected] of REFUSALS) {
      test(`refuses ${what}`, async () => {
        const answer = await server.request(target, { sign });
        assert.equal(answer.status, status, answer.body.toString());
        // Swift does not tell an unknown key from a wrong secret.
        assert.equal(code(answer), name === 'swift' && expected === 'InvalidAccessKeyId' ? 'SignatureDoesNotMatch' : expected);
      });
    }
    if (name !== 'ceph') {
      test('refuses the wrong region', async () => {
        const answer = await server.request('/models/plain.bin', { sign: { region: 'eu-west-1' } });
        assert.equal(code(answer), 'AuthorizationHeaderMalformed');
      });
    }
  });
}
