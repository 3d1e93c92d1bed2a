/* SPDX-License-Identifier: Apache-2.0 */
/* The XML of STS: texts within <Credentials>, and within <Error>. Pure; any thread. */
#include <expat.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stddef.h>
#include <string.h>

#include "aws_document.h"
#include "aws_time.h"
#include "buf.h"
#include "text.h"

#define MAX_DEPTH 16
#define MAX_TEXT_BYTES (64u << 10) /* of one element: session tokens have no bound of their own */

enum field { NO_FIELD, ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, EXPIRATION, CODE, MESSAGE, FIELDS };

static const struct {
  const char *parent, *name;
  enum field field;
} elements[] = {
    {"Credentials", "AccessKeyId", ACCESS_KEY},
    {"Credentials", "SecretAccessKey", SECRET_KEY},
    {"Credentials", "SessionToken", SESSION_TOKEN},
    {"Credentials", "Expiration", EXPIRATION},
    {"Error", "Code", CODE},
    {"Error", "Message", MESSAGE},
};

struct reader {
  XML_Parser parser;
  unsigned depth;
  char parents[MAX_DEPTH][16]; /* names of the open elements, cut */
  enum field field;            /* whose text is being read */
  struct buf texts[FIELDS];
  bool failed;
};

static void reader_init(struct reader *r) {
  *r = (struct reader){.parser = XML_ParserCreate(NULL)};
  for (size_t i = 0; i < FIELDS; i++)
    r->texts[i] = buf_make(MAX_TEXT_BYTES);
}

static void reader_cleanup(struct reader *r) {
  if (r->parser) XML_ParserFree(r->parser);
  for (size_t i = 0; i < FIELDS; i++) {
    if (r->texts[i].data) OPENSSL_cleanse(r->texts[i].data, r->texts[i].capacity);
    buf_done(&r->texts[i]);
  }
}

static void stop(struct reader *r) {
  r->failed = true;
  XML_StopParser(r->parser, XML_FALSE);
}

static void on_start(void *user, const char *name, const char **attributes) {
  struct reader *r = user;
  (void)attributes;
  r->field = NO_FIELD;
  if (r->depth == MAX_DEPTH) {
    stop(r);
    return;
  }
  for (size_t i = 0; r->depth > 0 && i < sizeof elements / sizeof *elements; i++)
    if (strcmp(r->parents[r->depth - 1], elements[i].parent) == 0 &&
        strcmp(name, elements[i].name) == 0)
      r->field = elements[i].field;
  (void)text_copy(r->parents[r->depth++], sizeof r->parents[0], name);
  buf_clear(&r->texts[r->field]);
}

static void on_text(void *user, const char *text, int size) {
  struct reader *r = user;
  if (r->field != NO_FIELD && buf_append(&r->texts[r->field], text, (size_t)size, NULL) != HOIST_OK)
    stop(r);
}

static void on_end(void *user, const char *name) {
  struct reader *r = user;
  (void)name;
  r->field = NO_FIELD;
  r->depth--;
}

static void on_doctype(void *user, const char *name, const char *system_id, const char *public_id,
                       int internal_subset) {
  (void)name, (void)system_id, (void)public_id, (void)internal_subset;
  stop(user);
}

static bool parse(struct reader *r, const char *text, size_t size) {
  if (!r->parser || size > AWS_DOCUMENT_MAX_BYTES || size > INT_MAX) return false;
  XML_SetUserData(r->parser, r);
  XML_SetElementHandler(r->parser, on_start, on_end);
  XML_SetCharacterDataHandler(r->parser, on_text);
  XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
  return XML_Parse(r->parser, text, (int)size, XML_TRUE) == XML_STATUS_OK && !r->failed;
}

enum hoist_status aws_sts_read(const char *text, size_t size, const char *who,
                               const struct aws_credentials **ret_credentials,
                               struct hoist_error *err) {
  __attribute__((cleanup(reader_cleanup))) struct reader r;
  reader_init(&r);
  if (!parse(&r, text, size))
    return hoist_fail(err, HOIST_CORRUPT, "%s: the answer of STS is not its XML", who);
  struct aws_credentials found = {.access_key = buf_str(&r.texts[ACCESS_KEY]),
                                  .secret_key = buf_str(&r.texts[SECRET_KEY]),
                                  .session_token = buf_str(&r.texts[SESSION_TOKEN]),
                                  .provider = who};
  const char *missing = !*found.access_key      ? "AccessKeyId"
                        : !*found.secret_key    ? "SecretAccessKey"
                        : !*found.session_token ? "SessionToken"
                        : !aws_time_parse(buf_str(&r.texts[EXPIRATION]), &found.expires_unix_s)
                            ? "Expiration"
                            : NULL;
  if (missing)
    return hoist_fail(err, HOIST_CORRUPT, "%s: the answer of STS has no proper %s", who, missing);
  return aws_credentials_new(&found, ret_credentials, err);
}

bool aws_sts_read_error(const char *text, size_t size, struct aws_sts_error *ret_error) {
  __attribute__((cleanup(reader_cleanup))) struct reader r;
  reader_init(&r);
  if (!parse(&r, text, size) || r.texts[CODE].size == 0) return false;
  text_copy(ret_error->code, sizeof ret_error->code, buf_str(&r.texts[CODE]));
  text_copy(ret_error->message, sizeof ret_error->message, buf_str(&r.texts[MESSAGE]));
  return true;
}
