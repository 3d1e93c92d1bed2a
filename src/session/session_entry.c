/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions on models of the cache: the way in from outside this module. What is opened by a name must be
 * what was verified, so a draft waits for the proof, and the files are looked at again afterwards. Any
 * thread, one at a time per draft. */
#include <stdio.h>
#include <sys/mman.h>

#include "session_internal.h"
#include "text.h"

struct session_draft {
  struct session *session;
  uint64_t claim; /* its serial number */
};

void session_draft_discard(struct session_draft *draft) {
  if (!draft) return;
  session_close(draft->session);
  free(draft);
}

const struct session *session_draft_session(const struct session_draft *draft) {
  return draft->session;
}

static enum hoist_status open_weights(const struct call *call, struct ort *ort, const char *dir,
                                      const char *weights_name,
                                      const struct session_options *options,
                                      struct session **ret_session, struct hoist_error *err) {
  HOIST_AUTO(mem) char *path = text_format("%s/%s", dir, weights_name);
  if (!path) return hoist_fail_memory(err, "creating the session");
  return session_open_path(call, ort, path, options, ret_session, err);
}

/* The mapping keeps the verified file, whatever its name is given to later; a packed graph is opened by its
 * name, so it is looked at again. */
static enum hoist_status open_graph(const struct call *call, struct ort *ort,
                                    const struct cache_graph *graph,
                                    const struct session_options *options,
                                    struct session **ret_session, struct hoist_error *err) {
  struct session_model model = {.is_optimized = 1};
  HOIST_AUTO(mem) char *path = NULL;
  enum hoist_status status = HOIST_OK;
  if (cache_graph_has(graph, GRAPH_MAPPED_FILE)) {
    status = cache_graph_map(graph, GRAPH_MAPPED_FILE, &model.map, &model.map_size, err);
  } else {
    model.path = path = text_format("%s/%s", cache_graph_dir(graph), GRAPH_PACKED_FILE);
    if (!path) status = hoist_fail_memory(err, "opening a saved graph");
  }
  HOIST_AUTO(session) struct session *session = NULL;
  if (status == HOIST_OK) status = session_create(call, ort, &model, options, &session, err);
  if (status == HOIST_OK) status = cache_graph_check_unchanged(graph, err);
  if (status == HOIST_OK && session->providers.beyond_cpu)
    status = hoist_fail(err, HOIST_UNSUPPORTED, "it was saved for the CPU");
  if (status == HOIST_OK) *ret_session = HOIST_TAKE(session);
  return status;
}

/* A saved graph only ever saves time: whatever is wrong with it, the weights are there. */
static enum hoist_status open_best(const struct call *call, struct ort *ort, const char *dir,
                                   const char *weights_name, const struct cache_graph *graph,
                                   const struct session_options *options,
                                   struct session **ret_session, struct hoist_error *err) {
  struct hoist_error problem = {0};
  enum graph_use use = GRAPH_MISS;
  enum hoist_status status = HOIST_UNSUPPORTED;
  if (graph) {
    status = open_graph(call, ort, graph, options, ret_session, &problem);
    use = status == HOIST_OK ? GRAPH_HIT : GRAPH_REFUSED;
  }
  if (status != HOIST_OK)
    status = open_weights(call, ort, dir, weights_name, options, ret_session, err);
  if (status != HOIST_OK) return status;
  (*ret_session)->graph_use = use;
  text_copy((*ret_session)->graph_reason, sizeof(*ret_session)->graph_reason, problem.message);
  return HOIST_OK;
}

/* Only what the manifest lists is ever verified. */
static enum hoist_status check_name(const struct manifest *m, const char *model_id,
                                    const char *weights_name, struct hoist_error *err) {
  if (manifest_find(m, weights_name)) return HOIST_OK;
  return hoist_fail(err, HOIST_NOT_FOUND, "%.120s is not a file of model %.120s", weights_name,
                    model_id);
}

enum hoist_status session_draft_open(const struct call *call, struct ort *ort,
                                     const struct cache_claim *claim, const char *weights_name,
                                     const struct cache_graph *graph,
                                     const struct session_options *options,
                                     struct session_draft **ret_draft, struct hoist_error *err) {
  enum hoist_status status =
      check_name(cache_claim_manifest(claim), cache_claim_model_id(claim), weights_name, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(session_draft) struct session_draft *draft = calloc(1, sizeof *draft);
  if (!draft) return hoist_fail_memory(err, "creating the session");
  draft->claim = cache_claim_serial(claim);
  status = open_best(call, ort, cache_claim_dir(claim), weights_name, graph, options,
                     &draft->session, err);
  if (status != HOIST_OK) return status;
  *ret_draft = HOIST_TAKE(draft);
  return HOIST_OK;
}

enum hoist_status session_confirm(struct session_draft *draft, const struct cache_entry *entry,
                                  struct session **ret_session, struct hoist_error *err) {
  HOIST_AUTO(session_draft) struct session_draft *own = draft;
  if (own->claim != cache_entry_serial(entry))
    return hoist_fail(err, HOIST_INTERNAL, "a session on one model was to be confirmed by another");
  enum hoist_status status = cache_entry_check_unchanged(entry, err);
  if (status != HOIST_OK) return status;
  *ret_session = HOIST_TAKE(own->session);
  return HOIST_OK;
}

enum hoist_status session_open(const struct call *call, struct ort *ort,
                               const struct cache_entry *entry, const char *weights_name,
                               const struct cache_graph *graph,
                               const struct session_options *options, struct session **ret_session,
                               struct hoist_error *err) {
  enum hoist_status status =
      check_name(cache_entry_manifest(entry), cache_entry_model_id(entry), weights_name, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(session) struct session *session = NULL;
  status =
      open_best(call, ort, cache_entry_dir(entry), weights_name, graph, options, &session, err);
  /* The runtime opened the file by its name; what it read must be what was verified. */
  if (status == HOIST_OK) status = cache_entry_check_unchanged(entry, err);
  if (status != HOIST_OK) return status;
  *ret_session = HOIST_TAKE(session);
  return HOIST_OK;
}
