// SPDX-License-Identifier: Apache-2.0
//
// The path of a model in the cache is a contract with the reference server, so it is compared with a second
// implementation of the rule (model_paths.py), over ids at its edges.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { program } from './programs.mjs';

const script = join(dirname(fileURLToPath(import.meta.url)), 'model_paths.py');
const COUNT = 20_000;

test(`the paths of ${COUNT} ids are those of an independent implementation`, () => {
  const pairs = execFileSync('python3', [script, '6', String(COUNT)], { encoding: 'utf8', maxBuffer: 64 << 20 })
    .split('\n').filter(Boolean).map((line) => line.split('\t'));
  const ours = execFileSync(program('model_paths'), { input: pairs.map(([id]) => `${id}\n`).join(''), encoding: 'utf8', maxBuffer: 64 << 20 }).split('\n');
  assert.equal(pairs.length, COUNT);
  for (const [i, [id, path]] of pairs.entries()) assert.equal(ours[i], path, `the path of "${id}"`);
  const slugs = pairs.filter(([, path]) => path.startsWith('~')).length;
  assert.ok(slugs > COUNT / 10 && slugs < COUNT * 0.9, `${slugs} of ${COUNT} are slugs: the ids do not try both sides`);
});

test('the published vector, and what is no id', () => {
  const ids = ['Coins/1', '..', 'a//b', 'a\\b', ''];
  const ours = execFileSync(program('model_paths'), { input: ids.map((id) => `${id}\n`).join(''), encoding: 'utf8' }).split('\n');
  assert.deepEqual(ours.slice(0, ids.length), ['~Coins-1-4feee23e30fccb2404a13288e65a2cf1', '-', '-', '-', '-']);
});
