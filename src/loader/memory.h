/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory this process may still take. */
#ifndef HOIST_LOADER_MEMORY_H
#define HOIST_LOADER_MEMORY_H

#include <stdint.h>

/** The smaller of what the machine has to spare and what the process's control group allows; UINT64_MAX where
 *  neither can be told. */
uint64_t memory_available(void);

#endif
