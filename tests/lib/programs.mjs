// SPDX-License-Identifier: Apache-2.0
//
// The programs of tests/programs: strangers to hoist's insides that make telemetry for the tests.

import { join } from 'node:path';
import { assertExit, hoistBin, start } from './harness.mjs';

export const program = (name) => join(hoistBin, '../../../tests/programs', name);

const words = (options) => Object.entries(options).flatMap(([name, value]) => (value === true ? [`--${name}`] : value === undefined || value === false ? [] : [`--${name}`, String(value)]));

/** Starts make_spans; `done` resolves to what it printed, with its stderr and warnings. */
export function startSpans(options, { timeoutMs = 60_000 } = {}) {
  const { child, done } = start(words(options), { bin: program('make_spans'), timeoutMs });
  return {
    child,
    done: done.then((result) => {
      assertExit(result, 0);
      return { ...JSON.parse(result.stdout), durationMs: result.durationMs, stderr: result.stderr, warnings: result.stderr.split('\n').filter((line) => line.includes('telemetry:')) };
    }),
  };
}
export const makeSpans = (options, more) => startSpans(options, more).done;
