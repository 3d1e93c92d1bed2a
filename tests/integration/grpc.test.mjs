// SPDX-License-Identifier: Apache-2.0
//
// OTLP over gRPC: `hoist load` against @grpc/grpc-js, and against a bare HTTP/2 server for what that
// library neither shows nor does.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import zlib from 'node:zlib';
import { assertSoundTrace, hoist, hoistOk, named, tempDir } from '../lib/harness.mjs';
import { decodeProtobuf, startReceiver } from '../otlp/receiver.mjs';
import { baseEnv, modelId, writeModel } from './world.mjs';

const dir = tempDir(after);
const models = writeModel(join(dir, 'models'));

/** The arguments and environment of a load that exports over gRPC to `url`. */
const exporting = (t, url, env = {}) => ({
  env: {
    ...baseEnv(), MODEL_CACHE_DIR: tempDir(t), HOIST_SOURCES: `dir:${models}`,
    OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', ...env,
  },
});
const load = (t, url, env) => hoistOk(['load', modelId], exporting(t, url, env));

async function receiverFor(t, options) {
  const receiver = await startReceiver(options);
  t.after(() => receiver.close());
  return receiver;
}

function assertArrived(receiver) {
  assertSoundTrace(receiver.spans());
  assert.equal(named(receiver.spans(), 'model.load').length, 1);
  assert.equal(receiver.metrics().find((m) => m.name === 'inference.model.loads').points[0].value, 1);
}

/** Traces only, so that a script has one request to answer. */
const tracesOnly = { OTEL_METRICS_EXPORTER: 'none' };
const telemetryLines = (result) => result.stderr.split('\n').filter((line) => line.includes('telemetry:'));

test('spans and metrics arrive over cleartext', async (t) => {
  const receiver = await receiverFor(t);
  const result = await load(t, receiver.grpcUrl);
  assertArrived(receiver);
  assert.deepEqual([...new Set(receiver.requests().map((r) => r.via))], ['grpc']);
  assert.deepEqual(telemetryLines(result), []);
});

test('an endpoint without a scheme is cleartext where INSECURE says so', async (t) => {
  const receiver = await receiverFor(t);
  await load(t, `127.0.0.1:${receiver.grpcPort}`, { OTEL_EXPORTER_OTLP_INSECURE: 'true' });
  assertArrived(receiver);
});

test('more than one request uses one exporter', async (t) => {
  const receiver = await receiverFor(t);
  await load(t, receiver.grpcUrl, { ...tracesOnly, OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '3' });
  assert.ok(receiver.requests().length > 2);
  assertSoundTrace(receiver.spans());
});

test('deltas where they are preferred', async (t) => {
  const receiver = await receiverFor(t);
  await load(t, receiver.grpcUrl, { OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta' });
  const temporalities = Object.fromEntries(receiver.metrics().map((m) => [m.name, m.temporality]));
  assert.equal(temporalities['inference.model.loads'], 'delta');
  assert.equal(temporalities['inference.model.load.duration'], 'delta');
  assert.equal(temporalities['inference.models.loaded'], 'cumulative');
});

// ---- TLS ---------------------------------------------------------------------------------------

/** Makes a key and a certificate that vouches for itself. */
function certificate(name) {
  const files = { key: join(dir, `${name}.key`), cert: join(dir, `${name}.pem`) };
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', files.key, '-out', files.cert], { stdio: 'ignore' });
  return files;
}
const server = certificate('server');
const client = certificate('client');
const tls = { cert: readFileSync(server.cert), key: readFileSync(server.key) };

test('spans and metrics arrive over TLS, compressed', async (t) => {
  const receiver = await receiverFor(t, { tls });
  await load(t, `127.0.0.1:${receiver.grpcPort}`, { OTEL_EXPORTER_OTLP_CERTIFICATE: server.cert, OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' });
  assertArrived(receiver);
});

test('a certificate nobody vouches for is refused at once', async (t) => {
  const receiver = await receiverFor(t, { tls });
  const result = await load(t, receiver.grpcUrl, tracesOnly);
  assert.equal(receiver.requests().length, 0);
  assert.match(telemetryLines(result)[0], /gRPC https:\/\/127\.0\.0\.1:\d+\/: .*certificate.*\(attempt 1\)/i);
});

for (const protocol of ['grpc', 'http/protobuf']) {
  const url = (receiver) => (protocol === 'grpc' ? receiver.grpcUrl : receiver.httpUrl);
  const trusting = { OTEL_EXPORTER_OTLP_PROTOCOL: protocol, OTEL_EXPORTER_OTLP_CERTIFICATE: server.cert };
  const mutual = { tls: { ...tls, ca: readFileSync(client.cert), requestCert: true } };

  test(`a receiver that asks for a client certificate gets it (${protocol})`, async (t) => {
    const receiver = await receiverFor(t, mutual);
    await load(t, url(receiver), { ...trusting, OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: client.cert, OTEL_EXPORTER_OTLP_CLIENT_KEY: client.key });
    assertArrived(receiver);
  });

  test(`without the client certificate nothing is delivered (${protocol})`, async (t) => {
    const receiver = await receiverFor(t, mutual);
    const result = await load(t, url(receiver), { ...trusting, ...tracesOnly, OTEL_EXPORTER_OTLP_TIMEOUT: '300' });
    assert.equal(receiver.spans().length, 0);
    assert.match(telemetryLines(result)[0], /spans dropped/);
  });
}

// ---- answers of grpc-js ------------------------------------------------------------------------

for (const code of [1, 4, 10, 11, 14, 15]) {
  test(`code ${code} is retried`, async (t) => {
    const receiver = await receiverFor(t, { script: [code] });
    const result = await load(t, receiver.grpcUrl, tracesOnly);
    assert.deepEqual(receiver.requests().map((r) => r.status), [code, 0]);
    assert.deepEqual(telemetryLines(result), []);
  });
}

for (const [code, name] of [[2, 'UNKNOWN'], [3, 'INVALID_ARGUMENT'], [7, 'PERMISSION_DENIED'], [8, 'RESOURCE_EXHAUSTED'], [12, 'UNIMPLEMENTED'], [13, 'INTERNAL'], [16, 'UNAUTHENTICATED']]) {
  test(`code ${code} is final`, async (t) => {
    const receiver = await receiverFor(t, { script: [code] });
    const result = await load(t, receiver.grpcUrl, tracesOnly);
    assert.deepEqual(receiver.requests().map((r) => r.status), [code]);
    assert.match(telemetryLines(result)[0], new RegExp(`gRPC status ${name}: scripted by the test \\(attempt 1\\); \\d+ spans dropped`));
  });
}

test('RetryInfo says how long to wait, and that RESOURCE_EXHAUSTED passes', async (t) => {
  const receiver = await receiverFor(t, { script: [{ code: 8, retryInfoMs: 1700, message: 'busy: 100% é' }] });
  await load(t, receiver.grpcUrl, tracesOnly);
  const [first, second] = receiver.requests();
  assert.equal(second.status, 0);
  assert.ok(second.at - first.at >= 1690, `${second.at - first.at} ms`);
});

test('a wait beyond the deadline is given up at once', async (t) => {
  const receiver = await receiverFor(t, { script: [{ code: 14, retryInfoMs: 3600_000, message: 'busy: 100% é\nsorry' }] });
  const result = await load(t, receiver.grpcUrl, tracesOnly);
  assert.equal(receiver.requests().length, 1);
  assert.match(telemetryLines(result)[0], /gRPC status UNAVAILABLE: busy: 100% é\?sorry \(attempt 1\)/);
});

test('what is rejected of a batch is told and never sent again', async (t) => {
  const receiver = await receiverFor(t, { script: [{ partial: { rejected: 2, message: 'names too long' } }] });
  const result = await load(t, receiver.grpcUrl, tracesOnly);
  assert.equal(receiver.requests().length, 1);
  assert.match(telemetryLines(result)[0], /rejected 2 of \d+ spans: names too long/);
});

test('an odd body of a success is a success', async (t) => {
  const receiver = await receiverFor(t, { script: [{ garbage: true }] });
  assert.deepEqual(telemetryLines(await load(t, receiver.grpcUrl, tracesOnly)), []);
  assert.equal(receiver.requests().length, 1);
});

// ---- a bare HTTP/2 server ----------------------------------------------------------------------

/** Answers each request with `answer(stream, n)`; `seen` has headers and body of each. */
async function bareServer(t, answer) {
  const seen = [];
  const sessions = new Set();
  const bare = http2.createServer();
  bare.on('session', (session) => { sessions.add(session); session.on('close', () => sessions.delete(session)); session.on('error', () => {}); });
  bare.on('stream', (stream, headers) => {
    const chunks = [];
    stream.on('error', () => {});
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => { seen.push({ headers, body: Buffer.concat(chunks) }); answer(stream, seen.length - 1); });
  });
  await new Promise((done) => bare.listen(0, '127.0.0.1', done));
  t.after(() => { for (const session of sessions) session.destroy(); bare.close(); });
  return { seen, url: `http://127.0.0.1:${bare.address().port}` };
}
const frame = (message, flag = 0) => {
  const head = Buffer.from([flag, 0, 0, 0, 0]);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
};
/** A full answer: headers, one frame, trailers. */
const reply = (body, trailers) => (stream) => {
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.end(body);
};
const accept = reply(frame(Buffer.alloc(0)), { 'grpc-status': '0' });

for (const compression of ['none', 'gzip']) {
  test(`a request is what the protocol says (${compression})`, async (t) => {
    const { seen, url } = await bareServer(t, accept);
    await load(t, `${url}/a/path?that=is-not-used`, { ...tracesOnly, OTEL_EXPORTER_OTLP_COMPRESSION: compression, OTEL_EXPORTER_OTLP_HEADERS: 'X-Key=a%20b' });
    assert.equal(seen.length, 1);
    const { headers, body } = seen[0];
    assert.equal(headers[':method'], 'POST');
    assert.equal(headers[':path'], '/opentelemetry.proto.collector.trace.v1.TraceService/Export');
    assert.equal(headers['content-type'], 'application/grpc');
    assert.equal(headers.te, 'trailers');
    assert.equal(headers['x-key'], 'a b');
    assert.match(headers['user-agent'], /^OTel-OTLP-Exporter-C\//);
    const [, ms] = /^(\d{1,8})m$/.exec(headers['grpc-timeout']);
    assert.ok(ms > 0 && ms <= 10_000);
    assert.equal(headers['grpc-encoding'], compression === 'gzip' ? 'gzip' : undefined);
    assert.equal(body[0], compression === 'gzip' ? 1 : 0);
    assert.equal(body.readUInt32BE(1), body.length - 5);
    const message = body.subarray(5);
    assert.ok(decodeProtobuf('traces', compression === 'gzip' ? zlib.gunzipSync(message) : message).resourceSpans.length > 0);
  });
}

/** ExportTraceServiceResponse {1: {1: 3, 2: "bad pts"}} */
const partial = Buffer.from('\x0a\x0b\x08\x03\x12\x07bad pts', 'latin1');
const answers = [
  ['a compressed response', reply(frame(zlib.gzipSync(partial), 1), { 'grpc-status': '0' }), 1, /rejected 3 of \d+ spans: bad pts/],
  ['trailers only', (s) => s.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '7', 'grpc-message': 'no%20%E2%82%AC %zz%' }, { endStream: true }), 1, /PERMISSION_DENIED: no € %zz% \(/],
  ['a success without a message', (s) => s.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0' }, { endStream: true }), 1, null],
  ['a proxy that says 403', (s) => { s.respond({ ':status': 403 }); s.end('no'); }, 1, /HTTP status 403 and no gRPC status/],
  ['a proxy that says 503, once', (s, n) => (n ? accept(s) : (s.respond({ ':status': 503 }), s.end('later'))), 2, null],
  ['an answer without trailers', (s) => { s.respond({ ':status': 200, 'content-type': 'application/grpc' }); s.end(frame(Buffer.alloc(0))); }, 1, /no gRPC status/],
  ['a stream that is reset, once', (s, n) => (n ? accept(s) : s.close(http2.constants.NGHTTP2_REFUSED_STREAM)), 2, null],
  ['a connection that is cut, once', (s, n) => (n ? accept(s) : s.session.destroy()), 2, null],
  ['a response over 4 MiB', (s) => { s.respond({ ':status': 200, 'content-type': 'application/grpc' }); s.end(Buffer.alloc(5 << 20)); }, 1, /spans dropped/],
];
for (const [title, answer, requests, warning] of answers) {
  test(`${title}: ${warning ? 'told' : 'fine'}`, async (t) => {
    const { seen, url } = await bareServer(t, answer);
    const result = await load(t, url, tracesOnly);
    assert.equal(seen.length, requests, result.stderr);
    if (warning) assert.match(telemetryLines(result)[0], warning);
    else assert.deepEqual(telemetryLines(result), []);
  });
}

// ---- nobody there ------------------------------------------------------------------------------

test('a dead and a hanging collector cost a load no more than the timeout', async (t) => {
  const sockets = [];
  const silent = net.createServer((socket) => { sockets.push(socket); socket.on('error', () => {}); });
  await new Promise((done) => silent.listen(0, '127.0.0.1', done));
  const receiver = await receiverFor(t, { script: [{ stall: true }] });
  const gone = await receiverFor(t);
  await gone.close();
  for (const url of [`http://127.0.0.1:${silent.address().port}`, receiver.grpcUrl, gone.grpcUrl]) {
    const result = await hoist(['load', modelId], exporting(t, url, { ...tracesOnly, OTEL_EXPORTER_OTLP_TIMEOUT: '400' }));
    assert.equal(result.rc, 0, result.output);
    assert.ok(result.durationMs < 8000, `${result.durationMs} ms`);
    assert.match(telemetryLines(result)[0], /spans dropped/);
  }
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test('an HTTP/1 receiver on the port is an error that says so', async (t) => {
  const receiver = await receiverFor(t);
  const result = await load(t, receiver.httpUrl, { ...tracesOnly, OTEL_EXPORTER_OTLP_TIMEOUT: '400' });
  assert.equal(receiver.requests().length, 0);
  assert.match(telemetryLines(result)[0], /gRPC http.*HTTP\/2|gRPC http.*\(attempt/);
});
