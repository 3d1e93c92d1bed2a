/* SPDX-License-Identifier: Apache-2.0 */
/* Detection of what an output can show, and the few escape sequences we send. The sixteen basic
 * colours only: those follow the theme the user chose. No state; any thread. */
#include "term.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "text.h"

typedef const char *(*env_fn)(const char *name);

static const char *process_env(const char *name) {
  return getenv(name);
}

static const char *lookup(env_fn get_env, const char *name) {
  const char *value = get_env(name);
  return value && *value ? value : NULL;
}

static bool locale_is_utf8(env_fn get_env) {
  static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
    const char *value = lookup(get_env, variables[i]);
    if (value) return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
  }
  return false;
}

static size_t clamp_width(uint64_t width) {
  return width < TERM_MIN_WIDTH ? TERM_MIN_WIDTH : width > TERM_MAX_WIDTH ? TERM_MAX_WIDTH : width;
}

size_t term_width(int fd, size_t width) {
  struct winsize size;
  if (fd < 0 || ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return width;
  return clamp_width(size.ws_col);
}

struct term term_detect(int fd, const char *(*get_env)(const char *name), bool no_color) {
  env_fn env = get_env ? get_env : process_env;
  const char *kind = lookup(env, "TERM"), *columns = lookup(env, "COLUMNS");
  bool clever = !kind || strcmp(kind, "dumb") != 0;
  uint64_t width = TERM_DEFAULT_WIDTH;
  if (columns && !parse_u64(columns, &width)) width = TERM_DEFAULT_WIDTH;
  struct term term = {.tty = fd >= 0 && isatty(fd) == 1 && clever,
                      .unicode = locale_is_utf8(env),
                      .width = clamp_width(width)};
  term.color = term.tty && !no_color && !lookup(env, "NO_COLOR");
  if (term.tty) term.width = term_width(fd, term.width);
  return term;
}

void term_set(FILE *out, const struct term *term, enum term_color color) {
  static const char *const sequences[] = {
      [TERM_PLAIN] = "\033[0m", [TERM_BOLD] = "\033[1m",     [TERM_DIM] = "\033[2m",
      [TERM_RED] = "\033[31m",  [TERM_GREEN] = "\033[32m",   [TERM_YELLOW] = "\033[33m",
      [TERM_BLUE] = "\033[94m", [TERM_MAGENTA] = "\033[35m", [TERM_CYAN] = "\033[36m"};
  if (term->color) fputs(sequences[color], out);
}

void term_print(FILE *out, const struct term *term, enum term_color color, const char *text) {
  if (color != TERM_PLAIN) term_set(out, term, color);
  fputs(text, out);
  if (color != TERM_PLAIN) term_set(out, term, TERM_PLAIN);
}
