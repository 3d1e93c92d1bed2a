/* SPDX-License-Identifier: Apache-2.0 */
/* The checksum by which a part is known again after a crash: XXH3 of the XXH3 of its blocks, which may be
 * written by different workers. It guards against decay and strangers, not against forgery: what the source
 * promised is checked over the whole file. */
#ifndef HOIST_FETCH_SUM_H
#define HOIST_FETCH_SUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t sum_of_block(const void *data, size_t size);
uint64_t sum_of_part(const uint64_t *block_sums, size_t count);

#endif
