/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 source: a model is what lies below {prefix}{model id}/ in a bucket. Describing it lists
 * that prefix, flat, in pages; fetching (a part of) a file is one GetObject that asks for the very version
 * which the caller knows (If-Match). Read-only after construction; any thread. */
#include <string.h>

#include "http_range.h"
#include "s3_client.h"
#include "s3_pages.h"
#include "s3_promise.h"
#include "s3_select.h"
#include "text.h"

/* Objects looked at below a model's prefix: more than a model may have, since other models may lie
 * there too, but far fewer than would take long to list. */
#define S3_MAX_LISTED_OBJECTS ((size_t)4 * MANIFEST_MAX_FILES)
#define S3_MAX_PAGES 64

struct source_s3 {
  struct source base;
  struct s3_client client;
  char *prefix;
  int verify_md5;
};

/* ---- listing --------------------------------------------------------------------------------- */

static enum hoist_status list(const struct call *call, const struct source_s3 *s,
                              const char *prefix, const char *what, struct s3_listing *listing,
                              struct hoist_error *err) {
  int pages = 0;
  do {
    if (pages++ == S3_MAX_PAGES)
      return hoist_fail(err, HOIST_CORRUPT, "%s: the listing has over %d pages", what,
                        S3_MAX_PAGES);
    enum hoist_status status =
        s3_list_page(call, &s->client, prefix, S3_PAGE_OBJECTS, what, listing, err);
    if (status != HOIST_OK) return status;
  } while (listing->next_token);
  return HOIST_OK;
}

static enum hoist_status describe(const struct call *call, struct source *source,
                                  const struct model_id *id, struct manifest *ret_manifest,
                                  struct hoist_error *err) {
  struct source_s3 *s = (struct source_s3 *)source;
  HOIST_AUTO(mem) char *prefix = text_format("%s%s/", s->prefix, id->text);
  HOIST_AUTO(mem) char *what = prefix ? text_format("s3://%s/%s", s->client.bucket, prefix) : NULL;
  HOIST_AUTO(s3_listing) struct s3_listing listing = {.max = S3_MAX_LISTED_OBJECTS};
  HOIST_AUTO(manifest) struct manifest m = {0};
  if (!what) return hoist_fail_memory(err, "listing a model");
  enum hoist_status status = list(call, s, prefix, what, &listing, err);
  if (status != HOIST_OK) return status;
  status = s3_select(&listing, prefix, &m, err);
  if (status != HOIST_OK) {
    hoist_error_prepend(err, "%s", what);
    return status;
  }
  m.source = text_dup(source->name);
  if (!m.source) return hoist_fail_memory(err, "a manifest");
  *ret_manifest = m;
  m = (struct manifest){0};
  return HOIST_OK;
}

static enum hoist_status list_all(const struct call *call, struct source *source,
                                  const struct source_visit *visit, struct hoist_error *err) {
  struct source_s3 *s = (struct source_s3 *)source;
  return s3_visit(call, &s->client, s->prefix, visit, err);
}

/* ---- fetching -------------------------------------------------------------------------------- */

struct file_sink {
  const struct call *call;
  const struct source_s3 *source;
  const char *what;
  struct source_request *request;
  struct s3_finding finding;
};

/* What the server knows of the whole object is asked for while its first bytes are on their way. */
static enum hoist_status find_promise(struct file_sink *f, const struct http_response *response,
                                      const struct source_response *r, struct hoist_error *err) {
  const struct source_request *request = f->request;
  const struct s3_subject subject = {
      .client = &f->source->client,
      .key = request->file->locator,
      .what = f->what,
      .etag = r->validator && range_is_etag(r->validator) ? r->validator : NULL,
      .size = r->size};
  bool use_etag = f->source->verify_md5;
  if (request->wants_promise)
    return s3_promise_find(f->call, &subject, response, use_etag, &f->finding, err);
  struct s3_promise p = s3_promise_read(response, use_etag);
  if (p.parts > 0) p.digest = s3_etag_digest(response, use_etag);
  f->finding = (struct s3_finding){.digest = p.digest};
  return HOIST_OK;
}

static enum hoist_status begin_file(void *user, const struct http_response *response,
                                    struct hoist_error *err) {
  struct file_sink *f = user;
  struct source_response r;
  char validator[SOURCE_VALIDATOR_SIZE];
  enum hoist_status status = range_read_response(f->request, response, validator, &r, err);
  if (status == HOIST_OK) status = find_promise(f, response, &r, err);
  if (status != HOIST_OK) return status;
  r.promised = f->finding.digest;
  r.promised_part_bytes = f->finding.part_bytes;
  return f->request->sink.begin(f->request->sink.user, &r, err);
}

static enum hoist_status write_file(void *user, const void *data, size_t size,
                                    struct hoist_error *err) {
  const struct source_sink *sink = &((const struct file_sink *)user)->request->sink;
  return sink->write(sink->user, data, size, err);
}

static enum hoist_status fetch(const struct call *call, struct source *source,
                               const struct model_id *id, struct source_request *request,
                               struct hoist_error *err) {
  struct source_s3 *s = (struct source_s3 *)source;
  struct file_sink file_sink = {.call = call, .source = s, .request = request};
  const char *key = request->file->locator;
  (void)id;
  HOIST_AUTO(mem) char *what = text_format("s3://%s/%s", s->client.bucket, key);
  if (!what) return hoist_fail_memory(err, "fetching a file");
  file_sink.what = what;
  const struct s3_operation op = {.span_name = "S3.GetObject",
                                  .what = what,
                                  .key = key,
                                  .part = request,
                                  .want_checksum = 1,
                                  .note = file_sink.finding.note,
                                  .begin = begin_file,
                                  .write = write_file,
                                  .sink_user = &file_sink};
  return s3_get(call, &s->client, &op, err);
}

/* ---- construction ---------------------------------------------------------------------------- */

static void free_source(struct source *source) {
  struct source_s3 *s = (struct source_s3 *)source;
  s3_client_done(&s->client);
  free(s->prefix);
  free(s->base.location);
  free(s);
}

static const struct source_ops ops = {
    .describe = describe, .fetch = fetch, .list = list_all, .free = free_source};

static inline void source_s3_cleanup(struct source_s3 **owner) {
  if (*owner) free_source(&(*owner)->base);
}

enum hoist_status source_s3_new(struct http *http, const struct s3_options *options,
                                struct source **ret_source, struct hoist_error *err) {
  HOIST_AUTO(source_s3) struct source_s3 *s = calloc(1, sizeof *s);
  if (!s) return hoist_fail_memory(err, "the S3 source");
  enum hoist_status status = s3_client_init(&s->client, http, options, err);
  if (status != HOIST_OK) return status;
  s->prefix = text_dup(options->prefix ? options->prefix : "");
  s->verify_md5 = options->verify_md5;
  s->base = (struct source){.ops = &ops, .name = "s3"};
  s->base.location = s->prefix ? text_format("s3://%s/%s", s->client.bucket, s->prefix) : NULL;
  if (!s->base.location) return hoist_fail_memory(err, "the S3 source");
  struct source_s3 *made = HOIST_TAKE(s);
  *ret_source = &made->base;
  return HOIST_OK;
}
