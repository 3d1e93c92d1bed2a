/* SPDX-License-Identifier: Apache-2.0 */
/* Opening when memory runs out. The program is linked with the allocator wrapped, so that the Nth
 * allocation of ours fails, for every N. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hoist/telemetry.h>

static atomic_int allocations_left; /* negative: no limit */

static int may_allocate(void) {
  return atomic_load(&allocations_left) < 0 || atomic_fetch_sub(&allocations_left, 1) > 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
int __real_posix_memalign(void **ret, size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_posix_memalign(void **ret, size_t alignment, size_t size);

void *__wrap_malloc(size_t size) {
  return may_allocate() ? __real_malloc(size) : NULL;
}
void *__wrap_calloc(size_t count, size_t size) {
  return may_allocate() ? __real_calloc(count, size) : NULL;
}
void *__wrap_realloc(void *old, size_t size) {
  return may_allocate() ? __real_realloc(old, size) : NULL;
}
char *__wrap_strdup(const char *text) {
  return may_allocate() ? __real_strdup(text) : NULL;
}
int __wrap_posix_memalign(void **ret, size_t alignment, size_t size) {
  return may_allocate() ? __real_posix_memalign(ret, alignment, size) : ENOMEM;
}

static void ignore_warning(void *user, const char *line) {
}

static void test_opening_fails_cleanly_at_every_allocation(void **state) {
  struct hoist_telemetry_config config;
  hoist_telemetry_config_init(&config);
  config.service_name = "s";
  config.resource_attributes = "a=b,c=d";
  config.traces_endpoint = "http://127.0.0.1:1/v1/traces";
  config.metrics_endpoint = "http://127.0.0.1:1/v1/metrics";
  config.headers = "a=b";
  config.ca_file = "/ca.pem";
  config.client_certificate_file = "/client.pem";
  config.client_key_file = "/key.pem";
  config.metrics_protocol = HOIST_OTLP_GRPC;
  config.trace_file = "/dev/null";
  config.console = HOIST_CONSOLE_SPANS;
  config.on_warning = ignore_warning;
  int failures = 0;
  for (enum hoist_status status = HOIST_NO_MEMORY; status != HOIST_OK; failures++) {
    struct hoist_telemetry *telemetry = NULL;
    struct hoist_error err = {.status = HOIST_OK};
    atomic_store(&allocations_left, failures);
    status = hoist_telemetry_open(&config, &telemetry, &err);
    atomic_store(&allocations_left, -1);
    if (status == HOIST_OK) {
      hoist_telemetry_close(telemetry, 0);
    } else {
      assert_int_equal(status, HOIST_NO_MEMORY);
      assert_int_equal(err.status, HOIST_NO_MEMORY);
      assert_null(telemetry);
    }
    assert_true(failures < 1000);
  }
  assert_true(failures > 20);
}

static void test_the_environment_is_read_as_far_as_memory_goes(void **state) {
  static const char *const names[] = {"OTEL_SERVICE_NAME", "OTEL_EXPORTER_OTLP_ENDPOINT",
                                      "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_HEADERS"};
  static const char *const values[] = {"s", "http://127.0.0.1:1", "otlp,console", "a=b"};
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(setenv(names[i], values[i], 1), 0);
  for (int n = 0; n < 50; n++) {
    struct hoist_telemetry_config config;
    hoist_telemetry_config_init(&config);
    config.on_warning = ignore_warning;
    atomic_store(&allocations_left, n);
    (void)hoist_telemetry_config_from_env(&config, NULL);
    atomic_store(&allocations_left, -1);
    hoist_telemetry_config_done(&config);
  }
}

int main(void) {
  atomic_store(&allocations_left, -1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_opening_fails_cleanly_at_every_allocation),
      cmocka_unit_test(test_the_environment_is_read_as_far_as_memory_goes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
