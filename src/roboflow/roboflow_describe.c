/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints in their order, and what each answer becomes. Any thread. */
#include "roboflow_describe_internal.h"

#include "path_rule.h"
#include "roboflow_answer.h"

void roboflow_visit(const struct description *d, const struct source_candidate *candidate) {
  if (d->visitor) d->visitor->visit(d->visitor->user, candidate);
}

/* ---- files ------------------------------------------------------------------------------------ */

enum hoist_status roboflow_check_file(const struct http_response *response, const char *name,
                                      struct hoist_error *err) {
  if (response->status != 404 && response->status != 410) return http_check(response, name, err);
  (void)hoist_fail(err, HOIST_CORRUPT,
                   "%s: the API lists it, but its storage does not have it (HTTP status %d): the "
                   "model package is broken",
                   name, response->status);
  if (err) err->http_status = response->status;
  return HOIST_CORRUPT;
}

/* 400 as well: that is how Google's storage says ExpiredToken. */
bool roboflow_may_be_expired(int http_status) {
  return http_status == 400 || http_status == 401 || http_status == 403;
}

static enum hoist_status get_environment(const struct call *call, const struct description *d,
                                         struct roboflow_answer *answer, int *ret_http_status,
                                         struct hoist_error *err) {
  static const char name[] = "environment.json";
  struct http_request request = {.max_body = ROBOFLOW_MAX_ENVIRONMENT_BYTES,
                                 .timeout_ms = d->client->request_timeout_ms};
  HOIST_AUTO(http_response) struct http_response response = {0};
  enum hoist_status status =
      roboflow_get(call, d->client, answer->environment_url, &request, &response, err);
  if (status != HOIST_OK) {
    hoist_error_prepend(err, "%s", name);
    return status;
  }
  *ret_http_status = response.status;
  status = roboflow_check_file(&response, name, err);
  if (status != HOIST_OK) return status;
  return roboflow_add_environment(answer, buf_str(&response.body), response.body.size, err);
}

/* ---- the older endpoints ---------------------------------------------------------------------- */

static enum hoist_status read_answer(enum roboflow_family family, const struct buf *body,
                                     struct roboflow_answer *ret_answer, struct hoist_error *err) {
  const char *json = buf_str(body);
  switch (family) {
  case ROBOFLOW_ORT:
    return roboflow_read_ort(json, body->size, ret_answer, err);
  case ROBOFLOW_CORE_MODEL:
    return roboflow_read_core_model(json, body->size, ret_answer, err);
  case ROBOFLOW_OWLV2:
    return roboflow_read_owlv2(json, body->size, ret_answer, err);
  case ROBOFLOW_GET_WEIGHTS:
    return roboflow_read_weights(json, body->size, ret_answer, err);
  case ROBOFLOW_PACKAGES:
  case ROBOFLOW_STAT:
    break;
  }
  return hoist_fail(err, HOIST_INTERNAL, "%s has no one answer", roboflow_endpoint(family));
}

static enum hoist_status ask(const struct call *call, const struct description *d,
                             enum roboflow_family family, struct roboflow_answer *ret_answer,
                             struct hoist_error *err) {
  HOIST_AUTO(buf) struct buf body = {0};
  enum hoist_status status = roboflow_ask(call, d->client, family, d->id, NULL, &body, err);
  if (status != HOIST_OK) return status;
  status = read_answer(family, &body, ret_answer, err);
  char shown[PATH_SHOWN_SIZE];
  if (status != HOIST_OK) hoist_error_prepend(err, "model \"%s\"", path_shown(d->id->text, shown));
  return status;
}

/* The answer and, where it hands out a URL for it, environment.json. That URL may expire before it is
 * used, as any of them: then the API is asked for a fresh one, once. */
static enum hoist_status ask_whole(const struct call *call, const struct description *d,
                                   enum roboflow_family family, struct roboflow_answer *answer,
                                   struct hoist_error *err) {
  int http_status = 0;
  enum hoist_status status = ask(call, d, family, answer, err);
  if (status != HOIST_OK || !answer->environment_url) return status;
  status = get_environment(call, d, answer, &http_status, err);
  if (!roboflow_may_be_expired(http_status)) return status;
  roboflow_answer_done(answer);
  status = ask(call, d, family, answer, err);
  if (status != HOIST_OK || !answer->environment_url) return status;
  return get_environment(call, d, answer, &http_status, err);
}

static enum hoist_status describe_by_answer(const struct call *call, struct description *d,
                                            enum roboflow_family family, struct hoist_error *err) {
  HOIST_AUTO(roboflow_answer) struct roboflow_answer answer = {0};
  enum hoist_status status = d->wanted == ROBOFLOW_WANT_ALL
                                 ? ask_whole(call, d, family, &answer, err)
                                 : ask(call, d, family, &answer, err);
  if (status != HOIST_OK) return status;
  d->manifest = answer.manifest;
  answer.manifest = (struct manifest){0};
  return HOIST_OK;
}

/* ---- one after the other ---------------------------------------------------------------------- */

static enum hoist_status try_family(const struct call *call, struct description *d,
                                    enum roboflow_family family, bool is_last,
                                    struct hoist_error *err) {
  struct roboflow_span s;
  roboflow_span_begin(&s, call, family);
  enum hoist_status status = family == ROBOFLOW_PACKAGES
                                 ? roboflow_describe_by_packages(&s.call, d, err)
                                 : describe_by_answer(&s.call, d, family, err);
  if (status == HOIST_OK && d->manifest.package_id)
    hoist_span_set_string(&s.span, "roboflow_api.package_id", d->manifest.package_id);
  roboflow_span_end(&s, status, is_last, err);
  return status;
}

static void visit_endpoint(const struct description *d, enum roboflow_family family, bool was_asked,
                           enum hoist_status status, const struct hoist_error *failure) {
  const char *reason = status == HOIST_OK
                           ? "not asked: an endpoint before it has the model"
                           : "not asked: one before it could not say whether it has the model";
  if (was_asked) reason = status == HOIST_OK ? "it has the model" : failure->message;
  const struct source_candidate candidate = {
      .endpoint = roboflow_endpoint(family),
      .is_chosen = was_asked && status == HOIST_OK,
      .reason = reason,
  };
  roboflow_visit(d, &candidate);
}

static bool may_go_on(enum hoist_status status) {
  return status == HOIST_NOT_FOUND || status == HOIST_UNSUPPORTED;
}

/* A package without environment.json is what there is where no other endpoint has the model. */
static void keep_aside(struct description *d, struct manifest *ret_manifest) {
  *ret_manifest = d->manifest;
  d->manifest = (struct manifest){0};
  d->is_makeshift = 0;
}

/* @param from  how many of the endpoints to leave out */
static enum hoist_status try_families(const struct call *call, struct description *d, size_t from,
                                      struct hoist_error *err) {
  enum roboflow_family families[ROBOFLOW_MAX_FAMILIES];
  size_t count = roboflow_families_of(d->id, families), i = from;
  HOIST_AUTO(manifest) struct manifest makeshift = {0};
  struct hoist_error failure = {0}, objection = {0};
  enum hoist_status status = HOIST_NOT_FOUND;
  for (; i < count && may_go_on(status); i++) {
    failure = (struct hoist_error){0};
    status = try_family(call, d, families[i], i + 1 == count && !makeshift.files, &failure);
    visit_endpoint(d, families[i], true, status, &failure);
    if (status == HOIST_UNSUPPORTED) objection = failure;
    if (!d->is_makeshift) continue;
    keep_aside(d, &makeshift);
    status = HOIST_NOT_FOUND;
  }
  for (; i < count; i++)
    visit_endpoint(d, families[i], false, status, NULL);
  if (may_go_on(status) && makeshift.files) {
    d->manifest = makeshift;
    makeshift = (struct manifest){0};
    return HOIST_OK;
  }
  if (status == HOIST_NOT_FOUND && objection.status != HOIST_OK) failure = objection;
  if (status != HOIST_OK && err) *err = failure;
  return status == HOIST_OK ? HOIST_OK : failure.status;
}

enum hoist_status roboflow_describe(const struct call *call, const struct roboflow_client *client,
                                    const struct model_id *id, enum roboflow_wanted wanted,
                                    const struct source_visitor *visitor,
                                    struct manifest *ret_manifest, struct hoist_error *err) {
  struct description d = {.client = client, .id = id, .wanted = wanted, .visitor = visitor};
  enum hoist_status status = try_families(call, &d, 0, err);
  if (status == HOIST_OK)
    *ret_manifest = d.manifest;
  else
    manifest_done(&d.manifest);
  return status;
}

/* ---- may it be used ---------------------------------------------------------------------------- */

static enum hoist_status ask_stat(const struct call *call, const struct description *d,
                                  struct hoist_error *err) {
  struct roboflow_span s;
  HOIST_AUTO(buf) struct buf body = {0};
  HOIST_AUTO(manifest) struct manifest type = {0};
  roboflow_span_begin(&s, call, ROBOFLOW_STAT);
  enum hoist_status status =
      roboflow_ask(&s.call, d->client, ROBOFLOW_STAT, d->id, NULL, &body, err);
  if (status == HOIST_OK) status = roboflow_read_stat(buf_str(&body), body.size, &type, err);
  roboflow_span_end(&s, status, false, err);
  return status;
}

enum hoist_status roboflow_check_access(const struct call *call,
                                        const struct roboflow_client *client,
                                        const struct model_id *id, struct hoist_error *err) {
  struct description d = {.client = client, .id = id, .wanted = ROBOFLOW_WANT_URLS};
  struct hoist_error failure = {0};
  enum hoist_status status = ask_stat(call, &d, &failure);
  if (status == HOIST_NOT_FOUND) status = try_families(call, &d, 1, &failure);
  manifest_done(&d.manifest);
  if (status != HOIST_OK && err) *err = failure;
  return status;
}
