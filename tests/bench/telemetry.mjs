// SPDX-License-Identifier: Apache-2.0
//
// What recording costs, in hoist and beside it in the SDKs of other languages: nanoseconds and
// allocations per call, as one Markdown table. hoist always runs; a peer runs where its packages are
// installed, else it is told how to get it. Every program prints one line of JSON per row.
//
//   node tests/bench/telemetry.mjs [--build DIR] [--json FILE] [--svg FILE]
//
// --build (default build) has bench_telemetry and, where it can be built, bench_opentelemetry_cpp.
// --json saves the figures, --svg a plot of them.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../lib/harness.mjs';
import { plot } from './telemetry/plot.mjs';

const { values: options } = parseArgs({ options: { build: { type: 'string', default: 'build' }, json: { type: 'string' }, svg: { type: 'string' } } });
const build = resolve(projectRoot, options.build);
const source = join(projectRoot, 'tests/bench/telemetry');
const scratch = mkdtempSync(join(tmpdir(), 'hoist-bench-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const rows = [
  { id: 'span.off', text: 'start + end, not configured', bar: 1 },
  { id: 'span.unsampled', text: 'start + end, not sampled', bar: 15 },
  { id: 'span.sampled', text: 'start + end, recorded' },
  { id: 'span.five', text: 'start + 5 attributes + end, recorded', bar: 100 },
  { id: 'span.five.2', text: 'the same in two threads, wall per span', bar: 100 },
  { id: 'span.five', text: 'CPU time per such span until it is exported', cpu: true },
  { id: 'counter', text: 'counter add, 1 attribute' },
  { id: 'counter.2', text: 'add in two threads, wall per add' },
  { id: 'counter.bound', text: 'bound counter add', bar: 5 },
  { id: 'counter.bound.2', text: 'bound add in two threads, wall per add' },
  { id: 'histogram', text: 'histogram record, 1 attribute' },
];

/* ---- who is measured --------------------------------------------------------------------------- */

const run = (command, args, env) => execFileSync(command, args, { cwd: projectRoot, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
const version = (file, pattern) => readFileSync(file, 'utf8').match(pattern)?.[1] ?? '?';

const goPath = '/usr/share/gocode';
const goModules = join(goPath, 'src/go.opentelemetry.io');
function runGo() {
  const tags = [['otlp', 'proto/otlp/trace/v1'], ['metrics', 'otel/sdk/metric/provider.go']].filter(([, path]) => existsSync(join(goModules, path))).map(([tag]) => tag);
  const env = { GO111MODULE: 'off', GOPATH: goPath, GOFLAGS: '', GOCACHE: join(scratch, 'go-cache') };
  run('go', ['build', '-tags', tags.join(' '), '-o', join(scratch, 'go'), './tests/bench/telemetry/go'], env);
  return run(join(scratch, 'go'), []);
}

const npm = join(projectRoot, '.deps/npm/tests/node_modules');
const sdks = [
  {
    name: 'hoist',
    version: () => version(join(projectRoot, 'meson.build'), /version: '([^']+)'/),
    note: 'Encodes to OTLP in the caller; the export thread joins batches and hands them to on_spans.',
    run: () => run(join(build, 'tests/bench/bench_telemetry'), []),
  },
  {
    name: 'opentelemetry-cpp',
    missing: () => existsSync(join(build, 'tests/bench/bench_opentelemetry_cpp')) ? '' : 'not built: needs opentelemetry-cpp-dev and libabsl-dev (Debian 13)',
    version: () => run('pkg-config', ['--modversion', 'opentelemetry_api']).trim(),
    note: 'Batch processor; OTLP messages are made in the caller and dropped by the exporter, which does not serialise them.',
    run: () => run(join(build, 'tests/bench/bench_opentelemetry_cpp'), []),
  },
  {
    name: 'OpenTelemetry Go',
    missing: () => existsSync(join(goModules, 'otel/sdk/trace')) && existsSync('/usr/bin/go') ? '' : 'needs golang-go and golang-opentelemetry-otel-dev',
    version: () => version(join(goModules, 'otel/version.go'), /return "([^"]+)"/),
    note: existsSync(join(goModules, 'proto/otlp')) ? 'Batch processor; its exporter encodes to OTLP and drops.' : 'Batch processor; its exporter drops, since this distribution has no OTLP for Go, and no metrics.',
    run: runGo,
  },
  {
    name: 'OpenTelemetry JS',
    missing: () => existsSync(join(npm, '@opentelemetry/sdk-trace-base')) ? '' : 'needs the packages of tests/npm',
    version: () => JSON.parse(readFileSync(join(npm, '@opentelemetry/sdk-trace-base/package.json'))).version,
    note: 'Batch processor; its exporter encodes to OTLP and drops. One thread. Bytes put on the heap in place of allocations.',
    run: () => run(process.execPath, ['--expose-gc', '--max-semi-space-size=256', join(source, 'opentelemetry_js.mjs')]),
  },
];

function measure(sdk) {
  const missing = sdk.missing?.();
  if (missing) return { name: sdk.name, missing };
  process.stderr.write(`measuring ${sdk.name}\n`);
  try {
    const lines = sdk.run().split('\n').filter(Boolean).map((line) => JSON.parse(line));
    return {
      name: sdk.name, version: sdk.version(), note: sdk.note,
      rows: Object.fromEntries(lines.filter((line) => line.row).map((line) => [line.row, line])),
      reports: Object.fromEntries(lines.filter((line) => line.report).map((line) => [line.report, line.value])),
    };
  } catch (error) {
    if (sdk.name === 'hoist') throw error;
    return { name: sdk.name, failed: String(error.stderr || error.message).trim() };
  }
}

/* ---- the table --------------------------------------------------------------------------------- */

const ns = (value) => value.toFixed(value < 10 ? 1 : 0);
const ratio = (value) => `${value.toFixed(value < 10 ? 1 : 0)}×`;

function allocations(row) {
  if (row.bytes !== undefined) return row.bytes < 1 ? '0 B' : `${Math.round(row.bytes)} B`;
  return row.allocations < 1 ? String(Math.round(row.allocations * 100) / 100) : String(Math.round(row.allocations));
}

function cell(row, figures, ours) {
  if (!figures) return '–';
  const parts = row.cpu ? [ns(figures.cpu_ns)] : [`${ns(figures.best_ns)} (${ns(figures.median_ns)})`, allocations(figures)];
  const key = row.cpu ? 'cpu_ns' : 'best_ns';
  if (ours && ours !== figures) parts.push(`**${ratio(figures[key] / ours[key])}**`);
  return parts.join(' · ');
}

const results = sdks.map(measure);
const measured = results.filter((result) => result.rows);
const ours = measured[0];
const distribution = existsSync('/etc/os-release') ? version('/etc/os-release', /^PRETTY_NAME="([^"]+)"/m) : process.platform;
console.log(`Best of 101 rounds (median) in ns per call · allocations per call in the calling threads · times hoist. ${distribution}, ${cpus().length} × ${cpus()[0].model.trim()}.\n`);
console.log(`| | bar | ${measured.map((sdk) => `${sdk.name} ${sdk.version}`).join(' | ')} |`);
console.log(`|---|---|${measured.map(() => '---|').join('')}`);
for (const row of rows) {
  const cells = measured.map((sdk) => cell(row, sdk.rows[row.id], ours.rows[row.id]));
  if (cells.some((text) => text !== '–')) console.log(`| ${row.text} | ${row.bar ? `≤ ${row.bar}` : ''} | ${cells.join(' | ')} |`);
}
console.log();
for (const sdk of measured) {
  const { spans, dropped, ...more } = sdk.reports;
  const extra = Object.entries(more).map(([name, value]) => `, ${value} ${name}`).join('');
  console.log(`- ${sdk.name}: ${spans} spans recorded, ${dropped} dropped${extra}. ${sdk.note}`);
}
for (const sdk of results) if (sdk.missing) console.log(`- ${sdk.name}: ${sdk.missing}; \`tools/setup bench\` installs what this distribution has.`);
for (const sdk of results) if (sdk.failed) console.log(`- ${sdk.name}: failed: ${sdk.failed}`);
if (ours.reports.dropped > 0) console.log('\nhoist dropped spans: its figures above are too good.');
if (options.json) writeFileSync(options.json, `${JSON.stringify({ rows, measured }, null, 1)}\n`);
if (options.svg) writeFileSync(options.svg, plot(rows, measured));
