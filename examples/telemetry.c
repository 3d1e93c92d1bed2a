/* SPDX-License-Identifier: Apache-2.0 */
/* A program that records its own spans and metrics with hoist, as the OTEL_* environment asks; nothing
 * is recorded where that asks for nothing: OTEL_TRACES_EXPORTER=console telemetry */
#include <hoist/telemetry.h>
#include <inttypes.h>
#include <stdio.h>

static const struct hoist_instrument orders_packed = {.name = "shop.orders.packed",
                                                      .unit = "{order}",
                                                      .description = "Orders packed.",
                                                      .kind = HOIST_COUNTER};

static void pack(const struct hoist_span *order, struct hoist_bound *packed) {
  struct hoist_span span; /* stays where it is until it has ended */
  hoist_span_start(order, "pack", HOIST_SPAN_INTERNAL, &span);
  hoist_span_set_int(&span, "items", 3);
  hoist_span_add_event(&span, "box closed", NULL, 0);
  hoist_bound_add(packed, 1);
  hoist_span_end(&span);
}

int main(void) {
  struct hoist_telemetry_config config;
  struct hoist_telemetry *telemetry = NULL; /* NULL: every call below does nothing */
  struct hoist_telemetry_status status;
  struct hoist_error err;
  struct hoist_span order;
  hoist_telemetry_config_init(&config);
  config.scope_name = "shop"; /* what records: the program, not hoist */
  if (hoist_telemetry_config_from_env(&config, NULL) &&
      hoist_telemetry_open(&config, &telemetry, &err) != HOIST_OK)
    return fprintf(stderr, "telemetry: %s\n", err.message), 1;
  hoist_telemetry_config_done(&config);
  struct hoist_bound *packed = hoist_metric_bind(telemetry, &orders_packed, NULL, 0);
  hoist_span_start_root(telemetry, "order", HOIST_SPAN_INTERNAL, NULL, &order);
  hoist_span_set_string(&order, "customer.kind", "regular");
  pack(&order, packed);
  hoist_span_set_status(&order, HOIST_SPAN_OK, NULL);
  hoist_span_end(&order);
  hoist_telemetry_get_status(telemetry, &status);
  printf("%" PRIu64 " spans\n", status.spans_ended);
  hoist_telemetry_close(telemetry, 5000); /* without it what waits for export is lost */
  return 0;
}
