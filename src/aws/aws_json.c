/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials in JSON. Pure; any thread. */
#include <jansson.h>
#include <string.h>

#include "aws_document.h"
#include "aws_time.h"

static inline void json_object_cleanup(json_t **object) {
  json_decref(*object);
}

/* NULL: not there, null or empty. */
static enum hoist_status get_text(const json_t *object, const char *name, const char *who,
                                  const char **ret_text, struct hoist_error *err) {
  const json_t *member = json_object_get(object, name);
  const char *text = json_string_value(member);
  *ret_text = text && *text ? text : NULL;
  if (!member || json_is_null(member) || text) return HOIST_OK;
  return hoist_fail(err, HOIST_CORRUPT, "%s: \"%s\" is not a text", who, name);
}

static enum hoist_status check_version(const json_t *object, const char *who,
                                       struct hoist_error *err) {
  const json_t *version = json_object_get(object, "Version");
  if (json_is_integer(version) && json_integer_value(version) == 1) return HOIST_OK;
  return hoist_fail(err, HOIST_CORRUPT, "%s: \"Version\" is not 1, the only one there is", who);
}

/* An instance whose role is broken, and some container agents, answer with 200 and this. The words of
 * who gives keys as well are not shown. */
static enum hoist_status check_code(const json_t *object, const char *who,
                                    struct hoist_error *err) {
  const char *code = json_string_value(json_object_get(object, "Code"));
  const char *message = json_string_value(json_object_get(object, "Message"));
  if (!code || strcmp(code, "Success") == 0) return HOIST_OK;
  if (json_object_get(object, "SecretAccessKey") || json_object_get(object, "Token"))
    return hoist_fail(err, HOIST_CORRUPT, "%s: \"Code\" is not \"Success\"", who);
  return hoist_fail(err, HOIST_DENIED, "%s gives no credentials: %.64s%s%.256s", who, code,
                    message ? ": " : "", message ? message : "");
}

static enum hoist_status read_expiry(const char *text, const char *who, uint64_t *ret_unix_s,
                                     struct hoist_error *err) {
  if (!text || aws_time_parse(text, ret_unix_s)) return HOIST_OK;
  return hoist_fail(err, HOIST_CORRUPT, "%s: \"Expiration\" is not a time", who);
}

static enum hoist_status read_members(enum aws_document_kind kind, const json_t *object,
                                      const char *who,
                                      const struct aws_credentials **ret_credentials,
                                      struct hoist_error *err) {
  bool is_process = kind == AWS_DOCUMENT_PROCESS;
  const char *expiry;
  struct aws_credentials found = {.provider = who};
  enum hoist_status status =
      is_process ? check_version(object, who, err) : check_code(object, who, err);
  if (status == HOIST_OK) status = get_text(object, "AccessKeyId", who, &found.access_key, err);
  if (status == HOIST_OK) status = get_text(object, "SecretAccessKey", who, &found.secret_key, err);
  if (status == HOIST_OK)
    status =
        get_text(object, is_process ? "SessionToken" : "Token", who, &found.session_token, err);
  if (status == HOIST_OK) status = get_text(object, "Expiration", who, &expiry, err);
  if (status == HOIST_OK) status = read_expiry(expiry, who, &found.expires_unix_s, err);
  if (status != HOIST_OK) return status;
  const char *missing = !found.access_key                     ? "AccessKeyId"
                        : !found.secret_key                   ? "SecretAccessKey"
                        : !is_process && !found.session_token ? "Token"
                        : !is_process && !expiry              ? "Expiration"
                                                              : NULL;
  if (missing) return hoist_fail(err, HOIST_CORRUPT, "%s: there is no \"%s\"", who, missing);
  return aws_credentials_new(&found, ret_credentials, err);
}

enum hoist_status aws_document_read(enum aws_document_kind kind, const char *text, size_t size,
                                    const char *who, const struct aws_credentials **ret_credentials,
                                    struct hoist_error *err) {
  json_error_t why;
  if (size > AWS_DOCUMENT_MAX_BYTES)
    return hoist_fail(err, HOIST_CORRUPT, "%s: over %u bytes", who, AWS_DOCUMENT_MAX_BYTES);
  HOIST_AUTO(json_object) json_t *object = json_loadb(text, size, 0, &why);
  if (!object || !json_is_object(object))
    return hoist_fail(err, HOIST_CORRUPT, "%s: not a JSON object (line %d, column %d)", who,
                      object ? 1 : why.line, object ? 1 : why.column);
  return read_members(kind, object, who, ret_credentials, err);
}
