/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets do not survive http_redact_url. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "http.h"

static void assert_shown(const char *url, const char *expected) {
  char *shown = http_redact_url(url);
  assert_non_null(shown);
  assert_string_equal(shown, expected);
  char *again = http_redact_url(shown);
  assert_string_equal(again, expected);
  free(again);
  free(shown);
}

static void test_a_url_without_secrets_stays_as_it_is(void **state) {
  (void)state;
  static const char *const urls[] = {
      "https://api.roboflow.com/ort/coins/1?nocache=true&device=a+b&dynamic=true",
      "http://127.0.0.1:9000/bucket/a%20b/c%2Bd?list-type=2&prefix=x%2F",
      "https://host/@scope/package",
      "https://host",
      "https://host?",
      "https://host/?model=&&prefix=a",
      "not a url",
      "",
  };
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
    assert_shown(urls[i], urls[i]);
}

static void test_secrets_are_replaced(void **state) {
  (void)state;
  static const struct {
    const char *url, *shown;
  } cases[] = {
      {"https://u:pw@host:1/p?model=1", "https://host:1/p?model=1"},
      {"https://u@x:pw@host/p", "https://host/p"},
      {"https://host/?api_key=K&device=1", "https://host/?api_key=REDACTED&device=1"},
      {"https://host/?x=1&API_KEY=K", "https://host/?x=REDACTED&API_KEY=REDACTED"},
      {"https://host/?api%5Fkey=K", "https://host/?api%5Fkey=REDACTED"},
      {"https://host/?api_key%00=K", "https://host/?REDACTED"},
      {"https://host/?token=a=b=c", "https://host/?token=REDACTED"},
      {"https://host/?sig=a%26b;c", "https://host/?sig=REDACTED"},
      {"https://host/?service_secret=s&key=k&password=p&access_token=t",
       "https://host/"
       "?service_secret=REDACTED&key=REDACTED&password=REDACTED&access_token=REDACTED"},
      {"https://s/k?X-Amz-Algorithm=A&X-Amz-Credential=c%2Fd&X-Amz-Signature=f0&"
       "X-Amz-Security-Token=t",
       "https://s/k?X-Amz-Algorithm=A&X-Amz-Credential=REDACTED&X-Amz-Signature=REDACTED&"
       "X-Amz-Security-Token=REDACTED"},
      {"https://s/k?AWSAccessKeyId=A&Signature=S&Expires=1",
       "https://s/k?AWSAccessKeyId=REDACTED&Signature=REDACTED&Expires=1"},
      {"https://s/k?X-Goog-Signature=S&X-Goog-Credential=C",
       "https://s/k?X-Goog-Signature=REDACTED&X-Goog-Credential=REDACTED"},
      {"https://host/p#access_token=t", "https://host/p"},
      {"https://host/?model=1#token=t", "https://host/?model=1"},
      {"https://host/?SECRET", "https://host/?REDACTED"},
      {"https://host/?model=1;api_key=K", "https://host/?model=REDACTED"},
      {"https://host/?model=a%26api_key%3DK", "https://host/?model=REDACTED"},
      {"https://host/?model=a%2526api_key%253DK", "https://host/?model=REDACTED"},
      {"https://host/sso?redirect_uri=http%3A%2F%2Fh%2F%3Fapi_key%3DK",
       "https://host/sso?redirect_uri=REDACTED"},
      {"https://host/?X-Amz-Signature%3DK&jwt=K&apikey=K&auth=K",
       "https://host/?REDACTED&jwt=REDACTED&apikey=REDACTED&auth=REDACTED"},
      {"https://host/go/https://u:K@other/", "https://host/go/httpsREDACTED"},
      {"http://gw/proxy?url=https%3A%2F%2Fhost%2F%3Fapi_key%3DK",
       "http://gw/proxy?url=https%3A%2F%2Fhost%2F%3Fapi_key%3DREDACTED"},
      {"http://gw/proxy?url=http%3A%2F%2Fu%3Ap%40gw%2Fproxy%3Furl%3Dhttps%253A%252F%252Fh%252F%253F"
       "token%253DK",
       "http://gw/proxy?url=http%3A%2F%2Fgw%2Fproxy%3Furl%3Dhttps%253A%252F%252Fh%252F%253Ftoken%"
       "253DREDACTED"},
      {"http://gw/?url=a%00token%3DK", "http://gw/?url=REDACTED"},
      {"http://gw/?url=%3Furl%3D%253Furl%253D%25253Furl%25253D%2525253Ftoken%2525253DK",
       "http://gw/?url=%3Furl%3D%253Furl%253D%25253Furl%25253DREDACTED"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_shown(cases[i].url, cases[i].shown);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_url_without_secrets_stays_as_it_is),
      cmocka_unit_test(test_secrets_are_replaced),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
