/* SPDX-License-Identifier: Apache-2.0 */
/* Where a URL points, and where a redirect leads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "target.h"

static void test_a_url_names_host_and_port(void **state) {
  (void)state;
  static const struct {
    const char *url, *host, *authority;
    unsigned port;
    int tls;
  } cases[] = {
      {"http://host/p", "host", "host:80", 80, 0},
      {"https://host", "host", "host:443", 443, 1},
      {"HTTPS://host:8443/?q", "host", "host:8443", 8443, 1},
      {"http://[::1]:9000/", "::1", "[::1]:9000", 9000, 0},
      {"http://u:p@host/", "host", "host:80", 80, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(target) struct target t = {0};
    assert_int_equal(target_parse(cases[i].url, &t, NULL), HOIST_OK);
    assert_string_equal(t.host, cases[i].host);
    assert_string_equal(t.authority, cases[i].authority);
    assert_int_equal(t.port, cases[i].port);
    assert_int_equal(t.tls, cases[i].tls);
    assert_string_equal(t.url, cases[i].url);
  }
}

static void test_an_origin_is_scheme_host_and_port(void **state) {
  (void)state;
  static const struct {
    const char *a, *b;
    int same;
  } cases[] = {
      {"http://host/x", "http://HOST:80/y", 1}, {"http://host/", "https://host:80/", 0},
      {"http://host/", "http://host:81/", 0},   {"https://host/", "https://host.evil/", 0},
      {"https://a/", "https://b/", 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(target) struct target a = {0};
    HOIST_AUTO(target) struct target b = {0};
    assert_int_equal(target_parse(cases[i].a, &a, NULL), HOIST_OK);
    assert_int_equal(target_parse(cases[i].b, &b, NULL), HOIST_OK);
    assert_int_equal(target_same_origin(&a, &b), cases[i].same);
  }
}

static void test_a_redirect_leads_on(void **state) {
  (void)state;
  static const struct {
    const char *from, *location, *to; /* to NULL: refused */
  } cases[] = {
      {"http://host/a/b?x", "c", "http://host/a/c"},
      {"http://host/a/b?x", "/c?y=%2F", "http://host/c?y=%2F"},
      {"http://host/a", "//other/c", "http://other/c"},
      {"http://host/a", "https://other:1/c d", "https://other:1/c%20d"},
      {"http://u:pw@host/a", "https://other/", "https://other/"},
      {"http://u:pw@host/a", "/b", "http://host/b"},
      {"https://host/a", "https://other/", "https://other/"},
      {"https://host/a", "http://host/", NULL},
      {"https://host/a", "ftp://host/", NULL},
      {"http://host/a", "http://u:p@host/", NULL},
      {"http://host/a", "http://ho st/", NULL},
      {"http://host/a", "http://:80/", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(target) struct target t = {0};
    assert_int_equal(target_parse(cases[i].from, &t, NULL), HOIST_OK);
    enum hoist_status status =
        target_redirect(&t, cases[i].location, strlen(cases[i].location), NULL);
    assert_int_equal(status, cases[i].to ? HOIST_OK : HOIST_CORRUPT);
    assert_string_equal(t.url, cases[i].to ? cases[i].to : cases[i].from);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_url_names_host_and_port),
      cmocka_unit_test(test_an_origin_is_scheme_host_and_port),
      cmocka_unit_test(test_a_redirect_leads_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
