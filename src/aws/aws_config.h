/* SPDX-License-Identifier: Apache-2.0 */
/* What ~/.aws/config and ~/.aws/credentials say, profile by profile. */
#ifndef HOIST_AWS_CONFIG_H
#define HOIST_AWS_CONFIG_H

#include "aws_ini.h"

struct aws_config {
  char *config_path, *credentials_path; /* for errors */
  struct aws_ini config, credentials;
};
void aws_config_done(struct aws_config *config);
static inline void aws_config_cleanup(struct aws_config *config) {
  aws_config_done(config);
}

/** Reads both files; one that is not there is empty. A path may begin with "~/".
 *  @param config_path, credentials_path  NULL: ~/.aws/config, ~/.aws/credentials
 *  Errors: INVALID a file is not of the format · DENIED, … a file cannot be read · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status aws_config_read(const char *config_path,
                                                   const char *credentials_path,
                                                   struct aws_config *ret_config,
                                                   struct hoist_error *err);

bool aws_config_has(const struct aws_config *config, const char *profile);
/** The value of a key in a profile; the credentials file wins. NULL: none, or an empty one. */
const char *aws_config_get(const struct aws_config *config, const char *profile, const char *key);
/** The same of a nested key: "s3", "addressing_style". */
const char *aws_config_get_sub(const struct aws_config *config, const char *profile,
                               const char *key, const char *sub);
/** Where a service is, as the profile has it: of the section [services X] that it names, else its own
 *  endpoint_url. NULL: nothing is said.
 *  @param service  "s3", "sts" */
const char *aws_config_endpoint(const struct aws_config *config, const char *profile,
                                const char *service);

#endif
