/* SPDX-License-Identifier: Apache-2.0 */
/* S3's error documents. They are small and only hints are taken from them, so anything odd is
 * simply not an error document. Pure; any thread. */
#include <expat.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "s3_xml.h"

static const struct field {
  const char *name;
  size_t offset, size;
} fields[] = {
    {"Code", offsetof(struct s3_error, code), sizeof((struct s3_error *)0)->code},
    {"Message", offsetof(struct s3_error, message), sizeof((struct s3_error *)0)->message},
    {"Region", offsetof(struct s3_error, region), sizeof((struct s3_error *)0)->region},
    {"RequestId", offsetof(struct s3_error, request_id), sizeof((struct s3_error *)0)->request_id},
    {"HostId", offsetof(struct s3_error, host_id), sizeof((struct s3_error *)0)->host_id},
};

struct reader {
  XML_Parser parser;
  struct s3_error error;
  const struct field *field; /* whose text is being read; NULL: none */
  unsigned depth;
};

static void on_start(void *user, const char *name, const char **attributes) {
  struct reader *r = user;
  (void)attributes;
  r->depth++;
  r->field = NULL;
  if ((r->depth == 1 && strcmp(name, "Error") != 0) || r->depth > S3_MAX_XML_DEPTH) {
    XML_StopParser(r->parser, XML_FALSE);
    return;
  }
  for (size_t i = 0; r->depth == 2 && i < sizeof fields / sizeof *fields; i++)
    if (strcmp(name, fields[i].name) == 0) r->field = &fields[i];
}

static void on_text(void *user, const char *text, int size) {
  struct reader *r = user;
  if (!r->field) return;
  char *out = (char *)&r->error + r->field->offset;
  size_t used = strlen(out), room = r->field->size - 1 - used;
  size_t n = (size_t)size < room ? (size_t)size : room;
  memcpy(out + used, text, n);
  out[used + n] = '\0';
}

static void on_end(void *user, const char *name) {
  struct reader *r = user;
  (void)name;
  r->field = NULL;
  r->depth--;
}

static void on_doctype(void *user, const char *name, const char *system_id, const char *public_id,
                       int internal_subset) {
  struct reader *r = user;
  (void)name, (void)system_id, (void)public_id, (void)internal_subset;
  XML_StopParser(r->parser, XML_FALSE);
}

bool s3_error_parse(const void *xml, size_t size, struct s3_error *ret_error) {
  struct reader r = {.parser = XML_ParserCreate(NULL)};
  if (!r.parser) return false;
  XML_SetUserData(r.parser, &r);
  XML_SetElementHandler(r.parser, on_start, on_end);
  XML_SetCharacterDataHandler(r.parser, on_text);
  XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
  bool ok = size <= INT_MAX && XML_Parse(r.parser, xml, (int)size, XML_TRUE) == XML_STATUS_OK;
  XML_ParserFree(r.parser);
  if (!ok || !r.error.code[0]) return false;
  *ret_error = r.error;
  return true;
}
