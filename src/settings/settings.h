/* SPDX-License-Identifier: Apache-2.0 */
/* Every setting of struct hoist_config in one table: its name, its environment variables, its type,
 * its default, and what it is for. Defaults, the environment, the command's options, `hoist config`
 * and docs/configuration.md all follow this table, so they cannot disagree. */
#ifndef HOIST_SETTINGS_SETTINGS_H
#define HOIST_SETTINGS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hoist/hoist.h>

enum setting_type {
  SETTING_STRING,
  SETTING_PATH,
  SETTING_URL,     /* shown without user, password and query */
  SETTING_CHOICE,  /* one of `choices` */
  SETTING_BOOL,    /* int: 0 or 1 */
  SETTING_SECONDS, /* uint32_t in milliseconds; written in seconds, decimals allowed */
  SETTING_COUNT,   /* uint32_t within min..max */
  SETTING_BYTES    /* uint64_t; written with a unit: 10G, 500M, 1.5GiB */
};

#define SETTING_MAX_ENV 3

struct setting {
  const char *name;                 /* "cache_dir"; with dashes also the option: --cache-dir */
  const char *env[SETTING_MAX_ENV]; /* in order of precedence; NULL: no more */
  enum setting_type type;
  size_t offset;        /* of the member in struct hoist_config */
  uint32_t min, max;    /* SETTING_COUNT, inclusive */
  const char *choices;  /* SETTING_CHOICE: "auto|path|virtual" */
  const char *initial;  /* the default as one would write it; NULL: not set */
  const char *fallback; /* what "not set" amounts to, in words; NULL where `initial` says it */
  bool secret;          /* a SETTING_STRING that is never shown, nor an option (others see those) */
  const char *description;
};

typedef const char *(*settings_get_env)(const char *name);

/** The table. Static. */
const struct setting *settings_table(size_t *ret_count);

/** The variable that decides the setting: the first one that is set and not empty; NULL: none. */
const char *settings_variable(const struct setting *setting, settings_get_env get_env);

/** Stores `text` (borrowed by the config where the setting is a text; an empty one unsets it).
 * `origin` names where it came from in the error: a variable, an option. Errors: INVALID not of the
 * setting's type: names origin, value (unless secret) and what is expected */
HOIST_MUST_CHECK enum hoist_status settings_set(struct hoist_config *config,
                                                const struct setting *setting, const char *text,
                                                const char *origin, struct hoist_error *err);

/** Reads a number of bytes: a decimal number and a unit of K, M, G or T, which are powers of 1000, or KiB,
 *  MiB, GiB, TiB; "10G", "10 GB" and "10000000000" are the same. False on anything else. */
bool settings_parse_bytes(const char *text, uint64_t *ret_bytes);

/** A copy that owns its texts; those of `config` are borrowed for the call only. Release with
 *  settings_copy_done, which wipes the secrets. Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status settings_copy(const struct hoist_config *config,
                                                 struct hoist_config *ret_copy,
                                                 struct hoist_error *err);
void settings_copy_done(struct hoist_config *copy);

#define SETTING_TEXT_SIZE 4352
/** The value for people: secrets only as "set", URLs without their secrets, durations as "30 s".
 * False and "" where it is not set. */
bool settings_format(const struct hoist_config *config, const struct setting *setting,
                     char out[SETTING_TEXT_SIZE]);

/** A URL without user, password and query, as it may be shown. Cut to fit; always terminates. */
void settings_show_url(const char *url, char *out, size_t size);

/** The cache directory where none is configured: $XDG_CACHE_HOME/hoist, else $HOME/.cache/hoist.
 *  Relative values are ignored, as the XDG specification asks.
 *  @param get_env   NULL: getenv
 *  @param ret_path  on OK: malloc'd
 *  Errors: INVALID neither variable helps: says what to set · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status settings_default_cache_dir(settings_get_env get_env,
                                                              char **ret_path,
                                                              struct hoist_error *err);
#endif
