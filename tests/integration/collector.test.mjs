// SPDX-License-Identifier: Apache-2.0
//
// The second peer: what we send over gRPC is taken by gRPC's own C core as well, and a reader that
// shares nothing with the official JavaScript packages decodes the same spans and metrics out of it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { tempDir } from '../lib/harness.mjs';
import { makeSpans } from '../lib/programs.mjs';
import { startCollector } from '../otlp/collector.mjs';
import { decodeProtobuf, startReceiver } from '../otlp/receiver.mjs';

const dir = tempDir(after);
function certificate(name) {
  const files = { key: join(dir, `${name}.key`), cert: join(dir, `${name}.pem`) };
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', files.key, '-out', files.cert], { stdio: 'ignore' });
  return files;
}
const server = certificate('server');
const client = certificate('client');

async function collectorFor(t, options) {
  const collector = await startCollector(options);
  t.after(() => collector.close());
  return collector;
}

/** Proto3 leaves defaults out, and decoders differ in whether they show them: neither does, after this. */
const isDefault = (value) => value === '' || value === 0 || value === '0' || value === false || (Array.isArray(value) && value.length === 0);
function withoutDefaults(value, inValue = false) {
  if (Array.isArray(value)) return value.map((item) => withoutDefaults(item));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).filter(([, v]) => inValue || !isDefault(v)).map(([k, v]) => [k, withoutDefaults(v, k === 'value')]));
}

for (const [transport, tls, options] of [
  ['cleartext', {}, {}],
  ['TLS', server, { ca: server.cert }],
  ['TLS with a client certificate', { ...server, clientCa: client.cert }, { ca: server.cert, cert: client.cert, key: client.key }],
]) {
  test(`spans and metrics arrive, retried where asked for, and decode as the official schema has them (${transport})`, async (t) => {
    const busy = { code: 'RESOURCE_EXHAUSTED', retry_ms: 300, message: 'busy: 100% é' };
    const collector = await collectorFor(t, { ...tls, script: [busy] });
    const result = await makeSpans({ endpoint: collector.url, grpc: true, gzip: true, metrics: true, spans: 200, batch: 100, delay: 600_000, headers: 'x-tenant=7', ...options });
    assert.deepEqual([result.exported, result.dropped, result.warnings], [200, 0, []]);
    const requests = collector.requests();
    assert.deepEqual(requests.map((r) => `${r.signal} ${r.code}`), ['traces RESOURCE_EXHAUSTED', 'traces OK', 'traces OK', 'metrics OK', 'metrics OK']); // flush and close
    assert.equal(requests[0].hex, requests[1].hex);
    for (const request of requests) {
      assert.equal(request.error, undefined);
      assert.deepEqual(withoutDefaults(request.body), withoutDefaults(decodeProtobuf(request.signal, Buffer.from(request.hex, 'hex'))));
      assert.equal(request.metadata['x-tenant'], '7');
      assert.match(request.metadata['user-agent'], /^OTel-OTLP-Exporter-C\//);
      assert.ok(request.timeLeft > 0 && request.timeLeft <= 10.1, `${request.timeLeft} s`);
    }
  });
}

test('without its client certificate the second peer is a configuration error, told at once', async (t) => {
  const collector = await collectorFor(t, { ...server, clientCa: client.cert });
  const result = await makeSpans({ endpoint: collector.url, grpc: true, ca: server.cert, spans: 5, timeout: 25_000, flush: 28_000 });
  assert.equal(result.dropped, 5);
  assert.equal(collector.requests().length, 0);
  assert.match(result.warnings[0], /does the receiver want a client certificate .*\(attempt [1-3]\)/);
  assert.ok(result.durationMs < 20_000, `${result.durationMs} ms`);
});

for (const [code, attempts] of [['UNAVAILABLE', 2], ['ABORTED', 2], ['RESOURCE_EXHAUSTED', 1], ['INVALID_ARGUMENT', 1], ['UNAUTHENTICATED', 1]]) {
  test(`${code} of the second peer: ${attempts} attempts`, async (t) => {
    const collector = await collectorFor(t, { script: [{ code, message: 'because of é' }] });
    const result = await makeSpans({ endpoint: collector.url, grpc: true, spans: 5 });
    assert.equal(collector.requests().length, attempts);
    assert.equal(result.exported, attempts === 2 ? 5 : 0);
    if (attempts === 1) assert.match(result.lastError, new RegExp(`gRPC status ${code}: because of é \\(attempt 1\\)`));
  });
}
