/* SPDX-License-Identifier: Apache-2.0 */
/* Response headers: kept as "name: value\n" lines with lower-case names in one capped buffer, which
 * is small enough to be searched from the front each time. Pure; any thread. */
#include "headers.h"

#include <string.h>

#include "text.h"

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(const char **text, size_t *size) {
  while (*size > 0 && is_blank((*text)[*size - 1]))
    --*size;
  while (*size > 0 && is_blank(**text)) {
    ++*text;
    --*size;
  }
}

/* "HTTP/1.1 200 OK" or "HTTP/2 200"; 0 when there is no number where it belongs. */
static int parse_status(const char *line, size_t size) {
  const char *space = memchr(line, ' ', size);
  if (!space || line + size - space < 4) return 0;
  int status = 0;
  for (int i = 1; i <= 3; i++) {
    if (space[i] < '0' || space[i] > '9') return 0;
    status = 10 * status + (space[i] - '0');
  }
  return status;
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

enum hoist_status headers_add_line(struct http_response *response, const char *line, size_t size,
                                   struct hoist_error *err) {
  if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
    response->status = parse_status(line, size);
    buf_clear(&response->headers);
    return HOIST_OK;
  }
  const char *colon = memchr(line, ':', size);
  if (!colon || colon == line || is_blank(line[0])) return HOIST_OK;
  size_t name_size = (size_t)(colon - line);
  const char *value = colon + 1;
  size_t value_size = size - name_size - 1;
  trim(&value, &value_size);
  struct buf *out = &response->headers;
  size_t start = out->size;
  enum hoist_status status = buf_append(out, line, name_size, err);
  if (status == HOIST_OK) status = buf_append(out, ": ", 2, err);
  if (status == HOIST_OK) status = buf_append(out, value, value_size, err);
  if (status == HOIST_OK) status = buf_append(out, "\n", 1, err);
  if (status != HOIST_OK) return status;
  for (size_t i = start; i < start + name_size; i++)
    out->data[i] = lower(out->data[i]);
  return HOIST_OK;
}

const char *headers_find(const struct http_response *response, const char *name, size_t *ret_size) {
  size_t name_size = strlen(name);
  for (const char *line = buf_str(&response->headers); *line;) {
    const char *end = strchr(line, '\n');
    size_t size = (size_t)(end - line);
    if (size >= name_size + 2 && memcmp(line, name, name_size) == 0 && line[name_size] == ':') {
      *ret_size = size - name_size - 2;
      return line + name_size + 2;
    }
    line = end + 1;
  }
  return NULL;
}

const char *http_response_header(const struct http_response *r, const char *name, char *out,
                                 size_t out_size) {
  size_t size = 0;
  const char *value = headers_find(r, name, &size);
  if (!value || size >= out_size) return NULL;
  memcpy(out, value, size);
  out[size] = '\0';
  return out;
}

int64_t headers_content_length(const struct http_response *response) {
  char text[32];
  uint64_t value = 0;
  if (http_response_header(response, "transfer-encoding", text, sizeof text)) return -1;
  if (!http_response_header(response, "content-length", text, sizeof text) ||
      !parse_u64(text, &value) || value > INT64_MAX)
    return -1;
  return (int64_t)value;
}

void http_response_done(struct http_response *r) {
  if (!r) return;
  buf_done(&r->headers);
  buf_done(&r->body);
  *r = (struct http_response){.content_length = -1};
}
