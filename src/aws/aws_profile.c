/* SPDX-License-Identifier: Apache-2.0 */
/* What a profile of ~/.aws/config and ~/.aws/credentials gives, in this order: a role taken on with a token,
 * or with the credentials of another profile or place; keys; what a command prints. Keys count before a login
 * of the AWS CLI's, because tools write those of such a login there for programs that cannot do it. Owns
 * nothing; any thread. */
#include <string.h>

#include "aws_search.h"
#include "text.h"

#define MAX_CHAIN 8 /* profiles, each the source of the one before it */

struct chain {
  const char *profiles[MAX_CHAIN];
  size_t count;
};

static enum hoist_status resolve(const struct call *call, const struct aws_search *s,
                                 const char *profile, struct chain *chain,
                                 const struct aws_credentials **ret_credentials,
                                 struct hoist_error *err);

static const char *get(const struct aws_search *s, const char *profile, const char *key) {
  return aws_config_get(s->config, profile, key);
}

static bool has_keys(const struct aws_search *s, const char *profile) {
  return get(s, profile, "aws_access_key_id") || get(s, profile, "aws_secret_access_key");
}

static struct aws_role role_of(const struct aws_search *s, const char *profile) {
  return (struct aws_role){.arn = get(s, profile, "role_arn"),
                           .session_name = get(s, profile, "role_session_name"),
                           .external_id = get(s, profile, "external_id"),
                           .duration = get(s, profile, "duration_seconds"),
                           .profile = profile};
}

/* ---- roles ------------------------------------------------------------------------------------ */

static enum hoist_status source_place(const struct call *call, const struct aws_search *s,
                                      const char *profile, const char *name,
                                      const struct aws_credentials **ret_credentials,
                                      struct hoist_error *err) {
  static const struct {
    const char *name;
    aws_place_fn *ask;
  } places[] = {{"Environment", aws_from_environment},
                {"Ec2InstanceMetadata", aws_from_instance},
                {"EcsContainer", aws_from_container}};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    if (strcmp(places[i].name, name) != 0) continue;
    enum hoist_status status = places[i].ask(call, s, ret_credentials, err);
    if (status != HOIST_OK)
      hoist_error_prepend(err, "profile \"%s\": its credential_source %s", profile, name);
    return aws_does_apply(status, err);
  }
  return hoist_fail(err, HOIST_INVALID,
                    "profile \"%s\": credential_source is \"%.64s\": use Environment, "
                    "Ec2InstanceMetadata or EcsContainer",
                    profile, name);
}

static bool is_in(const struct chain *chain, const char *profile) {
  for (size_t i = 0; i < chain->count; i++)
    if (strcmp(chain->profiles[i], profile) == 0) return true;
  return false;
}

static enum hoist_status from_keys(const struct aws_search *s, const char *profile,
                                   const struct aws_credentials **ret_credentials,
                                   struct hoist_error *err) {
  const struct aws_credentials found = {.access_key = get(s, profile, "aws_access_key_id"),
                                        .secret_key = get(s, profile, "aws_secret_access_key"),
                                        .session_token = get(s, profile, "aws_session_token"),
                                        .provider = "profile"};
  if (found.access_key && found.secret_key)
    return aws_credentials_new(&found, ret_credentials, err);
  return hoist_fail(err, HOIST_INVALID, "profile \"%s\" has %s: add %s", profile,
                    found.access_key ? "a key id without its secret key"
                                     : "a secret key without its id",
                    found.access_key ? "aws_secret_access_key" : "aws_access_key_id");
}

/* A profile may be its own source, if it has keys; and the first with keys ends a chain. */
static enum hoist_status source_profile(const struct call *call, const struct aws_search *s,
                                        const char *profile, const char *source,
                                        struct chain *chain,
                                        const struct aws_credentials **ret_credentials,
                                        struct hoist_error *err) {
  if (!aws_config_has(s->config, source))
    return hoist_fail(err, HOIST_INVALID,
                      "profile \"%s\": its source_profile \"%s\" is in neither %s nor %s", profile,
                      source, s->config->config_path, s->config->credentials_path);
  if (has_keys(s, source)) return from_keys(s, source, ret_credentials, err);
  if (is_in(chain, source))
    return hoist_fail(err, HOIST_INVALID,
                      "profile \"%s\": its source_profile \"%s\" leads back to itself", profile,
                      source);
  return aws_does_apply(resolve(call, s, source, chain, ret_credentials, err), err);
}

static enum hoist_status from_role(const struct call *call, const struct aws_search *s,
                                   const char *profile, struct chain *chain,
                                   const struct aws_credentials **ret_credentials,
                                   struct hoist_error *err) {
  HOIST_AUTO(aws_credentials) const struct aws_credentials *source = NULL;
  const struct aws_role role = role_of(s, profile);
  const char *other = get(s, profile, "source_profile");
  const char *place = get(s, profile, "credential_source");
  if (!other == !place)
    return hoist_fail(err, HOIST_INVALID,
                      "profile \"%s\": role_arn needs %s source_profile and credential_source",
                      profile, other ? "only one of" : "one of");
  if (get(s, profile, "mfa_serial"))
    return hoist_fail(err, HOIST_UNSUPPORTED,
                      "profile \"%s\": its role wants a code of mfa_serial, which hoist cannot ask "
                      "for; get credentials with the AWS CLI: credential_process = aws configure "
                      "export-credentials --profile %s",
                      profile, profile);
  enum hoist_status status = other ? source_profile(call, s, profile, other, chain, &source, err)
                                   : source_place(call, s, profile, place, &source, err);
  if (status != HOIST_OK) return status;
  return aws_assume_role(call, s, &role, source, ret_credentials, err);
}

static enum hoist_status from_token(const struct call *call, const struct aws_search *s,
                                    const char *profile, const char *token_file,
                                    const struct aws_credentials **ret_credentials,
                                    struct hoist_error *err) {
  const struct aws_role role = role_of(s, profile);
  if (!role.arn)
    return hoist_fail(err, HOIST_INVALID,
                      "profile \"%s\" has web_identity_token_file without role_arn", profile);
  return aws_assume_role_with_token(call, s, &role, token_file, ret_credentials, err);
}

/* ---- all of it -------------------------------------------------------------------------------- */

/* These need a browser, or tokens that the AWS CLI keeps and renews. */
static const char *interactive_login(const struct aws_search *s, const char *profile) {
  static const char *const keys[] = {"sso_session", "sso_start_url", "login_session"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    if (get(s, profile, keys[i])) return keys[i];
  return NULL;
}

static enum hoist_status resolve_found(const struct call *call, const struct aws_search *s,
                                       const char *profile, struct chain *chain,
                                       const struct aws_credentials **ret_credentials,
                                       struct hoist_error *err) {
  const char *token_file = get(s, profile, "web_identity_token_file");
  if (token_file) return from_token(call, s, profile, token_file, ret_credentials, err);
  if (get(s, profile, "role_arn")) return from_role(call, s, profile, chain, ret_credentials, err);
  if (has_keys(s, profile)) return from_keys(s, profile, ret_credentials, err);
  const char *login = interactive_login(s, profile);
  if (login)
    return hoist_fail(err, HOIST_UNSUPPORTED,
                      "profile \"%s\" logs in through %s, which hoist does not; use a profile with "
                      "credential_process = aws configure export-credentials --profile %s",
                      profile, login, profile);
  const char *command = get(s, profile, "credential_process");
  if (!command)
    return hoist_fail(err, HOIST_NOT_FOUND, "profile \"%s\" has no credentials", profile);
  enum hoist_status status = aws_run_process(call, command, ret_credentials, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "profile \"%s\"", profile);
  return status;
}

static enum hoist_status resolve(const struct call *call, const struct aws_search *s,
                                 const char *profile, struct chain *chain,
                                 const struct aws_credentials **ret_credentials,
                                 struct hoist_error *err) {
  if (chain->count == MAX_CHAIN)
    return hoist_fail(err, HOIST_INVALID,
                      "profile \"%s\": over %d profiles, each the source of another",
                      chain->profiles[0], MAX_CHAIN);
  chain->profiles[chain->count++] = profile;
  return resolve_found(call, s, profile, chain, ret_credentials, err);
}

enum hoist_status aws_from_profile(const struct call *call, const struct aws_search *search,
                                   const struct aws_credentials **ret_credentials,
                                   struct hoist_error *err) {
  struct chain chain = {.count = 0};
  bool is_named = search->options->texts.profile != NULL;
  if (!aws_config_has(search->config, search->profile))
    return hoist_fail(err, is_named ? HOIST_INVALID : HOIST_NOT_FOUND,
                      "there is no profile \"%s\" in %s or %s%s", search->profile,
                      search->config->config_path, search->config->credentials_path,
                      is_named ? "; check AWS_PROFILE" : "");
  return resolve(call, search, search->profile, &chain, ret_credentials, err);
}
