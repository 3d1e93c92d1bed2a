/* SPDX-License-Identifier: Apache-2.0 */
/* Cleaning and measuring text for terminals. The tables are of our own, not wcwidth's: the result
 * must not depend on the locale of the process. Pure; any thread. */
#include "glyph.h"

#include <string.h>

struct range {
  uint32_t first, last;
};

/* Controls, zero-width and bidirectional formatting, line separators, tags: harmless nowhere. */
static const struct range unsafe[] = {
    {0x0000, 0x001f}, {0x007f, 0x009f}, {0x00ad, 0x00ad},   {0x061c, 0x061c},    {0x180e, 0x180e},
    {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},   {0xfeff, 0xfeff},    {0xfff9, 0xfffb},
    {0xe000, 0xf8ff}, {0xfffe, 0xffff}, {0xe0000, 0xe007f}, {0xf0000, 0x10ffff},
};

/* Combining marks of the common scripts, and variation selectors. */
static const struct range zero_width[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f},
    {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff},
    {0x302a, 0x302d}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef},
};

/* East Asian wide and full-width characters, and emoji shown as such (UAX #11). */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x23f0, 0x23f0},
    {0x23f3, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},   {0x2648, 0x2653},
    {0x267f, 0x267f},   {0x2693, 0x2693},   {0x26a1, 0x26a1},   {0x26aa, 0x26ab},
    {0x26bd, 0x26be},   {0x26c4, 0x26c5},   {0x26ce, 0x26ce},   {0x26d4, 0x26d4},
    {0x26ea, 0x26ea},   {0x26f2, 0x26f3},   {0x26f5, 0x26f5},   {0x26fa, 0x26fa},
    {0x26fd, 0x26fd},   {0x2705, 0x2705},   {0x270a, 0x270b},   {0x2728, 0x2728},
    {0x274c, 0x274c},   {0x274e, 0x274e},   {0x2753, 0x2755},   {0x2757, 0x2757},
    {0x2795, 0x2797},   {0x27b0, 0x27b0},   {0x27bf, 0x27bf},   {0x2b1b, 0x2b1c},
    {0x2b50, 0x2b50},   {0x2b55, 0x2b55},   {0x2e80, 0x303e},   {0x3041, 0x4dbf},
    {0x4e00, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
    {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

static bool in_ranges(const struct range *ranges, size_t count, uint32_t c) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (c > ranges[middle].last)
      low = middle + 1;
    else
      high = middle;
  }
  return low < count && c >= ranges[low].first;
}

#define IN(table, c) in_ranges(table, sizeof(table) / sizeof((table)[0]), c)

/* Length of the well-formed UTF-8 sequence at p and its character; 0 when there is none. */
static size_t decode(const unsigned char *p, size_t left, uint32_t *ret_c) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t n = p[0] < 0x80   ? 1
             : p[0] < 0xc2 ? 0
             : p[0] < 0xe0 ? 2
             : p[0] < 0xf0 ? 3
             : p[0] < 0xf5 ? 4
                           : 0;
  if (n == 0 || n > left) return 0;
  uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
  for (size_t i = 1; i < n; i++) {
    if ((p[i] & 0xc0) != 0x80) return 0;
    c = c << 6 | (p[i] & 0x3fu);
  }
  if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return 0;
  *ret_c = c;
  return n;
}

static size_t columns_of(uint32_t c) {
  if (c < 0x300) return 1;
  return IN(zero_width, c) ? 0 : IN(wide, c) ? 2 : 1;
}

static size_t copy(char *dst, size_t dst_size, const char *text, size_t size, bool keep_unsafe) {
  const unsigned char *p = (const unsigned char *)text;
  size_t used = 0;
  while (size > 0) {
    uint32_t c = 0;
    size_t n = decode(p, size, &c), taken = n ? n : 1;
    bool good = n > 0 && (keep_unsafe ? c != 0 : !IN(unsafe, c));
    size_t written = good ? n : 1;
    if (used + written >= dst_size) break;
    if (good)
      memcpy(dst + used, p, n);
    else
      dst[used] = '?';
    used += written;
    p += taken;
    size -= taken;
  }
  dst[used] = '\0';
  return used;
}

size_t glyph_clean(char *dst, size_t dst_size, const char *text, size_t size) {
  return copy(dst, dst_size, text, size, false);
}

size_t glyph_repair(char *dst, size_t dst_size, const char *text, size_t size) {
  return copy(dst, dst_size, text, size, true);
}

size_t glyph_columns(const char *text) {
  const unsigned char *p = (const unsigned char *)text;
  size_t left = strlen(text), columns = 0;
  while (left > 0) {
    uint32_t c = 0;
    size_t n = decode(p, left, &c);
    columns += n ? columns_of(c) : 1;
    p += n ? n : 1;
    left -= n ? n : 1;
  }
  return columns;
}

/* Writes characters until `columns` or the storage is full. Returns whether all of it fitted. */
static bool fit_whole(char *dst, size_t dst_size, const char *text, size_t columns, bool unicode,
                      size_t *ret_columns) {
  const unsigned char *p = (const unsigned char *)text;
  size_t left = strlen(text), used = 0;
  *ret_columns = 0;
  dst[0] = '\0';
  while (left > 0) {
    uint32_t c = 0;
    size_t n = decode(p, left, &c), taken = n ? n : 1;
    bool good = n > 0 && !IN(unsafe, c) && (unicode || c < 0x80);
    size_t width = good ? columns_of(c) : 1, bytes = good ? n : 1;
    if (*ret_columns + width > columns || used + bytes >= dst_size) return false;
    if (good)
      memcpy(dst + used, p, n);
    else
      dst[used] = '?';
    used += bytes;
    dst[used] = '\0';
    *ret_columns += width;
    p += taken;
    left -= taken;
  }
  return true;
}

size_t glyph_fit(char *dst, size_t dst_size, const char *text, size_t columns, bool unicode) {
  const char *ellipsis = unicode ? "…" : "~";
  size_t taken;
  if (fit_whole(dst, dst_size, text, columns, unicode, &taken) || columns == 0) return taken;
  (void)fit_whole(dst, dst_size - strlen(ellipsis), text, columns - 1, unicode, &taken);
  memcpy(dst + strlen(dst), ellipsis, strlen(ellipsis) + 1);
  return taken + 1;
}
