// SPDX-License-Identifier: Apache-2.0
//
// docs/telemetry-conformance.md: every rule says where it is met, and by which tests that run.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from './harness.mjs';
import { missing, referencesIn, rulesOf, trouble } from './references.mjs';

const rules = rulesOf(readFileSync(join(projectRoot, 'docs/telemetry-conformance.md'), 'utf8'));

test('every rule on the conformance page has its place and its tests', () => {
  assert.ok(rules.length > 200, `${rules.length} rules`);
  assert.deepEqual(rules.filter((cells) => cells.length !== 4 || cells.some((cell) => cell === '') || referencesIn(cells[2]).length === 0 || referencesIn(cells[3]).length === 0), []);
});

test('what it says about the code is there', () => {
  assert.deepEqual(rules.flatMap(([, , where]) => referencesIn(where).map(missing)).filter(Boolean), []);
});

test('the tests it names are tests that run', () => {
  assert.deepEqual(rules.flatMap((cells) => referencesIn(cells[3]).map(trouble)).filter(Boolean), []);
});

test('a test that is not there, or is there and never run, is noticed; so is code', () => {
  assert.equal(trouble('test_sampler.c: test_every_sampler_decides_for_roots_and_children'), undefined);
  assert.equal(trouble('test_sampler.c: test_every_sampler'), 'test_sampler.c runs no test_every_sampler');
  assert.equal(trouble('test_sampler.c: parsed'), 'test_sampler.c runs no parsed');
  assert.equal(trouble('test_nothing.c: test_x'), 'there is no test_nothing.c');
  assert.equal(trouble('delivery.test.mjs: "HTTP ${status} is retried"'), undefined);
  assert.match(trouble('delivery.test.mjs: "HTTP 418 is retried"'), /runs no/);
  assert.match(trouble('delivery.test.mjs: HTTP ${status} is retried'), /runs no/);
  assert.equal(missing('sampler.c: sampler_parse'), undefined);
  assert.equal(missing('sampler.c: sampler_pars'), 'sampler.c has no sampler_pars');
  assert.equal(missing('sample.c: x'), 'there is no sample.c');
  assert.deepEqual(rulesOf('| rule | source | where | test |\n|---|---|---|---|\n| a | b | c | d |\n\n| no | rule |\n'), [['a', 'b', 'c', 'd']]);
});
