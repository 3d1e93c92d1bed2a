/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of a bucket's listing. */
#ifndef HOIST_SOURCE_S3_PAGES_H
#define HOIST_SOURCE_S3_PAGES_H

#include "s3_client.h"
#include "s3_xml.h"

#define S3_PAGE_OBJECTS "1000"
#define S3_MAX_PAGE_OBJECTS 10000u /* a server may ignore how many were asked for */

/** Appends the next page below `prefix` to the listing: the first where that has no token.
 *  @param max_keys  how many to ask for
 *  @param what      "s3://bucket/prefix", for errors */
HOIST_MUST_CHECK enum hoist_status s3_list_page(const struct call *call,
                                                const struct s3_client *client, const char *prefix,
                                                const char *max_keys, const char *what,
                                                struct s3_listing *listing,
                                                struct hoist_error *err);

/** source_ops.list for the keys that begin with `prefix`. */
HOIST_MUST_CHECK enum hoist_status s3_visit(const struct call *call, const struct s3_client *client,
                                            const char *prefix, const struct source_visit *visit,
                                            struct hoist_error *err);

#endif
