/* SPDX-License-Identifier: Apache-2.0 */
/* The cache, then the lock, then the cache again, then the sources. Everything happens on the thread of
 * the operation; only fetch_model starts others. */
#include "acquire.h"

#include <stdio.h>

#include "dispatch.h"
#include "download_model.h"
#include "gc.h"
#include "info.h"
#include "metrics.h"
#include "opening.h"
#include "runtime.h"

/* How often to start over when another process slips in between our commit and our reading. Each time
 * somebody else made progress, so the number only guards against a livelock by a hostile neighbour. */
#define MAX_ROUNDS 8

/* One operation is one lookup, however often it looks. */
static void count_lookup(struct operation *op, enum hoist_status status) {
  if (op->lookup_counted ||
      (status != HOIST_OK && status != HOIST_NOT_FOUND && status != HOIST_CORRUPT))
    return;
  op->lookup_counted = 1;
  metrics_lookup(&op->span, op->hoist->telemetry,
                 status == HOIST_OK        ? "hit"
                 : status == HOIST_CORRUPT ? "corrupt"
                                           : "miss");
}

static void describe_load(struct hoist_span *span, const struct cache_entry *entry,
                          const char *verification) {
  const struct manifest *m = cache_entry_manifest(entry);
  hoist_span_set_int(span, "model.artifacts.files", (int64_t)m->file_count);
  hoist_span_set_int(span, "model.artifacts.bytes", (int64_t)manifest_total_size(m, NULL));
  hoist_span_set_string(span, "model.artifacts.origin", m->source);
  hoist_span_set_string(span, "model.artifacts.verification", verification);
}

static void start_load_span(struct operation *op, uint64_t started_unix_ns,
                            struct hoist_span *ret_span) {
  hoist_span_start_at(&op->span, "model.artifacts.load", HOIST_SPAN_INTERNAL, started_unix_ns,
                      ret_span);
  hoist_span_set_string(ret_span, "model.id", op->id.text);
  hoist_span_set_string(ret_span, "model.artifacts.source", "local_cache");
}

/* The second half of every load: metadata out of a verified entry. */
static enum hoist_status read_entry(struct operation *op, struct hoist_span *span,
                                    const struct cache_entry *entry, const char *verification,
                                    struct hoist_info **ret_info) {
  describe_load(span, entry, verification);
  return info_new(entry, ret_info, &op->error);
}

static void end_load_span(struct operation *op, struct hoist_span *span, enum hoist_status status) {
  if (status != HOIST_OK) hoist_span_record_error(span, &op->error);
  /* The session that was made meanwhile may have taken longer. */
  if (op->opening)
    hoist_span_end_at(span, op->checked_unix_ns);
  else
    hoist_span_end(span);
}

/* Comparing the bytes of a large model takes as long as making its session: they go side by side. */
static enum hoist_status prove(struct operation *op, struct cache_claim *claim,
                               struct cache_entry **ret_entry) {
  enum hoist_status status = HOIST_OK;
  if (op->opens_session && !cache_claim_is_known(claim) &&
      manifest_total_size(cache_claim_manifest(claim), NULL) >= OPENING_MIN_BYTES)
    status = opening_begin(op, claim);
  if (status == HOIST_OK) return cache_claim_prove(&op->call, claim, ret_entry, &op->error);
  cache_claim_release(claim);
  return status;
}

/* @param ret_verification  how the entry was verified */
static enum hoist_status find(struct operation *op, struct cache_lock **lock,
                              struct cache_entry **ret_entry, const char **ret_verification) {
  *ret_verification = "sha256";
  if (lock) return cache_find_locked(&op->call, lock, ret_entry, &op->error);
  struct cache_claim *claim = NULL;
  enum hoist_status status =
      cache_claim(&op->call, op->hoist->cache, &op->id, op->verification, &claim, &op->error);
  if (status != HOIST_OK) return status;
  if (cache_claim_is_known(claim)) *ret_verification = "stat";
  return prove(op, claim, ret_entry);
}

/* A look-up that finds nothing is no load, so the span begins only once there is something to show. */
static enum hoist_status look_up(struct operation *op, struct cache_lock **lock,
                                 struct cache_entry **ret_entry, struct hoist_info **ret_info) {
  uint64_t started_unix_ns = telemetry_now(&op->span);
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  const char *verification;
  enum hoist_status status = find(op, lock, &entry, &verification);
  count_lookup(op, status);
  if (status == HOIST_NOT_FOUND || status == HOIST_UNAVAILABLE) return status;
  struct hoist_span span;
  start_load_span(op, started_unix_ns, &span);
  if (status == HOIST_OK) status = read_entry(op, &span, entry, verification, ret_info);
  end_load_span(op, &span, status);
  if (status != HOIST_OK) return status;
  op->cache_hit = 1;
  *ret_entry = HOIST_TAKE(entry);
  return HOIST_OK;
}

enum hoist_status acquire_from_cache(struct operation *op, struct cache_entry **ret_entry,
                                     struct hoist_info **ret_info) {
  return look_up(op, NULL, ret_entry, ret_info);
}

static enum hoist_status load_committed(struct operation *op, struct cache_entry **entry,
                                        struct cache_entry **ret_entry,
                                        struct hoist_info **ret_info) {
  struct hoist_span span;
  start_load_span(op, 0, &span);
  enum hoist_status status = read_entry(op, &span, *entry, "sha256_on_download", ret_info);
  end_load_span(op, &span, status);
  if (status == HOIST_OK) *ret_entry = HOIST_TAKE(*entry);
  return status;
}

/* A damaged model must be replaced whoever reads it; one that was merely not there may be by now. */
static enum hoist_status take_lock(struct operation *op, enum hoist_status found,
                                   struct cache_lock **ret_lock) {
  struct cache *cache = op->hoist->cache;
  return found == HOIST_CORRUPT
             ? cache_lock(&op->call, cache, &op->id, ret_lock, &op->error)
             : cache_lock_unless_published(&op->call, cache, &op->id, ret_lock, &op->error);
}

static void warn_of_locks(struct operation *op) {
  char message[HOIST_ERROR_MESSAGE_SIZE];
  if (cache_locks(op->hoist->cache) != CACHE_LOCKS_DO_NOTHING ||
      atomic_exchange(&op->hoist->warned_of_locks, 1))
    return;
  snprintf(
      message, sizeof message,
      "file locks do nothing in %.200s, as on some network file systems: processes that load one "
      "model at once may disturb each other; set HOIST_CACHE_DIR to a local directory",
      cache_root(op->hoist->cache));
  operation_warn(op, message);
}

/* Whose disk it is should know. */
static void warn_of_damage(struct operation *op) {
  char message[HOIST_ERROR_MESSAGE_SIZE];
  snprintf(message, sizeof message, "the copy in the cache is damaged and is fetched again: %.400s",
           op->error.message);
  operation_warn(op, message);
}

static enum hoist_status refuse_offline(struct operation *op, enum hoist_status found) {
  const char *id = op->id.text;
  if (found == HOIST_CORRUPT) {
    hoist_error_prepend(&op->error,
                        "%.100s is damaged, and offline mode is on: run 'hoist pull %.100s' where "
                        "there is a network",
                        id, id);
    return found;
  }
  return hoist_fail(&op->error, HOIST_NOT_FOUND,
                    "%.100s is not in the cache, and offline mode is on: there is no "
                    "%.150s/%.100s/.hoist-manifest.json; run 'hoist pull %.100s' where there is a "
                    "network, into this cache or one that is copied here",
                    id, cache_root(op->hoist->cache), op->id.path, id);
}

/* One round. UNAVAILABLE with *ret_again set: somebody else changed the model meanwhile. */
static enum hoist_status acquire_once(struct operation *op, struct cache_entry **ret_entry,
                                      struct hoist_info **ret_info, int *ret_again) {
  *ret_again = 0;
  enum hoist_status status = look_up(op, NULL, ret_entry, ret_info);
  if (status != HOIST_NOT_FOUND && status != HOIST_CORRUPT && status != HOIST_UNAVAILABLE)
    return status;
  if (op->hoist->offline && status != HOIST_UNAVAILABLE) return refuse_offline(op, status);
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  status = take_lock(op, status, &lock);
  if (status != HOIST_OK) return status;
  warn_of_locks(op);
  if (!lock) {
    *ret_again = 1;
    return hoist_fail(&op->error, HOIST_UNAVAILABLE, "%s keeps being changed by others: try again",
                      op->id.text);
  }
  status = look_up(op, &lock, ret_entry, ret_info);
  *ret_again = status == HOIST_UNAVAILABLE && !lock; /* lost to a neighbour who did something */
  if (status != HOIST_NOT_FOUND && status != HOIST_CORRUPT) return status;
  if (op->hoist->offline) return refuse_offline(op, status);
  if (status == HOIST_CORRUPT) warn_of_damage(op);
  /* Its bytes are right, so the entry took the lock, and what they say makes no sense. */
  if (!lock) status = cache_lock(&op->call, op->hoist->cache, &op->id, &lock, &op->error);
  if (!lock) return status;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  if (op->opens_session) runtime_open_ahead(op);
  status = download_model(op, &lock, &entry);
  if (status != HOIST_OK) return status;
  gc_keep_bound(op);
  operation_measure_cache(op);
  if (!entry) {
    *ret_again = 1;
    return HOIST_UNAVAILABLE;
  }
  status = load_committed(op, &entry, ret_entry, ret_info);
  /* Where locks do nothing, a neighbour may have replaced it already: with the same model. */
  *ret_again = status != HOIST_OK && cache_locks(op->hoist->cache) == CACHE_LOCKS_DO_NOTHING;
  return status;
}

enum hoist_status acquire(struct operation *op, struct cache_entry **ret_entry,
                          struct hoist_info **ret_info) {
  enum hoist_status status = HOIST_UNAVAILABLE;
  int again = 1;
  for (int round = 0; again && round < MAX_ROUNDS; round++)
    status = acquire_once(op, ret_entry, ret_info, &again);
  if (status == HOIST_OK) cache_entry_mark_used(*ret_entry);
  return status;
}
