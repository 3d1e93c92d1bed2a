/* SPDX-License-Identifier: Apache-2.0 */
#include "capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

void capture_begin(struct capture *c) {
  *c = (struct capture){0};
  c->stream = open_memstream(&c->text, &c->size);
  assert_non_null(c->stream);
}

const char *capture_end(struct capture *c) {
  if (c->stream) assert_int_equal(fclose(c->stream), 0);
  c->stream = NULL;
  return c->text;
}

void capture_free(struct capture *c) {
  capture_end(c);
  free(c->text);
  *c = (struct capture){0};
}
