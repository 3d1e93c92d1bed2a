/* SPDX-License-Identifier: Apache-2.0 */
/* Text that strangers wrote, made safe and measured for a terminal: no control characters, no
 * escape sequences, no bidirectional overrides; columns counted as a terminal does. */
#ifndef HOIST_VIEW_GLYPH_H
#define HOIST_VIEW_GLYPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Copies `size` bytes of any content as well-formed UTF-8 without anything that could steer a
 * terminal (each such character or stray byte becomes '?'), cut at a character to fit. Always
 * terminates. Returns the bytes written, without the NUL. */
size_t glyph_clean(char *dst, size_t dst_size, const char *text, size_t size);

/** Copies `size` bytes of any content as well-formed UTF-8 without NUL: what is neither becomes '?', but
 * control characters stay. Otherwise as glyph_clean. */
size_t glyph_repair(char *dst, size_t dst_size, const char *text, size_t size);

/** Columns that clean text takes. */
size_t glyph_columns(const char *text);

/** Bytes a text of `columns` columns can take here: four a column, and some for combining marks. */
#define GLYPH_FIT_SIZE(columns) ((size_t)(columns)*4 + 64)

/** Cleans `text` and cuts it to at most `columns` columns, the last of them an ellipsis where
 * something was cut. Without `unicode`, what is not ASCII becomes '?'. Returns the columns
 *  taken. */
size_t glyph_fit(char *dst, size_t dst_size, const char *text, size_t columns, bool unicode);

#endif
