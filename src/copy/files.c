/* SPDX-License-Identifier: Apache-2.0 */
/* Listing and choosing. Owns copies of all that it keeps. */
#include "files.h"

#include <stdlib.h>
#include <string.h>

#include "glob.h"
#include "text.h"

static void file_done(struct copy_file *file) {
  free(file->name);
  free(file->locator);
  free(file->etag);
}

void copy_files_done(struct copy_files *files) {
  while (files->count > 0)
    file_done(&files->items[--files->count]);
  free(files->items);
  free(files->targets);
  *files = (struct copy_files){0};
}

bool copy_chooses(const struct hoist_copy_rule *rules, size_t count, const char *name) {
  while (count > 0)
    if (glob_matches(rules[--count].pattern, name)) return rules[count].include != 0;
  return true;
}

static enum hoist_status reserve(struct copy_files *files, struct hoist_error *err) {
  if (files->count < files->capacity) return HOIST_OK;
  size_t capacity = files->capacity ? 2 * files->capacity : 64;
  struct copy_file *items = realloc(files->items, capacity * sizeof *items);
  if (!items) return hoist_fail_memory(err, "a list of files");
  files->items = items;
  struct dest_file *targets = realloc(files->targets, capacity * sizeof *targets);
  if (!targets) return hoist_fail_memory(err, "a list of files");
  files->targets = targets;
  files->capacity = capacity;
  return HOIST_OK;
}

static enum hoist_status keep(struct copy_files *files, const struct source_object *object,
                              struct hoist_error *err) {
  if (files->count == COPY_MAX_FILES)
    return hoist_fail(err, HOIST_CORRUPT, "more than %u files: copy parts of it", COPY_MAX_FILES);
  enum hoist_status status = reserve(files, err);
  if (status != HOIST_OK) return status;
  struct copy_file file = {.name = text_dup(object->name),
                           .locator = text_dup(object->locator),
                           .etag = text_dup(object->etag),
                           .size = object->size,
                           .modified_unix_ns = object->modified_unix_ns};
  if (!file.name || !file.locator || (object->etag && !file.etag)) {
    file_done(&file);
    return hoist_fail_memory(err, "a list of files");
  }
  files->targets[files->count] = (struct dest_file){.modified_unix_ns = object->modified_unix_ns};
  files->items[files->count++] = file;
  return HOIST_OK;
}

struct choosing {
  const struct copy_request *request;
  struct copy_files *files;
};

static enum hoist_status choose(void *user, const struct source_object *object,
                                struct hoist_error *err) {
  const struct choosing *c = user;
  c->files->seen++;
  if (!copy_chooses(c->request->rules, c->request->rule_count, object->name)) {
    c->files->excluded++;
    return HOIST_OK;
  }
  enum hoist_status status = dest_check_name(object->name, err);
  return status == HOIST_OK ? keep(c->files, object, err) : status;
}

static enum hoist_status list(const struct call *call, const struct choosing *c, const char *below,
                              struct hoist_error *err) {
  struct source *source = c->request->source;
  const struct source_visit visit = {
      .below = below, .everything = 1, .user = (void *)(uintptr_t)c, .object = choose};
  return source->ops->list(call, source, &visit, err);
}

static enum hoist_status nothing(const struct copy_request *request, struct hoist_error *err) {
  const char *location = request->source->location;
  return hoist_fail(err, HOIST_NOT_FOUND, "%s%s%s: nothing is there: check the place", location,
                    text_ends_with(location, "/") || !*request->below ? "" : "/", request->below);
}

enum hoist_status copy_files_list(const struct call *call, const struct copy_request *request,
                                  struct copy_files *files, struct hoist_error *err) {
  const struct choosing c = {.request = request, .files = files};
  enum hoist_status status = list(call, &c, request->below, err);
  if (status == HOIST_NOT_FOUND && *request->below && !text_ends_with(request->below, "/")) {
    HOIST_AUTO(mem) char *directory = text_format("%s/", request->below);
    if (!directory) return hoist_fail_memory(err, "a list of files");
    struct hoist_error first = err ? *err : (struct hoist_error){0};
    status = list(call, &c, directory, err);
    if (status == HOIST_NOT_FOUND && err) *err = first;
  }
  if (status == HOIST_OK && files->seen == 0) return nothing(request, err);
  return status;
}
