/* SPDX-License-Identifier: Apache-2.0 */
/* list → choose → compare with what is there → fetch, as many files at a time as a manifest holds. Runs on the
 * caller's thread; fetch_files starts others, whose progress is passed on with the sums of the whole copy. */
#include "copy.h"

#include <stdlib.h>

#include "dest.h"
#include "files.h"
#include "text.h"
#include "unpack.h"

struct copy {
  const struct copy_request *request;
  const struct call *call;
  struct hoist_copy_result *result;
  struct copy_files files;
  struct dest *dest;
  bool keep;           /* what is staged is of use to the next copy */
  int64_t total_bytes; /* FILE_SIZE_UNKNOWN */
  /* Of the files before the ones that are being fetched: */
  size_t files_before;
  int64_t bytes_before;
};

static inline void copy_cleanup(struct copy *c) {
  copy_files_done(&c->files);
  dest_close(c->dest, c->keep);
}

/* ---- progress ---------------------------------------------------------------------------------- */

static void report(const struct copy *c, struct hoist_progress event) {
  event.source = c->request->source->name;
  event.file_count = c->files.count;
  event.total_bytes = c->total_bytes;
  if (c->dest) dest_tell(c->dest, &event);
  if (c->call->progress) c->call->progress(c->call->progress_user, &event);
}

static void pass_on(void *user, const struct hoist_progress *event) {
  const struct copy *c = user;
  struct hoist_progress whole = *event;
  if (event->kind == HOIST_PROGRESS_FILE || event->kind == HOIST_PROGRESS_RESUME) {
    whole.files_done += c->files_before;
    whole.total_done += c->bytes_before;
  }
  report(c, whole);
}

/* ---- what there is to do ----------------------------------------------------------------------- */

static enum hoist_status check_names(const struct copy *c, struct hoist_error *err) {
  HOIST_AUTO(mem) const char **names = calloc(c->files.count, sizeof *names);
  if (!names) return hoist_fail_memory(err, "a list of files");
  for (size_t i = 0; i < c->files.count; i++)
    names[i] = c->files.items[i].name;
  return dest_check_names(c->dest, names, c->files.count, err);
}

/* Returns the bytes that are to be fetched, as far as they are known. */
static uint64_t compare(struct copy *c) {
  uint64_t wanted = 0;
  for (size_t i = 0; i < c->files.count; i++) {
    const struct copy_file *file = &c->files.items[i];
    bool is_there = dest_has(c->dest, file->name, file->size, file->modified_unix_ns);
    c->files.targets[i].is_there = is_there;
    c->result->unchanged_files += is_there;
    if (file->size == FILE_SIZE_UNKNOWN) {
      c->total_bytes = FILE_SIZE_UNKNOWN;
      continue;
    }
    if (c->total_bytes != FILE_SIZE_UNKNOWN) c->total_bytes += file->size;
    c->result->bytes += (uint64_t)file->size;
    if (!is_there) wanted += (uint64_t)file->size;
  }
  c->result->files = c->files.count;
  return wanted;
}

static enum hoist_status prepare(struct copy *c, struct hoist_error *err) {
  report(c, (struct hoist_progress){.kind = HOIST_PROGRESS_SOURCE,
                                    .message = c->request->source->location});
  enum hoist_status status = copy_files_list(c->call, c->request, &c->files, err);
  c->result->excluded_files = c->files.excluded;
  if (status != HOIST_OK) return status;
  if (c->files.count == 0)
    return hoist_fail(err, HOIST_NOT_FOUND,
                      "none of the %zu files at %s is chosen by --include and --exclude",
                      c->files.seen, c->request->source->location);
  status = dest_open(c->call, c->request->directory, c->request->patience_ns, &c->dest, err);
  if (status == HOIST_OK) status = check_names(c, err);
  if (status == HOIST_OK) status = dest_check_space(c->dest, compare(c), err);
  if (status == HOIST_OK) report(c, (struct hoist_progress){.kind = HOIST_PROGRESS_PLAN});
  return status;
}

/* ---- fetching ---------------------------------------------------------------------------------- */

static enum hoist_status add_to_manifest(const struct copy_file *from, struct manifest *m,
                                         struct hoist_error *err) {
  struct manifest_file *file = NULL;
  enum hoist_status status = manifest_add(m, from->name, &file, err);
  if (status != HOIST_OK) return status;
  file->size = from->size;
  file->locator = text_dup(from->locator);
  file->etag = text_dup(from->etag);
  if (!file->locator || (from->etag && !file->etag)) return hoist_fail_memory(err, "a copy");
  return HOIST_OK;
}

/* Files [first, end). A part of the whole that has nothing to be fetched leaves alone what another one may go on
 * with. */
static enum hoist_status fetch_batch(struct copy *c, size_t first, size_t end,
                                     struct hoist_error *err) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  enum hoist_status status = HOIST_OK;
  size_t there = 0;
  for (size_t i = first; i < end && status == HOIST_OK; i++) {
    status = add_to_manifest(&c->files.items[i], &m, err);
    there += c->files.targets[i].is_there;
  }
  if (status != HOIST_OK || there == end - first) return status;
  const struct model_id no_model = {.text = ""};
  struct fetch_target target = dest_target(c->dest, c->files.targets + first);
  struct call call = *c->call;
  call.progress = pass_on;
  call.progress_user = c;
  struct fetch_outcome outcome;
  status = fetch_files(&call, c->request->source, &no_model, &m, &target, c->request->connections,
                       &outcome, err);
  c->keep = outcome.keep != 0;
  c->result->copied_bytes += outcome.bytes;
  c->result->resumed_bytes += outcome.resumed_bytes;
  c->result->copied_files += outcome.files;
  return status == HOIST_OK ? target.reset(target.user, err) : status;
}

static enum hoist_status fetch_all(struct copy *c, struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  for (size_t first = 0; first < c->files.count && status == HOIST_OK;) {
    size_t left = c->files.count - first;
    size_t end = first + (left < MANIFEST_MAX_FILES ? left : MANIFEST_MAX_FILES);
    status = fetch_batch(c, first, end, err);
    for (; first < end; first++) {
      int64_t size = c->files.items[first].size;
      c->bytes_before += size > 0 ? size : 0;
    }
    c->files_before = end;
  }
  return status;
}

/* ---- unpacking --------------------------------------------------------------------------------- */

static enum hoist_status unpack(struct copy *c, struct hoist_error *err) {
  struct unpacked unpacked;
  struct hoist_span span;
  const char *name = c->files.items[0].name;
  hoist_span_start(c->call->span, "artifacts.unpack", HOIST_SPAN_INTERNAL, &span);
  hoist_span_set_string(&span, "artifact.filename", name);
  struct hoist_error error = {0};
  enum hoist_status status = unpack_archive(c->call, c->dest, name, &unpacked, &error);
  hoist_span_set_int(&span, "copy.unpacked_files", (int64_t)unpacked.files);
  hoist_span_set_int(&span, "copy.unpacked_bytes", (int64_t)unpacked.bytes);
  if (status != HOIST_OK) hoist_span_record_error(&span, &error);
  hoist_span_end(&span);
  c->result->unpacked_files = unpacked.files;
  if (status != HOIST_OK && err) *err = error;
  return status;
}

static bool wants_unpacking(const struct copy *c) {
  return c->request->unpack && c->files.count == 1 && unpack_is_archive(c->files.items[0].name);
}

enum hoist_status copy_run(const struct call *call, const struct copy_request *request,
                           struct hoist_copy_result *ret_result, struct hoist_error *err) {
  HOIST_AUTO(copy)
  struct copy c = {.request = request, .call = call, .result = ret_result};
  *ret_result = (struct hoist_copy_result){0};
  enum hoist_status status = prepare(&c, err);
  if (status == HOIST_OK) status = fetch_all(&c, err);
  return status == HOIST_OK && wants_unpacking(&c) ? unpack(&c, err) : status;
}
