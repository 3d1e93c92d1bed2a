// SPDX-License-Identifier: Apache-2.0
//
// A real OTLP receiver for the tests: HTTP (protobuf and JSON, gzip) on one port, gRPC on another,
// decoding with the official schema as OpenTelemetry's JavaScript packages compile it. It can be
// scripted to fail. Imported, or run:
//
//   node tests/otlp/receiver.mjs [--http-port N] [--grpc-port N] [--port-file FILE] [--script JSON]
//
// prints one JSON object per request. A script is a list, one entry per request in order of arrival
// (after its end all succeed): a number (HTTP status, or gRPC code where that is the protocol) or
// {status, code, retryAfter (HTTP), retryInfoMs (gRPC), message, delayMs, stall, halfClose ("before"
// = nothing is answered, true = in the middle of the answer), garbage, partial: {rejected, message},
// and over HTTP: raw (the answer, byte by byte as it is), dripMs (between two bytes of the answer)}.

import { existsSync, renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';
import { countSpans } from './walk.mjs';

const MAX_BODY = 256 * 1024 * 1024;

// The packages are not beside this file but in .deps/, where tools/setup put them.
function installedRequire() {
  for (let dir = dirname(fileURLToPath(import.meta.url)); dirname(dir) !== dir; dir = dirname(dir)) {
    const modules = join(dir, '.deps', 'npm', 'tests', 'node_modules');
    if (existsSync(modules)) return createRequire(join(modules, 'index.js'));
  }
  throw new Error('the OTLP packages are not installed: run tools/setup check');
}
const require = installedRequire();
/** The packages of tests/npm, for tests that use them themselves. */
export const requirePackage = (name) => require(name);
const grpc = require('@grpc/grpc-js');
// The package does not export its generated schema, so its file is named by path.
const transformer = dirname(require.resolve('@opentelemetry/otlp-transformer/package.json'));
const schema = require(join(transformer, 'build/src/generated/root.js'));

// The generated decoders skip what the schema does not know; this makes them tell.
let unknownFields = 0;
const { Reader } = createRequire(join(transformer, 'package.json'))('protobufjs/minimal');
const skipType = Reader.prototype.skipType;
Reader.prototype.skipType = function skip(...wireType) {
  unknownFields++;
  return skipType.apply(this, wireType);
};

const { collector } = schema.opentelemetry.proto;
const SIGNALS = {
  traces: {
    Request: collector.trace.v1.ExportTraceServiceRequest, Response: collector.trace.v1.ExportTraceServiceResponse,
    method: '/opentelemetry.proto.collector.trace.v1.TraceService/Export', rejected: 'rejectedSpans',
  },
  metrics: {
    Request: collector.metrics.v1.ExportMetricsServiceRequest, Response: collector.metrics.v1.ExportMetricsServiceResponse,
    method: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export', rejected: 'rejectedDataPoints',
  },
  logs: {
    Request: collector.logs.v1.ExportLogsServiceRequest, Response: collector.logs.v1.ExportLogsServiceResponse,
    method: '/opentelemetry.proto.collector.logs.v1.LogsService/Export', rejected: 'rejectedLogRecords',
  },
};

const toHex = (bytes) => Buffer.from(bytes).toString('hex');

/** A message of the schema → plain objects; bytes as lower-case hex, 64-bit integers as strings. */
function plain(Type, message) {
  const walk = (value) => {
    if (value instanceof Uint8Array) return toHex(value);
    if (Array.isArray(value)) return value.map(walk);
    if (value !== null && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, walk(v)]));
    return value;
  };
  return walk(Type.toObject(message, { longs: String, enums: Number }));
}

/** Protobuf bytes of one export request → plain objects. Throws where the schema does not allow them. */
export function decodeProtobuf(signal, bytes) {
  const { Request } = SIGNALS[signal];
  unknownFields = 0;
  const message = Request.decode(bytes);
  if (unknownFields) throw new Error(`${unknownFields} unknown fields, or known ones of the wrong type`);
  const problem = Request.verify(message);
  if (problem) throw new Error(problem);
  return plain(Request, message);
}

/** OTLP's own JSON mapping (ids in hex, enums as numbers) → the same plain objects. */
export function decodeJson(signal, value) {
  const ids = new Set(['traceId', 'spanId', 'parentSpanId']);
  const walk = (node, name) => {
    if (ids.has(name)) {
      if (typeof node !== 'string' || !/^([0-9a-f]{2})*$/i.test(node)) throw new Error(`${name} is not hexadecimal: ${JSON.stringify(node)}`);
      return Buffer.from(node, 'hex');
    }
    if (Array.isArray(node)) return node.map((item) => walk(item));
    if (node !== null && typeof node === 'object') return Object.fromEntries(Object.entries(node).map(([k, v]) => [k, walk(v, k)]));
    return node;
  };
  const { Request } = SIGNALS[signal];
  return plain(Request, Request.fromObject(walk(value)));
}

function valueOf(any) {
  if (any === undefined || any === null) return undefined;
  if ('stringValue' in any) return any.stringValue;
  if ('boolValue' in any) return any.boolValue;
  if ('intValue' in any) return Number(any.intValue);
  if ('doubleValue' in any) return any.doubleValue;
  if ('arrayValue' in any) return (any.arrayValue.values ?? []).map(valueOf);
  if ('kvlistValue' in any) return attributesOf(any.kvlistValue.values);
  if ('bytesValue' in any) return any.bytesValue;
  return undefined;
}

function attributesOf(list = []) {
  const attributes = {};
  for (const { key, value } of list) {
    if (key in attributes) throw new Error(`the attribute ${key} appears twice`);
    attributes[key] = valueOf(value);
  }
  return attributes;
}

/** The spans of a decoded trace request, flat, with attributes as objects and times as BigInt ns. */
export function spansOf(body) {
  return (body.resourceSpans ?? []).flatMap(({ resource, scopeSpans = [] }) => scopeSpans.flatMap(({ scope, spans = [] }) => spans.map((span) => ({
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId || null,
    name: span.name,
    kind: ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'][span.kind ?? 0],
    startNs: BigInt(span.startTimeUnixNano ?? 0),
    endNs: BigInt(span.endTimeUnixNano ?? 0),
    attributes: attributesOf(span.attributes),
    events: (span.events ?? []).map((event) => ({ name: event.name, timeNs: BigInt(event.timeUnixNano ?? 0), attributes: attributesOf(event.attributes) })),
    links: (span.links ?? []).map((link) => ({ traceId: link.traceId, spanId: link.spanId, attributes: attributesOf(link.attributes) })),
    status: { code: ['Unset', 'Ok', 'Error'][span.status?.code ?? 0], message: span.status?.message ?? '' },
    flags: span.flags,
    traceState: span.traceState ?? '',
    dropped: { attributes: span.droppedAttributesCount ?? 0, events: span.droppedEventsCount ?? 0, links: span.droppedLinksCount ?? 0 },
    resource: attributesOf(resource?.attributes),
    scope: { name: scope?.name ?? '', version: scope?.version ?? '' },
  }))));
}

/** The metrics of a decoded request, flat: one entry per metric with its points. */
export function metricsOf(body) {
  return (body.resourceMetrics ?? []).flatMap(({ resource, scopeMetrics = [] }) => scopeMetrics.flatMap(({ scope, metrics = [] }) => metrics.map((metric) => {
    const type = ['sum', 'gauge', 'histogram', 'exponentialHistogram', 'summary'].find((kind) => metric[kind]);
    const data = metric[type] ?? {};
    return {
      name: metric.name, unit: metric.unit ?? '', description: metric.description ?? '', type,
      monotonic: data.isMonotonic ?? false,
      temporality: [undefined, 'delta', 'cumulative'][data.aggregationTemporality ?? 0],
      points: (data.dataPoints ?? []).map((point) => ({
        attributes: attributesOf(point.attributes),
        startNs: BigInt(point.startTimeUnixNano ?? 0),
        timeNs: BigInt(point.timeUnixNano ?? 0),
        value: 'asInt' in point ? Number(point.asInt) : point.asDouble,
        ...(type === 'histogram' ? {
          count: Number(point.count ?? 0), sum: point.sum, min: point.min, max: point.max,
          bounds: point.explicitBounds ?? [], buckets: (point.bucketCounts ?? []).map(Number),
        } : {}),
        ...(type === 'exponentialHistogram' ? {
          count: Number(point.count ?? 0), sum: point.sum, min: point.min, max: point.max,
          scale: point.scale ?? 0, zeroCount: Number(point.zeroCount ?? 0),
          positive: { offset: point.positive?.offset ?? 0, buckets: (point.positive?.bucketCounts ?? []).map(Number) },
          negative: { offset: point.negative?.offset ?? 0, buckets: (point.negative?.bucketCounts ?? []).map(Number) },
        } : {}),
        exemplars: (point.exemplars ?? []).map((e) => ({ traceId: e.traceId, spanId: e.spanId, value: 'asInt' in e ? Number(e.asInt) : e.asDouble })),
      })),
      resource: attributesOf(resource?.attributes),
      scope: { name: scope?.name ?? '', version: scope?.version ?? '' },
    };
  })));
}

const varint = (n) => { const out = []; do { out.push((n & 127) | (n > 127 ? 128 : 0)); n = Math.floor(n / 128); } while (n > 0); return out; };
const field = (number, data) => Buffer.from([...varint(number * 8 + 2), ...varint(data.length), ...data]);

/** google.rpc.Status with one google.rpc.RetryInfo, as grpc-status-details-bin carries it. */
function retryInfo(code, message, ms) {
  const duration = Buffer.from([0x08, ...varint(Math.floor(ms / 1000)), 0x10, ...varint((ms % 1000) * 1e6)]);
  const any = Buffer.concat([field(1, Buffer.from('type.googleapis.com/google.rpc.RetryInfo')), field(2, field(1, duration))]);
  return Buffer.concat([Buffer.from([0x08, ...varint(code)]), field(2, Buffer.from(message)), field(3, any)]);
}

/** Writes an answer of our own onto the connection and ends it; a byte at a time where dripMs says so. */
async function drip(socket, bytes, dripMs = 0) {
  for (let i = 0; dripMs && i < bytes.length && !socket.destroyed; i++) {
    socket.write(bytes.subarray(i, i + 1));
    await sleep(dripMs);
  }
  if (!socket.destroyed) socket.end(dripMs ? undefined : bytes);
}

async function bodyOf(req) {
  const chunks = [];
  let size = 0;
  for await (const chunk of req) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Error('the request is too large');
    chunks.push(chunk);
  }
  const raw = Buffer.concat(chunks);
  const encoding = req.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return { raw, body: raw };
  if (encoding === 'gzip') return { raw, body: zlib.gunzipSync(raw, { maxOutputLength: MAX_BODY }) };
  throw new Error(`content-encoding ${encoding}`);
}

/**
 * Starts a receiver. httpPort and grpcPort 0 = any; tls {cert, key} serves both over TLS,
 * with {ca, requestCert: true} to clients with a certificate of that authority only;
 * onRequest sees every record as it arrives. With countOnly spans are counted and their ids checked,
 * but not decoded: for a million of them. With keepBytes a record has the decompressed body as it came in `data`.
 */
export async function startReceiver({ httpPort = 0, grpcPort = 0, host = '127.0.0.1', tls, script: initial = [], onRequest = () => {}, countOnly = false, keepBytes = false } = {}) {
  const records = [];
  const spanIds = new Set();
  let counted = 0;
  let inFlight = 0;
  let mostInFlight = 0;
  const begin = () => { mostInFlight = Math.max(mostInFlight, ++inFlight); };
  const read = (signal, bytes) => {
    if (!countOnly || signal !== 'traces') return { body: decodeProtobuf(signal, bytes) };
    return { body: {}, spanCount: countSpans(bytes, (id) => spanIds.add(id)) };
  };
  const waiting = new Set();
  let script = [...initial];
  const nextAction = () => { const action = script.shift() ?? {}; return typeof action === 'number' ? { status: action, code: action } : action; };
  const keep = (record) => {
    if (record.spanCount && (record.via === 'grpc' ? record.status === 0 : record.status < 300)) counted += record.spanCount;
    records.push({ n: records.length, at: Date.now(), ...record });
    onRequest(records.at(-1));
    for (const check of [...waiting]) check();
  };
  const partialOf = (signal, partial) => SIGNALS[signal].Response.encode(SIGNALS[signal].Response.fromObject(
    partial ? { partialSuccess: { [SIGNALS[signal].rejected]: partial.rejected, errorMessage: partial.message ?? '' } } : {})).finish();

  async function serve(req, res) {
    const signal = /\/v1\/(traces|metrics|logs)$/.exec(req.url.split('?')[0])?.[1];
    const record = { via: 'http', method: req.method, url: req.url, headers: req.headers, signal };
    begin();
    res.on('close', () => { inFlight--; });
    const action = nextAction();
    const isJson = (req.headers['content-type'] ?? '').startsWith('application/json');
    let status = action.status ?? 200;
    try {
      const { raw, body } = await bodyOf(req);
      record.bytes = body.length;
      record.wireBytes = raw.length;
      if (keepBytes) record.data = body;
      if (!signal) status = 404;
      else if (req.method !== 'POST') status = 405;
      else if (!isJson && req.headers['content-type'] !== 'application/x-protobuf') status = 415;
      else if (isJson) record.body = decodeJson(signal, JSON.parse(body.toString()));
      else Object.assign(record, read(signal, body));
    } catch (error) {
      record.error = error.message;
      status = 400;
    }
    keep({ ...record, status });
    if (action.delayMs) await sleep(action.delayMs);
    if (action.stall) return;
    if (action.halfClose === 'before') return req.socket.destroy();
    if (action.raw !== undefined) return drip(req.socket, Buffer.from(action.raw, 'latin1'), action.dripMs);
    const ok = status >= 200 && status < 300;
    if (action.dripMs) return drip(req.socket, Buffer.from(`HTTP/1.1 ${status} X\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(1000)}`), action.dripMs);
    let answer = Buffer.alloc(0);
    if (action.garbage) answer = Buffer.from('<html>\xff\x00garbage', 'latin1');
    else if (ok) answer = isJson ? Buffer.from(JSON.stringify(action.partial ? { partialSuccess: { [SIGNALS[signal].rejected]: String(action.partial.rejected), errorMessage: action.partial.message } } : {})) : partialOf(signal, action.partial);
    else answer = field(2, Buffer.from(action.message ?? 'scripted by the test')); // google.rpc.Status
    res.writeHead(status, {
      'content-type': isJson ? 'application/json' : 'application/x-protobuf',
      'content-length': answer.length + (action.halfClose ? 10 : 0),
      ...(action.retryAfter === undefined ? {} : { 'retry-after': String(action.retryAfter) }),
    });
    res.write(answer);
    if (action.halfClose) setTimeout(() => req.socket.destroy(), 20);
    else res.end();
  }

  const listener = (req, res) => serve(req, res).catch(() => req.socket.destroy());
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener);
  await new Promise((ok, fail) => server.once('error', fail).listen(httpPort, host, ok));

  const rpc = new grpc.Server({ 'grpc.max_receive_message_length': MAX_BODY });
  for (const [signal, { method, rejected: _ }] of Object.entries(SIGNALS)) {
    const identity = (bytes) => bytes;
    const definition = { path: method, requestStream: false, responseStream: false, requestDeserialize: identity, requestSerialize: identity, responseSerialize: identity, responseDeserialize: identity };
    rpc.addService({ Export: definition }, {
      async Export(call, callback) {
        const action = nextAction();
        const record = { via: 'grpc', method: 'POST', url: method, headers: call.metadata.getMap(), signal, bytes: call.request.length, ...(keepBytes ? { data: call.request } : {}) };
        begin();
        let isOver = false;
        const over = () => { if (!isOver) inFlight--; isOver = true; };
        call.on('cancelled', over);
        try { Object.assign(record, read(signal, call.request)); } catch (error) { record.error = error.message; }
        const code = record.error ? grpc.status.INVALID_ARGUMENT : action.code ?? 0;
        keep({ ...record, status: code });
        if (action.delayMs) await sleep(action.delayMs);
        if (action.stall) return;
        over();
        if (code === 0) return callback(null, action.garbage ? Buffer.from([0xff, 0xff, 0xff]) : Buffer.from(partialOf(signal, action.partial)));
        const message = record.error ?? action.message ?? 'scripted by the test';
        const metadata = new grpc.Metadata();
        if (action.retryInfoMs !== undefined) metadata.set('grpc-status-details-bin', retryInfo(code, message, action.retryInfoMs));
        return callback({ code, details: message, metadata });
      },
    });
  }
  const credentials = tls ? grpc.ServerCredentials.createSsl(tls.ca ?? null, [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }], tls.requestCert ?? false) : grpc.ServerCredentials.createInsecure();
  const actualGrpcPort = await new Promise((ok, fail) => rpc.bindAsync(`${host}:${grpcPort}`, credentials, (error, port) => (error ? fail(error) : ok(port))));
  const actualHttpPort = server.address().port;
  const scheme = tls ? 'https' : 'http';

  const accepted = (signal) => records.filter((r) => r.signal === signal && r.body && (r.via === 'grpc' ? r.status === 0 : r.status < 300));
  return {
    httpPort: actualHttpPort,
    grpcPort: actualGrpcPort,
    httpUrl: `${scheme}://${host}:${actualHttpPort}`,
    grpcUrl: `${scheme}://${host}:${actualGrpcPort}`,
    /** Every request, also refused and broken ones ({error}). */
    requests: () => [...records],
    /** What requests answered with success carried. */
    spans: () => accepted('traces').flatMap((record) => spansOf(record.body)),
    metrics: () => accepted('metrics').flatMap((record) => metricsOf(record.body)),
    /** With countOnly: spans in requests answered with success, and how many different ids came at all. */
    spanCount: () => counted,
    spanIdCount: () => spanIds.size,
    /** The most requests that were under way at the same time. */
    mostInFlight: () => mostInFlight,
    script: (actions = []) => { script = [...actions]; },
    reset() { records.length = 0; script = []; spanIds.clear(); counted = 0; mostInFlight = inFlight; },
    /** Resolves once `condition(receiver)` holds, looking after each request; rejects after timeoutMs. */
    waitFor(condition, timeoutMs = 10_000) {
      return new Promise((done, fail) => {
        const check = () => { if (condition(this)) { clearTimeout(timer); waiting.delete(check); done(); } };
        const timer = setTimeout(() => { waiting.delete(check); fail(new Error(`no such request in ${timeoutMs} ms; got ${records.length}`)); }, timeoutMs);
        waiting.add(check);
        check();
      });
    },
    async close() {
      rpc.forceShutdown();
      await new Promise((done) => { server.close(() => done()); server.closeAllConnections(); });
    },
  };
}

async function main() {
  const argv = process.argv.slice(2);
  const options = {};
  const names = { '--http-port': 'httpPort', '--grpc-port': 'grpcPort', '--port-file': 'portFile', '--script': 'script' };
  for (let i = 0; i < argv.length; i += 2) {
    if (!names[argv[i]] || argv[i + 1] === undefined) throw new Error(`unknown option or no value: ${argv[i]}`);
    options[names[argv[i]]] = argv[i].endsWith('port') ? Number(argv[i + 1]) : argv[i + 1];
  }
  if (options.script) options.script = JSON.parse(options.script);
  const receiver = await startReceiver({ ...options, onRequest: (record) => console.log(JSON.stringify(record)) });
  if (options.portFile) {
    writeFileSync(`${options.portFile}.new`, `${JSON.stringify({ http: receiver.httpPort, grpc: receiver.grpcPort })}\n`);
    renameSync(`${options.portFile}.new`, options.portFile);
  }
  console.error(`OTLP receiver on ${receiver.httpUrl} (HTTP) and ${receiver.grpcUrl} (gRPC)`);
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => receiver.close().then(() => process.exit(0)));
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().catch((error) => { console.error(`receiver: ${error.message}`); process.exit(2); });
}
