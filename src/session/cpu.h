/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of processor this is. */
#ifndef HOIST_SESSION_CPU_H
#define HOIST_SESSION_CPU_H

/** A digest of the processor's model and features, as lower-case hex: the same on two machines whose
 *  processors can do the same. Static; read once per process. Any thread. */
const char *cpu_identity(void);

#endif
