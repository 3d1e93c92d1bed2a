/* SPDX-License-Identifier: Apache-2.0 */
/* What a struct http is inside, and the curl handles it lends. A handle is used by one thread from
 * http_take_handle to http_return_handle, and keeps its connections in between. */
#ifndef HOIST_HTTP_HANDLE_H
#define HOIST_HTTP_HANDLE_H

#include <curl/curl.h>
#include <pthread.h>

#include "http.h"

#define HTTP_MAX_IDLE_HANDLES 64

/* One easy in one multi of its own: the connections live in the multi, and only the multi interface
 * lets a transfer be watched, and left, while it waits. */
struct handle {
  CURL *easy;
  CURLM *multi;
  char error[CURL_ERROR_SIZE];
  struct handle *next;
};

struct http {
  struct http_options options; /* its strings are owned */
  CURLSH *share;
  pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];
  pthread_mutex_t idle_lock;
  struct handle *idle; /* guarded by idle_lock, the last one used first */
  size_t idle_count;
};

HOIST_MUST_CHECK enum hoist_status http_take_handle(struct http *http, struct handle **ret_handle,
                                                    struct hoist_error *err);
/** The easy must not be in the multi any more. NULL is fine. */
void http_return_handle(struct http *http, struct handle *handle);
void handle_free(struct handle *handle);
HOIST_DEFINE_AUTO(handle, struct handle, handle_free)

#endif
