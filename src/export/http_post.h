/* SPDX-License-Identifier: Apache-2.0 */
/* One POST to a collector over libcurl, that ends in time whatever the collector does. */
#ifndef HOIST_EXPORT_HTTP_POST_H
#define HOIST_EXPORT_HTTP_POST_H

#include <curl/curl.h>
#include <stdbool.h>

#include "buf.h"
#include "exporter.h"

#define HTTP_POST_ANSWER_MAX (4u << 20)
#define HTTP_POST_HEADER_SIZE 128
/* No receiver means a longer wait than this. */
#define HTTP_POST_RETRY_AFTER_MAX_S (24 * 60 * 60)

struct http_post {
  CURLM *multi; /* keeps the connection from one request to the next, and can be woken */
  CURL *easy;
  char *url, *ca_file, *client_certificate_file, *client_key_file;
  bool http2, gzip_answer;
  struct curl_slist *headers;
  void (*on_header)(void *user, const char *line, size_t size);
  void *on_header_user;
  const stop_time *stop_at_ns;
  struct buf answer; /* body of the last answer */
  char curl_error[CURL_ERROR_SIZE];
};

struct http_answer {
  CURLcode code;
  bool out_of_time;        /* the deadline or the stop time came first */
  long status;             /* 0: no answer */
  bool is_new_tls;         /* the connection was made, and its handshake done, for this request */
  uint64_t retry_after_ms; /* from a number of seconds or a date, capped; 0: neither was there */
};

struct http_post_config {
  const char *url;
  const char *ca_file, *client_certificate_file, *client_key_file; /* PEM; NULL or "": none */
  struct curl_slist *headers;
  bool http2;       /* and nothing else: over cleartext with prior knowledge */
  bool gzip_answer; /* the receiver may compress what it says, as HTTP has it */
  /* Gets each status line, header and trailer as it arrives; NULL: nobody does. */
  void (*on_header)(void *user, const char *line, size_t size);
  void *on_header_user;
  const stop_time *stop_at_ns;
};

struct http_request {
  const void *data;
  size_t size;
  const char *header;   /* one more for this request, below HTTP_POST_HEADER_SIZE; or NULL */
  uint64_t deadline_ns; /* monotonic */
};

/** Takes `headers`, also on failure; strings are copied. Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status http_post_init(struct http_post *post,
                                                  const struct http_post_config *config,
                                                  struct hoist_error *err);
void http_post_done(struct http_post *post);
/** Begins anew without the connection, which is the parent process's too: closing it properly would
 *  disturb that, so it is left. */
void http_post_after_fork(struct http_post *post);

/** Blocks until the answer is there, the request's deadline or the stop time has come.
 *  Errors: NO_MEMORY libcurl could not be set up; else OK, and ret_answer says what came of it */
HOIST_MUST_CHECK enum hoist_status http_post_send(struct http_post *post,
                                                  const struct http_request *request,
                                                  struct http_answer *ret_answer,
                                                  struct hoist_error *err);
/** Waits that long; false where the stop time came first. */
bool http_post_pause(struct http_post *post, uint64_t ms);
/** Makes a waiting call above look at the stop time. Any thread. */
void http_post_wake(struct http_post *post);
/** The earlier of `deadline_ns` and the stop time. */
uint64_t http_post_limit(const struct http_post *post, uint64_t deadline_ns);

#endif
