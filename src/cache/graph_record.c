/* SPDX-License-Identifier: Apache-2.0 */
/* Records of saved graphs: lines of text, read strictly. Reentrant. */
#include "graph_record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "text.h"

#define HEADER "hoist-graph 1\n"
#define TRAILER "end\n"
#define MAX_BYTES 8192

/* ---- writing ----------------------------------------------------------------------------- */

static enum hoist_status print_file(const struct graph_file *file, struct buf *text,
                                    struct hoist_error *err) {
  char hex[DIGEST_HEX_SIZE], identity[IDENTITY_TEXT_SIZE];
  digest_hex(&file->digest, hex);
  identity_print(&file->identity, identity);
  return buf_printf(text, err, "file %s %s %d %s\n", file->name, hex, file->settled, identity);
}

enum hoist_status graph_record_print(const struct graph_record *r, struct buf *ret_text,
                                     struct hoist_error *err) {
  const struct cache_graph_facts *f = &r->facts;
  enum hoist_status status =
      buf_printf(ret_text, err,
                 HEADER "form %s\nweights_ns %" PRIu64 "\ngraph_ns %" PRIu64 "\ncreated %" PRIu64
                        "\nobjection %s\n",
                 f->form, f->weights_ns, f->graph_ns, f->created_unix_s, f->objection);
  for (size_t i = 0; status == HOIST_OK && i < r->file_count; i++)
    status = print_file(&r->files[i], ret_text, err);
  return status == HOIST_OK ? buf_append_str(ret_text, TRAILER, err) : status;
}

static enum hoist_status write_as(int dir_fd, const char *name, const struct graph_record *record,
                                  struct hoist_error *err) {
  HOIST_AUTO(buf) struct buf text = buf_make(MAX_BYTES);
  enum hoist_status status = graph_record_print(record, &text, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(fd)
  int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return hoist_fail_errno(err, errno, "writing the record of a graph");
  status = fs_write_all(fd, text.data, text.size, name, err);
  return status == HOIST_OK ? fs_sync_fd(fd, name, err) : status;
}

enum hoist_status graph_record_write(int dir_fd, const struct graph_record *record,
                                     struct hoist_error *err) {
  return write_as(dir_fd, GRAPH_RECORD, record, err);
}

void graph_record_rewrite(int dir_fd, const struct graph_record *record) {
  char name[sizeof GRAPH_RECORD + 24];
  snprintf(name, sizeof name, GRAPH_RECORD ".%ld", (long)getpid());
  if (write_as(dir_fd, name, record, NULL) != HOIST_OK ||
      renameat(dir_fd, name, dir_fd, GRAPH_RECORD) != 0)
    unlinkat(dir_fd, name, 0);
}

/* ---- reading ----------------------------------------------------------------------------- */

static bool take_line(const char **text, const char *key, char *out, size_t size) {
  size_t key_size = strlen(key), line_size = strcspn(*text, "\n");
  if (strncmp(*text, key, key_size) != 0 || (*text)[line_size] != '\n' ||
      line_size - key_size >= size)
    return false;
  snprintf(out, size, "%.*s", (int)(line_size - key_size), *text + key_size);
  *text += line_size + 1;
  return true;
}

static bool take_number(const char **text, const char *key, uint64_t *ret_value) {
  char digits[24];
  return take_line(text, key, digits, sizeof digits) && parse_u64(digits, ret_value);
}

static bool is_plain_name(const char *name) {
  return *name && *name != '.' && !strchr(name, '/');
}

static bool take_file(const char **text, struct graph_file *file) {
  char line[GRAPH_FILE_NAME_SIZE + DIGEST_HEX_SIZE + IDENTITY_TEXT_SIZE], hex[DIGEST_HEX_SIZE];
  const char *end;
  int settled, used = -1;
  if (!take_line(text, "file ", line, sizeof line) ||
      sscanf(line, "%63s %64s %1d %n", file->name, hex, &settled, &used) != 3 || used < 0)
    return false;
  file->settled = settled == 1;
  return is_plain_name(file->name) && digest_from_hex(DIGEST_SHA256, hex, &file->digest) &&
         identity_scan(line + used, &file->identity, &end) && *end == '\0' &&
         file->identity.size >= 0;
}

static bool parse(const char *text, struct graph_record *r) {
  if (!text_starts_with(text, HEADER)) return false;
  text += strlen(HEADER);
  struct cache_graph_facts *f = &r->facts;
  if (!take_line(&text, "form ", f->form, sizeof f->form) ||
      !take_number(&text, "weights_ns ", &f->weights_ns) ||
      !take_number(&text, "graph_ns ", &f->graph_ns) ||
      !take_number(&text, "created ", &f->created_unix_s) ||
      !take_line(&text, "objection ", f->objection, sizeof f->objection))
    return false;
  while (r->file_count < GRAPH_MAX_FILES && text_starts_with(text, "file "))
    if (!take_file(&text, &r->files[r->file_count++])) return false;
  return strcmp(text, TRAILER) == 0 && (r->file_count > 0) == (f->objection[0] == '\0');
}

enum hoist_status graph_record_parse(const char *text, size_t size, struct graph_record *ret_record,
                                     struct hoist_error *err) {
  struct graph_record record = {0};
  if (strlen(text) != size || !parse(text, &record))
    return hoist_fail(err, HOIST_CORRUPT, "its record is damaged");
  *ret_record = record;
  return HOIST_OK;
}

enum hoist_status graph_record_read(int dir_fd, struct graph_record *ret_record,
                                    struct hoist_error *err) {
  HOIST_AUTO(buf) struct buf text = buf_make(MAX_BYTES);
  enum hoist_status status = fs_read_file(dir_fd, GRAPH_RECORD, &text, err);
  if (status != HOIST_OK) return status;
  return graph_record_parse(buf_str(&text), text.size, ret_record, err);
}
