/* SPDX-License-Identifier: Apache-2.0 */
/* Saved graphs as loads use them: is there one for this model on this machine, and how to make one. */
#ifndef HOIST_LOADER_GRAPHS_H
#define HOIST_LOADER_GRAPHS_H

#include "hoist_internal.h"

/** What a load learns about the graph of its model. */
struct graph_look {
  enum graph_use use;
  char detail[256];          /* for people: why, what it saves; "": nothing to say */
  char key[DIGEST_HEX_SIZE]; /* "" where no graph can be of use */
  int wants_saving;
  struct cache_graph *graph; /* GRAPH_HIT; released with graph_look_done */
};
void graph_look_done(struct graph_look *look);

/** Looks for the graph of a model. Never fails: without one, the load goes on. */
void graph_look_for(const struct call *call, struct hoist *hoist, const struct model_id *id,
                    const struct manifest *manifest, struct ort *ort, struct graph_look *ret_look);
/** Takes in what the session made of it. */
void graph_look_settle(struct graph_look *look, struct hoist *hoist, const struct model_id *id,
                       const struct session *session);
const char *graph_use_name(enum graph_use use); /* "hit", "miss", "off", "refused" */

/** All that saving a graph needs, after the load that wanted it. */
struct graph_job {
  struct graph_job *next;
  struct model_id id;
  char key[DIGEST_HEX_SIZE];
  char *weights; /* name of the file */
  struct cache_entry *entry;
  struct ort *ort;
  struct hoist_span_context load; /* the load that asked; all zero: none */
};
void graph_job_free(struct graph_job *job);

/** What came of it; owned. */
struct graph_result {
  struct graph_result *next;
  char model_id[MODEL_ID_MAX + 1];
  struct hoist_error error; /* OK: saved */
  struct cache_graph_facts facts;
  uint64_t bytes;
};
/** Saves the graph: makes it, measures whether it pays, publishes it, or puts down that it does not pay. In a
 *  span model.graph_cache.save: of `call`, or where that has none, the root of a trace of its own, linked to
 *  the load's. */
void graph_save(const struct call *call, struct hoist *hoist, const struct graph_job *job,
                struct graph_result *ret_result);

#endif
