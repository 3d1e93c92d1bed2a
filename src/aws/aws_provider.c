/* SPDX-License-Identifier: Apache-2.0 */
/* The credentials of a process. One thread at a time looks for new ones, without the lock; meanwhile
 * the others use the old ones, or wait where there are none that are good. What came of the search is
 * the answer for all who waited for it, unless it was the searcher's own call that ended. Owns the
 * current credentials. */
#include "aws_provider.h"

#include <hoist/telemetry.h>
#include <pthread.h>
#include <stdlib.h>

#include "clock.h"
#include "condition.h"
#include "text.h"
#include "timestamp.h"

#define WAIT_NS (20 * NS_PER_MS)

struct aws_provider {
  aws_resolve_fn *resolve;
  void *user;
  uint64_t (*now_unix_s)(void);
  pthread_mutex_t lock; /* guards all below */
  pthread_cond_t changed;
  const struct aws_credentials *current; /* NULL: none yet */
  uint64_t renew_unix_s;                 /* when to look for new ones; 0: never */
  bool is_searching;
  unsigned searches; /* ended ones */
  enum hoist_status outcome;
  struct hoist_error error; /* of the last search */
};

static uint64_t real_now(void) {
  return clock_realtime_ns() / NS_PER_S;
}

enum hoist_status aws_provider_new(aws_resolve_fn *resolve, void *user,
                                   uint64_t (*now_unix_s)(void), struct aws_provider **ret_provider,
                                   struct hoist_error *err) {
  struct aws_provider *p = calloc(1, sizeof *p);
  if (!p) return hoist_fail_memory(err, "the AWS credentials");
  p->resolve = resolve;
  p->user = user;
  p->now_unix_s = now_unix_s ? now_unix_s : real_now;
  pthread_mutex_init(&p->lock, NULL);
  condition_init(&p->changed);
  *ret_provider = p;
  return HOIST_OK;
}

void aws_provider_free(struct aws_provider *provider) {
  if (!provider) return;
  aws_credentials_unref(provider->current);
  pthread_cond_destroy(&provider->changed);
  pthread_mutex_destroy(&provider->lock);
  free(provider);
}

/* ---- one search ------------------------------------------------------------------------------- */

static void end_span(struct hoist_span *span, enum hoist_status status,
                     const struct aws_credentials *found, const struct hoist_error *error) {
  if (status != HOIST_OK) {
    hoist_span_record_error(span, error);
  } else {
    char expires[TIMESTAMP_SIZE];
    hoist_span_set_string(span, "aws.credentials.provider", found->provider);
    if (found->expires_unix_s)
      hoist_span_set_string(span, "aws.credentials.expires",
                            timestamp_format(found->expires_unix_s, expires));
  }
  hoist_span_end(span);
}

static enum hoist_status check_expiry(const struct aws_provider *p,
                                      const struct aws_credentials *found,
                                      struct hoist_error *err) {
  char expired[TIMESTAMP_SIZE];
  if (!found->expires_unix_s || found->expires_unix_s > p->now_unix_s()) return HOIST_OK;
  return hoist_fail(
      err, HOIST_DENIED,
      "the credentials of %s expired at %s; get new ones, or set this machine's clock",
      found->provider, timestamp_format(found->expires_unix_s, expired));
}

static enum hoist_status search(const struct call *call, struct aws_provider *p,
                                const struct aws_credentials **ret_found, struct hoist_error *err) {
  HOIST_AUTO(aws_credentials) const struct aws_credentials *found = NULL;
  struct hoist_span span;
  struct call inner = *call;
  hoist_span_start(call->span, "aws.credentials", HOIST_SPAN_INTERNAL, &span);
  inner.span = &span;
  enum hoist_status status = p->resolve(&inner, p->user, &found, err);
  if (status == HOIST_OK) status = check_expiry(p, found, err);
  end_span(&span, status, found, err);
  if (status == HOIST_OK) *ret_found = HOIST_TAKE(found);
  return status;
}

/* ---- what threads share (all with the lock held) ---------------------------------------------- */

static bool is_good(const struct aws_provider *p) {
  return p->current &&
         (!p->current->expires_unix_s || p->current->expires_unix_s > p->now_unix_s());
}

static bool is_due(const struct aws_provider *p) {
  return p->renew_unix_s && p->now_unix_s() >= p->renew_unix_s;
}

static void keep(struct aws_provider *p, const struct aws_credentials *found) {
  aws_credentials_unref(p->current);
  p->current = found;
  p->renew_unix_s = 0;
  if (!found->expires_unix_s) return;
  uint64_t life = found->expires_unix_s - p->now_unix_s();
  p->renew_unix_s =
      found->expires_unix_s - (life / 2 < AWS_RENEW_AHEAD_S ? life / 2 : AWS_RENEW_AHEAD_S);
}

static enum hoist_status search_for_all(const struct call *call, struct aws_provider *p,
                                        struct hoist_error *err) {
  const struct aws_credentials *found = NULL;
  struct hoist_error error = {.status = HOIST_OK};
  p->is_searching = true;
  pthread_mutex_unlock(&p->lock);
  enum hoist_status status = search(call, p, &found, &error);
  pthread_mutex_lock(&p->lock);
  if (status == HOIST_OK)
    keep(p, found);
  else if (is_good(p))
    p->renew_unix_s = p->now_unix_s() + AWS_RENEW_AGAIN_S;
  p->is_searching = false;
  p->searches++;
  p->outcome = status;
  p->error = error;
  pthread_cond_broadcast(&p->changed);
  if (status != HOIST_OK && err) *err = error;
  return status;
}

/* Waits for the search under way. Its failure is ours too, but not that its caller gave up. */
static enum hoist_status wait_for_search(const struct call *call, struct aws_provider *p,
                                         struct hoist_error *err) {
  unsigned searches = p->searches;
  while (p->is_searching && p->searches == searches) {
    enum hoist_status status = call_check(call, "waiting for AWS credentials", err);
    if (status != HOIST_OK) return status;
    condition_wait_ns(&p->changed, &p->lock, WAIT_NS);
  }
  if (p->outcome == HOIST_OK || p->outcome == HOIST_TIMEOUT || p->outcome == HOIST_CANCELLED)
    return HOIST_OK;
  if (err) *err = p->error;
  return p->outcome;
}

/* `refused`: credentials that will not do; NULL: any that are good will. */
static enum hoist_status make_good(const struct call *call, struct aws_provider *p,
                                   const struct aws_credentials *refused, struct hoist_error *err) {
  for (;;) {
    bool good = is_good(p) && p->current != refused;
    if (good && (p->is_searching || !is_due(p))) return HOIST_OK;
    if (!p->is_searching) {
      enum hoist_status status = search_for_all(call, p, good ? NULL : err);
      return good && is_good(p) ? HOIST_OK : status;
    }
    enum hoist_status status = wait_for_search(call, p, err);
    if (status != HOIST_OK) return status;
  }
}

static enum hoist_status take(const struct call *call, struct aws_provider *p,
                              const struct aws_credentials *refused,
                              const struct aws_credentials **ret_credentials,
                              struct hoist_error *err) {
  pthread_mutex_lock(&p->lock);
  enum hoist_status status = make_good(call, p, refused, err);
  if (status == HOIST_OK) *ret_credentials = aws_credentials_ref(p->current);
  pthread_mutex_unlock(&p->lock);
  return status;
}

enum hoist_status aws_provider_get(const struct call *call, struct aws_provider *provider,
                                   const struct aws_credentials **ret_credentials,
                                   struct hoist_error *err) {
  return take(call, provider, NULL, ret_credentials, err);
}

enum hoist_status aws_provider_renew(const struct call *call, struct aws_provider *provider,
                                     const struct aws_credentials *refused,
                                     const struct aws_credentials **ret_credentials,
                                     struct hoist_error *err) {
  HOIST_AUTO(aws_credentials) const struct aws_credentials *renewed = NULL;
  enum hoist_status status = take(call, provider, refused, &renewed, err);
  if (status != HOIST_OK) return status;
  bool same = text_equal(renewed->access_key, refused->access_key) &&
              text_equal(renewed->secret_key, refused->secret_key) &&
              text_equal(renewed->session_token, refused->session_token);
  *ret_credentials = same ? NULL : HOIST_TAKE(renewed);
  return HOIST_OK;
}
