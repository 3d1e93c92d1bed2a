// SPDX-License-Identifier: Apache-2.0
//
// What the collector's state costs a load: a program loads the demo's model again and again (from the
// cache; the spans of a load leave within 10 ms) with no telemetry and with collectors that are healthy,
// dead, hanging, and killed with SIGKILL while they hold their third batch. Runs take turns; a load's
// time is the median within a run, and the table has the medians and the spread over the runs.
//
//   node tests/bench/collector.mjs [RUNS]         default: 9, after one warm-up of each

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertExit, start } from '../lib/harness.mjs';
import { program } from '../lib/programs.mjs';
import { baseEnv, modelId, writeModel } from '../integration/world.mjs';
import { startVictim } from '../otlp/victim.mjs';

const LOADS = 15;
const runs = Number(process.argv[2] ?? 9);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const root = mkdtempSync(join(tmpdir(), 'hoist-bench-'));
const models = writeModel(join(root, 'models'));

const healthy = await startVictim();
const hanging = await startVictim({ script: Array(2000).fill({ stall: true }) });
const ways = [
  { name: 'no telemetry' },
  { name: 'healthy collector', url: healthy.httpUrl },
  { name: 'dead', url: 'http://127.0.0.1:9' },
  { name: 'killed in the middle of an export', killOn: 3 },
  { name: 'hanging', url: hanging.httpUrl },
];
const rows = ways.map(() => []);
for (let run = -1; run < runs; run++) {
  for (const [i, way] of ways.entries()) {
    const victim = way.killOn ? await startVictim({ killOn: way.killOn }) : null;
    const url = victim?.httpUrl ?? way.url;
    const result = await start([modelId, String(LOADS)], {
      bin: program('load_models'),
      env: {
        ...baseEnv(), MODEL_CACHE_DIR: join(root, 'cache'), HOIST_SOURCES: `dir:${models}`,
        ...(url ? { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_BSP_SCHEDULE_DELAY: '10' } : {}),
      },
    }).done;
    assertExit(result, 0);
    if (victim && !victim.wasKilled()) throw new Error('the collector lived on');
    await victim?.close();
    const { seconds, exported, dropped, closeSeconds } = JSON.parse(result.stdout);
    if (run >= 0) rows[i].push({ load: median(seconds.slice(1)), exported, dropped, close: closeSeconds });
  }
}
const ms = (seconds) => (seconds * 1000).toFixed(2);
const base = median(rows[0].map((row) => row.load));
console.log(`| ${runs} runs of ${LOADS} loads each | load, ms | least – most | of no telemetry | spans exported before close | close, ms |`);
console.log('|---|---|---|---|---|---|');
for (const [i, way] of ways.entries()) {
  const of = (key) => rows[i].map((row) => row[key]);
  const load = median(of('load'));
  console.log(`| ${way.name} | ${ms(load)} | ${ms(Math.min(...of('load')))} – ${ms(Math.max(...of('load')))} | ${(load / base).toFixed(3)} | ${median(of('exported'))} | ${ms(median(of('close')))} |`);
}
rmSync(root, { recursive: true, force: true });
await healthy.close();
await hanging.close();
