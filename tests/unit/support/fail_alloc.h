/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one allocation fail. For programs that have fail_alloc_dep. */
#ifndef HOIST_TESTS_FAIL_ALLOC_H
#define HOIST_TESTS_FAIL_ALLOC_H

/** From now on the n-th allocation (from 1) of the code under test fails; 0: none. */
void fail_alloc_at(long n);
/** Whether it has come to that. */
int fail_alloc_happened(void);

#endif
