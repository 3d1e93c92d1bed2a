// SPDX-License-Identifier: Apache-2.0
//
// A receiver in a process of its own, that can be killed in the middle of an export.

import { spawn } from 'node:child_process';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./receiver.mjs', import.meta.url));

/**
 * Starts tests/otlp/receiver.mjs. With killOn it gets SIGKILL as it has read its n-th request, before
 * it answers. → {httpUrl, grpcUrl, requests(), wasKilled(), close()}
 */
export async function startVictim({ script = [], killOn = 0 } = {}) {
  const actions = killOn ? [...script, ...Array(killOn).fill({})].slice(0, killOn - 1).concat([{ stall: true }]) : script;
  const child = spawn(process.execPath, [program, '--script', JSON.stringify(actions)], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise((done) => child.on('close', (_, signal) => done(signal)));
  const requests = [];
  createInterface(child.stdout).on('line', (line) => {
    requests.push(JSON.parse(line));
    if (requests.length === killOn) child.kill('SIGKILL');
  });
  const urls = await new Promise((ok, fail) => {
    createInterface(child.stderr).on('line', (line) => {
      const found = /on (\S+) \(HTTP\) and (\S+) \(gRPC\)/.exec(line);
      if (found) ok(found.slice(1));
    });
    exited.then(() => fail(new Error('the receiver did not start')));
  });
  return {
    httpUrl: urls[0],
    grpcUrl: urls[1],
    requests: () => [...requests],
    wasKilled: () => child.signalCode === 'SIGKILL',
    async close() { child.kill('SIGKILL'); await exited; },
  };
}

/** A server that accepts connections and never reads a byte from them. → {httpUrl, grpcUrl, close()} */
export async function startDeaf() {
  const sockets = new Set();
  const server = net.createServer({ pauseOnConnect: true }, (socket) => { sockets.add(socket); socket.on('error', () => {}); });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    httpUrl: url,
    grpcUrl: url,
    connections: () => sockets.size,
    async close() { for (const socket of sockets) socket.destroy(); await new Promise((done) => server.close(done)); },
  };
}
