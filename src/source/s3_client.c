/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket, and what is known of it: where it is, which a server may correct, and how far its clock is from
 * ours. All but that is read-only after init; any thread. */
#include "s3_client.h"

#include <pthread.h>

#include "clock.h"
#include "text.h"

struct s3_learned {
  pthread_mutex_t lock; /* guards `place` */
  struct s3_place *place;
  atomic_llong ahead_s; /* of our clock, the server's */
};

static const char *or_null(const char *text) {
  return text && *text ? text : NULL;
}

static struct s3_addressing addressing_of(const struct s3_client *c) {
  return (struct s3_addressing){.bucket = c->bucket,
                                .endpoint = c->endpoint,
                                .virtual_host = c->virtual_host,
                                .dualstack = c->dualstack,
                                .fips = c->fips};
}

enum hoist_status s3_client_init(struct s3_client *client, struct http *http,
                                 const struct s3_options *options, struct hoist_error *err) {
  *client = (struct s3_client){.http = http,
                               .provider = options->credentials,
                               .virtual_host = options->virtual_host,
                               .dualstack = options->dualstack,
                               .fips = options->fips,
                               .requester_pays = options->requester_pays};
  client->bucket = text_dup(options->bucket ? options->bucket : "");
  client->endpoint = text_dup(or_null(options->endpoint));
  client->learned = calloc(1, sizeof *client->learned);
  if (!client->bucket || (or_null(options->endpoint) && !client->endpoint) || !client->learned)
    return hoist_fail_memory(err, "the S3 source");
  pthread_mutex_init(&client->learned->lock, NULL);
  const struct s3_addressing addressing = addressing_of(client);
  return s3_place_new(&addressing, or_null(options->region) ? options->region : "us-east-1",
                      &client->learned->place, err);
}

void s3_client_done(struct s3_client *client) {
  free(client->bucket);
  free(client->endpoint);
  if (client->learned) {
    s3_place_unref(client->learned->place);
    pthread_mutex_destroy(&client->learned->lock);
    free(client->learned);
  }
  *client = (struct s3_client){0};
}

struct s3_place *s3_client_place(const struct s3_client *client) {
  struct s3_learned *l = client->learned;
  pthread_mutex_lock(&l->lock);
  struct s3_place *place = s3_place_ref(l->place);
  pthread_mutex_unlock(&l->lock);
  return place;
}

enum hoist_status s3_client_move(const struct s3_client *client, const char *region,
                                 struct s3_place **ret_place, struct hoist_error *err) {
  struct s3_learned *l = client->learned;
  HOIST_AUTO(s3_place) struct s3_place *place = NULL;
  const struct s3_addressing addressing = addressing_of(client);
  enum hoist_status status = s3_place_new(&addressing, region, &place, err);
  if (status != HOIST_OK) return status;
  pthread_mutex_lock(&l->lock);
  s3_place_unref(l->place);
  l->place = s3_place_ref(place);
  pthread_mutex_unlock(&l->lock);
  *ret_place = HOIST_TAKE(place);
  return HOIST_OK;
}

static long long local_s(void) {
  return (long long)(clock_realtime_ns() / NS_PER_S);
}

uint64_t s3_client_now_s(const struct s3_client *client) {
  long long now = local_s() + atomic_load(&client->learned->ahead_s);
  return now > 0 ? (uint64_t)now : 0;
}

void s3_client_set_now(const struct s3_client *client, uint64_t unix_s) {
  atomic_store(&client->learned->ahead_s, (long long)unix_s - local_s());
}
