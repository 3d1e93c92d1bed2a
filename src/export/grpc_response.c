/* SPDX-License-Identifier: Apache-2.0 */
/* Reading gRPC's part of an answer. Rules: "gRPC over HTTP2" (status, percent-encoding, binary
 * metadata, length-prefixed messages), its mapping of HTTP statuses, and the OTLP specification, "OTLP/gRPC
 * Response". Pure; any thread. */
#include "grpc_response.h"

#include <string.h>
#include <strings.h>

#include "gzip.h"
#include "text.h"
#include "wire.h"

struct span_of_text {
  const char *at;
  size_t size;
};

/* ---- values of headers --------------------------------------------------------------------------- */

static void read_status(struct grpc_response *response, struct span_of_text value) {
  uint32_t code = 0;
  if (value.size == 0 || value.size > 9) return;
  for (size_t i = 0; i < value.size; i++) {
    if (value.at[i] < '0' || value.at[i] > '9') return;
    code = code * 10 + (uint32_t)(value.at[i] - '0');
  }
  response->has_status = true;
  response->code = code < GRPC_CODES ? code : (uint32_t)GRPC_UNKNOWN;
}

/* Percent-decoding; an escape that is none stands for itself. */
static void read_message(struct grpc_response *response, struct span_of_text value) {
  char *out = response->message;
  size_t used = 0;
  for (size_t i = 0; i < value.size && used < sizeof response->message - 1; i++) {
    unsigned char byte = (unsigned char)value.at[i];
    if (byte == '%' && value.size - i > 2 && hex_decode(value.at + i + 1, 2, &byte, 1)) i += 2;
    out[used++] = byte < 0x20 || byte == 0x7f ? '?' : (char)byte;
  }
  /* A character cut in two by our size is left off; anything else that is not UTF-8 is shown as '?'. */
  if (used == sizeof response->message - 1) used = utf8_prefix(out, used, used - 1);
  out[used] = '\0';
  if (utf8_valid(out, used)) return;
  for (size_t i = 0; i < used; i++)
    if (out[i] & 0x80) out[i] = '?';
}

static int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Binary metadata comes with or without padding. False where it is not base64, or too long. */
static bool base64_decode(struct span_of_text text, uint8_t out[GRPC_DETAILS_MAX],
                          size_t *ret_size) {
  uint32_t bits = 0;
  size_t size = 0;
  unsigned have = 0;
  while (text.size > 0 && text.at[text.size - 1] == '=')
    text.size--;
  if (text.size % 4 == 1 || text.size / 4 * 3 + 2 > GRPC_DETAILS_MAX) return false;
  for (size_t i = 0; i < text.size; i++) {
    int digit = base64_digit(text.at[i]);
    if (digit < 0) return false;
    bits = bits << 6 | (uint32_t)digit;
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out[size++] = (uint8_t)(bits >> have);
  }
  *ret_size = size;
  return true;
}

/* ---- google.rpc.Status --------------------------------------------------------------------------- */

/* google.protobuf.Duration: {1: seconds, 2: nanos}. */
static bool read_duration(const struct wire_field *message, uint64_t *ret_ms) {
  struct wire_reader reader = wire_read(message->data, message->size);
  struct wire_field field;
  int64_t seconds = 0, nanos = 0;
  enum wire_result result;
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD) {
    if (field.type != WIRE_VARINT) continue;
    if (field.number == 1) seconds = (int64_t)field.value;
    if (field.number == 2) nanos = (int64_t)field.value;
  }
  if (result == WIRE_MALFORMED || seconds < 0 || nanos < 0 || nanos > 999999999) return false;
  if (seconds > GRPC_RETRY_MAX_S) seconds = GRPC_RETRY_MAX_S;
  *ret_ms = (uint64_t)seconds * 1000 + (uint64_t)(nanos + 999999) / 1000000;
  return true;
}

/* google.rpc.RetryInfo: {1: delay}. */
static void read_retry_info(struct grpc_response *response, const struct wire_field *message) {
  struct wire_reader reader = wire_read(message->data, message->size);
  struct wire_field field;
  while (wire_next(&reader, &field) == WIRE_FIELD)
    if (field.number == 1 && field.type == WIRE_BYTES && read_duration(&field, &response->retry_ms))
      response->has_retry_info = true;
}

/* google.protobuf.Any: {1: type URL, 2: value}. */
static void read_detail(struct grpc_response *response, const struct wire_field *message) {
  static const char type[] = "/google.rpc.RetryInfo";
  struct wire_reader reader = wire_read(message->data, message->size);
  struct wire_field field, value = {0};
  bool is_retry_info = false;
  while (wire_next(&reader, &field) == WIRE_FIELD) {
    if (field.type != WIRE_BYTES) continue;
    if (field.number == 1)
      is_retry_info =
          field.size >= sizeof type - 1 &&
          memcmp(field.data + field.size - (sizeof type - 1), type, sizeof type - 1) == 0;
    if (field.number == 2) value = field;
  }
  if (is_retry_info && value.data) read_retry_info(response, &value);
}

/* google.rpc.Status: {1: code, 2: message, 3: details}; only the details say something new. */
static void read_details(struct grpc_response *response, struct span_of_text value) {
  uint8_t bytes[GRPC_DETAILS_MAX];
  size_t size;
  struct wire_field field;
  if (!base64_decode(value, bytes, &size)) return;
  struct wire_reader reader = wire_read(bytes, size);
  while (wire_next(&reader, &field) == WIRE_FIELD)
    if (field.number == 3 && field.type == WIRE_BYTES) read_detail(response, &field);
}

/* ---- lines --------------------------------------------------------------------------------------- */

static struct span_of_text trimmed(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\t'))
    at++;
  while (end > at && strchr(" \t\r\n", end[-1]))
    end--;
  return (struct span_of_text){at, (size_t)(end - at)};
}

void grpc_response_line(struct grpc_response *response, const char *line, size_t size) {
  static const struct {
    const char *name;
    void (*read)(struct grpc_response *response, struct span_of_text value);
  } readers[] = {{"grpc-status", read_status},
                 {"grpc-message", read_message},
                 {"grpc-status-details-bin", read_details}};
  if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) *response = (struct grpc_response){0};
  const char *colon = memchr(line, ':', size);
  if (!colon) return;
  size_t name_size = (size_t)(colon - line);
  for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
    if (name_size == strlen(readers[i].name) && strncasecmp(line, readers[i].name, name_size) == 0)
      readers[i].read(response, trimmed(colon + 1, line + size));
}

/* ---- what it means ------------------------------------------------------------------------------- */

uint32_t grpc_response_code(const struct grpc_response *response, long http_status) {
  if (response->has_status) return response->code;
  switch (http_status) {
  case 400:
    return GRPC_INTERNAL;
  case 401:
    return GRPC_UNAUTHENTICATED;
  case 403:
    return GRPC_PERMISSION_DENIED;
  case 404:
    return GRPC_UNIMPLEMENTED;
  case 429:
  case 502:
  case 503:
  case 504:
    return GRPC_UNAVAILABLE;
  default:
    return GRPC_UNKNOWN;
  }
}

bool grpc_is_retryable(uint32_t code, bool has_retry_info) {
  switch (code) {
  case GRPC_CANCELLED:
  case GRPC_DEADLINE_EXCEEDED:
  case GRPC_ABORTED:
  case GRPC_OUT_OF_RANGE:
  case GRPC_UNAVAILABLE:
  case GRPC_DATA_LOSS:
    return true;
  case GRPC_RESOURCE_EXHAUSTED:
    return has_retry_info;
  default:
    return false;
  }
}

const char *grpc_code_name(uint32_t code) {
  static const char *const names[GRPC_CODES] = {
      "OK",
      "CANCELLED",
      "UNKNOWN",
      "INVALID_ARGUMENT",
      "DEADLINE_EXCEEDED",
      "NOT_FOUND",
      "ALREADY_EXISTS",
      "PERMISSION_DENIED",
      "RESOURCE_EXHAUSTED",
      "FAILED_PRECONDITION",
      "ABORTED",
      "OUT_OF_RANGE",
      "UNIMPLEMENTED",
      "INTERNAL",
      "UNAVAILABLE",
      "DATA_LOSS",
      "UNAUTHENTICATED",
  };
  return names[code < GRPC_CODES ? code : (uint32_t)GRPC_UNKNOWN];
}

bool grpc_frame_read(const struct buf *body, struct buf *inflated, const void **ret_message,
                     size_t *ret_size) {
  const uint8_t *data = (const uint8_t *)body->data;
  if (body->size < GRPC_FRAME_HEAD || data[0] > GRPC_FRAME_COMPRESSED) return false;
  size_t size = (size_t)data[1] << 24 | (size_t)data[2] << 16 | (size_t)data[3] << 8 | data[4];
  if (size != body->size - GRPC_FRAME_HEAD) return false;
  const void *message = data + GRPC_FRAME_HEAD;
  if (data[0] == GRPC_FRAME_COMPRESSED) {
    buf_clear(inflated);
    if (gunzip_append(inflated, message, size, NULL) != HOIST_OK) return false;
    message = inflated->data;
    size = inflated->size;
  }
  *ret_message = message;
  *ret_size = size;
  return true;
}
