/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials behind a count of references. Any thread. */
#include "aws_credentials.h"

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* What the struct of the header is the first member of. */
struct counted {
  struct aws_credentials credentials;
  atomic_uint references;
  char *access_key, *secret_key, *session_token;
};

static void free_secret(char *secret) {
  if (secret) OPENSSL_cleanse(secret, strlen(secret));
  free(secret);
}

static void counted_free(struct counted *c) {
  if (!c) return;
  free(c->access_key);
  free_secret(c->secret_key);
  free_secret(c->session_token);
  free(c);
}
HOIST_DEFINE_AUTO(counted, struct counted, counted_free)

static bool is_set(const char *text) {
  return text && *text;
}

enum hoist_status aws_credentials_new(const struct aws_credentials *from,
                                      const struct aws_credentials **ret_credentials,
                                      struct hoist_error *err) {
  if (!is_set(from->access_key) || !is_set(from->secret_key))
    return hoist_fail(err, HOIST_INVALID, "%s credentials lack the %s", from->provider,
                      is_set(from->access_key) ? "secret key" : "access key");
  HOIST_AUTO(counted) struct counted *c = calloc(1, sizeof *c);
  if (!c) return hoist_fail_memory(err, "credentials");
  c->access_key = text_dup(from->access_key);
  c->secret_key = text_dup(from->secret_key);
  bool has_token = is_set(from->session_token);
  if (has_token) c->session_token = text_dup(from->session_token);
  if (!c->access_key || !c->secret_key || (has_token && !c->session_token))
    return hoist_fail_memory(err, "credentials");
  atomic_init(&c->references, 1);
  c->credentials = (struct aws_credentials){.access_key = c->access_key,
                                            .secret_key = c->secret_key,
                                            .session_token = c->session_token,
                                            .expires_unix_s = from->expires_unix_s,
                                            .provider = from->provider};
  *ret_credentials = &HOIST_TAKE(c)->credentials;
  return HOIST_OK;
}

static struct counted *counted_of(const struct aws_credentials *credentials) {
  return (struct counted *)(uintptr_t)credentials;
}

const struct aws_credentials *aws_credentials_ref(const struct aws_credentials *credentials) {
  if (credentials)
    atomic_fetch_add_explicit(&counted_of(credentials)->references, 1, memory_order_relaxed);
  return credentials;
}

void aws_credentials_unref(const struct aws_credentials *credentials) {
  if (credentials &&
      atomic_fetch_sub_explicit(&counted_of(credentials)->references, 1, memory_order_acq_rel) == 1)
    counted_free(counted_of(credentials));
}

bool aws_credentials_in(const struct aws_credentials *credentials, const char *text) {
  if (!credentials) return false;
  return strstr(text, credentials->access_key) || strstr(text, credentials->secret_key) ||
         (credentials->session_token && strstr(text, credentials->session_token));
}
