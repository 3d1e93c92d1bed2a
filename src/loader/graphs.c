/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for saved graphs. A graph is named by everything it depends on, so one that is found fits; whether
 * it is whole, the cache knows. Any thread. */
#include "graphs.h"

#include <stdio.h>
#include <string.h>

#include "metrics.h"
#include "text.h"

#define MAX_DIGEST_TEXT (16u << 20)

const char *graph_use_name(enum graph_use use) {
  static const char *const names[] = {"off", "miss", "hit", "refused"};
  return names[use];
}

void graph_look_done(struct graph_look *look) {
  cache_graph_release(look->graph);
  look->graph = NULL;
}

/* Every file counts: weights may lie in others than the model's own. */
static enum hoist_status digest_model(const struct manifest *m, char ret_hex[DIGEST_HEX_SIZE]) {
  HOIST_AUTO(buf) struct buf text = buf_make(MAX_DIGEST_TEXT);
  char hex[DIGEST_HEX_SIZE];
  enum hoist_status status = HOIST_OK;
  for (size_t i = 0; status == HOIST_OK && i < m->file_count; i++) {
    digest_hex(&m->files[i].digest, hex);
    status = buf_printf(&text, NULL, "%s %s\n", m->files[i].name, hex);
  }
  struct digest digest;
  if (status == HOIST_OK)
    status = digest_of(DIGEST_SHA256, buf_str(&text), text.size, &digest, NULL);
  if (status == HOIST_OK) digest_hex(&digest, ret_hex);
  return status;
}

static void describe_gain(const struct cache_graph_facts *f, char *out, size_t size) {
  snprintf(out, size, "%s: %.1f ms instead of %.1f", f->form, (double)f->graph_ns / 1e6,
           (double)f->weights_ns / 1e6);
}

static void find(const struct call *call, struct hoist *hoist, const struct model_id *id,
                 struct graph_look *look) {
  struct cache_graph_facts facts = {0};
  struct hoist_error problem = {0};
  enum hoist_status status = cache_graph_find(call, hoist->cache, id, look->key,
                                              hoist->verification, &look->graph, &facts, &problem);
  look->use = status == HOIST_OK            ? GRAPH_HIT
              : status == HOIST_NOT_FOUND   ? GRAPH_MISS
              : status == HOIST_UNSUPPORTED ? GRAPH_OFF
                                            : GRAPH_REFUSED;
  look->wants_saving = look->use == GRAPH_MISS || look->use == GRAPH_REFUSED;
  if (look->use == GRAPH_HIT) describe_gain(&facts, look->detail, sizeof look->detail);
  if (look->use == GRAPH_OFF) text_copy(look->detail, sizeof look->detail, facts.objection);
  if (look->use == GRAPH_REFUSED) text_copy(look->detail, sizeof look->detail, problem.message);
}

void graph_look_for(const struct call *call, struct hoist *hoist, const struct model_id *id,
                    const struct manifest *manifest, struct ort *ort, struct graph_look *ret_look) {
  *ret_look = (struct graph_look){.use = GRAPH_OFF};
  char digest[DIGEST_HEX_SIZE];
  if (hoist->graphs == GRAPHS_OFF || hoist->session.custom_ops) return;
  if (digest_model(manifest, digest) != HOIST_OK ||
      session_graph_key(ort, &hoist->session, digest, ret_look->key, NULL) != HOIST_OK) {
    ret_look->key[0] = '\0';
    return;
  }
  find(call, hoist, id, ret_look);
}

void graph_look_settle(struct graph_look *look, struct hoist *hoist, const struct model_id *id,
                       const struct session *session) {
  const char *reason, *objection = session_graph_objection(session, &hoist->session);
  if (look->graph && session_graph_use(session, &reason) == GRAPH_REFUSED) {
    look->use = GRAPH_REFUSED;
    look->wants_saving = 1;
    text_copy(look->detail, sizeof look->detail, reason);
  }
  if (look->use == GRAPH_REFUSED) cache_graph_remove(hoist->cache, id, look->key);
  if (!objection || look->use == GRAPH_HIT) return;
  look->use = GRAPH_OFF;
  look->wants_saving = 0;
  text_copy(look->detail, sizeof look->detail, objection);
}
