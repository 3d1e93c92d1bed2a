/* SPDX-License-Identifier: Apache-2.0 */
/* man/hoist.1 knows every command, option, setting, variable and exit code that the code does. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli.h"
#include "fs.h"

static struct buf manual;

/* The manual with its escaped dashes made plain. */
static int read_manual(void **state) {
  struct hoist_error err;
  manual = buf_make(1u << 20);
  if (fs_read_file(AT_FDCWD, MANUAL, &manual, &err) != HOIST_OK) return -1;
  char *to = manual.data;
  for (const char *from = manual.data; *from; from++)
    if (!(from[0] == '\\' && from[1] == '-')) *to++ = *from;
  *to = '\0';
  return 0;
}

static int free_manual(void **state) {
  buf_done(&manual);
  return 0;
}

static void expect(const char *text) {
  if (!strstr(manual.data, text)) fail_msg("man/hoist.1 does not mention '%s'", text);
}

static void test_every_command_has_its_paragraph(void **state) {
  size_t count;
  const struct command *commands = cli_commands(&count);
  for (size_t i = 0; i < count; i++) {
    char text[64];
    snprintf(text, sizeof text, "\n.B hoist %s", commands[i].name);
    expect(text);
  }
}

static void test_every_option_is_described(void **state) {
  size_t count;
  const struct option_help *help = options_help(&count);
  for (size_t i = 0; i < count; i++) {
    char text[64];
    const char *name = strstr(help[i].spelling, "--");
    snprintf(text, sizeof text, "%.*s", (int)strcspn(name, " "), name);
    expect(text);
  }
}

static void test_every_setting_and_its_variables_are_listed(void **state) {
  size_t count;
  const struct setting *settings = settings_table(&count);
  for (size_t i = 0; i < count; i++) {
    char name[OPTION_NAME_SIZE];
    options_name(&settings[i], name);
    if (!settings[i].secret) expect(name);
    for (size_t v = 0; v < SETTING_MAX_ENV && settings[i].env[v]; v++)
      expect(settings[i].env[v]);
  }
}

static void test_every_exit_code_is_explained(void **state) {
  for (int status = HOIST_OK; status <= HOIST_INTERNAL; status++) {
    char text[32];
    snprintf(text, sizeof text, "\n.TP\n.B %d\n", cli_exit_code((enum hoist_status)status));
    expect(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_command_has_its_paragraph),
      cmocka_unit_test(test_every_option_is_described),
      cmocka_unit_test(test_every_setting_and_its_variables_are_listed),
      cmocka_unit_test(test_every_exit_code_is_explained),
  };
  return cmocka_run_group_tests_name("manual", tests, read_manual, free_manual);
}
