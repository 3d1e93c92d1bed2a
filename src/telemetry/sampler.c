/* SPDX-License-Identifier: Apache-2.0 */
/* The six samplers of the OpenTelemetry environment. All of them are "follow the parent or not" and
 * a threshold on the trace id, which is also how Go and Rust read traceidratio. Pure; any thread.
 */
#include "sampler.h"

#include <locale.h>
#include <stdlib.h>
#include <strings.h>

static const struct {
  const char *name;
  bool follow_parent, is_ratio;
  double ratio;
} samplers[] = {
    {"always_on", false, false, 1},
    {"always_off", false, false, 0},
    {"traceidratio", false, true, 1},
    {"parentbased_always_on", true, false, 1},
    {"parentbased_always_off", true, false, 0},
    {"parentbased_traceidratio", true, true, 1},
};

/* The same in every locale; decimal, and nothing around it. */
static bool parse_ratio(const char *text, double *ret_ratio) {
  char *end;
  locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (!plain) return false;
  double ratio = strtod_l(text, &end, plain);
  freelocale(plain);
  bool is_decimal = end != text && text[strspn(text, "0123456789.eE+-")] == '\0';
  if (!is_decimal || *end || ratio < 0 || ratio > 1) return false;
  *ret_ratio = ratio;
  return true;
}

enum hoist_status sampler_parse(const char *name, const char *arg, struct sampler *ret_sampler,
                                struct hoist_error *err) {
  if (!name) name = "parentbased_always_on";
  for (size_t i = 0; i < sizeof samplers / sizeof samplers[0]; i++) {
    if (strcasecmp(samplers[i].name, name) != 0) continue;
    double ratio = samplers[i].ratio;
    if (samplers[i].is_ratio && arg && !parse_ratio(arg, &ratio))
      return hoist_fail(err, HOIST_INVALID, "sampler argument \"%s\": not a number from 0 to 1",
                        arg);
    ret_sampler->follow_parent = samplers[i].follow_parent;
    ret_sampler->threshold = (uint64_t)(ratio * 0x1p63);
    return HOIST_OK;
  }
  return hoist_fail(err, HOIST_INVALID,
                    "sampler \"%s\": not one of [parentbased_]always_on, [parentbased_]always_off, "
                    "[parentbased_]traceidratio",
                    name);
}
