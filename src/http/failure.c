/* SPDX-License-Identifier: Apache-2.0 */
/* One row per curl result code that hoist tells apart. Pure; any thread. */
#include "failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct row {
  CURLcode code;
  enum hoist_status status;
  bool retry;
  bool show_detail;
  const char *reason;
  const char *cause;
  const char *next_step;
} rows[] = {
    {CURLE_COULDNT_RESOLVE_HOST, HOIST_UNAVAILABLE, true, false, "dns",
     "the host name cannot be resolved", "check the address and the network"},
    {CURLE_COULDNT_RESOLVE_PROXY, HOIST_UNAVAILABLE, true, false, "dns",
     "the host name of the proxy cannot be resolved", "check the proxy setting"},
    {CURLE_COULDNT_CONNECT, HOIST_UNAVAILABLE, true, false, "connect", "cannot connect",
     "check the address and that the server is running"},
    {CURLE_OPERATION_TIMEDOUT, HOIST_UNAVAILABLE, true, false, "timeout", "connecting timed out",
     "check the address and the network"},
    {CURLE_GOT_NOTHING, HOIST_UNAVAILABLE, true, false, "reset",
     "the connection was closed without an answer", "try again later"},
    {CURLE_RECV_ERROR, HOIST_UNAVAILABLE, true, true, "reset", "the connection was lost",
     "try again later"},
    {CURLE_SEND_ERROR, HOIST_UNAVAILABLE, true, true, "reset", "the connection was lost",
     "try again later"},
    {CURLE_HTTP2, HOIST_UNAVAILABLE, true, true, "reset", "the HTTP/2 connection failed",
     "try again later"},
    {CURLE_HTTP2_STREAM, HOIST_UNAVAILABLE, true, true, "reset", "the HTTP/2 stream was closed",
     "try again later"},
    {CURLE_PARTIAL_FILE, HOIST_UNAVAILABLE, true, false, "short_body",
     "the connection was closed before the whole body arrived", "try again later"},
    {CURLE_PEER_FAILED_VERIFICATION, HOIST_UNAVAILABLE, false, true, "tls",
     "the server's certificate is not trusted",
     "if it is signed by a private CA, set HOIST_CA_FILE to the CA's PEM file"},
    {CURLE_SSL_CACERT_BADFILE, HOIST_INVALID, false, true, "tls",
     "the file of trusted certificates cannot be read", "check HOIST_CA_FILE"},
    {CURLE_SSL_CONNECT_ERROR, HOIST_UNAVAILABLE, true, true, "tls", "the TLS handshake failed",
     "check that the server speaks https on this port"},
    {CURLE_UNSUPPORTED_PROTOCOL, HOIST_CORRUPT, false, false, "not_http", "the answer is not HTTP",
     "check the address and the port"},
    {CURLE_WEIRD_SERVER_REPLY, HOIST_CORRUPT, false, true, "not_http", "the answer is not HTTP",
     "check the address and the port"},
    {CURLE_URL_MALFORMAT, HOIST_INVALID, false, false, "invalid", "the URL is malformed",
     "check the address"},
    {CURLE_OUT_OF_MEMORY, HOIST_NO_MEMORY, false, false, "no_memory", "out of memory",
     "free some memory"},
};
static const struct row unknown = {
    CURLE_OK, HOIST_UNAVAILABLE, true, true, "transport", "the request failed", "try again later"};

static const struct row *find_row(CURLcode code) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].code == code) return &rows[i];
  return &unknown;
}

#define PROXY_SIZE 280

/* Whom curl could not connect to, where that is not whom we asked. "": the very host, or it does not say. */
static void find_proxy(const char *authority, const char *detail, char ret_proxy[PROXY_SIZE]) {
  char host[256];
  unsigned port;
  ret_proxy[0] = '\0';
  if (sscanf(detail, "Failed to connect to %255s port %u", host, &port) != 2) return;
  if (*authority == '[') authority++;
  if (strncasecmp(authority, host, strlen(host)) != 0)
    snprintf(ret_proxy, PROXY_SIZE, "%s port %u", host, port);
}

static void fail_proxy(const char *authority, const char *proxy, struct hoist_error *err) {
  hoist_fail(err, HOIST_UNAVAILABLE,
             "%s: cannot connect to the proxy %s; check http_proxy, https_proxy, all_proxy and "
             "no_proxy, and that the proxy is running",
             authority, proxy);
}

enum hoist_status failure_of_curl(CURLcode code, int sys_errno, const char *authority,
                                  const char *detail, struct failure *ret_failure,
                                  struct hoist_error *err) {
  const struct row *row = find_row(code);
  *ret_failure = (struct failure){.reason = row->reason, .retry = row->retry};
  char proxy[PROXY_SIZE] = "";
  if (code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT)
    find_proxy(authority, detail, proxy);
  if (code == CURLE_COULDNT_CONNECT && sys_errno == ECONNREFUSED) {
    ret_failure->reason = "connection_refused";
    detail = "connection refused";
  } else if (!row->show_detail) {
    detail = "";
  } else if (!*detail) {
    detail = curl_easy_strerror(code);
  }
  if (*proxy)
    fail_proxy(authority, proxy, err);
  else
    hoist_fail(err, row->status, "%s: %s%s%s%s; %s", authority, row->cause, *detail ? " (" : "",
               detail, *detail ? ")" : "", row->next_step);
  if (err && code == CURLE_COULDNT_CONNECT) err->sys_errno = sys_errno;
  return row->status;
}
