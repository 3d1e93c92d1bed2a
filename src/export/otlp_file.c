/* SPDX-License-Identifier: Apache-2.0 */
/* Appends batches to a file as lines of OTLP/JSON, as the collector's file exporter does. Each line is
 * one write to a descriptor opened with O_APPEND, so several processes may share the file. Owns the
 * descriptor. The worker thread only, but for opening. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fs.h"
#include "otlp_json.h"
#include "text.h"

#define LINE_MAX_BYTES (256u << 20)

struct otlp_file {
  struct exporter base;
  char *path;
  int fd;
  struct buf line; /* kept for its memory */
};

static enum hoist_status file_deliver(struct exporter *exporter, const struct batch *batch,
                                      struct partial *ret_partial, struct hoist_error *err) {
  struct otlp_file *file = (struct otlp_file *)exporter;
  buf_clear(&file->line);
  enum hoist_status status = otlp_json_append(batch, &file->line, err);
  if (status == HOIST_OK) status = buf_append_str(&file->line, "\n", err);
  if (status != HOIST_OK) return status;
  return fs_write_all(file->fd, file->line.data, file->line.size, file->path, err);
}

static void file_free(struct exporter *exporter) {
  struct otlp_file *file = (struct otlp_file *)exporter;
  fd_cleanup(&file->fd);
  buf_done(&file->line);
  free(file->path);
  free(file);
}

static const struct exporter_ops file_ops = {.deliver = file_deliver, .free = file_free};

/* Opening a named pipe would wait for its reader; writing to it may wait, in the worker. */
static enum hoist_status open_file(const char *path, int *ret_fd, struct hoist_error *err) {
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
  if (fd < 0 && errno == ENXIO)
    return hoist_fail(
        err, HOIST_UNAVAILABLE,
        "opening trace file %s: it is a pipe that nobody reads; start its reader first", path);
  if (fd < 0) return hoist_fail_errno(err, errno, "opening trace file %s", path);
  int flags = fcntl(fd, F_GETFL);
  if (flags >= 0) (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK); /* cannot fail on what is open */
  *ret_fd = fd;
  return HOIST_OK;
}

enum hoist_status otlp_file_new(const char *path, struct exporter **ret_exporter,
                                struct hoist_error *err) {
  struct otlp_file *file = calloc(1, sizeof *file);
  char *copy = text_dup(path);
  if (!file || !copy) {
    free(file);
    free(copy);
    return hoist_fail_memory(err, "the trace file");
  }
  int fd = -1;
  enum hoist_status status = open_file(path, &fd, err);
  if (status != HOIST_OK) {
    free(file);
    free(copy);
    return status;
  }
  *file = (struct otlp_file){
      .base = {.ops = &file_ops, .signals = SIGNAL_TRACES | SIGNAL_METRICS, .kind = "otlp_file"},
      .path = copy,
      .fd = fd,
      .line = buf_make(LINE_MAX_BYTES)};
  *ret_exporter = &file->base;
  return HOIST_OK;
}
