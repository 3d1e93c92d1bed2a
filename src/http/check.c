/* SPDX-License-Identifier: Apache-2.0 */
/* From an HTTP status to hoist's, with what to do about it. Pure; any thread. */
#include <stdio.h>

#include "clock.h"
#include "http.h"
#include "retry.h"

static const struct rule {
  int http_status;
  enum hoist_status status;
  const char *text;
} rules[] = {
    {401, HOIST_DENIED, "unauthorized; check the credentials"},
    {402, HOIST_DENIED, "payment required; check the account's plan"},
    {403, HOIST_DENIED, "forbidden; check that the credentials may read this"},
    {404, HOIST_NOT_FOUND, "not found; check the name"},
    {408, HOIST_UNAVAILABLE, "request timeout; try again later"},
    {410, HOIST_NOT_FOUND, "gone; it was deleted on the server"},
    {412, HOIST_UNAVAILABLE, "precondition failed: it changed on the server meanwhile; try again"},
    {423, HOIST_DENIED, "locked: usage is paused for this account"},
    {429, HOIST_UNAVAILABLE, "too many requests; try again later"},
    {500, HOIST_UNAVAILABLE, "internal server error; try again later"},
    {502, HOIST_UNAVAILABLE, "bad gateway; try again later"},
    {503, HOIST_UNAVAILABLE, "service unavailable; try again later"},
    {504, HOIST_UNAVAILABLE, "gateway timeout; try again later"},
};

static struct rule find_rule(int http_status) {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (rules[i].http_status == http_status) return rules[i];
  if (http_status >= 500 && http_status < 600)
    return (struct rule){http_status, HOIST_UNAVAILABLE, "server error; try again later"};
  return (struct rule){http_status, HOIST_CORRUPT,
                       "an answer that makes no sense here; check the address"};
}

const char *http_attempts(const struct http_response *r, char out[HTTP_ATTEMPTS_SIZE]) {
  unsigned n = r->attempts;
  out[0] = '\0';
  if (r->too_long_ns > 0)
    snprintf(out, HTTP_ATTEMPTS_SIZE,
             " after %u attempt%s, asking for a wait of %s%.0f s, which is longer than the timeout "
             "allows",
             n, n == 1 ? "" : "s", r->too_long_ns < RETRY_AFTER_CAP_S * NS_PER_S ? "" : "at least ",
             (double)r->too_long_ns / 1e9);
  else if (n > 1)
    snprintf(out, HTTP_ATTEMPTS_SIZE, " after %u attempts", n);
  return out;
}

enum hoist_status http_check(const struct http_response *response, const char *what,
                             struct hoist_error *err) {
  if (response->status >= 200 && response->status < 300) return HOIST_OK;
  struct rule rule = find_rule(response->status);
  char attempts[HTTP_ATTEMPTS_SIZE];
  enum hoist_status status =
      hoist_fail(err, rule.status, "%s: HTTP status %d%s: %s", what, response->status,
                 http_attempts(response, attempts), rule.text);
  if (err) err->http_status = response->status;
  return status;
}
