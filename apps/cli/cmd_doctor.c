/* SPDX-License-Identifier: Apache-2.0 */
/* hoist doctor: hoist_diagnose's findings, then the telemetry collector, then versions. Findings
 * are printed as they come, because each may take its time. Main thread. */
#include <string.h>

#include "cli.h"
#include "versions.h"
#include "work.h"

#define COLLECTOR_TIMEOUT_MS 2000
#define COLLECTOR_WAIT_MS 3000 /* longer, so that the exporter gets to say why */

struct examination {
  struct cli *cli;
  enum hoist_status first_failure;
};

static void print_finding(struct cli *cli, const struct hoist_finding *f) {
  bool good = f->status == HOIST_OK, fancy = cli->out_term.unicode;
  const char *mark = good ? fancy ? "✓ " : "ok   " : fancy ? "✗ " : "FAIL ";
  if (f->skipped) mark = fancy ? "– " : "--   ";
  term_print(cli->out, &cli->out_term, f->skipped ? TERM_DIM : good ? TERM_GREEN : TERM_RED, mark);
  cli_put_fit(cli->out, &cli->out_term, f->subject, 20);
  fputs("  ", cli->out);
  cli_put(cli->out, f->detail ? f->detail : good ? "works" : hoist_status_name(f->status));
  fputc('\n', cli->out);
  fflush(cli->out);
}

static void take_finding(void *user, const struct hoist_finding *f) {
  struct examination *x = user;
  x->first_failure = cli_worse(x->first_failure, f->status);
  if (x->cli->options.json) {
    json_open(&x->cli->json, NULL, '{');
    json_text(&x->cli->json, "subject", f->subject);
    json_text(&x->cli->json, "status", f->skipped ? "skipped" : hoist_status_name(f->status));
    json_text(&x->cli->json, "detail", f->detail);
    json_close(&x->cli->json, '}');
  } else if (!x->cli->options.quiet) {
    print_finding(x->cli, f);
  }
}

static void take_failure(struct examination *x, const char *subject,
                         const struct hoist_error *error) {
  const struct hoist_finding finding = {
      .subject = subject, .status = error->status, .detail = error->message};
  take_finding(x, &finding);
}

/* ---- the collector --------------------------------------------------------------------------- */

static void ignore_warning(void *user, const char *line) {
}

/* Sends one span and sees what becomes of it. */
static enum hoist_status probe_collector(const struct hoist_telemetry_config *config,
                                         struct hoist_error *err) {
  struct hoist_telemetry *telemetry = NULL;
  struct hoist_span span;
  enum hoist_status status = hoist_telemetry_open(config, &telemetry, err);
  if (status != HOIST_OK) return status;
  hoist_span_start_root(telemetry, "hoist.doctor", HOIST_SPAN_INTERNAL, NULL, &span);
  hoist_span_end(&span);
  status = hoist_telemetry_flush(telemetry, COLLECTOR_WAIT_MS, err);
  hoist_telemetry_close(telemetry, 0);
  return status;
}

static void examine_collector(struct examination *x) {
  struct hoist_telemetry_config config;
  struct hoist_error error = {.status = HOIST_OK};
  char url[400], works[512];
  hoist_telemetry_config_init(&config);
  bool wanted = hoist_telemetry_config_from_env(&config, x->cli->get_env) != 0;
  const char *endpoint = config.traces_endpoint ? config.traces_endpoint : config.metrics_endpoint;
  struct hoist_finding finding = {.subject = "telemetry", .detail = works};
  if (!wanted || !endpoint) {
    finding.skipped = 1;
    finding.detail = "not exported: set OTEL_EXPORTER_OTLP_ENDPOINT to a collector's URL";
  } else {
    config.sampler = "always_on";
    if (config.traces_endpoint) config.metrics_endpoint = NULL; /* one answer is enough */
    config.export_timeout_ms = config.metrics_export_timeout_ms = COLLECTOR_TIMEOUT_MS;
    config.on_warning = ignore_warning;
    finding.status = probe_collector(&config, &error);
    settings_show_url(endpoint, url, sizeof url);
    snprintf(works, sizeof works, "%s takes our spans", url);
    if (finding.status != HOIST_OK) finding.detail = error.message;
  }
  take_finding(x, &finding);
  hoist_telemetry_config_done(&config);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum hoist_status examine(struct examination *x, const struct work *work) {
  struct hoist_call_options options = work_call_options(work);
  struct hoist_error error;
  enum hoist_status status = hoist_diagnose(work->hoist, &options, take_finding, x, &error);
  if (status != HOIST_OK) {
    take_failure(x, "doctor", &error);
    return status;
  }
  examine_collector(x);
  return x->first_failure;
}

/* A hoist that cannot be opened is the first thing a doctor should be able to talk about. */
static enum hoist_status examine_everything(struct examination *x) {
  HOIST_AUTO(work) struct work work = {.cli = x->cli};
  struct hoist_config config;
  struct hoist_error error;
  const char *subject = "settings";
  enum hoist_status status = options_configure(&x->cli->options, x->cli->get_env, &config, &error);
  if (status == HOIST_OK) {
    subject = "cache and sources";
    status = hoist_open(&config, &work.hoist, &error);
  }
  if (status == HOIST_OK) return examine(x, &work);
  take_failure(x, subject, &error);
  examine_collector(x);
  return x->first_failure;
}

enum hoist_status cmd_doctor(struct cli *cli) {
  struct examination x = {.cli = cli};
  if (!cli->options.json) {
    enum hoist_status status = examine_everything(&x);
    if (!cli->options.quiet)
      fprintf(cli->out, "\nhoist %s, libcurl %s, %s\n", hoist_version(), versions_curl(),
              versions_openssl());
    return status;
  }
  json_open(&cli->json, NULL, '{');
  json_open(&cli->json, "findings", '[');
  enum hoist_status status = examine_everything(&x);
  json_close(&cli->json, ']');
  versions_json(cli);
  json_close(&cli->json, '}');
  json_end(&cli->json);
  return status;
}
