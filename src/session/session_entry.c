/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions on verified cache entries: the way in from outside this module. Any thread. */
#include "session_internal.h"
#include "text.h"

enum hoist_status session_open(const struct call *call, struct ort *ort,
                               const struct cache_entry *entry, const char *weights_name,
                               const struct session_options *options, struct session **ret_session,
                               struct hoist_error *err) {
  /* Only what the manifest lists was verified. */
  if (!manifest_find(cache_entry_manifest(entry), weights_name))
    return hoist_fail(err, HOIST_NOT_FOUND, "%.120s is not a file of model %.120s", weights_name,
                      cache_entry_model_id(entry));
  HOIST_AUTO(mem) char *path = text_format("%s/%s", cache_entry_dir(entry), weights_name);
  if (!path) return hoist_fail_memory(err, "creating the session");
  struct session *session = NULL;
  enum hoist_status status = session_open_path(call, ort, path, options, &session, err);
  if (status != HOIST_OK) return status;
  /* The runtime opened the file by its name; what it read must be what was verified. */
  status = cache_entry_check_unchanged(entry, err);
  if (status != HOIST_OK) {
    session_close(session);
    return status;
  }
  *ret_session = session;
  return HOIST_OK;
}
