/* SPDX-License-Identifier: Apache-2.0 */
/* Variables of threads that are read on every span and measurement: one addition away, where the usual way
 * of a shared library is a call of the dynamic linker. They take some of the few bytes that glibc keeps
 * ready for libraries loaded late, so only small ones may be of this kind; other C libraries keep none. */
#ifndef HOIST_TELEMETRY_THREAD_LOCAL_H
#define HOIST_TELEMETRY_THREAD_LOCAL_H

#include <features.h>

#ifdef __GLIBC__
#define NEAR_THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define NEAR_THREAD_LOCAL _Thread_local
#endif

#endif
