/* SPDX-License-Identifier: Apache-2.0 */
/* Raising errors. An error is raised once, where it happens; above that only context is prepended. */
#ifndef HOIST_BASE_ERR_H
#define HOIST_BASE_ERR_H

#include <stdarg.h>

#include <hoist/error.h>

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/** Fills `err` (may be NULL) and returns `status`. A status of HOIST_OK is a defect of the caller and
 *  comes back as HOIST_INTERNAL. Control bytes in the text become '?', so one error is one line. */
enum hoist_status hoist_fail(struct hoist_error *err, enum hoist_status status, const char *fmt,
                             ...) PRINTF_LIKE(3, 4);

/** As hoist_fail, with errno value `sys_errno` kept and its text appended as ": No such file...".
 *  The status is derived from it: ENOENT → NOT_FOUND, EACCES/EPERM/EROFS → DENIED, ENOSPC/EDQUOT →
 *  NO_SPACE, ENOMEM → NO_MEMORY, ENAMETOOLONG/EINVAL → INVALID, else
 *  UNAVAILABLE. */
enum hoist_status hoist_fail_errno(struct hoist_error *err, int sys_errno, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/** hoist_fail for a failed allocation of `what`. */
enum hoist_status hoist_fail_memory(struct hoist_error *err, const char *what);

/** Puts "context: " before the message; status and codes stay. `err` may be NULL. */
void hoist_error_prepend(struct hoist_error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Puts more behind the message. `err` may be NULL. */
void hoist_error_append(struct hoist_error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Puts "; next step" behind the message, where it has none. `err` may be NULL. */
void hoist_error_advise(struct hoist_error *err, const char *next_step);

#endif
