/* SPDX-License-Identifier: Apache-2.0 */
/* One page of a listing, and all pages of one, each thrown away before the next is asked for: memory is that of
 * a page, whatever the bucket holds. Any thread. */
#include "s3_pages.h"

#include <string.h>

#include "text.h"

struct page_sink {
  struct s3_listing *listing;
  size_t first; /* objects before this page */
  struct s3_page *page;
};

static inline void page_sink_cleanup(struct page_sink *s) {
  s3_page_free(s->page);
}

static enum hoist_status begin_page(void *user, const struct http_response *response,
                                    struct hoist_error *err) {
  struct page_sink *s = user;
  (void)response;
  s3_page_free(HOIST_TAKE(s->page));
  s3_listing_truncate(s->listing, s->first);
  return s3_page_new(s->listing, &s->page, err);
}

static enum hoist_status write_page(void *user, const void *data, size_t size,
                                    struct hoist_error *err) {
  return s3_page_feed(((struct page_sink *)user)->page, data, size, err);
}

enum hoist_status s3_list_page(const struct call *call, const struct s3_client *client,
                               const char *prefix, const char *max_keys, const char *what,
                               struct s3_listing *listing, struct hoist_error *err) {
  HOIST_AUTO(mem) char *token = HOIST_TAKE(listing->next_token);
  struct sigv4_pair query[5] = {{"encoding-type", "url"},
                                {"list-type", "2"},
                                {"max-keys", max_keys},
                                {"prefix", prefix},
                                {"continuation-token", token}};
  HOIST_AUTO(page_sink) struct page_sink sink = {.listing = listing, .first = listing->count};
  const struct s3_operation op = {.span_name = "S3.ListObjectsV2",
                                  .what = what,
                                  .query = query,
                                  .query_count = token ? 5 : 4,
                                  .begin = begin_page,
                                  .write = write_page,
                                  .sink_user = &sink};
  enum hoist_status status = s3_get(call, client, &op, err);
  if (status != HOIST_OK) return status;
  status = s3_page_finish(sink.page, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "%s", what);
  return status;
}

/* ---- all pages --------------------------------------------------------------------------------- */

struct visiting {
  const struct call *call;
  const struct s3_client *client;
  const struct source_visit *visit;
  const char *prefix; /* of the keys */
  const char *what;
};

static enum hoist_status visit_object(const struct visiting *v, const struct s3_object *object,
                                      const char *name, struct hoist_error *err) {
  const struct source_object told = {.name = name,
                                     .locator = object->key,
                                     .etag = object->etag,
                                     .size = object->size,
                                     .modified_unix_ns = object->modified_unix_ns};
  return v->visit->object(v->visit->user, &told, err);
}

/* A key that is all of the prefix has no name below it; some consoles make such objects, empty, for folders. */
static enum hoist_status visit_page(const struct visiting *v, const struct s3_listing *page,
                                    struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  for (size_t i = 0; i < page->count && status == HOIST_OK; i++) {
    const struct s3_object *object = &page->objects[i];
    if (!text_starts_with(object->key, v->prefix))
      return hoist_fail(err, HOIST_CORRUPT, "%s: the listing has the key \"%.100s\", elsewhere",
                        v->what, object->key);
    const char *name = object->key + strlen(v->prefix);
    bool is_folder = object->size == 0 && text_ends_with(object->key, "/");
    if (*name && !is_folder) status = visit_object(v, object, name, err);
  }
  return status;
}

/* A server whose pages do not get on would be listed for ever. */
static enum hoist_status check_moved(const struct visiting *v, const char *before,
                                     const char *after, struct hoist_error *err) {
  if (!before || !after || strcmp(before, after) != 0) return HOIST_OK;
  return hoist_fail(err, HOIST_CORRUPT,
                    "%s: the listing does not get on: two pages name the same next one", v->what);
}

static enum hoist_status visit_all(const struct visiting *v, struct hoist_error *err) {
  HOIST_AUTO(s3_listing) struct s3_listing page = {.max = S3_MAX_PAGE_OBJECTS};
  do {
    HOIST_AUTO(mem) char *before = text_dup(page.next_token);
    if (page.next_token && !before) return hoist_fail_memory(err, "a listing");
    s3_listing_forget(&page);
    enum hoist_status status =
        s3_list_page(v->call, v->client, v->prefix, S3_PAGE_OBJECTS, v->what, &page, err);
    if (status == HOIST_OK) status = check_moved(v, before, page.next_token, err);
    if (status == HOIST_OK) status = visit_page(v, &page, err);
    if (status != HOIST_OK) return status;
  } while (page.next_token);
  return HOIST_OK;
}

/* The key itself comes before all others that begin with it. */
static enum hoist_status visit_one(const struct visiting *v, struct hoist_error *err) {
  HOIST_AUTO(s3_listing) struct s3_listing page = {.max = S3_MAX_PAGE_OBJECTS};
  const char *slash = strrchr(v->prefix, '/'), *name = slash ? slash + 1 : v->prefix;
  enum hoist_status status = s3_list_page(v->call, v->client, v->prefix, "1", v->what, &page, err);
  /* Who may read an object need not be allowed to list the bucket. */
  const struct s3_object unlisted = {.key = (char *)(uintptr_t)v->prefix,
                                     .size = FILE_SIZE_UNKNOWN};
  if (status == HOIST_DENIED) return visit_object(v, &unlisted, name, err);
  if (status != HOIST_OK) return status;
  if (page.count == 0 || strcmp(page.objects[0].key, v->prefix) != 0)
    return hoist_fail(err, HOIST_NOT_FOUND, "%s: there is no such object", v->what);
  return visit_object(v, &page.objects[0], name, err);
}

enum hoist_status s3_visit(const struct call *call, const struct s3_client *client,
                           const char *prefix, const struct source_visit *visit,
                           struct hoist_error *err) {
  HOIST_AUTO(mem) char *all = text_format("%s%s", prefix, visit->below);
  HOIST_AUTO(mem) char *what = all ? text_format("s3://%s/%s", client->bucket, all) : NULL;
  if (!what) return hoist_fail_memory(err, "a listing");
  const struct visiting v = {
      .call = call, .client = client, .visit = visit, .prefix = all, .what = what};
  bool is_one = *visit->below && !text_ends_with(visit->below, "/");
  return is_one ? visit_one(&v, err) : visit_all(&v, err);
}
