/* SPDX-License-Identifier: Apache-2.0 */
/* hoist_offers: each source lists its files, which are sorted into models as they pass by. */
#include <stdlib.h>
#include <string.h>

#include "offers.h"
#include "operation.h"
#include "text.h"

struct offering {
  struct operation *op;
  int (*visit)(void *user, const struct hoist_offer *offer);
  void *user;
  char **cached; /* ids of what is in the cache, sorted */
  size_t cached_count, cached_capacity;
  struct source *source; /* the one that is being asked */
  bool stopped;          /* the visitor has seen enough */
  enum hoist_status first_failure;
  struct hoist_error failure;
};

static inline void offering_cleanup(struct offering *o) {
  while (o->cached_count > 0)
    free(o->cached[--o->cached_count]);
  free(o->cached);
}

/* ---- what is in the cache ---------------------------------------------------------------------- */

static enum hoist_status note_cached(void *user, const struct cache_listing *l,
                                     struct hoist_error *err) {
  struct offering *o = user;
  if (l->problem) return HOIST_OK;
  if (o->cached_count == o->cached_capacity) {
    size_t capacity = o->cached_capacity ? 2 * o->cached_capacity : 64;
    char **grown = realloc(o->cached, capacity * sizeof *grown);
    if (!grown) return hoist_fail_memory(err, "a list of models");
    o->cached = grown;
    o->cached_capacity = capacity;
  }
  o->cached[o->cached_count] = text_dup(l->model_id);
  if (!o->cached[o->cached_count]) return hoist_fail_memory(err, "a list of models");
  o->cached_count++;
  return HOIST_OK;
}

static int compare_texts(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* cache_list goes by id. */
static bool is_cached(const struct offering *o, const char *id) {
  return o->cached_count > 0 &&
         bsearch(&id, o->cached, o->cached_count, sizeof *o->cached, compare_texts);
}

/* ---- telling ----------------------------------------------------------------------------------- */

static void tell(struct offering *o, struct hoist_offer offer) {
  offer.source = o->source->name;
  offer.location = o->source->location;
  if (o->visit(o->user, &offer) != 0) o->stopped = true;
}

/* CANCELLED ends the listing of a source whose reader wants no more. */
static enum hoist_status tell_model(void *user, const struct offers_model *m,
                                    struct hoist_error *err) {
  struct offering *o = user;
  struct model_id id;
  struct hoist_error unusable;
  bool is_usable = model_id_parse(m->id, &id, &unusable) == HOIST_OK;
  tell(o, (struct hoist_offer){.model_id = m->id,
                               .size_bytes = m->size_bytes,
                               .file_count = m->file_count,
                               .modified_unix_s = m->modified_unix_s,
                               .in_cache = is_usable && is_cached(o, m->id),
                               .problem = is_usable ? NULL : unusable.message});
  return o->stopped ? hoist_fail(err, HOIST_CANCELLED, "nobody wants more") : HOIST_OK;
}

static enum hoist_status add_file(void *user, const struct source_object *object,
                                  struct hoist_error *err) {
  return offers_add(user, object->name, object->size, object->modified_unix_ns, err);
}

static enum hoist_status list(struct offering *o, struct hoist_error *err) {
  struct offers offers = {.user = o, .model = tell_model};
  if (!o->source->ops->list)
    return hoist_fail(err, HOIST_UNSUPPORTED, "%s cannot list the models it has", o->source->name);
  const struct source_visit visit = {.below = "", .user = &offers, .object = add_file};
  enum hoist_status status = o->source->ops->list(&o->op->call, o->source, &visit, err);
  return status == HOIST_OK ? offers_end(&offers, err) : status;
}

/* A source that cannot tell does not keep others from telling, but for one whose call is over. */
static enum hoist_status ask(struct offering *o, struct source *source) {
  struct hoist_error error = {0};
  o->source = source;
  enum hoist_status status = list(o, &error);
  if (status == HOIST_OK || o->stopped) return HOIST_OK;
  if (status == HOIST_CANCELLED || status == HOIST_TIMEOUT || status == HOIST_NO_MEMORY) {
    o->op->error = error;
    return status;
  }
  if (o->first_failure == HOIST_OK || o->first_failure == HOIST_UNSUPPORTED) {
    o->first_failure = status;
    o->failure = error;
  }
  tell(o, (struct hoist_offer){.problem = error.message});
  return HOIST_OK;
}

/* That one source has no list is no failure where another one has. */
static enum hoist_status ask_all(struct offering *o, const struct chain *chain) {
  bool any_can = false;
  for (size_t i = 0; i < chain->count && !o->stopped; i++) {
    any_can |= chain->sources[i]->ops->list != NULL;
    enum hoist_status status = ask(o, chain->sources[i]);
    if (status != HOIST_OK) return status;
  }
  if (o->first_failure == HOIST_OK || (o->first_failure == HOIST_UNSUPPORTED && any_can))
    return HOIST_OK;
  o->op->error = o->failure;
  return o->first_failure;
}

static enum hoist_status check(const struct hoist *hoist, const char *source,
                               struct hoist_error *err) {
  if (hoist->offline)
    return hoist_fail(err, HOIST_UNAVAILABLE,
                      "no source is asked: offline mode is on (OFFLINE_MODE)");
  if (!source && hoist->chain.count == 0)
    return hoist_fail(err, HOIST_INVALID,
                      "no source is configured: name one, as in s3://BUCKET/PREFIX or "
                      "dir:PATH, or set INFER_BUCKET or HOIST_SOURCES");
  return HOIST_OK;
}

static enum hoist_status offer(struct offering *o, const char *source) {
  struct operation *op = o->op;
  struct hoist *hoist = op->hoist;
  enum hoist_status status = check(hoist, source, &op->error);
  if (status == HOIST_OK) status = cache_list(hoist->cache, note_cached, o, &op->error);
  if (status != HOIST_OK) return status;
  if (!source) return ask_all(o, &hoist->chain);
  struct hoist_config config = hoist->config;
  struct chain chain;
  config.sources = source;
  status = chain_init(&chain, &config, hoist->http, &op->error);
  if (status != HOIST_OK) return status;
  status = ask_all(o, &chain);
  chain_done(&chain);
  return status;
}

enum hoist_status hoist_offers(struct hoist *hoist, const char *source,
                               const struct hoist_call_options *options,
                               int (*visit)(void *user, const struct hoist_offer *offer),
                               void *user, struct hoist_error *err) {
  struct operation op;
  HOIST_AUTO(offering) struct offering o = {.op = &op, .visit = visit, .user = user};
  enum hoist_status status = operation_begin_on_cache(&op, hoist, "models.list", options);
  if (status == HOIST_OK) status = offer(&o, source);
  return operation_end(&op, status, err);
}
