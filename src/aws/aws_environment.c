/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials, or a role and a token, that were set for the process itself. Any thread. */
#include <fcntl.h>
#include <string.h>

#include "aws_search.h"
#include "fs.h"

enum hoist_status aws_from_environment(const struct call *call, const struct aws_search *search,
                                       const struct aws_credentials **ret_credentials,
                                       struct hoist_error *err) {
  const struct aws_texts *t = &search->options->texts;
  (void)call;
  if (!t->access_key) return hoist_fail(err, HOIST_NOT_FOUND, "AWS_ACCESS_KEY_ID is not set");
  const struct aws_credentials given = {.access_key = t->access_key,
                                        .secret_key = t->secret_key,
                                        .session_token = t->session_token,
                                        .provider = "environment"};
  return aws_credentials_new(&given, ret_credentials, err);
}

enum hoist_status aws_from_web_identity(const struct call *call, const struct aws_search *search,
                                        const struct aws_credentials **ret_credentials,
                                        struct hoist_error *err) {
  const struct aws_texts *t = &search->options->texts;
  const struct aws_role role = {
      .arn = t->role_arn, .session_name = t->role_session_name, .profile = search->profile};
  if (!t->web_identity_token_file)
    return hoist_fail(err, HOIST_NOT_FOUND, "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
  if (!t->role_arn)
    return hoist_fail(
        err, HOIST_INVALID,
        "web_identity: AWS_WEB_IDENTITY_TOKEN_FILE is set without the role to take on; "
        "set AWS_ROLE_ARN");
  return aws_assume_role_with_token(call, search, &role, t->web_identity_token_file,
                                    ret_credentials, err);
}

enum hoist_status aws_read_token(const char *path, const char *what, struct buf *ret_token,
                                 struct hoist_error *err) {
  enum hoist_status status = fs_read_file(AT_FDCWD, path, ret_token, err);
  if (status != HOIST_OK) {
    hoist_error_prepend(err, "%s", what);
    return aws_does_apply(status, err);
  }
  while (ret_token->size > 0 && strchr(" \t\r\n", ret_token->data[ret_token->size - 1]))
    buf_cut(ret_token, ret_token->size - 1);
  if (ret_token->size == 0 || strlen(ret_token->data) != ret_token->size)
    return hoist_fail(err, HOIST_INVALID, "%s: there is no token in %s", what, path);
  return HOIST_OK;
}
