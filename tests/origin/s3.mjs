// SPDX-License-Identifier: Apache-2.0
//
// The S3 part of the stand-in origin: GetObject, HeadObject and ListObjectsV2 over a directory tree
// (TREE/s3/{bucket}/{key}), over objects put in by the test, and over synthetic listings.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { uriDecode, uriEncode } from '../lib/sigv4.mjs';
import { bufferBody, fileBody, patternBody } from './answer.mjs';
import { S3Error, verifyRequest } from './s3auth.mjs';

const PAGE_MAX = 1000;
const escapeXml = (text) => String(text).replace(/[&<>"'\x00-\x08\x0b-\x1f]/g,
  (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' })[c] ?? `&#x${c.charCodeAt(0).toString(16)};`);
const element = (name, value) => `<${name}>${escapeXml(value)}</${name}>`;
const document = (root, inner, xmlns = true) => bufferBody(
  `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${xmlns ? ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' : ''}>${inner}</${root}>`);

/** S3 orders keys by their UTF-8 bytes, which is not the order of JavaScript strings. */
const byBytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

const md5Cache = new Map(); // path:size:mtime → hex
export async function md5OfFile(path, info) {
  const id = `${path}:${info.size}:${info.mtimeMs}`;
  if (!md5Cache.has(id)) {
    const hash = createHash('md5');
    for await (const chunk of createReadStream(path)) hash.update(chunk);
    md5Cache.set(id, hash.digest('hex'));
  }
  return md5Cache.get(id);
}

export class S3 {
  #dir;
  #options;
  #added = new Map(); // bucket → Map(key → {body, etag})
  #synthetic = new Map(); // bucket → sorted [{key, size}]

  constructor({ dir, ...options }) {
    this.#dir = dir && join(dir, 's3');
    this.#options = options;
  }

  /**
   * An object without a file. `etag` is its MD5 unless given; `checksum` {name: value} are the headers that a request
   * with x-amz-checksum-mode is told, of the whole object only; `parts` are the lengths of those of a multipart upload,
   * which HEAD with partNumber and, unless `hidesParts`, GetObjectAttributes tell.
   */
  put(bucket, key, data, { etag, checksum = {}, parts, hidesParts = false, headers = {}, modified = new Date(0) } = {}) {
    if (!this.#added.has(bucket)) this.#added.set(bucket, new Map());
    this.#added.get(bucket).set(key, { body: bufferBody(data), etag: etag ?? createHash('md5').update(data).digest('hex'), checksum, parts, hidesParts, headers, modified });
  }

  /** Forgets a bucket that put made. */
  drop(bucket) {
    this.#added.delete(bucket);
  }

  /** `count` listed keys `{prefix}{0000000…}`, each of `size` bytes that depend on the key alone. */
  synthesise(bucket, prefix, count, size = 16) {
    const digits = Math.max(7, String(count).length);
    this.#synthetic.set(bucket, Array.from({ length: count }, (_, i) => ({ key: prefix + String(i).padStart(digits, '0'), size })));
  }

  async #bucketExists(bucket) {
    if (this.#added.has(bucket) || this.#synthetic.has(bucket)) return true;
    if (!this.#dir || !/^[a-z0-9][a-z0-9.-]*$/.test(bucket)) return false;
    return (await stat(join(this.#dir, bucket)).catch(() => null))?.isDirectory() ?? false;
  }

  async #find(bucket, key) {
    const added = this.#added.get(bucket)?.get(key);
    if (added) return added;
    const listed = this.#synthetic.get(bucket)?.find((object) => object.key === key);
    if (listed) {
      const body = patternBody(listed.size, key.length);
      const hash = createHash('md5');
      for await (const chunk of body.stream()) hash.update(chunk);
      return { body, etag: hash.digest('hex'), modified: new Date(0) };
    }
    // S3 keys are names, not paths: one with an empty or a dot segment has no file here.
    if (!this.#dir || key.split('/').some((part) => part === '' || part === '.' || part === '..') || key.includes('\0')) return null;
    const path = join(this.#dir, bucket, key);
    const info = await stat(path).catch(() => null);
    if (!info?.isFile()) return null;
    return { body: fileBody(path, info.size), etag: await md5OfFile(path, info), modified: info.mtime };
  }

  async #keys(bucket, prefix) {
    const found = [];
    for (const [key, object] of this.#added.get(bucket) ?? []) found.push({ key, size: object.body.size, etag: object.etag, modified: object.modified });
    const walk = async (relative) => {
      const entries = await readdir(join(this.#dir, bucket, relative), { withFileTypes: true }).catch(() => []);
      for (const entry of entries) {
        const key = relative + entry.name;
        if (entry.isDirectory()) {
          const below = `${key}/`;
          if (below.startsWith(prefix) || prefix.startsWith(below)) await walk(below);
        } else if (key.startsWith(prefix)) {
          const path = join(this.#dir, bucket, key);
          const info = await stat(path).catch(() => null);
          if (info?.isFile()) found.push({ key, size: info.size, etag: await md5OfFile(path, info), modified: info.mtime });
        }
      }
    };
    if (this.#dir) await walk('');
    const synthetic = this.#synthetic.get(bucket) ?? [];
    // Sorting a million keys for each of a thousand pages would be the test's whole time.
    if (found.length === 0) return synthetic;
    return [...found, ...synthetic].sort((a, b) => byBytes(a.key, b.key));
  }

  /** → answer for send(). Throws S3Error. */
  async handle(request) {
    const { method, bucket, rawKey, rawQuery } = request;
    if (!this.#options.anonymous) {
      verifyRequest(request, { credentials: this.#options.credentials, region: this.#options.region, nowMs: this.#options.now() });
    }
    if (method !== 'GET' && method !== 'HEAD') throw new S3Error(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.');
    if (bucket === '') throw new S3Error(403, 'AccessDenied', 'Access Denied');
    if (!await this.#bucketExists(bucket)) throw new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist', { BucketName: bucket });
    const query = new Map(rawQuery.split('&').filter(Boolean).map((pair) => {
      const equals = pair.indexOf('=');
      return equals < 0 ? [uriDecode(pair).toString(), ''] : [uriDecode(pair.slice(0, equals)).toString(), uriDecode(pair.slice(equals + 1)).toString()];
    }));
    return rawKey === '' ? this.#list(bucket, query) : this.#get(bucket, uriDecode(rawKey).toString(), request.headers, query, method === 'HEAD');
  }

  #attributes(object) {
    if (!object.parts || object.hidesParts) throw new S3Error(403, 'AccessDenied', 'Access Denied');
    const parts = object.parts.map((size, i) => `<Part>${element('PartNumber', i + 1)}${element('Size', size)}</Part>`).join('');
    return { status: 200, headers: { 'content-type': 'application/xml' },
      body: document('GetObjectAttributesResponse', `${element('ETag', object.etag)}<ObjectParts>${element('IsTruncated', false)}${parts}${element('PartsCount', object.parts.length)}</ObjectParts>`) };
  }

  async #get(bucket, key, headers, query, headOnly) {
    const object = await this.#find(bucket, key);
    if (!object) throw new S3Error(404, 'NoSuchKey', 'The specified key does not exist.', { Key: key });
    if (query.has('attributes')) return this.#attributes(object);
    const etag = `"${object.etag}"`;
    const common = {
      ...object.headers,
      etag,
      'accept-ranges': 'bytes',
      'last-modified': object.modified.toUTCString(),
      'content-type': 'binary/octet-stream',
    };
    const list = (text) => text.split(',').map((item) => item.trim());
    const ifMatch = headers['if-match'];
    if (ifMatch && ifMatch !== '*' && !list(ifMatch).includes(etag)) throw new S3Error(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', { Condition: 'If-Match' });
    const ifNoneMatch = headers['if-none-match'];
    if (ifNoneMatch && (ifNoneMatch === '*' || list(ifNoneMatch).includes(etag))) return { status: 304, headers: common };

    const size = object.body.size;
    const number = Number(query.get('partNumber'));
    if (number > 0 && object.parts?.[number - 1]) {
      const start = object.parts.slice(0, number - 1).reduce((sum, part) => sum + part, 0);
      return { status: 206, headers: { ...common, 'x-amz-mp-parts-count': object.parts.length }, body: object.body, start, end: start + object.parts[number - 1], headOnly };
    }
    const range = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '');
    const told = headers['x-amz-checksum-mode'] === 'ENABLED' ? object.checksum : {};
    if (!range || (range[1] === '' && range[2] === '')) return { status: 200, headers: { ...common, ...told }, body: object.body, headOnly };
    const first = range[1] === '' ? Math.max(0, size - Number(range[2])) : Number(range[1]);
    const last = range[1] === '' || range[2] === '' ? size - 1 : Math.min(size - 1, Number(range[2]));
    if (first >= size || (range[1] === '' && Number(range[2]) === 0)) {
      throw new S3Error(416, 'InvalidRange', 'The requested range is not satisfiable', { RangeRequested: headers.range, ActualObjectSize: size });
    }
    if (last < first) return { status: 200, headers: common, body: object.body, headOnly }; // not a range at all (RFC 9110 §14.1.1)
    return { status: 206, headers: { ...common, 'content-range': `bytes ${first}-${last}/${size}` }, body: object.body, start: first, end: last + 1, headOnly };
  }

  async #list(bucket, query) {
    if (query.get('list-type') !== '2') throw new S3Error(501, 'NotImplemented', 'The stand-in lists with list-type=2 only.');
    const prefix = query.get('prefix') ?? '';
    const delimiter = query.get('delimiter') ?? '';
    const encoding = query.get('encoding-type');
    if (encoding !== undefined && encoding !== 'url') throw new S3Error(400, 'InvalidArgument', 'Invalid Encoding Method specified in Request');
    const maxText = query.get('max-keys') ?? String(PAGE_MAX);
    if (!/^\d+$/.test(maxText)) throw new S3Error(400, 'InvalidArgument', 'Provided max-keys not an integer or within integer range');
    const max = Math.min(PAGE_MAX, Number(maxText));
    const token = query.get('continuation-token');
    let after = query.get('start-after') ?? '';
    if (token !== undefined) {
      after = Buffer.from(token.replace(/^v1\+/, ''), 'base64').toString();
      if (!token.startsWith('v1+') || after === '') throw new S3Error(400, 'InvalidArgument', 'The continuation token provided is incorrect');
    }

    const keys = await this.#keys(bucket, prefix);
    const from = byBytes(after, prefix) > 0 ? after : prefix;
    let low = 0;
    for (let high = keys.length; low < high;) { // first key ≥ from
      const middle = (low + high) >> 1;
      if (byBytes(keys[middle].key, from) < 0) low = middle + 1; else high = middle;
    }
    const contents = [];
    const prefixes = [];
    let last = '';
    let truncated = false;
    for (let i = low; i < keys.length && keys[i].key.startsWith(prefix); i++) {
      const { key } = keys[i];
      if (after !== '' && (byBytes(key, after) <= 0 || (delimiter && after.endsWith(delimiter) && key.startsWith(after)))) continue;
      const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      const common = cut < 0 ? null : key.slice(0, cut + delimiter.length);
      if (common !== null && common === prefixes.at(-1)) continue;
      if (contents.length + prefixes.length >= max) { truncated = max > 0; break; }
      if (common === null) contents.push(keys[i]); else prefixes.push(common);
      last = common ?? key;
    }

    const name = (text) => (encoding === 'url' ? uriEncode(text, { keepSlash: true }).replace(/%20/g, '+') : text);
    // The token carries a `+` on purpose: a client that does not encode it will not get page two.
    const next = truncated ? element('NextContinuationToken', `v1+${Buffer.from(last).toString('base64')}`) : '';
    const inner = element('Name', bucket) + element('Prefix', name(prefix))
      + (token === undefined ? '' : element('ContinuationToken', token)) + next
      + (query.has('start-after') ? element('StartAfter', name(query.get('start-after'))) : '')
      + element('KeyCount', contents.length + prefixes.length) + element('MaxKeys', max)
      + (delimiter ? element('Delimiter', name(delimiter)) : '')
      + (encoding ? element('EncodingType', encoding) : '') + element('IsTruncated', truncated)
      + contents.map((object) => `<Contents>${element('Key', name(object.key))}${element('LastModified', (object.modified ?? new Date(0)).toISOString())}`
        + `${element('ETag', `"${object.etag ?? '0'.repeat(32)}"`)}${element('Size', object.size)}<StorageClass>STANDARD</StorageClass></Contents>`).join('')
      + prefixes.map((text) => `<CommonPrefixes>${element('Prefix', name(text))}</CommonPrefixes>`).join('');
    return { status: 200, headers: { 'content-type': 'application/xml' }, body: document('ListBucketResult', inner) };
  }
}

/** The answer that S3 gives instead. HEAD has no body, so no code either: only the status tells. */
export function errorAnswer(error, { resource, requestId, hostId, headOnly }) {
  const inner = element('Code', error.code) + element('Message', error.message)
    + Object.entries(error.detail).map(([name, value]) => element(name, value)).join('')
    + element('Resource', resource) + element('RequestId', requestId) + element('HostId', hostId);
  const body = document('Error', inner, false);
  return { status: error.status, headers: { 'content-type': 'application/xml' }, body, headOnly };
}
