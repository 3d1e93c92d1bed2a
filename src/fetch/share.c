/* SPDX-License-Identifier: Apache-2.0 */
/* Files that need no download, because another model in the cache has their bytes. Before the workers begin. */
#include "fetch_internal.h"

/* Whatever stands in the way of sharing means that the file is fetched. */
static bool is_about_call(enum hoist_status status) {
  return status == HOIST_CANCELLED || status == HOIST_TIMEOUT || status == HOIST_NO_MEMORY;
}

enum hoist_status share_files(struct fetch *f, struct hoist_error *err) {
  for (size_t i = 0; f->target->share && i < f->m->file_count; i++) {
    struct file *file = &f->files[i];
    if (file->phase == FILE_FINISHED) continue;
    enum hoist_status status = f->target->share(f->target->user, &f->call, file->m, err);
    if (is_about_call(status)) return status;
    if (status != HOIST_OK) continue;
    file->size = file->m->size;
    file->phase = FILE_FINISHED;
    f->outcome.shared_bytes += (uint64_t)file->size;
    fetch_report(f, file, 0, true);
  }
  return HOIST_OK;
}
