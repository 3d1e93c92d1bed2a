/* SPDX-License-Identifier: Apache-2.0 */
/* Where a bucket is: endpoint and region, in the path or in the host name. Immutable, shared by reference. */
#ifndef HOIST_SOURCE_S3_PLACE_H
#define HOIST_SOURCE_S3_PLACE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "auto.h"
#include "err.h"

/** How to get from a region to a place. Borrowed. */
struct s3_addressing {
  const char *bucket;
  const char *endpoint; /* NULL: AWS in the region */
  int virtual_host;     /* -1: decide, 0, 1 */
  bool dualstack;       /* AWS's endpoints that answer over IPv6 too */
  bool fips;            /* AWS's endpoints with validated cryptography */
};

struct s3_place {
  char *region;
  char *origin; /* "https://host[:port]" */
  char *host;   /* the Host header, as it is sent and signed */
  char *path;   /* what every path begins with: "/bucket", or "" with virtual hosts */
  atomic_uint references;
};

/** Decided, a bucket is a virtual host at AWS, unless its name has dots, which no certificate covers; at an
 *  endpoint of the user's own it is in the path.
 *  Errors: INVALID a malformed bucket, region or endpoint, or switches that do not go together ·
 *          UNSUPPORTED an access point, a directory bucket · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status s3_place_new(const struct s3_addressing *addressing,
                                                const char *region, struct s3_place **ret_place,
                                                struct hoist_error *err);
struct s3_place *s3_place_ref(struct s3_place *place);
void s3_place_unref(struct s3_place *place);
HOIST_DEFINE_AUTO(s3_place, struct s3_place, s3_place_unref)

/** Whether it has the shape of a region's name. */
bool s3_is_region(const char *text);

#endif
