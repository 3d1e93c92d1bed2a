/* SPDX-License-Identifier: Apache-2.0 */
/* The cyclic redundancy checks that object stores keep: CRC-32C (Castagnoli) and CRC-64/NVME. Each goes on
 * from the value of what came before; 0 begins. Any thread. */
#ifndef HOIST_BASE_CRC_H
#define HOIST_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/** By the processor's own instruction where it has one. */
uint32_t crc_32c(uint32_t crc, const void *data, size_t size);
/** The same by tables, as on a processor without. */
uint32_t crc_32c_by_tables(uint32_t crc, const void *data, size_t size);
uint64_t crc_64nvme(uint64_t crc, const void *data, size_t size);

#endif
