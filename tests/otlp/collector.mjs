// SPDX-License-Identifier: Apache-2.0
//
// Starts tests/otlp/collector.py, the second OTLP/gRPC peer, and reads what it prints.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const script = join(dirname(fileURLToPath(import.meta.url)), 'collector.py');

/** → {port, requests(), spans-carrying bodies as tests/otlp/receiver.mjs has them, close()} */
export async function startCollector({ cert, key, clientCa, script: actions = [] } = {}) {
  const tls = cert ? ['--cert', cert, '--key', key, ...(clientCa ? ['--client-ca', clientCa] : [])] : [];
  const child = spawn('/usr/bin/python3', [script, ...tls, '--script', JSON.stringify(actions)], { stdio: ['pipe', 'pipe', 'pipe'] });
  const requests = [];
  const errors = [];
  child.stderr.on('data', (chunk) => errors.push(chunk));
  const exited = new Promise((done) => child.on('close', done));
  const port = await new Promise((ok, fail) => {
    createInterface(child.stdout).on('line', (line) => {
      const message = JSON.parse(line);
      if (message.port) ok(message.port); else requests.push(message);
    });
    exited.then((rc) => fail(new Error(`collector.py ended with ${rc} (run tools/setup check): ${Buffer.concat(errors)}`)));
  });
  return {
    port,
    url: `${cert ? 'https' : 'http'}://127.0.0.1:${port}`,
    requests: () => [...requests],
    async close() { child.stdin.end(); await exited; },
  };
}
