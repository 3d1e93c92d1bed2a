/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the Roboflow API and what its answers' statuses mean. Any thread. */
#include "roboflow_client.h"

#include <stdio.h>

#include <hoist/telemetry.h>

#include "clock.h"
#include "path_rule.h"

static const struct hoist_instrument api_duration = {
    .name = "inference.roboflow_api.duration",
    .unit = "s",
    .description = "Duration of calls to the Roboflow API.",
    .kind = HOIST_HISTOGRAM,
};

/* ---- what refusals mean ------------------------------------------------------------------------- */

static const char *unauthorized(const struct roboflow_client *client) {
  return client->api.api_key
             ? "the Roboflow API does not accept this API key: check ROBOFLOW_API_KEY"
             : "the Roboflow API wants an API key and none is set: set ROBOFLOW_API_KEY";
}

/* An API without the endpoint, or whose endpoint does not know such ids, does not have the model there. */
static bool says_not_here(enum roboflow_family family, int http_status) {
  return family == ROBOFLOW_PACKAGES || family == ROBOFLOW_STAT
             ? http_status == 400 || http_status == 404 || http_status == 405 ||
                   http_status == 410 || http_status == 501
             : http_status == 404;
}

/* What the API's refusals mean and what to do about each; the rest is as with any server. */
static enum hoist_status check_api(const struct roboflow_client *client,
                                   enum roboflow_family family, const struct model_id *id,
                                   const struct http_response *response, struct hoist_error *err) {
  const struct {
    int http_status;
    enum hoist_status status;
    const char *text;
  } rules[] = {
      {401, HOIST_DENIED, unauthorized(client)},
      {402, HOIST_DENIED, "the Roboflow API wants payment: check the workspace's plan and credits"},
      {403, HOIST_DENIED,
       "the Roboflow API forbids it: check the scopes of the API key and its workspace"},
      {404, HOIST_NOT_FOUND,
       "the Roboflow API has no such model: check the id and the API key's workspace"},
      {423, HOIST_DENIED,
       "usage of the Roboflow API is paused: ask the workspace's administrator to resume it"},
  };
  char shown[PATH_SHOWN_SIZE], what[PATH_SHOWN_SIZE + 32];
  path_shown(id->text, shown);
  int meant = says_not_here(family, response->status) ? 404 : response->status;
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
    if (rules[i].http_status != meant) continue;
    (void)hoist_fail(err, rules[i].status, "model \"%s\": %s (HTTP status %d)", shown,
                     rules[i].text, response->status);
    if (err) err->http_status = response->status;
    return rules[i].status;
  }
  snprintf(what, sizeof what, "model \"%s\": the Roboflow API", shown);
  return http_check(response, what, err);
}

enum hoist_status roboflow_ask(const struct call *call, const struct roboflow_client *client,
                               enum roboflow_family family, const struct model_id *id,
                               const char *page, struct buf *ret_body, struct hoist_error *err) {
  HOIST_AUTO(mem) char *url = roboflow_api_url(&client->api, family, id, page);
  if (!url) return hoist_fail_memory(err, "a URL");
  struct http_request request = {
      .method = "GET",
      .url = url,
      .max_body = ROBOFLOW_MAX_ANSWER_BYTES,
      .follow_redirects = !client->api.gateway, /* a redirect would lead past it */
      .timeout_ms = client->request_timeout_ms,
      .with_baggage = 1,
  };
  request.headers = roboflow_api_headers(&client->api, family, &request.header_count);
  HOIST_AUTO(http_response) struct http_response response = {0};
  enum hoist_status status = http_perform(call, client->http, &request, &response, err);
  if (status != HOIST_OK) return status;
  status = check_api(client, family, id, &response, err);
  if (status != HOIST_OK) return status;
  *ret_body = response.body;
  response.body = (struct buf){0};
  return HOIST_OK;
}

enum hoist_status roboflow_get(const struct call *call, const struct roboflow_client *client,
                               const char *url, struct http_request *request,
                               struct http_response *ret_response, struct hoist_error *err) {
  HOIST_AUTO(mem) char *wrapped = roboflow_api_wrap(&client->api, url);
  if (!wrapped) return hoist_fail_memory(err, "a URL");
  request->method = "GET";
  request->url = wrapped;
  request->follow_redirects = !client->api.gateway;
  enum hoist_status status = http_perform(call, client->http, request, ret_response, err);
  if (status != HOIST_INVALID) return status;
  if (err) err->status = HOIST_CORRUPT;
  return HOIST_CORRUPT;
}

/* ---- the span -------------------------------------------------------------------------------- */

void roboflow_span_begin(struct roboflow_span *s, const struct call *call,
                         enum roboflow_family family) {
  hoist_span_start(call->span, "roboflow_api.call", HOIST_SPAN_INTERNAL, &s->span);
  hoist_span_set_string(&s->span, "roboflow_api.function", roboflow_function(family));
  s->call = *call;
  s->call.span = &s->span;
  s->call.received = NULL; /* an answer of the API is no contents */
  s->family = family;
  s->started_ns = clock_monotonic_ns();
}

void roboflow_span_end(struct roboflow_span *s, enum hoist_status status, bool is_final,
                       const struct hoist_error *failure) {
  double seconds = (double)(clock_monotonic_ns() - s->started_ns) / (double)NS_PER_S;
  const struct hoist_attr attr = {.key = "roboflow_api.function",
                                  .type = HOIST_ATTR_STRING,
                                  .value = {.string = roboflow_function(s->family)}};
  hoist_metric_add_in(&s->span, s->call.telemetry, &api_duration, seconds, &attr, 1);
  if (!is_final && (status == HOIST_NOT_FOUND || status == HOIST_UNSUPPORTED))
    hoist_span_set_string(&s->span, "roboflow_api.outcome", hoist_status_name(status));
  else if (status != HOIST_OK)
    hoist_span_record_error(&s->span, failure);
  hoist_span_end(&s->span);
}
