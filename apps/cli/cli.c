/* SPDX-License-Identifier: Apache-2.0 */
/* From a command line to an exit code: parses, finds the command, runs it, checks that its output
 * arrived. Main thread. */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "again.h"
#include "err.h"
#include "glyph.h"
#include "signals.h"
#include "suggest.h"

#define MAX_COMMANDS 24
#define PUT_MAX_BYTES 4096

int cli_exit_code(enum hoist_status status) {
  switch (status) {
  case HOIST_OK:
    return 0;
  case HOIST_INTERNAL:
    return 1;
  case HOIST_INVALID:
    return 2;
  case HOIST_NOT_FOUND:
    return 3;
  case HOIST_DENIED:
    return 4;
  case HOIST_UNAVAILABLE:
    return 5;
  case HOIST_TIMEOUT:
    return 6;
  case HOIST_CORRUPT:
    return 7;
  case HOIST_UNSUPPORTED:
    return 8;
  case HOIST_NO_SPACE:
    return 9;
  case HOIST_NO_MEMORY:
    return 10;
  case HOIST_CANCELLED:
    return 130;
  }
  return 1;
}

/* ---- saying things --------------------------------------------------------------------------- */

size_t cli_put(FILE *out, const char *text) {
  char clean[PUT_MAX_BYTES];
  glyph_clean(clean, sizeof clean, text, strlen(text));
  fputs(clean, out);
  return glyph_columns(clean);
}

void cli_put_fit(FILE *out, const struct term *term, const char *text, size_t columns) {
  char fitted[GLYPH_FIT_SIZE(TERM_MAX_WIDTH)];
  size_t taken = glyph_fit(fitted, sizeof fitted, text, columns, term->unicode);
  fputs(fitted, out);
  fprintf(out, "%*s", (int)(columns - taken), "");
}

void cli_warn(struct cli *cli, const char *text) {
  if (cli->options.quiet) return;
  term_print(cli->err, &cli->err_term, TERM_YELLOW, "hoist: warning: ");
  cli_put(cli->err, text);
  fputc('\n', cli->err);
}

void cli_json_error(struct cli *cli, const struct hoist_error *error) {
  json_open(&cli->json, "error", '{');
  json_text(&cli->json, "status", hoist_status_name(error->status));
  json_text(&cli->json, "message", error->message);
  if (error->http_status) json_int(&cli->json, "http_status", error->http_status);
  if (error->sys_errno) json_int(&cli->json, "errno", error->sys_errno);
  json_close(&cli->json, '}');
}

void cli_say(struct cli *cli, const struct hoist_error *error) {
  term_print(cli->err, &cli->err_term, TERM_RED, "hoist: ");
  cli_put(cli->err, error->message);
  fputc('\n', cli->err);
}

void cli_report(struct cli *cli, const char *event, const char *model_id,
                const struct hoist_error *error) {
  cli_say(cli, error);
  if (!cli->options.json) return;
  json_open(&cli->json, NULL, '{');
  if (event) json_text(&cli->json, "event", event);
  if (model_id) json_text(&cli->json, "model_id", model_id);
  json_text(&cli->json, "status", hoist_status_name(error->status));
  cli_json_error(cli, error);
  json_close(&cli->json, '}');
  json_end(&cli->json);
}

enum hoist_status cli_configure(struct cli *cli, struct hoist_config *ret_config) {
  struct hoist_error error;
  enum hoist_status status = options_configure(&cli->options, cli->get_env, ret_config, &error);
  if (status != HOIST_OK) cli_report(cli, NULL, NULL, &error);
  return status;
}

/* ---- finding the command --------------------------------------------------------------------- */

const struct command *cli_command(const char *name) {
  size_t count;
  const struct command *commands = cli_commands(&count);
  for (size_t i = 0; i < count; i++)
    if (strcmp(commands[i].name, name) == 0) return &commands[i];
  return NULL;
}

static enum hoist_status unknown_command(const char *name, struct hoist_error *err) {
  const char *names[MAX_COMMANDS];
  size_t count;
  const struct command *commands = cli_commands(&count);
  for (size_t i = 0; i < count; i++)
    names[i] = commands[i].name;
  const char *near = suggest(name, names, count);
  if (near)
    return hoist_fail(err, HOIST_INVALID, "unknown command '%.64s': did you mean '%s'?", name,
                      near);
  return hoist_fail(err, HOIST_INVALID, "unknown command '%.64s': see 'hoist help'", name);
}

static enum hoist_status check_args(const struct cli *cli, struct hoist_error *err) {
  const struct command *c = cli->command;
  if (cli->arg_count < c->min_args)
    return hoist_fail(err, HOIST_INVALID, "%s: too few arguments: usage is 'hoist %s %s'", c->name,
                      c->name, c->args);
  if (cli->arg_count > c->max_args)
    return hoist_fail(err, HOIST_INVALID, "%s: unexpected argument '%.64s': usage is 'hoist %s %s'",
                      c->name, cli->args[c->max_args], c->name, c->args);
  if (cli->options.waterfall != CHOICE_DEFAULT && !c->waterfall)
    return hoist_fail(err, HOIST_INVALID, "%s draws no waterfall: only load and pull do", c->name);
  if (cli->options.repeat > 0 && !c->repeats)
    return hoist_fail(err, HOIST_INVALID, "%s: --repeat is an option of load and bench only",
                      c->name);
  if (cli->options.svg_file && !c->plots)
    return hoist_fail(err, HOIST_INVALID, "%s: --svg is an option of 'hoist bench' only", c->name);
  if (cli->options.for_traces && !c->traces)
    return hoist_fail(err, HOIST_INVALID, "%s: %s is an option of 'hoist trace' only", c->name,
                      cli->options.for_traces);
  if (cli->options.why && !c->explains)
    return hoist_fail(err, HOIST_INVALID, "%s: --why is an option of 'hoist info' only", c->name);
  if (cli->options.for_gc && !c->collects)
    return hoist_fail(err, HOIST_INVALID, "%s: %s is an option of 'hoist gc' only", c->name,
                      cli->options.for_gc);
  if (cli->options.for_copies && !c->copies)
    return hoist_fail(err, HOIST_INVALID,
                      "%s: %s is an option of 'hoist pull PLACE DIRECTORY' only", c->name,
                      cli->options.for_copies);
  return HOIST_OK;
}

/* Which command the words name; options that stand for a command win. */
static enum hoist_status find_command(struct cli *cli, struct hoist_error *err) {
  const struct options *o = &cli->options;
  cli->args = o->words + (o->word_count > 0);
  cli->arg_count = o->word_count - (o->word_count > 0);
  if (o->version) {
    cli->command = cli_command("version");
    cli->arg_count = 0;
    return HOIST_OK;
  }
  if (o->word_count == 0) {
    cli->command = cli_command("help");
    return o->help ? HOIST_OK
                   : hoist_fail(err, HOIST_INVALID,
                                "no command was given: try 'hoist load ID', or see 'hoist help'");
  }
  cli->command = cli_command(o->words[0]);
  if (!cli->command) return unknown_command(o->words[0], err);
  return o->help ? HOIST_OK : check_args(cli, err);
}

/* ---- running --------------------------------------------------------------------------------- */

static enum hoist_status run_command(struct cli *cli) {
  if (cli->options.help && strcmp(cli->command->name, "help") != 0) {
    cli_print_help(cli, cli->command);
    return HOIST_OK;
  }
  return cli->command->run(cli);
}

static bool reader_is_gone(FILE *out) {
  struct pollfd end = {.fd = fileno(out), .events = POLLOUT};
  return end.fd >= 0 && poll(&end, 1, 0) == 1 && (end.revents & POLLERR);
}

/* Output that did not arrive is a failure, except where the reader wanted no more. The errno of a
 * write long ago is gone by now; EIO stands for it. */
static enum hoist_status check_output(struct cli *cli, enum hoist_status status) {
  errno = 0;
  if (fflush(cli->out) == 0 && !ferror(cli->out)) return status;
  int cause = errno ? errno : EIO;
  if (reader_is_gone(cli->out)) signals_die_of_broken_pipe();
  struct hoist_error error;
  hoist_fail_errno(&error, cause, "standard output cannot be written");
  cli_report(cli, NULL, NULL, &error);
  return cli_worse(status, error.status);
}

int cli_run(int argc, char **argv, FILE *out, FILE *err, settings_get_env get_env) {
  struct cli cli = {
      .out = out, .err = err, .get_env = get_env, .json = {.out = out}, .run_again = again_run};
  struct hoist_error error;
  cli.err_term = term_detect(fileno(err), get_env, false);
  enum hoist_status status = options_parse(argc, argv, &cli.options, &error);
  cli.out_term = term_detect(fileno(out), get_env, cli.options.no_color);
  cli.err_term = term_detect(fileno(err), get_env, cli.options.no_color);
  if (status == HOIST_OK) status = find_command(&cli, &error);
  if (status != HOIST_OK) {
    cli_report(&cli, NULL, NULL, &error);
    return cli_exit_code(status);
  }
  status = run_command(&cli);
  int code = cli_exit_code(check_output(&cli, status));
  if (cli.is_left) {
    fflush(err);
    _exit(code);
  }
  return code;
}
