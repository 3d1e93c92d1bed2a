/* SPDX-License-Identifier: Apache-2.0 */
/* What was weighed, a line for each candidate: the chosen ones are marked. Every text comes from a server, so all
 * of it is cleaned. Main thread. */
#include "why.h"

#include <string.h>

#include "glyph.h"

#define NAME_COLUMNS 28

static void print_candidate(struct cli *cli, const struct hoist_candidate *c) {
  const char *name = c->package_id ? c->package_id : c->endpoint ? c->endpoint : c->source;
  fputs(c->package_id ? "    " : "  ", cli->out);
  term_set(cli->out, &cli->out_term, c->chosen ? TERM_BOLD : TERM_PLAIN);
  fputs(c->chosen ? (cli->out_term.unicode ? "✓ " : "* ") : "  ", cli->out);
  cli_put_fit(cli->out, &cli->out_term, name, NAME_COLUMNS);
  term_set(cli->out, &cli->out_term, TERM_PLAIN);
  fputs("  ", cli->out);
  if (c->facts) {
    cli_put(cli->out, c->facts);
    fputs(": ", cli->out);
  }
  cli_put(cli->out, c->reason);
  fputc('\n', cli->out);
}

static void put_candidate(struct json *j, const struct hoist_candidate *c) {
  json_open(j, NULL, '{');
  json_text(j, "source", c->source);
  json_text(j, "endpoint", c->endpoint);
  json_text(j, "package_id", c->package_id);
  json_text(j, "facts", c->facts);
  json_bool(j, "chosen", c->chosen != 0);
  json_text(j, "reason", c->reason);
  json_close(j, '}');
}

static void take(void *user, const struct hoist_candidate *c) {
  struct cli *cli = user;
  if (cli->options.json)
    put_candidate(&cli->json, c);
  else if (!cli->options.quiet)
    print_candidate(cli, c);
}

enum hoist_status why_run(struct cli *cli, struct hoist *hoist,
                          const struct hoist_call_options *options) {
  struct hoist_error error;
  const char *id = cli->args[0];
  if (cli->options.json) {
    json_open(&cli->json, NULL, '{');
    json_text(&cli->json, "model_id", id);
    json_open(&cli->json, "candidates", '[');
  } else if (!cli->options.quiet) {
    term_set(cli->out, &cli->out_term, TERM_BOLD);
    cli_put(cli->out, id);
    term_set(cli->out, &cli->out_term, TERM_PLAIN);
    fputc('\n', cli->out);
  }
  enum hoist_status status = hoist_explain(hoist, id, options, take, cli, &error);
  if (cli->options.json) {
    json_close(&cli->json, ']');
    json_close(&cli->json, '}');
    json_end(&cli->json);
  }
  if (status != HOIST_OK) cli_report(cli, NULL, id, &error);
  return status;
}
