// SPDX-License-Identifier: Apache-2.0
//
// What the fetch benchmark fetches, and from where: the files, nginx (with the stand-in API in front of
// it, which hands out nginx's URLs) and Ceph, each reachable over loopback and, where slow_link runs,
// through it.

import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, createReadStream, existsSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UNSIGNED, amzDateOf, canonicalRequest, signature, stringToSign } from '../../lib/sigv4.mjs';
import { startOrigin } from '../../origin/origin.mjs';
import { freePorts, startCeph } from '../../servers/servers.mjs';

export const FAR = '10.99.0.1'; // where slow_link has the servers
const BUCKET = 'bench';
const PART = 8 << 20; // of a multipart upload, as the AWS tools make them
const SMALL = 64 << 10;

/** Random bytes, for a file system or a server that compresses would be measured otherwise. */
function writeRandom(path, bytes) {
  const file = openSync(path, 'w');
  for (let left = bytes; left > 0; left -= PART) writeSync(file, randomBytes(Math.min(left, PART)));
  closeSync(file);
}

/** Two models below root/api: `one/1`, a single large file, and `many/1`, small ones. */
function writeFiles(root, { size, files }) {
  const loads = {
    one: { id: 'one/1', names: ['weights.onnx'], bytes: size },
    many: { id: 'many/1', names: ['weights.onnx', ...Array.from({ length: files - 1 }, (_, i) => `part${String(i + 1).padStart(4, '0')}.bin`)], bytes: files * SMALL },
  };
  for (const load of Object.values(loads)) {
    load.dir = join(root, 'api', load.id);
    mkdirSync(load.dir, { recursive: true });
    for (const name of load.names) writeRandom(join(load.dir, name), load.bytes / load.names.length);
    // What the API describes a model by; only hoist asks for it.
    writeFileSync(join(load.dir, 'environment.json'), '{"PREPROCESSING":{}}');
    writeFileSync(join(load.dir, 'class_names.txt'), 'thing\n');
    writeFileSync(join(load.dir, 'model_type.json'), '{"model_type":"yolov8n"}');
  }
  return loads;
}

async function startNginx(root, port, addresses) {
  const dir = join(root, 'nginx');
  mkdirSync(dir);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => `${what}_temp_path temp;`).join(' ');
  writeFileSync(join(dir, 'nginx.conf'), `
    ${process.getuid() === 0 ? 'user root;' : ''} worker_processes 2; daemon off; pid nginx.pid;
    events { worker_connections 1024; }
    http {
      access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000; ${temp}
      default_type application/octet-stream;
      server {
        ${addresses.map((address) => `listen ${address}:${port};`).join(' ')}
        location /files/ { alias ${root}/api/; autoindex on; }
      }
    }`);
  const child = spawn('/usr/sbin/nginx', ['-p', dir, '-e', join(dir, 'error.log'), '-c', 'nginx.conf'], { stdio: 'ignore' });
  const stop = () => child.kill('SIGTERM');
  process.on('exit', stop);
  const answers = () => new Promise((done) => {
    const socket = createConnection(port, '127.0.0.1', () => { socket.destroy(); done(true); }).on('error', () => done(false));
  });
  for (let tries = 100; !await answers(); tries--) {
    if (tries === 0 || child.exitCode !== null) throw new Error(`nginx does not answer:\n${readFileSync(join(dir, 'error.log'), 'utf8')}`);
    await sleep(50);
  }
  return stop;
}

/** Large files arrive in a bucket in parts; what is whole would have an MD5 for an ETag. */
async function uploadInParts(server, key, path) {
  const must = async (query, options) => {
    const answer = await server.request(`/${BUCKET}/${key}?${query}`, options);
    if (answer.status !== 200) throw new Error(`uploading ${key}: ${answer.status} ${answer.body}`);
    return answer;
  };
  const id = /<UploadId>([^<]+)/.exec((await must('uploads=', { method: 'POST' })).body)[1];
  const parts = [];
  for await (const body of createReadStream(path, { highWaterMark: PART })) {
    const answer = await must(`partNumber=${parts.length + 1}&uploadId=${id}`, { method: 'PUT', body });
    parts.push(`<Part><PartNumber>${parts.length + 1}</PartNumber><ETag>${answer.headers.etag}</ETag></Part>`);
  }
  await must(`uploadId=${id}`, { method: 'POST', body: Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`) });
}

async function fillBucket(server, loads) {
  await server.createBucket(BUCKET);
  for (const { id, dir, names } of Object.values(loads)) {
    for (const name of names) {
      const path = join(dir, name);
      if (names.length === 1) await uploadInParts(server, `${id}/${name}`, path);
      else await server.upload(BUCKET, `${id}/${name}`, readFileSync(path));
    }
  }
}

/** A URL that anybody may GET for a while: Signature Version 4 in the query. */
function presign({ url, accessKey, secret, region }) {
  const [, host, path] = /^http:\/\/([^/]+)(.*)$/.exec(url);
  const amzDate = amzDateOf(new Date());
  const scope = `${amzDate.slice(0, 8)}/${region}/s3/aws4_request`;
  const query = ['X-Amz-Algorithm=AWS4-HMAC-SHA256', `X-Amz-Credential=${encodeURIComponent(`${accessKey}/${scope}`)}`,
    `X-Amz-Date=${amzDate}`, 'X-Amz-Expires=86400', 'X-Amz-SignedHeaders=host'].join('&');
  const canonical = canonicalRequest({ method: 'GET', path, query, headers: { host }, signed: ['host'], payloadHash: UNSIGNED });
  return `${url}?${query}&X-Amz-Signature=${signature({ secret, scope, toSign: stringToSign({ amzDate, scope, canonical }) })}`;
}

/**
 * Starts everything there is. → {loads, networks, close}. A network has, per protocol, url(load, name) and
 * what the contestants need beyond it. `slowLink`: whether FAR is there.
 */
export async function startWorld(root, { size, files, slowLink }) {
  const loads = writeFiles(root, { size, files });
  const addresses = ['127.0.0.1', ...(slowLink ? [FAR] : [])];
  const closing = [];
    const port = await freePorts(1);
  const hasNginx = existsSync('/usr/sbin/nginx');
  if (hasNginx) closing.push(await startNginx(root, port, addresses));
  const ceph = existsSync('/usr/bin/radosgw') ? await startCeph({ alsoOn: slowLink ? FAR : undefined }) : null;
  if (ceph) {
    closing.push(() => ceph.stop());
    await fillBucket(ceph, loads);
  }
  const networks = [];
  for (const address of addresses) {
    const base = `http://${address}:${port}`;
    const api = await startOrigin({ dir: root, host: address, filesBase: base, urlLifetime: 86400 });
    closing.push(() => api.close());
    const endpoint = ceph?.url.replace('127.0.0.1', address);
    networks.push({
      slow: address === FAR,
      http: hasNginx && { url: (load, name = '') => `${base}/files/${load.id}/${name}`, env: { API_BASE_URL: api.url, ROBOFLOW_API_KEY: api.apiKey } },
      s3: ceph && {
        bucket: BUCKET, endpoint, accessKey: ceph.accessKey, secret: ceph.secret,
        url: (load, name) => presign({ ...ceph, url: `${endpoint}/${BUCKET}/${load.id}/${name}` }),
        env: { ...ceph.env(BUCKET), AWS_ENDPOINT_URL_S3: endpoint },
      },
    });
  }
  execFileSync('sync', ['-f', root]);
  return { loads, networks, close: async () => { for (const close of closing.reverse()) await close(); } };
}
