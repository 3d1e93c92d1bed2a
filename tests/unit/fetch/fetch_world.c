/* SPDX-License-Identifier: Apache-2.0 */
/* The world of the tests of fetch. */
#include "fetch_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs.h"

int world_set_up(void **state) {
  struct world *w = calloc(1, sizeof *w);
  strcpy(w->root, "/tmp/hoist-fetch-XXXXXX");
  assert_non_null(mkdtemp(w->root));
  w->tracer = fake_tracer_new();
  hoist_span_start_root(w->tracer->telemetry, "root", HOIST_SPAN_INTERNAL, NULL, &w->root_span);
  w->call = (struct call){.span = &w->root_span, .telemetry = w->tracer->telemetry};
  assert_int_equal(model_id_parse("faces/1", &w->id, NULL), HOIST_OK);
  assert_int_equal(cache_open(w->root, &w->cache, NULL), HOIST_OK);
  assert_int_equal(cache_lock(&w->call, w->cache, &w->id, &w->lock, NULL), HOIST_OK);
  assert_int_equal(cache_begin(&w->call, w->lock, 0, &w->txn, NULL), HOIST_OK);
  w->source = fake_source_new("fake");
  *state = w;
  return 0;
}

int world_tear_down(void **state) {
  struct world *w = *state;
  hoist_span_end(&w->root_span);
  fake_tracer_check(w->tracer, NULL);
  manifest_done(&w->m);
  cache_discard(w->txn);
  cache_unlock(w->lock);
  cache_close(w->cache);
  source_free(&w->source->base);
  fake_tracer_free(w->tracer);
  assert_int_equal(fs_remove_tree(AT_FDCWD, w->root, NULL), HOIST_OK);
  free(w);
  return 0;
}

enum hoist_status world_fetch_all(struct world *w, unsigned connections) {
  struct source *s = &w->source->base;
  assert_int_equal(s->ops->describe(&w->call, s, &w->id, &w->m, &w->err), HOIST_OK);
  return fetch_model(&w->call, s, &w->id, &w->m, w->txn, connections, &w->outcome, &w->err);
}

void world_forget(struct world *w) {
  w->source->file_count = 0;
  manifest_done(&w->m);
  w->m = (struct manifest){0};
  cache_discard(w->txn);
  assert_int_equal(cache_begin(&w->call, w->lock, 0, &w->txn, NULL), HOIST_OK);
}
