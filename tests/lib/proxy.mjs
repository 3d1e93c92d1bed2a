// SPDX-License-Identifier: Apache-2.0
//
// An HTTP proxy for tests: passes requests on (and CONNECT tunnels), whatever host they name, to one port of
// loopback, and keeps a list of what it was asked for.

import http from 'node:http';
import net from 'node:net';

/** → {url, asked: ['GET http://…', 'CONNECT host:port'], close} */
export async function startProxy(port) {
  const asked = [];
  const sockets = new Set();
  const server = http.createServer((req, res) => {
    asked.push(`${req.method} ${req.url}`);
    const path = /^https?:\/\/[^/]+(.*)$/.exec(req.url)?.[1] || '/';
    const onward = http.request({ host: '127.0.0.1', port, method: req.method, path, headers: req.headers, setHost: false }, (answer) => {
      res.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  });
  server.on('connect', (req, client, head) => {
    asked.push(`CONNECT ${req.url}`);
    const behind = net.connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      behind.write(head);
      client.pipe(behind).pipe(client);
    });
    for (const socket of [client, behind]) socket.on('error', () => {}).on('close', () => { client.destroy(); behind.destroy(); });
  });
  server.on('connection', (socket) => { sockets.add(socket); socket.on('close', () => sockets.delete(socket)); });
  await new Promise((ok, fail) => server.once('error', fail).listen(0, '127.0.0.1', ok));
  const close = () => new Promise((done) => { server.close(() => done()); for (const socket of sockets) socket.destroy(); });
  return { url: `http://127.0.0.1:${server.address().port}`, asked, close };
}
