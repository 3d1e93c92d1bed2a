/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to GetObjectAttributes, as far as it tells of parts. Pure; any thread. */
#include <expat.h>
#include <limits.h>
#include <string.h>

#include "s3_xml.h"
#include "text.h"

enum field { NO_FIELD, ETAG, TRUNCATED, NEXT, SIZE };

struct reader {
  XML_Parser parser;
  struct s3_attributes *attributes;
  enum field field;
  unsigned depth;
  bool in_parts, in_part, truncated, failed;
  uint32_t next;
  char text[S3_ETAG_SIZE];
};

static void stop(struct reader *r) {
  r->failed = true;
  XML_StopParser(r->parser, XML_FALSE);
}

static enum field find_field(const struct reader *r, const char *name) {
  if (r->depth == 2 && strcmp(name, "ETag") == 0) return ETAG;
  if (r->depth == 3 && r->in_parts && strcmp(name, "IsTruncated") == 0) return TRUNCATED;
  if (r->depth == 3 && r->in_parts && strcmp(name, "NextPartNumberMarker") == 0) return NEXT;
  if (r->depth == 4 && r->in_part && strcmp(name, "Size") == 0) return SIZE;
  return NO_FIELD;
}

/* The outermost element is named in two ways: as the operation's answer, or as its result. */
static void on_start(void *user, const char *name, const char **attributes) {
  struct reader *r = user;
  (void)attributes;
  r->depth++;
  if ((r->depth == 1 && !text_starts_with(name, "GetObjectAttributes")) ||
      r->depth > S3_MAX_XML_DEPTH) {
    stop(r);
    return;
  }
  if (r->depth == 2) r->in_parts = strcmp(name, "ObjectParts") == 0;
  if (r->depth == 3) r->in_part = r->in_parts && strcmp(name, "Part") == 0;
  r->field = find_field(r, name);
  r->text[0] = '\0';
}

static void on_text(void *user, const char *text, int size) {
  struct reader *r = user;
  size_t used = strlen(r->text);
  if (r->field == NO_FIELD) return;
  if ((size_t)size >= sizeof r->text - used) {
    stop(r);
    return;
  }
  memcpy(r->text + used, text, (size_t)size);
  r->text[used + (size_t)size] = '\0';
}

static void take_field(struct reader *r) {
  uint64_t number = 0;
  bool is_number = parse_u64(r->text, &number);
  switch (r->field) {
  case ETAG:
    memcpy(r->attributes->etag, r->text, sizeof r->text);
    return;
  case TRUNCATED:
    r->truncated = strcmp(r->text, "true") == 0;
    return;
  case NEXT:
    r->next = is_number && number <= S3_MAX_PARTS ? (uint32_t)number : 0;
    return;
  case SIZE:
    s3_parts_add(r->attributes->parts, is_number && number <= INT64_MAX ? (int64_t)number : -1);
    return;
  case NO_FIELD:
    return;
  }
}

static void on_end(void *user, const char *name) {
  struct reader *r = user;
  (void)name;
  take_field(r);
  r->field = NO_FIELD;
  if (r->depth == 2) r->in_parts = false;
  if (r->depth == 3) r->in_part = false;
  r->depth--;
}

static void on_doctype(void *user, const char *name, const char *system_id, const char *public_id,
                       int internal_subset) {
  (void)name, (void)system_id, (void)public_id, (void)internal_subset;
  stop(user);
}

bool s3_attributes_parse(const void *xml, size_t size, struct s3_attributes *attributes) {
  struct reader r = {.parser = XML_ParserCreate(NULL), .attributes = attributes};
  if (!r.parser) return false;
  XML_SetUserData(r.parser, &r);
  XML_SetElementHandler(r.parser, on_start, on_end);
  XML_SetCharacterDataHandler(r.parser, on_text);
  XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
  bool ok = size <= INT_MAX && XML_Parse(r.parser, xml, (int)size, XML_TRUE) == XML_STATUS_OK;
  XML_ParserFree(r.parser);
  attributes->next = r.truncated ? r.next : 0;
  return ok && !r.failed && (!r.truncated || r.next > 0);
}

void s3_parts_add(struct s3_parts *parts, int64_t size) {
  bool follows_the_last = parts->count > 1 && parts->last != parts->first;
  if (size <= 0 || follows_the_last || (parts->count > 0 && size > parts->first) ||
      parts->count == S3_MAX_PARTS || parts->total > INT64_MAX - size)
    parts->odd = true;
  if (parts->odd) return;
  if (parts->count++ == 0) parts->first = size;
  parts->last = size;
  parts->total += size;
}
