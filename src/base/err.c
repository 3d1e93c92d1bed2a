/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: formatting into the caller's record. Owns nothing, any thread. */
#include "err.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *hoist_status_name(enum hoist_status status) {
  switch (status) {
  case HOIST_OK:
    return "ok";
  case HOIST_INVALID:
    return "invalid";
  case HOIST_NOT_FOUND:
    return "not_found";
  case HOIST_DENIED:
    return "denied";
  case HOIST_UNAVAILABLE:
    return "unavailable";
  case HOIST_TIMEOUT:
    return "timeout";
  case HOIST_CANCELLED:
    return "cancelled";
  case HOIST_CORRUPT:
    return "corrupt";
  case HOIST_UNSUPPORTED:
    return "unsupported";
  case HOIST_NO_SPACE:
    return "no_space";
  case HOIST_NO_MEMORY:
    return "no_memory";
  case HOIST_INTERNAL:
    return "internal";
  }
  return "internal";
}

/* One error is one line: whatever a server or file name smuggled in must not start another. */
static void make_printable(char *text) {
  for (char *p = text; *p; p++) {
    bool c1 =
        (unsigned char)p[0] == 0xc2 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] < 0xa0;
    if (c1) p[1] = '?';
    if (c1 || (unsigned char)*p < 0x20 || *p == 0x7f) *p = '?';
  }
}

static void mark_cut(char *text, size_t size) {
  memcpy(text + size - 4, "...", 4);
}

__attribute__((format(printf, 2, 0))) static void format_message(struct hoist_error *err,
                                                                 const char *fmt, va_list args) {
  int n = vsnprintf(err->message, sizeof err->message, fmt, args);
  if (n < 0)
    err->message[0] = '\0';
  else if ((size_t)n >= sizeof err->message)
    mark_cut(err->message, sizeof err->message);
  make_printable(err->message);
}

enum hoist_status hoist_fail(struct hoist_error *err, enum hoist_status status, const char *fmt,
                             ...) {
  if (status == HOIST_OK) status = HOIST_INTERNAL;
  if (!err) return status;
  *err = (struct hoist_error){.status = status};
  va_list args;
  va_start(args, fmt);
  format_message(err, fmt, args);
  va_end(args);
  return status;
}

static enum hoist_status status_of_errno(int sys_errno) {
  switch (sys_errno) {
  case ENOENT:
  case ENOTDIR:
    return HOIST_NOT_FOUND;
  case EACCES:
  case EPERM:
  case EROFS:
    return HOIST_DENIED;
  case ENOSPC:
  case EDQUOT:
  case EFBIG:
    return HOIST_NO_SPACE;
  case ENOMEM:
    return HOIST_NO_MEMORY;
  case ENAMETOOLONG:
  case EINVAL:
    return HOIST_INVALID;
  default:
    return HOIST_UNAVAILABLE;
  }
}

static void append(struct hoist_error *err, const char *text) {
  size_t used = strlen(err->message);
  int n = snprintf(err->message + used, sizeof err->message - used, "%s", text);
  if (n >= 0 && (size_t)n >= sizeof err->message - used)
    mark_cut(err->message, sizeof err->message);
}

enum hoist_status hoist_fail_errno(struct hoist_error *err, int sys_errno, const char *fmt, ...) {
  enum hoist_status status = status_of_errno(sys_errno);
  if (!err) return status;
  *err = (struct hoist_error){.status = status, .sys_errno = sys_errno};
  va_list args;
  va_start(args, fmt);
  format_message(err, fmt, args);
  va_end(args);
  char text[128] = "";
#ifdef __GLIBC__
  const char *reason = strerror_r(sys_errno, text, sizeof text);
#else
  const char *reason = strerror_r(sys_errno, text, sizeof text) == 0 ? text : "unknown error";
#endif
  append(err, ": ");
  append(err, reason);
  return status;
}

enum hoist_status hoist_fail_memory(struct hoist_error *err, const char *what) {
  return hoist_fail(err, HOIST_NO_MEMORY, "%s: out of memory", what);
}

void hoist_error_prepend(struct hoist_error *err, const char *fmt, ...) {
  if (!err) return;
  char old[sizeof err->message];
  memcpy(old, err->message, sizeof old);
  va_list args;
  va_start(args, fmt);
  format_message(err, fmt, args);
  va_end(args);
  append(err, ": ");
  append(err, old);
}

void hoist_error_append(struct hoist_error *err, const char *fmt, ...) {
  if (!err) return;
  struct hoist_error more;
  va_list args;
  va_start(args, fmt);
  format_message(&more, fmt, args);
  va_end(args);
  append(err, more.message);
}

void hoist_error_advise(struct hoist_error *err, const char *next_step) {
  if (err && !strstr(err->message, "; ")) hoist_error_append(err, "; %s", next_step);
}
