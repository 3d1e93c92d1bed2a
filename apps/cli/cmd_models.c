/* SPDX-License-Identifier: Apache-2.0 */
/* hoist models: what the sources offer, printed as it is told, because there may be any number. Main thread. */
#include "clock.h"
#include "human.h"
#include "work.h"

#define AGE_COLUMNS 15

struct listing {
  struct cli *cli;
  uint64_t now_unix_s;
  uint64_t count, bytes;
  const char *location; /* of the last line printed; compared only */
};

/* ---- for people ------------------------------------------------------------------------------ */

/* Ids come last: nobody knows yet how long the longest is. */
static void print_head(struct listing *l, const struct hoist_offer *offer) {
  FILE *out = l->cli->out;
  if (l->location) fputc('\n', out);
  l->location = offer->location;
  term_set(out, &l->cli->out_term, TERM_BOLD);
  cli_put(out, offer->source);
  fputs("  ", out);
  cli_put(out, offer->location);
  term_set(out, &l->cli->out_term, TERM_PLAIN);
  fputc('\n', out);
}

static void print_problem(struct listing *l, const char *problem) {
  term_print(l->cli->out, &l->cli->out_term, TERM_RED, "  ");
  cli_put(l->cli->out, problem);
  fputc('\n', l->cli->out);
}

static void print_model(struct listing *l, const struct hoist_offer *offer) {
  char bytes[HUMAN_SIZE], age[HUMAN_SIZE];
  FILE *out = l->cli->out;
  uint64_t modified = offer->modified_unix_s;
  const char *when =
      modified == 0 ? "-" : human_age(age, l->now_unix_s > modified ? l->now_unix_s - modified : 0);
  fprintf(out, "  %9s  %6zu  %-*s  %-6s  ", human_bytes(bytes, offer->size_bytes),
          offer->file_count, AGE_COLUMNS, when, offer->in_cache ? "cached" : "");
  cli_put(out, offer->model_id);
  fputc('\n', out);
  if (offer->problem) print_problem(l, offer->problem);
}

static void print_columns(const struct listing *l) {
  term_set(l->cli->out, &l->cli->out_term, TERM_DIM);
  fprintf(l->cli->out, "  %9s  %6s  %-*s  %-6s  %s", "SIZE", "FILES", AGE_COLUMNS, "MODIFIED", "",
          "MODEL");
  term_set(l->cli->out, &l->cli->out_term, TERM_PLAIN);
  fputc('\n', l->cli->out);
}

static void print_text(struct listing *l, const struct hoist_offer *offer) {
  if (offer->location != l->location) {
    print_head(l, offer);
    if (offer->model_id) print_columns(l);
  }
  if (offer->model_id)
    print_model(l, offer);
  else
    print_problem(l, offer->problem);
}

/* ---- for programs ---------------------------------------------------------------------------- */

static void print_json(struct listing *l, const struct hoist_offer *offer) {
  struct json *j = &l->cli->json;
  json_open(j, NULL, '{');
  json_text(j, "model_id", offer->model_id);
  json_text(j, "source", offer->source);
  json_text(j, "location", offer->location);
  if (offer->model_id) {
    json_uint(j, "size_bytes", offer->size_bytes);
    json_uint(j, "file_count", offer->file_count);
    if (offer->modified_unix_s) json_uint(j, "modified_unix_s", offer->modified_unix_s);
    json_bool(j, "in_cache", offer->in_cache != 0);
  }
  if (offer->problem) json_text(j, "problem", offer->problem);
  json_close(j, '}');
}

static int take(void *user, const struct hoist_offer *offer) {
  struct listing *l = user;
  if (offer->model_id) {
    l->count++;
    l->bytes += offer->size_bytes;
  }
  if (l->cli->options.json)
    print_json(l, offer);
  else if (!l->cli->options.quiet)
    print_text(l, offer);
  return 0;
}

static enum hoist_status list(struct listing *l, const struct work *work, struct hoist_error *err) {
  struct hoist_call_options options = work_call_options(work);
  const char *source = l->cli->arg_count > 0 ? l->cli->args[0] : NULL;
  return hoist_offers(work->hoist, source, &options, take, l, err);
}

enum hoist_status cmd_models(struct cli *cli) {
  HOIST_AUTO(work) struct work work = {0};
  struct listing l = {.cli = cli, .now_unix_s = clock_realtime_ns() / NS_PER_S};
  struct hoist_error error;
  char bytes[HUMAN_SIZE];
  enum hoist_status status = work_open(cli, TRACING_EXPORT, &work);
  if (status != HOIST_OK) return status;
  if (cli->options.json) {
    json_open(&cli->json, NULL, '{');
    json_open(&cli->json, "models", '[');
  }
  status = list(&l, &work, &error);
  if (cli->options.json) {
    json_close(&cli->json, ']');
    json_uint(&cli->json, "total_bytes", l.bytes);
    if (status != HOIST_OK) cli_json_error(cli, &error);
    json_close(&cli->json, '}');
    json_end(&cli->json);
  } else if (status == HOIST_OK && !cli->options.quiet) {
    fprintf(cli->out, "%s%llu model%s, %s\n", l.location ? "\n" : "", (unsigned long long)l.count,
            l.count == 1 ? "" : "s", human_bytes(bytes, l.bytes));
  }
  fflush(cli->out);
  if (status != HOIST_OK) cli_say(cli, &error);
  return status;
}
