/* SPDX-License-Identifier: Apache-2.0 */
/* The resource, and the lists it and the headers are given in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

#include "host.h"
#include "keyvalue.h"
#include "otlp_read.h"
#include "resource.h"

struct found {
  const char *key;
  char value[300];
  int64_t integer;
  int count;
};

static enum hoist_status look(void *user, const struct otlp_attr *attr, struct hoist_error *err) {
  struct found *f = user;
  if (attr->key.size != strlen(f->key) || memcmp(attr->key.data, f->key, attr->key.size) != 0)
    return HOIST_OK;
  f->count++;
  f->integer = attr->integer;
  snprintf(f->value, sizeof f->value, "%.*s", (int)attr->string.size,
           (const char *)attr->string.data);
  return HOIST_OK;
}

static struct found find(const struct buf *resource, const char *key) {
  struct found f = {.key = key};
  struct otlp_bytes bytes = {(const uint8_t *)resource->data, resource->size};
  assert_int_equal(otlp_each_attr(bytes, 1, look, &f, NULL), HOIST_OK);
  assert_true(f.count <= 1);
  return f;
}

static struct buf encoded(const char *service_name, const char *list,
                          enum hoist_status expected_list_status) {
  struct buf out = buf_make(RESOURCE_MAX);
  struct hoist_error list_error;
  assert_int_equal(resource_encode(service_name, list, &out, &list_error, NULL), HOIST_OK);
  assert_int_equal(list_error.status, expected_list_status);
  return out;
}

static void test_a_process_describes_itself(void **state) {
  struct buf r = encoded(NULL, NULL, HOIST_OK), again = encoded(NULL, NULL, HOIST_OK);
  assert_string_equal(find(&r, "service.name").value, "unknown_service:test_export_resource");
  assert_string_equal(find(&r, "telemetry.sdk.name").value, "hoist");
  assert_string_equal(find(&r, "telemetry.sdk.language").value, "c");
  assert_string_equal(find(&r, "telemetry.sdk.version").value, HOIST_VERSION);
  assert_string_equal(find(&r, "process.executable.name").value, "test_export_resource");
  assert_int_equal(find(&r, "process.pid").integer, getpid());
  struct utsname host;
  assert_int_equal(uname(&host), 0);
  assert_string_equal(find(&r, "host.name").value, host.nodename);
  assert_string_equal(find(&r, "host.arch").value, host_arch(host.machine));
  assert_string_equal(find(&r, "os.type").value, "linux");
  assert_int_equal(find(&r, "process.command_line").count, 0); /* it may hold a key */
  assert_int_equal(find(&r, "process.command_args").count, 0);
  assert_int_equal(find(&r, "process.executable.path").count, 0);
  struct found id = find(&r, "service.instance.id");
  assert_int_equal(strlen(id.value), 36);
  assert_int_equal(id.value[14], '4');
  assert_string_not_equal(id.value, find(&again, "service.instance.id").value);
  buf_done(&r);
  buf_done(&again);
}

static void test_the_list_overrides_defaults_and_the_name_overrides_the_list(void **state) {
  struct buf r =
      encoded(NULL, " service.name = list , a=1,a=2,,sp%61ce=x%20%2C%3Dy,empty=", HOIST_OK);
  assert_string_equal(find(&r, "service.name").value, "list");
  assert_string_equal(find(&r, "a").value, "2");
  assert_string_equal(find(&r, "space").value, "x ,=y");
  assert_int_equal(find(&r, "empty").count, 1);
  buf_done(&r);
  r = encoded(NULL, "process.pid=7", HOIST_OK);
  assert_string_equal(find(&r, "process.pid").value, "7"); /* and once: find checks that */
  buf_done(&r);
  r = encoded(NULL, "host.name=elsewhere,container.id=c1,k8s.pod.name=p1", HOIST_OK);
  assert_string_equal(find(&r, "host.name").value, "elsewhere");
  assert_string_equal(find(&r, "container.id").value, "c1");
  assert_string_equal(find(&r, "k8s.pod.name").value, "p1");
  buf_done(&r);
  r = encoded("name", "service.name=list,telemetry.sdk.name=other,service.instance.id=7", HOIST_OK);
  assert_string_equal(find(&r, "service.name").value, "name");
  assert_string_equal(find(&r, "telemetry.sdk.name").value, "hoist");
  assert_string_equal(find(&r, "service.instance.id").value, "7");
  buf_done(&r);
}

static void test_any_error_in_the_list_discards_all_of_it(void **state) {
  static const char *const lists[] = {"a=1,b",     "a=1,=b",    "a=1,b=%4",
                                      "a=1,b=%zz", "a=1,b=%0a", "a=1,b=\x01"};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    struct buf r = encoded(NULL, lists[i], HOIST_INVALID);
    assert_int_equal(find(&r, "a").count, 0);
    assert_int_equal(find(&r, "service.name").count, 1);
    buf_done(&r);
  }
}

static void test_more_attributes_than_allowed_discard_the_list(void **state) {
  struct buf list = buf_make(1 << 16);
  for (int i = 0; i < 200; i++)
    assert_int_equal(buf_printf(&list, NULL, "k%d=v,", i), HOIST_OK);
  struct buf r = encoded(NULL, buf_str(&list), HOIST_INVALID);
  assert_int_equal(find(&r, "k0").count, 0);
  buf_done(&r);
  buf_done(&list);
}

static enum hoist_status refuse_second(void *user, const char *key, const char *value,
                                       struct hoist_error *err) {
  return ++*(int *)user == 2 ? hoist_fail(err, HOIST_CANCELLED, "enough") : HOIST_OK;
}

static void test_a_list_error_names_the_entry_and_not_its_text(void **state) {
  struct hoist_error err;
  int seen = 0;
  assert_int_equal(keyvalue_each("a=1,secret", refuse_second, &seen, &err), HOIST_INVALID);
  assert_non_null(strstr(err.message, "entry 2"));
  assert_null(strstr(err.message, "secret"));
  seen = 0;
  assert_int_equal(keyvalue_each("a=1,b=2,c", refuse_second, &seen, &err), HOIST_CANCELLED);
  char *huge = malloc(KEYVALUE_TEXT_MAX + 2);
  assert_non_null(huge);
  memset(huge, 'a', KEYVALUE_TEXT_MAX + 1);
  huge[KEYVALUE_TEXT_MAX + 1] = '\0';
  assert_int_equal(keyvalue_each(huge, refuse_second, &seen, &err), HOIST_INVALID);
  free(huge);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_process_describes_itself),
      cmocka_unit_test(test_the_list_overrides_defaults_and_the_name_overrides_the_list),
      cmocka_unit_test(test_any_error_in_the_list_discards_all_of_it),
      cmocka_unit_test(test_more_attributes_than_allowed_discard_the_list),
      cmocka_unit_test(test_a_list_error_names_the_entry_and_not_its_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
