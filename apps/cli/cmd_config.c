/* SPDX-License-Identifier: Apache-2.0 */
/* hoist config: every setting with its value and origin, then what the environment makes of
 * telemetry. Main thread. */
#include <string.h>

#include "auto.h"
#include "cli.h"
#include "text.h"

#define NAME_COLUMNS 18
#define ORIGIN_COLUMNS 30
#define MIN_VALUE_COLUMNS 20
#define MAX_VALUE_COLUMNS 60

/* One line of output. */
struct entry {
  const char *name;
  const char *value; /* NULL: not set; `fallback` says what that amounts to */
  const char *fallback;
  const char *origin; /* "default", a variable, an option */
};

static size_t value_width(const struct cli *cli) {
  size_t others = NAME_COLUMNS + ORIGIN_COLUMNS + 4, width = cli->out_term.width;
  size_t left = width > others ? width - others : 0;
  return left < MIN_VALUE_COLUMNS   ? MIN_VALUE_COLUMNS
         : left > MAX_VALUE_COLUMNS ? MAX_VALUE_COLUMNS
                                    : left;
}

static void print_entry(struct cli *cli, const struct entry *e) {
  size_t value_columns = value_width(cli);
  fprintf(cli->out, "%-*s  ", NAME_COLUMNS, e->name);
  const char *text = e->value ? e->value : e->fallback;
  if (!e->value) term_set(cli->out, &cli->out_term, TERM_DIM);
  size_t taken = cli_put(cli->out, text);
  term_set(cli->out, &cli->out_term, TERM_PLAIN);
  /* A value is never cut: one longer than its column pushes its origin to the right. */
  fprintf(cli->out, "%*s  ", taken < value_columns ? (int)(value_columns - taken) : 0, "");
  term_print(cli->out, &cli->out_term, strcmp(e->origin, "default") == 0 ? TERM_DIM : TERM_GREEN,
             e->origin);
  fputc('\n', cli->out);
}

static void put_entry_json(struct cli *cli, const struct entry *e) {
  json_open(&cli->json, NULL, '{');
  json_text(&cli->json, "name", e->name);
  json_text(&cli->json, "value", e->value);
  json_text(&cli->json, "origin", e->origin);
  json_close(&cli->json, '}');
}

static void put_entry(struct cli *cli, const struct entry *e) {
  if (cli->options.json)
    put_entry_json(cli, e);
  else
    print_entry(cli, e);
}

/* The directory that "not set" comes to: what people look here for. */
static void resolve_cache_dir(struct cli *cli, const struct setting *setting,
                              char value[SETTING_TEXT_SIZE], bool *set) {
  HOIST_AUTO(mem) char *path = NULL;
  if (*set || strcmp(setting->name, "cache_dir") != 0) return;
  if (settings_default_cache_dir(cli->get_env, &path, NULL) == HOIST_OK)
    *set = text_copy(value, SETTING_TEXT_SIZE, path);
}

static void put_settings(struct cli *cli, const struct hoist_config *config) {
  size_t count;
  const struct setting *settings = settings_table(&count);
  for (size_t i = 0; i < count; i++) {
    char value[SETTING_TEXT_SIZE], option[OPTION_NAME_SIZE];
    const char *variable = settings_variable(&settings[i], cli->get_env);
    bool set = settings_format(config, &settings[i], value);
    options_name(&settings[i], option);
    resolve_cache_dir(cli, &settings[i], value, &set);
    struct entry entry = {.name = settings[i].name,
                          .value = set ? value : NULL,
                          .fallback = settings[i].fallback ? settings[i].fallback : "none",
                          .origin = cli->options.setting_texts[i] ? option
                                    : variable                    ? variable
                                                                  : "default"};
    put_entry(cli, &entry);
  }
}

/* ---- telemetry ------------------------------------------------------------------------------- */

static const char *shown_url(const char *url, char out[SETTING_TEXT_SIZE]) {
  if (!url) return NULL;
  settings_show_url(url, out, SETTING_TEXT_SIZE);
  return out;
}

static void put_telemetry(struct cli *cli) {
  struct hoist_telemetry_config config;
  hoist_telemetry_config_init(&config);
  bool wanted = hoist_telemetry_config_from_env(&config, cli->get_env) != 0;
  const char *trace_file = cli->options.trace_file, *metrics_file = cli->options.metrics_file;
  char traces_url[SETTING_TEXT_SIZE], metrics_url[SETTING_TEXT_SIZE];
  const struct {
    const char *name, *value, *fallback;
    const char *option; /* where it comes from; NULL: the environment */
  } rows[] = {
      {"telemetry", wanted || trace_file || metrics_file ? "on" : NULL,
       "off: no OTEL_* variable asks for it", NULL},
      {"service_name", config.service_name, "hoist", NULL},
      {"traces_endpoint", shown_url(config.traces_endpoint, traces_url), "none", NULL},
      {"metrics_endpoint", shown_url(config.metrics_endpoint, metrics_url), "none", NULL},
      {"headers", config.headers && *config.headers ? "set" : NULL, "none", NULL},
      {"sampler", config.sampler, "parentbased_always_on", NULL},
      {"console", config.console ? "on" : NULL, "off", NULL},
      {"trace_file", trace_file, "none", "--trace-file"},
      {"metrics_file", metrics_file, "none", "--metrics-file"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct entry entry = {.name = rows[i].name,
                          .value = rows[i].value,
                          .fallback = rows[i].fallback,
                          .origin = !rows[i].value   ? "default"
                                    : rows[i].option ? rows[i].option
                                                     : "OTEL_*"};
    put_entry(cli, &entry);
  }
  hoist_telemetry_config_done(&config);
}

enum hoist_status cmd_config(struct cli *cli) {
  struct hoist_config config;
  enum hoist_status status = cli_configure(cli, &config);
  if (status != HOIST_OK) return status;
  if (cli->options.json) {
    json_open(&cli->json, NULL, '{');
    json_open(&cli->json, "settings", '[');
    put_settings(cli, &config);
    json_close(&cli->json, ']');
    json_open(&cli->json, "telemetry", '[');
    put_telemetry(cli);
    json_close(&cli->json, ']');
    json_close(&cli->json, '}');
    json_end(&cli->json);
    return HOIST_OK;
  }
  if (cli->options.quiet) return HOIST_OK;
  put_settings(cli, &config);
  fputc('\n', cli->out);
  put_telemetry(cli);
  return HOIST_OK;
}
