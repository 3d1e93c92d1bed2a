/* SPDX-License-Identifier: Apache-2.0 */
/* The picture of hoist bench: a bar per way to load, its parts side by side. Main thread. */
#include <errno.h>
#include <fcntl.h>

#include "bench.h"
#include "buf.h"
#include "err.h"
#include "fs.h"
#include "human.h"

#define WIDTH 720
#define LEFT 130
#define RIGHT 90
#define ROW 34
#define TOP 46
#define MAX_BYTES (64u << 10)

static const char *const colors[BENCH_PARTS] = {"#0e7c9e", "#3a9a53", "#9b51b8", "#8a8f98"};

static uint64_t longest(const struct bench_row rows[BENCH_WAYS]) {
  uint64_t ns = 1;
  for (int i = 0; i < BENCH_WAYS; i++)
    ns = rows[i].load_ns > ns ? rows[i].load_ns : ns;
  return ns;
}

/* A model's name is a stranger's text. */
static enum hoist_status put_text(struct buf *out, const char *text, struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  for (const char *p = text; *p && status == HOIST_OK; p++) {
    const char *entity = *p == '&' ? "&amp;" : *p == '<' ? "&lt;" : *p == '>' ? "&gt;" : NULL;
    status = entity ? buf_append_str(out, entity, err) : buf_append(out, p, 1, err);
  }
  return status;
}

static enum hoist_status put_bar(struct buf *out, const struct bench_row *row, int y, double scale,
                                 struct hoist_error *err) {
  double x = LEFT;
  enum hoist_status status = HOIST_OK;
  for (int part = 0; part < BENCH_PARTS && status == HOIST_OK; part++) {
    double width = (double)row->part_ns[part] * scale;
    status = buf_printf(out, err,
                        "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"20\" fill=\"%s\"/>\n", x,
                        y, width, colors[part]);
    x += width;
  }
  char time[HUMAN_SIZE];
  if (status == HOIST_OK)
    status = buf_printf(out, err, "<text x=\"%.1f\" y=\"%d\">%s</text>\n", x + 8, y + 15,
                        human_duration(time, row->load_ns, true));
  return status;
}

static enum hoist_status put_row(struct buf *out, const struct bench_row *row, int y, double scale,
                                 struct hoist_error *err) {
  enum hoist_status status =
      buf_printf(out, err, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", LEFT - 10,
                 y + 15, row->name);
  if (status != HOIST_OK) return status;
  if (!row->objection[0]) return put_bar(out, row, y, scale, err);
  status = buf_printf(out, err, "<text x=\"%d\" y=\"%d\" fill=\"#8a8f98\">", LEFT, y + 15);
  if (status == HOIST_OK) status = put_text(out, row->objection, err);
  return status == HOIST_OK ? buf_append_str(out, "</text>\n", err) : status;
}

static enum hoist_status put_legend(struct buf *out, int y, struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  for (int part = 0; part < BENCH_PARTS && status == HOIST_OK; part++)
    status = buf_printf(out, err,
                        "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"%s\"/>"
                        "<text x=\"%d\" y=\"%d\">%s</text>\n",
                        LEFT + part * 130, y, colors[part], LEFT + part * 130 + 18, y + 11,
                        bench_part_name((enum bench_part)part));
  return status;
}

static enum hoist_status put_all(struct buf *out, const char *model_id,
                                 const struct bench_row rows[BENCH_WAYS], struct hoist_error *err) {
  const int height = TOP + BENCH_WAYS * ROW + 34;
  double scale = (WIDTH - LEFT - RIGHT) / (double)longest(rows);
  enum hoist_status status =
      buf_printf(out, err,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                 "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%%\" "
                 "height=\"100%%\" fill=\"#fff\"/>\n<text x=\"%d\" y=\"26\" font-size=\"15\" "
                 "font-weight=\"bold\">",
                 WIDTH, height, WIDTH, LEFT);
  if (status == HOIST_OK) status = put_text(out, model_id, err);
  if (status == HOIST_OK) status = buf_append_str(out, "</text>\n", err);
  for (int i = 0; i < BENCH_WAYS && status == HOIST_OK; i++)
    status = put_row(out, &rows[i], TOP + i * ROW, scale, err);
  if (status == HOIST_OK) status = put_legend(out, TOP + BENCH_WAYS * ROW + 8, err);
  return status == HOIST_OK ? buf_append_str(out, "</svg>\n", err) : status;
}

enum hoist_status bench_draw(const char *path, const char *model_id,
                             const struct bench_row rows[BENCH_WAYS], struct hoist_error *err) {
  HOIST_AUTO(buf) struct buf out = buf_make(MAX_BYTES);
  enum hoist_status status = put_all(&out, model_id, rows, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return hoist_fail_errno(err, errno, "%s", path);
  return fs_write_all(fd, out.data, out.size, path, err);
}
