/* SPDX-License-Identifier: Apache-2.0 */
/* Where a bucket is: endpoints, regions, switches, path style and virtual hosts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "s3_place.h"

static void test_every_place_is_the_one_of_the_sdks(void **state) {
  (void)state;
  static const struct {
    struct s3_addressing a;
    const char *region, *origin, *path;
  } cases[] = {
      /* AWS */
      {{.bucket = "b", .virtual_host = -1},
       "us-east-1",
       "https://b.s3.us-east-1.amazonaws.com",
       ""},
      {{.bucket = "b", .virtual_host = 0}, "eu-west-1", "https://s3.eu-west-1.amazonaws.com", "/b"},
      {{.bucket = "my.b", .virtual_host = -1},
       "eu-west-1",
       "https://s3.eu-west-1.amazonaws.com",
       "/my.b"},
      {{.bucket = "my.b", .virtual_host = 1},
       "eu-west-1",
       "https://my.b.s3.eu-west-1.amazonaws.com",
       ""},
      {{.bucket = "a_b", .virtual_host = -1},
       "eu-west-1",
       "https://s3.eu-west-1.amazonaws.com",
       "/a_b"},
      {{.bucket = "b", .virtual_host = -1},
       "cn-north-1",
       "https://b.s3.cn-north-1.amazonaws.com.cn",
       ""},
      {{.bucket = "b", .virtual_host = -1},
       "us-gov-west-1",
       "https://b.s3.us-gov-west-1.amazonaws.com",
       ""},
      {{.bucket = "b", .virtual_host = -1},
       "us-iso-east-1",
       "https://b.s3.us-iso-east-1.c2s.ic.gov",
       ""},
      {{.bucket = "b", .virtual_host = -1},
       "us-isob-east-1",
       "https://b.s3.us-isob-east-1.sc2s.sgov.gov",
       ""},
      {{.bucket = "b", .virtual_host = -1},
       "eusc-de-east-1",
       "https://b.s3.eusc-de-east-1.amazonaws.eu",
       ""},
      {{.bucket = "b", .virtual_host = -1, .dualstack = true},
       "eu-west-1",
       "https://b.s3.dualstack.eu-west-1.amazonaws.com",
       ""},
      {{.bucket = "b", .virtual_host = -1, .dualstack = true},
       "cn-north-1",
       "https://b.s3.dualstack.cn-north-1.amazonaws.com.cn",
       ""},
      {{.bucket = "b", .virtual_host = -1, .fips = true},
       "us-gov-west-1",
       "https://b.s3-fips.us-gov-west-1.amazonaws.com",
       ""},
      {{.bucket = "b", .virtual_host = 0, .fips = true, .dualstack = true},
       "us-east-2",
       "https://s3-fips.dualstack.us-east-2.amazonaws.com",
       "/b"},
      /* others */
      {{.bucket = "b", .endpoint = "http://h:9000", .virtual_host = -1},
       "r",
       "http://h:9000",
       "/b"},
      {{.bucket = "b", .endpoint = "https://h:443/base/", .virtual_host = -1},
       "auto",
       "https://h",
       "/base/b"},
      {{.bucket = "b", .endpoint = "http://h:80", .virtual_host = 1}, "r", "http://b.h", ""},
      {{.bucket = "tenant:b", .endpoint = "http://h", .virtual_host = -1},
       "r",
       "http://h",
       "/tenant:b"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(s3_place) struct s3_place *p = NULL;
    struct hoist_error err = {0};
    if (s3_place_new(&cases[i].a, cases[i].region, &p, &err) != HOIST_OK)
      fail_msg("case %zu: %s", i, err.message);
    assert_string_equal(p->origin, cases[i].origin);
    assert_string_equal(p->path, cases[i].path);
    assert_string_equal(p->host, strstr(p->origin, "://") + 3);
    assert_string_equal(p->region, cases[i].region);
  }
}

static void test_what_makes_no_place_says_why(void **state) {
  (void)state;
  static const struct {
    struct s3_addressing a;
    const char *region;
    enum hoist_status status;
    const char *says;
  } cases[] = {
      {{.bucket = "b", .fips = true}, "cn-north-1", HOIST_INVALID, "unset AWS_USE_FIPS_ENDPOINT"},
      {{.bucket = "b", .dualstack = true},
       "us-iso-east-1",
       HOIST_INVALID,
       "unset AWS_USE_DUALSTACK_ENDPOINT"},
      {{.bucket = "b", .endpoint = "http://h", .fips = true},
       "r",
       HOIST_INVALID,
       "AWS_USE_FIPS_ENDPOINT chooses among"},
      {{.bucket = "b", .endpoint = "http://h", .dualstack = true},
       "r",
       HOIST_INVALID,
       "AWS_USE_DUALSTACK_ENDPOINT chooses among"},
      {{.bucket = "arn:aws:s3:us-east-1:1:accesspoint/x"},
       "r",
       HOIST_UNSUPPORTED,
       "access points are not supported"},
      {{.bucket = "b--use1-az4--x-s3"}, "r", HOIST_UNSUPPORTED, "directory buckets"},
      {{.bucket = "b", .virtual_host = 1, .endpoint = "h"},
       "r",
       HOIST_INVALID,
       "AWS_ENDPOINT_URL_S3"},
      {{.bucket = "a_b", .virtual_host = 1}, "r", HOIST_INVALID, "path style"},
      {{.bucket = "b"}, "", HOIST_INVALID, "AWS_REGION"},
      {{.bucket = "b"}, "evil.example/", HOIST_INVALID, "AWS_REGION"},
      {{.bucket = "b/../c"}, "r", HOIST_INVALID, "INFER_BUCKET"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct s3_place *p = NULL;
    struct hoist_error err = {0};
    assert_int_equal(s3_place_new(&cases[i].a, cases[i].region, &p, &err), cases[i].status);
    if (!strstr(err.message, cases[i].says))
      fail_msg("\"%s\" is not in \"%s\"", cases[i].says, err.message);
    assert_null(p);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_place_is_the_one_of_the_sdks),
      cmocka_unit_test(test_what_makes_no_place_says_why),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
