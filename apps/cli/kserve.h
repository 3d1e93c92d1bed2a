/* SPDX-License-Identifier: Apache-2.0 */
/* What KServe tells its storage initializer, read as its own one reads it. Pure: the environment is looked up,
 * never changed. */
#ifndef HOIST_CLI_KSERVE_H
#define HOIST_CLI_KSERVE_H

#include "auto.h"
#include "settings.h"

#define KSERVE_DEFAULT_DIRECTORY "/mnt/models"
#define KSERVE_MAX_PATTERNS 256

/** Settings and patterns, and the texts that both borrow from. */
struct kserve;
void kserve_free(struct kserve *k);
HOIST_DEFINE_AUTO(kserve, struct kserve, kserve_free)

/** Reads STORAGE_CONFIG, STORAGE_OVERRIDE_CONFIG, the variables that KServe mounts and the patterns.
 *  @param get_env  NULL: getenv
 *  @param config   as the environment made it; what KServe says of S3 overrides it. Borrows from the result
 *  Errors: INVALID a value that makes no sense: names the variable, never a secret · NOT_FOUND a CA bundle
 *          that is not there · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status kserve_read(settings_get_env get_env,
                                               struct hoist_config *config,
                                               struct kserve **ret_kserve, struct hoist_error *err);
/** STORAGE_ALLOW_PATTERNS and STORAGE_IGNORE_PATTERNS as rules; borrowed from `k`. */
struct hoist_copy_options kserve_rules(const struct kserve *k);

enum kserve_uri {
  KSERVE_COPY,   /* there is a place to copy from */
  KSERVE_NOTHING /* the model agent of a multi-model server brings models itself */
};
/** Where a storage URI points.
 *  @param ret_place  on OK with KSERVE_COPY: malloc'd, for hoist_copy
 *  Errors: UNSUPPORTED a scheme that hoist does not copy from: names it and what to use · NOT_FOUND a path
 *          that is not there · INVALID not a storage URI */
HOIST_MUST_CHECK enum hoist_status kserve_place(const char *uri, enum kserve_uri *ret_kind,
                                                char **ret_place, struct hoist_error *err);

#endif
