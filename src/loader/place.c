/* SPDX-License-Identifier: Apache-2.0 */
/* From a text to a source and a place in it. One thread. */
#include "place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "text.h"

static enum hoist_status open_s3(const struct hoist_config *config, struct http *http,
                                 const char *text, struct place *place, struct hoist_error *err) {
  const char *bucket = text + strlen("s3://");
  size_t size = strcspn(bucket, "/");
  if (size == 0)
    return hoist_fail(err, HOIST_INVALID, "%.200s: the bucket's name is missing", text);
  if (memchr(bucket, ',', size))
    return hoist_fail(err, HOIST_INVALID, "%.200s: a bucket's name has no comma", text);
  HOIST_AUTO(mem) char *item = strndup(text, size + strlen("s3://"));
  place->below = text_dup(bucket[size] ? bucket + size + 1 : "");
  if (!item || !place->below) return hoist_fail_memory(err, "a place");
  struct hoist_config only = *config;
  only.sources = item;
  return chain_init(&place->chain, &only, http, err);
}

static enum hoist_status add_dir(struct place *place, const char *root, const char *below,
                                 struct hoist_error *err) {
  place->below = text_dup(below);
  if (!place->below) return hoist_fail_memory(err, "a place");
  enum hoist_status status = source_dir_new(root, &place->chain.sources[0], err);
  if (status == HOIST_OK) place->chain.count = 1;
  return status;
}

/* A single file is in the directory that holds it. */
static enum hoist_status open_dir(const char *path, struct place *place, struct hoist_error *err) {
  struct stat st;
  if (!*path) return hoist_fail(err, HOIST_INVALID, "dir: the path is missing: use dir:PATH");
  if (stat(path, &st) != 0) return hoist_fail_errno(err, errno, "dir:%.200s", path);
  if (S_ISDIR(st.st_mode)) return add_dir(place, path, "", err);
  HOIST_AUTO(mem) char *parent = text_dup(path);
  if (!parent) return hoist_fail_memory(err, "a place");
  char *slash = strrchr(parent, '/');
  if (!slash) return add_dir(place, ".", path, err);
  const char *name = path + (slash - parent) + 1;
  slash[slash == parent] = '\0'; /* of "/file" the directory is "/" */
  return add_dir(place, parent, name, err);
}

enum hoist_status place_open(const struct hoist_config *config, struct http *http, const char *text,
                             struct place *ret_place, struct hoist_error *err) {
  *ret_place = (struct place){0};
  if (text_starts_with(text, "s3://")) return open_s3(config, http, text, ret_place, err);
  if (text_starts_with(text, "dir:")) return open_dir(text + strlen("dir:"), ret_place, err);
  return hoist_fail(err, HOIST_INVALID,
                    "%.200s is no place that hoist copies from: use s3://BUCKET/PREFIX, "
                    "s3://BUCKET/KEY or dir:PATH",
                    text);
}

void place_close(struct place *place) {
  chain_done(&place->chain);
  free(HOIST_TAKE(place->below));
}
