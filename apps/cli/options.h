/* SPDX-License-Identifier: Apache-2.0 */
/* The options of the command line. All commands share them: a few of their own, and one for every
 * setting that is not a secret, taken from the settings table. */
#ifndef HOIST_CLI_OPTIONS_H
#define HOIST_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "filter.h"
#include "settings.h"

#define OPTIONS_MAX_SETTINGS 96
#define OPTIONS_MAX_RULES 256 /* of --include and --exclude */

enum choice { CHOICE_DEFAULT, CHOICE_YES, CHOICE_NO };

struct options {
  bool help, version, json, quiet, no_color;
  enum choice waterfall;
  const char *trace_file, *metrics_file;
  uint32_t timeout_ms;                 /* 0: none */
  struct filter filter;                /* of `hoist trace` */
  bool diff;                           /* of two files */
  const char *html_page;               /* "-": standard output; NULL: none */
  bool limit_size, limit_age, dry_run; /* of `hoist gc` */
  uint64_t max_bytes, max_age_s;
  bool why;             /* of `hoist info` */
  uint32_t repeat;      /* of `hoist load` and `hoist bench`; 0: not given */
  const char *svg_file; /* of `hoist bench`; NULL: none */
  struct hoist_copy_rule rules[OPTIONS_MAX_RULES]; /* of `hoist pull PLACE`, in their order */
  size_t rule_count;
  const char *for_copies; /* as for_traces, for `hoist pull PLACE` */
  const char *for_gc;     /* as for_traces, for `hoist gc` */
  const char *for_traces; /* the last option given that is for `hoist trace` only; NULL: none */
  const char *setting_texts[OPTIONS_MAX_SETTINGS]; /* by position in the table; NULL: not given */
  char **words; /* what is no option: the command and its arguments */
  size_t word_count;
};

/** Reads the whole command line; options and words may stand in any order, "--" ends the options.
 *  @param argv  permuted; borrowed by ret_options
 *  Errors: INVALID an unknown option (with a suggestion), a missing or unwanted value */
HOIST_MUST_CHECK enum hoist_status options_parse(int argc, char **argv, struct options *ret_options,
                                                 struct hoist_error *err);

/** Defaults, then the environment, then the options.
 *  Errors: INVALID a value of the wrong type: names the variable or option */
HOIST_MUST_CHECK enum hoist_status options_configure(const struct options *options,
                                                     settings_get_env get_env,
                                                     struct hoist_config *ret_config,
                                                     struct hoist_error *err);

#define OPTION_NAME_SIZE 48
/** "--cache-dir" for "cache_dir". */
void options_name(const struct setting *setting, char out[OPTION_NAME_SIZE]);

/** Which commands an option makes sense for. */
enum option_scope {
  FOR_ALL,
  FOR_LOADS,
  FOR_REPEATS,
  FOR_BENCH,
  FOR_TRACES,
  FOR_GC,
  FOR_COPIES,
  FOR_INFO
};

/** One option that is no setting. */
struct option_help {
  const char *spelling, *description;
  enum option_scope scope;
};
/** Those options, for help pages and the tests of the manual. Static. */
const struct option_help *options_help(size_t *ret_count);

#endif
