/* SPDX-License-Identifier: Apache-2.0 */
/* A short list of slots under one lock. A slot lives from the first join of an id until its model's last
 * reference is gone or its load failed with nobody waiting. */
#include "registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auto.h"
#include "clock.h"
#include "text.h"

#define WAIT_SLICE_MS 20 /* how late a waiter notices its own deadline or cancel */

struct slot {
  struct slot *next;
  char *id;
  struct hoist_model *model; /* NULL while it is being loaded */
  unsigned references;       /* of the model */
};

struct registry {
  pthread_mutex_t lock; /* guards everything below */
  pthread_cond_t changed;
  struct slot *slots;
  unsigned references;
};

enum hoist_status registry_new(struct registry **ret_registry, struct hoist_error *err) {
  struct registry *r = calloc(1, sizeof *r);
  if (!r) return hoist_fail_memory(err, "the model registry");
  pthread_mutex_init(&r->lock, NULL);
  pthread_cond_init(&r->changed, NULL);
  r->references = 1;
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
  while (*link && strcmp((*link)->id, id) != 0)
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

static void wait_a_little(struct registry *r) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += (long)(WAIT_SLICE_MS * NS_PER_MS);
  if (until.tv_nsec >= (long)NS_PER_S) {
    until.tv_nsec -= (long)NS_PER_S;
    until.tv_sec++;
  }
  pthread_cond_timedwait(&r->changed, &r->lock, &until);
}

static enum hoist_status join_locked(const struct call *call, struct registry *r, const char *id,
                                     struct hoist_model **ret_model, struct hoist_error *err) {
  for (;;) {
    struct slot *slot = *find(r, id);
    if (!slot) {
      enum hoist_status status = add_slot(r, id, err);
      if (status == HOIST_OK) *ret_model = NULL;
      return status;
    }
    if (slot->model) {
      slot->references++;
      *ret_model = slot->model;
      return HOIST_OK;
    }
    enum hoist_status status = call_check(call, "waiting for another thread's load", err);
    if (status != HOIST_OK) return status;
    wait_a_little(r);
  }
}

enum hoist_status registry_join(const struct call *call, struct registry *r, const char *id,
                                struct hoist_model **ret_model, struct hoist_error *err) {
  pthread_mutex_lock(&r->lock);
  enum hoist_status status = join_locked(call, r, id, ret_model, err);
  pthread_mutex_unlock(&r->lock);
  return status;
}

void registry_finish(struct registry *r, const char *id, struct hoist_model *model) {
  pthread_mutex_lock(&r->lock);
  struct slot **link = find(r, id);
  if (model) {
    (*link)->model = model;
    (*link)->references = 1;
  } else {
    remove_slot(link);
  }
  pthread_cond_broadcast(&r->changed);
  pthread_mutex_unlock(&r->lock);
}

void registry_ref_model(struct registry *r, const char *id) {
  pthread_mutex_lock(&r->lock);
  (*find(r, id))->references++;
  pthread_mutex_unlock(&r->lock);
}

int registry_unref_model(struct registry *r, const char *id) {
  pthread_mutex_lock(&r->lock);
  struct slot **link = find(r, id);
  int last = --(*link)->references == 0;
  if (last) remove_slot(link);
  pthread_mutex_unlock(&r->lock);
  return last;
}
