/* SPDX-License-Identifier: Apache-2.0 */
/* One copy at a time, on the main thread. */
#include "copying.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auto.h"
#include "human.h"
#include "text.h"
#include "waterfall.h"

/* 0, or why the directory can neither be used nor made.
 * @param ret_there  on 0: what of the path to it is there; it itself where it is. malloc'd */
static int directory_problem(const char *directory, char **ret_there) {
  HOIST_AUTO(mem) char *path = text_dup(directory);
  struct stat st;
  if (!path) return ENOMEM;
  if (!*path) return EINVAL;
  while (stat(path, &st) != 0) {
    char *slash = strrchr(path, '/');
    int problem = errno;
    if (problem != ENOENT || lstat(path, &st) == 0) return problem; /* a link to nothing */
    if (slash)
      slash[slash == path] = '\0'; /* what it is in */
    else if (access(".", W_OK) != 0)
      return errno;
    else
      memcpy(path, ".", sizeof ".");
  }
  if (!S_ISDIR(st.st_mode)) return ENOTDIR;
  if (access(path, W_OK) != 0) return errno;
  *ret_there = HOIST_TAKE(path);
  return 0;
}

/* Before anything else speaks of it as the cache, which it is none of. */
static enum hoist_status check_directory(struct cli *cli, const char *directory, char **ret_there) {
  struct hoist_error error;
  int problem = directory_problem(directory, ret_there);
  if (problem == 0) return HOIST_OK;
  enum hoist_status status =
      hoist_fail_errno(&error, problem, "the directory to copy into, \"%s\"", directory);
  if (status == HOIST_NOT_FOUND) status = error.status = HOIST_INVALID; /* no model is missing */
  hoist_error_advise(&error, "name one that can be made and written to");
  cli_report(cli, NULL, NULL, &error);
  return status;
}

enum hoist_status copying_open(struct cli *cli, struct hoist_config *config, const char *directory,
                               struct work *ret_work) {
  bool draws = cli_talks(cli) && cli->options.waterfall == CHOICE_YES;
  *ret_work = (struct work){.cli = cli};
  HOIST_AUTO(mem) char *there = NULL;
  enum hoist_status status = check_directory(cli, directory, &there);
  if (status != HOIST_OK) return status;
  /* Opening a cache makes its directory, and nothing in it: one that is there serves. */
  config->cache_dir = there;
  config->sources =
      ""; /* models are none of its business, so what is wrong with their sources is neither */
  return work_open_configured(cli, draws ? TRACING_CAPTURE : TRACING_EXPORT, config, ret_work);
}

/* ---- results ----------------------------------------------------------------------------------- */

static void print_json(struct cli *cli, const char *place, const char *directory,
                       const struct hoist_copy_result *r) {
  struct json *j = &cli->json;
  json_open(j, NULL, '{');
  json_text(j, "event", "result");
  json_text(j, "model_id", place);
  json_text(j, "status", "ok");
  json_text(j, "directory", directory);
  json_uint(j, "files", r->files);
  json_uint(j, "bytes", r->bytes);
  json_uint(j, "copied_files", r->copied_files);
  json_uint(j, "copied_bytes", r->copied_bytes);
  json_uint(j, "resumed_bytes", r->resumed_bytes);
  json_uint(j, "unchanged_files", r->unchanged_files);
  json_uint(j, "excluded_files", r->excluded_files);
  json_uint(j, "unpacked_files", r->unpacked_files);
  json_number(j, "seconds", r->seconds);
  json_close(j, '}');
  json_end(j);
}

static void print_count(FILE *out, const char *before, size_t count, const char *after) {
  if (count > 0) fprintf(out, "%s%zu %s", before, count, after);
}

static void print_line(struct cli *cli, const char *place, const char *directory,
                       const struct hoist_copy_result *r) {
  char bytes[HUMAN_SIZE], duration[HUMAN_SIZE];
  cli_put(cli->out, place);
  fprintf(cli->out, ": %zu file%s copied (%s", r->copied_files, r->copied_files == 1 ? "" : "s",
          human_bytes(bytes, r->copied_bytes));
  if (r->resumed_bytes > 0)
    fprintf(cli->out, ", and %s of an interrupted copy", human_bytes(bytes, r->resumed_bytes));
  fputs(") to ", cli->out);
  cli_put(cli->out, directory);
  fprintf(cli->out, " in %s",
          human_duration(duration, (uint64_t)(r->seconds * 1e9), cli->out_term.unicode));
  print_count(cli->out, "; ", r->unchanged_files, "unchanged");
  print_count(cli->out, "; ", r->excluded_files, "excluded");
  print_count(cli->out, "; ", r->unpacked_files, "unpacked out of it");
  fputc('\n', cli->out);
}

static void print_result(struct cli *cli, const char *place, const char *directory,
                         const struct hoist_copy_result *r) {
  if (cli->options.json)
    print_json(cli, place, directory, r);
  else if (cli_talks(cli))
    print_line(cli, place, directory, r);
}

/* A waterfall is an extra: without the memory for it, the copy was still what it was. */
static void draw(const struct work *work, const char *place) {
  struct cli *cli = work->cli;
  if (!cli_talks(cli) || cli->options.waterfall != CHOICE_YES) return;
  const struct trace_set *spans = tracing_spans(work->tracing, place);
  if (!spans) return;
  enum hoist_status ignored = waterfall_draw_all(cli->out, &cli->out_term, spans, NULL);
  (void)ignored;
}

enum hoist_status copying_run(const struct work *work, const char *place, const char *directory,
                              const struct hoist_copy_options *copy_options,
                              struct hoist_copy_result *ret_result) {
  struct cli *cli = work->cli;
  struct progress progress = work_progress(cli);
  struct hoist_call_options options = work_call_options(work);
  struct hoist_copy_result result = {0};
  struct hoist_error error;
  options.progress = progress_event;
  options.progress_user = &progress;
  enum hoist_status status =
      hoist_copy(work->hoist, place, directory, copy_options, &options, &result, &error);
  progress_end(&progress);
  draw(work, place);
  fflush(cli->out);
  if (status == HOIST_OK)
    print_result(cli, place, directory, &result);
  else
    cli_report(cli, "result", place, &error);
  if (status == HOIST_OK && ret_result) *ret_result = result;
  return status;
}
