/* SPDX-License-Identifier: Apache-2.0 */
/* What hoist bench found, as a table or as JSON. Main thread. */
#include <string.h>

#include "bench.h"
#include "human.h"

const char *bench_part_name(enum bench_part part) {
  static const char *const names[] = {"download", "verify", "session", "other"};
  return names[part];
}

static void print_json(struct cli *cli, uint32_t runs, const struct bench_row rows[BENCH_WAYS]) {
  struct json *j = &cli->json;
  json_open(j, NULL, '{');
  json_text(j, "event", "result");
  json_text(j, "model_id", cli->args[0]);
  json_text(j, "status", "ok");
  json_uint(j, "runs", runs);
  json_open(j, "ways", '[');
  for (int way = 0; way < BENCH_WAYS; way++) {
    const struct bench_row *row = &rows[way];
    json_open(j, NULL, '{');
    json_text(j, "way", row->name);
    if (row->objection[0]) json_text(j, "objection", row->objection);
    json_number(j, "load_s", (double)row->load_ns / 1e9);
    for (int part = 0; part < BENCH_PARTS; part++) {
      char key[32];
      snprintf(key, sizeof key, "%s_s", bench_part_name((enum bench_part)part));
      json_number(j, key, (double)row->part_ns[part] / 1e9);
    }
    json_number(j, "process_s", (double)row->process_ns / 1e9);
    json_uint(j, "peak_bytes", row->peak_bytes);
    json_close(j, '}');
  }
  json_close(j, ']');
  json_close(j, '}');
  json_end(j);
}

static void print_cell(struct cli *cli, uint64_t ns) {
  char text[HUMAN_SIZE];
  human_duration(text, ns, cli->out_term.unicode);
  fprintf(cli->out, "%*s", strstr(text, "µ") ? 11 : 10, text);
}

static void print_row(struct cli *cli, const struct bench_row *row, uint64_t warm_ns) {
  char peak[HUMAN_SIZE];
  fprintf(cli->out, "%-14s", row->name);
  if (row->objection[0]) {
    cli_put(cli->out, row->objection);
    fputc('\n', cli->out);
    return;
  }
  print_cell(cli, row->load_ns);
  for (int part = 0; part < BENCH_PARTS; part++)
    print_cell(cli, row->part_ns[part]);
  print_cell(cli, row->process_ns);
  fprintf(cli->out, "%10s", human_bytes(peak, row->peak_bytes));
  if (warm_ns > 0) fprintf(cli->out, "%8.2f", (double)row->load_ns / (double)warm_ns);
  fputc('\n', cli->out);
}

static void print_table(struct cli *cli, uint32_t runs, const struct bench_row rows[BENCH_WAYS]) {
  term_set(cli->out, &cli->out_term, TERM_BOLD);
  cli_put(cli->out, cli->args[0]);
  term_set(cli->out, &cli->out_term, TERM_PLAIN);
  fprintf(cli->out, ", medians of %u runs, each in a process of its own\n%-14s%10s", runs, "",
          "load");
  for (int part = 0; part < BENCH_PARTS; part++)
    fprintf(cli->out, "%10s", bench_part_name((enum bench_part)part));
  fprintf(cli->out, "%10s%10s%8s\n", "process", "peak", "of warm");
  for (int way = 0; way < BENCH_WAYS; way++)
    print_row(cli, &rows[way], rows[BENCH_WARM].load_ns);
}

void bench_print(struct cli *cli, uint32_t runs, const struct bench_row rows[BENCH_WAYS]) {
  if (cli->options.json)
    print_json(cli, runs, rows);
  else if (!cli->options.quiet)
    print_table(cli, runs, rows);
}
