/* SPDX-License-Identifier: Apache-2.0 */
/* Pure; any thread. */
#include "sum.h"

#include <xxhash.h>

uint64_t sum_of_block(const void *data, size_t size) {
  return XXH3_64bits(data, size);
}

uint64_t sum_of_part(const uint64_t *block_sums, size_t count) {
  return XXH3_64bits(block_sums, count * sizeof *block_sums);
}
