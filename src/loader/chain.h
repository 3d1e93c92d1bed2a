/* SPDX-License-Identifier: Apache-2.0 */
/* The ordered chain of sources, built from the configuration's `sources` text. */
#ifndef HOIST_LOADER_CHAIN_H
#define HOIST_LOADER_CHAIN_H

#include <hoist/hoist.h>

#include "aws.h"
#include "source.h"

#define CHAIN_MAX_SOURCES 16

struct chain {
  struct source *sources[CHAIN_MAX_SOURCES];
  size_t count;
  struct aws *aws; /* who gives the S3 sources their credentials; NULL: there is no such source */
};

/** Builds the sources in order. On failure the chain is empty.
 *  Errors: INVALID an unknown or incomplete item, naming it and what is missing · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status chain_init(struct chain *ret_chain,
                                              const struct hoist_config *config, struct http *http,
                                              struct hoist_error *err);
void chain_done(struct chain *chain);

/** The Roboflow API as a source by itself, whatever the chain is. Errors: as chain_init */
HOIST_MUST_CHECK enum hoist_status chain_make_api(const struct hoist_config *config,
                                                  struct http *http, struct source **ret_source,
                                                  struct hoist_error *err);

/** Whether a source's failure lets the next one be asked (docs/architecture.md, decision 4): it does
 *  not have the model, or in no form of use, cannot be reached, or sent something broken. Everything else is final. */
int chain_falls_through(enum hoist_status status);

#endif
