/* SPDX-License-Identifier: Apache-2.0 */
/* What hoist bench measures, and its picture. */
#ifndef HOIST_CLI_BENCH_H
#define HOIST_CLI_BENCH_H

#include "cli.h"

enum bench_way { BENCH_COLD, BENCH_WARM, BENCH_GRAPH, BENCH_WAYS };
enum bench_part { BENCH_DOWNLOAD, BENCH_VERIFY, BENCH_SESSION, BENCH_OTHER, BENCH_PARTS };

/** Of one way, medians over its runs. */
struct bench_row {
  const char *name;
  char objection[256]; /* why it was not measured; "": it was */
  uint64_t load_ns, part_ns[BENCH_PARTS], process_ns, peak_bytes;
};

const char *bench_part_name(enum bench_part part);

/** A table, or with --json an object. */
void bench_print(struct cli *cli, uint32_t runs, const struct bench_row rows[BENCH_WAYS]);
/** Draws the rows as bars into the file. Errors: by errno */
HOIST_MUST_CHECK enum hoist_status bench_draw(const char *path, const char *model_id,
                                              const struct bench_row rows[BENCH_WAYS],
                                              struct hoist_error *err);

#endif
