/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of HTTP. What a server says about a part is compared with what was asked, digit by digit:
 * bytes put in the wrong place would be found out by the digest only, after the whole download. Pure;
 * any thread. */
#include "http_range.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

#define DIGITS_MAX 18 /* so that no number overflows an int64_t */

const char *range_header(const struct source_request *request, char out[RANGE_HEADER_SIZE]) {
  if (request->whole || (request->from == 0 && request->to == SOURCE_TO_END)) return NULL;
  if (request->to == SOURCE_TO_END)
    snprintf(out, RANGE_HEADER_SIZE, "bytes=%" PRId64 "-", request->from);
  else
    snprintf(out, RANGE_HEADER_SIZE, "bytes=%" PRId64 "-%" PRId64, request->from, request->to - 1);
  return out;
}

bool range_is_etag(const char *validator) {
  return validator[0] == '"';
}

/* A weak ETag says that two versions are as good as each other, not that their bytes are the same. */
static const char *read_validator(const struct http_response *response,
                                  char out[SOURCE_VALIDATOR_SIZE]) {
  if (http_response_header(response, "etag", out, SOURCE_VALIDATOR_SIZE) && range_is_etag(out))
    return out;
  return http_response_header(response, "last-modified", out, SOURCE_VALIDATOR_SIZE);
}

static bool read_number(const char **text, int64_t *ret_number) {
  size_t digits = strspn(*text, "0123456789");
  if (digits == 0 || digits > DIGITS_MAX) return false;
  *ret_number = 0;
  for (; digits > 0; digits--)
    *ret_number = *ret_number * 10 + (*(*text)++ - '0');
  return true;
}

struct content_range {
  int64_t first, last;
  int64_t size; /* FILE_SIZE_UNKNOWN: "*" */
};

static bool read_content_range(const char *text, struct content_range *ret_range) {
  if (!text_starts_with(text, "bytes ")) return false;
  text += strlen("bytes ");
  if (!read_number(&text, &ret_range->first) || *text++ != '-') return false;
  if (!read_number(&text, &ret_range->last) || *text++ != '/') return false;
  if (strcmp(text, "*") == 0)
    ret_range->size = FILE_SIZE_UNKNOWN;
  else if (!read_number(&text, &ret_range->size) || *text)
    return false;
  return ret_range->first <= ret_range->last &&
         (ret_range->size == FILE_SIZE_UNKNOWN || ret_range->last < ret_range->size);
}

static bool is_as_asked(const struct source_request *r, const struct content_range *c) {
  int64_t end = r->to;
  if (end == SOURCE_TO_END || (c->size != FILE_SIZE_UNKNOWN && c->size < end)) end = c->size;
  return c->first == r->from && end != FILE_SIZE_UNKNOWN && c->last == end - 1;
}

static enum hoist_status bad_range(struct source_request *request, const char *wrong,
                                   const char *value, struct hoist_error *err) {
  char asked[RANGE_HEADER_SIZE] = "";
  request->trouble = SOURCE_BAD_RANGE;
  return hoist_fail(err, HOIST_CORRUPT, "%s: asked for %s, the server %s%.80s", request->file->name,
                    range_header(request, asked) ? asked : "the whole file", wrong, value);
}

static enum hoist_status read_part(struct source_request *request,
                                   const struct http_response *response, struct source_response *r,
                                   struct hoist_error *err) {
  char value[128], asked[RANGE_HEADER_SIZE];
  struct content_range range;
  if (!range_header(request, asked)) return bad_range(request, "sends a part", "", err);
  if (!http_response_header(response, "content-range", value, sizeof value))
    return bad_range(request, "sends a part and does not say which", "", err);
  if (!read_content_range(value, &range) || !is_as_asked(request, &range))
    return bad_range(request, "sends ", value, err);
  r->offset = range.first;
  r->length = range.last - range.first + 1;
  r->size = range.size;
  if (response->content_length >= 0 && response->content_length != r->length)
    return bad_range(request, "announces another length than that of ", value, err);
  return HOIST_OK;
}

enum hoist_status range_read_response(struct source_request *request,
                                      const struct http_response *response,
                                      char validator[SOURCE_VALIDATOR_SIZE],
                                      struct source_response *ret_response,
                                      struct hoist_error *err) {
  int64_t size = response->content_length >= 0 ? response->content_length : FILE_SIZE_UNKNOWN;
  struct source_response r = {.length = size, .size = size};
  if (response->status == 206) {
    enum hoist_status status = read_part(request, response, &r, err);
    if (status != HOIST_OK) return status;
  } else if (response->status != 200) {
    return hoist_fail(err, HOIST_CORRUPT, "%s: HTTP status %d instead of the file",
                      request->file->name, response->status);
  }
  r.validator = read_validator(response, validator);
  *ret_response = r;
  return HOIST_OK;
}

enum source_trouble range_trouble(const struct http_response *response) {
  if (response->status == 412) return SOURCE_CHANGED;
  return response->status == 416 ? SOURCE_BAD_RANGE : SOURCE_NO_TROUBLE;
}
