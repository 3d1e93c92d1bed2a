// SPDX-License-Identifier: Apache-2.0
//
// A disk whose power can be cut: ext4 on a loop device, on a block device in user space (nbdkit, mounted as a file by
// nbdfuse) that keeps what is written to it in memory until it is told to flush. The cut ends it with all it had not
// flushed; what is left in its image is what a real disk might have after the lights went out.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why there can be no such disk here; undefined: there can. Missing packages are no reason: tools/setup installs them. */
export const noCutDisk = process.getuid() !== 0 ? 'needs root'
  : ['/dev/fuse', '/dev/loop-control'].filter((path) => !existsSync(path)).map((path) => `this machine has no ${path}`)[0];

const run = (...words) => execFileSync(words[0], words.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
const attempt = (...words) => { try { return run(...words); } catch { return undefined; } };

async function until(condition, what) {
  for (let i = 0; i < 1000; i++) {
    if (condition()) return;
    await new Promise((ok) => setTimeout(ok, 5));
  }
  throw new Error(`${what} did not happen`);
}

const ended = (child) => new Promise((done) => { if (child.exitCode !== null || child.signalCode !== null) done(); else child.on('exit', done); });

/** A new, empty disk of `bytes`, gone when the test ends: {path (where it is mounted), cut}. */
export async function cutDisk(t, bytes) {
  const dir = mkdtempSync(join(tmpdir(), 'hoist-cut-'));
  const image = join(dir, 'image');
  const socket = join(dir, 'socket');
  const file = join(dir, 'device/disk');
  const path = join(dir, 'disk');
  writeFileSync(image, '');
  truncateSync(image, bytes);
  run('mkfs.ext4', '-q', '-m', '0', image);
  mkdirSync(join(dir, 'device'));
  mkdirSync(path);
  const server = spawn('nbdkit', ['-f', '-U', socket, '--filter=cache', 'file', image, 'cache=writeback'], { stdio: 'ignore' });
  await until(() => existsSync(socket), 'the start of nbdkit');
  const fuse = spawn('nbdfuse', [file, '--unix', socket], { stdio: 'ignore' });
  await until(() => existsSync(file), 'the start of nbdfuse');
  const loop = run('losetup', '-f', '--show', file);
  run('mount', '-o', 'commit=300', loop, path); // what is on the disk is what was synced, not what a timer flushed
  let mounted = 'device';

  async function detach() {
    if (mounted === undefined) return;
    attempt('umount', '-l', path);
    if (mounted === 'device') {
      attempt('losetup', '-d', loop);
      server.kill('SIGKILL');
      await ended(server);
      attempt('fusermount3', '-u', '-z', join(dir, 'device'));
      fuse.kill('SIGKILL');
      await ended(fuse);
    }
    mounted = undefined;
  }
  t.after(async () => { await detach(); rmSync(dir, { recursive: true, force: true, maxRetries: 3 }); });

  return {
    path,
    /** Cuts the power, ends `processes` (what start() returns), whose disk is gone, and mounts what is left at the same place. */
    async cut(...processes) {
      server.kill('SIGKILL');
      for (const { child } of processes) child.kill('SIGKILL');
      await ended(server);
      await Promise.all(processes.map(({ done }) => done));
      await detach();
      run('mount', '-o', 'loop', image, path);
      mounted = 'image';
    },
  };
}
