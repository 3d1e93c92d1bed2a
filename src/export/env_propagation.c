/* SPDX-License-Identifier: Apache-2.0 */
/* What the environment says about trace context and baggage on the way out, and about requests that force
 * a trace. One thread. */
#include <string.h>
#include <strings.h>

#include "auto.h"
#include "env.h"
#include "text.h"

static const struct {
  const char *name;
  unsigned bit;
} propagators[] = {
    {"tracecontext", HOIST_PROPAGATE_TRACECONTEXT},
    {"baggage", HOIST_PROPAGATE_BAGGAGE},
    {"none", 0},
};

static bool find_propagator(const char *name, unsigned *ret_bit) {
  for (size_t i = 0; i < sizeof propagators / sizeof propagators[0]; i++)
    if (strcasecmp(name, propagators[i].name) == 0) {
      *ret_bit = propagators[i].bit;
      return true;
    }
  return false;
}

/* A list with nothing in it that we know is as good as none. */
static void read_propagators(const struct env *env) {
  static const char name[] = "OTEL_PROPAGATORS";
  HOIST_AUTO(mem) char *copy = text_dup(env_get(env, name));
  unsigned bits = 0, bit;
  bool is_known = false;
  for (char *entry, *rest = copy; (entry = strsep(&rest, ", ")) != NULL;) {
    if (find_propagator(entry, &bit)) {
      bits |= bit;
      is_known = true;
    } else if (*entry) {
      env_warn(env,
               "%s: propagator \"%s\" is not supported (tracecontext, baggage and none are): "
               "ignored",
               name, entry);
    }
  }
  if (is_known) env->config->propagators = bits;
}

void env_read_propagation(const struct env *env) {
  static const char forced[] = "HOIST_ALLOW_FORCED_TRACES";
  read_propagators(env);
  if (env_get(env, forced)) env->config->allow_forced_traces = env_is_true(env, forced);
}
