// SPDX-License-Identifier: Apache-2.0
//
// Pages that name tests and code, `FILE: NAME`: whether what they name is there and runs.

import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
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
export function trouble(reference) {
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
export function missing(reference) {
  const [file, symbol] = parts(reference);
  if (!code.has(file)) return `there is no ${file}`;
  return new RegExp(`\\b${symbol}\\b`).test(code.get(file)) ? undefined : `${file} has no ${symbol}`;
}

/** The rows of all tables whose last column is "test", as lists of cells. */
export function rulesOf(text) {
  const rules = [];
  let inRules = false;
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) inRules = false;
    else if (/\| test \|$/.test(line)) inRules = true;
    else if (inRules && !line.startsWith('|--')) rules.push(line.slice(1, -1).split(' | ').map((cell) => cell.trim()));
  }
  return rules;
}

export const referencesIn = (text) => [...text.matchAll(/`([a-z0-9_]+\.[a-z.]+: [^`]+)`/g)].map((match) => match[1]);
