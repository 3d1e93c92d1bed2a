/* SPDX-License-Identifier: Apache-2.0 */
/* Plugs a tracer of one's own into hoist, as a program does that is traced already: here one that
 * prints each span as it ends, indented by its depth. own_tracer MODEL-ID */
#include <hoist/hoist.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct my_span {
  const char *name;
  int depth;
  uint64_t start_ns;
  char notes[160];
};

static void *start(void *user, const char *name, enum hoist_span_kind kind, void *parent,
                   const struct hoist_span_context *remote_parent, uint64_t start_unix_ns) {
  struct my_span *span = calloc(1, sizeof *span);
  (void)user, (void)kind, (void)remote_parent;
  if (span)
    *span = (struct my_span){name, parent ? ((struct my_span *)parent)->depth + 1 : 0,
                             start_unix_ns, ""};
  return span; /* NULL: this span is not recorded */
}

static void set_attr(void *user, void *target, const struct hoist_attr *attr) {
  struct my_span *span = target;
  size_t used = strlen(span->notes);
  (void)user;
  if (attr->type == HOIST_ATTR_STRING)
    snprintf(span->notes + used, sizeof span->notes - used, " %s=%s", attr->key,
             attr->value.string);
}

static void add_event(void *user, void *span, const char *name, uint64_t unix_ns,
                      const struct hoist_attr *attrs, size_t attr_count) {
  (void)user, (void)span, (void)name, (void)unix_ns, (void)attrs, (void)attr_count;
}

static void set_status(void *user, void *target, enum hoist_span_status status,
                       const char *description) {
  struct my_span *span = target;
  (void)user;
  if (status != HOIST_SPAN_ERROR) return;
  snprintf(span->notes, sizeof span->notes, " ERROR %s", description ? description : "");
}

static void get_context(void *user, void *span, struct hoist_span_context *ret_context) {
  (void)user, (void)span;
  memset(ret_context, 0, sizeof *ret_context); /* a real tracer tells its ids here */
}

static void end(void *user, void *target, uint64_t end_unix_ns) {
  struct my_span *span = target;
  (void)user;
  printf("%*s%s %.1f ms%s\n", 2 * span->depth, "", span->name,
         (double)(end_unix_ns - span->start_ns) / 1e6, span->notes);
  free(span);
}

int main(int argc, char **argv) {
  const struct hoist_tracer tracer = {.size = sizeof tracer,
                                      .span_start = start,
                                      .span_set_attr = set_attr,
                                      .span_add_event = add_event,
                                      .span_set_status = set_status,
                                      .span_get_context = get_context,
                                      .span_end = end};
  struct hoist_error err = {.message = "usage: own_tracer MODEL-ID"};
  struct hoist_telemetry *telemetry = NULL;
  struct hoist_config config;
  struct hoist *hoist = NULL;
  struct hoist_model *model = NULL;
  hoist_config_init(&config);
  int failed = argc != 2 || hoist_config_from_env(&config, NULL, &err) != HOIST_OK ||
               hoist_telemetry_adapt(&tracer, &telemetry, &err) != HOIST_OK;
  config.telemetry = telemetry;
  failed = failed || hoist_open(&config, &hoist, &err) != HOIST_OK ||
           hoist_load(hoist, argv[1], NULL, &model, &err) != HOIST_OK;
  if (failed) fprintf(stderr, "own_tracer: %s\n", err.message);
  hoist_model_unref(model);
  hoist_close(hoist);
  hoist_telemetry_close(telemetry, 0);
  return failed;
}
