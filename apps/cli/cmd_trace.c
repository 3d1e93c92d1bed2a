/* SPDX-License-Identifier: Apache-2.0 */
/* hoist trace FILE: draws what a file of OTLP-JSON lines or OTLP protobuf holds. What can be read of a damaged file
 * is still drawn. Main thread. */
#include <errno.h>
#include <string.h>

#include "cli.h"
#include "diff.h"
#include "err.h"
#include "page.h"
#include "trace.h"
#include "trace_text.h"
#include "waterfall.h"

static enum hoist_status read_file(const char *path, struct trace_set *set,
                                   struct hoist_error *err) {
  if (strcmp(path, "-") == 0) return trace_read(set, stdin, "standard input", err);
  FILE *in = fopen(path, "re");
  if (!in) return hoist_fail_errno(err, errno, "%s", path);
  enum hoist_status status = trace_read(set, in, path, err);
  fclose(in);
  return status;
}

static void write_page(FILE *out, const struct trace_set *set) {
  struct json json = {.out = out, .in_html = true};
  fputs(page_head, out);
  for (size_t i = 0; i < set->trace_count; i++)
    if (trace_is_shown(set, &set->traces[i])) trace_json(&json, set, &set->traces[i]);
  fputs(page_tail, out);
}

static enum hoist_status save_page(const char *path, const struct trace_set *set,
                                   struct hoist_error *err) {
  FILE *out = fopen(path, "we");
  if (!out) return hoist_fail_errno(err, errno, "%s", path);
  errno = 0;
  write_page(out, set);
  int cause = !ferror(out) ? 0 : errno ? errno : EIO;
  if (fclose(out) != 0 && cause == 0) cause = errno;
  return cause ? hoist_fail_errno(err, cause, "%s cannot be written", path) : HOIST_OK;
}

static enum hoist_status show(struct cli *cli, const struct trace_set *set,
                              struct hoist_error *err) {
  const char *page = cli->options.html_page;
  if (set->count == 0) return HOIST_OK;
  if (page && strcmp(page, "-") != 0) return save_page(page, set, err);
  if (page) {
    write_page(cli->out, set);
    return HOIST_OK;
  }
  if (cli_talks(cli)) return waterfall_draw_all(cli->out, &cli->out_term, set, err);
  for (size_t i = 0; cli->options.json && i < set->trace_count; i++) {
    if (!trace_is_shown(set, &set->traces[i])) continue;
    trace_json(&cli->json, set, &set->traces[i]);
    json_end(&cli->json);
  }
  return HOIST_OK;
}

static enum hoist_status filter(const struct cli *cli, struct trace_set *set,
                                struct hoist_error *err) {
  const struct filter *conditions = &cli->options.filter;
  if (!filter_is_set(conditions) || set->count == 0) return HOIST_OK;
  if (filter_apply(conditions, set) > 0) return HOIST_OK;
  return hoist_fail(err, HOIST_NOT_FOUND, "%s: none of its %zu spans meets the conditions",
                    cli->args[0], set->count);
}

/* The spans of a file. What stands before damage is linked too; `err` is set when there was any. */
static enum hoist_status open_trace(const char *path, struct trace_set *set,
                                    struct hoist_error *err) {
  enum hoist_status status = read_file(path, set, err);
  if (status == HOIST_OK && set->count == 0)
    status = hoist_fail(err, HOIST_NOT_FOUND, "%s: there are no spans in it", path);
  struct hoist_error link_error;
  enum hoist_status linked = trace_link(set, &link_error);
  if (status == HOIST_OK && linked != HOIST_OK) *err = link_error;
  return cli_worse(status, linked);
}

static enum hoist_status show_one(struct cli *cli, struct hoist_error *err) {
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  struct hoist_error show_error;
  enum hoist_status status = open_trace(cli->args[0], &set, err);
  if (status == HOIST_NO_MEMORY) return status;
  enum hoist_status shown = filter(cli, &set, &show_error);
  if (shown == HOIST_OK) shown = show(cli, &set, &show_error);
  if (status == HOIST_OK && shown != HOIST_OK) *err = show_error;
  return cli_worse(status, shown);
}

static enum hoist_status show_diff(struct cli *cli, struct hoist_error *err) {
  HOIST_AUTO(trace_set) struct trace_set a = trace_set_make(), b = trace_set_make();
  HOIST_AUTO(diff) struct diff diff = {0};
  enum hoist_status status = open_trace(cli->args[0], &a, err);
  if (status == HOIST_OK) status = open_trace(cli->args[1], &b, err);
  if (status == HOIST_OK) status = diff_build(&a, &b, &diff, err);
  if (status != HOIST_OK) return status;
  if (cli_talks(cli)) diff_draw(cli->out, &cli->out_term, &diff, cli->args[0], cli->args[1]);
  if (cli->options.json) {
    trace_json_diff(&cli->json, &diff);
    json_end(&cli->json);
  }
  return HOIST_OK;
}

static enum hoist_status check_options(const struct cli *cli, struct hoist_error *err) {
  const struct options *o = &cli->options;
  if (o->html_page && o->json)
    return hoist_fail(err, HOIST_INVALID, "trace: --html and --json exclude each other");
  if (cli->arg_count != (o->diff ? 2 : 1))
    return hoist_fail(err, HOIST_INVALID, "trace: %s",
                      o->diff ? "--diff compares two files: name both"
                              : "shows one file; --diff compares two");
  if (o->diff && (o->html_page || filter_is_set(&o->filter)))
    return hoist_fail(err, HOIST_INVALID, "trace: --diff compares whole files, on the terminal");
  return HOIST_OK;
}

enum hoist_status cmd_trace(struct cli *cli) {
  struct hoist_error error;
  enum hoist_status status = check_options(cli, &error);
  if (status == HOIST_OK)
    status = cli->options.diff ? show_diff(cli, &error) : show_one(cli, &error);
  fflush(cli->out);
  if (status != HOIST_OK) cli_report(cli, NULL, NULL, &error);
  return status;
}
