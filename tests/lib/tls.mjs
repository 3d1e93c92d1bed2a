// SPDX-License-Identifier: Apache-2.0
//
// TLS for tests: a certificate that vouches for itself, and a front that speaks TLS for a server that does not.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';

/** → {key, cert, pem}: paths below `dir`; `pem` holds both. Good for 127.0.0.1 and for `names`. */
export function certificate(dir, names = []) {
  const files = { key: join(dir, 'key.pem'), cert: join(dir, 'cert.pem'), pem: join(dir, 'both.pem') };
  const alternatives = ['IP:127.0.0.1', ...names.map((name) => `DNS:${name}`)].join(',');
  // Of yesterday, so that a clock that is late finds it valid.
  execFileSync('faketime', ['-f', '-1d', 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3', '-subj', '/CN=test',
    '-addext', `subjectAltName=${alternatives}`, '-keyout', files.key, '-out', files.cert], { stdio: 'ignore' });
  execFileSync('sh', ['-c', 'cat "$0" "$1" >"$2"', files.cert, files.key, files.pem]);
  return files;
}

/** Speaks TLS on a port of its own and passes everything on to `port`. → {url, close} */
export async function tlsFront(port, { key, cert }) {
  const sockets = new Set();
  const server = tls.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (client) => {
    const behind = net.connect(port, '127.0.0.1');
    for (const socket of [client, behind]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => { sockets.delete(socket); client.destroy(); behind.destroy(); });
    }
    client.pipe(behind).pipe(client);
  });
  server.on('tlsClientError', () => {});
  await new Promise((ok, fail) => server.once('error', fail).listen(0, '127.0.0.1', ok));
  const close = () => new Promise((done) => { server.close(() => done()); for (const socket of sockets) socket.destroy(); });
  return { url: `https://127.0.0.1:${server.address().port}`, close };
}
