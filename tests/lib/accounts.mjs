// SPDX-License-Identifier: Apache-2.0
//
// Holds a trace against the access log of the stand-in origin: every request that arrived is a span and every
// span is a request, found by the trace context that the request carried, and their bytes agree.

import assert from 'node:assert/strict';
import { named } from './harness.mjs';

const CLOCK_MS = 5; // two readings of one clock, in two units
const bodyBytes = (span) => Number(span.attributes['http.response.body.size'] ?? 0);
const sum = (numbers) => numbers.reduce((total, n) => total + n, 0);
/** It has no answer, or not all of it: it failed below HTTP, or hoist ended it because it had become needless. */
const leftOff = (span) => span.attributes['hoist.http.stopped'] === true || (span.status.code === 'Error' && !/^\d+$/.test(span.attributes['error.type']));
const isSuccess = (span) => /^2/.test(span.attributes['http.response.status_code']);

/**
 * Waits until the origin has seen the end of every request of clients that are gone: that a client left is noticed a moment
 * later, and not at all (of node 20) where it left before the answer began.
 */
export async function settled(origin) {
  const open = () => origin.requests().filter((entry) => entry.complete === undefined);
  for (let i = 0; i < 100 && open().length > 0; i++) await new Promise((ok) => setTimeout(ok, 10));
  for (const entry of open()) Object.assign(entry, { complete: false, tookMs: 0 });
}

/**
 * Compares the spans of one process with the requests that it made. Returns {requests, fileBytes, sent, whole}: how many,
 * bytes that the spans below those of the files say came, bytes of files that the origin sent, whether all of them came.
 *
 * What the origin sent and what came are the same number, but where the client hung up (it stopped, or wanted no more)
 * or the connection was reset: then the rest was under way, and is no more than that.
 */
export function assertAccounted(spans, entries) {
  const requests = spans.filter((span) => span.kind === 'CLIENT');
  const byId = new Map(requests.map((span) => [span.spanId, span]));
  const answered = new Set();
  let whole = true;
  for (const entry of entries) {
    const [, traceId, spanId] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(entry.headers.traceparent) ?? assert.fail(`${entry.url} carries no trace context`);
    const span = byId.get(spanId);
    const what = `${entry.method} ${entry.url} (${entry.status}, ${entry.sent} bytes sent, ${entry.complete ? 'complete' : entry.cut ?? 'the client left'})`;
    assert.ok(span && span.traceId === traceId, `${what} has no span`);
    assert.ok(!answered.has(spanId), `${what}: two requests are one span`);
    answered.add(spanId);
    const known = span.attributes['http.response.status_code'];
    if (known !== undefined) assert.equal(Number(known), entry.status, what);
    else assert.ok(leftOff(span), `${what}: a span without a status says that all is well`);
    const gaveUp = leftOff(span);
    const allCame = entry.complete ? !gaveUp : entry.cut === 'stall' || entry.cut === 'close';
    whole &&= allCame;
    if (allCame) assert.equal(bodyBytes(span), entry.sent, what);
    else assert.ok(bodyBytes(span) <= entry.sent, `${what}: ${bodyBytes(span)} bytes on the span`);
    assert.ok(Number(span.startNs / 1000000n) <= entry.at + CLOCK_MS, `${what} arrived before its span began`);
    if (allCame && entry.sent > 0) assert.ok(entry.lastAt <= Number(span.endNs / 1000000n) + CLOCK_MS, `${what} was still being sent when its span ended`);
  }
  for (const span of requests.filter((one) => !answered.has(one.spanId)))
    assert.ok(span.attributes['http.response.status_code'] === undefined && leftOff(span), `the span ${span.name} ${span.attributes['url.full']} is no request`);

  const files = named(spans, 'model.artifact.download');
  const below = (file) => requests.filter((span) => span.parentSpanId === file.spanId);
  const fileBytes = sum(files.flatMap(below).map(bodyBytes));
  const parentOf = (entry) => byId.get(entry.headers.traceparent.split('-')[2]).parentSpanId;
  const sent = sum(entries.filter((entry) => files.some((file) => file.spanId === parentOf(entry))).map((entry) => entry.sent));
  for (const download of named(spans, 'model.artifacts.download')) {
    const own = files.filter((file) => file.parentSpanId === download.spanId);
    for (const file of own) assert.equal(Number(file.attributes['artifact.bytes']), sum(below(file).map(bodyBytes)), `${file.attributes['artifact.filename']}: it and its requests`);
    const came = sum(own.map((file) => Number(file.attributes['artifact.bytes'])));
    assert.equal(Number(download.attributes['model.artifacts.bytes']), came, `the download from ${download.attributes['model.artifacts.source']} and its files`);
    for (const file of own.filter((one) => one.status.code !== 'Error')) {
      const useful = Number(file.attributes['file.size']) - Number(file.attributes['artifact.resumed_bytes'] ?? 0);
      const made = below(file).length === 0; // the source described its contents
      assert.ok(made || sum(below(file).filter(isSuccess).map(bodyBytes)) >= useful, `${file.attributes['artifact.filename']}: fewer bytes came than it has`);
    }
  }
  return { requests: requests.length, fileBytes, sent, whole };
}
