/* SPDX-License-Identifier: Apache-2.0 */
/* hoist verify [ID…]: every file of the models named, or of all in the cache. Main thread. */
#include <stdlib.h>

#include "clock.h"
#include "err.h"
#include "human.h"
#include "text.h"
#include "work.h"

#define MAX_MODELS 1000000u

struct ids {
  char **items;
  size_t count, capacity;
  bool out_of_memory;
};

static void ids_cleanup(struct ids *ids) {
  for (size_t i = 0; i < ids->count; i++)
    free(ids->items[i]);
  free(ids->items);
}

static bool append(struct ids *ids, const char *id) {
  if (ids->count == ids->capacity) {
    size_t capacity = ids->capacity ? ids->capacity * 2 : 64;
    char **items = ids->count < MAX_MODELS ? realloc(ids->items, capacity * sizeof *items) : NULL;
    if (!items) return false;
    ids->items = items;
    ids->capacity = capacity;
  }
  char *copy = text_dup(id);
  if (copy) ids->items[ids->count++] = copy;
  return copy != NULL;
}

static int keep(void *user, const struct hoist_list_item *item) {
  struct ids *ids = user;
  ids->out_of_memory = !append(ids, item->model_id);
  return ids->out_of_memory;
}

static void print_verified(struct cli *cli, const char *id, uint64_t bytes, uint64_t ns) {
  char size[HUMAN_SIZE], duration[HUMAN_SIZE];
  if (cli->options.json) {
    json_open(&cli->json, NULL, '{');
    json_text(&cli->json, "model_id", id);
    json_text(&cli->json, "status", "ok");
    json_uint(&cli->json, "bytes", bytes);
    json_number(&cli->json, "seconds", (double)ns / 1e9);
    json_close(&cli->json, '}');
    json_end(&cli->json);
  } else if (!cli->options.quiet) {
    term_print(cli->out, &cli->out_term, TERM_GREEN, cli->out_term.unicode ? "✓ " : "ok ");
    cli_put(cli->out, id);
    fprintf(cli->out, "  %s in %s\n", human_bytes(size, bytes),
            human_duration(duration, ns, cli->out_term.unicode));
  }
}

static enum hoist_status verify_one(const struct work *work, const char *id) {
  struct hoist_call_options options = work_call_options(work);
  struct hoist_error error;
  uint64_t bytes = 0, started = clock_monotonic_ns();
  enum hoist_status status = hoist_verify(work->hoist, id, &options, &bytes, &error);
  fflush(work->cli->out);
  if (status == HOIST_CORRUPT) hoist_error_advise(&error, "'hoist pull' brings it anew");
  if (status != HOIST_OK)
    cli_report(work->cli, NULL, id, &error);
  else
    print_verified(work->cli, id, bytes, clock_monotonic_ns() - started);
  return status;
}

static enum hoist_status verify_these(const struct work *work, char **ids, size_t count) {
  enum hoist_status result = HOIST_OK;
  for (size_t i = 0; i < count; i++) {
    enum hoist_status status = verify_one(work, ids[i]);
    result = cli_worse(result, status);
    if (status == HOIST_CANCELLED) return status;
  }
  return result;
}

static enum hoist_status verify_all(const struct work *work) {
  HOIST_AUTO(ids) struct ids ids = {0};
  struct hoist_error error;
  enum hoist_status status = hoist_list(work->hoist, keep, &ids, &error);
  if (status == HOIST_OK && ids.out_of_memory)
    status = hoist_fail_memory(&error, "the list of models");
  if (status != HOIST_OK) {
    cli_report(work->cli, NULL, NULL, &error);
    return status;
  }
  if (ids.count == 0 && cli_talks(work->cli))
    fputs("there are no models in the cache\n", work->cli->out);
  return verify_these(work, ids.items, ids.count);
}

enum hoist_status cmd_verify(struct cli *cli) {
  HOIST_AUTO(work) struct work work = {0};
  enum hoist_status status = work_open(cli, TRACING_EXPORT, &work);
  if (status != HOIST_OK) return status;
  return cli->arg_count > 0 ? verify_these(&work, cli->args, cli->arg_count) : verify_all(&work);
}
