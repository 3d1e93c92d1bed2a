/* SPDX-License-Identifier: Apache-2.0 */
/* What a curl result code means to hoist: a status, a text for people, a reason for spans, and
 * whether another attempt may help. */
#ifndef HOIST_HTTP_FAILURE_H
#define HOIST_HTTP_FAILURE_H

#include <curl/curl.h>
#include <stdbool.h>

#include "http.h"

struct failure {
  const char *reason; /* error.type: "timeout", "connection_refused", …; static */
  bool retry;
};

/** Raises the failure behind `code`. `authority` is whom we talked to, `detail` what curl says
 * about it
 *  ("" for nothing), `sys_errno` the connect's errno (0: none). */
enum hoist_status failure_of_curl(CURLcode code, int sys_errno, const char *authority,
                                  const char *detail, struct failure *ret_failure,
                                  struct hoist_error *err);

#endif
