/* SPDX-License-Identifier: Apache-2.0 */
/* What an output can show, found out with a pseudo-terminal and a made-up environment. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "term.h"

static const char *const *environment;

static const char *fake_env(const char *name) {
  for (size_t i = 0; environment && environment[i]; i += 2)
    if (strcmp(environment[i], name) == 0) return environment[i + 1];
  return NULL;
}

/* A terminal `columns` wide. The other end must stay open; both are closed at exit. */
static int open_terminal(unsigned short columns) {
  const struct winsize size = {.ws_col = columns, .ws_row = 24};
  int controller = posix_openpt(O_RDWR | O_NOCTTY);
  assert_true(controller >= 0);
  assert_int_equal(grantpt(controller), 0);
  assert_int_equal(unlockpt(controller), 0);
  int terminal = open(ptsname(controller), O_RDWR | O_NOCTTY);
  assert_true(terminal >= 0);
  assert_int_equal(ioctl(terminal, TIOCSWINSZ, &size), 0);
  return terminal;
}

static void test_the_width_is_the_terminals_else_columns_else_a_hundred(void **state) {
  static const struct {
    unsigned short terminal; /* 0: not a terminal */
    const char *columns;
    size_t width;
  } cases[] = {{80, "120", 80},   {0, "120", 120}, {0, NULL, 100},    {0, "", 100},
               {0, "wide", 100},  {0, "5", 20},    {0, "99999", 400}, {10, NULL, 20},
               {5000, NULL, 400}, {0, "-3", 100}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *const variables[] = {"COLUMNS", cases[i].columns, NULL};
    environment = variables;
    int fd = cases[i].terminal ? open_terminal(cases[i].terminal) : -1;
    struct term term = term_detect(fd, fake_env, false);
    assert_int_equal(term.width, cases[i].width);
    assert_int_equal(term.tty, cases[i].terminal > 0);
  }
}

static void test_colours_are_for_terminals_that_want_them(void **state) {
  static const struct {
    bool terminal, option;
    const char *no_color, *kind;
    bool color, tty;
  } cases[] = {
      {true, false, NULL, "xterm", true, true}, {false, false, NULL, "xterm", false, false},
      {true, true, NULL, "xterm", false, true}, {true, false, "1", "xterm", false, true},
      {true, false, "", "xterm", true, true},   {true, false, NULL, "dumb", false, false},
      {true, false, NULL, NULL, true, true}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *const variables[] = {"TERM", cases[i].kind ? cases[i].kind : "", "NO_COLOR",
                                     cases[i].no_color ? cases[i].no_color : "", NULL};
    environment = variables;
    int fd = cases[i].terminal ? open_terminal(80) : -1;
    struct term term = term_detect(fd, fake_env, cases[i].option);
    assert_int_equal(term.color, cases[i].color);
    assert_int_equal(term.tty, cases[i].tty);
  }
}

static void test_block_characters_need_a_utf8_locale(void **state) {
  static const struct {
    const char *lc_all, *lc_ctype, *lang;
    bool unicode;
  } cases[] = {{NULL, NULL, "en_US.UTF-8", true}, {NULL, NULL, "C.utf8", true},
               {NULL, NULL, "C", false},          {NULL, NULL, NULL, false},
               {"C", NULL, "en_US.UTF-8", false}, {"", "de_DE.UTF-8", "C", true},
               {"C.UTF-8", "C", "C", true}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *variables[7] = {0};
    size_t n = 0;
    const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    const char *const values[] = {cases[i].lc_all, cases[i].lc_ctype, cases[i].lang};
    for (size_t v = 0; v < 3; v++) {
      if (!values[v]) continue;
      variables[n++] = names[v];
      variables[n++] = values[v];
    }
    environment = variables;
    assert_int_equal(term_detect(-1, fake_env, false).unicode, cases[i].unicode);
  }
}

static void test_without_colours_nothing_but_the_text_is_printed(void **state) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  const struct term plain = {.color = false}, colored = {.color = true};
  term_print(out, &plain, TERM_RED, "a");
  term_print(out, &colored, TERM_RED, "b");
  term_print(out, &colored, TERM_PLAIN, "c");
  fclose(out);
  assert_string_equal(text, "a\033[31mb\033[0mc");
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_width_is_the_terminals_else_columns_else_a_hundred),
      cmocka_unit_test(test_colours_are_for_terminals_that_want_them),
      cmocka_unit_test(test_block_characters_need_a_utf8_locale),
      cmocka_unit_test(test_without_colours_nothing_but_the_text_is_printed),
  };
  return cmocka_run_group_tests_name("term", tests, NULL, NULL);
}
