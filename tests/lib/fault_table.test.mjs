// SPDX-License-Identifier: Apache-2.0
//
// The table of faults in docs/fetch.md: every row names the tests that make the fault, and they run.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from './harness.mjs';
import { referencesIn, rulesOf, trouble } from './references.mjs';

const rows = rulesOf(readFileSync(join(projectRoot, 'docs/fetch.md'), 'utf8'));

test('every fault says what is done, what is seen, and which tests make it', () => {
  assert.ok(rows.length >= 25, `${rows.length} rows`);
  assert.deepEqual(rows.filter((cells) => cells.length !== 4 || cells.some((cell) => cell === '') || referencesIn(cells[3]).length === 0), []);
});

test('the tests it names are tests that run', () => {
  assert.deepEqual(rows.flatMap((cells) => referencesIn(cells[3]).map(trouble)).filter(Boolean), []);
});
