/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer. The stream is the caller's; one thread at a time. */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "text.h"

/* Bytes of the well-formed character at p; 0 when there is none. */
static size_t character(const char *p, size_t left) {
  for (size_t n = 1; n <= 4 && n <= left; n++)
    if (utf8_valid(p, n)) return n;
  return 0;
}

/* The line separators U+2028 and U+2029, which end a line of script. */
static bool is_separator(const char *p, size_t size) {
  return size == 3 && (memcmp(p, "\xe2\x80\xa8", 3) == 0 || memcmp(p, "\xe2\x80\xa9", 3) == 0);
}

static void write_string(const struct json *j, const char *text) {
  FILE *out = j->out;
  size_t left = strlen(text);
  fputc('"', out);
  while (left > 0) {
    unsigned char c = (unsigned char)*text;
    size_t n = character(text, left);
    if (n == 0)
      fputs("\\ufffd", out);
    else if (c == '"' || c == '\\')
      fprintf(out, "\\%c", c);
    else if (c < 0x20 || c == 0x7f || (j->in_html && (c == '<' || c == '>' || c == '&')))
      fprintf(out, "\\u%04x", c);
    else if (j->in_html && is_separator(text, n))
      fprintf(out, "\\u202%c", text[2] == '\xa8' ? '8' : '9');
    else
      fwrite(text, 1, n, out);
    text += n ? n : 1;
    left -= n ? n : 1;
  }
  fputc('"', out);
}

static void begin_value(struct json *j, const char *key) {
  if (j->comma) fputc(',', j->out);
  j->comma = true;
  if (!key) return;
  write_string(j, key);
  fputc(':', j->out);
}

void json_open(struct json *j, const char *key, char bracket) {
  begin_value(j, key);
  fputc(bracket, j->out);
  j->comma = false;
}

void json_close(struct json *j, char bracket) {
  fputc(bracket, j->out);
  j->comma = true;
}

void json_text(struct json *j, const char *key, const char *text) {
  begin_value(j, key);
  if (text)
    write_string(j, text);
  else
    fputs("null", j->out);
}

void json_int(struct json *j, const char *key, int64_t value) {
  begin_value(j, key);
  fprintf(j->out, "%" PRId64, value);
}

void json_uint(struct json *j, const char *key, uint64_t value) {
  begin_value(j, key);
  fprintf(j->out, "%" PRIu64, value);
}

void json_number(struct json *j, const char *key, double value) {
  begin_value(j, key);
  if (isfinite(value))
    fprintf(j->out, "%.9g", value);
  else
    fputs("null", j->out);
}

void json_bool(struct json *j, const char *key, bool value) {
  begin_value(j, key);
  fputs(value ? "true" : "false", j->out);
}

void json_end(struct json *j) {
  fputc('\n', j->out);
  fflush(j->out);
  j->comma = false;
}
