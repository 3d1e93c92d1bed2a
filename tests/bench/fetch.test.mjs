// SPDX-License-Identifier: Apache-2.0
//
// The fetch benchmark works: what it measures with, and one small run of it from end to end.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertExit, hoistBin, projectRoot, start, tempDir } from '../lib/harness.mjs';

const build = join(hoistBin, '../../..');
const dir = tempDir(after);
const measure = async (...args) => start(args, { bin: join(build, 'tests/bench/measure') }).done;

test('measure tells time, memory and the way it ended of a command and its children', async () => {
  const spender = "const b = Buffer.alloc(150 << 20, 1); for (const end = process.cpuUsage().user + 200000; process.cpuUsage().user < end;) b.fill(2); process.exit(3)";
  const result = await measure('sh', '-c', `${process.execPath} -e "${spender}"; exit $?`);
  assertExit(result, 0);
  const { wall, cpu, rssKib, status } = JSON.parse(result.stdout);
  assert.equal(status, 3);
  assert.ok(cpu >= 0.2 && wall > 0.1, `${cpu} s of CPU in ${wall} s`);
  assert.ok(rssKib >= 150 << 10 && rssKib < 600 << 10, `${rssKib} KiB`);
});

test('measure does not count the memory it warmed', async () => {
  const result = await measure('--warm', '256', 'true');
  assertExit(result, 0);
  assert.ok(JSON.parse(result.stdout).rssKib < 64 << 10, result.stdout);
});

test('measure says when there is nothing to run', async () => {
  assertExit(await measure('/nonexistent/program'), 1);
  assertExit(await measure(), 2);
});

test('a small run fetches through every network and reports it', async () => {
  const [json, svg] = [join(dir, 'figures.json'), join(dir, 'plot.svg')];
  const result = await start(['tests/bench/fetch.mjs', '--build', build, '--runs', '1', '--size', '4M', '--files', '2', '--only', '4 MiB, S3', '--json', json, '--svg', svg], {
    bin: process.execPath, cwd: projectRoot, timeoutMs: 240_000, env: { HOIST_BIN: hoistBin },
  }).done;
  assertExit(result, 0);
  assert.match(result.stdout, /^\| hoist \| \d/m);
  assert.match(result.stdout, /^Bars: \d+ of \d+ hold/m);
  const { races } = JSON.parse(readFileSync(json));
  assert.equal(races.length, result.stdout.includes('The slow network needs') ? 1 : 2);
  for (const { results } of races) assert.ok(results.hoist.wall > 0 && results['limit: SHA-256'].wall > 0);
  assert.equal(readFileSync(svg, 'utf8').match(/class="ours"/g).length, races.length);
  // One round trip to connect and one to ask, then 4 MiB at 100 MB/s.
  const slow = races.find(({ where }) => where.includes('20 ms'));
  if (slow?.results.curl) assert.ok(slow.results.curl.wall >= 0.04 + 0.04, `curl took ${slow.results.curl.wall} s`);
});
