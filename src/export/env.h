/* SPDX-License-Identifier: Apache-2.0 */
/* Between env.c, env_signal.c and env_propagation.c: looking variables up, warning about them, keeping their values. */
#ifndef HOIST_EXPORT_ENV_H
#define HOIST_EXPORT_ENV_H

#include <hoist/telemetry.h>
#include <stdbool.h>

#include "buf.h"
#include "err.h"

struct env {
  struct hoist_telemetry_config *config;
  const char *(*get_env)(const char *name);
  struct buf *said; /* the warnings so far, a line each */
};

/** NULL where it is unset or empty. */
const char *env_get(const struct env *env, const char *name);
/** The first of up to two names that is set. */
const char *env_first_set(const struct env *env, const char *const names[2], const char **ret_name);
/** Warns where it is set to anything but true and false. */
bool env_is_true(const struct env *env, const char *name);
/** Nothing where the same was said before. Control bytes in the text become '?'. */
void env_warn(const struct env *env, const char *fmt, ...) PRINTF_LIKE(2, 3);
/** Copies `value` into storage of the configuration. */
void env_keep(const struct env *env, const char *value, const char **ret_text);

/** Where a signal goes and how. Returns whether the environment asks for it. */
bool env_read_traces(const struct env *env);
bool env_read_metrics(const struct env *env);

/** What goes on to others and comes from them. Holds also where the SDK is disabled. */
void env_read_propagation(const struct env *env);

#endif
