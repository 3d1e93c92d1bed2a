// SPDX-License-Identifier: Apache-2.0
//
// tests/programs/meddle.c from the side of the tests: the environment that puts it between hoist and the C
// library, and what its ledger of writes and syncs says.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hoistBin } from './harness.mjs';

/** The environment that makes the trouble named: {clock, resolver, flock, sync_ms, ledger}, as meddle.c has them. */
export const meddle = (trouble) => ({
  LD_PRELOAD: join(hoistBin, '../../../tests/programs/libmeddle.so'),
  ...Object.fromEntries(Object.entries(trouble).map(([name, value]) => [`MEDDLE_${name.toUpperCase()}`, String(value)])),
});

const ENTRY_BYTES = 48;

/**
 * What a ledger says about the file that most was written to, {writes: [{offset, size, endedNs}], syncs: [{beganNs,
 * endedNs}]}, with the syncs of all others: otherSyncs.
 */
export function readLedger(path) {
  const files = new Map(); // by inode
  const data = existsSync(path) ? readFileSync(path) : Buffer.alloc(8);
  const count = Number(data.readBigUInt64LE(0));
  for (let i = 0; i < count; i++) {
    const [kind, inode, offset, size, beganNs, endedNs] = Array.from({ length: 6 }, (_, field) => Number(data.readBigUInt64LE(8 + i * ENTRY_BYTES + field * 8)));
    if (!files.has(inode)) files.set(inode, { written: 0, writes: [], syncs: [] });
    const file = files.get(inode);
    if (kind === 1) { file.writes.push({ offset, size, endedNs }); file.written += size; }
    else if (kind === 2) file.syncs.push({ beganNs, endedNs });
  }
  const [most, ...others] = [...files.values()].sort((a, b) => b.written - a.written);
  return { writes: [], syncs: [], ...most, otherSyncs: others.flatMap(({ syncs }) => syncs) };
}

/**
 * The parts, [from, to) of `partBytes` each, of a file that were durable when its writer died: every byte was written
 * `slackNs` before a sync that came to its end. (A part whose last byte and the sync crossed may count or not.)
 */
export function syncedParts({ writes, syncs }, fileBytes, partBytes, slackNs = 20e6) {
  const until = Math.max(-1, ...syncs.map((sync) => sync.beganNs)) - slackNs;
  const pieces = writes.filter((write) => write.endedNs <= until).map(({ offset, size }) => [offset, offset + size]).sort(([a], [b]) => a - b);
  const areas = []; // what they cover together
  for (const [from, to] of pieces) {
    if (areas.length && from <= areas.at(-1)[1]) areas.at(-1)[1] = Math.max(areas.at(-1)[1], to);
    else areas.push([from, to]);
  }
  const parts = Array.from({ length: Math.ceil(fileBytes / partBytes) }, (_, i) => [i * partBytes, Math.min(fileBytes, (i + 1) * partBytes)]);
  return parts.filter(([from, to]) => areas.some((area) => area[0] <= from && area[1] >= to));
}

export const syncedBytes = (...what) => syncedParts(...what).reduce((sum, [from, to]) => sum + to - from, 0);
