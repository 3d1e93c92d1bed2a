// SPDX-License-Identifier: Apache-2.0
//
// How the stand-in origin answers: bodies that can be streamed by range, and the faults that a
// script may lay over any answer (delay, stall, reset, wrong length, corruption, garbage, …).

import { createReadStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const CHUNK = 256 * 1024;

/** A body: {size, stream(start, end)} where end is exclusive and stream yields Buffers. */
export function bufferBody(data) {
  const buffer = Buffer.from(data);
  return {
    size: buffer.length,
    async *stream(start = 0, end = buffer.length) {
      for (let at = start; at < end; at += CHUNK) yield buffer.subarray(at, Math.min(end, at + CHUNK));
    },
  };
}

export function fileBody(path, size) {
  return {
    size,
    async *stream(start = 0, end = size) {
      if (end > start) yield* createReadStream(path, { start, end: end - 1, highWaterMark: CHUNK });
    },
  };
}

/** `size` bytes that depend on `seed` and the position only, so ranges of them agree. */
export function patternBody(size, seed = 0) {
  return {
    size,
    async *stream(start = 0, end = size) {
      for (let at = start; at < end;) {
        const chunk = Buffer.allocUnsafe(Math.min(64 * 1024, end - at));
        for (let i = 0; i < chunk.length; i++) chunk[i] = ((at + i) * 31 + ((at + i) >>> 8) + seed) & 255;
        yield chunk;
        at += chunk.length;
      }
    },
  };
}

const GARBAGE = {
  html: () => bufferBody('<html><body>It works!</body></html>\n'),
  empty: () => bufferBody(''),
  binary: () => bufferBody(Buffer.from([0, 255, 254, 0, 128, 34, 123, 0])),
  deep: ({ levels = 10_000 }) => bufferBody(`{"ort":${'['.repeat(levels)}${']'.repeat(levels)}}`),
  'deep-xml': ({ levels = 10_000 }) => bufferBody(`<?xml version="1.0"?>${'<a>'.repeat(levels)}${'</a>'.repeat(levels)}`),
  laughs: () => bufferBody('<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + 'bcdefghij'.replace(/./g, (c) => `<!ENTITY ${c} "${`&${String.fromCharCode(c.charCodeAt(0) - 1)};`.repeat(10)}">`)
    + ']><ListBucketResult><Name>&j;</Name></ListBucketResult>'),
  // Valid JSON, only far too much of it.
  huge: ({ bytes = 100 * 1024 * 1024 }) => {
    const head = Buffer.from('{"ort":{"name":"');
    const tail = Buffer.from('"}}');
    const size = Math.max(bytes, head.length + tail.length);
    const fill = Buffer.alloc(64 * 1024, 'a');
    return {
      size,
      async *stream() {
        yield head;
        for (let left = size - head.length - tail.length; left > 0; left -= fill.length) yield fill.subarray(0, Math.min(left, fill.length));
        yield tail;
      },
    };
  },
};

export const garbageKinds = [...Object.keys(GARBAGE), 'truncated'];

function garbageBody(kind, rule, body) {
  if (kind === 'truncated') return { size: body.size >> 1, stream: (start = 0, end = body.size >> 1) => body.stream(start, end) };
  if (!GARBAGE[kind]) throw new Error(`no garbage called ${kind}: ${garbageKinds.join(', ')}`);
  return GARBAGE[kind](rule);
}

function write(res, chunk) {
  return new Promise((resolve) => {
    if (res.destroyed || res.write(chunk)) return resolve();
    const done = () => { res.off('drain', done); res.off('close', done); resolve(); };
    res.on('drain', done);
    res.on('close', done);
  });
}

const hangUp = (res, how) => {
  if (how === 'rst') res.socket?.resetAndDestroy();
  else res.socket?.destroy();
};

/**
 * Sends one answer. `answer`: {status, headers, body?, start?, end?, headOnly?}; `rule`: the script
 * rule in force, if any; `entry`: the request's line in the access log, which gets `sent`, the bytes of the
 * body that were handed to the kernel, and, where the script ends the answer before its end, `cut`: how.
 * Never rejects: a client that goes away is not this server's trouble.
 */
export async function send(res, answer, rule = {}, entry = {}) {
  let { status, headers = {}, body = bufferBody(''), start = 0, end, headOnly } = answer;
  if (rule.garbage) [body, start, end] = [garbageBody(rule.garbage, rule, body), 0, undefined];
  end ??= body.size;
  const length = end - start;
  entry.sent = 0;
  const put = (chunk) => { entry.sent += chunk.length; entry.lastAt = Date.now(); return write(res, chunk); };

  headers = { ...headers, 'content-length': Math.max(0, length + (rule.lengthDelta ?? 0)), ...rule.headers };
  if (rule.chunked) delete headers['content-length'];
  for (const name of Object.keys(headers)) if (headers[name] === null) delete headers[name];
  if (rule.reset === 'before' || rule.close === 'before') entry.cut = rule.reset ? 'reset' : 'close';
  if (rule.reset === 'before') return hangUp(res, 'rst');
  if (rule.close === 'before') return hangUp(res, 'fin');

  res.strictContentLength = false;
  res.writeHead(status, headers);
  if (headOnly || status === 304) return void res.end();

  // stall, reset and close happen after this many bytes of the body.
  const stop = rule.stall || rule.reset || rule.close ? Math.floor(length * (rule.at ?? 0.5)) : Infinity;
  const corruptAt = rule.corrupt === undefined ? -1 : rule.corrupt === true ? start + (length >> 1) : rule.corrupt;
  let at = start;
  try {
    if (stop > 0) {
      for await (let chunk of body.stream(start, end)) {
        if (res.destroyed) return;
        if (corruptAt >= at && corruptAt < at + chunk.length) {
          chunk = Buffer.from(chunk);
          chunk[corruptAt - at] ^= 0xff;
        }
        const room = stop - (at - start);
        if (chunk.length > room) chunk = chunk.subarray(0, room);
        at += chunk.length;
        if (rule.drip) {
          const { bytes = 1, ms = 10 } = rule.drip;
          for (let i = 0; i < chunk.length && !res.destroyed; i += bytes) {
            await put(chunk.subarray(i, i + bytes));
            await sleep(ms);
          }
        } else {
          await put(chunk);
        }
        if (at - start >= stop) break;
      }
    } else {
      res.flushHeaders();
    }
  } catch {
    return hangUp(res, 'fin'); // the tree changed under us
  }
  if (stop !== Infinity) {
    entry.cut = rule.stall ? 'stall' : rule.reset ? 'reset' : 'close';
    if (rule.stall) return; // nothing more, and no end: until the client gives up or close()
    await sleep(20); // lets what was written leave before the reset discards it
    return hangUp(res, rule.reset ? 'rst' : 'fin');
  }
  if ((rule.lengthDelta ?? 0) > 0) return hangUp(res, 'fin'); // promised more than there is
  if (rule.lengthDelta < 0) res.socket?.end(); // what follows the promised bytes is not an answer
  res.end();
}
