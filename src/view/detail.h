/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes of a span that matter at a glance, in a few words. */
#ifndef HOIST_VIEW_DETAIL_H
#define HOIST_VIEW_DETAIL_H

#include "term.h"
#include "trace.h"

#define DETAIL_SIZE 512

/** "s3 · 3 files · 442 KB". `self_ns` is time in no child, worth mentioning unless 0. */
void detail_format(char out[DETAIL_SIZE], const struct trace_span *span, uint64_t self_ns,
                   const struct term *term);
#endif
