/* SPDX-License-Identifier: Apache-2.0 */
/* What an output can show: colours, block characters, how many columns. */
#ifndef HOIST_VIEW_TERM_H
#define HOIST_VIEW_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TERM_DEFAULT_WIDTH 100
#define TERM_MIN_WIDTH 20
#define TERM_MAX_WIDTH 400

struct term {
  bool tty; /* a terminal that understands cursor movement */
  bool color;
  bool unicode; /* the locale is UTF-8 */
  size_t width; /* columns, TERM_MIN_WIDTH..TERM_MAX_WIDTH */
};

/** Looks at the descriptor, NO_COLOR, TERM, COLUMNS and the locale's variables.
 *  @param get_env  NULL: getenv */
struct term term_detect(int fd, const char *(*get_env)(const char *name), bool no_color);

/** The present width of a terminal, which its user may have changed; `width` if unknown. */
size_t term_width(int fd, size_t width);

enum term_color {
  TERM_PLAIN,
  TERM_BOLD,
  TERM_DIM,
  TERM_RED,
  TERM_GREEN,
  TERM_YELLOW,
  TERM_BLUE,
  TERM_MAGENTA,
  TERM_CYAN
};

/** Switches to `color` (TERM_PLAIN: back to normal); nothing where there are no colours. */
void term_set(FILE *out, const struct term *term, enum term_color color);
/** Prints `text` in `color` and goes back to normal. */
void term_print(FILE *out, const struct term *term, enum term_color color, const char *text);

#endif
