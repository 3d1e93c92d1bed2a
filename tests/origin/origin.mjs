// SPDX-License-Identifier: Apache-2.0
//
// A stand-in origin for the demo and the tests: one HTTP(S) server on loopback that speaks enough
// of S3 (signatures checked) and of the Roboflow API (strictly) to load models from, and that can be
// told to misbehave. It is neither of the two, and says so in its start line and `Server` header.
//
//   node tests/origin/origin.mjs --dir TREE [--port N] [--port-file FILE] [--tls CERT KEY]
//        [--anonymous] [--synthetic BUCKET:PREFIX:COUNT[:SIZE]] [--script JSON]
//
// TREE/s3/{bucket}/{key} are objects, TREE/api/{model_id}/{file} are models of the API. Credentials
// come from HOIST_ORIGIN_{ACCESS_KEY,SECRET_KEY,SESSION_TOKEN,REGION,API_KEY}; defaults below.
//
// S3 answers path style (/bucket/key) and virtual-host style (Host: bucket.s3.localtest). The names
// ort, getWeights, files, core_model, owlv2, proxy and __* are taken: no bucket can have them path style.
//
//   POST /__script    a JSON list of rules replaces those in force
//   GET /__requests   the access log: what was asked, the answer's status, `sent` bytes of its body, whether that was
//                     `complete` or `cut` by the script (stall, reset, close), how long it took
//   GET /__violations what arrived where it must not
//
// A rule: {method?, path? (a regular expression, tried on the request target), host?, skip?, times? (default 1, 0 = always),
// every? (n: only each n-th that matches)}
// and what it does to the requests that match, in any combination:
//   status, body, retryAfter, headers   another answer          delayMs          wait before answering
//   stall | reset | close (true, with at: fraction; reset, close: "before" = no answer at all)
//   lengthDelta: ±n   Content-Length is off by n                chunked: true    no Content-Length
//   corrupt: true|offset   one byte flipped                     drip: {bytes, ms}
//   redirect: URL (status 302 unless given)                     expire: true     file URLs handed out have expired
//   garbage: html|empty|binary|truncated|deep|deep-xml|laughs|huge (levels, bytes)
//   ignoreRange: true   the whole file, whatever part was asked for
//   merge: {…} (RFC 7396), edit: function (in-process only)     changes the API's JSON

import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { bufferBody, send } from './answer.mjs';
import { ApiError, Roboflow, apiErrorAnswer } from './roboflow.mjs';
import { S3, errorAnswer } from './s3.mjs';
import { S3Error, headersOf } from './s3auth.mjs';

const SERVER = 'hoist-stand-in-origin (a test server, not S3, not Roboflow)';
const S3_DOMAIN = 's3.localtest';
const MAX_LOG = 200_000;

const json = (value, status = 200) => ({ status, headers: { 'content-type': 'application/json' }, body: bufferBody(JSON.stringify(value)) });

class Script {
  #rules = [];

  replace(rules, { append = false } = {}) {
    const prepared = (Array.isArray(rules) ? rules : [rules]).map((rule) => ({
      ...rule,
      path: rule.path === undefined ? null : new RegExp(rule.path),
      host: rule.host === undefined ? null : new RegExp(rule.host),
      left: rule.times === 0 ? Infinity : rule.times ?? 1,
      skip: rule.skip ?? 0,
      seen: 0,
    }));
    this.#rules = append ? [...this.#rules, ...prepared] : prepared;
  }

  /** The first rule with a turn left that matches; using it takes a turn. */
  take(method, target, host) {
    for (const rule of this.#rules) {
      if (rule.left <= 0) continue;
      if (rule.method && rule.method !== method) continue;
      if (rule.path && !rule.path.test(target)) continue;
      if (rule.host && !rule.host.test(host)) continue;
      if (rule.skip > 0) { rule.skip--; continue; }
      if (rule.every && ++rule.seen % rule.every !== 0) continue;
      rule.left--;
      return rule;
    }
    return null;
  }
}

/**
 * Starts an origin. Everything has a default:
 *   dir            the tree described above; none: only what put() and the like add
 *   port, host     0 and 127.0.0.1
 *   tls            {cert, key} (PEM text) for https
 *   credentials    {accessKey, secret, sessionToken?} and region of S3; anonymous: true checks nothing
 *   apiKey         null = none needed;  weightsSuffix, serviceSecret, extraHeaders {name: value}
 *   urlLifetime    seconds that file URLs live;  filesBase  scheme and host of file URLs
 *   now            () => ms, the clock that signatures and URLs are judged by
 */
export async function startOrigin({
  port = 0, host = '127.0.0.1', dir, tls, region = 'us-east-1', anonymous = false,
  credentials = { accessKey: 'standinkey', secret: 'standin/secret+0123456789' },
  apiKey = 'standin-api-key', weightsSuffix = '', serviceSecret, extraHeaders = {}, urlLifetime = 600,
  filesBase, now = Date.now,
} = {}) {
  const log = [];
  const violations = [];
  const script = new Script();
  const s3 = new S3({ dir, credentials, region, anonymous, now });
  const api = new Roboflow({ dir, apiKey, weightsSuffix, serviceSecret, extraHeaders, urlLifetime, now, filesBase: () => filesBase ?? url });
  let url = '';
  let connections = 0;

  async function answerTo(request, rule) {
    if (rule?.redirect) return { status: rule.status ?? 302, headers: { location: rule.redirect }, body: bufferBody(rule.body ?? '') };
    if (rule?.status) {
      const isText = typeof rule.body === 'string' || rule.body === undefined;
      const headers = rule.retryAfter === undefined ? {} : { 'retry-after': String(rule.retryAfter) };
      if (request.kind === 's3' && rule.body === undefined && rule.status >= 400) {
        const code = { 403: 'AccessDenied', 404: 'NoSuchKey', 429: 'SlowDown', 500: 'InternalError', 503: 'SlowDown' }[rule.status] ?? 'Scripted';
        const answer = errorAnswer(new S3Error(rule.status, code, 'scripted by the test'), request);
        return { ...answer, headers: { ...answer.headers, ...headers } };
      }
      const body = isText ? rule.body ?? JSON.stringify({ message: 'scripted by the test' }) : JSON.stringify(rule.body);
      return { status: rule.status, headers: { 'content-type': 'application/json', ...headers }, body: bufferBody(body) };
    }
    if (request.kind === 'files') return api.file(request, violations);
    if (request.kind === 'api') return await api.handle(request, rule ?? {}) ?? json({ message: 'no such endpoint' }, 404);
    if (/api_key=|service_secret=/.test(request.rawQuery)) violations.push(`${request.path}: an API secret went to S3`);
    return s3.handle(request);
  }

  async function control(req, res, path) {
    if (path === '/__requests') return send(res, json(log));
    if (path === '/__violations') return send(res, json(violations));
    if (path === '/__script' && req.method === 'POST') {
      const chunks = [];
      for await (const chunk of req) chunks.push(chunk);
      try { script.replace(JSON.parse(Buffer.concat(chunks).toString())); } catch (error) { return send(res, json({ message: String(error) }, 400)); }
      return send(res, json({}));
    }
    return send(res, json({ message: 'no such control' }, 404));
  }

  async function serve(req, res) {
    let target = req.url;
    // A secure gateway wraps the whole URL once; what it wraps is served as if it had come directly.
    const wrapped = /^\/proxy\?url=([^&]*)$/.exec(target);
    if (wrapped) {
      const inner = /^https?:\/\/[^/]+(\/.*)$/.exec(decodeURIComponent(wrapped[1].replace(/\+/g, ' ')));
      if (!inner) return send(res, json({ message: 'the gateway got no URL' }, 400));
      target = inner[1];
    }
    const question = target.indexOf('?');
    const path = question < 0 ? target : target.slice(0, question);
    const rawQuery = question < 0 ? '' : target.slice(question + 1);
    if (path.startsWith('/__')) return control(req, res, path);

    const headers = headersOf(req.rawHeaders);
    const hostName = (headers.host ?? '').replace(/:\d+$/, '');
    const virtual = hostName.endsWith(`.${S3_DOMAIN}`) ? hostName.slice(0, -S3_DOMAIN.length - 1) : null;
    const isApi = /^\/(ort\/|getWeights$|models\/v1\/external\/|core_model\/|owlv2\/)/.test(path) || (weightsSuffix && path.startsWith(`/${weightsSuffix}/`));
    const kind = virtual !== null || hostName === S3_DOMAIN ? 's3' : path.startsWith('/files/') ? 'files' : isApi ? 'api' : 's3';
    const [, bucket, rawKey = ''] = virtual !== null ? [null, virtual, path.slice(1)] : /^\/([^/]*)\/?(.*)$/s.exec(path);
    const request = {
      kind, method: req.method, url: target, path, rawQuery, headers, rawHeaders: req.rawHeaders, bucket: decodeURIComponent(bucket), rawKey,
      headOnly: req.method === 'HEAD', resource: path,
      requestId: randomBytes(8).toString('hex').toUpperCase(), hostId: randomBytes(24).toString('base64'),
    };
    const entry = {
      n: log.length, at: Date.now(), kind, method: req.method, path, query: rawQuery, url: target, headers,
      connection: req.socket.standInNumber, gateway: wrapped !== null, status: null, sent: 0,
    };
    if (log.length < MAX_LOG) log.push(entry);
    res.on('close', () => { entry.tookMs = Date.now() - entry.at; entry.complete = res.writableFinished; });

    const rule = script.take(req.method, target, headers.host ?? '');
    if (rule?.delayMs) await sleep(rule.delayMs);
    if (rule?.ignoreRange) request.headers = { ...headers, range: undefined };
    let answer;
    try {
      answer = await answerTo(request, rule);
    } catch (error) {
      if (error instanceof S3Error) answer = errorAnswer(error, request);
      else if (error instanceof ApiError) {
        answer = apiErrorAnswer(error);
        if (error.breaksRule) violations.push(`${request.method} ${path}: ${error.message}`);
      }
      else answer = json({ message: `the stand-in failed: ${error.stack}` }, 500);
    }
    entry.status = answer.status;
    const ids = kind === 's3' ? { 'x-amz-request-id': request.requestId, 'x-amz-id-2': request.hostId } : {};
    await send(res, { ...answer, headers: { server: SERVER, ...ids, ...answer.headers } }, rule ?? {}, entry);
  }

  const listener = (req, res) => serve(req, res).catch(() => req.socket.destroy());
  const settings = { keepAlive: true, noDelay: true, maxHeaderSize: 64 * 1024, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 60_000 };
  const server = tls ? https.createServer({ ...settings, ...tls }, listener) : http.createServer(settings, listener);
  server.on(tls ? 'secureConnection' : 'connection', (socket) => { socket.standInNumber = ++connections; socket.on('error', () => {}); });
  await new Promise((ok, fail) => server.once('error', fail).listen(port, host, ok));
  const actual = server.address().port;
  url = `${tls ? 'https' : 'http'}://${host}:${actual}`;

  return {
    port: actual,
    url,
    credentials,
    region,
    apiKey,
    s3,
    api,
    /** Offers a model without files on disk: `files` {name: bytes} in the bucket (null: not there) and from the API. */
    putModel(modelId, files, { bucket = 'models', prefix = '', inApi = true } = {}) {
      for (const [name, data] of Object.entries(files)) {
        if (bucket !== null) s3.put(bucket, `${prefix}${modelId}/${name}`, data);
        if (inApi) api.put(modelId, name, data);
      }
    },
    /** Replaces (or, with {append: true}, extends) the script. */
    script: (rules = [], options = {}) => script.replace(rules, options),
    requests: (filter = {}) => log.filter((entry) => Object.entries(filter).every(([name, value]) => (value instanceof RegExp ? value.test(entry[name]) : entry[name] === value))),
    violations: () => [...violations],
    connections: () => connections,
    /** Forgets the log and the violations, and ends the script. */
    reset() { log.length = 0; violations.length = 0; script.replace([]); },
    /** The environment in which hoist finds this origin. */
    env: (bucket = 'models') => ({
      INFER_BUCKET: bucket, AWS_ENDPOINT_URL_S3: url, AWS_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKey, AWS_SECRET_ACCESS_KEY: credentials.secret,
      ...(credentials.sessionToken ? { AWS_SESSION_TOKEN: credentials.sessionToken } : {}),
      API_BASE_URL: url, ...(apiKey ? { ROBOFLOW_API_KEY: apiKey } : {}),
    }),
    close: () => new Promise((done) => { server.close(() => done()); server.closeAllConnections(); }),
  };
}

function parseArguments(argv) {
  const options = {};
  const value = (i) => { if (i >= argv.length) throw new Error(`${argv[i - 1]} needs a value`); return argv[i]; };
  for (let i = 0; i < argv.length; i++) {
    switch (argv[i]) {
      case '--dir': options.dir = resolve(value(++i)); break;
      case '--port': options.port = Number(value(++i)); break;
      case '--port-file': options.portFile = value(++i); break;
      case '--tls': options.tls = { cert: readFileSync(value(++i)), key: readFileSync(value(++i)) }; break;
      case '--anonymous': options.anonymous = true; break;
      case '--synthetic': options.synthetic = value(++i).split(':'); break;
      case '--script': options.rules = JSON.parse(value(++i)); break;
      default: throw new Error(`unknown option ${argv[i]}`);
    }
  }
  return options;
}

async function main() {
  const { portFile, synthetic, rules, ...options } = parseArguments(process.argv.slice(2));
  const { HOIST_ORIGIN_ACCESS_KEY: accessKey, HOIST_ORIGIN_SECRET_KEY: secret, HOIST_ORIGIN_SESSION_TOKEN: sessionToken,
    HOIST_ORIGIN_REGION: region, HOIST_ORIGIN_API_KEY: apiKey } = process.env;
  if (accessKey && secret) options.credentials = { accessKey, secret, sessionToken };
  if (region) options.region = region;
  if (apiKey) options.apiKey = apiKey;
  const origin = await startOrigin(options);
  if (synthetic) origin.s3.synthesise(synthetic[0], synthetic[1], Number(synthetic[2]), Number(synthetic[3] ?? 16));
  if (rules) origin.script(rules);
  console.log(`stand-in origin (a test server, not S3, not Roboflow) on ${origin.url}`);
  if (portFile) {
    writeFileSync(`${portFile}.new`, `${origin.port}\n`);
    renameSync(`${portFile}.new`, portFile);
  }
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => origin.close().then(() => process.exit(0)));
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().catch((error) => { console.error(`origin: ${error.message}`); process.exit(2); });
}
