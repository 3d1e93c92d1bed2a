/* SPDX-License-Identifier: Apache-2.0 */
/* Why a model would come in the form it does: the sources that have a choice are asked, and nothing is fetched. */
#include <stddef.h>

#include "operation.h"

struct explanation {
  const struct source *source;
  void (*report)(void *user, const struct hoist_candidate *candidate);
  void *user;
};

static void pass_on(void *user, const struct source_candidate *c) {
  const struct explanation *x = user;
  const struct hoist_candidate candidate = {.source = x->source->name,
                                            .endpoint = c->endpoint,
                                            .package_id = c->package_id,
                                            .facts = c->facts,
                                            .chosen = c->is_chosen,
                                            .reason = c->reason};
  x->report(x->user, &candidate);
}

static enum hoist_status ask(struct operation *op, struct source *source, struct explanation *x) {
  const struct source_visitor visitor = {.user = x, .visit = pass_on};
  x->source = source;
  if (source->ops->explain)
    return source->ops->explain(&op->call, source, &op->id, &visitor, &op->error);
  const struct hoist_candidate candidate = {
      .source = source->name, .reason = "not asked: it has a model in one form, or not at all"};
  x->report(x->user, &candidate);
  return HOIST_NOT_FOUND;
}

static enum hoist_status explain(struct operation *op, struct explanation *x) {
  const struct chain *chain = &op->hoist->chain;
  if (op->hoist->offline)
    return hoist_fail(
        &op->error, HOIST_INVALID,
        "offline mode is on, and what there is to choose from only a source can tell");
  enum hoist_status status = HOIST_NOT_FOUND;
  int was_asked = 0;
  for (size_t i = 0; i < chain->count && chain_falls_through(status); i++) {
    status = ask(op, chain->sources[i], x);
    was_asked |= chain->sources[i]->ops->explain != NULL;
  }
  if (was_asked) return status;
  return hoist_fail(&op->error, HOIST_INVALID,
                    "no source is configured that has models in several forms: only roboflow_api "
                    "does: set ROBOFLOW_API_KEY or HOIST_SOURCES");
}

enum hoist_status hoist_explain(struct hoist *hoist, const char *model_id,
                                const struct hoist_call_options *options,
                                void (*report)(void *user, const struct hoist_candidate *candidate),
                                void *user, struct hoist_error *err) {
  struct operation op;
  struct explanation x = {.report = report, .user = user};
  enum hoist_status status = operation_begin(&op, hoist, "model.explain", model_id, options);
  if (status == HOIST_OK) status = explain(&op, &x);
  return operation_end(&op, status, err);
}
