/* SPDX-License-Identifier: Apache-2.0 */
/* hoist ls: a table of the cache. The rows are copied first, because their widths decide the
 * columns. Main thread. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "err.h"
#include "glyph.h"
#include "human.h"
#include "text.h"
#include "work.h"

#define MAX_ROWS 1000000u
#define MIN_ID_COLUMNS 12
#define MAX_SOURCE_COLUMNS 16
#define AGE_COLUMNS 15
#define FIXED_COLUMNS                                                                              \
  (2 + 9 + 2 + 6 + 2 + MAX_SOURCE_COLUMNS + 2 * (2 + AGE_COLUMNS)) /* all but the id */

struct row {
  char *id, *source, *problem, *directory;
  uint64_t size_bytes, graph_bytes, created_unix_s, used_unix_s;
  size_t file_count;
};

struct listing {
  struct row *rows;
  size_t count, capacity;
  bool out_of_memory;
};

static void listing_cleanup(struct listing *l) {
  for (size_t i = 0; i < l->count; i++) {
    free(l->rows[i].id);
    free(l->rows[i].source);
    free(l->rows[i].problem);
    free(l->rows[i].directory);
  }
  free(l->rows);
}

static bool reserve(struct listing *l) {
  if (l->count < l->capacity) return true;
  size_t capacity = l->capacity ? l->capacity * 2 : 64;
  struct row *rows = l->count < MAX_ROWS ? realloc(l->rows, capacity * sizeof *rows) : NULL;
  if (!rows) return false;
  l->rows = rows;
  l->capacity = capacity;
  return true;
}

static int keep(void *user, const struct hoist_list_item *item) {
  struct listing *l = user;
  if (!reserve(l)) {
    l->out_of_memory = true;
    return 1;
  }
  struct row *row = &l->rows[l->count++];
  *row = (struct row){.id = text_dup(item->model_id),
                      .source = text_dup(item->source),
                      .problem = text_dup(item->problem),
                      .directory = text_dup(item->directory),
                      .size_bytes = item->size_bytes,
                      .graph_bytes = item->graph_bytes,
                      .created_unix_s = item->created_unix_s,
                      .used_unix_s = item->used_unix_s,
                      .file_count = item->file_count};
  l->out_of_memory = !row->id || (item->source && !row->source) ||
                     (item->problem && !row->problem) || (item->directory && !row->directory);
  return l->out_of_memory;
}

/* ---- for people ------------------------------------------------------------------------------ */

static size_t id_columns(const struct cli *cli, const struct listing *l) {
  size_t columns = MIN_ID_COLUMNS;
  for (size_t i = 0; i < l->count; i++) {
    size_t own = glyph_columns(l->rows[i].id);
    columns = own > columns ? own : columns;
  }
  size_t width = cli->out_term.width;
  size_t most = width > FIXED_COLUMNS + MIN_ID_COLUMNS ? width - FIXED_COLUMNS : MIN_ID_COLUMNS;
  if (!cli->out_term.tty)
    most = TERM_MAX_WIDTH; /* whoever reads this from a pipe wants whole ids */
  return columns < most ? columns : most;
}

static uint64_t since(uint64_t then_unix_s, uint64_t now_unix_s) {
  return now_unix_s > then_unix_s ? now_unix_s - then_unix_s : 0;
}

static void print_row(struct cli *cli, const struct row *row, size_t columns, uint64_t now_unix_s) {
  char bytes[HUMAN_SIZE], age[HUMAN_SIZE], unused[HUMAN_SIZE];
  cli_put_fit(cli->out, &cli->out_term, row->id, columns);
  if (row->problem) {
    fputs("  ", cli->out);
    term_set(cli->out, &cli->out_term, TERM_RED);
    cli_put(cli->out, row->problem);
    term_set(cli->out, &cli->out_term, TERM_PLAIN);
    fputc('\n', cli->out);
    return;
  }
  fprintf(cli->out, "  %9s  %6zu  ", human_bytes(bytes, row->size_bytes), row->file_count);
  cli_put_fit(cli->out, &cli->out_term, row->source ? row->source : "-", MAX_SOURCE_COLUMNS);
  fprintf(cli->out, "  %-*s  %s\n", AGE_COLUMNS,
          human_age(age, since(row->created_unix_s, now_unix_s)),
          human_age(unused, since(row->used_unix_s, now_unix_s)));
}

static void print_table(struct cli *cli, const struct listing *l) {
  char bytes[HUMAN_SIZE];
  uint64_t total = 0, graphs = 0, now_unix_s = clock_realtime_ns() / NS_PER_S;
  size_t columns = id_columns(cli, l);
  if (l->count > 0) {
    term_set(cli->out, &cli->out_term, TERM_DIM);
    cli_put_fit(cli->out, &cli->out_term, "MODEL", columns);
    fprintf(cli->out, "  %9s  %6s  %-*s  %-*s  %s\n", "SIZE", "FILES", MAX_SOURCE_COLUMNS, "SOURCE",
            AGE_COLUMNS, "AGE", "USED");
    term_set(cli->out, &cli->out_term, TERM_PLAIN);
  }
  for (size_t i = 0; i < l->count; i++) {
    print_row(cli, &l->rows[i], columns, now_unix_s);
    total += l->rows[i].size_bytes;
    graphs += l->rows[i].graph_bytes;
  }
  fprintf(cli->out, "%zu model%s, %s", l->count, l->count == 1 ? "" : "s",
          human_bytes(bytes, total));
  if (graphs > 0) fprintf(cli->out, ", and %s of saved graphs", human_bytes(bytes, graphs));
  fputc('\n', cli->out);
}

/* ---- for programs ---------------------------------------------------------------------------- */

static void print_json(struct cli *cli, const struct listing *l) {
  struct json *j = &cli->json;
  uint64_t total = 0, graphs = 0;
  json_open(j, NULL, '{');
  json_open(j, "models", '[');
  for (size_t i = 0; i < l->count; i++) {
    const struct row *row = &l->rows[i];
    json_open(j, NULL, '{');
    json_text(j, "model_id", row->id);
    json_text(j, "directory", row->directory);
    json_text(j, "source", row->source);
    json_uint(j, "size_bytes", row->size_bytes);
    json_uint(j, "graph_bytes", row->graph_bytes);
    json_uint(j, "file_count", row->file_count);
    json_uint(j, "created_unix_s", row->created_unix_s);
    json_uint(j, "used_unix_s", row->used_unix_s);
    if (row->problem) json_text(j, "problem", row->problem);
    json_close(j, '}');
    total += row->size_bytes;
    graphs += row->graph_bytes;
  }
  json_close(j, ']');
  json_uint(j, "total_bytes", total);
  json_uint(j, "total_graph_bytes", graphs);
  json_close(j, '}');
  json_end(j);
}

enum hoist_status cmd_ls(struct cli *cli) {
  HOIST_AUTO(work) struct work work = {0};
  HOIST_AUTO(listing) struct listing listing = {0};
  struct hoist_error error;
  enum hoist_status status = work_open(cli, TRACING_NONE, &work);
  if (status != HOIST_OK) return status;
  status = hoist_list(work.hoist, keep, &listing, &error);
  if (status == HOIST_OK && listing.out_of_memory)
    status = hoist_fail_memory(&error, "the list of models");
  if (status != HOIST_OK) {
    cli_report(cli, NULL, NULL, &error);
    return status;
  }
  if (cli->options.json)
    print_json(cli, &listing);
  else if (!cli->options.quiet)
    print_table(cli, &listing);
  return HOIST_OK;
}
