/* SPDX-License-Identifier: Apache-2.0 */
/* Tiny ONNX models, protobuf by hand. Numbers are field numbers of onnx.proto3. */
#include "onnx_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MODEL_MAX 65536

static void put(struct buf *b, const void *data, size_t size) {
  assert_int_equal(buf_append(b, data, size, NULL), HOIST_OK);
}

static void put_varint(struct buf *b, uint64_t value) {
  do {
    uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    put(b, &byte, 1);
    value >>= 7;
  } while (value);
}

static void put_number(struct buf *b, unsigned field, uint64_t value) {
  put_varint(b, field << 3);
  put_varint(b, value);
}

static void put_bytes(struct buf *b, unsigned field, const void *data, size_t size) {
  put_varint(b, field << 3 | 2);
  put_varint(b, size);
  put(b, data, size);
}

static void put_text(struct buf *b, unsigned field, const char *text) {
  put_bytes(b, field, text, strlen(text));
}

static void put_message(struct buf *b, unsigned field, struct buf message) {
  put_bytes(b, field, buf_str(&message), message.size);
  buf_done(&message);
}

static struct buf shape(const struct onnx_spec *spec) {
  struct buf b = buf_make(MODEL_MAX);
  for (size_t i = 0; i < spec->dim_count; i++) {
    struct buf dim = buf_make(MODEL_MAX);
    if (spec->dims[i].size >= 0)
      put_number(&dim, 1, (uint64_t)spec->dims[i].size);
    else if (spec->dims[i].symbol)
      put_text(&dim, 2, spec->dims[i].symbol);
    put_message(&b, 1, dim);
  }
  return b;
}

static struct buf type(const struct onnx_spec *spec) {
  struct buf tensor = buf_make(MODEL_MAX), plain = buf_make(MODEL_MAX);
  put_number(&tensor, 1, spec->type ? spec->type : 1);
  put_message(&tensor, 2, shape(spec));
  put_message(&plain, 1, tensor);
  if (!spec->sequence) return plain;
  struct buf sequence = buf_make(MODEL_MAX), b = buf_make(MODEL_MAX);
  put_message(&sequence, 1, plain);
  put_message(&b, 4, sequence);
  return b;
}

static struct buf value_info(const char *name, const struct onnx_spec *spec) {
  struct buf b = buf_make(MODEL_MAX);
  put_text(&b, 1, name);
  put_message(&b, 2, type(spec));
  return b;
}

static struct buf graph(const struct onnx_spec *spec) {
  struct buf b = buf_make(MODEL_MAX), node = buf_make(MODEL_MAX);
  put_text(&node, 1, "x");
  put_text(&node, 2, "y");
  put_text(&node, 4, spec->op ? spec->op : "Identity");
  put_message(&b, 1, node);
  put_text(&b, 2, "graph");
  put_message(&b, 11, value_info("x", spec));
  put_message(&b, 12, value_info("y", spec));
  return b;
}

static struct buf big_buf(void) {
  return buf_make(64u << 20);
}

static void put_node(struct buf *graph, const char *op, const char *const *inputs, size_t count,
                     const char *output) {
  struct buf node = buf_make(MODEL_MAX);
  for (size_t i = 0; i < count; i++)
    put_text(&node, 1, inputs[i]);
  put_text(&node, 2, output);
  put_text(&node, 4, op);
  put_message(graph, 1, node);
}

static void put_weights(struct buf *graph, const char *name, unsigned rows, unsigned columns) {
  struct buf tensor = big_buf(), data = big_buf();
  unsigned state = rows + columns;
  for (size_t i = 0; i < (size_t)rows * columns; i++) {
    state = state * 1664525u + 1013904223u;
    float value = (float)(state >> 8) / 16777216.0f / (float)columns;
    put(&data, &value, sizeof value);
  }
  if (rows > 1) put_number(&tensor, 1, rows);
  put_number(&tensor, 1, columns);
  put_number(&tensor, 2, 1);
  put_text(&tensor, 8, name);
  put_message(&tensor, 9, data);
  put_message(graph, 5, tensor);
}

static void put_model(struct buf *ret_model, struct buf graph) {
  struct buf opset = buf_make(MODEL_MAX);
  put_number(ret_model, 1, 7);
  put_number(&opset, 2, 14);
  put_message(ret_model, 8, opset);
  put_message(ret_model, 7, graph);
}

static void put_external(struct buf *tensor, const char *key, const char *value) {
  struct buf entry = buf_make(MODEL_MAX);
  put_text(&entry, 1, key);
  put_text(&entry, 2, value);
  put_message(tensor, 13, entry);
}

void onnx_write_external(unsigned dim, const char *name, struct buf *ret_model,
                         struct buf *ret_weights) {
  const struct onnx_spec spec = {.dims = {{1, NULL}, {(int64_t)dim, NULL}}, .dim_count = 2};
  struct buf b = big_buf(), tensor = buf_make(MODEL_MAX);
  char size[32];
  put_node(&b, "Gemm", (const char *const[]){"x", "W", "b"}, 3, "y");
  put_number(&tensor, 1, dim);
  put_number(&tensor, 1, dim);
  put_number(&tensor, 2, 1);
  put_text(&tensor, 8, "W");
  put_external(&tensor, "location", name);
  put_external(&tensor, "offset", "0");
  snprintf(size, sizeof size, "%zu", (size_t)dim * dim * sizeof(float));
  put_external(&tensor, "length", size);
  put_number(&tensor, 14, 1);
  put_message(&b, 5, tensor);
  put_weights(&b, "b", 1, dim);
  put_text(&b, 2, "graph");
  put_message(&b, 11, value_info("x", &spec));
  put_message(&b, 12, value_info("y", &spec));
  for (size_t i = 0; i < (size_t)dim * dim; i++) {
    float value = (float)(i % 7) / (float)dim;
    put(ret_weights, &value, sizeof value);
  }
  put_model(ret_model, b);
}

void onnx_write_chain(unsigned layers, unsigned dim, struct buf *ret_model) {
  const struct onnx_spec spec = {.dims = {{1, NULL}, {(int64_t)dim, NULL}}, .dim_count = 2};
  struct buf b = big_buf();
  for (unsigned i = 0; i < layers; i++) {
    char in[16], w[16], bias[16], sum[16], out[16];
    snprintf(in, sizeof in, i ? "r%u" : "x", i - 1);
    snprintf(w, sizeof w, "W%u", i);
    snprintf(bias, sizeof bias, "b%u", i);
    snprintf(sum, sizeof sum, "g%u", i);
    snprintf(out, sizeof out, i + 1 < layers ? "r%u" : "y", i);
    put_node(&b, "Gemm", (const char *const[]){in, w, bias}, 3, sum);
    put_node(&b, "Relu", (const char *const[]){sum}, 1, out);
    put_weights(&b, w, dim, dim);
    put_weights(&b, bias, 1, dim);
  }
  put_text(&b, 2, "graph");
  put_message(&b, 11, value_info("x", &spec));
  put_message(&b, 12, value_info("y", &spec));
  put_model(ret_model, b);
}

void onnx_write(const struct onnx_spec *spec, struct buf *ret_model) {
  struct buf opset = buf_make(MODEL_MAX);
  put_number(ret_model, 1, spec->ir_version ? spec->ir_version : 7);
  put_number(&opset, 2, spec->opset ? spec->opset : 14);
  put_message(ret_model, 8, opset);
  put_message(ret_model, 7, graph(spec));
}
