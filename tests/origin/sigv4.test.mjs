// SPDX-License-Identifier: Apache-2.0
//
// The signer (tests/lib/sigv4.mjs) and the verifier (s3auth.mjs) against the vectors that AWS
// publishes: the examples of the S3 API reference and the SigV4 test suite. Then the verifier's
// refusals, one row each, with the code that S3 gives.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMPTY_SHA256, UNSIGNED, canonicalQuery, sha256Hex, signRequest, uriDecode, uriEncode } from '../lib/sigv4.mjs';
import { S3Error, verifyRequest } from './s3auth.mjs';

const S3_DOC = {
  accessKey: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  date: new Date(Date.UTC(2013, 4, 24)), region: 'us-east-1',
};
const SUITE = {
  accessKey: 'AKIDEXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  date: new Date(Date.UTC(2015, 7, 30, 12, 36, 0)), region: 'us-east-1', service: 'service', contentHashHeader: false,
};

// name, request, the signature that AWS prints
const VECTORS = [
  ['S3 reference: GET object', { ...S3_DOC, url: 'https://examplebucket.s3.amazonaws.com/test.txt', headers: { Range: 'bytes=0-9' } },
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41'],
  ['S3 reference: PUT object', {
    ...S3_DOC, method: 'PUT', url: 'https://examplebucket.s3.amazonaws.com/test$file.text', payloadHash: sha256Hex('Welcome to Amazon S3.'),
    headers: { Date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
  }, '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd'],
  ['S3 reference: GET bucket lifecycle', { ...S3_DOC, url: 'https://examplebucket.s3.amazonaws.com/?lifecycle' },
    'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
  ['S3 reference: GET bucket (list objects)', { ...S3_DOC, url: 'https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J' },
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
  ['suite: get-vanilla', { ...SUITE, url: 'https://example.amazonaws.com/' },
    '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
  ['suite: get-vanilla-query-order-key-case', { ...SUITE, url: 'https://example.amazonaws.com/?Param2=value2&Param1=value1' },
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500'],
  ['suite: post-vanilla', { ...SUITE, method: 'POST', url: 'https://example.amazonaws.com/' },
    '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
];

const rawHeaders = (headers) => Object.entries(headers).flat();

for (const [name, input, expected] of VECTORS) {
  test(`signs as published: ${name}`, () => {
    assert.match(signRequest(input).authorization, new RegExp(`Signature=${expected}$`));
  });
  test(`verifies as published: ${name}`, () => {
    const { host: _, ...given } = signRequest(input);
    // The published signature, not the one computed here; headers in another order and case.
    given.authorization = given.authorization.replace(/[0-9a-f]{64}$/, expected);
    const target = input.url.replace(/^https:\/\/[^/]+/, '');
    const headers = { Host: new URL(input.url).host, ...Object.fromEntries(Object.entries(given).reverse().map(([n, v]) => [n.toUpperCase(), v])) };
    const request = { method: input.method ?? 'GET', url: target, rawHeaders: rawHeaders(headers) };
    const options = {
      credentials: { accessKey: input.accessKey, secret: input.secret }, region: 'us-east-1', service: input.service ?? 's3',
      nowMs: input.date.getTime(), needContentHash: input.service !== 'service' && input.method !== 'PUT',
    };
    verifyRequest(request, options);
    request.url = target.includes('?') ? `${target}x` : `${target}?x`;
    assert.throws(() => verifyRequest(request, options), { code: 'SignatureDoesNotMatch' });
  });
}

test('encodes bytes the way S3 does', () => {
  assert.equal(uriEncode("a b+c/d~e*f(g)!h'é%"), 'a%20b%2Bc%2Fd~e%2Af%28g%29%21h%27%C3%A9%25');
  assert.equal(uriEncode('a/b c', { keepSlash: true }), 'a/b%20c');
  assert.deepEqual(uriDecode('a%2Bb+c%zz%ff'), Buffer.from([...Buffer.from('a+b+c%zz'), 255]));
  assert.equal(canonicalQuery('b=2&a=%7e&a&c=%2f+'), 'a=&a=~&b=2&c=%2F%2B');
});

const GOOD = { url: 'http://127.0.0.1:9/bucket/key', accessKey: 'ak', secret: 'sk', date: new Date(Date.UTC(2026, 0, 2, 3, 4, 5)) };

function verify(change = {}, { edit, options = {} } = {}) {
  const headers = signRequest({ ...GOOD, ...change });
  edit?.(headers);
  verifyRequest({ method: 'GET', url: '/bucket/key', rawHeaders: rawHeaders(headers) },
    { credentials: { accessKey: 'ak', secret: 'sk' }, region: 'us-east-1', nowMs: GOOD.date.getTime(), ...options });
}

const minutes = (n) => new Date(GOOD.date.getTime() + n * 60_000);
const TOKEN = { credentials: { accessKey: 'ak', secret: 'sk', sessionToken: 'tok' } };
// name, change to what is signed, change to what arrives, expected code (null: accepted)
const ROWS = [
  ['a good request', {}, {}, null],
  ['an unsigned payload', { payloadHash: UNSIGNED }, {}, null],
  ['an extra signed header with odd spaces', { headers: { 'x-amz-meta-a': '  b   c ' } }, {}, null],
  ['14 minutes of skew', { date: minutes(-14) }, {}, null],
  ['the right session token', { sessionToken: 'tok' }, { options: TOKEN }, null],
  ['no signature', {}, { edit: (h) => delete h.authorization }, 'AccessDenied'],
  ['another algorithm', {}, { edit: (h) => { h.authorization = 'AWS ak:c2ln'; } }, 'InvalidRequest'],
  ['a truncated header', {}, { edit: (h) => { h.authorization = h.authorization.replace(/,Signature=.*/, ''); } }, 'AuthorizationHeaderMalformed'],
  ['a credential of four parts', {}, { edit: (h) => { h.authorization = h.authorization.replace('/aws4_request', ''); } }, 'AuthorizationHeaderMalformed'],
  ['the wrong region', { region: 'eu-west-1' }, {}, 'AuthorizationHeaderMalformed'],
  ['the wrong service', { service: 'sts' }, {}, 'AuthorizationHeaderMalformed'],
  ['a scope of another day', {}, { edit: (h) => { h.authorization = h.authorization.replace('20260102', '20260103'); } }, 'AuthorizationHeaderMalformed'],
  ['unsorted signed headers', {}, { edit: (h) => { h.authorization = h.authorization.replace('host;x-amz-content-sha256', 'x-amz-content-sha256;host'); } }, 'AuthorizationHeaderMalformed'],
  ['an unknown key', { accessKey: 'other' }, {}, 'InvalidAccessKeyId'],
  ['a wrong secret', { secret: 'other' }, {}, 'SignatureDoesNotMatch'],
  ['16 minutes of skew', { date: minutes(16) }, {}, 'RequestTimeTooSkewed'],
  ['no date', {}, { edit: (h) => delete h['x-amz-date'] }, 'AccessDenied'],
  ['a changed header', { headers: { range: 'bytes=0-1' } }, { edit: (h) => { h.range = 'bytes=0-2'; } }, 'SignatureDoesNotMatch'],
  ['another host', {}, { edit: (h) => { h.host = 'evil'; } }, 'SignatureDoesNotMatch'],
  ['a signed header that is missing', { headers: { range: 'bytes=0-1' } }, { edit: (h) => delete h.range }, 'SignatureDoesNotMatch'],
  ['an x-amz header that is not signed', {}, { edit: (h) => { h['x-amz-meta-a'] = 'b'; } }, 'AccessDenied'],
  ['no content hash', { contentHashHeader: false }, {}, 'InvalidRequest'],
  ['the hash of another payload', { payloadHash: sha256Hex('x') }, {}, 'XAmzContentSHA256Mismatch'],
  ['a content hash that is none', { payloadHash: 'abc' }, {}, 'InvalidArgument'],
  ['a token nobody asked for', { sessionToken: 'tok' }, {}, 'InvalidToken'],
  ['a missing session token', {}, { options: TOKEN }, 'InvalidAccessKeyId'],
  ['an upper-case signature', {}, { edit: (h) => { h.authorization = h.authorization.replace(/[0-9a-f]{64}$/, (s) => s.toUpperCase()); } }, 'SignatureDoesNotMatch'],
];

for (const [name, change, how, code] of ROWS) {
  test(`${code === null ? 'accepts' : 'refuses'} ${name}`, () => {
    if (code === null) verify(change, how);
    else assert.throws(() => verify(change, how), (error) => error instanceof S3Error && error.code === code);
  });
}

test('EMPTY_SHA256 is the hash of nothing', () => assert.equal(EMPTY_SHA256, sha256Hex('')));
