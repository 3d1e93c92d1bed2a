// SPDX-License-Identifier: Apache-2.0
//
// Where the time of a load goes: `hoist load` of the demo's model, cold from the stand-in (S3 and API)
// and warm from the cache, as medians over runs that take turns. Prints a Markdown table.
//
//   node tests/bench/load.mjs [RUNS]         default: 15, after one warm-up of each

import { rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hoistOk, jsonLines } from '../lib/harness.mjs';
import { baseEnv, modelId, putModel } from '../integration/world.mjs';
import { startOrigin } from '../origin/origin.mjs';

const runs = Number(process.argv[2] ?? 15);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ms = (seconds) => (seconds * 1000).toFixed(1);

const origin = await startOrigin();
putModel(origin);
const root = mkdtempSync(join(tmpdir(), 'hoist-bench-'));
const ways = [
  { name: 'cold, S3 (stand-in)', sources: 's3', cold: true },
  { name: 'cold, API (stand-in)', sources: 'roboflow_api', cold: true },
  { name: 'warm, cache', sources: 's3', cold: false },
];
const rows = ways.map(() => []);
for (let run = -1; run < runs; run++) {
  for (const [i, way] of ways.entries()) {
    const cache = join(root, `cache-${i}`);
    if (way.cold) rmSync(cache, { recursive: true, force: true });
    const result = await hoistOk(['load', modelId, '--json'], { env: { ...baseEnv(), ...origin.env(), MODEL_CACHE_DIR: cache, HOIST_SOURCES: way.sources } });
    if (run < 0) continue;
    const last = jsonLines(result.stdout).find(({ event }) => event === 'result');
    const phase = (name) => last.phases.filter((p) => p.phase === name).reduce((sum, p) => sum + p.seconds, 0);
    rows[i].push({ total: last.load_time_s, download: phase('download'), read: phase('read') + phase('verify'), session: phase('session'), process: result.durationMs / 1000 });
  }
}
console.log(`| ${runs} runs each, medians, ms | load | download | read and verify | session | hoist itself | process |`);
console.log('|---|---|---|---|---|---|---|');
for (const [i, way] of ways.entries()) {
  const of = (key) => median(rows[i].map((row) => row[key]));
  const own = median(rows[i].map((row) => row.total - row.download - row.read - row.session));
  console.log(`| ${way.name} | ${ms(of('total'))} | ${ms(of('download'))} | ${ms(of('read'))} | ${ms(of('session'))} | ${ms(own)} | ${ms(of('process'))} |`);
}
rmSync(root, { recursive: true, force: true });
await origin.close();
