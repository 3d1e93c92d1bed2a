/* SPDX-License-Identifier: Apache-2.0 */
/* Command line parsing over getopt_long, whose table is made from ours and that of the settings.
 * Called once, from the main thread (getopt keeps its state in globals). */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "suggest.h"
#include "text.h"

/* Values of getopt_long beyond those of characters. */
enum {
  OPT_VERSION = 256,
  OPT_JSON,
  OPT_NO_COLOR,
  OPT_TRACE_FILE,
  OPT_METRICS_FILE,
  OPT_TIMEOUT,
  OPT_WATERFALL,
  OPT_NO_WATERFALL,
  OPT_REPEAT,
  OPT_SVG,
  OPT_NAME,
  OPT_ATTR,
  OPT_SLOWER_THAN,
  OPT_HTML,
  OPT_DIFF,
  OPT_MAX_SIZE,
  OPT_MAX_AGE,
  OPT_DRY_RUN,
  OPT_INCLUDE,
  OPT_EXCLUDE,
  OPT_WHY,
  OPT_SETTING /* and up: OPT_SETTING + position in the table */
};

static const struct option own[] = {
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {"quiet", no_argument, NULL, 'q'},
    {"json", no_argument, NULL, OPT_JSON},
    {"no-color", no_argument, NULL, OPT_NO_COLOR},
    {"trace-file", required_argument, NULL, OPT_TRACE_FILE},
    {"metrics-file", required_argument, NULL, OPT_METRICS_FILE},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"waterfall", no_argument, NULL, OPT_WATERFALL},
    {"no-waterfall", no_argument, NULL, OPT_NO_WATERFALL},
    {"repeat", required_argument, NULL, OPT_REPEAT},
    {"svg", required_argument, NULL, OPT_SVG},
    {"name", required_argument, NULL, OPT_NAME},
    {"attr", required_argument, NULL, OPT_ATTR},
    {"slower-than", required_argument, NULL, OPT_SLOWER_THAN},
    {"html", required_argument, NULL, OPT_HTML},
    {"diff", no_argument, NULL, OPT_DIFF},
    {"max-size", required_argument, NULL, OPT_MAX_SIZE},
    {"max-age", required_argument, NULL, OPT_MAX_AGE},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"include", required_argument, NULL, OPT_INCLUDE},
    {"exclude", required_argument, NULL, OPT_EXCLUDE},
    {"why", no_argument, NULL, OPT_WHY},
};
#define OWN_COUNT (sizeof own / sizeof own[0])

static const struct option_help help[] = {
    {"--json", "print JSON for programs on standard output", FOR_ALL},
    {"-q, --quiet", "print nothing but errors (with --json: no progress)", FOR_ALL},
    {"--timeout SECONDS", "give up after so long", FOR_ALL},
    {"--waterfall", "show where the time went (load: unless told otherwise)", FOR_LOADS},
    {"--no-waterfall", "do not", FOR_LOADS},
    {"--repeat N", "do it N times and show the first, min, median and p90 of each phase",
     FOR_REPEATS},
    {"--svg FILE", "draw the medians into FILE, too", FOR_BENCH},
    {"--name TEXT", "show spans with TEXT in their name, and what they are below", FOR_TRACES},
    {"--attr KEY=VALUE", "show spans with this attribute; may be given again", FOR_TRACES},
    {"--slower-than TIME", "show spans that took longer: 100ms, 1.5s, 20us, 2m", FOR_TRACES},
    {"--diff", "compare two files: what got slower from the first to the second", FOR_TRACES},
    {"--html PAGE", "write a page for browsers instead ('-': standard output)", FOR_TRACES},
    {"--max-size SIZE",
     "remove the least recently used models until the rest takes no more: 10G, 500M", FOR_GC},
    {"--max-age AGE", "remove models that were not used for so long: 30d, 12h, 2w", FOR_GC},
    {"--dry-run", "remove nothing, only show what would be", FOR_GC},
    {"--include PATTERN", "of a place, copy what matches after all; may be given again",
     FOR_COPIES},
    {"--exclude PATTERN", "copy all but what matches; the last one that matches decides",
     FOR_COPIES},
    {"--why", "ask the sources which packages there are, and why one is chosen", FOR_INFO},
    {"--trace-file FILE", "append the spans to FILE as OTLP-JSON lines", FOR_ALL},
    {"--metrics-file FILE", "put the metrics into FILE as Prometheus text", FOR_ALL},
    {"--no-color", "no colours, even on a terminal", FOR_ALL},
    {"-h, --help", "show what a command does", FOR_ALL},
    {"--version", "show the version", FOR_ALL},
};

const struct option_help *options_help(size_t *ret_count) {
  *ret_count = sizeof help / sizeof help[0];
  return help;
}

void options_name(const struct setting *setting, char out[OPTION_NAME_SIZE]) {
  snprintf(out, OPTION_NAME_SIZE, "--%s", setting->name);
  for (char *p = out; *p; p++)
    if (*p == '_') *p = '-';
}

/* ---- the table for getopt_long
 * ------------------------------------------------------------------- */

struct table {
  struct option rows[OWN_COUNT + OPTIONS_MAX_SETTINGS + 1];
  char names[OPTIONS_MAX_SETTINGS][OPTION_NAME_SIZE];
  size_t count;
};

static void make_table(struct table *table) {
  size_t setting_count;
  const struct setting *settings = settings_table(&setting_count);
  memcpy(table->rows, own, sizeof own);
  table->count = OWN_COUNT;
  for (size_t i = 0; i < setting_count && i < OPTIONS_MAX_SETTINGS; i++) {
    bool may_stand_alone = settings[i].type == SETTING_BOOL || settings[i].secret;
    options_name(&settings[i], table->names[i]);
    table->rows[table->count++] =
        (struct option){.name = table->names[i] + 2,
                        .has_arg = may_stand_alone ? optional_argument : required_argument,
                        .val = OPT_SETTING + (int)i};
  }
  table->rows[table->count] = (struct option){0};
}

/* ---- errors ---------------------------------------------------------------------------------- */

static enum hoist_status unknown_long(const struct table *table, const char *word,
                                      struct hoist_error *err) {
  const char *names[OWN_COUNT + OPTIONS_MAX_SETTINGS];
  char name[OPTION_NAME_SIZE];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
  for (size_t i = 0; i < table->count; i++)
    names[i] = table->rows[i].name;
  const char *near = suggest(name, names, table->count);
  if (near)
    return hoist_fail(err, HOIST_INVALID, "unknown option '--%s': did you mean '--%s'?", name,
                      near);
  return hoist_fail(err, HOIST_INVALID, "unknown option '--%s': see 'hoist help'", name);
}

/* getopt_long answers '?' to an unknown option, to an ambiguous one and to an unwanted value;
 * optopt is the letter of an unknown short option, and 0 or a value of ours for long ones. */
static enum hoist_status refused(const struct table *table, const char *word,
                                 struct hoist_error *err) {
  if (optopt > 0 && optopt < 256 && optopt != 'h' && optopt != 'q')
    return hoist_fail(err, HOIST_INVALID, "unknown option '-%c': see 'hoist help'", optopt);
  size_t size = strcspn(word + 2, "="), matches = 0;
  for (size_t i = 0; i < table->count; i++) {
    if (strncmp(table->rows[i].name, word + 2, size) != 0) continue;
    if (table->rows[i].name[size] == '\0')
      return hoist_fail(err, HOIST_INVALID, "--%s takes no value", table->rows[i].name);
    matches++;
  }
  if (matches > 1)
    return hoist_fail(err, HOIST_INVALID, "option '%s' is ambiguous: write it out", word);
  return unknown_long(table, word, err);
}

/* ---- parsing --------------------------------------------------------------------------------- */

static enum hoist_status parse_timeout(const char *text, uint32_t *ret_ms,
                                       struct hoist_error *err) {
  static const struct setting as_seconds = {
      .type = SETTING_SECONDS, .offset = offsetof(struct hoist_config, stall_timeout_ms)};
  struct hoist_config scratch;
  enum hoist_status status = settings_set(&scratch, &as_seconds, text, "--timeout", err);
  if (status == HOIST_OK) *ret_ms = scratch.stall_timeout_ms;
  return status;
}

/* Secrets are in the table so that none is taken for the abbreviation of another option. */
static enum hoist_status take_setting(struct options *o, size_t index, struct hoist_error *err) {
  size_t count;
  char name[OPTION_NAME_SIZE];
  const struct setting *setting = &settings_table(&count)[index];
  options_name(setting, name);
  if (setting->secret)
    return hoist_fail(err, HOIST_INVALID,
                      "%s: secrets are taken from the environment only, because others can read "
                      "command lines; see 'hoist config'",
                      name);
  o->setting_texts[index] = optarg ? optarg : "true";
  return HOIST_OK;
}

static enum hoist_status take_for_traces(struct options *o, int value, struct hoist_error *err) {
  switch (value) {
  case OPT_NAME:
    o->for_traces = "--name";
    o->filter.name = optarg;
    return HOIST_OK;
  case OPT_ATTR:
    o->for_traces = "--attr";
    return filter_add_attr(&o->filter, optarg, err);
  case OPT_DIFF:
    o->for_traces = "--diff";
    o->diff = true;
    return HOIST_OK;
  case OPT_HTML:
    o->for_traces = "--html";
    o->html_page = optarg;
    return HOIST_OK;
  default:
    o->for_traces = "--slower-than";
    return filter_set_slower(&o->filter, optarg, err);
  }
}

/* Weeks are the longest there is, because months and years differ in length. */
static bool parse_age(const char *text, uint64_t *ret_s) {
  static const struct {
    char unit;
    uint64_t seconds;
  } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
  char digits[24];
  size_t size = strspn(text, "0123456789");
  uint64_t value;
  if (size >= sizeof digits) return false;
  snprintf(digits, sizeof digits, "%.*s", (int)size, text);
  if (!parse_u64(digits, &value) || !text[size] || text[size + 1]) return false;
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
    if (text[size] == units[i].unit) return !__builtin_mul_overflow(value, units[i].seconds, ret_s);
  return false;
}

static enum hoist_status take_for_gc(struct options *o, int value, struct hoist_error *err) {
  switch (value) {
  case OPT_MAX_SIZE:
    o->for_gc = "--max-size";
    o->limit_size = true;
    return settings_parse_bytes(optarg, &o->max_bytes)
               ? HOIST_OK
               : hoist_fail(err, HOIST_INVALID,
                            "--max-size is '%.80s': expected a number of bytes, such as 10G, 500M "
                            "or 1.5GiB",
                            optarg);
  case OPT_MAX_AGE:
    o->for_gc = "--max-age";
    o->limit_age = true;
    return parse_age(optarg, &o->max_age_s)
               ? HOIST_OK
               : hoist_fail(err, HOIST_INVALID,
                            "--max-age is '%.80s': expected a time, such as 30d, 12h, 2w or 90m",
                            optarg);
  default:
    o->for_gc = "--dry-run";
    o->dry_run = true;
    return HOIST_OK;
  }
}

static enum hoist_status take_rule(struct options *o, int include, struct hoist_error *err) {
  o->for_copies = include ? "--include" : "--exclude";
  if (o->rule_count == OPTIONS_MAX_RULES)
    return hoist_fail(err, HOIST_INVALID, "%s: more than %d patterns", o->for_copies,
                      OPTIONS_MAX_RULES);
  o->rules[o->rule_count++] = (struct hoist_copy_rule){.include = include, .pattern = optarg};
  return HOIST_OK;
}

#define MAX_REPEAT 1000

static enum hoist_status take_repeat(struct options *o, struct hoist_error *err) {
  uint64_t count;
  if (!parse_u64(optarg, &count) || count < 1 || count > MAX_REPEAT)
    return hoist_fail(err, HOIST_INVALID, "--repeat is '%.80s': expected a number from 1 to %d",
                      optarg, MAX_REPEAT);
  o->repeat = (uint32_t)count;
  return HOIST_OK;
}

static enum hoist_status take(struct options *o, int value, struct hoist_error *err) {
  switch (value) {
  case 'h':
    o->help = true;
    return HOIST_OK;
  case 'q':
    o->quiet = true;
    return HOIST_OK;
  case OPT_VERSION:
    o->version = true;
    return HOIST_OK;
  case OPT_JSON:
    o->json = true;
    return HOIST_OK;
  case OPT_NO_COLOR:
    o->no_color = true;
    return HOIST_OK;
  case OPT_TRACE_FILE:
    o->trace_file = optarg;
    return HOIST_OK;
  case OPT_METRICS_FILE:
    o->metrics_file = optarg;
    return HOIST_OK;
  case OPT_TIMEOUT:
    return parse_timeout(optarg, &o->timeout_ms, err);
  case OPT_WATERFALL:
    o->waterfall = CHOICE_YES;
    return HOIST_OK;
  case OPT_NO_WATERFALL:
    o->waterfall = CHOICE_NO;
    return HOIST_OK;
  case OPT_WHY:
    o->why = true;
    return HOIST_OK;
  case OPT_REPEAT:
    return take_repeat(o, err);
  case OPT_SVG:
    o->svg_file = optarg;
    return HOIST_OK;
  case OPT_NAME:
  case OPT_ATTR:
  case OPT_SLOWER_THAN:
  case OPT_HTML:
  case OPT_DIFF:
    return take_for_traces(o, value, err);
  case OPT_MAX_SIZE:
  case OPT_MAX_AGE:
  case OPT_DRY_RUN:
    return take_for_gc(o, value, err);
  case OPT_INCLUDE:
  case OPT_EXCLUDE:
    return take_rule(o, value == OPT_INCLUDE, err);
  default:
    return take_setting(o, (size_t)(value - OPT_SETTING), err);
  }
}

enum hoist_status options_parse(int argc, char **argv, struct options *ret_options,
                                struct hoist_error *err) {
  struct options o = {0};
  struct table table;
  make_table(&table);
  opterr = 0;
  optind = 0; /* have getopt forget an earlier command line */
  for (;;) {
    int value = getopt_long(argc, argv, ":hq", table.rows, NULL);
    if (value == -1) break;
    const char *word = argv[optind - 1];
    if (value == ':') return hoist_fail(err, HOIST_INVALID, "%s needs a value", word);
    enum hoist_status status = value == '?' ? refused(&table, word, err) : take(&o, value, err);
    if (status != HOIST_OK) return status;
  }
  o.words = argv + optind;
  o.word_count = (size_t)(argc - optind);
  *ret_options = o;
  return HOIST_OK;
}

enum hoist_status options_configure(const struct options *options, settings_get_env get_env,
                                    struct hoist_config *ret_config, struct hoist_error *err) {
  size_t count;
  const struct setting *settings = settings_table(&count);
  hoist_config_init(ret_config);
  enum hoist_status status = hoist_config_from_env(ret_config, get_env, err);
  for (size_t i = 0; i < count && i < OPTIONS_MAX_SETTINGS && status == HOIST_OK; i++) {
    char name[OPTION_NAME_SIZE];
    options_name(&settings[i], name);
    if (!options->setting_texts[i]) continue;
    if (!*options->setting_texts[i] &&
        settings[i].type == SETTING_PATH) /* an unset variable in a script, most likely */
      status = hoist_fail(err, HOIST_INVALID,
                          "%s: the value is empty: leave the option out for the default", name);
    else
      status = settings_set(ret_config, &settings[i], options->setting_texts[i], name, err);
  }
  return status;
}
