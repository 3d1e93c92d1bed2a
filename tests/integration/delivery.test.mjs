// SPDX-License-Identifier: Apache-2.0
//
// Delivery: what a batch of spans goes through with collectors that refuse, dawdle, talk nonsense or
// die, over both protocols, and that nothing is lost or counted twice where there are very many.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import zlib from 'node:zlib';
import { tempDir } from '../lib/harness.mjs';
import { makeSpans, startSpans } from '../lib/programs.mjs';
import { startReceiver } from '../otlp/receiver.mjs';

async function receiverFor(t, options) {
  const receiver = await startReceiver(options);
  t.after(() => receiver.close());
  return receiver;
}

/** A server of bare TCP: `serve(socket)`. → its port */
async function bareServer(t, serve) {
  const sockets = new Set();
  const server = net.createServer((socket) => { sockets.add(socket); socket.on('close', () => sockets.delete(socket)); socket.on('error', () => {}); serve(socket); });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => { for (const socket of sockets) socket.destroy(); server.close(); });
  return server.address().port;
}

const protocols = [
  { name: 'http', options: (r) => ({ endpoint: `${r.httpUrl}/v1/traces` }) },
  { name: 'grpc', options: (r) => ({ endpoint: r.grpcUrl, grpc: true }) },
];
const accounted = (result) => assert.equal(result.exported + result.dropped, result.made);

for (const { name, options } of protocols) {
  describe(`over ${name}`, () => {
    test('many batches: each span once, one request at a time, no empty one, our user agent', async (t) => {
      const receiver = await receiverFor(t, { script: Array(5).fill({ delayMs: 30 }) });
      const result = await makeSpans({ ...options(receiver), spans: 2000, batch: 100, delay: 10, threads: 4, metrics: true });
      assert.equal(result.exported, 2000);
      assert.equal(receiver.mostInFlight(), 1);
      assert.equal(new Set(receiver.spans().map((span) => span.spanId)).size, 2000);
      for (const request of receiver.requests()) {
        assert.equal(request.error, undefined);
        const groups = request.body.resourceSpans ?? request.body.resourceMetrics;
        assert.ok(groups.length > 0);
        for (const group of groups) {
          assert.match(group.schemaUrl, /^https:\/\/opentelemetry\.io\/schemas\/1\.\d+\.0$/);
          for (const scope of group.scopeSpans ?? group.scopeMetrics) assert.ok((scope.spans ?? scope.metrics).length > 0);
        }
        assert.match(request.headers['user-agent'], /^OTel-OTLP-Exporter-C\/\d+\.\d+\.\d+ hoist\/\d+\.\d+\.\d+$/);
      }
      const points = receiver.metrics().filter((m) => m.name === 'spans.made').flatMap((m) => m.points);
      assert.equal(points.at(-1).value, 2000);
    });

    test('a retried batch arrives once, whole, and is no loss', async (t) => {
      const busy = name === 'http' ? { status: 503, retryAfter: 1 } : { code: 14, retryInfoMs: 300 };
      const receiver = await receiverFor(t, { script: [busy, busy] });
      const result = await makeSpans({ ...options(receiver), spans: 100 });
      assert.deepEqual([result.exported, result.dropped, result.exportsFailed], [100, 0, 0]);
      assert.deepEqual(result.warnings, []);
      const requests = receiver.requests();
      assert.equal(requests.length, 3);
      for (const request of requests) assert.deepEqual(request.body, requests[0].body);
      const wait = name === 'http' ? 1000 : 300;
      assert.ok(requests[1].at - requests[0].at >= wait - 10 && requests[2].at - requests[1].at >= wait - 10);
    });

    test('one deadline holds for a batch and all its retries', async (t) => {
      const receiver = await receiverFor(t, { script: Array(100).fill(name === 'http' ? 503 : 14) });
      const result = await makeSpans({ ...options(receiver), spans: 10, timeout: 2500 });
      assert.deepEqual([result.exported, result.dropped, result.exportsFailed], [0, 10, 1]);
      const requests = receiver.requests();
      assert.ok(requests.length >= 2, 'it was tried again');
      assert.ok(requests.at(-1).at - requests[0].at <= 2500);
      assert.match(result.lastError, new RegExp(`\\(attempt ${requests.length}\\)$`));
    });

    test('what is rejected is counted, told with its reason, and never sent again', async (t) => {
      const receiver = await receiverFor(t, { script: [{ partial: { rejected: 7, message: 'too old' } }, { partial: { rejected: 0, message: 'please batch less' } }] });
      const result = await makeSpans({ ...options(receiver), spans: 100, batch: 50 });
      assert.deepEqual([result.exported, result.dropped], [93, 7]);
      assert.equal(receiver.requests().length, 2);
      assert.equal(result.warnings.length, 1, 'one warning for both');
      assert.match(result.warnings[0], /rejected 7 of 50 spans: too old/);
    });

    test('a receiver that claims to reject more than it got is not believed', async (t) => {
      const receiver = await receiverFor(t, { script: [{ partial: { rejected: 1e15, message: 'all of it' } }] });
      const result = await makeSpans({ ...options(receiver), spans: 100 });
      assert.deepEqual([result.exported, result.dropped], [0, 100]);
    });

    test('an error that stays: every batch is one request, the log has one line', async (t) => {
      const receiver = await receiverFor(t, { script: Array(50).fill(name === 'http' ? 400 : 3) });
      const result = await makeSpans({ ...options(receiver), spans: 500, batch: 50 });
      assert.deepEqual([result.exported, result.dropped, result.exportsFailed], [0, 500, 10]);
      assert.equal(receiver.requests().length, 10);
      assert.equal(result.warnings.length, 1);
      assert.match(result.warnings[0], /more of this is only counted$/);
      assert.equal(result.flush, 'unavailable');
    });

    test('nobody there, somebody silent, somebody who hangs up: the deadline ends it, with one warning', async (t) => {
      const gone = await bareServer(t, (socket) => socket.destroy());
      const silent = await bareServer(t, (socket) => socket.resume());
      const closed = await startReceiver();
      await closed.close();
      const ports = { gone, silent, closed: name === 'http' ? closed.httpPort : closed.grpcPort };
      await Promise.all(Object.entries(ports).map(async ([what, port]) => {
        const result = await makeSpans({ endpoint: `http://127.0.0.1:${port}/v1/traces`, grpc: name === 'grpc', spans: 40, batch: 10, timeout: 300 });
        assert.deepEqual([what, result.exported, result.dropped, result.exportsFailed], [what, 0, 40, 4]);
        assert.equal(result.warnings.length, 1, what);
        assert.ok(result.durationMs < 20_000, `${what}: ${result.durationMs} ms`);
      }));
    });

    test('garbage for an answer is refused at once', async (t) => {
      for (const garbage of ['SSH-2.0-OpenSSH_9.2\r\n', '\x15\x03\x01\x00\x02\x02\x50', '\x00'.repeat(5000), 'HTTP/9.9 000\r\n\r\n']) {
        const port = await bareServer(t, (socket) => socket.once('data', () => socket.end(Buffer.from(garbage, 'latin1'))));
        const result = await makeSpans({ endpoint: `http://127.0.0.1:${port}/v1/traces`, grpc: name === 'grpc', spans: 5, timeout: 1500 });
        assert.deepEqual([result.exported, result.dropped, result.exportsFailed], [0, 5, 1], JSON.stringify(garbage.slice(0, 20)));
        assert.equal(result.warnings.length, 1);
      }
    });

    test('a flush that runs out of time says so, and the batch is not lost for it', async (t) => {
      const receiver = await receiverFor(t, { script: [{ delayMs: 600 }] });
      const result = await makeSpans({ ...options(receiver), spans: 20, flush: 100 });
      assert.equal(result.flush, 'timeout');
      await receiver.waitFor((r) => r.requests().length === 1);
      assert.equal(receiver.spans().length, 20, 'close waited for the answer');
    });
  });
}

// ---- HTTP only ---------------------------------------------------------------------------------

const toHttp = (receiver) => ({ endpoint: `${receiver.httpUrl}/v1/traces`, spans: 30 });

for (const status of [429, 502, 503, 504]) {
  test(`HTTP ${status} is retried`, async (t) => {
    const receiver = await receiverFor(t, { script: [status] });
    const result = await makeSpans(toHttp(receiver));
    assert.equal(result.exported, 30);
    assert.deepEqual(receiver.requests().map((r) => r.status), [status, 200]);
  });
}

for (const status of [301, 400, 401, 403, 404, 405, 408, 413, 415, 500, 501, 505]) {
  test(`HTTP ${status} is final`, async (t) => {
    const receiver = await receiverFor(t, { script: [{ status, message: 'because' }] });
    const result = await makeSpans(toHttp(receiver));
    assert.equal(result.dropped, 30);
    assert.equal(receiver.requests().length, 1);
    assert.match(result.warnings[0], new RegExp(`HTTP status ${status}: because \\(attempt 1\\); 30 spans dropped`));
  });
}

for (const status of [200, 202, 204]) {
  test(`HTTP ${status} is a success`, async (t) => {
    const receiver = await receiverFor(t, { script: [{ status }] });
    const result = await makeSpans(toHttp(receiver));
    assert.deepEqual([result.exported, receiver.requests().length, result.warnings.length], [30, 1, 0]);
  });
}

test('Retry-After as a date is waited for', async (t) => {
  const receiver = await receiverFor(t, { script: [{ status: 503, retryAfter: new Date(Math.ceil(Date.now() / 1000) * 1000 + 3000).toUTCString() }] });
  const result = await makeSpans(toHttp(receiver));
  const [first, second] = receiver.requests();
  assert.equal(result.exported, 30);
  assert.ok(second.at - first.at >= 1500, `${second.at - first.at} ms`);
});

for (const retryAfter of ['18446744073709552', '9223372036854775807', '86400', 'Fri, 31 Dec 9999 23:59:59 GMT']) {
  test(`Retry-After: ${retryAfter} is beyond the deadline: given up at once`, async (t) => {
    const receiver = await receiverFor(t, { script: [{ status: 503, retryAfter }] });
    const result = await makeSpans({ ...toHttp(receiver), timeout: 20_000 });
    assert.deepEqual([result.dropped, receiver.requests().length], [30, 1]);
    assert.ok(result.durationMs < 10_000);
  });
}

const closing = 'Connection: close\r\n\r\n';
const answers = [
  // [what, action, requests, exported]
  ['closes without an answer', { halfClose: 'before' }, 2, 30],
  ['closes in the middle of a 200', { halfClose: true }, 1, 30],
  ['closes in the middle of a 503', { status: 503, halfClose: true }, 2, 30],
  ['answers 200 with a body that is not protobuf', { garbage: true }, 1, 30],
  ['answers with HTTP/1.0', { raw: 'HTTP/1.0 200 OK\r\n\r\n' }, 1, 30],
  ['answers with 5 MiB', { raw: `HTTP/1.1 200 OK\r\n${closing}${'x'.repeat(5 << 20)}` }, 1, 0],
  ['answers with headers of 1 MiB', { raw: `HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(1 << 20)}\r\n${closing}` }, 1, 0],
  ['answers with 5 MiB, compressed to 5 KiB', { raw: `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n${closing}${zlib.gzipSync(Buffer.alloc(5 << 20)).toString('latin1')}` }, 1, 0],
  ['rejects two spans in a compressed answer', { raw: `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n${closing}${zlib.gzipSync(Buffer.from('\x0a\x02\x08\x02', 'latin1')).toString('latin1')}` }, 1, 28],
  ['answers a byte at a time', { raw: `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${closing}`, dripMs: 5 }, 1, 30],
];
for (const [what, action, requests, exported] of answers) {
  test(`a receiver that ${what}: ${exported} of 30 arrive, ${requests} requests`, async (t) => {
    const receiver = await receiverFor(t, { script: [action] });
    const result = await makeSpans(toHttp(receiver));
    assert.deepEqual([result.exported, receiver.requests().length], [exported, requests], result.lastError);
    accounted(result);
  });
}

test('a receiver that would take minutes for its answer is left at the deadline', async (t) => {
  const receiver = await receiverFor(t, { script: [{ dripMs: 100 }] });
  const result = await makeSpans({ ...toHttp(receiver), timeout: 500 });
  assert.equal(result.dropped, 30);
  assert.match(result.lastError, /no answer in time/);
});

// ---- a client certificate that is missing ------------------------------------------------------

/** `openssl s_server` that demands one under TLS 1.3. → its port */
async function strictTlsServer(t, dir) {
  const files = { key: join(dir, 'strict.key'), cert: join(dir, 'strict.pem') };
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=strict', '-addext', 'subjectAltName=IP:127.0.0.1',
    '-keyout', files.key, '-out', files.cert], { stdio: 'ignore' });
  const server = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', '-key', files.key, '-cert', files.cert, '-CAfile', files.cert,
    '-Verify', '1', '-verify_return_error', '-tls1_3', '-www'], { stdio: ['pipe', 'pipe', 'pipe'] });
  t.after(() => server.kill('SIGKILL'));
  const port = await new Promise((ok, fail) => {
    let said = '';
    const look = (data) => { said += data; const at = /ACCEPT 127\.0\.0\.1:(\d+)/.exec(said); if (at) ok(Number(at[1])); };
    server.stdout.on('data', look);
    server.stderr.on('data', look);
    server.on('exit', () => fail(new Error(`s_server: ${said}`)));
  });
  return { port, ca: files.cert };
}

for (const grpc of [false, true]) {
  test(`a client certificate that is missing under TLS 1.3 is told, not retried (${grpc ? 'grpc' : 'http'})`, async (t) => {
    const { port, ca } = await strictTlsServer(t, tempDir(t));
    const result = await makeSpans({ endpoint: `https://127.0.0.1:${port}/v1/traces`, grpc, ca, spans: 5, timeout: 25_000, flush: 28_000 });
    assert.equal(result.dropped, 5);
    assert.match(result.warnings[0], /does the receiver want a client certificate \(OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE\)\? .*\(attempt [1-3]\)/);
    // Where the alert comes too early to be read it looks like a broken connection: asked again, not for ever.
    assert.ok(result.durationMs < 20_000, `${result.durationMs} ms`);
  });
}

// ---- very many ---------------------------------------------------------------------------------

const million = 1_000_000;
for (const { name, options } of protocols) {
  test(`a million spans below the queue's bound all arrive, each once (${name}, gzip)`, async (t) => {
    const receiver = await receiverFor(t, { countOnly: true });
    const result = await makeSpans({ ...options(receiver), gzip: true, spans: million, threads: 4, queue: 512 << 20, batch: 8192, flush: 100_000 }, { timeoutMs: 120_000 });
    assert.deepEqual([result.ended, result.exported, result.dropped], [million, million, 0], result.lastError);
    assert.deepEqual([receiver.spanCount(), receiver.spanIdCount()], [million, million]);
    t.diagnostic(`recorded in ${result.recordSeconds} s, delivered after ${(result.durationMs / 1000).toFixed(1)} s`);
  });

  test(`above the bound: what arrived and what was dropped is exactly what was made (${name}, gzip)`, async (t) => {
    const receiver = await receiverFor(t, { countOnly: true, script: Array(10_000).fill({ delayMs: 5 }) });
    const result = await makeSpans({ ...options(receiver), gzip: true, spans: million, threads: 4, queue: 1 << 20, delay: 10, flush: 100_000 }, { timeoutMs: 120_000 });
    accounted(result);
    assert.ok(result.dropped > 0, 'the queue was too large for this test');
    assert.deepEqual([receiver.spanCount(), receiver.spanIdCount()], [result.exported, result.exported]);
    assert.equal(result.warnings.length, 1, result.stderr);
    t.diagnostic(`${result.exported} exported, ${result.dropped} dropped`);
  });
}

test('two million spans and a dead collector: memory stays flat, one warning per trouble', async (t) => {
  const closed = await startReceiver();
  await closed.close();
  const result = await makeSpans({ endpoint: `${closed.httpUrl}/v1/traces`, spans: 2 * million, threads: 4, timeout: 200, delay: 10, flush: 60_000 }, { timeoutMs: 120_000 });
  accounted(result);
  assert.equal(result.exported, 0);
  const [warm, last] = [result.rssKib[2], result.rssKib.at(-1)];
  t.diagnostic(`RSS ${warm} KiB after the first tenths, ${last} KiB at the end`);
  assert.ok(last - warm < 2048, `${warm} KiB → ${last} KiB`);
  assert.equal(result.warnings.length, 2, result.stderr); // the collector, and the queue that fills up for it
  for (const trouble of [/: POST http.* spans? dropped/, /: the span queue was full/]) assert.equal(result.warnings.filter((line) => trouble.test(line)).length, 1, result.stderr);
});

test('a request is never larger than 64 MiB, however many spans a batch may have', async (t) => {
  const receiver = await receiverFor(t, { countOnly: true });
  const spans = 130_000; // of a little over 1000 bytes
  const result = await makeSpans({ ...protocols[0].options(receiver), spans, value: 1000, queue: 400 << 20, batch: spans, delay: 600_000, flush: 60_000 }, { timeoutMs: 120_000 });
  const sizes = receiver.requests().filter((r) => r.signal === 'traces').map((r) => r.bytes);
  assert.equal(result.exported, spans, result.lastError);
  assert.equal(receiver.spanCount(), spans);
  assert.ok(sizes.reduce((a, b) => a + b, 0) > 128 * 2 ** 20 && sizes.length > 2);
  assert.ok(Math.max(...sizes) <= 64 * 2 ** 20, `${Math.max(...sizes)} bytes`);
});

// ---- what the status says ----------------------------------------------------------------------

test('the status counts what was started, and what was dropped by its reason', async (t) => {
  const none = { queue_full: 0, export_failed: 0, rejected: 0, shutdown: 0, no_memory: 0 };
  const receiver = await receiverFor(t, { script: [400, { partial: { rejected: 3, message: 'no' } }] });
  const result = await makeSpans({ ...toHttp(receiver), spans: 60, batch: 20 });
  assert.deepEqual([result.started, result.ended, result.exported, result.dropped], [60, 60, 37, 23]);
  assert.deepEqual(result.reasons, { ...none, export_failed: 20, rejected: 3 });
  const full = await makeSpans({ spans: 100_000, queue: 1 << 14, delay: 600_000 });
  assert.equal(full.started, 100_000);
  assert.deepEqual(full.reasons, { ...none, queue_full: full.dropped });
  accounted(full);
});
