// SPDX-License-Identifier: Apache-2.0
//
// The same spans through our encoder and through OpenTelemetry's own SDK for JavaScript, both decoded
// with the official schema: field by field the same, but for ids, the times that nobody gave, and the
// flag "random trace id", which that SDK does not know.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertExit, start, tempDir } from '../lib/harness.mjs';
import { program } from '../lib/programs.mjs';
import { decodeProtobuf, requirePackage } from '../otlp/receiver.mjs';

const { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, createTraceState } = requirePackage('@opentelemetry/api');
const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = requirePackage('@opentelemetry/sdk-trace-base');
const { resourceFromAttributes } = requirePackage('@opentelemetry/resources');
const { ProtobufTraceSerializer } = requirePackage('@opentelemetry/otlp-transformer');

// ---- ours --------------------------------------------------------------------------------------

const file = join(tempDir(after), 'spans.binpb');
assertExit(await start([file], { bin: program('equal_spans') }).done, 0);
const ours = decodeProtobuf('traces', readFileSync(file));

// ---- theirs: keep in step with tests/programs/equal_spans.c ------------------------------------

const T0 = [1700000000, 123456789];
const at = (ns) => [T0[0], T0[1] + ns];
const far = {
  traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1, isRemote: true,
  traceState: createTraceState('rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'),
};
const value = (any) => Object.values(any)[0];
const resourceAttributes = Object.fromEntries(ours.resourceSpans[0].resource.attributes.map((a) => [a.key, a.key === 'process.pid' ? Number(value(a.value)) : value(a.value)]));

function theirs() {
  const exporter = new InMemorySpanExporter();
  const tracerOf = (spanLimits) => new BasicTracerProvider({
    resource: resourceFromAttributes(resourceAttributes, { schemaUrl: ours.resourceSpans[0].schemaUrl }), spanProcessors: [new SimpleSpanProcessor(exporter)], spanLimits,
  }).getTracer('equal', '1.2');
  const tracer = tracerOf(undefined);
  const root = tracer.startSpan('root', { root: true });
  const below = (span) => trace.setSpan(ROOT_CONTEXT, span);
  const make = (name, use = () => {}, { parent = root, kind = SpanKind.INTERNAL, by = tracer, endAt = at(1000001) } = {}) => {
    const span = by.startSpan(name, { kind, startTime: T0 }, below(parent));
    use(span);
    span.end(endAt);
  };
  for (const kind of ['internal', 'server', 'client', 'producer', 'consumer']) make(`kind ${kind}`, undefined, { kind: SpanKind[kind.toUpperCase()] });
  make('scalars', (s) => s.setAttributes({
    string: 'value', 'string.empty': '', 'string.utf8': 'héllo wörld €𝄞', int: 42, 'int.zero': 0, 'int.negative': -7, 'int.large': 9007199254740991,
    'int.small': -9007199254740991, double: 0.1, 'double.negative': -1.5e-300, 'bool.true': true, 'bool.false': false, again: 'first',
  }).setAttribute('again', 2));
  make('arrays', (s) => s.setAttributes({ strings: ['a', '', 'é'], integers: [1, -2, 0, 9007199254740991], numbers: [0.5, -0.25], booleans: [true, false, true], one: [1], none: [] }));
  make('events', (s) => s.addEvent('bare', at(1)).addEvent('with attributes', { reason: 'because', count: 3 }, at(2)).addEvent('ünïcode', { reason: 'because' }, at(999999)));
  make('links', (s) => s.addLink({ context: far }).addLink({ context: root.spanContext(), attributes: { why: 'retry of', n: 1 } }));
  const error = { code: SpanStatusCode.ERROR, message: 'it broke: é' };
  const ok = { code: SpanStatusCode.OK, message: 'not said' };
  const unset = { code: SpanStatusCode.UNSET };
  for (const [name, first, second] of [
    ['error', error, unset], ['ok', ok, unset], ['error then ok', error, ok], ['ok then error', ok, error],
    ['error twice', error, { code: SpanStatusCode.ERROR, message: 'other' }], ['error without words', { code: SpanStatusCode.ERROR }, unset],
  ]) make(`status ${name}`, (s) => s.setStatus(first).setStatus(second));
  make('a näme with 𝄞');
  make('before', (s) => s.updateName('renamed'));
  make('ends before it starts', undefined, { endAt: [T0[0], T0[1] - 5] });
  root.end();
  const remote = tracer.startSpan('remote parent', { kind: SpanKind.SERVER }, trace.setSpanContext(ROOT_CONTEXT, far));
  make('child of a remote parent\'s child', undefined, { parent: remote });
  remote.end();
  const limited = tracerOf({ attributeValueLengthLimit: 8, attributeCountLimit: 3, eventCountLimit: 2, linkCountLimit: 1, attributePerEventCountLimit: 2, attributePerLinkCountLimit: 2 });
  const limitedRoot = limited.startSpan('limited root', { root: true });
  make('limited', (s) => {
    s.setAttribute('cut', '1234567890').setAttribute('list', ['1234567890', '12345']);
    for (let i = 0; i < 5; i++) s.setAttribute(`k${i}`, i);
    s.setAttribute('k0', 7);
    for (let i = 0; i < 4; i++) s.addEvent('event', { a: '1234567890', b: 2, c: 3 }, at(1));
    for (let i = 0; i < 3; i++) s.addLink({ context: far, attributes: { a: '1234567890', b: 2, c: 3 } });
  }, { parent: limitedRoot, by: limited });
  limitedRoot.end();
  return decodeProtobuf('traces', ProtobufTraceSerializer.serializeRequest(exporter.getFinishedSpans()));
}

// ---- made comparable ---------------------------------------------------------------------------

const RANDOM = 2;
const NOW = new Set(['root', 'limited root', 'remote parent']); // spans that began and ended at no given time
const byKey = (attributes = []) => Object.fromEntries([...attributes].sort((a, b) => (a.key < b.key ? -1 : 1)).map((a) => [a.key, a.value]));

/** Name → span, ids replaced by the names of what they identify; defaults, which encoders may leave out, filled in. */
function comparable(request) {
  const spans = request.resourceSpans.flatMap((r) => r.scopeSpans.flatMap((s) => s.spans));
  const traces = new Map();
  const names = new Map(spans.map((span) => [span.spanId, span.name]));
  for (const span of spans) if (!span.parentSpanId) traces.set(span.traceId, `the trace of ${span.name}`);
  const span = (s) => ({
    name: s.name, kind: s.kind, traceId: traces.get(s.traceId) ?? s.traceId, parentSpanId: names.get(s.parentSpanId) ?? s.parentSpanId ?? '',
    traceState: s.traceState ?? '', flags: s.flags & ~RANDOM,
    startTimeUnixNano: NOW.has(s.name) ? 'some time' : s.startTimeUnixNano, endTimeUnixNano: NOW.has(s.name) ? 'some time' : s.endTimeUnixNano,
    attributes: byKey(s.attributes), droppedAttributesCount: s.droppedAttributesCount ?? 0,
    events: (s.events ?? []).map((e) => ({ name: e.name, timeUnixNano: e.timeUnixNano, attributes: byKey(e.attributes), droppedAttributesCount: e.droppedAttributesCount ?? 0 })),
    droppedEventsCount: s.droppedEventsCount ?? 0,
    links: (s.links ?? []).map((l) => ({
      traceId: traces.get(l.traceId) ?? l.traceId, spanId: names.get(l.spanId) ?? l.spanId, traceState: l.traceState ?? '', flags: (l.flags ?? 0) & ~RANDOM,
      attributes: byKey(l.attributes), droppedAttributesCount: l.droppedAttributesCount ?? 0,
    })),
    droppedLinksCount: s.droppedLinksCount ?? 0,
    status: { code: s.status?.code ?? 0, message: s.status?.message ?? '' },
  });
  assert.equal(names.size, spans.length, 'span ids are unique');
  return new Map(spans.map((s) => [s.name, span(s)]));
}

// ---- and compared ------------------------------------------------------------------------------

const their = theirs();
const left = comparable(ours);
const right = comparable(their);

test('the same spans were made', () => assert.deepEqual([...left.keys()].sort(), [...right.keys()].sort()));
for (const [name, span] of right) test(`span: ${name}`, () => assert.deepEqual(left.get(name), span));

test('resource', () => {
  for (const group of ours.resourceSpans) {
    const sameInstance = (attributes) => ({ ...byKey(attributes), 'service.instance.id': 'any' });
    assert.deepEqual(sameInstance(group.resource.attributes), sameInstance(their.resourceSpans[0].resource.attributes));
    assert.equal(group.resource.droppedAttributesCount ?? 0, their.resourceSpans[0].resource.droppedAttributesCount ?? 0);
    assert.equal(group.schemaUrl, their.resourceSpans[0].schemaUrl);
  }
});

test('scope', () => {
  const scopes = (request) => request.resourceSpans.flatMap((r) => r.scopeSpans.map((s) => ({ name: s.scope.name, version: s.scope.version })));
  assert.deepEqual(scopes(ours), [{ name: 'equal', version: '1.2' }, { name: 'equal', version: '1.2' }]);
  assert.deepEqual(scopes(their)[0], { name: 'equal', version: '1.2' });
});
