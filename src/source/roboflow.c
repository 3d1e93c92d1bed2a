/* SPDX-License-Identifier: Apache-2.0 */
/* The Roboflow API as a source: /ort for versioned ids, /getWeights for others, then plain GETs of the
 * URLs they hand out. Those URLs are secrets and short-lived; the API key goes into the query of the
 * API's own requests and nowhere else. Any thread; what is shared are the files' URLs and the
 * last set of fresh ones, each guarded by a lock. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <hoist/telemetry.h>

#include "clock.h"
#include "http.h"
#include "http_range.h"
#include "path_rule.h"
#include "roboflow_answer.h"
#include "roboflow_api.h"
#include "roboflow_promise.h"
#include "source.h"
#include "text.h"

#define LOCK_POLL_NS (20 * NS_PER_MS)

struct roboflow {
  struct source base;
  struct http *http;
  struct roboflow_api api;
  uint32_t request_timeout_ms;
  int verify_md5;

  pthread_mutex_t urls;  /* guards the locators of the files being fetched; never held for long */
  pthread_mutex_t lock;  /* guards what follows; held while the API is asked for fresh URLs */
  char *fresh_id;        /* the model of `fresh`; NULL: none yet */
  struct manifest fresh; /* what the API said when it was asked again */
};

static struct roboflow *self(struct source *source) {
  return (struct roboflow *)(void *)source;
}

/* ---- asking the API -------------------------------------------------------------------------- */

static const struct hoist_instrument api_duration = {
    .name = "inference.roboflow_api.duration",
    .unit = "s",
    .description = "Duration of calls to the Roboflow API.",
    .kind = HOIST_HISTOGRAM,
};

static const char *unauthorized(const struct roboflow *r) {
  return r->api.api_key ? "the Roboflow API does not accept this API key: check ROBOFLOW_API_KEY"
                        : "the Roboflow API wants an API key and none is set: set ROBOFLOW_API_KEY";
}

/* What the API's refusals mean and what to do about each; the rest is as with any server. */
static enum hoist_status check_api(const struct roboflow *r, const struct model_id *id,
                                   const struct http_response *response, struct hoist_error *err) {
  const struct {
    int http_status;
    enum hoist_status status;
    const char *text;
  } rules[] = {
      {401, HOIST_DENIED, unauthorized(r)},
      {402, HOIST_DENIED, "the Roboflow API wants payment: check the workspace's plan and credits"},
      {403, HOIST_DENIED,
       "the Roboflow API forbids it: check the scopes of the API key and its workspace"},
      {404, HOIST_NOT_FOUND,
       "the Roboflow API has no such model: check the id and the API key's workspace"},
      {423, HOIST_DENIED,
       "usage of the Roboflow API is paused: ask the workspace's administrator to resume it"},
  };
  char shown[PATH_SHOWN_SIZE], what[PATH_SHOWN_SIZE + 32];
  path_shown(id->text, shown);
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
    if (rules[i].http_status != response->status) continue;
    (void)hoist_fail(err, rules[i].status, "model \"%s\": %s (HTTP status %d)", shown,
                     rules[i].text, response->status);
    if (err) err->http_status = response->status;
    return rules[i].status;
  }
  snprintf(what, sizeof what, "model \"%s\": the Roboflow API", shown);
  return http_check(response, what, err);
}

static enum hoist_status read_answer(const struct model_id *id, const struct buf *body,
                                     struct roboflow_answer *ret_answer, struct hoist_error *err) {
  char shown[PATH_SHOWN_SIZE];
  enum hoist_status status =
      model_id_is_versioned(id) ? roboflow_read_ort(buf_str(body), body->size, ret_answer, err)
                                : roboflow_read_weights(buf_str(body), body->size, ret_answer, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "model \"%s\"", path_shown(id->text, shown));
  return status;
}

static enum hoist_status ask(const struct call *call, struct roboflow *r, const struct model_id *id,
                             struct roboflow_answer *ret_answer, struct hoist_error *err) {
  HOIST_AUTO(mem) char *url = roboflow_api_url(&r->api, id);
  if (!url) return hoist_fail_memory(err, "a URL");
  const struct http_request request = {
      .method = "GET",
      .url = url,
      .headers = r->api.headers,
      .header_count = r->api.header_count,
      .max_body = ROBOFLOW_MAX_ANSWER_BYTES,
      .follow_redirects = !r->api.gateway, /* a redirect would lead past it */
      .timeout_ms = r->request_timeout_ms,
      .with_baggage = 1,
  };
  HOIST_AUTO(http_response) struct http_response response = {0};
  enum hoist_status status = http_perform(call, r->http, &request, &response, err);
  if (status != HOIST_OK) return status;
  status = check_api(r, id, &response, err);
  if (status != HOIST_OK) return status;
  return read_answer(id, &response.body, ret_answer, err);
}

/* A file that the API named and its storage does not have is a broken package, not a missing model. */
static enum hoist_status check_file(const struct http_response *response, const char *name,
                                    struct hoist_error *err) {
  if (response->status != 404 && response->status != 410) return http_check(response, name, err);
  (void)hoist_fail(err, HOIST_CORRUPT,
                   "%s: the API lists it, but its storage does not have it (HTTP status %d): the "
                   "model package is broken",
                   name, response->status);
  if (err) err->http_status = response->status;
  return HOIST_CORRUPT;
}

/* http_perform for a URL that the API handed out: no headers of ours, and where it is no URL that is
 * the API's fault, not the caller's. */
static enum hoist_status get(const struct call *call, struct roboflow *r, const char *url,
                             struct http_request *request, struct http_response *ret_response,
                             struct hoist_error *err) {
  HOIST_AUTO(mem) char *wrapped = roboflow_api_wrap(&r->api, url);
  if (!wrapped) return hoist_fail_memory(err, "a URL");
  request->method = "GET";
  request->url = wrapped;
  request->follow_redirects = !r->api.gateway;
  enum hoist_status status = http_perform(call, r->http, request, ret_response, err);
  if (status != HOIST_INVALID) return status;
  if (err) err->status = HOIST_CORRUPT;
  return HOIST_CORRUPT;
}

/* 400 as well: that is how Google's storage says ExpiredToken. */
static bool may_be_expired(int http_status) {
  return http_status == 400 || http_status == 401 || http_status == 403;
}

static enum hoist_status get_environment(const struct call *call, struct roboflow *r,
                                         struct roboflow_answer *answer, int *ret_http_status,
                                         struct hoist_error *err) {
  static const char name[] = "environment.json";
  struct http_request request = {.max_body = ROBOFLOW_MAX_ENVIRONMENT_BYTES,
                                 .timeout_ms = r->request_timeout_ms};
  HOIST_AUTO(http_response) struct http_response response = {0};
  enum hoist_status status = get(call, r, answer->environment_url, &request, &response, err);
  if (status != HOIST_OK) {
    hoist_error_prepend(err, "%s", name);
    return status;
  }
  *ret_http_status = response.status;
  status = check_file(&response, name, err);
  if (status != HOIST_OK) return status;
  return roboflow_add_environment(answer, buf_str(&response.body), response.body.size, err);
}

/* The answer and, where it hands out a URL for it, environment.json. That URL may expire before it is
 * used, as any of them: then the API is asked for a fresh one, once. */
static enum hoist_status ask_whole(const struct call *call, struct roboflow *r,
                                   const struct model_id *id, struct roboflow_answer *answer,
                                   struct hoist_error *err) {
  int http_status = 0;
  enum hoist_status status = ask(call, r, id, answer, err);
  if (status != HOIST_OK || !answer->environment_url) return status;
  status = get_environment(call, r, answer, &http_status, err);
  if (!may_be_expired(http_status)) return status;
  roboflow_answer_done(answer);
  status = ask(call, r, id, answer, err);
  if (status != HOIST_OK || !answer->environment_url) return status;
  return get_environment(call, r, answer, &http_status, err);
}

/* What is wanted of the API: a whole description, or only fresh URLs. */
enum wanted { WANT_ALL, WANT_URLS };

static enum hoist_status ask_for(enum wanted wanted, const struct call *call, struct roboflow *r,
                                 const struct model_id *id, struct manifest *ret_manifest,
                                 struct hoist_error *err) {
  HOIST_AUTO(roboflow_answer) struct roboflow_answer answer = {0};
  enum hoist_status status =
      wanted == WANT_ALL ? ask_whole(call, r, id, &answer, err) : ask(call, r, id, &answer, err);
  if (status != HOIST_OK) return status;
  answer.manifest.source = strdup(r->base.name);
  if (!answer.manifest.source) return hoist_fail_memory(err, "a manifest");
  *ret_manifest = answer.manifest;
  answer.manifest = (struct manifest){0};
  return HOIST_OK;
}

/* ask_for in one span and one measurement, with however many requests it takes. */
static enum hoist_status call_api(enum wanted wanted, const struct call *call, struct roboflow *r,
                                  const struct model_id *id, struct manifest *ret_manifest,
                                  struct hoist_error *err) {
  const char *function = model_id_is_versioned(id) ? "get_model_data" : "get_weights";
  struct hoist_span span;
  hoist_span_start(call->span, "roboflow_api.call", HOIST_SPAN_INTERNAL, &span);
  hoist_span_set_string(&span, "roboflow_api.function", function);
  struct call inner = *call;
  inner.received = NULL; /* an answer of the API is no contents */
  inner.span = &span;
  struct hoist_error failure = {.status = HOIST_OK};
  uint64_t started_ns = clock_monotonic_ns();
  enum hoist_status status = ask_for(wanted, &inner, r, id, ret_manifest, &failure);
  double seconds = (double)(clock_monotonic_ns() - started_ns) / (double)NS_PER_S;
  const struct hoist_attr attr = {
      .key = "roboflow_api.function", .type = HOIST_ATTR_STRING, .value = {.string = function}};
  hoist_metric_add_in(&span, call->telemetry, &api_duration, seconds, &attr, 1);
  if (status != HOIST_OK) hoist_span_record_error(&span, &failure);
  hoist_span_end(&span);
  if (status != HOIST_OK && err) *err = failure;
  return status;
}

static enum hoist_status roboflow_describe(const struct call *call, struct source *source,
                                           const struct model_id *id, struct manifest *ret_manifest,
                                           struct hoist_error *err) {
  return call_api(WANT_ALL, call, self(source), id, ret_manifest, err);
}

/* The description is what only those get who may have the model. */
static enum hoist_status roboflow_check_access(const struct call *call, struct source *source,
                                               const struct model_id *id, struct hoist_error *err) {
  HOIST_AUTO(manifest) struct manifest unused = {0};
  return call_api(WANT_URLS, call, self(source), id, &unused, err);
}

/* ---- fresh URLs ------------------------------------------------------------------------------ */

/* The holder may be waiting for the API, so a waiter looks up now and then whether its own caller
 * still wants it. */
static enum hoist_status take_lock(const struct call *call, struct roboflow *r,
                                   struct hoist_error *err) {
  while (pthread_mutex_trylock(&r->lock) != 0) {
    enum hoist_status status = call_sleep(call, LOCK_POLL_NS, "waiting for fresh file URLs", err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

static const char *fresh_url(const struct roboflow *r, const struct model_id *id,
                             const char *name) {
  if (!text_equal(r->fresh_id, id->text)) return NULL;
  const struct manifest_file *file = manifest_find(&r->fresh, name);
  return file ? file->locator : NULL;
}

static enum hoist_status ask_again(const struct call *call, struct roboflow *r,
                                   const struct model_id *id, struct hoist_error *err) {
  HOIST_AUTO(mem) char *fresh_id = strdup(id->text);
  if (!fresh_id) return hoist_fail_memory(err, "a manifest");
  struct manifest fresh = {0};
  enum hoist_status status = call_api(WANT_URLS, call, r, id, &fresh, err);
  if (status != HOIST_OK) return status;
  manifest_done(&r->fresh);
  free(r->fresh_id);
  r->fresh = fresh;
  r->fresh_id = HOIST_TAKE(fresh_id);
  return HOIST_OK;
}

static char *copy_url(struct roboflow *r, const struct manifest_file *file) {
  pthread_mutex_lock(&r->urls);
  char *copy = text_dup(file->locator);
  pthread_mutex_unlock(&r->urls);
  return copy;
}

/* Takes `url`. */
static void set_url(struct roboflow *r, struct manifest_file *file, char *url) {
  pthread_mutex_lock(&r->urls);
  free(file->locator);
  file->locator = url;
  pthread_mutex_unlock(&r->urls);
}

/* The files of a model expire together, and so do the parts of one: what one thread learnt serves the
 * others. A URL that was `tried` already is no news, and only then the API is asked. */
static enum hoist_status refresh_locked(const struct call *call, struct roboflow *r,
                                        const struct model_id *id, struct manifest_file *file,
                                        const char *tried, bool *asked, struct hoist_error *err) {
  const char *url = fresh_url(r, id, file->name);
  if (!url || text_equal(url, tried)) {
    *asked = true;
    enum hoist_status status = ask_again(call, r, id, err);
    if (status != HOIST_OK) return status;
    url = fresh_url(r, id, file->name);
  }
  if (!url)
    return hoist_fail(err, HOIST_CORRUPT, "%s: its URL expired and the API lists it no more",
                      file->name);
  char *copy = strdup(url);
  if (!copy) return hoist_fail_memory(err, "a URL");
  set_url(r, file, copy);
  return HOIST_OK;
}

static enum hoist_status refresh(const struct call *call, struct roboflow *r,
                                 const struct model_id *id, struct manifest_file *file,
                                 const char *tried, bool *asked, struct hoist_error *err) {
  enum hoist_status status = take_lock(call, r, err);
  if (status != HOIST_OK) return status;
  status = refresh_locked(call, r, id, file, tried, asked, err);
  pthread_mutex_unlock(&r->lock);
  return status;
}

/* ---- fetching -------------------------------------------------------------------------------- */

struct delivery {
  struct source_request *request;
  int verify_md5;
  bool sink_failed; /* its error says what it is about */
  char range[RANGE_HEADER_SIZE];
  struct http_header headers[2];
};

/* If-Range and not If-Match: storage that does not know it ignores it, and the version is compared
 * afterwards in any case. */
static enum hoist_status ask_for_part(void *user, const struct http_header **ret_headers,
                                      size_t *ret_count, struct hoist_error *err) {
  struct delivery *d = user;
  const char *range = range_header(d->request, d->range);
  (void)err;
  *ret_count = 0;
  *ret_headers = d->headers;
  if (!range) return HOIST_OK;
  d->headers[(*ret_count)++] = (struct http_header){"range", range};
  if (d->request->validator)
    d->headers[(*ret_count)++] = (struct http_header){"if-range", d->request->validator};
  return HOIST_OK;
}

static enum hoist_status begin(void *user, const struct http_response *response,
                               struct hoist_error *err) {
  struct delivery *d = user;
  struct source_response r;
  char validator[SOURCE_VALIDATOR_SIZE];
  d->sink_failed = true;
  enum hoist_status status = range_read_response(d->request, response, validator, &r, err);
  if (status != HOIST_OK) return status;
  if (d->verify_md5) r.promised = roboflow_promised_digest(response);
  status = d->request->sink.begin(d->request->sink.user, &r, err);
  d->sink_failed = status != HOIST_OK;
  return status;
}

static enum hoist_status write_bytes(void *user, const void *data, size_t size,
                                     struct hoist_error *err) {
  struct delivery *d = user;
  enum hoist_status status = d->request->sink.write(d->request->sink.user, data, size, err);
  d->sink_failed = status != HOIST_OK;
  return status;
}

static enum hoist_status get_file(const struct call *call, struct roboflow *r, const char *url,
                                  struct source_request *part, struct http_response *ret_response,
                                  struct hoist_error *err) {
  struct delivery delivery = {.request = part, .verify_md5 = r->verify_md5};
  struct http_request request = {.sign = ask_for_part,
                                 .sign_user = &delivery,
                                 .sign_redirects = 1,
                                 .begin = begin,
                                 .write = write_bytes,
                                 .sink_user = &delivery};
  enum hoist_status status = get(call, r, url, &request, ret_response, err);
  if (status != HOIST_OK && !delivery.sink_failed) hoist_error_prepend(err, "%s", part->file->name);
  return status;
}

static enum hoist_status roboflow_fetch(const struct call *call, struct source *source,
                                        const struct model_id *id, struct source_request *request,
                                        struct hoist_error *err) {
  struct roboflow *r = self(source);
  bool asked = false;
  for (;;) {
    HOIST_AUTO(http_response) struct http_response response = {0};
    HOIST_AUTO(mem) char *url = copy_url(r, request->file);
    if (!url) return hoist_fail_memory(err, "a URL");
    enum hoist_status status = get_file(call, r, url, request, &response, err);
    if (status != HOIST_OK) return status;
    request->trouble = range_trouble(&response);
    if (!may_be_expired(response.status) || asked)
      return check_file(&response, request->file->name, err);
    status = refresh(call, r, id, request->file, url, &asked, err);
    if (status != HOIST_OK) return status;
  }
}

/* ---- construction ---------------------------------------------------------------------------- */

static void roboflow_free(struct source *source) {
  struct roboflow *r = self(source);
  roboflow_api_done(&r->api);
  manifest_done(&r->fresh);
  free(r->fresh_id);
  free(r->base.location);
  pthread_mutex_destroy(&r->lock);
  pthread_mutex_destroy(&r->urls);
  free(r);
}

static const struct source_ops roboflow_ops = {.describe = roboflow_describe,
                                               .fetch = roboflow_fetch,
                                               .check_access = roboflow_check_access,
                                               .free = roboflow_free};

enum hoist_status source_roboflow_new(struct http *http, const struct roboflow_options *options,
                                      struct source **ret_source, struct hoist_error *err) {
  HOIST_AUTO(mem) struct roboflow *r = calloc(1, sizeof *r);
  if (!r) return hoist_fail_memory(err, "a source");
  enum hoist_status status = roboflow_api_init(&r->api, options, err);
  if (status != HOIST_OK) return status;
  char *location = http_redact_url(r->api.base);
  if (!location) {
    roboflow_api_done(&r->api);
    return hoist_fail_memory(err, "a source");
  }
  r->base = (struct source){.ops = &roboflow_ops, .name = "roboflow_api", .location = location};
  r->http = http;
  r->request_timeout_ms = options->request_timeout_ms;
  r->verify_md5 = options->verify_md5;
  pthread_mutex_init(&r->lock, NULL);
  pthread_mutex_init(&r->urls, NULL);
  *ret_source = &HOIST_TAKE(r)->base;
  return HOIST_OK;
}
