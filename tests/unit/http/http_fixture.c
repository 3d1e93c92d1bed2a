/* SPDX-License-Identifier: Apache-2.0 */
/* The shared parts of the tests of http. */
#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void note_sleep(void *user, uint64_t ns) {
  struct fixture *f = user;
  assert_true(f->sleep_count < FIXTURE_MAX_SLEEPS);
  f->sleeps_ns[f->sleep_count++] = ns;
}

void fixture_init(struct fixture *f) {
  *f = (struct fixture){.call = {.sleep = note_sleep, .sleep_user = f}};
  http_options_init(&f->options);
  f->options.user_agent = "hoist-test/1";
  assert_int_equal(http_new(&f->options, &f->http, &f->err), HOIST_OK);
}

void fixture_replay(struct fixture *f, const struct script_reply *replies, size_t count) {
  f->server = script_server_replay(replies, count);
}

void fixture_done(struct fixture *f) {
  http_response_done(&f->response);
  http_free(f->http);
  if (f->server) script_server_stop(f->server);
  if (f->other) script_server_stop(f->other);
}

enum hoist_status fixture_perform(struct fixture *f, struct http_request *request,
                                  const char *path) {
  char url[1024];
  snprintf(url, sizeof url, "%s%s", script_server_url(f->server), path);
  request->url = url;
  http_response_done(&f->response);
  return http_perform(&f->call, f->http, request, &f->response, &f->err);
}

enum hoist_status fixture_get(struct fixture *f, const char *path) {
  struct http_request request = {.method = "GET", .max_body = 1024};
  return fixture_perform(f, &request, path);
}

static enum hoist_status begin(void *user, const struct http_response *response,
                               struct hoist_error *err) {
  struct collector *c = user;
  c->begins++;
  c->announced = response->content_length;
  buf_clear(&c->data);
  return c->begin_status == HOIST_OK ? HOIST_OK : hoist_fail(err, c->begin_status, "begin says no");
}

static enum hoist_status write_data(void *user, const void *data, size_t size,
                                    struct hoist_error *err) {
  struct collector *c = user;
  if (c->write_status != HOIST_OK) return hoist_fail(err, c->write_status, "write says no");
  return buf_append(&c->data, data, size, err);
}

void collector_attach(struct collector *c, struct http_request *request) {
  c->data = buf_make(1 << 20);
  request->begin = begin;
  request->write = write_data;
  request->sink_user = c;
}
