/* SPDX-License-Identifier: Apache-2.0 */
/* How an object was put together. A composite checksum can be computed only by whoever knows where one part
 * ends and the next begins. One learning per object; any thread. */
#include <stdio.h>
#include <string.h>

#include "s3_promise.h"
#include "s3_xml.h"
#include "text.h"

#define MAX_HEADED_PARTS 32u /* each costs a round trip */
#define MAX_ANSWER_BYTES (1u << 20)
#define ATTEMPTS 2 /* what they tell is worth waiting for, but not long */

/* Whether it must end the download; else it merely was not learned. */
static bool is_final(enum hoist_status status) {
  return status == HOIST_CANCELLED || status == HOIST_TIMEOUT || status == HOIST_NO_MEMORY;
}

/* ---- GetObjectAttributes ------------------------------------------------------------------------ */

static enum hoist_status ask_attributes(const struct call *call, const struct s3_subject *s,
                                        uint32_t after, struct http_response *response,
                                        struct hoist_error *err) {
  char marker[16];
  snprintf(marker, sizeof marker, "%u", after);
  static const struct sigv4_pair query[] = {{"attributes", ""}};
  const struct sigv4_pair headers[] = {{"x-amz-object-attributes", "ETag,ObjectParts"},
                                       {"x-amz-max-parts", "1000"},
                                       {"x-amz-part-number-marker", marker}};
  const struct s3_operation op = {.span_name = "S3.GetObjectAttributes",
                                  .what = s->what,
                                  .key = s->key,
                                  .query = query,
                                  .query_count = 1,
                                  .headers = headers,
                                  .header_count = sizeof headers / sizeof *headers,
                                  .max_attempts = ATTEMPTS,
                                  .max_body = MAX_ANSWER_BYTES};
  return s3_ask(call, s->client, &op, response, err);
}

static const char *bare(const char *etag, size_t *ret_size) {
  if (*etag == '"') etag++;
  *ret_size = strcspn(etag, "\"");
  return etag;
}

/* In quotes there, without here; servers differ. */
static bool is_same_version(const struct s3_subject *s, const struct s3_attributes *a) {
  size_t wanted = 0, got = 0;
  if (!s->etag) return true;
  const char *x = bare(s->etag, &wanted), *y = bare(a->etag, &got);
  return wanted == got && memcmp(x, y, got) == 0;
}

/* Pages of a thousand parts. */
static enum hoist_status by_attributes(const struct call *call, const struct s3_subject *s,
                                       struct s3_parts *parts, struct hoist_error *err) {
  struct s3_attributes a = {.next = 0};
  do {
    HOIST_AUTO(http_response) struct http_response response = {0};
    uint32_t after = a.next;
    enum hoist_status status = ask_attributes(call, s, after, &response, err);
    if (status != HOIST_OK) return status;
    a = (struct s3_attributes){.parts = parts};
    if (!s3_attributes_parse(buf_str(&response.body), response.body.size, &a) ||
        !is_same_version(s, &a) || (a.next > 0 && a.next <= after))
      return hoist_fail(err, HOIST_CORRUPT, "%s: its parts are not told", s->what);
  } while (a.next > 0);
  if (parts->count == 0)
    return hoist_fail(err, HOIST_CORRUPT, "%s: its parts are not told", s->what);
  return HOIST_OK;
}

/* ---- HEAD of each part -------------------------------------------------------------------------- */

static enum hoist_status by_head(const struct call *call, const struct s3_subject *s,
                                 uint32_t count, struct s3_parts *parts, struct hoist_error *err) {
  for (uint32_t i = 1; i <= count; i++) {
    char number[16];
    snprintf(number, sizeof number, "%u", i);
    const struct sigv4_pair query[] = {{"partNumber", number}};
    const struct s3_operation op = {.span_name = "S3.HeadObject",
                                    .method = "HEAD",
                                    .what = s->what,
                                    .key = s->key,
                                    .if_match = s->etag,
                                    .query = query,
                                    .query_count = 1,
                                    .max_attempts = ATTEMPTS};
    HOIST_AUTO(http_response) struct http_response response = {0};
    enum hoist_status status = s3_ask(call, s->client, &op, &response, err);
    if (status != HOIST_OK) return status;
    /* A server that knows no parts answers for the whole object, with 200. */
    if (response.status != 206) return hoist_fail(err, HOIST_CORRUPT, "%s: no parts", s->what);
    s3_parts_add(parts, response.content_length);
  }
  return HOIST_OK;
}

/* ---- the whole --------------------------------------------------------------------------------- */

static bool are_alike(const struct s3_parts *parts, uint32_t count, int64_t size) {
  return !parts->odd && parts->count == count && parts->total == size;
}

/* @param ret_part_bytes  0: not to be learned, or they are not all alike but for the last */
static enum hoist_status learn_parts(const struct call *call, const struct s3_subject *s,
                                     uint32_t count, int64_t *ret_part_bytes,
                                     struct hoist_error *err) {
  struct s3_parts parts = {0};
  *ret_part_bytes = count == 1 ? s->size : 0;
  if (count == 1) return HOIST_OK;
  enum hoist_status status = by_attributes(call, s, &parts, err);
  if (status != HOIST_OK && !is_final(status) && count <= MAX_HEADED_PARTS) {
    parts = (struct s3_parts){0};
    status = by_head(call, s, count, &parts, err);
  }
  if (status == HOIST_OK && are_alike(&parts, count, s->size)) *ret_part_bytes = parts.first;
  return is_final(status) ? status : HOIST_OK;
}

/* The checksum of an object that is fetched in ranges. */
static enum hoist_status ask_promise(const struct call *call, const struct s3_subject *s,
                                     struct s3_promise *ret_promise, struct hoist_error *err) {
  const struct s3_operation op = {.span_name = "S3.HeadObject",
                                  .method = "HEAD",
                                  .what = s->what,
                                  .key = s->key,
                                  .if_match = s->etag,
                                  .want_checksum = 1,
                                  .max_attempts = ATTEMPTS};
  HOIST_AUTO(http_response) struct http_response response = {0};
  enum hoist_status status = s3_ask(call, s->client, &op, &response, err);
  if (status == HOIST_OK) *ret_promise = s3_promise_read(&response, false);
  return is_final(status) ? status : HOIST_OK;
}

enum hoist_status s3_promise_find(const struct call *call, const struct s3_subject *subject,
                                  const struct http_response *response, bool use_etag,
                                  struct s3_finding *ret_finding, struct hoist_error *err) {
  struct hoist_error why = {0}; /* mostly of no interest */
  struct s3_promise p = s3_promise_read(response, use_etag);
  struct s3_finding f = {.digest = p.digest};
  enum hoist_status status = HOIST_OK;
  if (p.digest.kind == DIGEST_NONE && response->status == 206)
    status = ask_promise(call, subject, &p, &why);
  if (status == HOIST_OK && p.parts > 0)
    status = learn_parts(call, subject, p.parts, &f.part_bytes, &why);
  if (status != HOIST_OK) {
    if (err) *err = why;
    return status;
  }
  const char *kind = digest_kind_name(p.digest.kind);
  f.digest = p.digest;
  if (p.parts == 0)
    text_copy(f.note, sizeof f.note, kind);
  else
    snprintf(f.note, sizeof f.note, "composite %s of %u parts%s", kind, p.parts,
             f.part_bytes > 0 ? "" : ", whose lengths are not known");
  if (p.parts > 0 && f.part_bytes == 0) f.digest = s3_etag_digest(response, use_etag);
  *ret_finding = f;
  return HOIST_OK;
}
