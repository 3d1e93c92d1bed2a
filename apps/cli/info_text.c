/* SPDX-License-Identifier: Apache-2.0 */
/* The page that describes a model to people. Every text in it comes from the model's files, so all
 * of it is cleaned. Main thread. */
#include "info_text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "glyph.h"
#include "human.h"
#include "paragraph.h"

#define MAX_NAMES_SHOWN 8
#define LABEL_COLUMNS 12

static void label(struct cli *cli, const char *text) {
  fputs("  ", cli->out);
  term_set(cli->out, &cli->out_term, TERM_DIM);
  fprintf(cli->out, "%-*s", LABEL_COLUMNS, text);
  term_set(cli->out, &cli->out_term, TERM_PLAIN);
}

static void line(struct cli *cli, const char *name, const char *text) {
  if (!text) return;
  label(cli, name);
  cli_put(cli->out, text);
  fputc('\n', cli->out);
}

static void print_type(struct cli *cli, const struct hoist_info *info) {
  if (!info->model_type) return;
  label(cli, "type");
  cli_put(cli->out, info->model_type);
  if (info->model_variant) {
    fputs(", variant ", cli->out);
    cli_put(cli->out, info->model_variant);
  }
  fputc('\n', cli->out);
}

/* Goes on with the first few of `count` names. */
static void put_names(struct cli *cli, const char *const *names, size_t count) {
  for (size_t i = 0; i < count && i < MAX_NAMES_SHOWN; i++) {
    fputs(i > 0 ? ", " : ": ", cli->out);
    cli_put(cli->out, names[i]);
  }
  if (count > MAX_NAMES_SHOWN) fputs(cli->out_term.unicode ? ", …" : ", ...", cli->out);
}

static void paragraph(struct cli *cli, const char *name,
                      void (*put)(struct cli *cli, const void *what), const void *what) {
  label(cli, name);
  paragraph_print(cli, 2 + LABEL_COLUMNS, put, what);
  fputc('\n', cli->out);
}

static void put_classes(struct cli *cli, const void *what) {
  const struct hoist_info *info = what;
  const char *names[MAX_NAMES_SHOWN];
  for (size_t i = 0; i < info->class_count && i < MAX_NAMES_SHOWN; i++)
    names[i] = info->classes[i].name;
  fprintf(cli->out, "%zu%s", info->class_count, info->multiclass ? ", several may apply" : "");
  put_names(cli, names, info->class_count);
}

static void print_size(struct cli *cli, const struct hoist_preprocessing *p) {
  if (p->width == 0 || p->height == 0) return;
  label(cli, "input size");
  fprintf(cli->out, "%u %s %u pixels\n", p->width, cli->out_term.unicode ? "×" : "x", p->height);
}

static void put_images(struct cli *cli, const void *what) {
  info_put_images(cli, what);
}

struct class_keypoints {
  const struct hoist_info *info;
  const struct hoist_keypoints *keypoints;
};

static void put_keypoints(struct cli *cli, const void *what) {
  const struct class_keypoints *of = what;
  const struct hoist_keypoints *k = of->keypoints;
  fprintf(cli->out, "%zu", k->name_count);
  if (k->class_id >= 0 && (uint64_t)k->class_id < of->info->class_count) {
    fputs(" for ", cli->out);
    cli_put(cli->out, of->info->classes[k->class_id].name);
  }
  if (k->edge_count > 0)
    fprintf(cli->out, ", %zu line%s between them", k->edge_count, k->edge_count == 1 ? "" : "s");
  put_names(cli, k->names, k->name_count);
}

static void print_keypoints(struct cli *cli, const struct hoist_info *info) {
  for (size_t i = 0; i < info->keypoints_count; i++) {
    const struct class_keypoints of = {info, &info->keypoints[i]};
    paragraph(cli, i == 0 ? "keypoints" : "", put_keypoints, &of);
  }
}

/* ---- files, tensors, origin ------------------------------------------------------------------ */

static void print_files(struct cli *cli, const struct hoist_info *info) {
  char bytes[HUMAN_SIZE];
  size_t name_columns = 0;
  for (size_t i = 0; i < info->file_count; i++) {
    size_t columns = glyph_columns(info->files[i].name);
    name_columns = columns > name_columns && columns <= 48 ? columns : name_columns;
  }
  for (size_t i = 0; i < info->file_count; i++) {
    label(cli, i == 0 ? "files" : "");
    cli_put_fit(cli->out, &cli->out_term, info->files[i].name, name_columns);
    fprintf(cli->out, "  %8s  ", human_bytes(bytes, info->files[i].size_bytes));
    term_set(cli->out, &cli->out_term, TERM_DIM);
    fprintf(cli->out, "sha256 %s", info->files[i].sha256);
    term_set(cli->out, &cli->out_term, TERM_PLAIN);
    fputc('\n', cli->out);
  }
}

static void print_shape(struct cli *cli, const struct hoist_tensor *t) {
  fputc('[', cli->out);
  for (size_t d = 0; d < t->dim_count; d++) {
    fputs(d > 0 ? ", " : "", cli->out);
    if (t->dims[d] >= 0)
      fprintf(cli->out, "%" PRId64, t->dims[d]);
    else
      cli_put(cli->out, t->symbols[d] ? t->symbols[d] : "?");
  }
  fputs("]\n", cli->out);
}

static void print_tensors(struct cli *cli, const char *name, const struct hoist_tensor *tensors,
                          size_t count) {
  for (size_t i = 0; i < count; i++) {
    label(cli, i == 0 ? name : "");
    cli_put(cli->out, tensors[i].name);
    fputs("  ", cli->out);
    cli_put(cli->out, tensors[i].type);
    fputc(' ', cli->out);
    print_shape(cli, &tensors[i]);
  }
}

static void print_origin(struct cli *cli, const struct hoist_info *info, uint64_t now_unix_s) {
  char age[HUMAN_SIZE], when[32] = "";
  time_t seconds = (time_t)info->created_unix_s;
  struct tm utc;
  if (gmtime_r(&seconds, &utc)) strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &utc);
  uint64_t elapsed = now_unix_s > info->created_unix_s ? now_unix_s - info->created_unix_s : 0;
  label(cli, "source");
  cli_put(cli->out, info->source ? info->source : "unknown");
  fprintf(cli->out, ", %s (%s)\n", human_age(age, elapsed), when);
  line(cli, "directory", info->directory);
}

static void print_session(struct cli *cli, const struct hoist_info *info) {
  char bytes[HUMAN_SIZE];
  if (!info->onnxruntime_version) return;
  label(cli, "session");
  fprintf(cli->out, "ONNX Runtime %s, ", info->onnxruntime_version);
  cli_put(cli->out, info->execution_provider ? info->execution_provider : "unknown provider");
  fputc('\n', cli->out);
  if (info->refused_providers) line(cli, "refused", info->refused_providers);
  if (!info->graph_cache) return;
  label(cli, "graph");
  cli_put(cli->out, info->graph_cache);
  if (info->graph_detail) {
    fputs(", ", cli->out);
    cli_put(cli->out, info->graph_detail);
  }
  if (info->graph_bytes > 0) fprintf(cli->out, " (%s)", human_bytes(bytes, info->graph_bytes));
  fputc('\n', cli->out);
}

void info_print(struct cli *cli, const struct hoist_info *info, uint64_t now_unix_s) {
  char total[HUMAN_SIZE];
  term_set(cli->out, &cli->out_term, TERM_BOLD);
  cli_put(cli->out, info->model_id);
  term_set(cli->out, &cli->out_term, TERM_PLAIN);
  fputc('\n', cli->out);
  line(cli, "task", info->task_type);
  print_type(cli, info);
  if (info->class_count > 0) paragraph(cli, "classes", put_classes, info);
  print_keypoints(cli, info);
  print_size(cli, &info->preprocessing);
  if (info->preprocessing.present) paragraph(cli, "images", put_images, &info->preprocessing);
  print_tensors(cli, "inputs", info->inputs, info->input_count);
  print_tensors(cli, "outputs", info->outputs, info->output_count);
  print_session(cli, info);
  print_files(cli, info);
  line(cli, "size", human_bytes(total, info->total_bytes));
  print_origin(cli, info, now_unix_s);
}
