/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the Roboflow source share: two scripted servers, the API and a storage host that
 * hands out the files under URLs that expire. After each test no secret may be in a span or in the
 * last error. */
#ifndef HOIST_TESTS_ROBOFLOW_WORLD_H
#define HOIST_TESTS_ROBOFLOW_WORLD_H

#include "http_fixture.h"
#include "roboflow.h"

#define KEY "k/ey TOPSECRET"
#define KEY_ENCODED "k%2Fey+TOPSECRET"
#define SIGNATURE "TOPSECRETSIGNATURE"
#define SECRET "TOPSECRET" /* in both of them */
#define MD5_BASE64 "XUFAKrxLKna5cZ2REBfFkg=="
#define MD5_HEX "5d41402abc4b2a76b9719d911017c592" /* of "hello" */

struct world {
  struct fixture f;
  struct fake_tracer *tracer;
  struct hoist_span root;
  struct script_server *api, *storage;
  struct source *source;
  struct manifest m;
  struct hoist_error err;
  /* What the servers do. */
  int api_status;        /* 0: 200 */
  const char *api_body;  /* NULL: a description of a model */
  int packages_status;   /* of the endpoint for packages; 0: 404, or 200 where there is a page */
  const char *pages[12]; /* what it answers, one after the other and then the last again */
  int pages_sent;
  const char *stat_body; /* of /stat; NULL: 404 */
  int warnings;
  char warning[256];        /* the last one */
  int storage_status;       /* of every file; 0: 200 */
  const char *environment;  /* body of environment.json */
  const char *file_headers; /* of every file, each ending in CRLF */
  int expired_below;        /* URLs of earlier generations than this are refused */
  int expired_status;
  int generation; /* how often the API was asked */
  char api_replies[SCRIPT_MAX_REQUESTS][2048];
  char storage_replies[SCRIPT_MAX_REQUESTS][2048];
};

struct received {
  struct buf data;
  int begins;
  int64_t announced;
  struct digest promised;
  enum hoist_status fail;
  int64_t from, to; /* what is asked for; `to` 0: to the end */
  const char *validator;
};

int world_setup(void **state);
int world_teardown(void **state);

/** The options that world_setup opened the source with, for another world_open. */
struct roboflow_options world_options(const struct world *w);
void world_open(struct world *w, const struct roboflow_options *options);

struct model_id world_id(const char *text);
/** Into w->m and w->err. */
enum hoist_status world_describe(struct world *w, const char *id_text);
/** A file of w->m; the test fails where there is none. */
struct manifest_file *world_file(struct world *w, const char *name);
/** Fetches a file of coins/1; on OK its bytes are checked. */
enum hoist_status world_fetch(struct world *w, const char *name, struct received *r);
/** The generation in a URL: how often the API had been asked when it was made. */
int world_generation_of(const char *request);
/** Request `n` to the API of those that are not for packages or stat, which come first for every model; NULL:
 *  there were not so many. */
const char *world_older_request(struct world *w, int n);
int world_older_requests(struct world *w);
/** Fails unless that one has the text in it. */
void world_assert_older_asked(struct world *w, int n, const char *expected);
/** Fails unless request `n` has the text in it. */
void world_assert_asked(struct script_server *server, int n, const char *expected);

#endif
