/* SPDX-License-Identifier: Apache-2.0 */
/* The Roboflow API as a source. */
#ifndef HOIST_ROBOFLOW_ROBOFLOW_H
#define HOIST_ROBOFLOW_ROBOFLOW_H

#include "source.h"

struct http;

struct roboflow_options {
  const char *base_url;        /* NULL: https://api.roboflow.com */
  const char *weights_suffix;  /* INTERNAL_WEIGHTS_URL_SUFFIX; NULL: "" */
  const char *api_key;         /* NULL or "local": none */
  const char *extra_headers;   /* JSON object text; NULL: none */
  const char *service_secret;  /* vouches for countinference=false; sent only with the suffix
                                   "serverless"; NULL: none */
  const char *secure_gateway;  /* NULL: none */
  const char *device_id;       /* NULL: the host name */
  uint32_t request_timeout_ms; /* one API request (not the files); 0: none but the stall timeout */
  uint32_t url_lifetime_ms;    /* a file is not begun from a URL that is older; 0: two minutes */
  int verify_md5;              /* 1: check x-goog-hash, md5Hash, simple ETags */
  const char *quantization;    /* what packages are preferred: "int8,fp16"; NULL: the most exact */
  const char *providers;       /* that sessions are opened with, "CUDA,CPU"; NULL: the CPU */
};

/** Takes ownership of nothing, copies what it keeps; `http` must outlive it.
 *  Errors: INVALID an option makes no sense: names its variable · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status source_roboflow_new(struct http *http,
                                                       const struct roboflow_options *options,
                                                       struct source **ret_source,
                                                       struct hoist_error *err);
#endif
