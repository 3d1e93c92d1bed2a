/* SPDX-License-Identifier: Apache-2.0 */
/* One blocking HTTP request at a time per thread, over libcurl: attempts with backoff and jitter,
 * Retry-After, one client span per attempt, secrets kept out of spans and errors. A struct http
 * shares the DNS cache and TLS sessions between threads and keeps idle curl handles (with their
 * connections) for reuse, one in use by one thread at a time. */
#ifndef HOIST_HTTP_HTTP_H
#define HOIST_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "call.h"

#define HTTP_MAX_HEADER_BYTES (64u << 10) /* response headers of one response, together */
#define HTTP_MAX_ERROR_BYTES (64u << 10)  /* body kept of a response that is not 2xx */
#define HTTP_MAX_REDIRECTS 5
#define HTTP_MAX_URL_BYTES (16u << 10)
/* What a server must send within the stall timeout to count as one that goes on. Low enough for many
 * connections to share a poor link: 137 bytes a second with the default of 30 s. */
#define HTTP_STALL_BYTES 4096u

struct http;

struct http_options {
  const char *user_agent;      /* "hoist/0.1.0" */
  const char *ca_file;         /* PEM bundle; NULL: the system's */
  int verify_tls;              /* 1 unless the user switched it off */
  const char *proxy;           /* NULL: curl's environment rules */
  uint32_t connect_timeout_ms; /* default 10000 */
  uint32_t stall_timeout_ms;   /* fewer than HTTP_STALL_BYTES in so long:
                                  UNAVAILABLE; default 30000 */
  uint32_t max_attempts;       /* default 5, the first one included */
};
void http_options_init(struct http_options *options);
HOIST_MUST_CHECK enum hoist_status http_new(const struct http_options *options,
                                            struct http **ret_http, struct hoist_error *err);
/** A client like that one, but for a proxy: it uses none. */
HOIST_MUST_CHECK enum hoist_status http_new_direct(const struct http *like, struct http **ret_http,
                                                   struct hoist_error *err);
void http_free(struct http *http);

/** Response status and headers. Lives in the caller's struct; http_response_done frees. */
struct http_response {
  int status;             /* of the final response; 0 when there was none */
  int64_t content_length; /* -1 unknown */
  struct buf headers;     /* raw lines of the final response: "name: value\n", names lower-case */
  struct buf body;        /* the body where there is no sink, or where the status is not 2xx */
  uint32_t attempts;
  uint64_t
      too_long_ns; /* a wait asked for by Retry-After that would outlast the deadline; 0: none */
};
void http_response_done(struct http_response *r);
static inline void http_response_cleanup(struct http_response *r) {
  http_response_done(r);
}
/** Copies the (first) value of a header to `out`; NULL when absent or too long for `out`.
 * Lower-case name. */
const char *http_response_header(const struct http_response *r, const char *name, char *out,
                                 size_t out_size);

/** When the server sent it, by its own clock; false: it does not say. */
bool http_response_date(const struct http_response *r, uint64_t *ret_unix_s);

struct http_header {
  const char *name;
  const char *value;
};
#define HTTP_MAX_REQUEST_HEADERS 24

struct http_request {
  const char *method;    /* "GET", "HEAD", "POST", "PUT" */
  const char *url;       /* sent verbatim (CURLOPT_PATH_AS_IS) */
  const char *span_name; /* NULL: the method */
  int secret_path;       /* 1: spans show of the URL where it leads, and no more */
  const struct http_header *headers;
  size_t header_count;
  const void *body; /* NULL: none; borrowed */
  size_t body_size;
  size_t max_body;       /* cap of response->body where there is no sink */
  int follow_redirects;  /* 1: GET and HEAD, up to HTTP_MAX_REDIRECTS hops, never from https
                            to http; `headers` and `sign` only for the same scheme, host
                            and port. 0: a 3xx is a response like another */
  uint32_t timeout_ms;   /* one attempt; 0: only the stall timeout and the deadline */
  uint32_t max_attempts; /* 0: the option */
  int with_baggage;      /* 1: the call's baggage goes along, where `headers` do. It may be
                            confidential: only for whom it is meant, never for storage */
  /** Called before each attempt to make headers that depend on the time (signatures): sets up to
   *  HTTP_MAX_REQUEST_HEADERS further headers, whose strings stay valid until the next call. NULL:
   * none */
  enum hoist_status (*sign)(void *user, const struct http_header **ret_headers, size_t *ret_count,
                            struct hoist_error *err);
  void *sign_user;
  int sign_redirects; /* 1: what `sign` makes is no secret (a Range) and goes along with a redirect */
  /** Called on the attempt's span before it ends, to add attributes; NULL: none. */
  void (*annotate)(void *user, struct hoist_span *span, const struct http_response *response);
  void *annotate_user;
  /* Where the body of a 2xx response goes; NULL begin: into response->body. `begin` is called once
   * per attempt, after the headers, before the first write (also for an empty body). */
  enum hoist_status (*begin)(void *user, const struct http_response *response,
                             struct hoist_error *err);
  enum hoist_status (*write)(void *user, const void *data, size_t size, struct hoist_error *err);
  void *sink_user;
};

/** Performs the request with retries. `ret_response` is given empty ({0}) and filled in on OK.
 * Retried: connect failures, a connection lost, a stall, a body shorter than announced, 408, 429,
 * 500, 502, 503, 504. OK whenever a final response arrived, whatever its status: see http_check.
 * The wait between two attempts is what Retry-After says (at most 60 s), else backoff with full
 * jitter; one that would outlast the deadline is not begun, and the last attempt's outcome is the
 * result. A redirected request is tried again from its first URL. Cancelled within 100 ms. Errors:
 * UNAVAILABLE no response after all attempts (names the host, the cause) · TIMEOUT the call's
 *          deadline · CANCELLED · CORRUPT over a cap, or not HTTP · INVALID a malformed URL ·
 *          UNAVAILABLE with "certificate" in the text where TLS verification failed (not retried) ·
 *          whatever begin, write or sign returned */
HOIST_MUST_CHECK enum hoist_status http_perform(const struct call *call, struct http *http,
                                                const struct http_request *request,
                                                struct http_response *ret_response,
                                                struct hoist_error *err);

/** What came before the final response and stopped there, to follow on "HTTP status 503": "", " after 3 attempts",
 *  " after 1 attempt, asking for a wait of 45 s, which is longer than the timeout allows". Returns `out`. */
#define HTTP_ATTEMPTS_SIZE 112
const char *http_attempts(const struct http_response *r, char out[HTTP_ATTEMPTS_SIZE]);

/** Maps a status to hoist's: 2xx OK, 401/402/403/423 DENIED, 404/410 NOT_FOUND, 408/429/5xx
 * UNAVAILABLE, else CORRUPT; `what` names the thing asked for. The text has the status and a hint,
 * never a body. */
HOIST_MUST_CHECK enum hoist_status http_check(const struct http_response *response,
                                              const char *what, struct hoist_error *err);

/** The URL as it may be shown: user:password and fragment removed, the values of all query parameters
 *  but a list of harmless ones (src/http/redact.c) → REDACTED; a URL in a parameter `url` is shown by the
 *  same rules. malloc'd; NULL when out of memory. */
char *http_redact_url(const char *url);

#endif
