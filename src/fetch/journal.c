/* SPDX-License-Identifier: Apache-2.0 */
/* An append-only file of small records: the key, files as they are begun, parts as they arrive.
 * Parts wait in memory until JOURNAL_BATCH_PARTS of them are there or JOURNAL_BATCH_NS have passed;
 * then the journal's thread syncs the data of a file, and only then their records are written, so a record
 * on disk speaks of bytes on disk. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "condition.h"
#include "fs.h"
#include "journal_internal.h"

#define JOURNAL_BATCH_PARTS 4
#define JOURNAL_BATCH_NS (NS_PER_S / 2)

/* Under the lock. */
static void append(struct journal *j, enum record_type type, const void *payload, size_t size) {
  char record[sizeof(struct record_head) + sizeof(struct journal_file)];
  const struct record_head head = {.type = type, .crc = journal_checksum(payload, size)};
  memcpy(record, &head, sizeof head);
  memcpy(record + sizeof head, payload, size);
  if (j->broken) return;
  j->broken = fs_write_all(j->fd, record, sizeof head + size, "the journal", NULL) != HOIST_OK;
}

/* ---- the data of files ----------------------------------------------------------------------- */

/* The place of a file that was begun and did not end. Under the lock, as all of what follows. */
static struct data **find_data(struct journal *j, uint32_t file) {
  struct data **at = &j->data;
  while (*at && ((*at)->file != file || (*at)->ended))
    at = &(*at)->next;
  return at;
}

static void free_data(struct journal *j, struct data *data) {
  struct data **at = &j->data;
  while (*at != data)
    at = &(*at)->next;
  *at = data->next;
  fd_cleanup(&data->fd);
  free(data);
}

static void end_data(struct journal *j, uint32_t file, bool is_void) {
  struct data *data = *find_data(j, file);
  if (!data) return;
  data->ended = true;
  data->is_void = is_void;
  if (!data->syncing) free_data(j, data);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Moves what is pending of a file to `out`. */
static size_t take_pending(struct journal *j, uint32_t file,
                           struct journal_part out[JOURNAL_MAX_PENDING]) {
  size_t taken = 0, kept = 0;
  for (size_t i = 0; i < j->pending_count; i++)
    if (j->pending[i].file == file)
      out[taken++] = j->pending[i];
    else
      j->pending[kept++] = j->pending[i];
  j->pending_count = kept;
  return taken;
}

static void append_parts(struct journal *j, const struct journal_part *parts, size_t count) {
  for (size_t i = 0; i < count; i++)
    append(j, RECORD_PART, &parts[i], sizeof parts[i]);
  j->has_parts |= count > 0 && !j->broken;
}

/* Returns errno. */
static int sync_data(int fd) {
  while (fdatasync(fd) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

/* Lets go of the lock while it waits for the disk. */
static void sync_file(struct journal *j, struct data *data) {
  struct journal_part due[JOURNAL_MAX_PENDING];
  size_t count = take_pending(j, data->file, due);
  data->syncing = true;
  pthread_mutex_unlock(&j->lock);
  int failed = sync_data(data->fd);
  pthread_mutex_lock(&j->lock);
  data->syncing = false;
  if (failed != 0 && j->status == HOIST_OK)
    j->status = hoist_fail_errno(&j->error, failed, "making a part durable");
  if (failed == 0 && !data->is_void) append_parts(j, due, count);
  if (data->ended) free_data(j, data);
  pthread_mutex_unlock(&j->lock);
  (void)sync_data(j->fd); /* a record that is lost costs a part, no more */
  pthread_mutex_lock(&j->lock);
}

/* The file whose turn it is; NULL: nothing is due. */
static struct data *find_due(struct journal *j) {
  bool is_due = j->pending_count >= JOURNAL_BATCH_PARTS ||
                clock_monotonic_ns() - j->pending_since_ns >= JOURNAL_BATCH_NS;
  return j->pending_count > 0 && is_due ? *find_data(j, j->pending[0].file) : NULL;
}

static void *run(void *user) {
  struct journal *j = user;
  pthread_mutex_lock(&j->lock);
  while (!j->closing && j->status == HOIST_OK) {
    struct data *due = find_due(j);
    if (due) {
      sync_file(j, due);
      j->pending_since_ns = clock_monotonic_ns();
    } else if (j->pending_count > 0) {
      (void)condition_wait_until(&j->news, &j->lock, j->pending_since_ns + JOURNAL_BATCH_NS);
    } else {
      pthread_cond_wait(&j->news, &j->lock);
    }
  }
  pthread_mutex_unlock(&j->lock);
  return NULL;
}

void journal_rest(struct journal *j) {
  pthread_mutex_lock(&j->lock);
  j->closing = true;
  pthread_cond_signal(&j->news);
  pthread_mutex_unlock(&j->lock);
  if (j->has_thread) pthread_join(j->thread, NULL);
  j->has_thread = false;
}

void journal_close(struct journal *j) {
  if (!j) return;
  journal_rest(j);
  while (j->data)
    free_data(j, j->data);
  fd_cleanup(&j->fd);
  free(j->files);
  free(j->parts);
  pthread_cond_destroy(&j->news);
  pthread_mutex_destroy(&j->lock);
  free(j);
}

enum hoist_status journal_open(int fd, const struct digest *key, bool *ret_void,
                               struct journal **ret_journal, struct hoist_error *err) {
  bool is_empty = false;
  struct journal *j = calloc(1, sizeof *j);
  if (!j) {
    close(fd);
    return hoist_fail_memory(err, "the journal of a download");
  }
  j->fd = fd;
  pthread_mutex_init(&j->lock, NULL);
  condition_init(&j->news);
  enum hoist_status status = journal_read(j, key, ret_void, &is_empty, err);
  if (status != HOIST_OK) {
    journal_close(j);
    return status;
  }
  if (is_empty) append(j, RECORD_KEY, key, sizeof *key);
  *ret_journal = j;
  return HOIST_OK;
}

/* Takes note of where the bytes of a file go. */
static enum hoist_status add_data(struct journal *j, uint32_t file, int fd,
                                  struct hoist_error *err) {
  HOIST_AUTO(mem) struct data *data = calloc(1, sizeof *data);
  if (!data) return hoist_fail_memory(err, "the journal of a download");
  *data = (struct data){.next = j->data, .file = file, .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
  if (data->fd < 0) return hoist_fail_errno(err, errno, "the journal of a download");
  j->data = HOIST_TAKE(data);
  return HOIST_OK;
}

enum hoist_status journal_begin(struct journal *j, const struct journal_file *file, int fd,
                                struct hoist_error *err) {
  struct journal_part dropped[JOURNAL_MAX_PENDING];
  pthread_mutex_lock(&j->lock);
  end_data(j, file->file, true);
  (void)take_pending(j, file->file, dropped);
  enum hoist_status status = add_data(j, file->file, fd, err);
  if (status == HOIST_OK) append(j, RECORD_FILE, file, sizeof *file);
  pthread_mutex_unlock(&j->lock);
  return status;
}

enum hoist_status journal_go_on(struct journal *j, uint32_t file, int fd, struct hoist_error *err) {
  pthread_mutex_lock(&j->lock);
  enum hoist_status status = add_data(j, file, fd, err);
  pthread_mutex_unlock(&j->lock);
  return status;
}

/* Under the lock. */
static enum hoist_status verdict(const struct journal *j, struct hoist_error *err) {
  if (j->status != HOIST_OK && err) *err = j->error;
  return j->status;
}

enum hoist_status journal_add(struct journal *j, const struct journal_part *part,
                              struct hoist_error *err) {
  pthread_mutex_lock(&j->lock);
  if (!j->has_thread && !j->closing) j->has_thread = pthread_create(&j->thread, NULL, run, j) == 0;
  if (j->pending_count == 0) j->pending_since_ns = clock_monotonic_ns();
  if (j->pending_count < JOURNAL_MAX_PENDING) j->pending[j->pending_count++] = *part;
  if (j->pending_count == 1 || j->pending_count == JOURNAL_BATCH_PARTS)
    pthread_cond_signal(&j->news);
  enum hoist_status status = verdict(j, err);
  pthread_mutex_unlock(&j->lock);
  return status;
}

enum hoist_status journal_end(struct journal *j, uint32_t file, struct hoist_error *err) {
  struct journal_part due[JOURNAL_MAX_PENDING];
  pthread_mutex_lock(&j->lock);
  size_t count = take_pending(j, file, due);
  if (j->status == HOIST_OK) append_parts(j, due, count);
  end_data(j, file, false);
  enum hoist_status status = verdict(j, err);
  pthread_mutex_unlock(&j->lock);
  return status;
}

bool journal_keep(struct journal *j) {
  journal_rest(j);
  append_parts(j, j->pending, j->pending_count);
  j->pending_count = 0;
  return j->has_parts && !j->broken && j->status == HOIST_OK;
}
