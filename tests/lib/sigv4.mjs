// SPDX-License-Identifier: Apache-2.0
//
// AWS Signature Version 4 for S3, header form: the arithmetic that both sides share, and the
// client's side (`signRequest`). The server's side, which trusts nothing of this client and reads
// the request as it came, is in tests/origin/s3auth.mjs. tests/origin/sigv4.test.mjs checks both
// with the vectors AWS publishes; tests/servers/servers.test.mjs checks them with Ceph and Swift.

import { createHash, createHmac } from 'node:crypto';

export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
export const UNSIGNED = 'UNSIGNED-PAYLOAD';

export const sha256Hex = (data) => createHash('sha256').update(data).digest('hex');
const hmac = (key, data) => createHmac('sha256', key).update(data).digest();

/** RFC 3986 percent-encoding of bytes: all but A-Z a-z 0-9 - . _ ~ (and `/` where kept). */
export function uriEncode(bytes, { keepSlash = false } = {}) {
  let out = '';
  for (const byte of Buffer.from(bytes)) {
    const char = String.fromCharCode(byte);
    out += /[A-Za-z0-9\-._~]/.test(char) || (keepSlash && char === '/')
      ? char
      : '%' + byte.toString(16).toUpperCase().padStart(2, '0');
  }
  return out;
}

/** Percent-decodes to bytes (a key need not be UTF-8); `+` stays `+`. Bad escapes stay as they are. */
export function uriDecode(text) {
  const parts = [];
  const pattern = /%([0-9A-Fa-f]{2})/g;
  let last = 0;
  for (let match; (match = pattern.exec(text)); last = pattern.lastIndex) {
    parts.push(Buffer.from(text.slice(last, match.index)), Buffer.from([parseInt(match[1], 16)]));
  }
  parts.push(Buffer.from(text.slice(last)));
  return Buffer.concat(parts);
}

/** The canonical query of a raw query string: decoded, encoded our way, sorted by name then value. */
export function canonicalQuery(rawQuery) {
  if (!rawQuery) return '';
  return rawQuery.split('&').filter((pair) => pair !== '').map((pair) => {
    const equals = pair.indexOf('=');
    const [name, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    return [uriEncode(uriDecode(name)), uriEncode(uriDecode(value))];
  }).sort(([n1, v1], [n2, v2]) => (n1 < n2 ? -1 : n1 > n2 ? 1 : v1 < v2 ? -1 : v1 > v2 ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`).join('&');
}

/** `headers`: a map of lower-case names to values; `signed`: sorted lower-case names. */
export function canonicalRequest({ method, path, query, headers, signed, payloadHash }) {
  return [
    method,
    uriEncode(uriDecode(path), { keepSlash: true }) || '/',
    canonicalQuery(query),
    ...signed.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    signed.join(';'),
    payloadHash,
  ].join('\n');
}

export function stringToSign({ amzDate, scope, canonical }) {
  return ['AWS4-HMAC-SHA256', amzDate, scope, sha256Hex(canonical)].join('\n');
}

export function signature({ secret, scope, toSign }) {
  const [date, region, service, terminator] = scope.split('/');
  const key = [date, region, service, terminator].reduce(hmac, 'AWS4' + secret);
  return createHmac('sha256', key).update(toSign).digest('hex');
}

export const amzDateOf = (date) => date.toISOString().replace(/[-:]|\.\d{3}/g, '');

/**
 * The headers of a signed request. `url` keeps its path and query exactly as given, so it is taken
 * apart by hand: URL() would resolve `..` and re-encode. `headers`, if any, are signed too.
 */
export function signRequest({
  method = 'GET', url, headers = {}, accessKey, secret, sessionToken, region = 'us-east-1',
  service = 's3', payloadHash = EMPTY_SHA256, date = new Date(), contentHashHeader = true,
}) {
  const [, host, path, query] = /^https?:\/\/([^/?#]+)([^?#]*)\??([^#]*)/.exec(url);
  const amzDate = amzDateOf(date);
  const all = { host, 'x-amz-date': amzDate };
  if (contentHashHeader) all['x-amz-content-sha256'] = payloadHash;
  if (sessionToken) all['x-amz-security-token'] = sessionToken;
  for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = String(value);
  const signed = Object.keys(all).sort();
  const scope = `${amzDate.slice(0, 8)}/${region}/${service}/aws4_request`;
  const canonical = canonicalRequest({ method, path, query, headers: all, signed, payloadHash });
  const mac = signature({ secret, scope, toSign: stringToSign({ amzDate, scope, canonical }) });
  return {
    ...all,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope},SignedHeaders=${signed.join(';')},Signature=${mac}`,
  };
}
