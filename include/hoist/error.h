/* SPDX-License-Identifier: Apache-2.0 */
/* How hoist reports failure: one status enum, grouped by what the caller can do about it, and one
 * caller-owned error record. Nothing is allocated, nothing is thread-local: an error lives in the
 * struct hoist_error the caller passes in (NULL where only the status matters). */
#ifndef HOIST_ERROR_H
#define HOIST_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define HOIST_API __attribute__((visibility("default")))
#define HOIST_MUST_CHECK __attribute__((warn_unused_result))
#else
#define HOIST_API
#define HOIST_MUST_CHECK
#endif

/** What happened, by what the caller can do about it. Values are stable. */
enum hoist_status {
  HOIST_OK = 0,
  HOIST_INVALID = 1,     /**< the caller's input is wrong: fix it, retrying cannot help */
  HOIST_NOT_FOUND = 2,   /**< the thing named does not exist where it was looked for */
  HOIST_DENIED = 3,      /**< credentials are missing, wrong, or not allowed to do this */
  HOIST_UNAVAILABLE = 4, /**< a service or device did not answer or answered "later": try again */
  HOIST_TIMEOUT = 5,     /**< the caller's deadline passed */
  HOIST_CANCELLED = 6,   /**< the caller asked to stop */
  HOIST_CORRUPT = 7,     /**< bytes are not what was promised: digest, length, syntax or shape */
  HOIST_UNSUPPORTED = 8, /**< valid, but this build, runtime or machine cannot do it */
  HOIST_NO_SPACE = 9,    /**< the disk is full or a quota was reached */
  HOIST_NO_MEMORY = 10,  /**< an allocation failed; nothing was changed */
  HOIST_INTERNAL = 11,   /**< a defect in hoist: please report it */
};

/** Bytes in hoist_error::message, terminating NUL included. Longer texts are cut with "...". */
#define HOIST_ERROR_MESSAGE_SIZE 512

/** Details of a failure, in storage of the caller. Untouched when the call succeeds. The message is
 *  one line, names the thing, the cause and where possible the next step, and never a secret. */
struct hoist_error {
  enum hoist_status status;
  int sys_errno;   /**< errno behind the failure; 0 when there is none */
  int http_status; /**< HTTP status behind the failure; 0 when there is none */
  char message[HOIST_ERROR_MESSAGE_SIZE];
};

/** The low-cardinality name of a status, as in `error.type`: "ok", "invalid", "not_found", "denied",
 *  "unavailable", "timeout", "cancelled", "corrupt", "unsupported", "no_space", "no_memory",
 *  "internal". Static storage.
 *  Threads: any */
HOIST_API const char *hoist_status_name(enum hoist_status status);

#ifdef __cplusplus
}
#endif
#endif
