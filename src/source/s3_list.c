/* SPDX-License-Identifier: Apache-2.0 */
/* ListObjectsV2 pages, read with expat as the bytes arrive: memory grows with the objects kept,
 * never with what the server sends. Keys are percent-decoded only at the end of a page, because the
 * element that says they are encoded may follow them. One thread per page. */
#include <expat.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "s3_xml.h"
#include "text.h"
#include "timestamp.h"

/* Elements whose text is wanted, by their path. */
enum field { NO_FIELD, KEY, SIZE, ETAG, MODIFIED, TRUNCATED, TOKEN, ENCODING };

struct s3_page {
  XML_Parser parser;
  struct s3_listing *listing;
  size_t first; /* index of the page's first object */
  unsigned depth;
  bool in_contents;
  enum field field;
  struct buf text;
  bool truncated;
  bool url_encoded;
  bool is_error;   /* it is an error document, which some servers send with 200 */
  struct buf head; /* how it begins */
  size_t bytes;
  struct s3_object object; /* the one being read */
  enum hoist_status status;
  struct hoist_error *err; /* of the call under way */
};

static void object_done(struct s3_object *o) {
  free(o->key);
  free(o->etag);
  *o = (struct s3_object){0};
}

static void drop_objects(struct s3_listing *l, size_t count) {
  while (l->count > count)
    object_done(&l->objects[--l->count]);
}

void s3_listing_forget(struct s3_listing *l) {
  drop_objects(l, 0);
}

void s3_listing_truncate(struct s3_listing *l, size_t count) {
  drop_objects(l, count);
  free(l->next_token);
  l->next_token = NULL;
}

void s3_listing_done(struct s3_listing *l) {
  s3_listing_truncate(l, 0);
  free(l->objects);
  *l = (struct s3_listing){.max = l->max};
}

static void stop(struct s3_page *p, enum hoist_status status) {
  p->status = status;
  XML_StopParser(p->parser, XML_FALSE);
}

static bool is_name(const char *name, const char *expected) {
  return strcmp(name, expected) == 0;
}

static enum field find_field(const struct s3_page *p, const char *name) {
  if (p->depth == 3 && p->in_contents)
    return is_name(name, "Key")            ? KEY
           : is_name(name, "Size")         ? SIZE
           : is_name(name, "ETag")         ? ETAG
           : is_name(name, "LastModified") ? MODIFIED
                                           : NO_FIELD;
  if (p->depth == 2)
    return is_name(name, "IsTruncated")             ? TRUNCATED
           : is_name(name, "NextContinuationToken") ? TOKEN
           : is_name(name, "EncodingType")          ? ENCODING
                                                    : NO_FIELD;
  return NO_FIELD;
}

static void on_start(void *user, const char *name, const char **attributes) {
  struct s3_page *p = user;
  (void)attributes;
  if (p->status != HOIST_OK) return;
  p->depth++;
  p->field = NO_FIELD;
  if (p->depth == 1 && is_name(name, "Error")) {
    p->is_error = true;
  } else if (p->depth == 1 && !is_name(name, "ListBucketResult")) {
    stop(p, hoist_fail(p->err, HOIST_CORRUPT, "not an S3 listing: it begins with <%.40s>", name));
  } else if (p->depth > S3_MAX_XML_DEPTH) {
    stop(p, hoist_fail(p->err, HOIST_CORRUPT, "not an S3 listing: elements nest over %d deep",
                       S3_MAX_XML_DEPTH));
  } else {
    if (p->depth == 2 && is_name(name, "Contents")) p->in_contents = true;
    p->field = find_field(p, name);
    buf_clear(&p->text);
  }
}

static void on_text(void *user, const char *text, int size) {
  struct s3_page *p = user;
  if (p->field == NO_FIELD || p->status != HOIST_OK) return;
  enum hoist_status status = buf_append(&p->text, text, (size_t)size, p->err);
  if (status != HOIST_OK) {
    hoist_error_prepend(p->err, "a text in the listing");
    stop(p, status);
  }
}

static enum hoist_status set_text(const char *from, char **to, struct hoist_error *err) {
  char *copy = text_dup(from);
  if (!copy) return hoist_fail_memory(err, "a listing");
  free(*to);
  *to = copy;
  return HOIST_OK;
}

static enum hoist_status set_size(struct s3_page *p) {
  uint64_t size = 0;
  if (!parse_u64(buf_str(&p->text), &size) || size > INT64_MAX)
    return hoist_fail(p->err, HOIST_CORRUPT, "the listing gives a size of \"%.40s\"",
                      buf_str(&p->text));
  p->object.size = (int64_t)size;
  return HOIST_OK;
}

/* As If-Match wants it, in quotes, which not every server puts around it here. */
static enum hoist_status set_etag(struct s3_page *p) {
  const char *text = buf_str(&p->text);
  char *etag = text[0] == '"' ? text_dup(text) : text_format("\"%s\"", text);
  if (!etag) return hoist_fail_memory(p->err, "a listing");
  free(p->object.etag);
  p->object.etag = etag;
  return HOIST_OK;
}

/* A time that makes no sense is as good as none: what depends on it is only whether a file is fetched again. */
static void set_modified(struct s3_page *p) {
  uint64_t unix_s;
  uint32_t ns;
  if (timestamp_parse(buf_str(&p->text), &unix_s, &ns) && unix_s < UINT64_MAX / NS_PER_S)
    p->object.modified_unix_ns = unix_s * NS_PER_S + ns;
}

static enum hoist_status set_field(struct s3_page *p) {
  switch (p->field) {
  case KEY:
    return set_text(buf_str(&p->text), &p->object.key, p->err);
  case SIZE:
    return set_size(p);
  case ETAG:
    return set_etag(p);
  case MODIFIED:
    set_modified(p);
    return HOIST_OK;
  case TRUNCATED:
    p->truncated = is_name(buf_str(&p->text), "true");
    return HOIST_OK;
  case TOKEN:
    return set_text(buf_str(&p->text), &p->listing->next_token, p->err);
  case ENCODING:
    p->url_encoded = is_name(buf_str(&p->text), "url");
    return HOIST_OK;
  case NO_FIELD:
    break;
  }
  return HOIST_OK;
}

static enum hoist_status add_object(struct s3_page *p) {
  struct s3_listing *l = p->listing;
  if (!p->object.key)
    return hoist_fail(p->err, HOIST_CORRUPT, "the listing has an entry without a key");
  if (l->count == l->max) return hoist_fail(p->err, HOIST_CORRUPT, "more than %zu objects", l->max);
  if (l->count == l->capacity) {
    size_t capacity = l->capacity ? 2 * l->capacity : 16;
    struct s3_object *objects = realloc(l->objects, capacity * sizeof *objects);
    if (!objects) return hoist_fail_memory(p->err, "a listing");
    l->objects = objects;
    l->capacity = capacity;
  }
  l->objects[l->count++] = p->object;
  p->object = (struct s3_object){0};
  return HOIST_OK;
}

static void on_end(void *user, const char *name) {
  struct s3_page *p = user;
  if (p->status != HOIST_OK) return;
  enum hoist_status status = set_field(p);
  if (status == HOIST_OK && p->depth == 2 && p->in_contents && is_name(name, "Contents")) {
    p->in_contents = false;
    status = add_object(p);
  }
  if (status != HOIST_OK) stop(p, status);
  p->field = NO_FIELD;
  p->depth--;
}

/* No listing has a document type, and entities are declared nowhere else. */
static void on_doctype(void *user, const char *name, const char *system_id, const char *public_id,
                       int internal_subset) {
  struct s3_page *p = user;
  (void)name, (void)system_id, (void)public_id, (void)internal_subset;
  stop(p, hoist_fail(p->err, HOIST_CORRUPT, "not an S3 listing: it has a document type"));
}

enum hoist_status s3_page_new(struct s3_listing *listing, struct s3_page **ret_page,
                              struct hoist_error *err) {
  HOIST_AUTO(s3_page) struct s3_page *p = calloc(1, sizeof *p);
  if (p) p->parser = XML_ParserCreate(NULL);
  if (!p || !p->parser) return hoist_fail_memory(err, "an XML parser");
  p->listing = listing;
  p->first = listing->count;
  p->text = buf_make(S3_MAX_TEXT_BYTES);
  p->head = buf_make(S3_MAX_TEXT_BYTES);
  XML_SetUserData(p->parser, p);
  XML_SetElementHandler(p->parser, on_start, on_end);
  XML_SetCharacterDataHandler(p->parser, on_text);
  XML_SetStartDoctypeDeclHandler(p->parser, on_doctype);
  free(listing->next_token);
  listing->next_token = NULL;
  *ret_page = HOIST_TAKE(p);
  return HOIST_OK;
}

void s3_page_free(struct s3_page *page) {
  if (!page) return;
  if (page->parser) XML_ParserFree(page->parser);
  buf_done(&page->text);
  buf_done(&page->head);
  object_done(&page->object);
  free(page);
}

static enum hoist_status parse(struct s3_page *p, const void *data, size_t size, bool last,
                               struct hoist_error *err) {
  p->err = err;
  if (p->status == HOIST_OK && XML_Parse(p->parser, data, (int)size, last) == XML_STATUS_ERROR &&
      p->status == HOIST_OK) {
    enum XML_Error code = XML_GetErrorCode(p->parser);
    p->status = code == XML_ERROR_NO_MEMORY
                    ? hoist_fail_memory(err, "an XML parser")
                    : hoist_fail(err, HOIST_CORRUPT, "not an S3 listing: XML error: %s",
                                 XML_ErrorString(code));
  }
  return p->status;
}

enum hoist_status s3_page_feed(struct s3_page *page, const void *data, size_t size,
                               struct hoist_error *err) {
  if (size > S3_MAX_PAGE_BYTES - page->bytes)
    return hoist_fail(err, HOIST_CORRUPT, "a page of the listing is over %u bytes",
                      S3_MAX_PAGE_BYTES);
  page->bytes += size;
  size_t room = page->head.max - page->head.size;
  enum hoist_status status = buf_append(&page->head, data, size < room ? size : room, err);
  if (status != HOIST_OK) return status;
  return parse(page, data, size, false, err);
}

/* Decodes in place. False on a '%' without two hex digits, or an encoded NUL. */
static bool decode_key(char *key) {
  char *out = key;
  for (const char *in = key; *in; out++) {
    if (*in == '%') {
      if (!in[1] || !hex_decode(in + 1, 2, out, 1) || *out == '\0') return false;
      in += 3;
    } else {
      *out = *in == '+' ? ' ' : *in;
      in++;
    }
  }
  *out = '\0';
  return true;
}

/* Only the code is shown: the server's words may repeat what must not be. */
static enum hoist_status fail_error(const struct s3_page *page, struct hoist_error *err) {
  struct s3_error error = {0};
  (void)s3_error_parse(buf_str(&page->head), page->head.size, &error);
  return hoist_fail(err, HOIST_UNAVAILABLE,
                    "an error in place of the listing: %s%s%s; try again later",
                    error.code[0] ? error.code : "unknown", error.request_id[0] ? ", request " : "",
                    error.request_id);
}

enum hoist_status s3_page_finish(struct s3_page *page, struct hoist_error *err) {
  enum hoist_status status = parse(page, "", 0, true, err);
  if (status != HOIST_OK) return status;
  if (page->is_error) return fail_error(page, err);
  struct s3_listing *l = page->listing;
  for (size_t i = page->first; i < l->count; i++) {
    char *key = l->objects[i].key;
    if (page->url_encoded && !decode_key(key))
      return hoist_fail(err, HOIST_CORRUPT, "the listing has a key that is not well encoded");
    if (strlen(key) > S3_MAX_KEY_BYTES)
      return hoist_fail(err, HOIST_CORRUPT, "the listing has a key of over %d bytes",
                        S3_MAX_KEY_BYTES);
  }
  if (!page->truncated) {
    free(l->next_token);
    l->next_token = NULL;
  } else if (!l->next_token || !*l->next_token) {
    return hoist_fail(err, HOIST_CORRUPT, "the listing goes on but has no continuation token");
  }
  return HOIST_OK;
}
