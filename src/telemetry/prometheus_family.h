/* SPDX-License-Identifier: Apache-2.0 */
/* Families of samples: the metrics of one name, which has its help and type once. */
#ifndef HOIST_TELEMETRY_PROMETHEUS_FAMILY_H
#define HOIST_TELEMETRY_PROMETHEUS_FAMILY_H

#include "metrics.h"
#include "prometheus_name.h"
#include "prometheus_text.h"

/* The metrics of one name: of one instrument, or of several scopes'. */
struct family {
  char name[PROMETHEUS_NAME_SIZE];
  const char *type;
  const struct metric *metric;
  const struct family *leader; /* itself, or the first of the name; NULL: left out */
};

/** One for each of the first `count` metrics; of those only what never changes is read, so no lock is
 *  needed. @return how many are left out, as their names or types clash with others' */
size_t families_make(const struct metrics *m, size_t count, struct family *families);

bool family_is_histogram(const struct family *f);
void family_put_head(struct prometheus_text *t, const struct family *f);

#endif
