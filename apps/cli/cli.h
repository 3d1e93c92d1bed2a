/* SPDX-License-Identifier: Apache-2.0 */
/* The command hoist: what every subcommand works with, and what it is. A command does its work,
 * reports each failure once (cli_report), and returns the status that decides the exit code. */
#ifndef HOIST_CLI_CLI_H
#define HOIST_CLI_CLI_H

#include <hoist/hoist.h>

#include "json.h"
#include "options.h"
#include "term.h"

struct again;

struct cli {
  FILE *out, *err;
  struct term out_term, err_term;
  settings_get_env get_env; /* NULL: getenv */
  struct options options;
  const struct command *command;
  char **args; /* of the command */
  size_t arg_count;
  struct json json; /* on `out` */
  bool is_left; /* it was stopped, and something goes on that is not waited for: no exit handlers */
  /* Runs this very command again with those arguments, NULL at the end, and reads its standard output;
   * tests put a stand-in here. */
  enum hoist_status (*run_again)(struct cli *cli, char *const *argv, struct again *ret_again,
                                 struct hoist_error *err);
};

#define COMMAND_ANY_ARGS SIZE_MAX

struct command {
  const char *name;
  const char *args;    /* "ID..." */
  const char *summary; /* one line for the list of commands */
  const char *text;    /* paragraphs for its own page */
  size_t min_args, max_args;
  bool waterfall; /* whether --waterfall applies */
  bool repeats;   /* whether --repeat applies */
  bool plots;     /* whether --svg applies */
  bool traces;    /* whether --name and the like apply */
  bool collects;  /* whether --max-size and the like apply */
  bool copies;    /* whether --include and --exclude apply */
  bool explains;  /* whether --why applies */
  enum hoist_status (*run)(struct cli *cli);
};

/** All commands. Static. */
const struct command *cli_commands(size_t *ret_count);
/** NULL: no command of that name. */
const struct command *cli_command(const char *name);

enum hoist_status cmd_load(struct cli *cli);
enum hoist_status cmd_pull(struct cli *cli);
enum hoist_status cmd_bench(struct cli *cli);
enum hoist_status cmd_ls(struct cli *cli);
enum hoist_status cmd_models(struct cli *cli);
enum hoist_status cmd_kserve(struct cli *cli);
enum hoist_status cmd_info(struct cli *cli);
enum hoist_status cmd_verify(struct cli *cli);
enum hoist_status cmd_rm(struct cli *cli);
enum hoist_status cmd_gc(struct cli *cli);
enum hoist_status cmd_config(struct cli *cli);
enum hoist_status cmd_doctor(struct cli *cli);
enum hoist_status cmd_trace(struct cli *cli);
enum hoist_status cmd_version(struct cli *cli);
enum hoist_status cmd_help(struct cli *cli);

/** Prints the page of one command (NULL: the list of commands) or "settings". */
void cli_print_help(struct cli *cli, const struct command *command);

/** Runs a whole command line and returns the exit code. `out` and `err` stay open.
 *  @param get_env  NULL: getenv */
int cli_run(int argc, char **argv, FILE *out, FILE *err, settings_get_env get_env);

/* ---- for the commands ------------------------------------------------------------------------ */

/** Says what went wrong: one line on standard error. */
void cli_say(struct cli *cli, const struct hoist_error *error);
/** cli_say, and with --json an object on standard output:
 *  {"event":…,"model_id":…,"status":…,"error":{…}}, whose `event` and `model_id` may be NULL: left
 * out. */
void cli_report(struct cli *cli, const char *event, const char *model_id,
                const struct hoist_error *error);
/** Writes the member "error" of an open JSON object. */
void cli_json_error(struct cli *cli, const struct hoist_error *error);
/** One line on standard error that starts "hoist: warning: ", unless quiet. */
void cli_warn(struct cli *cli, const char *text);

/** The exit code of a status (documented in hoist(1)). */
int cli_exit_code(enum hoist_status status);

/** Prints text that strangers wrote, cleaned for a terminal. Returns the columns taken. */
size_t cli_put(FILE *out, const char *text);
/** As cli_put, cut or padded to exactly `columns`. */
void cli_put_fit(FILE *out, const struct term *term, const char *text, size_t columns);

/** The configuration as options and environment make it. Reports its failure itself. */
enum hoist_status cli_configure(struct cli *cli, struct hoist_config *ret_config);

/** Whether a result line for people is wanted on standard output. */
static inline bool cli_talks(const struct cli *cli) {
  return !cli->options.quiet && !cli->options.json;
}

/** The status that decides the exit code of several: the first failure. */
static inline enum hoist_status cli_worse(enum hoist_status so_far, enum hoist_status next) {
  return so_far == HOIST_OK ? next : so_far;
}

#endif
