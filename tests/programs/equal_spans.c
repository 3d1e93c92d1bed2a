/* SPDX-License-Identifier: Apache-2.0 */
/* Records the spans that tests/integration/official_sdk.test.mjs makes with the official SDK as well,
 * in the same order and under the same names, and writes them as OTLP protobuf to the file named by the
 * argument. Messages one after the other are one message to protobuf. */
#include <hoist/telemetry.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0 UINT64_C(1700000000123456789)
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* The parent, and the link's target, in other processes. */
static const struct hoist_span_context far = {
    .trace_id = {0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80,
                 0x31, 0x9c},
    .span_id = {0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31},
    .flags = 1,
    .remote = 1,
    .tracestate = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"};

static struct hoist_attr text(const char *key, const char *value) {
  return (struct hoist_attr){.key = key, .type = HOIST_ATTR_STRING, .value = {.string = value}};
}

static struct hoist_attr integer(const char *key, int64_t value) {
  return (struct hoist_attr){.key = key, .type = HOIST_ATTR_INT, .value = {.integer = value}};
}

static void begin(const struct hoist_span *root, const char *name, struct hoist_span *ret_span) {
  hoist_span_start_at(root, name, HOIST_SPAN_INTERNAL, T0, ret_span);
}

static void end(struct hoist_span *span) {
  hoist_span_end_at(span, T0 + 1000001);
}

static void kinds(const struct hoist_span *root) {
  static const char *const names[] = {"kind internal", "kind server", "kind client",
                                      "kind producer", "kind consumer"};
  for (int kind = HOIST_SPAN_INTERNAL; kind <= HOIST_SPAN_CONSUMER; kind++) {
    struct hoist_span s;
    hoist_span_start_at(root, names[kind - 1], (enum hoist_span_kind)kind, T0, &s);
    end(&s);
  }
}

static void scalars(const struct hoist_span *root) {
  struct hoist_span s;
  begin(root, "scalars", &s);
  hoist_span_set_string(&s, "string", "value");
  hoist_span_set_string(&s, "string.empty", "");
  hoist_span_set_string(&s, "string.utf8", "héllo wörld €𝄞");
  hoist_span_set_int(&s, "int", 42);
  hoist_span_set_int(&s, "int.zero", 0);
  hoist_span_set_int(&s, "int.negative", -7);
  hoist_span_set_int(&s, "int.large", INT64_C(9007199254740991));
  hoist_span_set_int(&s, "int.small", INT64_C(-9007199254740991));
  hoist_span_set_double(&s, "double", 0.1);
  hoist_span_set_double(&s, "double.negative", -1.5e-300);
  hoist_span_set_bool(&s, "bool.true", 1);
  hoist_span_set_bool(&s, "bool.false", 0);
  hoist_span_set_string(&s, "again", "first");
  hoist_span_set_int(&s, "again", 2);
  end(&s);
}

static void arrays(const struct hoist_span *root) {
  static const char *const strings[] = {"a", "", "é"};
  static const int64_t integers[] = {1, -2, 0, INT64_C(9007199254740991)};
  static const double numbers[] = {0.5, -0.25};
  static const uint8_t booleans[] = {1, 0, 1};
  const struct hoist_attr attrs[] = {
      {.key = "strings",
       .type = HOIST_ATTR_STRING_ARRAY,
       .count = 3,
       .value = {.strings = strings}},
      {.key = "integers",
       .type = HOIST_ATTR_INT_ARRAY,
       .count = 4,
       .value = {.integers = integers}},
      {.key = "numbers",
       .type = HOIST_ATTR_DOUBLE_ARRAY,
       .count = 2,
       .value = {.numbers = numbers}},
      {.key = "booleans",
       .type = HOIST_ATTR_BOOL_ARRAY,
       .count = 3,
       .value = {.booleans = booleans}},
      {.key = "one", .type = HOIST_ATTR_INT_ARRAY, .count = 1, .value = {.integers = integers}},
      {.key = "none", .type = HOIST_ATTR_STRING_ARRAY, .count = 0, .value = {.strings = strings}}};
  struct hoist_span s;
  begin(root, "arrays", &s);
  for (size_t i = 0; i < COUNT(attrs); i++)
    hoist_span_set_attr(&s, &attrs[i]);
  end(&s);
}

static void events(const struct hoist_span *root) {
  const struct hoist_attr attrs[] = {text("reason", "because"), integer("count", 3)};
  struct hoist_span s;
  begin(root, "events", &s);
  hoist_span_add_event_at(&s, "bare", T0 + 1, NULL, 0);
  hoist_span_add_event_at(&s, "with attributes", T0 + 2, attrs, COUNT(attrs));
  hoist_span_add_event_at(&s, "ünïcode", T0 + 999999, attrs, 1);
  end(&s);
}

static void links(const struct hoist_span *root) {
  const struct hoist_attr attrs[] = {text("why", "retry of"), integer("n", 1)};
  struct hoist_span_context near;
  struct hoist_span s;
  hoist_span_get_context(root, &near);
  begin(root, "links", &s);
  hoist_span_add_link(&s, &far, NULL, 0);
  hoist_span_add_link(&s, &near, attrs, COUNT(attrs));
  end(&s);
}

struct set {
  enum hoist_span_status status;
  const char *description;
};

static void with_status(const struct hoist_span *root, const char *name, struct set first,
                        struct set second) {
  struct hoist_span s;
  begin(root, name, &s);
  hoist_span_set_status(&s, first.status, first.description);
  hoist_span_set_status(&s, second.status, second.description);
  end(&s);
}

static void statuses(const struct hoist_span *root) {
  const struct set unset = {HOIST_SPAN_UNSET, NULL}, ok = {HOIST_SPAN_OK, "not said"},
                   error = {HOIST_SPAN_ERROR, "it broke: é"}, other = {HOIST_SPAN_ERROR, "other"},
                   mute = {HOIST_SPAN_ERROR, NULL};
  with_status(root, "status error", error, unset);
  with_status(root, "status ok", ok, unset);
  with_status(root, "status error then ok", error, ok);
  with_status(root, "status ok then error", ok, error);
  with_status(root, "status error twice", error, other);
  with_status(root, "status error without words", mute, unset);
}

static void odd(const struct hoist_span *root) {
  struct hoist_span s;
  begin(root, "a näme with 𝄞", &s);
  end(&s);
  begin(root, "before", &s);
  hoist_span_update_name(&s, "renamed");
  end(&s);
  begin(root, "ends before it starts", &s);
  hoist_span_end_at(&s, T0 - 5);
}

static void remotes(struct hoist_telemetry *telemetry) {
  struct hoist_span s, child;
  hoist_span_start_root(telemetry, "remote parent", HOIST_SPAN_SERVER, &far, &s);
  begin(&s, "child of a remote parent's child", &child);
  end(&child);
  hoist_span_end(&s);
}

/* More than is allowed; the order in which things are dropped makes no difference to what is left. */
static void limits(struct hoist_telemetry *telemetry) {
  const struct hoist_attr attrs[] = {text("a", "1234567890"), integer("b", 2), integer("c", 3)};
  const char *const strings[] = {"1234567890", "12345"};
  const struct hoist_attr list = {
      .key = "list", .type = HOIST_ATTR_STRING_ARRAY, .count = 2, .value = {.strings = strings}};
  struct hoist_span root, s;
  hoist_span_start_root(telemetry, "limited root", HOIST_SPAN_INTERNAL, NULL, &root);
  begin(&root, "limited", &s);
  hoist_span_set_string(&s, "cut", "1234567890");
  hoist_span_set_attr(&s, &list);
  for (int i = 0; i < 5; i++) {
    static const char *const keys[] = {"k0", "k1", "k2", "k3", "k4"};
    hoist_span_set_int(&s, keys[i], i);
  }
  hoist_span_set_int(&s, "k0", 7); /* is there already, so not over the limit */
  for (int i = 0; i < 4; i++)
    hoist_span_add_event_at(&s, "event", T0 + 1, attrs, COUNT(attrs));
  for (int i = 0; i < 3; i++)
    hoist_span_add_link(&s, &far, attrs, COUNT(attrs));
  end(&s);
  hoist_span_end(&root);
}

static void write_message(void *user, const void *data, size_t size) {
  if (fwrite(data, 1, size, user) != size) abort();
}

static struct hoist_telemetry *opened(FILE *out, int is_limited) {
  struct hoist_telemetry_config config;
  struct hoist_telemetry *telemetry;
  struct hoist_error err;
  hoist_telemetry_config_init(&config);
  config.service_name = "equal spans";
  config.resource_attributes = "deployment.environment.name=test";
  config.scope_name = "equal";
  config.scope_version = "1.2";
  config.on_spans = write_message;
  config.on_spans_user = out;
  if (is_limited) {
    config.attribute_value_max = 8;
    config.span_limits = (struct hoist_span_limits){3, 2, 1, 2, 2};
  }
  if (hoist_telemetry_open(&config, &telemetry, &err) != HOIST_OK) {
    fprintf(stderr, "equal_spans: %s\n", err.message);
    exit(1);
  }
  return telemetry;
}

int main(int argc, char **argv) {
  FILE *out = argc == 2 ? fopen(argv[1], "wb") : NULL;
  if (!out) return fputs("usage: equal_spans FILE\n", stderr), 2;
  struct hoist_telemetry *telemetry = opened(out, 0), *limited = opened(out, 1);
  struct hoist_span root;
  hoist_span_start_root(telemetry, "root", HOIST_SPAN_INTERNAL, NULL, &root);
  kinds(&root);
  scalars(&root);
  arrays(&root);
  events(&root);
  links(&root);
  statuses(&root);
  odd(&root);
  hoist_span_end(&root);
  remotes(telemetry);
  hoist_telemetry_close(telemetry, 10000);
  limits(limited);
  hoist_telemetry_close(limited, 10000);
  return fclose(out) != 0;
}
