/* SPDX-License-Identifier: Apache-2.0 */
/* Redaction: what was redacted has nothing left to redact, and a secret put at the end of any URL
 * is gone. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MARK "n0tToBeSeen"

static void check_stable(const char *shown) {
  HOIST_AUTO(mem) char *again = http_redact_url(shown);
  if (again && strcmp(again, shown) != 0) abort();
}

static void check_secret(const char *url) {
  /* Only where the input does not say the mark itself. */
  if (strstr(url, MARK)) return;
  HOIST_AUTO(mem)
  char *with_secret = text_format("%s%sapi_key=" MARK, url, strchr(url, '?') ? "&" : "?");
  HOIST_AUTO(mem) char *shown = with_secret ? http_redact_url(with_secret) : NULL;
  if (shown && strstr(shown, MARK)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 4096) return 0;
  HOIST_AUTO(mem) char *url = strndup((const char *)data, size);
  HOIST_AUTO(mem) char *shown = url ? http_redact_url(url) : NULL;
  if (!shown) return 0;
  check_stable(shown);
  check_secret(url);
  return 0;
}
