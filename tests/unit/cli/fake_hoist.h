/* SPDX-License-Identifier: Apache-2.0 */
/* A stand-in for the loader behind hoist.h. Models fail by their name: "not_found/1" is not found,
 * "denied/1" is denied with HTTP 403, and so on for every status; any other name works. Loads
 * record spans as the real one does, through the telemetry in the configuration. */
#ifndef HOIST_TESTS_CLI_FAKE_HOIST_H
#define HOIST_TESTS_CLI_FAKE_HOIST_H

#include <hoist/hoist.h>
#include <stdatomic.h>

/** What the command handed over, for tests to look at. */
struct fake_hoist {
  int opened, closed;
  atomic_int loads, pulls, verifies, removes, settles;
  atomic_int models_held;
  char cache_dir[256], sources[256];
  uint32_t timeout_ms;
  int has_cancel;
  struct hoist_span_context
      parent; /* zero: none was given; without its tracestate, which is here: */
  char tracestate[HOIST_TRACESTATE_SIZE], baggage[HOIST_BAGGAGE_SIZE];
  unsigned propagators; /* of the telemetry in the configuration, or the default */
  /* What to do: */
  int saves_graph;          /* a settle reports one */
  int list_count;           /* models in the cache: "m0/1", "m1/1", … */
  const char *list_problem; /* of the first one */
  enum hoist_status open_status, list_status;
  enum hoist_status finding_status; /* of "source s3" */
  enum hoist_status diagnose_status;
  enum hoist_status gc_status;
  size_t gc_busy;
  struct hoist_gc_options gc; /* as handed over */
  char copied[512];           /* "PLACE > DIRECTORY +INCLUDED -EXCLUDED\n", one line a copy */
  struct hoist_copy_result copy_result;
  char offers_source[256];    /* "": the configured ones */
  int offer_count;            /* models: "m0/1", "m1/1", … */
  const char *offers_problem; /* of a source behind them; NULL: there is none */
  enum hoist_status offers_status;
};
extern struct fake_hoist fake_hoist;

void fake_hoist_reset(void);

#endif
