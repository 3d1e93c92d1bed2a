/* SPDX-License-Identifier: Apache-2.0 */
/* Small text helpers: formatting that owns its result, hex, parsing of whole numbers, URL encoding. */
#ifndef HOIST_BASE_TEXT_H
#define HOIST_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/** A malloc'd formatted string, or NULL when out of memory. */
char *text_format(const char *fmt, ...) PRINTF_LIKE(1, 2);
/** strdup that accepts NULL (gives NULL). */
char *text_dup(const char *text);
bool text_equal(const char *a, const char *b);
bool text_starts_with(const char *text, const char *prefix);
bool text_ends_with(const char *text, const char *suffix);
/** Copies with truncation; always terminates. Returns false when it had to cut. */
bool text_copy(char *dst, size_t dst_size, const char *src);

/** Writes 2*size lower-case digits and a NUL to `out`. */
void hex_encode(const void *bytes, size_t size, char *out);
/** Decodes exactly 2*size hex digits of either case. */
bool hex_decode(const char *text, size_t text_size, void *out, size_t size);

/** "442 KB", "1.3 GB": three digits are enough to see that a disk is too small. */
#define TEXT_BYTES_SIZE 32
const char *text_bytes(char out[TEXT_BYTES_SIZE], uint64_t bytes);

/** A whole decimal number with nothing before or after it; false on anything else or overflow. */
bool parse_u64(const char *text, uint64_t *ret_value);

/** Percent-encodes per RFC 3986: only A-Z a-z 0-9 - . _ ~ stay (and '/' when keep_slash), upper-case
 *  hex. malloc'd; NULL when out of memory. */
char *url_encode(const char *text, bool keep_slash);
/** As url_encode with ' ' as '+', as in application/x-www-form-urlencoded. */
char *url_encode_form(const char *text);

/** Blanks and tabs off both ends of the `*size` bytes at `text`: returns where they begin then. */
const char *text_trim(const char *text, size_t *size);
/** The same in place, for a text that ends with NUL. */
char *text_trim_in_place(char *text);

/** Longest prefix of `text` of at most `max` bytes that does not end inside a UTF-8 character. */
size_t utf8_prefix(const char *text, size_t size, size_t max);
/** Whether the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool utf8_valid(const char *text, size_t size);
/** Copies `text` with U+FFFD for every byte that is not part of a character, as far as whole characters
 *  fit `max` bytes; 3*size are always enough. Adds no NUL. Returns the bytes written. */
size_t utf8_repair(const char *text, size_t size, char *out, size_t max);

#define TEXT_DOUBLE_SIZE 40
/** The shortest text that reads back as the same finite number; with a decimal point in any locale. */
void text_double(double value, char out[TEXT_DOUBLE_SIZE]);

#endif
