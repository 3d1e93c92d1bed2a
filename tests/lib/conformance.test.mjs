// SPDX-License-Identifier: Apache-2.0
//
// docs/telemetry-conformance.md: every rule says where it is met, and by which tests that run.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from './harness.mjs';

/** Base name → text of the files below some directories; that of files of the same name is joined. */
function read(directories, pattern) {
  const texts = new Map();
  for (const directory of directories) for (const path of readdirSync(join(projectRoot, directory), { recursive: true })) {
    if (path.includes('node_modules') || !pattern.test(path)) continue;
    texts.set(basename(path), `${texts.get(basename(path)) ?? ''}${readFileSync(join(projectRoot, directory, path), 'utf8')}`);
  }
  return texts;
}
const tests = read(['tests'], /(\/test_\w+\.cc?|\.test\.mjs)$/);
const code = read(['src', 'apps', 'include', 'examples'], /\.(c|h|js)$/);

const parts = (reference) => /^(\S+?): (.+)$/.exec(reference).slice(1);

/** What is wrong with a test, `FILE: NAME`, or nothing. A node test is called as its source calls it, ${…} and all. */
function trouble(reference) {
  const [file, name] = parts(reference);
  const source = tests.get(file);
  if (source === undefined) return `there is no ${file}`;
  const quoted = /^"(.*)"$/.exec(name)?.[1];
  const runs = file.endsWith('.mjs')
    ? quoted !== undefined && [`'${quoted.replaceAll("'", "\\'")}'`, `\`${quoted}\``].some((text) => source.includes(`test(${text}`) || source.includes(`[${text},`))
    : new RegExp(`\\b(cmocka_unit_test\\w*|TEST|T)\\(\\s*${name}\\b`).test(source);
  return runs ? undefined : `${file} runs no ${name}`;
}

/** What is wrong with a piece of code, `FILE: SYMBOL`, or nothing. */
function missing(reference) {
  const [file, symbol] = parts(reference);
  if (!code.has(file)) return `there is no ${file}`;
  return new RegExp(`\\b${symbol}\\b`).test(code.get(file)) ? undefined : `${file} has no ${symbol}`;
}

/** The rows of all tables whose last column is "test", as lists of cells. */
function rulesOf(text) {
  const rules = [];
  let inRules = false;
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) inRules = false;
    else if (/\| test \|$/.test(line)) inRules = true;
    else if (inRules && !line.startsWith('|--')) rules.push(line.slice(1, -1).split(' | ').map((cell) => cell.trim()));
  }
  return rules;
}

const referencesIn = (text) => [...text.matchAll(/`([a-z0-9_]+\.[a-z.]+: [^`]+)`/g)].map((match) => match[1]);

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
