/* SPDX-License-Identifier: Apache-2.0 */
/* Writes tiny ONNX models: y = OP(x), one node, x and y of one type. */
#ifndef HOIST_TESTS_ONNX_WRITER_H
#define HOIST_TESTS_ONNX_WRITER_H

#include <stdbool.h>

#include "buf.h"

struct onnx_dim {
  int64_t size; /* -1: dynamic */
  const char *symbol;
};

struct onnx_spec {
  unsigned ir_version; /* 0: 7 */
  unsigned opset;      /* 0: 14 */
  const char *op;      /* NULL: "Identity" */
  unsigned type;       /* TensorProto.DataType; 0: float32 */
  bool sequence;       /* a sequence of such tensors */
  struct onnx_dim dims[20];
  size_t dim_count;
};

/** Appends the model to `ret_model`; fails the test when that is impossible. */
void onnx_write(const struct onnx_spec *spec, struct buf *ret_model);

/** Appends y = a chain of `layers` x Relu(Gemm(x, W, b)), W of dim x dim, to `ret_model`. */
void onnx_write_chain(unsigned layers, unsigned dim, struct buf *ret_model);

/** Appends y = Gemm(x, W, b) of `dim` x `dim`, whose W lies in the file `name` beside the model, to `ret_model`,
 *  and what belongs into that file to `ret_weights`. */
void onnx_write_external(unsigned dim, const char *name, struct buf *ret_model,
                         struct buf *ret_weights);

#endif
