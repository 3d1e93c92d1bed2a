/* SPDX-License-Identifier: Apache-2.0 */
/* From a place in an answer to a file of a manifest. Pure; any thread. */
#include "roboflow_shape.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

enum hoist_status roboflow_read_url(const struct json_place *place, char **ret_url,
                                    struct hoist_error *err) {
  if (!json_is_string(place->value)) return json_read_wrong(place, "a URL string", err);
  const char *url = json_string_value(place->value);
  if (!text_starts_with(url, "https://") && !text_starts_with(url, "http://"))
    return json_read_fail(place, err, "expected an http or https URL");
  size_t size = json_string_length(place->value);
  if (size > ROBOFLOW_MAX_URL_BYTES)
    return json_read_fail(place, err, "a URL of more than %d bytes", ROBOFLOW_MAX_URL_BYTES);
  for (size_t i = 0; i < size; i++)
    if ((unsigned char)url[i] <= ' ' || url[i] == 0x7f)
      return json_read_fail(place, err, "a URL with a space or control character in it");
  char *copy = strdup(url);
  if (!copy) return hoist_fail_memory(err, ROBOFLOW_ANSWER);
  *ret_url = copy;
  return HOIST_OK;
}

enum hoist_status roboflow_add_url(struct manifest *m, const char *name,
                                   const struct json_place *place, struct hoist_error *err) {
  HOIST_AUTO(mem) char *url = NULL;
  enum hoist_status status = roboflow_read_url(place, &url, err);
  if (status != HOIST_OK) return status;
  struct manifest_file *file = NULL;
  status = manifest_add(m, name, &file, err);
  if (status == HOIST_OK) file->locator = HOIST_TAKE(url);
  return status;
}

enum hoist_status roboflow_add_content(struct manifest *m, const char *name, struct buf *text,
                                       struct hoist_error *err) {
  struct manifest_file *file = NULL;
  enum hoist_status status = manifest_add(m, name, &file, err);
  if (status != HOIST_OK) return status;
  file->size = (int64_t)text->size;
  file->content = buf_take(text);
  return file->content ? HOIST_OK : hoist_fail_memory(err, name);
}

enum hoist_status roboflow_add_json(struct manifest *m, const char *name, const json_t *value,
                                    struct hoist_error *err) {
  HOIST_AUTO(buf) struct buf text = buf_make(2 * ROBOFLOW_MAX_ANSWER_BYTES);
  enum hoist_status status = json_format(value, 0, &text, err);
  if (status != HOIST_OK) return status;
  return roboflow_add_content(m, name, &text, err);
}

enum hoist_status roboflow_read_root(const char *json, size_t size, json_t **ret_value,
                                     struct json_place *ret_root, struct hoist_error *err) {
  enum hoist_status status =
      json_read_parse(json, size, ROBOFLOW_MAX_ANSWER_BYTES, ROBOFLOW_ANSWER, ret_value, err);
  if (status != HOIST_OK) return status;
  *ret_root = json_read_root(*ret_value, ROBOFLOW_ANSWER);
  return json_read_object(ret_root, err);
}
