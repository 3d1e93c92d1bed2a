/* SPDX-License-Identifier: Apache-2.0 */
/* Between env.c and env_signal.c: looking variables up, warning about them, keeping their values. */
#ifndef HOIST_EXPORT_ENV_H
#define HOIST_EXPORT_ENV_H

#include <hoist/telemetry.h>
#include <stdbool.h>

#include "err.h"

struct env {
  struct hoist_telemetry_config *config;
  const char *(*get_env)(const char *name);
};

/** NULL where it is unset or empty. */
const char *env_get(const struct env *env, const char *name);
/** The first of up to two names that is set. */
const char *env_first_set(const struct env *env, const char *const names[2], const char **ret_name);
/** Warns where it is set to anything but true and false. */
bool env_is_true(const struct env *env, const char *name);
void env_warn(const struct env *env, const char *fmt, ...) PRINTF_LIKE(2, 3);
/** Copies `value` into storage of the configuration. */
void env_keep(const struct env *env, const char *value, const char **ret_text);

/** Where a signal goes and how. Returns whether the environment asks for it. */
bool env_read_traces(const struct env *env);
bool env_read_metrics(const struct env *env);

#endif
