/* SPDX-License-Identifier: Apache-2.0 */
/* What a gRPC server answers: lines of headers and trailers, an empty line, the body. Whatever it is, no
 * message is shown that could break a log line, and no wait is longer than the cap. */
#include <stdlib.h>
#include <string.h>

#include "grpc_response.h"
#include "text.h"

#define INFLATED_MAX (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct grpc_response *response) {
  size_t length = strnlen(response->message, sizeof response->message);
  if (length == sizeof response->message || !utf8_valid(response->message, length)) abort();
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)response->message[i] < 0x20) abort();
  if (response->code >= GRPC_CODES) abort();
  if (response->retry_ms > GRPC_RETRY_MAX_S * UINT64_C(1000) + 1000) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct grpc_response response = {0};
  HOIST_AUTO(buf) struct buf inflated = buf_make(INFLATED_MAX);
  const char *at = (const char *)data, *end = at + size, *newline;
  while (at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
    size_t line_size = (size_t)(newline + 1 - at);
    if (line_size == 1) break;
    grpc_response_line(&response, at, line_size);
    check(&response);
    at += line_size;
  }
  if (at < end) at++;
  struct buf body = {.data = size ? (char *)(uintptr_t)at : NULL, .size = (size_t)(end - at)};
  const void *message;
  size_t message_size;
  if (grpc_frame_read(&body, &inflated, &message, &message_size) && message_size > INFLATED_MAX &&
      message_size > body.size)
    abort();
  return 0;
}
