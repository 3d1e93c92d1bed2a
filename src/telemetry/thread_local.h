/* SPDX-License-Identifier: Apache-2.0 */
/* Variables of threads that are read on every measurement: one addition away, where the usual way of a shared
 * library is a call of the dynamic linker. They take a few of the bytes that it keeps ready for libraries
 * loaded late, so only small ones may be of this kind. */
#ifndef HOIST_TELEMETRY_THREAD_LOCAL_H
#define HOIST_TELEMETRY_THREAD_LOCAL_H

#define NEAR_THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))

#endif
