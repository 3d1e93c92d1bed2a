// SPDX-License-Identifier: Apache-2.0
//
// Names that cannot be looked up: now and then, or at all.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { assertSoundTrace, hoist, listTree, named, tempDir } from '../lib/harness.mjs';
import { meddle } from '../lib/meddle.mjs';
import { makeWorld, modelId } from './world.mjs';

const world = await makeWorld(after);

async function pull(t, fails) {
  world.receiver.reset();
  const cache = tempDir(t);
  const env = world.env(cache, { HOIST_SOURCES: 's3', HOIST_MAX_ATTEMPTS: '3', ...meddle({ resolver: fails }), AWS_ENDPOINT_URL_S3: `http://origin.test:${world.origin.port}` });
  const result = await hoist(['pull', modelId], { env });
  assertSoundTrace(world.receiver.spans());
  assert.deepEqual(listTree(`${cache}/.hoist/staging`), []);
  return { result, listings: named(world.receiver.spans(), 'S3.ListObjectsV2') };
}

test('a name that cannot be looked up at first: heals', async (t) => {
  const { result, listings } = await pull(t, 2);
  assert.equal(result.rc, 0, result.output);
  assert.deepEqual(listings.map((span) => span.attributes['error.type']), ['dns', 'dns', undefined]);
});

test('a name that cannot be looked up: a clear failure', async (t) => {
  const { result, listings } = await pull(t, 1e9);
  assert.equal(result.rc, 5, result.output);
  assert.match(result.stderr, /^hoist: faces\/1: s3: .*after 3 attempts: origin\.test:\d+: the host name cannot be resolved; check the address and the network$/m);
  assert.equal(listings.length, 3);
});
