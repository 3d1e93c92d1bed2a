/* SPDX-License-Identifier: Apache-2.0 */
/* What a gRPC server says, beside the message itself: headers, trailers, and the frame around the
 * message. Nothing of it is trusted. */
#ifndef HOIST_EXPORT_GRPC_RESPONSE_H
#define HOIST_EXPORT_GRPC_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

#define GRPC_FRAME_HEAD 5
#define GRPC_FRAME_COMPRESSED 1
/* More than is ever shown, so that what is hidden in a text is there whole. */
#define GRPC_MESSAGE_SIZE 4096
/* Details beyond this are not read; servers keep all trailers together under 8 KiB. */
#define GRPC_DETAILS_MAX 8192
#define GRPC_RETRY_MAX_S (24 * 60 * 60)

enum grpc_code {
  GRPC_OK = 0,
  GRPC_CANCELLED = 1,
  GRPC_UNKNOWN = 2,
  GRPC_DEADLINE_EXCEEDED = 4,
  GRPC_PERMISSION_DENIED = 7,
  GRPC_RESOURCE_EXHAUSTED = 8,
  GRPC_ABORTED = 10,
  GRPC_OUT_OF_RANGE = 11,
  GRPC_UNIMPLEMENTED = 12,
  GRPC_INTERNAL = 13,
  GRPC_UNAVAILABLE = 14,
  GRPC_DATA_LOSS = 15,
  GRPC_UNAUTHENTICATED = 16,
  GRPC_CODES = 17
};

/* Zeroed: nothing was said. */
struct grpc_response {
  bool has_status;
  uint32_t code;       /* below GRPC_CODES; what is above is GRPC_UNKNOWN */
  bool has_retry_info; /* the server names a delay and so asks for a retry */
  uint64_t retry_ms;
  char message[GRPC_MESSAGE_SIZE]; /* decoded; valid UTF-8 without control characters */
};

/** Reads one header or trailer as it arrived, "name: value\r\n"; a status line begins anew. */
void grpc_response_line(struct grpc_response *response, const char *line, size_t size);

/** The code, also where only HTTP tells: the mapping of the gRPC specification. */
uint32_t grpc_response_code(const struct grpc_response *response, long http_status);

/** Whether OTLP allows to send again after this code. */
bool grpc_is_retryable(uint32_t code, bool has_retry_info);

const char *grpc_code_name(uint32_t code);

/** Finds the message in the body of an answer, inflating it into `inflated` where it is compressed.
 *  False where the body is not one whole frame. */
bool grpc_frame_read(const struct buf *body, struct buf *inflated, const void **ret_message,
                     size_t *ret_size);
#endif
