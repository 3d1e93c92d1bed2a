/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of libraries. Any thread. */
#include "versions.h"

#include <curl/curl.h>
#include <openssl/crypto.h>

const char *versions_curl(void) {
  return curl_version_info(CURLVERSION_NOW)->version;
}

const char *versions_openssl(void) {
  return OpenSSL_version(OPENSSL_VERSION);
}

void versions_json(struct cli *cli) {
  json_text(&cli->json, "hoist", hoist_version());
  json_text(&cli->json, "libcurl", versions_curl());
  json_text(&cli->json, "openssl", versions_openssl());
}
