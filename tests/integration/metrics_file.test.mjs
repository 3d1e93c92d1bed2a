// SPDX-License-Identifier: Apache-2.0
//
// The metrics of a command: as Prometheus text, read by Prometheus's own promtool, and over OTLP with what
// leads from a measurement to its trace.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { after, test } from 'node:test';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { hoist, hoistOk, tempDir } from '../lib/harness.mjs';
import { makeWorld, modelId, totalBytes } from './world.mjs';

const world = await makeWorld(after);
const s3Env = (dir, more) => world.env(dir, { HOIST_SOURCES: 's3://models', ...more });

/** What promtool has against the text; "" where there is nothing. */
function promtool(text) {
  const result = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  assert.equal(result.error, undefined, 'promtool is missing: tools/setup check installs it (apt: prometheus)');
  return result.status === 0 ? '' : `status ${result.status}: ${result.stdout}${result.stderr}`;
}

/** Lines of samples → {name: [{labels, value}]}; the text was checked by promtool. */
function samples(text) {
  const families = {};
  for (const line of text.split('\n').filter((l) => l && !l.startsWith('#'))) {
    const [, name, labels, value] = /^([^{ ]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    const pairs = [...(labels ?? '').matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map((m) => [m[1], m[2]]);
    (families[name] ??= []).push({ labels: Object.fromEntries(pairs), value: Number(value) });
  }
  return families;
}

const only = (family) => { assert.equal(family?.length, 1, JSON.stringify(family)); return family[0]; };

test('promtool is here and finds fault with bad text', () => {
  assert.match(execFileSync('promtool', ['--version'], { encoding: 'utf8' }), /promtool/);
  assert.notEqual(promtool('a{b="c} 1\n'), '');
  assert.notEqual(promtool('# TYPE a gauge\na 1\n# TYPE a counter\na 2\n'), '');
});

test('the metrics file of a load is what Prometheus reads', async (t) => {
  const dir = tempDir(t);
  const path = join(dir, 'hoist.prom');
  const cache = join(dir, 'cache');
  const env = s3Env(cache);
  await hoistOk(['load', modelId, '--metrics-file', path], { env });
  const text = readFileSync(path, 'utf8');
  assert.equal(promtool(text), '');
  const found = samples(text);
  assert.deepEqual(only(found.inference_model_loads_total), { labels: { model_id: modelId, otel_scope_name: 'hoist', otel_scope_version: only(found.inference_model_loads_total).labels.otel_scope_version }, value: 1 });
  assert.equal(only(found.inference_model_load_duration_seconds_count).value, 1);
  assert.equal(found.inference_model_load_duration_seconds_bucket.at(-1).labels.le, '+Inf');
  assert.equal(only(found.hoist_artifacts_bytes_total).value, totalBytes);
  assert.ok(only(found.hoist_cache_size_bytes).value >= totalBytes);
  assert.equal(only(found.target_info).labels.service_name, 'hoist');
  assert.ok(only(found.otel_sdk_span_started_total).value >= 4);
  assert.ok(found.otel_sdk_exporter_span_exported_total.some((s) => s.labels.otel_component_type === 'otlp_http_span_exporter' && !s.labels.error_type));
  assert.deepEqual(readdirSync(dir).sort(), ['cache', 'hoist.prom']);

  await hoistOk(['rm', modelId, '--metrics-file', path], { env });
  const removed = readFileSync(path, 'utf8');
  assert.equal(promtool(removed), '');
  assert.equal(only(samples(removed).hoist_cache_size_bytes).value, 0);
});

test('exponential histograms are text that Prometheus reads, too', async (t) => {
  const dir = tempDir(t);
  const path = join(dir, 'hoist.prom');
  const env = s3Env(dir, { OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION: 'base2_exponential_bucket_histogram' });
  world.receiver.reset();
  await hoistOk(['load', modelId, '--metrics-file', path], { env });
  const text = readFileSync(path, 'utf8');
  assert.equal(promtool(text), '');
  assert.equal(only(samples(text).inference_model_load_duration_seconds_count).value, 1);
  const duration = world.receiver.metrics().find((metric) => metric.name === 'inference.model.load.duration');
  assert.equal(duration.type, 'exponentialHistogram');
  const [point] = duration.points;
  assert.deepEqual([point.count, point.scale, point.positive.buckets, point.zeroCount], [1, 20, [1], 0]);
  // The official decoder reads the bucket that the value is in: (base^offset, base^(offset + 1)].
  const exponent = Math.log2(point.sum) * 2 ** point.scale;
  assert.ok(point.positive.offset < exponent && exponent <= point.positive.offset + 1, `${point.positive.offset} ${exponent}`);
});

test('a slow load leads to its trace', async (t) => {
  world.receiver.reset();
  await hoistOk(['load', modelId], { env: s3Env(tempDir(t)) });
  const root = world.receiver.spans().find((span) => span.name === 'model.load');
  const metrics = world.receiver.metrics();
  for (const name of ['inference.model.load.duration', 'inference.model.loads', 'hoist.cache.lookups']) {
    const { exemplars } = metrics.find((metric) => metric.name === name).points[0];
    assert.equal(exemplars.length, 1, name);
    assert.equal(exemplars[0].traceId, root.traceId, name);
    assert.equal(exemplars[0].spanId, root.spanId, name);
  }
  world.receiver.reset();
  await hoistOk(['load', modelId], { env: s3Env(tempDir(t), { OTEL_METRICS_EXEMPLAR_FILTER: 'always_off' }) });
  assert.ok(world.receiver.metrics().every((metric) => metric.points.every((point) => point.exemplars.length === 0)));
});

test('OTEL_METRICS_EXPORTER=prometheus wants a file, and says so where there is none', async (t) => {
  const dir = tempDir(t);
  const env = s3Env(dir, { OTEL_METRICS_EXPORTER: 'prometheus', OTEL_TRACES_EXPORTER: 'none' });
  const without = await hoistOk(['load', modelId], { env });
  assert.match(without.stderr, /OTEL_METRICS_EXPORTER is prometheus.*--metrics-file/);
  const path = join(dir, 'hoist.prom');
  const withFile = await hoistOk(['load', modelId, '--metrics-file', path], { env });
  assert.doesNotMatch(withFile.stderr, /prometheus/);
  assert.equal(promtool(readFileSync(path, 'utf8')), '');
});

test('a metrics file that cannot be written is a warning', async (t) => {
  const result = await hoist(['load', modelId, '--metrics-file', '/nonexistent/dir/m.prom'], { env: s3Env(tempDir(t)) });
  assert.equal(result.rc, 0);
  assert.equal(result.stderr.match(/\/nonexistent\/dir\/m\.prom/g)?.length >= 1, true);
});
