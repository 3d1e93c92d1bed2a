// SPDX-License-Identifier: Apache-2.0
// Compiles if the public headers are C++.
#include <hoist/hoist.h>

const char *version_from_cpp() {
  return hoist_version();
}
