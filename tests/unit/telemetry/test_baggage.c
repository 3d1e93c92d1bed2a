/* SPDX-License-Identifier: Apache-2.0 */
/* W3C Baggage: the cases of its own test suite, its limits, and that anything settable makes the way
 * through a header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <hoist/propagation.h>

static char out[HOIST_BAGGAGE_SIZE];

static struct hoist_baggage *parse(const char *header) {
  struct hoist_baggage *baggage = NULL;
  struct hoist_error err;
  if (hoist_baggage_parse(header, &baggage, &err) != HOIST_OK)
    fail_msg("%s: %s", header, err.message);
  return baggage;
}

static struct hoist_baggage *empty(void) {
  struct hoist_baggage *baggage = NULL;
  assert_int_equal(hoist_baggage_new(&baggage, NULL), HOIST_OK);
  return baggage;
}

static void test_headers_are_read_and_written(void **state) {
  static const struct {
    const char *header, *written;
  } cases[] = {
      {"", ""},
      {" \t, ,", ""},
      {"SomeKey=SomeValue", "SomeKey=SomeValue"},
      {"SomeKey=SomeValue;SomeProp,SomeKey2=SomeValue2;ValueProp=PropVal",
       "SomeKey=SomeValue;SomeProp,SomeKey2=SomeValue2;ValueProp=PropVal"},
      {"SomeKey \t = \t SomeValue \t ; \t SomeProp \t , \t SomeKey2 \t = \t SomeValue2 \t ; \t P = "
       "V",
       "SomeKey=SomeValue;SomeProp,SomeKey2=SomeValue2;P = V"},
      {"SomeKey=SomeValue=equals", "SomeKey=SomeValue=equals"},
      {"SomeKey=%09%20%22%27%3B%3Dasdf%21%40%23%24%25%5E%26%2A%28%29",
       "SomeKey=%09%20%22'%3B=asdf!@#$%25^&*()"},
      {"k=v;SomeProp;SomeProp=PropValue;SomeProp=AnotherPropValue",
       "k=v;SomeProp;SomeProp=PropValue;SomeProp=AnotherPropValue"},
      {"key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue",
       "key1=value1;property1;property2,key2=value2,key3=value3;propertyKey=propertyValue"},
      {"userId=Am%C3%A9lie,serverNode=DF%2028,isProduction=false",
       "userId=Am%C3%A9lie,serverNode=DF%2028,isProduction=false"},
      {"empty=,next=1", "empty=,next=1"},
      {"a=1,b=2,a=3;p", "a=3;p,b=2"},
      {"a=%41%2f%2F", "a=A//"},
      {"!#$%&'*+-.^_`|~09azAZ=x", "!#$%&'*+-.^_`|~09azAZ=x"},
      {"a=%ff", "a=%EF%BF%BD"},
      {"a=x%C3y", "a=x%EF%BF%BDy"},
      {"a=%ED%A0%80", "a=%EF%BF%BD%EF%BF%BD%EF%BF%BD"},
      {"a=1;k=%20", "a=1;k=%20"}, /* properties are nobody's business here */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_baggage *baggage = parse(cases[i].header);
    hoist_baggage_format(baggage, out);
    assert_string_equal(out, cases[i].written);
    hoist_baggage_free(baggage);
  }
}

static void test_malformed_headers_are_invalid_as_a_whole(void **state) {
  static const struct {
    const char *header, *message;
  } cases[] = {
      {"a", "entry 1: there is no '='"},
      {"a=1,b", "entry 2: there is no '='"},
      {"=1", "entry 1: the name"},
      {"a b=1", "entry 1: the name"},
      {"a=1,,(b)=1", "entry 3: the name"},
      {"\xc3\xa9=1", "entry 1: the name"},
      {"a=b c", "the value"},
      {"a=\"b\"", "the value"},
      {"a=b\\c", "the value"},
      {"a=\xc3\xa9", "the value"},
      {"a=\r\nevil:1", "the value"},
      {"a=%", "the value"},
      {"a=%4", "the value"},
      {"a=%4g", "the value"},
      {"a=%00", "the value"},
      {"a=1;", "the properties"},
      {"a=1;;b", "the properties"},
      {"a=1;b c", "the properties"},
      {"a=1;=c", "the properties"},
      {"a=1;b=c d", "the properties"},
      {"a=1;b=\x01", "the properties"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_baggage *baggage = NULL;
    struct hoist_error err = {0};
    assert_int_equal(hoist_baggage_parse(cases[i].header, &baggage, &err), HOIST_INVALID);
    if (!strstr(err.message, cases[i].message)) fail_msg("%s: %s", cases[i].header, err.message);
    assert_null(baggage);
  }
}

static void test_values_never_show_in_messages(void **state) {
  static const char *const cases[] = {"a=hunter2\\", "a=hunter2;=", "hunter2", "a=%hunter2"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_baggage *baggage = NULL;
    struct hoist_error err = {0};
    assert_int_equal(hoist_baggage_parse(cases[i], &baggage, &err), HOIST_INVALID);
    assert_null(strstr(err.message, "hunter2"));
  }
}

static void test_entries_are_found_by_name_and_listed_in_order(void **state) {
  struct hoist_baggage *baggage = parse("b=2;p;q=1,a=%C3%A9,ab=3");
  const char *properties = NULL;
  assert_string_equal(hoist_baggage_get(baggage, "b", &properties), "2");
  assert_string_equal(properties, "p;q=1");
  assert_string_equal(hoist_baggage_get(baggage, "a", &properties), "\xc3\xa9");
  assert_string_equal(properties, "");
  assert_null(hoist_baggage_get(baggage, "B", NULL)); /* names are case-sensitive */
  assert_null(hoist_baggage_get(baggage, "", NULL));
  assert_string_equal(hoist_baggage_name(baggage, 0), "b");
  assert_string_equal(hoist_baggage_name(baggage, 2), "ab");
  assert_null(hoist_baggage_name(baggage, 3));
  hoist_baggage_free(baggage);
}

static void test_entries_are_set_replaced_and_removed(void **state) {
  struct hoist_baggage *baggage = empty();
  assert_int_equal(hoist_baggage_set(baggage, "a", "1", NULL, NULL), HOIST_OK);
  assert_int_equal(hoist_baggage_set(baggage, "b", "x y,\xc3\xa9%", " p1 ; p2=v ", NULL), HOIST_OK);
  assert_int_equal(hoist_baggage_set(baggage, "a", "2", "q", NULL), HOIST_OK);
  hoist_baggage_format(baggage, out);
  assert_string_equal(out, "a=2;q,b=x%20y%2C%C3%A9%25;p1 ; p2=v");
  assert_int_equal(hoist_baggage_set(baggage, "a", NULL, NULL, NULL), HOIST_OK);
  assert_int_equal(hoist_baggage_set(baggage, "nobody", NULL, NULL, NULL), HOIST_OK);
  assert_null(hoist_baggage_get(baggage, "a", NULL));
  assert_string_equal(hoist_baggage_get(baggage, "b", NULL), "x y,\xc3\xa9%");
  hoist_baggage_free(baggage);
  hoist_baggage_free(NULL);
}

static void test_what_cannot_be_sent_cannot_be_set(void **state) {
  static const struct {
    const char *name, *value, *properties, *message;
  } cases[] = {
      {"", "1", NULL, "the name"},      {"a b", "1", NULL, "the name"},
      {"a:", NULL, NULL, "the name"},   {"a", "\xff", NULL, "is not UTF-8"},
      {"a", "1", "p;;q", "properties"}, {"a", "1", "p\r\n", "properties"},
      {"a", "1", "p=\"", "properties"},
  };
  struct hoist_baggage *baggage = parse("a=0");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_error err = {0};
    assert_int_equal(
        hoist_baggage_set(baggage, cases[i].name, cases[i].value, cases[i].properties, &err),
        HOIST_INVALID);
    if (!strstr(err.message, cases[i].message)) fail_msg("%s: %s", cases[i].name, err.message);
  }
  hoist_baggage_format(baggage, out);
  assert_string_equal(out, "a=0");
  hoist_baggage_free(baggage);
}

static void test_sixty_four_entries_are_the_limit(void **state) {
  struct hoist_baggage *baggage = empty();
  char name[8];
  for (int i = 0; i < HOIST_BAGGAGE_MEMBERS_MAX; i++) {
    snprintf(name, sizeof name, "k%d", i);
    assert_int_equal(hoist_baggage_set(baggage, name, "v", NULL, NULL), HOIST_OK);
  }
  struct hoist_error err = {0};
  assert_int_equal(hoist_baggage_set(baggage, "k64", "v", NULL, &err), HOIST_INVALID);
  assert_non_null(strstr(err.message, "64 entries"));
  assert_int_equal(hoist_baggage_set(baggage, "k63", "w", NULL, NULL), HOIST_OK);
  hoist_baggage_format(baggage, out);
  struct hoist_baggage *again = parse(out), *over = NULL;
  assert_string_equal(hoist_baggage_name(again, 63), "k63");
  hoist_baggage_free(again);
  memcpy(out + strlen(out), ",one=more", sizeof ",one=more");
  assert_int_equal(hoist_baggage_parse(out, &over, NULL), HOIST_INVALID);
  hoist_baggage_free(baggage);
}

static void test_8192_bytes_are_the_limit(void **state) {
  static char header[HOIST_BAGGAGE_SIZE + 1];
  struct hoist_baggage *baggage = NULL;
  memset(header, 'v', sizeof header - 1);
  memcpy(header, "a=", 2);
  assert_int_equal(hoist_baggage_parse(header, &baggage, NULL), HOIST_INVALID);
  header[HOIST_BAGGAGE_SIZE - 1] = '\0';
  baggage = parse(header);
  hoist_baggage_format(baggage, out);
  assert_string_equal(out, header);
  assert_int_equal(hoist_baggage_set(baggage, "b", "", NULL, NULL), HOIST_INVALID);
  /* What is replaced does not count any more, and an encoded byte counts three times. */
  header[HOIST_BAGGAGE_SIZE - 4] = '\0';
  assert_int_equal(hoist_baggage_set(baggage, "a", header + 2, NULL, NULL), HOIST_OK);
  assert_int_equal(hoist_baggage_set(baggage, "b", "", NULL, NULL), HOIST_OK);
  assert_int_equal(hoist_baggage_set(baggage, "b", "x", NULL, NULL), HOIST_INVALID);
  assert_int_equal(hoist_baggage_set(baggage, "b", NULL, NULL, NULL), HOIST_OK);
  header[2] = ' ';
  assert_int_equal(hoist_baggage_set(baggage, "a", header + 2, NULL, NULL), HOIST_OK);
  assert_int_equal(hoist_baggage_set(baggage, "b", "", NULL, NULL), HOIST_INVALID);
  hoist_baggage_free(baggage);
}

static void test_repaired_values_that_no_longer_fit_are_invalid(void **state) {
  static char header[HOIST_BAGGAGE_SIZE];
  struct hoist_baggage *baggage = NULL;
  memcpy(header, "a=", 2);
  for (int i = 0; i < 2000; i++)
    memcpy(header + 2 + 3 * i, "%ff", 4);
  assert_int_equal(hoist_baggage_parse(header, &baggage, NULL), HOIST_INVALID);
  header[2 + 3 * 900] = '\0';
  baggage = parse(header);
  hoist_baggage_format(baggage, out);
  assert_int_equal(strlen(out), 2 + 9 * 900);
  hoist_baggage_free(baggage);
}

static unsigned seed = 7;

static unsigned draw(unsigned below) {
  seed = seed * 1103515245u + 12345u;
  return (seed >> 16) % below;
}

/* Random UTF-8 of up to 20 characters, anything but NUL. */
static void draw_text(char *text) {
  for (unsigned left = draw(20); left > 0; left--) {
    unsigned kind = draw(4);
    if (kind == 0) {
      memcpy(text, "\xf0\x9f\x9a\x80", 4);
      text += 4;
    } else if (kind == 1) {
      memcpy(text, "\xc3\xa9", 2);
      text += 2;
    } else {
      *text++ = (char)(1 + draw(127));
    }
  }
  *text = '\0';
}

static void test_what_was_set_comes_back_out_of_its_header(void **state) {
  for (int round = 0; round < 300; round++) {
    struct hoist_baggage *baggage = empty();
    for (unsigned left = draw(30); left > 0; left--) {
      char name[8], value[128];
      snprintf(name, sizeof name, "n%u", draw(20));
      draw_text(value);
      assert_int_equal(
          hoist_baggage_set(baggage, name, value, draw(2) ? "meta; data=%20" : NULL, NULL),
          HOIST_OK);
    }
    hoist_baggage_format(baggage, out);
    struct hoist_baggage *copy = parse(out);
    size_t i = 0;
    for (const char *name; (name = hoist_baggage_name(baggage, i)) != NULL; i++) {
      const char *properties, *same;
      assert_string_equal(hoist_baggage_name(copy, i), name);
      assert_string_equal(hoist_baggage_get(copy, name, &same),
                          hoist_baggage_get(baggage, name, &properties));
      assert_string_equal(same, properties);
    }
    assert_null(hoist_baggage_name(copy, i));
    hoist_baggage_free(copy);
    hoist_baggage_free(baggage);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_headers_are_read_and_written),
      cmocka_unit_test(test_malformed_headers_are_invalid_as_a_whole),
      cmocka_unit_test(test_values_never_show_in_messages),
      cmocka_unit_test(test_entries_are_found_by_name_and_listed_in_order),
      cmocka_unit_test(test_entries_are_set_replaced_and_removed),
      cmocka_unit_test(test_what_cannot_be_sent_cannot_be_set),
      cmocka_unit_test(test_sixty_four_entries_are_the_limit),
      cmocka_unit_test(test_8192_bytes_are_the_limit),
      cmocka_unit_test(test_repaired_values_that_no_longer_fit_are_invalid),
      cmocka_unit_test(test_what_was_set_comes_back_out_of_its_header),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
