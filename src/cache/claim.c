/* SPDX-License-Identifier: Apache-2.0 */
/* Claims: that a model is there, before anybody looked at its bytes. A claim owns the entry that it may become,
 * and so the model's lock, shared. One thread may check it while others ask for its names. */
#include <stdlib.h>

#include "cache_internal.h"

struct cache_claim {
  struct cache_entry *entry; /* whose files may be wrong yet */
  bool is_known;             /* by its identity */
  bool is_checked;           /* byte by byte */
};

static enum hoist_status claim_entry(struct cache *cache, const struct model_id *id,
                                     struct cache_entry **ret_entry, struct hoist_error *err) {
  enum hoist_status status = cache_check_id(id, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  status = cache_entry_new(cache, id, &entry, err);
  if (status != HOIST_OK) return status;
  if (cache_is_absent(cache, id, entry->name)) return cache_fail_absent(cache, id, err);
  status = cache_lock_shared(cache, id, entry->name, &entry->lock_fd, err);
  if (status == HOIST_OK) status = cache_entry_look(cache, id, entry, NULL, err);
  if (status != HOIST_OK) return status;
  *ret_entry = HOIST_TAKE(entry);
  return HOIST_OK;
}

enum hoist_status cache_claim(const struct call *call, struct cache *cache,
                              const struct model_id *id, enum cache_verification verification,
                              struct cache_claim **ret_claim, struct hoist_error *err) {
  HOIST_AUTO(cache_claim) struct cache_claim *claim = calloc(1, sizeof *claim);
  if (!claim) return hoist_fail_memory(err, "a cache entry");
  enum hoist_status status = claim_entry(cache, id, &claim->entry, err);
  if (status == HOIST_OK) status = cache_entry_make_identities(claim->entry, err);
  if (status == HOIST_OK) status = call_check(call, "looking into the cache", err);
  if (status != HOIST_OK) return status;
  claim->is_known = verification == CACHE_VERIFY_STAT && cache_verified_is_known(claim->entry);
  *ret_claim = HOIST_TAKE(claim);
  return HOIST_OK;
}

enum hoist_status cache_claim_check(const struct call *call, struct cache_claim *claim,
                                    struct hoist_error *err) {
  if (claim->is_known || claim->is_checked) return HOIST_OK;
  enum hoist_status status = cache_entry_prove(call, claim->entry, err);
  claim->is_checked = status == HOIST_OK;
  return status;
}

enum hoist_status cache_claim_prove(const struct call *call, struct cache_claim *claim,
                                    struct cache_entry **ret_entry, struct hoist_error *err) {
  HOIST_AUTO(cache_claim) struct cache_claim *own = claim;
  enum hoist_status status = cache_claim_check(call, own, err);
  if (status == HOIST_OK) *ret_entry = HOIST_TAKE(own->entry);
  return status;
}

void cache_claim_release(struct cache_claim *claim) {
  if (!claim) return;
  cache_entry_release(claim->entry);
  free(claim);
}

int cache_claim_is_known(const struct cache_claim *claim) {
  return claim->is_known;
}

const struct manifest *cache_claim_manifest(const struct cache_claim *claim) {
  return cache_entry_manifest(claim->entry);
}

const char *cache_claim_model_id(const struct cache_claim *claim) {
  return cache_entry_model_id(claim->entry);
}

const char *cache_claim_dir(const struct cache_claim *claim) {
  return cache_entry_dir(claim->entry);
}

uint64_t cache_claim_serial(const struct cache_claim *claim) {
  return claim->entry->serial;
}
