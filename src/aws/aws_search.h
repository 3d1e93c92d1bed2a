/* SPDX-License-Identifier: Apache-2.0 */
/* What the places share that credentials may come from. Each is a function that gives credentials, or fails:
 * with NOT_FOUND where the place does not apply, and the message says why; the next one is asked then. Any
 * other failure is final, as in the SDKs: who has set a place up does not want another to be used instead. */
#ifndef HOIST_AWS_SEARCH_H
#define HOIST_AWS_SEARCH_H

#include "aws.h"
#include "buf.h"

/* One search for credentials. */
struct aws_search {
  const struct aws_options *options;
  struct http *http;               /* for STS */
  struct http *local;              /* for the services of the machine itself */
  const struct aws_config *config; /* as the files are now */
  const char *profile;
};

typedef enum hoist_status aws_place_fn(const struct call *call, const struct aws_search *search,
                                       const struct aws_credentials **ret_credentials,
                                       struct hoist_error *err);

aws_place_fn aws_from_environment, aws_from_web_identity, aws_from_profile, aws_from_container,
    aws_from_instance;

/** Makes NOT_FOUND, which would let the next place be asked, DENIED: what failed had been asked for. */
enum hoist_status aws_does_apply(enum hoist_status status, struct hoist_error *err);

#define AWS_MAX_TOKEN_BYTES (64u << 10)

/** The contents of a file with a token, without the white space at its end.
 *  Errors: INVALID empty · by errno */
HOIST_MUST_CHECK enum hoist_status aws_read_token(const char *path, const char *what,
                                                  struct buf *ret_token, struct hoist_error *err);

/* ---- STS -------------------------------------------------------------------------------------- */

struct aws_role {
  const char *arn;
  const char *session_name; /* NULL: one is made up */
  const char *external_id;  /* NULL: none */
  const char *duration;     /* in seconds; NULL: STS decides */
  const char *profile;      /* whose endpoint and region count */
};

/** AssumeRole, signed with `source`. */
HOIST_MUST_CHECK enum hoist_status aws_assume_role(const struct call *call,
                                                   const struct aws_search *search,
                                                   const struct aws_role *role,
                                                   const struct aws_credentials *source,
                                                   const struct aws_credentials **ret_credentials,
                                                   struct hoist_error *err);
/** AssumeRoleWithWebIdentity with the token in that file, which is read each time. */
HOIST_MUST_CHECK enum hoist_status aws_assume_role_with_token(
    const struct call *call, const struct aws_search *search, const struct aws_role *role,
    const char *token_file, const struct aws_credentials **ret_credentials,
    struct hoist_error *err);

/* ---- credential_process ------------------------------------------------------------------------ */

/** Runs the command, which is split into words as a shell would, and not run by one. What it says on
 *  its standard error is nobody's: it may hold secrets.
 *  Errors: INVALID not a command · DENIED it cannot be started, or fails · CORRUPT what it prints
 *          makes no sense · TIMEOUT, CANCELLED by the call · UNAVAILABLE it takes too long */
HOIST_MUST_CHECK enum hoist_status aws_run_process(const struct call *call, const char *command,
                                                   const struct aws_credentials **ret_credentials,
                                                   struct hoist_error *err);

/* The words of a command line, as a POSIX shell splits them, without expanding anything. */
struct aws_words {
  char *text;
  char **words; /* NULL at the end */
};
void aws_words_done(struct aws_words *words);
static inline void aws_words_cleanup(struct aws_words *words) {
  aws_words_done(words);
}
/** Errors: INVALID no words, a quote that is not closed · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status aws_words_split(const char *command, struct aws_words *ret_words,
                                                   struct hoist_error *err);

#endif
