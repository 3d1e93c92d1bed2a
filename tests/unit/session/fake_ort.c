/* SPDX-License-Identifier: Apache-2.0 */
/* A shared library that claims to be an ONNX Runtime of FAKE_VERSION but offers no interface. */
#include <stddef.h>
#include <stdint.h>

struct base {
  const void *(*get_api)(uint32_t version);
  const char *(*get_version)(void);
};

static const void *get_api(uint32_t version) {
  return NULL;
}

static const char *get_version(void) {
  return FAKE_VERSION;
}

__attribute__((visibility("default"))) const struct base *OrtGetApiBase(void);

const struct base *OrtGetApiBase(void) {
  static const struct base base = {get_api, get_version};
  return &base;
}
