/* SPDX-License-Identifier: Apache-2.0 */
/* Places that files are copied from: "s3://bucket/key or prefix", "dir:PATH". */
#ifndef HOIST_LOADER_PLACE_H
#define HOIST_LOADER_PLACE_H

#include "chain.h"

struct place {
  struct chain chain; /* of its one source */
  char *below;        /* where in it; see copy_request */
};

/** Opens the source that the place is in. Release with place_close, whatever came of it.
 *  @param config  as given to hoist_open
 *  Errors: INVALID no such kind of place: says which there are · NOT_FOUND no such path here · as chain_init */
HOIST_MUST_CHECK enum hoist_status place_open(const struct hoist_config *config, struct http *http,
                                              const char *text, struct place *ret_place,
                                              struct hoist_error *err);
void place_close(struct place *place);
static inline void place_cleanup(struct place *place) {
  place_close(place);
}

#endif
