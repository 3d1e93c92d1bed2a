// SPDX-License-Identifier: Apache-2.0
//
// Starts the real S3 servers for a test and puts files into them:
//
//   const ceph = await startCeph();          // or startSwift()
//   await ceph.createBucket('models');
//   await ceph.upload('models', 'faces/1/weights.onnx', bytes);
//   … {...ceph.env('models')} is the environment in which hoist finds it …
//   await ceph.stop();
//
// Everything lives in a temporary directory and on ports that were free a moment ago.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { UNSIGNED, signRequest, uriEncode } from '../lib/sigv4.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const run = promisify(execFile);

/** `count` consecutive ports that nothing listens on, outside the range that the kernel hands out. */
export async function freePorts(count) {
  const isFree = (port) => new Promise((done) => {
    const probe = net.createServer().once('error', () => done(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
  });
  for (let attempt = 0; attempt < 200; attempt++) {
    const first = 10_000 + Math.floor(Math.random() * 20_000);
    const free = await Promise.all(Array.from({ length: count }, (_, i) => isFree(first + i)));
    if (free.every(Boolean)) return first;
  }
  throw new Error(`found no ${count} free ports`);
}

/** One HTTP request whose path and query arrive exactly as given. → {status, headers, body}. */
export function rawRequest({ url, method = 'GET', headers = {}, body }) {
  const [, host, target] = /^http:\/\/([^/]+)(.*)$/.exec(url);
  const [hostname, port] = host.split(':');
  return new Promise((resolve, reject) => {
    const req = http.request({ hostname, port, method, path: target || '/', headers, setHost: false }, (res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks) }));
    });
    req.on('error', reject);
    req.end(body);
  });
}

/** A running S3 server: its address, its credentials, and the calls that tests need. */
export class S3Server {
  constructor({ name, url, tlsUrl, accessKey, secret, region, otherUser, stop }) {
    Object.assign(this, { name, url, tlsUrl, accessKey, secret, region, otherUser, stop });
  }

  /** `target`: path and query as they go over the wire. `sign` changes what is signed. */
  request(target, { method = 'GET', headers = {}, body, sign = {} } = {}) {
    const url = this.url + target;
    const signed = signRequest({
      method, url, headers, accessKey: this.accessKey, secret: this.secret, region: this.region,
      ...(body === undefined ? {} : { payloadHash: UNSIGNED }), ...sign,
    });
    if (body !== undefined) signed['content-length'] = String(body.length);
    return rawRequest({ url, method, headers: signed, body });
  }

  async #must(expected, target, options) {
    const answer = await this.request(target, options);
    if (!expected.includes(answer.status)) {
      throw new Error(`${this.name}: ${options.method} ${target}: ${answer.status} ${answer.body.toString().slice(0, 500)}`);
    }
    return answer;
  }

  createBucket(bucket) {
    return this.#must([200, 409], `/${bucket}`, { method: 'PUT' });
  }

  upload(bucket, key, data) {
    return this.#must([200], `/${bucket}/${uriEncode(key, { keepSlash: true })}`, { method: 'PUT', body: Buffer.from(data) });
  }

  /** One object out of several parts. */
  async uploadParts(bucket, key, parts) {
    const target = `/${bucket}/${uriEncode(key, { keepSlash: true })}`;
    const begun = await this.#must([200], `${target}?uploads=`, { method: 'POST', body: Buffer.alloc(0) });
    const id = uriEncode(/<UploadId>([^<]*)<\/UploadId>/.exec(begun.body.toString())[1]);
    const made = [];
    for (const [i, body] of parts.entries()) {
      const { headers } = await this.#must([200], `${target}?partNumber=${i + 1}&uploadId=${id}`, { method: 'PUT', body });
      made.push(`<Part><PartNumber>${i + 1}</PartNumber><ETag>${headers.etag}</ETag></Part>`);
    }
    const body = Buffer.from(`<CompleteMultipartUpload>${made.join('')}</CompleteMultipartUpload>`);
    return this.#must([200], `${target}?uploadId=${id}`, { method: 'POST', body });
  }

  enableVersions(bucket) {
    const body = Buffer.from('<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>');
    return this.#must([200], `/${bucket}?versioning=`, { method: 'PUT', body });
  }

  /** Nobody may read the bucket's objects below `prefix`; who has its keys may still list them. */
  denyReads(bucket, prefix) {
    const statement = { Effect: 'Deny', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/${prefix}*` };
    const body = Buffer.from(JSON.stringify({ Version: '2012-10-17', Statement: [statement] }));
    return this.#must([200, 204], `/${bucket}?policy=`, { method: 'PUT', body });
  }

  remove(bucket, key) {
    return this.#must([204], `/${bucket}/${uriEncode(key, { keepSlash: true })}`, { method: 'DELETE' });
  }

  /** Every file below `dir`, under `prefix` (which ends in `/` or is empty). */
  async uploadTree(bucket, prefix, dir) {
    for (const entry of await readdir(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) await this.uploadTree(bucket, `${prefix}${entry.name}/`, path);
      else await this.upload(bucket, prefix + entry.name, await readFile(path));
    }
  }

  env(bucket) {
    return {
      INFER_BUCKET: bucket, AWS_ENDPOINT_URL_S3: this.url, AWS_REGION: this.region,
      AWS_ACCESS_KEY_ID: this.accessKey, AWS_SECRET_ACCESS_KEY: this.secret,
    };
  }
}

async function start(script, { ports, env, ...about }) {
  const dir = await mkdtemp(join(tmpdir(), `hoist-${about.name}-`));
  const path = join(here, script);
  const first = await freePorts(ports);
  const stop = async () => {
    process.off('exit', stopNow);
    await run(path, ['stop', dir]);
    await rm(dir, { recursive: true, force: true });
  };
  // A test that dies must not leave a cluster behind.
  const stopNow = () => { execFile(path, ['stop', dir], { detached: true, stdio: 'ignore' }).unref(); };
  process.on('exit', stopNow);
  try {
    await run(path, ['start', dir, String(first)], { env: { ...process.env, ...env }, timeout: 120_000 });
  } catch (error) {
    await stop().catch(() => {});
    throw new Error(`${about.name} did not start: ${error.stderr || error.message}`);
  }
  return new S3Server({ ...about, url: `http://127.0.0.1:${first}`, tlsUrl: `https://127.0.0.1:${first + 2}`, stop });
}

/**
 * `tlsPem`: a file with certificate and key; then it answers on `tlsUrl` too. `sts`: session tokens are verified, and
 * error codes are not all those of AWS.
 */
export function startCeph({ accessKey = 'testkey', secret = 'testsecretkey0123456789', alsoOn, tlsPem, sts = false } = {}) {
  const env = {
    ACCESS_KEY: accessKey, SECRET_KEY: secret, STS: String(sts),
    ...(alsoOn ? { ALSO_ON: alsoOn } : {}), ...(tlsPem ? { TLS_PEM: tlsPem } : {}),
  };
  return start('ceph.sh', { name: 'ceph', ports: 3, accessKey, secret, region: 'us-east-1', env });
}

export function startSwift() {
  return start('swift.sh', { name: 'swift', ports: 4, accessKey: 'test:tester', secret: 'testing', region: 'us-east-1', env: {},
    otherUser: { AWS_ACCESS_KEY_ID: 'test:stranger', AWS_SECRET_ACCESS_KEY: 'stranger-secret' } });
}
