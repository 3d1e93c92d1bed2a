/* SPDX-License-Identifier: Apache-2.0 */
/* Text helpers. Pure; any thread. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *text_format(const char *fmt, ...) {
  char *text = NULL;
  va_list args;
  va_start(args, fmt);
  int n = vasprintf(&text, fmt, args);
  va_end(args);
  return n < 0 ? NULL : text;
}

char *text_dup(const char *text) {
  return text ? strdup(text) : NULL;
}

bool text_equal(const char *a, const char *b) {
  return a == b || (a && b && strcmp(a, b) == 0);
}

bool text_starts_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends_with(const char *text, const char *suffix) {
  size_t n = strlen(text), m = strlen(suffix);
  return n >= m && memcmp(text + n - m, suffix, m) == 0;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

const char *text_trim(const char *text, size_t *size) {
  while (*size > 0 && is_blank(text[*size - 1]))
    --*size;
  while (*size > 0 && is_blank(*text)) {
    text++;
    --*size;
  }
  return text;
}

char *text_trim_in_place(char *text) {
  size_t size = strlen(text);
  char *start = text + (text_trim(text, &size) - text);
  start[size] = '\0';
  return start;
}

bool text_copy(char *dst, size_t dst_size, const char *src) {
  size_t n = strlen(src);
  bool fits = n < dst_size;
  if (!fits) n = dst_size - 1;
  memcpy(dst, src, n);
  dst[n] = '\0';
  return fits;
}

void hex_encode(const void *bytes, size_t size, char *out) {
  static const char digits[] = "0123456789abcdef";
  const uint8_t *b = bytes;
  for (size_t i = 0; i < size; i++) {
    *out++ = digits[b[i] >> 4];
    *out++ = digits[b[i] & 15];
  }
  *out = '\0';
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool hex_decode(const char *text, size_t text_size, void *out, size_t size) {
  uint8_t *bytes = out;
  if (text_size != 2 * size) return false;
  for (size_t i = 0; i < size; i++) {
    int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

bool parse_u64(const char *text, uint64_t *ret_value) {
  uint64_t value = 0;
  if (!text || !*text) return false;
  for (; *text; text++) {
    if (*text < '0' || *text > '9') return false;
    uint64_t digit = (uint64_t)(*text - '0');
    if (value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *ret_value = value;
  return true;
}

static bool is_unreserved(unsigned char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

static char *encode(const char *text, bool keep_slash, bool plus_for_space) {
  static const char digits[] = "0123456789ABCDEF";
  size_t size = strlen(text);
  if (size > (SIZE_MAX - 1) / 3) return NULL;
  char *out = malloc(3 * size + 1), *p = out;
  if (!out) return NULL;
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (is_unreserved(c) || (keep_slash && c == '/')) {
      *p++ = (char)c;
    } else if (plus_for_space && c == ' ') {
      *p++ = '+';
    } else {
      *p++ = '%';
      *p++ = digits[c >> 4];
      *p++ = digits[c & 15];
    }
  }
  *p = '\0';
  return out;
}

char *url_encode(const char *text, bool keep_slash) {
  return encode(text, keep_slash, false);
}

char *url_encode_form(const char *text) {
  return encode(text, false, true);
}

size_t utf8_prefix(const char *text, size_t size, size_t max) {
  if (size <= max) return size;
  size_t n = max;
  while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
    n--;
  return n;
}

/* Length of the well-formed sequence at p (RFC 3629, table in section 4), 0 when there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t left) {
  unsigned char c = p[0];
  if (c < 0x80) return 1;
  size_t n = c >= 0xc2 && c <= 0xdf   ? 2
             : c >= 0xe0 && c <= 0xef ? 3
             : c >= 0xf0 && c <= 0xf4 ? 4
                                      : 0;
  if (n == 0 || left < n) return 0;
  unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
  unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
  if (p[1] < low || p[1] > high) return 0;
  for (size_t i = 2; i < n; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  return n;
}

bool utf8_valid(const char *text, size_t size) {
  const unsigned char *p = (const unsigned char *)text;
  while (size > 0) {
    size_t n = utf8_sequence(p, size);
    if (n == 0) return false;
    p += n;
    size -= n;
  }
  return true;
}

size_t utf8_repair(const char *text, size_t size, char *out, size_t max) {
  static const char replacement[] = "\xef\xbf\xbd";
  size_t used = 0;
  while (size > 0) {
    size_t n = utf8_sequence((const unsigned char *)text, size);
    const char *from = n > 0 ? text : replacement;
    size_t width = n > 0 ? n : sizeof replacement - 1;
    if (width > max - used) break;
    memcpy(out + used, from, width);
    used += width;
    text += n > 0 ? n : 1;
    size -= n > 0 ? n : 1;
  }
  return used;
}

/* The decimal separator of a locale may be any text. */
static void put_decimal_point(char *number) {
  char *at = number + strspn(number, "0123456789+-e");
  char *end = at + strcspn(at, "0123456789+-e");
  if (at == end) return;
  *at = '.';
  memmove(at + 1, end, strlen(end) + 1);
}

void text_double(double value, char out[TEXT_DOUBLE_SIZE]) {
  char text[TEXT_DOUBLE_SIZE];
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value) break;
  }
  put_decimal_point(text);
  memcpy(out, text, sizeof text);
}

const char *text_bytes(char out[TEXT_BYTES_SIZE], uint64_t bytes) {
  static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
  size_t unit = 0;
  double value = (double)bytes;
  for (; value >= 1000 && unit + 1 < sizeof units / sizeof units[0]; unit++)
    value /= 1000;
  snprintf(out, TEXT_BYTES_SIZE, "%.*f %s", unit > 0 && value < 10 ? 1 : 0, value, units[unit]);
  return out;
}
