/* SPDX-License-Identifier: Apache-2.0 */
/* The OTLP Resource. Gathers attributes in a small table where a later value of a key replaces the
 * earlier one, then encodes them. Any thread. */
#include "resource.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "attr.h"
#include "host.h"
#include "ids.h"
#include "keyvalue.h"
#include "text.h"

enum { ATTRS_MAX = 128, VALUE_MAX = 1024, RESOURCE_ATTRIBUTE = WIRE_TAG(1, WIRE_BYTES) };

struct table {
  struct {
    char *key, *value;
  } rows[ATTRS_MAX];
  size_t count;
};

static void table_cleanup(struct table *t) {
  for (size_t i = 0; i < t->count; i++) {
    free(t->rows[i].key);
    free(t->rows[i].value);
  }
}

/* The key's row, or t->count. */
static size_t row_of(const struct table *t, const char *key) {
  size_t i = 0;
  while (i < t->count && strcmp(t->rows[i].key, key) != 0)
    i++;
  return i;
}

static enum hoist_status set(struct table *t, const char *key, const char *value,
                             struct hoist_error *err) {
  size_t i = row_of(t, key);
  if (i == ATTRS_MAX)
    return hoist_fail(err, HOIST_INVALID, "more than %d resource attributes", ATTRS_MAX);
  char *new_value = text_dup(value), *new_key = i == t->count ? text_dup(key) : t->rows[i].key;
  if (!new_value || !new_key) {
    free(new_value);
    if (i == t->count) free(new_key);
    return hoist_fail_memory(err, "the resource");
  }
  if (i < t->count)
    free(t->rows[i].value);
  else
    t->count++;
  t->rows[i].key = new_key;
  t->rows[i].value = new_value;
  return HOIST_OK;
}

static enum hoist_status set_from_list(void *user, const char *key, const char *value,
                                       struct hoist_error *err) {
  if (strlen(key) > ATTR_KEY_MAX)
    return hoist_fail(err, HOIST_INVALID, "a resource attribute's key is longer than %d bytes",
                      ATTR_KEY_MAX);
  return set(user, key, value, err);
}

/* A version 4 UUID. */
static void make_uuid(char out[37]) {
  uint8_t bytes[16], unused[8];
  char hex[33];
  ids_fill(thread_own_get(), bytes, unused);
  bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
  bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
  hex_encode(bytes, sizeof bytes, hex);
  snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

struct pair {
  const char *key, *value; /* without a value it is not set */
};

static enum hoist_status set_all(struct table *t, const struct pair *pairs, size_t count,
                                 struct hoist_error *err) {
  for (size_t i = 0; i < count; i++) {
    if (!pairs[i].value || !pairs[i].value[0]) continue;
    enum hoist_status status = set(t, pairs[i].key, pairs[i].value, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

/* What anybody may override. Neither the command line, which may hold a key, nor the program's path,
 * which may hold a user's name. */
static enum hoist_status set_defaults(struct table *t, struct hoist_error *err) {
  char uuid[37], service[VALUE_MAX], container[HOST_CONTAINER_ID_SIZE] = "";
  struct utsname host = {.nodename = ""};
  make_uuid(uuid);
  (void)uname(&host);
  (void)host_container_id("/proc/self/cgroup", "/proc/self/mountinfo", container);
  snprintf(service, sizeof service, "unknown_service:%s", program_invocation_short_name);
  const struct pair defaults[] = {{"service.name", service},
                                  {"service.instance.id", uuid},
                                  {"process.executable.name", program_invocation_short_name},
                                  {"host.name", host.nodename},
                                  {"host.arch", host_arch(host.machine)},
                                  {"os.type", host_os_type(host.sysname)},
                                  {"container.id", container}};
  return set_all(t, defaults, sizeof defaults / sizeof defaults[0], err);
}

/* What nobody may: which library this is. */
static enum hoist_status set_sdk(struct table *t, struct hoist_error *err) {
  static const struct pair sdk[] = {{"telemetry.sdk.name", "hoist"},
                                    {"telemetry.sdk.language", "c"},
                                    {"telemetry.sdk.version", HOIST_VERSION}};
  return set_all(t, sdk, sizeof sdk / sizeof sdk[0], err);
}

static enum hoist_status append(struct buf *out, const struct hoist_attr *attr,
                                struct hoist_error *err) {
  uint8_t field[ATTR_KEY_MAX + VALUE_MAX + 32];
  size_t key_size = attr_key_size(attr->key);
  const uint8_t *end = key_size == 0 ? NULL
                                     : attr_put(field, field + sizeof field, RESOURCE_ATTRIBUTE,
                                                attr, key_size, VALUE_MAX);
  return end ? buf_append(out, field, (size_t)(end - field), err) : HOIST_OK;
}

static enum hoist_status encode(const struct table *t, struct buf *out, struct hoist_error *err) {
  for (size_t i = 0; i < t->count; i++) {
    struct hoist_attr attr = {
        .key = t->rows[i].key, .type = HOIST_ATTR_STRING, .value = {.string = t->rows[i].value}};
    enum hoist_status status = append(out, &attr, err);
    if (status != HOIST_OK) return status;
  }
  struct hoist_attr pid = {
      .key = "process.pid", .type = HOIST_ATTR_INT, .value = {.integer = getpid()}};
  return row_of(t, pid.key) == t->count ? append(out, &pid, err) : HOIST_OK;
}

enum hoist_status resource_encode(const char *service_name, const char *attributes, struct buf *out,
                                  struct hoist_error *ret_list_error, struct hoist_error *err) {
  HOIST_AUTO(table) struct table with_list = {0};
  HOIST_AUTO(table) struct table plain = {0};
  struct table *t = &plain;
  enum hoist_status status = set_defaults(&plain, err);
  if (status != HOIST_OK) return status;
  ret_list_error->status = HOIST_OK;
  if (attributes && *attributes) {
    status = set_defaults(&with_list, err);
    if (status != HOIST_OK) return status;
    if (keyvalue_each(attributes, set_from_list, &with_list, ret_list_error) == HOIST_OK)
      t = &with_list;
  }
  if (service_name && *service_name) {
    status = set(t, "service.name", service_name, err);
    if (status != HOIST_OK) return status;
  }
  status = set_sdk(t, err);
  return status == HOIST_OK ? encode(t, out, err) : status;
}
