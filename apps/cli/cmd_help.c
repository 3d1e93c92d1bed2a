/* SPDX-License-Identifier: Apache-2.0 */
/* hoist help: the list of commands, the page of one, the list of settings. */
#include <string.h>

#include "cli.h"
#include "err.h"

/* What only traces have would be noise in the list for all commands. */
static bool applies(const struct option_help *option, const struct command *command) {
  switch (option->scope) {
  case FOR_LOADS:
    return !command || command->waterfall;
  case FOR_REPEATS:
    return command && command->repeats;
  case FOR_BENCH:
    return command && command->plots;
  case FOR_TRACES:
    return command && command->traces;
  case FOR_GC:
    return command && command->collects;
  case FOR_COPIES:
    return command && command->copies;
  case FOR_INFO:
    return command && command->explains;
  case FOR_ALL:
    return true;
  }
  return true;
}

static void print_options(struct cli *cli, const struct command *command) {
  size_t count;
  const struct option_help *help = options_help(&count);
  fputs("\nOptions:\n", cli->out);
  for (size_t i = 0; i < count; i++)
    if (applies(&help[i], command))
      fprintf(cli->out, "  %-20s  %s\n", help[i].spelling, help[i].description);
  fputs("  --SETTING VALUE       any setting, such as --cache-dir or --sources: hoist help "
        "settings\n",
        cli->out);
}

static void print_overview(struct cli *cli) {
  size_t count;
  const struct command *commands = cli_commands(&count);
  fputs("hoist loads machine-learning models and shows where every millisecond went.\n\n"
        "Usage: hoist COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands:\n",
        cli->out);
  for (size_t i = 0; i < count; i++) {
    fputs("  ", cli->out);
    term_set(cli->out, &cli->out_term, TERM_BOLD);
    fprintf(cli->out, "%-8s", commands[i].name);
    term_set(cli->out, &cli->out_term, TERM_PLAIN);
    fprintf(cli->out, "  %s\n", commands[i].summary);
  }
  print_options(cli, NULL);
  fputs("\nMore: hoist help COMMAND, man hoist\n", cli->out);
}

void cli_print_help(struct cli *cli, const struct command *command) {
  if (!command) {
    print_overview(cli);
    return;
  }
  fprintf(cli->out, "Usage: hoist %s [OPTIONS]%s%s\n\n%c%s.\n", command->name,
          *command->args ? " " : "", command->args, command->summary[0] - 'a' + 'A',
          command->summary + 1);
  if (*command->text) fprintf(cli->out, "\n%s", command->text);
  print_options(cli, command);
}

static void print_settings(struct cli *cli) {
  size_t count;
  const struct setting *settings = settings_table(&count);
  fputs("Settings, as options and as environment variables (the first that is set decides):\n\n",
        cli->out);
  for (size_t i = 0; i < count; i++) {
    char name[OPTION_NAME_SIZE];
    options_name(&settings[i], name);
    term_set(cli->out, &cli->out_term, TERM_BOLD);
    fprintf(cli->out, "  %-22s", settings[i].secret ? "" : name);
    term_set(cli->out, &cli->out_term, TERM_PLAIN);
    for (size_t v = 0; v < SETTING_MAX_ENV && settings[i].env[v]; v++)
      fprintf(cli->out, "%s%s", v ? ", " : "", settings[i].env[v]);
    fprintf(cli->out, "\n  %-22s%s\n", "", settings[i].description);
  }
}

enum hoist_status cmd_help(struct cli *cli) {
  const char *topic = cli->arg_count > 0 ? cli->args[0] : NULL;
  const struct command *command = topic ? cli_command(topic) : NULL;
  if (!topic || command) {
    cli_print_help(cli, command);
    return HOIST_OK;
  }
  if (strcmp(topic, "settings") == 0) {
    print_settings(cli);
    return HOIST_OK;
  }
  struct hoist_error error;
  enum hoist_status status = hoist_fail(
      &error, HOIST_INVALID, "help: there is no command '%.64s': see 'hoist help'", topic);
  cli_report(cli, NULL, NULL, &error);
  return status;
}
