/* SPDX-License-Identifier: Apache-2.0 */
/* The two XML documents S3 answers with: a page of a listing, read as it streams in, and an error.
 */
#ifndef HOIST_SOURCE_S3_XML_H
#define HOIST_SOURCE_S3_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auto.h"
#include "err.h"

#define S3_MAX_KEY_BYTES 1024        /* of a key, decoded: S3's own limit */
#define S3_MAX_TEXT_BYTES (8u << 10) /* of one element's text: a token, an encoded key */
#define S3_MAX_PAGE_BYTES (4u << 20) /* a page of 1000 keys of 3 KiB each and their overhead */
#define S3_MAX_XML_DEPTH 16

struct s3_object {
  char *key;
  char *etag; /* in quotes; NULL: none */
  int64_t size;
  uint64_t modified_unix_ns; /* 0: the server does not say */
};

/** Objects gathered over the pages of one listing. */
struct s3_listing {
  struct s3_object *objects;
  size_t count, capacity;
  size_t max;       /* objects allowed; one more is CORRUPT */
  char *next_token; /* continuation token of the last page read; NULL: it was the last one */
};
void s3_listing_done(struct s3_listing *l);
static inline void s3_listing_cleanup(struct s3_listing *l) {
  s3_listing_done(l);
}
/** Forgets all objects from index `count` on, and the token: a page that broke off is read again.
 */
void s3_listing_truncate(struct s3_listing *l, size_t count);
/** Forgets the objects, but not where the listing goes on. */
void s3_listing_forget(struct s3_listing *l);

/* The reader of one page. */
struct s3_page;
/** `listing` is borrowed; objects are appended to it. */
HOIST_MUST_CHECK enum hoist_status s3_page_new(struct s3_listing *listing,
                                               struct s3_page **ret_page, struct hoist_error *err);
void s3_page_free(struct s3_page *page);
HOIST_DEFINE_AUTO(s3_page, struct s3_page, s3_page_free)
/** Errors: CORRUPT not a listing, over a cap, or with a document type · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status s3_page_feed(struct s3_page *page, const void *data, size_t size,
                                                struct hoist_error *err);
/** Ends the document: decodes the page's keys, sets the listing's token.
 *  Errors: CORRUPT cut short, a bad escape, truncated without a token · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status s3_page_finish(struct s3_page *page, struct hoist_error *err);

#define S3_REGION_SIZE 64

/** An error document; "" for what it does not say. Texts are cut to their size. */
struct s3_error {
  char code[64];
  char message[256];
  char region[S3_REGION_SIZE];
  char request_id[128];
  char host_id[256];
};
/** False when it is not an error document (with at least a code). */
bool s3_error_parse(const void *xml, size_t size, struct s3_error *ret_error);

#define S3_MAX_PARTS 10000u /* of a multipart upload: S3's own limit */
#define S3_ETAG_SIZE 80     /* of one, with quotes and the number of parts */

/** The lengths of an object's parts, added up one after another. */
struct s3_parts {
  uint32_t count;
  int64_t first, last, total;
  bool odd; /* they are not all alike but for a shorter last one */
};
void s3_parts_add(struct s3_parts *parts, int64_t size);

/** A page of the answer to GetObjectAttributes. */
struct s3_attributes {
  struct s3_parts *parts; /* where the page's parts are added; borrowed */
  char etag[S3_ETAG_SIZE];
  uint32_t next; /* what the next page comes after; 0: this is the last one */
};
/** False: it is none. */
bool s3_attributes_parse(const void *xml, size_t size, struct s3_attributes *attributes);

#endif
