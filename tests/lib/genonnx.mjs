// SPDX-License-Identifier: Apache-2.0
//
// Writes valid ONNX models of a chosen size with no dependency: y = a chain of Relu(Gemm(x, W, b)),
// float32, input "x" and output "y" of shape [N, dim]. The protobuf is written by hand: messages are
// sized first, then streamed, so that a model of a gigabyte takes a few megabytes of memory.
//
//   node tests/lib/genonnx.mjs OUT --size BYTES[K|M|G] [--seed N]      about that size, never more
//   node tests/lib/genonnx.mjs OUT --layers N --dim N [--seed N]       exactly that shape

import { createWriteStream } from 'node:fs';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

const PROTOBUF_MAX = 2 ** 31 - 1; // a protobuf message, so a model in one file, cannot be larger

function varint(value) {
  const out = [];
  for (let v = BigInt(value); ; v >>= 7n) {
    if (v < 128n) { out.push(Number(v)); return Buffer.from(out); }
    out.push(Number(v & 127n) | 128);
  }
}
const head = (field, length) => Buffer.concat([varint(field * 8 + 2), varint(length)]);
const integer = (field, value) => Buffer.concat([varint(field * 8), varint(value)]);
const bytes = (field, data) => Buffer.concat([head(field, data.length), data]);
const text = (field, string) => bytes(field, Buffer.from(string));
const message = (field, ...parts) => bytes(field, Buffer.concat(parts));

// The field numbers are those of onnx.proto.
const valueInfo = (field, name, dim) => message(field, text(1, name), message(2, message(1, integer(1, 1),
  message(2, message(1, text(2, 'N')), message(1, integer(1, dim))))));
const node = (op, inputs, output) => message(1, ...inputs.map((name) => text(1, name)), text(2, output), text(4, op));
const tensorHead = (name, dims) => {
  const payload = dims.reduce((a, b) => a * b, 1) * 4;
  return { payload, header: Buffer.concat([...dims.map((n) => integer(1, n)), integer(2, 1), text(8, name), head(9, payload)]) };
};

/** {layers, dim} of the largest model that is no larger than `size` bytes (at least the smallest model). */
export function shapeFor(size) {
  const layers = size < 64 * 1024 ? 1 : size < 16 * 1024 * 1024 ? 4 : 16;
  let [low, high] = [1, Math.ceil(Math.sqrt(size / layers / 4)) + 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (layout(layers, middle).size <= size) low = middle; else high = middle - 1;
  }
  return { layers, dim: low };
}

function layout(layers, dim) {
  const nodes = [];
  const tensors = [];
  for (let i = 0; i < layers; i++) {
    nodes.push(node('Gemm', [i ? `r${i - 1}` : 'x', `W${i}`, `b${i}`], `g${i}`));
    nodes.push(node('Relu', [`g${i}`], i === layers - 1 ? 'y' : `r${i}`));
    tensors.push({ ...tensorHead(`W${i}`, [dim, dim]), scale: 1 / dim }, { ...tensorHead(`b${i}`, [dim]), scale: 0.1 });
  }
  const graph = Buffer.concat([...nodes, text(2, 'synthetic'), valueInfo(11, 'x', dim), valueInfo(12, 'y', dim)]);
  let graphSize = graph.length;
  for (const tensor of tensors) {
    const size = tensor.header.length + tensor.payload;
    tensor.start = Buffer.concat([head(5, size), tensor.header]);
    graphSize += tensor.start.length + tensor.payload;
  }
  const start = Buffer.concat([integer(1, 7), text(2, 'genonnx'), message(8, integer(2, 13)), head(7, graphSize), graph]);
  return { start, tensors, size: start.length + graphSize - graph.length };
}

/** The model's bytes, piece by piece. The same arguments give the same bytes. */
export function* modelChunks({ size, layers, dim, seed = 1 } = {}) {
  if (size !== undefined) ({ layers, dim } = shapeFor(size));
  const { start, tensors, size: total } = layout(layers, dim);
  if (total > PROTOBUF_MAX) throw new RangeError('the model would exceed the 2 GiB that protobuf allows');
  yield start;
  let state = (seed * 2654435761) >>> 0 || 1;
  for (const tensor of tensors) {
    yield tensor.start;
    for (let left = tensor.payload / 4; left > 0;) {
      const values = new Float32Array(Math.min(left, 64 * 1024));
      for (let i = 0; i < values.length; i++) { // xorshift32
        state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
        values[i] = (state / 2147483648) * tensor.scale;
      }
      yield Buffer.from(values.buffer);
      left -= values.length;
    }
  }
}

/** A small model in memory. */
export const modelBuffer = (options = { size: 4096 }) => Buffer.concat([...modelChunks(options)]);

/** Writes a model file; → its size in bytes. */
export async function writeModel(path, options) {
  const out = createWriteStream(path);
  await pipeline(Readable.from(modelChunks(options), { objectMode: true, highWaterMark: 4 }), out);
  return out.bytesWritten;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [out, ...rest] = process.argv.slice(2);
  const options = {};
  for (let i = 0; i < rest.length; i += 2) {
    const m = /^(\d+)([KMG]?)$/.exec(rest[i + 1] ?? '');
    if (!/^--(size|layers|dim|seed)$/.test(rest[i]) || !m) break;
    options[rest[i].slice(2)] = Number(m[1]) * { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[m[2]];
  }
  if (!out || Object.keys(options).length * 2 !== rest.length || !(options.size || (options.layers && options.dim))) {
    console.error('usage: genonnx.mjs OUT (--size BYTES[K|M|G] | --layers N --dim N) [--seed N]');
    process.exit(2);
  }
  console.log(`${out}: ${await writeModel(out, options)} bytes`);
}
