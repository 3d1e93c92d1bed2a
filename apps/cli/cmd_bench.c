/* SPDX-License-Identifier: Apache-2.0 */
/* hoist bench ID: the same model loaded in three ways, in turn, each time in a process of its own, because a
 * process that has loaded it before has its memory and the runtime still. Main thread. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "again.h"
#include "bench.h"
#include "err.h"
#include "fs.h"
#include "signals.h"
#include "text.h"

#define DEFAULT_RUNS 10
#define MAX_ARGS (OPTIONS_MAX_SETTINGS + 16)
#define ARG_SIZE 4096

struct run {
  uint64_t load_ns, part_ns[BENCH_PARTS], process_ns, peak_bytes;
  char graph_cache[16], graph_detail[256];
};

struct bench {
  struct cli *cli;
  uint32_t runs;
  char scratch[PATH_MAX]; /* where the empty caches are */
  struct run *results[BENCH_WAYS];
  struct bench_row rows[BENCH_WAYS];
};

static void bench_cleanup(struct bench *b) {
  for (int way = 0; way < BENCH_WAYS; way++)
    free(b->results[way]);
  if (b->scratch[0] && fs_remove_tree(AT_FDCWD, b->scratch, NULL) != HOIST_OK)
    cli_warn(b->cli, "a temporary directory could not be removed");
}

/* ---- one run --------------------------------------------------------------------------------- */

struct arguments {
  char texts[MAX_ARGS][ARG_SIZE];
  char *argv[MAX_ARGS + 1];
  size_t count;
};

static void add(struct arguments *a, const char *name, const char *value) {
  if (a->count == MAX_ARGS) return;
  char *text = a->texts[a->count];
  text_copy(text, ARG_SIZE, name);
  if (value) {
    size_t size = strlen(name);
    text[size] = '=';
    text_copy(text + size + 1, ARG_SIZE - size - 1, value);
  }
  a->argv[a->count] = text;
  a->argv[++a->count] = NULL;
}

/* The settings of this command line count for the child, too, but for those that make the difference. */
static void add_settings(struct arguments *a, const struct cli *cli) {
  size_t count;
  const struct setting *settings = settings_table(&count);
  for (size_t i = 0; i < count && i < OPTIONS_MAX_SETTINGS; i++) {
    char name[OPTION_NAME_SIZE];
    options_name(&settings[i], name);
    if (cli->options.setting_texts[i]) add(a, name, cli->options.setting_texts[i]);
  }
}

static void make_arguments(const struct bench *b, enum bench_way way, struct arguments *a) {
  static const char *const graphs[] = {"off", "off", "before_returning"};
  a->count = 0;
  add(a, "hoist", NULL);
  add(a, "load", NULL);
  add(a, b->cli->args[0], NULL);
  add(a, "--json", NULL);
  add(a, "--quiet", NULL);
  add_settings(a, b->cli);
  add(a, "--graph-cache", graphs[way]);
  if (way == BENCH_COLD) add(a, "--cache-dir", b->scratch);
}

static uint64_t ns_of(const json_t *seconds) {
  double value = json_number_value(seconds);
  return value > 0 ? (uint64_t)(value * 1e9) : 0;
}

static enum bench_part part_of(const char *phase) {
  static const struct {
    const char *phase;
    enum bench_part part;
  } known[] = {{"download", BENCH_DOWNLOAD},
               {"verify", BENCH_VERIFY},
               {"read", BENCH_VERIFY},
               {"session", BENCH_SESSION},
               {"model.runtime.open", BENCH_SESSION}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (text_equal(phase, known[i].phase)) return known[i].part;
  return BENCH_OTHER;
}

static void read_result(const json_t *result, struct run *run) {
  const char *graph = json_string_value(json_object_get(result, "graph_cache"));
  const char *detail = json_string_value(json_object_get(result, "graph_detail"));
  run->load_ns = ns_of(json_object_get(result, "load_time_s"));
  text_copy(run->graph_cache, sizeof run->graph_cache, graph ? graph : "");
  text_copy(run->graph_detail, sizeof run->graph_detail, detail ? detail : "");
  size_t i;
  const json_t *phase;
  json_array_foreach(json_object_get(result, "phases"), i, phase)
      run->part_ns[part_of(json_string_value(json_object_get(phase, "phase")))] +=
      ns_of(json_object_get(phase, "seconds"));
}

static bool find_result(const struct again *again, struct run *run) {
  const char *text = buf_str(&again->out);
  for (const char *line = text; *line;) {
    size_t size = strcspn(line, "\n");
    json_t *json = json_loadb(line, size, 0, NULL);
    bool is_result = text_equal(json_string_value(json_object_get(json, "event")), "result");
    if (is_result) read_result(json, run);
    json_decref(json);
    if (is_result) return true;
    line += size + (line[size] == '\n');
  }
  return false;
}

static enum hoist_status status_of_exit(int code) {
  for (int status = HOIST_OK + 1; status <= HOIST_INTERNAL; status++)
    if (cli_exit_code((enum hoist_status)status) == code) return (enum hoist_status)status;
  return HOIST_INTERNAL;
}

static enum hoist_status load_once(const struct bench *b, enum bench_way way, struct run *ret_run,
                                   struct hoist_error *err) {
  struct arguments *a = malloc(sizeof *a);
  if (!a) return hoist_fail_memory(err, "running hoist again");
  make_arguments(b, way, a);
  __attribute__((cleanup(again_cleanup))) struct again again = {.exit_code = 0};
  enum hoist_status status = b->cli->run_again(b->cli, a->argv, &again, err);
  free(a);
  if (status != HOIST_OK) return status;
  *ret_run = (struct run){.process_ns = again.wall_ns, .peak_bytes = again.peak_bytes};
  if (again.exit_code != 0)
    return hoist_fail(err, status_of_exit(again.exit_code), "the load ended with exit status %d",
                      again.exit_code);
  if (!find_result(&again, ret_run))
    return hoist_fail(err, HOIST_INTERNAL, "the load did not say how it went");
  return HOIST_OK;
}

/* ---- all runs -------------------------------------------------------------------------------- */

/* Whether a way can be gone at all, found out before anything is measured; the model and its graph are in the
 * cache afterwards. Only the first two have to work. */
static enum hoist_status prepare(struct bench *b, struct hoist_error *err) {
  struct run first = {0};
  enum hoist_status status = load_once(b, BENCH_GRAPH, &first, err);
  if (status == HOIST_OK) status = load_once(b, BENCH_GRAPH, &first, err);
  if (status != HOIST_OK) return status;
  if (strcmp(first.graph_cache, "hit") != 0)
    snprintf(b->rows[BENCH_GRAPH].objection, sizeof b->rows[BENCH_GRAPH].objection, "%s",
             first.graph_detail[0] ? first.graph_detail : "no graph was saved");
  return HOIST_OK;
}

static enum hoist_status empty_cache(struct bench *b, struct hoist_error *err) {
  enum hoist_status status = fs_remove_tree(AT_FDCWD, b->scratch, err);
  return status == HOIST_OK ? fs_make_dirs(AT_FDCWD, b->scratch, err) : status;
}

static enum hoist_status run_round(struct bench *b, uint32_t round, struct hoist_error *err) {
  for (int way = 0; way < BENCH_WAYS; way++) {
    struct bench_row *row = &b->rows[way];
    struct hoist_error problem = {0};
    if (row->objection[0]) continue;
    enum hoist_status status = way == BENCH_COLD ? empty_cache(b, &problem) : HOIST_OK;
    if (status == HOIST_OK)
      status = load_once(b, (enum bench_way)way, &b->results[way][round], &problem);
    if (status == HOIST_OK) continue;
    if (way != BENCH_COLD || status == HOIST_CANCELLED) {
      if (err) *err = problem;
      return status;
    }
    snprintf(row->objection, sizeof row->objection, "no source has it: %.200s", problem.message);
  }
  return HOIST_OK;
}

static enum hoist_status run_all(struct bench *b, struct hoist_error *err) {
  for (uint32_t round = 0; round < b->runs; round++) {
    if (signals_stopped()) return hoist_fail(err, HOIST_CANCELLED, "called off");
    enum hoist_status status = run_round(b, round, err);
    if (status != HOIST_OK) return status;
    if (cli_talks(b->cli) && b->cli->err_term.tty)
      fprintf(b->cli->err, "\r%u of %u", round + 1, b->runs);
  }
  if (cli_talks(b->cli) && b->cli->err_term.tty) fputs("\r\033[K", b->cli->err);
  return HOIST_OK;
}

/* ---- medians --------------------------------------------------------------------------------- */

static int compare_u64(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* Of the member at `offset` of every run. */
static uint64_t median(const struct run *runs, size_t count, size_t offset) {
  uint64_t *values = malloc(count * sizeof *values), result = 0;
  for (size_t i = 0; values && i < count; i++)
    memcpy(&values[i], (const char *)&runs[i] + offset, sizeof *values);
  if (values) {
    qsort(values, count, sizeof *values, compare_u64);
    result = (values[(count - 1) / 2] + values[count / 2]) / 2;
  }
  free(values);
  return result;
}

static void sum_up(struct bench *b) {
  for (int way = 0; way < BENCH_WAYS; way++) {
    struct bench_row *row = &b->rows[way];
    const struct run *runs = b->results[way];
    if (row->objection[0]) continue;
    row->load_ns = median(runs, b->runs, offsetof(struct run, load_ns));
    row->process_ns = median(runs, b->runs, offsetof(struct run, process_ns));
    row->peak_bytes = median(runs, b->runs, offsetof(struct run, peak_bytes));
    for (size_t part = 0; part < BENCH_PARTS; part++)
      row->part_ns[part] =
          median(runs, b->runs, offsetof(struct run, part_ns) + part * sizeof(uint64_t));
  }
}

static enum hoist_status make_room(struct bench *b, struct hoist_error *err) {
  const char *base = getenv("TMPDIR");
  snprintf(b->scratch, sizeof b->scratch, "%s/hoist-bench-XXXXXX", base && *base ? base : "/tmp");
  if (!mkdtemp(b->scratch)) {
    b->scratch[0] = '\0';
    return hoist_fail_errno(err, errno, "making a temporary directory");
  }
  for (int way = 0; way < BENCH_WAYS; way++) {
    b->results[way] = calloc(b->runs, sizeof *b->results[way]);
    if (!b->results[way]) return hoist_fail_memory(err, "the results");
  }
  return HOIST_OK;
}

enum hoist_status cmd_bench(struct cli *cli) {
  __attribute__((cleanup(bench_cleanup))) struct bench b = {
      .cli = cli,
      .runs = cli->options.repeat > 0 ? cli->options.repeat : DEFAULT_RUNS,
      .rows = {{.name = "cold"}, {.name = "warm"}, {.name = "cached graph"}}};
  struct hoist_error error = {0};
  enum hoist_status status = make_room(&b, &error);
  if (status == HOIST_OK) status = prepare(&b, &error);
  if (status == HOIST_OK) status = run_all(&b, &error);
  if (status == HOIST_OK) {
    sum_up(&b);
    bench_print(cli, b.runs, b.rows);
    if (cli->options.svg_file)
      status = bench_draw(cli->options.svg_file, cli->args[0], b.rows, &error);
  }
  if (status != HOIST_OK) cli_report(cli, "result", cli->args[0], &error);
  return status;
}
