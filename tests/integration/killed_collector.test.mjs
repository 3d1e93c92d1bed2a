// SPDX-License-Identifier: Apache-2.0
//
// Loads do not notice what becomes of the collector: dead, deaf, or killed with SIGKILL while it holds a
// batch. A program loads a model again and again while its spans are exported every few milliseconds.
// What is asserted are the spans of the loads, not how long anything took; ratios are printed.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertExit, assertSoundTrace, named, start, tempDir } from '../lib/harness.mjs';
import { makeSpans, program } from '../lib/programs.mjs';
import { startDeaf, startVictim } from '../otlp/victim.mjs';
import { startReceiver } from '../otlp/receiver.mjs';
import { baseEnv, modelId, writeModel } from './world.mjs';

const LOADS = 12;
const TIMEOUT_MS = 5000; // of an export: a hundred times a load
const dir = tempDir(after);
const models = writeModel(join(dir, 'models'));
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const protocols = ['http/protobuf', 'grpc'];

/** Loads the model LOADS times, exporting to `server`. */
async function loads(t, server, protocol) {
  const result = await start([modelId, String(LOADS)], {
    bin: program('load_models'),
    env: {
      ...baseEnv(), MODEL_CACHE_DIR: tempDir(t), HOIST_SOURCES: `dir:${models}`,
      ...(server ? {
        OTEL_EXPORTER_OTLP_ENDPOINT: protocol === 'grpc' ? server.grpcUrl : server.httpUrl, OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
        OTEL_EXPORTER_OTLP_TIMEOUT: String(TIMEOUT_MS), OTEL_BSP_SCHEDULE_DELAY: '10', OTEL_METRICS_EXPORTER: 'none',
      } : {}),
    },
  }).done;
  assertExit(result, 0);
  return { ...JSON.parse(result.stdout), stderr: result.stderr, warnings: result.stderr.split('\n').filter((line) => line.includes('telemetry:')) };
}

for (const protocol of protocols) {
  test(`loads go on with a collector that is killed in the middle of an export, hangs, is deaf or dead (${protocol})`, async (t) => {
    const healthy = await startReceiver();
    const gone = await startReceiver();
    await gone.close();
    t.after(() => healthy.close());
    const good = await loads(t, healthy, protocol);
    assert.equal(good.dropped, 0);
    const roots = named(healthy.spans(), 'model.load');
    assert.equal(roots.length, LOADS);
    for (const root of roots) assertSoundTrace(healthy.spans().filter((span) => span.traceId === root.traceId));
    assert.ok(healthy.requests()[0].at < Number(roots.at(-1).startNs / 1_000_000n), 'spans left while loads ran');
    const bad = {
      'killed in its first export': await startVictim({ killOn: 1 }),
      'killed in its third export': await startVictim({ killOn: 3 }),
      hanging: await startVictim({ script: Array(100).fill({ stall: true }) }),
      deaf: await startDeaf(),
      dead: gone,
    };
    for (const [what, server] of Object.entries(bad)) {
      if (server !== gone) t.after(() => server.close());
      const result = await loads(t, server, protocol);
      assert.equal(result.ended, good.ended, what);
      assert.ok(result.seconds.every((seconds) => seconds < TIMEOUT_MS / 1000), `${what}: a load waited for an answer: ${result.seconds}`);
      assert.ok(result.closeSeconds < 3, `${what}: closing took ${result.closeSeconds} s`);
      assert.ok(result.warnings.length <= 2, result.stderr); // the collector; closed before all was exported
      if (what.startsWith('killed')) assert.ok(server.wasKilled(), what);
      t.diagnostic(`${what}: ${(median(result.seconds) / median(good.seconds)).toFixed(2)} of the ${(median(good.seconds) * 1000).toFixed(1)} ms of a load with a healthy one`);
    }
  });

  test(`what a killed collector acknowledged is exported, the rest dropped, each span in one count (${protocol})`, async (t) => {
    const victim = await startVictim({ killOn: 3 });
    t.after(() => victim.close());
    const result = await makeSpans({ endpoint: protocol === 'grpc' ? victim.grpcUrl : `${victim.httpUrl}/v1/traces`, grpc: protocol === 'grpc', spans: 1000, batch: 100, timeout: 1000 });
    assert.ok(victim.wasKilled());
    assert.deepEqual([result.exported, result.dropped], [200, 800]);
    assert.equal(result.warnings.length, 1);
  });

  test(`one that comes back gets what is still within its deadline (${protocol})`, async (t) => {
    const first = await startReceiver();
    const port = protocol === 'grpc' ? first.grpcPort : first.httpPort;
    await first.close();
    const running = makeSpans({ endpoint: `http://127.0.0.1:${port}/v1/traces`, grpc: protocol === 'grpc', spans: 50, timeout: 20_000 });
    await new Promise((done) => setTimeout(done, 300));
    const second = await startReceiver(protocol === 'grpc' ? { grpcPort: port } : { httpPort: port });
    t.after(() => second.close());
    const result = await running;
    assert.deepEqual([result.exported, result.dropped, second.spans().length], [50, 0, 50]);
  });
}
