// SPDX-License-Identifier: Apache-2.0
//
// The server's side of AWS Signature Version 4 (header form), as strict as S3 itself: rebuilds the
// canonical request from the raw request line and raw headers and answers with S3's own error codes.

import { timingSafeEqual } from 'node:crypto';
import { EMPTY_SHA256, UNSIGNED, canonicalRequest, signature, stringToSign } from '../lib/sigv4.mjs';

const MAX_SKEW_MS = 15 * 60 * 1000;

/** What S3 would answer instead of the object: HTTP status, code, message, further XML elements. */
export class S3Error extends Error {
  constructor(status, code, message, detail = {}) {
    super(message);
    Object.assign(this, { status, code, detail });
  }
}

const malformed = (message, detail) => new S3Error(400, 'AuthorizationHeaderMalformed', message, detail);

/** Raw header list (name, value, name, value …) → lower-case names, repeated values joined by a comma. */
export function headersOf(rawHeaders) {
  const headers = Object.create(null);
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i].toLowerCase();
    headers[name] = name in headers ? `${headers[name]},${rawHeaders[i + 1]}` : rawHeaders[i + 1];
  }
  return headers;
}

function requestTime(headers) {
  const amzDate = headers['x-amz-date'];
  if (amzDate === undefined) throw new S3Error(403, 'AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
  const m = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(amzDate);
  if (!m) throw new S3Error(403, 'AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
  return Date.UTC(+m[1], +m[2] - 1, +m[3], +m[4], +m[5], +m[6]);
}

function parseAuthorization(text) {
  if (!text.startsWith('AWS4-HMAC-SHA256 ')) {
    throw new S3Error(400, 'InvalidRequest', 'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.');
  }
  const fields = Object.create(null);
  for (const part of text.slice('AWS4-HMAC-SHA256 '.length).split(',')) {
    const m = /^\s*([A-Za-z]+)=(.*?)\s*$/.exec(part);
    if (!m) throw malformed('The authorization header is malformed; it should be a list of name=value.');
    fields[m[1]] = m[2];
  }
  for (const name of ['Credential', 'SignedHeaders', 'Signature']) {
    if (!fields[name]) throw malformed(`The authorization header is malformed; missing ${name}.`);
  }
  const parts = fields.Credential.split('/');
  if (parts.length !== 5) throw malformed('The authorization header is malformed; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".');
  const [accessKey, date, region, service, terminator] = parts;
  return {
    accessKey, date, region, service, terminator,
    scope: parts.slice(1).join('/'),
    signed: fields.SignedHeaders.split(';'),
    mac: fields.Signature,
  };
}

/**
 * Throws S3Error unless the request is signed as S3 demands.
 * request: {method, url (raw request target), rawHeaders}; credentials: {accessKey, secret,
 * sessionToken?}; nowMs so that tests can move the clock.
 */
export function verifyRequest(request, { credentials, region, service = 's3', nowMs = Date.now(), needContentHash = true }) {
  const headers = headersOf(request.rawHeaders);
  const question = request.url.indexOf('?');
  const path = question < 0 ? request.url : request.url.slice(0, question);
  const query = question < 0 ? '' : request.url.slice(question + 1);

  if (headers.authorization === undefined) throw new S3Error(403, 'AccessDenied', 'Access Denied');
  const auth = parseAuthorization(headers.authorization);
  if (auth.terminator !== 'aws4_request') throw malformed('The authorization header is malformed; the Credential must end in aws4_request.');
  if (auth.service !== service) throw malformed(`The authorization header is malformed; incorrect service "${auth.service}". This endpoint belongs to "${service}".`);
  if (auth.region !== region) {
    throw malformed(`The authorization header is malformed; the region '${auth.region}' is wrong; expecting '${region}'`, { Region: region });
  }
  if (auth.accessKey !== credentials.accessKey) {
    throw new S3Error(403, 'InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.', { AWSAccessKeyId: auth.accessKey });
  }

  const time = requestTime(headers);
  if (auth.date !== headers['x-amz-date'].slice(0, 8)) throw malformed(`The authorization header is malformed; Invalid credential date "${auth.date}". This date is not the same as X-Amz-Date.`);
  if (Math.abs(nowMs - time) > MAX_SKEW_MS) {
    throw new S3Error(403, 'RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.',
      { RequestTime: headers['x-amz-date'], ServerTime: new Date(nowMs).toISOString(), MaxAllowedSkewMilliseconds: MAX_SKEW_MS });
  }

  const token = headers['x-amz-security-token'];
  if (token !== undefined && token !== credentials.sessionToken) throw new S3Error(400, 'InvalidToken', 'The provided token is malformed or otherwise invalid.');
  if (token === undefined && credentials.sessionToken) {
    throw new S3Error(403, 'InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.', { AWSAccessKeyId: auth.accessKey });
  }

  const payloadHash = headers['x-amz-content-sha256'];
  if (needContentHash && payloadHash === undefined) throw new S3Error(400, 'InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  if (payloadHash !== undefined && payloadHash !== UNSIGNED && !/^[0-9a-f]{64}$/.test(payloadHash)) {
    throw new S3Error(400, 'InvalidArgument', 'x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a valid sha256 value.');
  }
  // Only reads are served, so a signed payload can only be the empty one.
  if (needContentHash && payloadHash !== UNSIGNED && payloadHash !== EMPTY_SHA256) {
    throw new S3Error(400, 'XAmzContentSHA256Mismatch', "The provided 'x-amz-content-sha256' header does not match what was computed.");
  }

  const sorted = [...auth.signed].sort();
  if (sorted.some((name, i) => name !== auth.signed[i] || name !== name.toLowerCase())) throw malformed('SignedHeaders must be lower-case and sorted.');
  const mustSign = Object.keys(headers).filter((name) => name === 'host' || name.startsWith('x-amz-'));
  const unsigned = mustSign.filter((name) => !auth.signed.includes(name));
  if (unsigned.length) throw new S3Error(403, 'AccessDenied', 'There were headers present in the request which were not signed', { HeadersNotSigned: unsigned.join(', ') });
  const absent = auth.signed.filter((name) => !(name in headers));

  const canonical = canonicalRequest({ method: request.method, path, query, headers, signed: auth.signed, payloadHash: payloadHash ?? EMPTY_SHA256 });
  const toSign = stringToSign({ amzDate: headers['x-amz-date'], scope: auth.scope, canonical });
  const expected = signature({ secret: credentials.secret, scope: auth.scope, toSign });
  const same = /^[0-9a-f]{64}$/.test(auth.mac) && timingSafeEqual(Buffer.from(expected), Buffer.from(auth.mac));
  if (!same || absent.length) {
    throw new S3Error(403, 'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
      { AWSAccessKeyId: auth.accessKey, StringToSign: toSign, SignatureProvided: auth.mac, CanonicalRequest: canonical });
  }
}
