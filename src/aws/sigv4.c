/* SPDX-License-Identifier: Apache-2.0 */
/* The signing of requests, after "Authenticating Requests: Using the Authorization Header" of
 * the Amazon S3 API reference. Done here because what libcurl signs differs from version to version
 * and is wrong for some keys and queries in each. Pure but for OpenSSL; any thread. */
#include "sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "digest.h"
#include "text.h"

#define MAC_BYTES 32
#define DAY_SIZE 9 /* "20130524" */

void sigv4_date(uint64_t unix_s, char out[SIGV4_DATE_SIZE]) {
  time_t when = (time_t)unix_s;
  struct tm utc;
  if (!gmtime_r(&when, &utc) || strftime(out, SIGV4_DATE_SIZE, "%Y%m%dT%H%M%SZ", &utc) == 0)
    out[0] = '\0';
}

static int compare_pairs(const void *a, const void *b) {
  const struct sigv4_pair *x = a, *y = b;
  int order = strcmp(x->name, y->name);
  return order != 0 ? order : strcmp(x->value, y->value);
}

struct encoded_pairs {
  char *text[2 * SIGV4_MAX_PARAMETERS];
};

static inline void encoded_pairs_cleanup(struct encoded_pairs *p) {
  for (size_t i = 0; i < sizeof p->text / sizeof *p->text; i++)
    free(p->text[i]);
}

enum hoist_status sigv4_query(const struct sigv4_pair *pairs, size_t count, struct buf *ret_query,
                              struct hoist_error *err) {
  HOIST_AUTO(encoded_pairs) struct encoded_pairs encoded = {0};
  struct sigv4_pair sorted[SIGV4_MAX_PARAMETERS];
  if (count > SIGV4_MAX_PARAMETERS)
    return hoist_fail(err, HOIST_INVALID, "more than %d query parameters", SIGV4_MAX_PARAMETERS);
  for (size_t i = 0; i < count; i++) {
    encoded.text[2 * i] = url_encode(pairs[i].name, false);
    encoded.text[2 * i + 1] = url_encode(pairs[i].value, false);
    if (!encoded.text[2 * i] || !encoded.text[2 * i + 1]) return hoist_fail_memory(err, "a query");
    sorted[i] = (struct sigv4_pair){encoded.text[2 * i], encoded.text[2 * i + 1]};
  }
  qsort(sorted, count, sizeof *sorted, compare_pairs);
  for (size_t i = 0; i < count; i++) {
    enum hoist_status status =
        buf_printf(ret_query, err, "%s%s=%s", i ? "&" : "", sorted[i].name, sorted[i].value);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

/* "host;range;x-amz-date" */
static enum hoist_status append_names(const struct sigv4_pair *sorted, size_t count,
                                      struct buf *out, struct hoist_error *err) {
  for (size_t i = 0; i < count; i++) {
    enum hoist_status status = buf_printf(out, err, "%s%s", i ? ";" : "", sorted[i].name);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

static enum hoist_status canonical_request(const struct sigv4_request *r,
                                           const struct sigv4_pair *sorted, struct buf *out,
                                           struct hoist_error *err) {
  enum hoist_status status = buf_printf(out, err, "%s\n%s\n%s\n", r->method, r->path, r->query);
  for (size_t i = 0; i < r->header_count && status == HOIST_OK; i++)
    status = buf_printf(out, err, "%s:%s\n", sorted[i].name, sorted[i].value);
  if (status == HOIST_OK) status = buf_append(out, "\n", 1, err);
  if (status == HOIST_OK) status = append_names(sorted, r->header_count, out, err);
  if (status == HOIST_OK) status = buf_printf(out, err, "\n%s", r->payload_hash);
  return status;
}

static bool mac(const void *key, size_t key_size, const char *text, uint8_t out[MAC_BYTES]) {
  unsigned size = MAC_BYTES;
  return HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)text, strlen(text), out,
              &size) != NULL;
}

/* The chain of keys of the specification: secret → day → region → service → request → signature. */
static bool sign_text(const struct sigv4_credentials *c, const char *day, const char *text,
                      uint8_t out[MAC_BYTES]) {
  char *secret = text_format("AWS4%s", c->secret_key);
  if (!secret) return false;
  uint8_t key[MAC_BYTES], next[MAC_BYTES];
  bool ok = mac(secret, strlen(secret), day, key) && mac(key, MAC_BYTES, c->region, next) &&
            mac(next, MAC_BYTES, c->service, key) && mac(key, MAC_BYTES, "aws4_request", next) &&
            mac(next, MAC_BYTES, text, out);
  OPENSSL_cleanse(secret, strlen(secret));
  OPENSSL_cleanse(key, sizeof key);
  OPENSSL_cleanse(next, sizeof next);
  free(secret);
  return ok;
}

enum hoist_status sigv4_authorization(const struct sigv4_credentials *credentials,
                                      const struct sigv4_request *request,
                                      const char date[SIGV4_DATE_SIZE], struct buf *ret_value,
                                      struct hoist_error *err) {
  struct sigv4_pair sorted[SIGV4_MAX_HEADERS];
  if (request->header_count > SIGV4_MAX_HEADERS)
    return hoist_fail(err, HOIST_INVALID, "more than %d headers to sign", SIGV4_MAX_HEADERS);
  memcpy(sorted, request->headers, request->header_count * sizeof *sorted);
  qsort(sorted, request->header_count, sizeof *sorted, compare_pairs);

  HOIST_AUTO(buf) struct buf canonical = buf_make(SIGV4_MAX_BYTES);
  enum hoist_status status = canonical_request(request, sorted, &canonical, err);
  if (status != HOIST_OK) return status;
  struct digest hash;
  status = digest_of(DIGEST_SHA256, canonical.data, canonical.size, &hash, err);
  if (status != HOIST_OK) return status;
  char day[DAY_SIZE], hash_hex[DIGEST_HEX_SIZE], signature_hex[2 * MAC_BYTES + 1];
  text_copy(day, sizeof day, date);
  digest_hex(&hash, hash_hex);

  HOIST_AUTO(mem)
  char *scope =
      text_format("%s/%s/%s/aws4_request", day, credentials->region, credentials->service);
  HOIST_AUTO(mem)
  char *to_sign = scope ? text_format("AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, hash_hex) : NULL;
  uint8_t signature[MAC_BYTES];
  if (!to_sign) return hoist_fail_memory(err, "a signature");
  if (!sign_text(credentials, day, to_sign, signature))
    return hoist_fail(err, HOIST_UNSUPPORTED, "OpenSSL cannot compute HMAC-SHA-256 here");
  hex_encode(signature, sizeof signature, signature_hex);
  status = buf_printf(ret_value, err,
                      "AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=", credentials->access_key,
                      scope);
  if (status == HOIST_OK) status = append_names(sorted, request->header_count, ret_value, err);
  if (status == HOIST_OK) status = buf_printf(ret_value, err, ",Signature=%s", signature_hex);
  return status;
}
