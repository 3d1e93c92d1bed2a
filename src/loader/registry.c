/* SPDX-License-Identifier: Apache-2.0 */
/* A short list of slots under one lock. A slot lives from the first join of an id until its model's last
 * reference is gone, or its load failed and everyone who waited for it has heard. */
#include "registry.h"

#include <hoist/telemetry.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "condition.h"
#include "text.h"

#define WAIT_SLICE_MS 20 /* how late a waiter notices its own deadline or cancel */

enum slot_state {
  SLOT_LOADING,
  SLOT_LOADED,
  SLOT_FAILED,    /* for everyone who waited: they asked for the same thing at the same time */
  SLOT_ABANDONED, /* its loader was called off: the first of those who wait takes over */
};

struct slot {
  struct slot *next;
  char *id;
  enum slot_state state;
  struct hoist_model *model; /* SLOT_LOADED */
  unsigned references;       /* of the model; 0: it is kept for later */
  int forgotten;             /* has no name any more */
  uint64_t bytes, used;      /* of the model; `used` counts uses of the registry */
  unsigned waiting;          /* keeps the slot alive */
  struct hoist_error error;  /* SLOT_FAILED */
};

struct registry {
  pthread_mutex_t lock; /* guards everything below */
  pthread_cond_t changed;
  struct slot *slots;
  unsigned references;
  struct registry_bounds bounds;
  int closed;
  uint64_t uses;
  void (*destroy)(struct hoist_model *model); /* constant */
};

enum hoist_status registry_new(const struct registry_bounds *bounds,
                               void (*destroy)(struct hoist_model *model),
                               struct registry **ret_registry, struct hoist_error *err) {
  struct registry *r = calloc(1, sizeof *r);
  if (!r) return hoist_fail_memory(err, "the model registry");
  pthread_mutex_init(&r->lock, NULL);
  condition_init(&r->changed);
  r->references = 1;
  r->bounds = *bounds;
  r->destroy = destroy;
  *ret_registry = r;
  return HOIST_OK;
}

struct registry *registry_ref(struct registry *r) {
  pthread_mutex_lock(&r->lock);
  r->references++;
  pthread_mutex_unlock(&r->lock);
  return r;
}

void registry_unref(struct registry *r) {
  if (!r) return;
  pthread_mutex_lock(&r->lock);
  unsigned left = --r->references;
  pthread_mutex_unlock(&r->lock);
  if (left > 0) return;
  pthread_cond_destroy(&r->changed);
  pthread_mutex_destroy(&r->lock);
  free(r);
}

static struct slot **find(struct registry *r, const char *id) {
  struct slot **link = &r->slots;
  while (*link && ((*link)->forgotten || strcmp((*link)->id, id) != 0))
    link = &(*link)->next;
  return link;
}

static struct slot **find_model(struct registry *r, const struct hoist_model *model) {
  struct slot **link = &r->slots;
  while ((*link)->model != model)
    link = &(*link)->next;
  return link;
}

static void remove_slot(struct slot **link) {
  struct slot *slot = *link;
  *link = slot->next;
  free(slot->id);
  free(slot);
}

static enum hoist_status add_slot(struct registry *r, const char *id, struct hoist_error *err) {
  struct slot *slot = calloc(1, sizeof *slot);
  char *copy = text_dup(id);
  if (!slot || !copy) {
    free(slot);
    free(copy);
    return hoist_fail_memory(err, id);
  }
  *slot = (struct slot){.next = r->slots, .id = copy};
  r->slots = slot;
  return HOIST_OK;
}

static void use(struct registry *r, struct slot *slot) {
  slot->references++;
  slot->used = ++r->uses;
}

/* Waits, counted in slot->waiting, for the load of another thread to end. On OK *ret_model is the
 * model, or NULL where the caller takes the load over. */
static enum hoist_status wait_for_load(const struct call *call, struct registry *r,
                                       struct slot *slot, struct hoist_model **ret_model,
                                       struct hoist_error *err) {
  while (slot->state == SLOT_LOADING) {
    enum hoist_status status = call_check(call, "waiting for another thread's load", err);
    if (status != HOIST_OK) return status;
    condition_wait_ns(&r->changed, &r->lock, WAIT_SLICE_MS * NS_PER_MS);
  }
  if (slot->state == SLOT_FAILED) {
    if (err) *err = slot->error;
    return slot->error.status;
  }
  if (slot->state == SLOT_ABANDONED) slot->state = SLOT_LOADING;
  if (slot->state == SLOT_LOADED) use(r, slot);
  *ret_model = slot->model;
  return HOIST_OK;
}

static enum hoist_status wait_in_span(const struct call *call, struct registry *r,
                                      struct slot *slot, struct hoist_model **ret_model,
                                      struct hoist_error *err) {
  struct hoist_span span;
  hoist_span_start(call->span, "model.cache.lock_wait", HOIST_SPAN_INTERNAL, &span);
  hoist_span_set_string(&span, "model.id", slot->id);
  slot->waiting++;
  enum hoist_status status = wait_for_load(call, r, slot, ret_model, err);
  slot->waiting--;
  if (slot->state == SLOT_FAILED && slot->waiting == 0) remove_slot(find(r, slot->id));
  if (status != HOIST_OK) hoist_span_record_error(&span, err);
  hoist_span_end(&span);
  return status;
}

static enum hoist_status join_locked(const struct call *call, struct registry *r, const char *id,
                                     struct hoist_model **ret_model, struct hoist_error *err) {
  struct slot *slot = *find(r, id);
  /* A failure is for those who waited for it; who comes later starts anew. */
  while (slot && slot->state == SLOT_FAILED) {
    condition_wait_ns(&r->changed, &r->lock, WAIT_SLICE_MS * NS_PER_MS);
    slot = *find(r, id);
  }
  if (slot && slot->state != SLOT_LOADED) return wait_in_span(call, r, slot, ret_model, err);
  if (slot) {
    use(r, slot);
    *ret_model = slot->model;
    return HOIST_OK;
  }
  enum hoist_status status = add_slot(r, id, err);
  if (status == HOIST_OK) *ret_model = NULL;
  return status;
}

enum hoist_status registry_join(const struct call *call, struct registry *r, const char *id,
                                struct hoist_model **ret_model, struct hoist_error *err) {
  struct hoist_error own;
  pthread_mutex_lock(&r->lock);
  enum hoist_status status = join_locked(call, r, id, ret_model, err ? err : &own);
  pthread_mutex_unlock(&r->lock);
  return status;
}

/* ---- what has to go ---------------------------------------------------------------------- */

static int is_kept(const struct registry *r, const struct slot *slot) {
  return !r->closed && !slot->forgotten && (r->bounds.max_models > 0 || r->bounds.max_bytes > 0);
}

static int is_over(const struct registry *r) {
  uint64_t models = 0, bytes = 0;
  for (const struct slot *slot = r->slots; slot; slot = slot->next) {
    if (slot->state != SLOT_LOADED) continue;
    models++;
    bytes += slot->bytes;
  }
  return (r->bounds.max_models > 0 && models > r->bounds.max_models) ||
         (r->bounds.max_bytes > 0 && bytes > r->bounds.max_bytes);
}

/* A waiter that was not awake yet when the last user left takes the model as it is. */
static int is_idle(const struct slot *slot) {
  return slot->state == SLOT_LOADED && slot->references == 0 && slot->waiting == 0;
}

static struct slot **next_to_go(struct registry *r) {
  struct slot **found = NULL;
  int over = is_over(r);
  for (struct slot **link = &r->slots; *link; link = &(*link)->next) {
    if (!is_idle(*link)) continue;
    if (!is_kept(r, *link)) return link;
    if (over && (!found || (*link)->used < (*found)->used)) found = link;
  }
  return found;
}

/* Destroying takes time, and may call back: not under the lock. */
static void trim(struct registry *r) {
  pthread_mutex_lock(&r->lock);
  for (struct slot **link = next_to_go(r); link; link = next_to_go(r)) {
    struct hoist_model *model = (*link)->model;
    remove_slot(link);
    r->references++; /* the model's own may be the last */
    pthread_mutex_unlock(&r->lock);
    r->destroy(model);
    pthread_mutex_lock(&r->lock);
    r->references--;
  }
  pthread_mutex_unlock(&r->lock);
}

/* ---- models ------------------------------------------------------------------------------ */

static void settle(struct registry *r, struct slot **link, struct hoist_model *model,
                   uint64_t bytes, const struct hoist_error *failure) {
  struct slot *slot = *link;
  if (model) {
    slot->state = SLOT_LOADED;
    slot->model = model;
    slot->bytes = bytes;
    slot->references = 0;
    use(r, slot);
  } else if (slot->waiting == 0) {
    remove_slot(link);
  } else if (failure->status == HOIST_CANCELLED || failure->status == HOIST_TIMEOUT) {
    slot->state = SLOT_ABANDONED; /* the loader's own business */
  } else {
    slot->state = SLOT_FAILED;
    slot->error = *failure;
  }
}

void registry_finish(struct registry *r, const char *id, struct hoist_model *model, uint64_t bytes,
                     const struct hoist_error *failure) {
  pthread_mutex_lock(&r->lock);
  settle(r, find(r, id), model, bytes, failure);
  pthread_cond_broadcast(&r->changed);
  pthread_mutex_unlock(&r->lock);
  if (model) trim(r);
}

void registry_ref_model(struct registry *r, const struct hoist_model *model) {
  pthread_mutex_lock(&r->lock);
  (*find_model(r, model))->references++;
  pthread_mutex_unlock(&r->lock);
}

void registry_unref_model(struct registry *r, const struct hoist_model *model) {
  pthread_mutex_lock(&r->lock);
  r->references++; /* the model's own goes with it */
  struct slot *slot = *find_model(r, model);
  slot->references--;
  slot->used = ++r->uses;
  pthread_mutex_unlock(&r->lock);
  trim(r);
  registry_unref(r);
}

void registry_forget(struct registry *r, const char *id) {
  pthread_mutex_lock(&r->lock);
  struct slot *slot = *find(r, id);
  if (slot && slot->state == SLOT_LOADED) slot->forgotten = 1;
  pthread_mutex_unlock(&r->lock);
  trim(r);
}

void registry_close(struct registry *r) {
  pthread_mutex_lock(&r->lock);
  r->closed = 1;
  pthread_mutex_unlock(&r->lock);
  trim(r);
}
