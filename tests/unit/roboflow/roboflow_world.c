/* SPDX-License-Identifier: Apache-2.0 */
/* The servers, and what every test does with the source. */
#include "roboflow_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void reply(struct world *w, int n, int status, const char *body,
                  struct script_reply *ret_reply) {
  snprintf(w->api_replies[n], sizeof w->api_replies[n],
           "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
  *ret_reply = (struct script_reply){.data = w->api_replies[n]};
}

#define EXTERNAL "/models/v1/external/"
#define WRAPPED "%2Fmodels%2Fv1%2Fexternal%2F"

static bool answer_external(struct world *w, int n, const char *text,
                            struct script_reply *ret_reply) {
  if (strncmp(text, "GET " EXTERNAL, strlen("GET " EXTERNAL)) != 0 && !strstr(text, WRAPPED))
    return false;
  if (strstr(text, EXTERNAL "stat?")) {
    reply(w, n, w->stat_body ? 200 : 404, w->stat_body ? w->stat_body : "{}", ret_reply);
    return true;
  }
  const char *page = w->pages[w->pages_sent];
  int status = w->packages_status ? w->packages_status : page ? 200 : 404;
  reply(w, n, status, page ? page : "{\"error\": \"TOPSECRET\"}", ret_reply);
  if (w->pages[w->pages_sent + 1]) w->pages_sent++;
  return true;
}

static void answer_api(void *user, int n, const char *text, struct script_reply *ret_reply) {
  struct world *w = user;
  if (answer_external(w, n, text, ret_reply)) return;
  char body[1536];
  w->generation++;
  const char *storage = script_server_url(w->storage);
  if (w->api_body || w->api_status)
    snprintf(body, sizeof body, "%s", w->api_body ? w->api_body : "{\"error\": \"TOPSECRET\"}");
  else if (strstr(text, "/getWeights"))
    snprintf(body, sizeof body,
             "{\"modelFiles\": {\"ort\": {\"model\": \"%s/w?X-Amz-Signature=" SIGNATURE
             "&g=%d\"}}, \"environment\": {}}",
             storage, w->generation);
  else
    snprintf(body, sizeof body,
             "{\"ort\": {\"type\": \"object-detection\", \"modelType\": \"yolov8n\", "
             "\"environment\": \"%s/env?X-Amz-Signature=" SIGNATURE "&g=%d\", "
             "\"model\": \"%s/w?X-Amz-Signature=" SIGNATURE "&g=%d\", \"classes\": [\"a\"],"
             "\"weights\": {\"x.bin\": \"%s/x?X-Amz-Signature=" SIGNATURE "&g=%d\"}}}",
             storage, w->generation, storage, w->generation, storage, w->generation);
  reply(w, n, w->api_status ? w->api_status : 200, body, ret_reply);
}

int world_generation_of(const char *request) {
  const char *g = strstr(request, "&g=");
  return g ? (int)strtol(g + 3, NULL, 10) : 0;
}

static void answer_storage(void *user, int n, const char *text, struct script_reply *ret_reply) {
  struct world *w = user;
  int status = w->storage_status ? w->storage_status : 200;
  if (world_generation_of(text) < w->expired_below) status = w->expired_status;
  const char *body = strstr(text, "/env?") ? w->environment : "hello";
  if (status != 200 && status != 206) body = "<Error>" SIGNATURE "</Error>";
  snprintf(w->storage_replies[n], sizeof w->storage_replies[n],
           "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s", status,
           w->file_headers ? w->file_headers : "", strlen(body), body);
  *ret_reply = (struct script_reply){.data = w->storage_replies[n]};
}

struct roboflow_options world_options(const struct world *w) {
  return (struct roboflow_options){.base_url = script_server_url(w->api),
                                   .api_key = KEY,
                                   .extra_headers = "{\"X-Team\": \"TOPSECRET\"}",
                                   .device_id = "dev 1",
                                   .verify_md5 = 1};
}

void world_open(struct world *w, const struct roboflow_options *options) {
  source_free(w->source);
  w->source = NULL;
  assert_int_equal(source_roboflow_new(w->f.http, options, &w->source, &w->err), HOIST_OK);
}

int world_setup(void **state) {
  struct world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  fixture_init(&w->f);
  w->environment = "{\"PREPROCESSING\": {}}";
  w->expired_status = 403;
  w->tracer = fake_tracer_new();
  w->storage = script_server_start(answer_storage, w, 0);
  w->api = script_server_start(answer_api, w, 0);
  hoist_span_start_root(w->tracer->telemetry, "root", HOIST_SPAN_INTERNAL, NULL, &w->root);
  w->f.call.span = &w->root;
  w->f.call.telemetry = w->tracer->telemetry;
  struct roboflow_options options = world_options(w);
  world_open(w, &options);
  *state = w;
  return 0;
}

/* Whatever a test did: no secret in a span or in the last error. */
int world_teardown(void **state) {
  struct world *w = *state;
  hoist_span_end(&w->root);
  fake_tracer_check(w->tracer, SECRET);
  assert_null(strstr(w->err.message, SECRET));
  assert_null(strstr(w->err.message, KEY_ENCODED));
  assert_null(strstr(w->source->location, SECRET));
  source_free(w->source);
  manifest_done(&w->m);
  fixture_done(&w->f);
  script_server_stop(w->api);
  script_server_stop(w->storage);
  fake_tracer_free(w->tracer);
  free(w);
  return 0;
}

struct model_id world_id(const char *text) {
  struct model_id id;
  assert_int_equal(model_id_parse(text, &id, NULL), HOIST_OK);
  return id;
}

enum hoist_status world_describe(struct world *w, const char *id_text) {
  struct model_id id = world_id(id_text);
  manifest_done(&w->m);
  return w->source->ops->describe(&w->f.call, w->source, &id, &w->m, &w->err);
}

static enum hoist_status begin(void *user, const struct source_response *response,
                               struct hoist_error *err) {
  struct received *r = user;
  r->begins++;
  r->announced = response->size;
  r->promised = response->promised;
  buf_clear(&r->data);
  return HOIST_OK;
}

static enum hoist_status receive(void *user, const void *data, size_t size,
                                 struct hoist_error *err) {
  struct received *r = user;
  if (r->fail != HOIST_OK) return hoist_fail(err, r->fail, "weights.onnx: the sink says no");
  return buf_append(&r->data, data, size, err);
}

struct manifest_file *world_file(struct world *w, const char *name) {
  for (size_t i = 0; i < w->m.file_count; i++)
    if (strcmp(w->m.files[i].name, name) == 0) return &w->m.files[i];
  fail_msg("no file %s", name);
  return NULL;
}

enum hoist_status world_fetch(struct world *w, const char *name, struct received *r) {
  struct model_id id = world_id("coins/1");
  r->data = buf_make(1024);
  struct source_request request = {.file = world_file(w, name),
                                   .from = r->from,
                                   .to = r->to > 0 ? r->to : SOURCE_TO_END,
                                   .validator = r->validator,
                                   .sink = {.user = r, .begin = begin, .write = receive}};
  enum hoist_status status = w->source->ops->fetch(&w->f.call, w->source, &id, &request, &w->err);
  if (status == HOIST_OK) assert_string_equal(buf_str(&r->data), "hello");
  buf_done(&r->data);
  return status;
}

void world_assert_asked(struct script_server *server, int n, const char *expected) {
  const char *text = script_server_request(server, n);
  if (!strstr(text, expected)) fail_msg("no \"%s\" in: %s", expected, text);
}

const char *world_older_request(struct world *w, int n) {
  for (int i = 0; i < script_server_requests(w->api); i++) {
    const char *text = script_server_request(w->api, i);
    if (!strstr(text, WRAPPED) && !strstr(text, EXTERNAL) && n-- == 0) return text;
  }
  return NULL;
}

int world_older_requests(struct world *w) {
  int count = 0;
  while (world_older_request(w, count))
    count++;
  return count;
}

void world_assert_older_asked(struct world *w, int n, const char *expected) {
  const char *text = world_older_request(w, n);
  if (!text || !strstr(text, expected)) fail_msg("no \"%s\" in: %s", expected, text ? text : "");
}
