// SPDX-License-Identifier: Apache-2.0
//
// The table of features in docs/s3.md: one cell for each program, and each of hoist's is made by tests that run.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from './harness.mjs';
import { referencesIn, rulesOf, trouble } from './references.mjs';

const rows = rulesOf(readFileSync(join(projectRoot, 'docs/s3.md'), 'utf8'));

test('every feature has a cell for each program, and tests for that of hoist', () => {
  assert.ok(rows.length >= 20, `${rows.length} rows`);
  assert.deepEqual(rows.filter((cells) => cells.length !== 8 || cells.some((cell) => cell === '') || referencesIn(cells[7]).length === 0), []);
});

test('the tests it names are tests that run', () => {
  assert.deepEqual(rows.flatMap((cells) => referencesIn(cells[7]).map(trouble)).filter(Boolean), []);
});
