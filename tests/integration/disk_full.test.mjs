// SPDX-License-Identifier: Apache-2.0
//
// A disk that has room for none, some or nearly all of a model: a clean error wherever it fills up,
// nothing left behind, and success as soon as there is room, or where unused models may make some.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync, statfsSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertNoSecrets, hoist, hoistOk, listTree, mountSmall, named } from '../lib/harness.mjs';
import { makeWorld, marker, modelFiles, modelId, putModel, totalBytes } from './world.mjs';

const world = await makeWorld(after);
putModel(world.origin, 'old/1');
putModel(world.origin, 'older/1');

/** Fills the disk until `share` of a model would fit. */
function leaveRoomFor(mount, share, size = totalBytes) {
  const { bavail, bsize } = statfsSync(mount);
  writeFileSync(join(mount, 'filler'), Buffer.alloc(Math.max(0, bavail * bsize - Math.floor(size * share))));
}

/** S3 lists sizes, so the disk is looked at first; the API does not, so it fills up in the middle. */
for (const source of ['s3', 'roboflow_api']) {
  for (let percent = 0; percent <= 90; percent += 10) {
    test(`${source}: a disk with room for ${percent} % of the model`, async (t) => {
      world.origin.reset();
      world.receiver.reset();
      const mount = mountSmall(t, '4m');
      const cache = join(mount, 'cache');
      const env = world.env(cache, { HOIST_SOURCES: `${source},${source === 's3' ? 'roboflow_api' : 's3'}` });
      await hoistOk(['ls'], { env }); // the cache itself is there
      leaveRoomFor(mount, percent / 100);
      const result = await hoist(['pull', modelId], { env });
      assert.equal(result.rc, 9, result.output);
      assert.match(result.stderr, /No space left|free: make room/);
      assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
      assert.ok(!existsSync(join(cache, modelId)));
      assertNoSecrets([marker], result, { dir: cache });
      assert.equal(named(world.receiver.spans(), 'model.artifacts.download').length, 1); // no other source was asked
      if (source === 's3') assert.equal(world.origin.requests({ path: /weights/ }).length, 0);
      rmSync(join(mount, 'filler'));
      await hoistOk(['pull', modelId, '-q'], { env });
      await hoistOk(['verify', modelId], { env });
    });
  }
  test(`${source}: with a bound set, models that nobody uses make room`, async (t) => {
    world.origin.reset();
    const mount = mountSmall(t, '4m');
    const cache = join(mount, 'cache');
    const env = world.env(cache, { HOIST_SOURCES: source });
    await hoistOk(['pull', 'old/1', 'older/1', '-q'], { env });
    const then = Date.now() / 1000 - 86400;
    utimesSync(join(cache, 'older/1/.hoist-manifest.json'), then, then);
    leaveRoomFor(mount, 0.3);
    assert.equal((await hoist(['pull', modelId], { env })).rc, 9); // nobody said that models may go
    await hoistOk(['verify', 'older/1'], { env });
    await hoistOk(['pull', modelId, '-q'], { env: { ...env, HOIST_CACHE_MAX_SIZE: '1G' } });
    assert.equal((await hoist(['verify', 'older/1'], { env })).rc, 3);
    await hoistOk(['verify', modelId, 'old/1'], { env });
    assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
  });
}

/** In parts, and of unknown size until the first answer: the disk is full when parts are written side by side. */
const large = randomBytes(36 * 1024 * 1024);
putModel(world.origin, 'big/1', { ...modelFiles, 'weights.onnx': large });
for (let percent = 0; percent <= 90; percent += 10) {
  test(`in parts: a disk with room for ${percent} % of the model`, async (t) => {
    world.origin.reset();
    const mount = mountSmall(t, '42m');
    const cache = join(mount, 'cache');
    const env = world.env(cache, { HOIST_SOURCES: 'roboflow_api' });
    await hoistOk(['ls'], { env });
    leaveRoomFor(mount, percent / 100, large.length);
    const result = await hoist(['pull', 'big/1'], { env });
    assert.equal(result.rc, 9, result.output);
    assert.match(result.stderr, /^hoist: big\/1: roboflow_api: .*(No space left|free: make room)/m);
    assert.deepEqual(listTree(join(cache, '.hoist/staging')), []);
    assert.ok(!existsSync(join(cache, 'big/1')));
    rmSync(join(mount, 'filler'));
    await hoistOk(['pull', 'big/1', '-q'], { env });
    await hoistOk(['verify', 'big/1'], { env });
  });
}

test('a disk that is too small is noticed before the first byte is asked for', async (t) => {
  world.origin.reset();
  const cache = join(mountSmall(t, '30m'), 'cache');
  const result = await hoist(['pull', 'big/1'], { env: world.env(cache, { HOIST_SOURCES: 's3' }) });
  assert.equal(result.rc, 9, result.output);
  assert.match(result.stderr, /big\/1 needs 38 MB and the cache .* has 31 MB free: make room/);
  assert.deepEqual(world.origin.requests().map((request) => request.query.includes('list-type')), [true]);
});
