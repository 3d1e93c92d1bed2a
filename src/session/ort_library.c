/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and opening ONNX Runtime's shared library. It is never linked: its symbols carry the
 * release's version, so a program linked to one release would refuse every other.
 *
 * A library that turned out to be the runtime stays loaded until the process ends. It starts
 * threads, and leaves thread-local destructors and exit handlers behind, all of which would run
 * into unmapped code after a dlclose. Any thread. */
#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ort_internal.h"
#include "text.h"

#define LIBRARY "libonnxruntime.so"
/* Distributions put the release into the soname; the official builds stop at the "1". */
#define NEWEST_SONAME_MINOR 30
#define OLDEST_SONAME_MINOR ORT_API_OLDEST
/* What a message may spend on each part, so that the next step at its end is never cut off. */
#define SHOWN_PATH_MAX 150
#define SHOWN_REASON_MAX 160

void ort_library_done(struct ort_library *library) {
  free(library->path);
  free(library->version);
  *library = (struct ort_library){0};
}

/* "1.30.0" → 30; false where it is not a release we know how to talk to. */
static bool usable_minor(const char *version, unsigned *ret_minor) {
  unsigned major, minor;
  if (!version || sscanf(version, "%u.%u.", &major, &minor) != 2) return false;
  if (major != 1 || minor < ORT_API_OLDEST) return false;
  *ret_minor = minor;
  return true;
}

static char *resolved_path(ort_get_api_base_fn symbol, const char *name) {
  Dl_info info;
  if (dladdr((void *)symbol, &info) == 0 || !info.dli_fname) return text_dup(name);
  char *real = realpath(info.dli_fname, NULL);
  return real ? real : text_dup(info.dli_fname);
}

static enum hoist_status read_library(void *handle, const char *name,
                                      struct ort_library *ret_library, struct hoist_error *err) {
  ort_get_api_base_fn get_api_base = (ort_get_api_base_fn)dlsym(handle, "OrtGetApiBase");
  if (!get_api_base)
    return hoist_fail(err, HOIST_UNSUPPORTED, "%.*s is not ONNX Runtime (no OrtGetApiBase in it)",
                      SHOWN_PATH_MAX, name);
  const struct ort_api_base *base = get_api_base();
  const char *version = base->GetVersionString();
  unsigned minor;
  if (!usable_minor(version, &minor))
    return hoist_fail(err, HOIST_UNSUPPORTED,
                      "%.*s is ONNX Runtime %.20s, hoist works with 1.%d and later 1.x",
                      SHOWN_PATH_MAX, name, version ? version : "of no version", ORT_API_OLDEST);
  /* Asking for more than the runtime has makes it print to standard error. */
  unsigned wanted = minor < ORT_API_WANTED ? minor : ORT_API_WANTED;
  const void *table = base->GetApi(wanted);
  if (!table)
    return hoist_fail(err, HOIST_UNSUPPORTED, "%.*s, ONNX Runtime %.20s, has no interface %u",
                      SHOWN_PATH_MAX, name, version, wanted);
  struct ort_library library = {.handle = handle,
                                .path = resolved_path(get_api_base, name),
                                .version = text_dup(version),
                                .api = ort_api_bind(table, wanted)};
  if (!library.path || !library.version) {
    ort_library_done(&library);
    return hoist_fail_memory(err, "opening ONNX Runtime");
  }
  *ret_library = library;
  return HOIST_OK;
}

/* NOT_FOUND where there is no such library at all, UNSUPPORTED where it cannot be used. */
static enum hoist_status try_library(const char *name, struct ort_library *ret_library,
                                     struct hoist_error *err) {
  void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    size_t length = strlen(name);
    bool absent = strncmp(reason, name, length) == 0 &&
                  text_starts_with(reason + length, ": cannot open shared object file: No such");
    return hoist_fail(err, absent ? HOIST_NOT_FOUND : HOIST_UNSUPPORTED, "%s", reason);
  }
  enum hoist_status status = read_library(handle, name, ret_library, err);
  if (status != HOIST_OK) dlclose(handle); /* none of its work has begun, so this one may go */
  return status;
}

static enum hoist_status open_given(const char *path, struct ort_library *ret_library,
                                    struct hoist_error *err) {
  struct hoist_error problem;
  enum hoist_status status = try_library(path, ret_library, &problem);
  if (status == HOIST_OK) return HOIST_OK;
  if (status == HOIST_NO_MEMORY) return hoist_fail_memory(err, "opening ONNX Runtime");
  return hoist_fail(
      err, HOIST_UNSUPPORTED,
      "cannot use the ONNX Runtime given: %.*s; set HOIST_ONNXRUNTIME to the path of a "
      "libonnxruntime.so of 1.%d or later, or unset it",
      SHOWN_PATH_MAX + SHOWN_REASON_MAX, problem.message, ORT_API_OLDEST);
}

/* The candidate at `index` of the search order; false past the end. */
static bool candidate(int index, char *ret_name, size_t size) {
  const int sonames = NEWEST_SONAME_MINOR - OLDEST_SONAME_MINOR + 1;
  if (index < sonames)
    return snprintf(ret_name, size, LIBRARY ".1.%d", NEWEST_SONAME_MINOR - index) > 0;
  static const char *const others[] = {LIBRARY ".1", LIBRARY, HOIST_ONNXRUNTIME_FALLBACK};
  size_t other = (size_t)(index - sonames);
  if (other >= sizeof others / sizeof others[0] || others[other][0] == '\0') return false;
  return text_copy(ret_name, size, others[other]);
}

static enum hoist_status fail_none_found(const struct hoist_error *problem,
                                         struct hoist_error *err) {
  const char *fallback = HOIST_ONNXRUNTIME_FALLBACK;
  return hoist_fail(err, HOIST_UNSUPPORTED,
                    "no usable ONNX Runtime: tried " LIBRARY ".1.%d down to .so.1.%d, " LIBRARY
                    ".1, " LIBRARY "%s%.*s%s%.*s; install libonnxruntime or set "
                    "HOIST_ONNXRUNTIME=/path/to/" LIBRARY,
                    NEWEST_SONAME_MINOR, OLDEST_SONAME_MINOR, *fallback ? ", " : "", SHOWN_PATH_MAX,
                    fallback, problem->message[0] ? "; " : "", SHOWN_REASON_MAX, problem->message);
}

static enum hoist_status search(struct ort_library *ret_library, struct hoist_error *err) {
  struct hoist_error first_problem = {.status = HOIST_OK};
  char name[PATH_MAX];
  for (int i = 0; candidate(i, name, sizeof name); i++) {
    struct hoist_error problem;
    enum hoist_status status = try_library(name, ret_library, &problem);
    if (status == HOIST_OK) return HOIST_OK;
    if (status == HOIST_NO_MEMORY) return hoist_fail_memory(err, "opening ONNX Runtime");
    if (status != HOIST_NOT_FOUND && first_problem.status == HOIST_OK) first_problem = problem;
  }
  return fail_none_found(&first_problem, err);
}

enum hoist_status ort_library_find(const char *path, struct ort_library *ret_library,
                                   struct hoist_error *err) {
  if (path && path[0] != '\0') return open_given(path, ret_library, err);
  return search(ret_library, err);
}
