/* SPDX-License-Identifier: Apache-2.0 */
/* The Roboflow API as a source: it describes a model, and hands out URLs from which the files come by plain GETs.
 * Those URLs are secrets and short-lived; the API key goes into the API's own requests and nowhere else. Any
 * thread; what is shared are the files' URLs and the last set of fresh ones, each guarded by a lock. */
#include "roboflow.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "clock.h"
#include "http_range.h"
#include "roboflow_describe.h"
#include "roboflow_promise.h"
#include "text.h"

#define LOCK_POLL_NS (20 * NS_PER_MS)
#define URL_LIFETIME_MS 120000 /* after which the reference server asks for fresh ones */

struct roboflow {
  struct source base;
  struct roboflow_client client;
  char *providers; /* what client.wish borrows */
  uint64_t url_lifetime_ns;

  pthread_mutex_t urls;  /* guards the locators of the files being fetched; never held for long */
  pthread_mutex_t lock;  /* guards what follows; held while the API is asked for fresh URLs */
  char *fresh_id;        /* the model of `fresh`; NULL: none yet */
  struct manifest fresh; /* what the API said when it was asked again */
};

static struct roboflow *self(struct source *source) {
  return (struct roboflow *)(void *)source;
}

/* ---- asking the API -------------------------------------------------------------------------- */

static enum hoist_status ask_api(enum roboflow_wanted wanted, const struct call *call,
                                 struct roboflow *r, const struct model_id *id,
                                 struct manifest *ret_manifest, struct hoist_error *err) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  enum hoist_status status = roboflow_describe(call, &r->client, id, wanted, NULL, &m, err);
  if (status != HOIST_OK) return status;
  m.source = strdup(r->base.name);
  if (!m.source) return hoist_fail_memory(err, "a manifest");
  uint64_t now_ns = clock_monotonic_ns();
  for (size_t i = 0; i < m.file_count; i++)
    m.files[i].located_ns = now_ns;
  *ret_manifest = m;
  m = (struct manifest){0};
  return HOIST_OK;
}

static enum hoist_status describe(const struct call *call, struct source *source,
                                  const struct model_id *id, struct manifest *ret_manifest,
                                  struct hoist_error *err) {
  return ask_api(ROBOFLOW_WANT_ALL, call, self(source), id, ret_manifest, err);
}

static enum hoist_status check_access(const struct call *call, struct source *source,
                                      const struct model_id *id, struct hoist_error *err) {
  return roboflow_check_access(call, &self(source)->client, id, err);
}

static enum hoist_status explain(const struct call *call, struct source *source,
                                 const struct model_id *id, const struct source_visitor *visitor,
                                 struct hoist_error *err) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  return roboflow_describe(call, &self(source)->client, id, ROBOFLOW_WANT_URLS, visitor, &m, err);
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

static bool is_old(const struct roboflow *r, const struct manifest_file *file) {
  return clock_monotonic_ns() - file->located_ns >= r->url_lifetime_ns;
}

/* The file with its URL of the last time; NULL: none that is news to who tried `tried`. */
static const struct manifest_file *find_fresh(const struct roboflow *r, const struct model_id *id,
                                              const char *name, const char *tried) {
  if (!text_equal(r->fresh_id, id->text)) return NULL;
  const struct manifest_file *file = manifest_find(&r->fresh, name);
  return file && !text_equal(file->locator, tried) && !is_old(r, file) ? file : NULL;
}

static enum hoist_status ask_again(const struct call *call, struct roboflow *r,
                                   const struct model_id *id, struct hoist_error *err) {
  HOIST_AUTO(mem) char *fresh_id = strdup(id->text);
  if (!fresh_id) return hoist_fail_memory(err, "a manifest");
  struct manifest fresh = {0};
  enum hoist_status status = ask_api(ROBOFLOW_WANT_URLS, call, r, id, &fresh, err);
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
static void set_url(struct roboflow *r, struct manifest_file *file, char *url,
                    uint64_t located_ns) {
  pthread_mutex_lock(&r->urls);
  free(file->locator);
  file->locator = url;
  file->located_ns = located_ns;
  pthread_mutex_unlock(&r->urls);
}

/* The files of a model expire together, and so do the parts of one: what one thread learnt serves the
 * others. A URL that was `tried` already is no news, and only then the API is asked. */
static enum hoist_status refresh_locked(const struct call *call, struct roboflow *r,
                                        const struct model_id *id, struct manifest_file *file,
                                        const char *tried, bool *asked, struct hoist_error *err) {
  const struct manifest_file *fresh = find_fresh(r, id, file->name, tried);
  if (!fresh) {
    *asked = true;
    enum hoist_status status = ask_again(call, r, id, err);
    if (status != HOIST_OK) return status;
    fresh = manifest_find(&r->fresh, file->name);
  }
  if (!fresh || !fresh->locator)
    return hoist_fail(err, HOIST_CORRUPT, "%s: its URL expired and the API lists it no more",
                      file->name);
  char *copy = strdup(fresh->locator);
  if (!copy) return hoist_fail_memory(err, "a URL");
  set_url(r, file, copy, fresh->located_ns);
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

/* Before a file is begun its URL is looked at: others before it may have taken long. Where no fresh one can be
 * had, the old one may still do. */
static enum hoist_status renew(const struct call *call, struct roboflow *r,
                               const struct model_id *id, const struct source_request *request,
                               struct hoist_error *err) {
  HOIST_AUTO(mem) char *url = NULL;
  bool asked = false;
  pthread_mutex_lock(&r->urls);
  bool needed = request->from == 0 && is_old(r, request->file);
  if (needed) url = text_dup(request->file->locator);
  pthread_mutex_unlock(&r->urls);
  if (!needed || !url) return HOIST_OK;
  (void)!refresh(call, r, id, request->file, url, &asked, NULL);
  return call_check(call, request->file->name, err);
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
  struct delivery delivery = {.request = part, .verify_md5 = r->client.verify_md5};
  struct http_request request = {.sign = ask_for_part,
                                 .sign_user = &delivery,
                                 .sign_redirects = 1,
                                 .begin = begin,
                                 .write = write_bytes,
                                 .sink_user = &delivery};
  enum hoist_status status = roboflow_get(call, &r->client, url, &request, ret_response, err);
  if (status != HOIST_OK && !delivery.sink_failed) hoist_error_prepend(err, "%s", part->file->name);
  return status;
}

static enum hoist_status fetch(const struct call *call, struct source *source,
                               const struct model_id *id, struct source_request *request,
                               struct hoist_error *err) {
  struct roboflow *r = self(source);
  bool asked = false;
  enum hoist_status status = renew(call, r, id, request, err);
  if (status != HOIST_OK) return status;
  for (;;) {
    HOIST_AUTO(http_response) struct http_response response = {0};
    HOIST_AUTO(mem) char *url = copy_url(r, request->file);
    if (!url) return hoist_fail_memory(err, "a URL");
    status = get_file(call, r, url, request, &response, err);
    if (status != HOIST_OK) return status;
    request->trouble = range_trouble(&response);
    if (!roboflow_may_be_expired(response.status) || asked)
      return roboflow_check_file(&response, request->file->name, err);
    status = refresh(call, r, id, request->file, url, &asked, err);
    if (status != HOIST_OK) return status;
  }
}

/* ---- construction ---------------------------------------------------------------------------- */

static void release(struct source *source) {
  struct roboflow *r = self(source);
  roboflow_api_done(&r->client.api);
  manifest_done(&r->fresh);
  free(r->fresh_id);
  free(r->providers);
  free(r->base.location);
  pthread_mutex_destroy(&r->lock);
  pthread_mutex_destroy(&r->urls);
  free(r);
}

static const struct source_ops ops = {.describe = describe,
                                      .fetch = fetch,
                                      .check_access = check_access,
                                      .explain = explain,
                                      .free = release};

static enum hoist_status fill(struct roboflow *r, struct http *http,
                              const struct roboflow_options *options, struct hoist_error *err) {
  uint32_t lifetime_ms = options->url_lifetime_ms;
  r->url_lifetime_ns = (lifetime_ms > 0 ? lifetime_ms : URL_LIFETIME_MS) * NS_PER_MS;
  r->client.http = http;
  r->client.request_timeout_ms = options->request_timeout_ms;
  r->client.verify_md5 = options->verify_md5;
  r->providers = text_dup(options->providers);
  if (options->providers && !r->providers) return hoist_fail_memory(err, "a source");
  r->client.wish.providers = r->providers;
  enum hoist_status status = roboflow_wish_parse(options->quantization, &r->client.wish, err);
  if (status == HOIST_OK) status = roboflow_api_init(&r->client.api, options, err);
  if (status != HOIST_OK) return status;
  r->base.location = http_redact_url(r->client.api.base);
  return r->base.location ? HOIST_OK : hoist_fail_memory(err, "a source");
}

enum hoist_status source_roboflow_new(struct http *http, const struct roboflow_options *options,
                                      struct source **ret_source, struct hoist_error *err) {
  struct roboflow *r = calloc(1, sizeof *r);
  if (!r) return hoist_fail_memory(err, "a source");
  r->base = (struct source){.ops = &ops, .name = "roboflow_api"};
  pthread_mutex_init(&r->lock, NULL);
  pthread_mutex_init(&r->urls, NULL);
  enum hoist_status status = fill(r, http, options, err);
  if (status == HOIST_OK)
    *ret_source = &r->base;
  else
    release(&r->base);
  return status;
}
