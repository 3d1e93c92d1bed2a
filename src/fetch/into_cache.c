/* SPDX-License-Identifier: Apache-2.0 */
/* A cache transaction as a target. */
#include "fetch.h"

static enum hoist_status create(void *user, const struct manifest_file *file, int *ret_fd,
                                struct hoist_error *err) {
  return cache_txn_create(user, file->name, ret_fd, err);
}

static enum hoist_status complete(void *user, const struct manifest_file *file, size_t index,
                                  int fd, struct hoist_error *err) {
  return cache_txn_sync(user, file->name, fd, err);
}

static enum hoist_status open_journal(void *user, int *ret_fd, struct hoist_error *err) {
  return cache_txn_journal(user, ret_fd, err);
}

static bool is_adopted(void *user) {
  return cache_txn_is_adopted(user);
}

static enum hoist_status reset(void *user, struct hoist_error *err) {
  return cache_txn_reset(user, err);
}

static enum hoist_status share(void *user, const struct call *call, struct manifest_file *file,
                               struct hoist_error *err) {
  if (file->promised.kind == DIGEST_NONE || file->content)
    return hoist_fail(err, HOIST_NOT_FOUND, "%s: there is no knowing who has it", file->name);
  return cache_txn_share(call, user, file->name, &file->promised, &file->size, &file->digest, err);
}

enum hoist_status fetch_model(const struct call *call, struct source *source,
                              const struct model_id *id, struct manifest *m, struct cache_txn *txn,
                              unsigned connections, struct fetch_outcome *ret_outcome,
                              struct hoist_error *err) {
  const struct fetch_target target = {.user = txn,
                                      .create = create,
                                      .complete = complete,
                                      .open_journal = open_journal,
                                      .is_adopted = is_adopted,
                                      .reset = reset,
                                      .share = share};
  return fetch_files(call, source, id, m, &target, connections, ret_outcome, err);
}
