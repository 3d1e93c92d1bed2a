/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, in the runtime's words, as one of our errors. The runtime's messages hold source
 * locations, C++ signatures, the full path several times over and line breaks; what is left here is
 * the sentence a person can use. The texts are not an interface: where none is recognised the error
 * code alone decides. Any thread. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "ort_internal.h"
#include "text.h"

#define REASON_MAX 224 /* of the runtime's text; leaves room for names and the next step */

/* OrtErrorCode */
enum {
  CODE_NO_SUCHFILE = 3,
  CODE_NOT_IMPLEMENTED = 9,
};

/* Sentences of the runtime that mean "a valid model, but not for me". */
static const char *const unsupported_texts[] = {
    "Unsupported model IR version",
    "is under development and support for this is limited",
    "No Op registered for",
    "is not a registered function/op",
    "NOT_IMPLEMENTED",
    "Could not find an implementation for",
};

static bool mentions_unsupported(const char *message) {
  for (size_t i = 0; i < sizeof unsupported_texts / sizeof unsupported_texts[0]; i++)
    if (strstr(message, unsupported_texts[i])) return true;
  return false;
}

static enum hoist_status status_of(unsigned code, const char *message) {
  if (strstr(message, "std::bad_alloc") || strstr(message, "Failed to allocate memory"))
    return HOIST_NO_MEMORY;
  if (code == CODE_NO_SUCHFILE) return HOIST_NOT_FOUND;
  if (code == CODE_NOT_IMPLEMENTED || mentions_unsupported(message)) return HOIST_UNSUPPORTED;
  return HOIST_CORRUPT;
}

/* "/a/b.cc:187 void some::Function(const T&) text" → "text". Signatures nest parentheses, and template
 * arguments make any other rule fail. */
static const char *after_location(const char *text) {
  const char *file = strstr(text, ".cc:");
  if (!file) file = strstr(text, ".h:");
  if (!file) return text;
  const char *open = strchr(file, '(');
  if (!open) return text;
  int depth = 0;
  for (const char *p = open; *p; p++) {
    depth += (*p == '(') - (*p == ')');
    if (depth > 0) continue;
    p += 1 + strspn(p + 1, " ");
    return text_starts_with(p, "const ") ? p + strlen("const ") : p;
  }
  return text;
}

/* "Load model from P failed:text" → "text" */
static const char *after_load_prefix(const char *text) {
  if (!text_starts_with(text, "Load model from ")) return text;
  static const char failed[] = " failed:";
  const char *p = strstr(text, failed);
  return p ? p + strlen(failed) : text;
}

/* One line, blanks not repeated, `path` wherever it occurs cut down to its last component. */
static void write_reason(const char *text, const char *path, char *ret_reason, size_t size) {
  size_t used = 0, path_length = strlen(path);
  const char *slash = strrchr(path, '/');
  size_t directory_length = slash ? (size_t)(slash + 1 - path) : 0;
  while (*text && used + 1 < size) {
    if (directory_length > 0 && strncmp(text, path, path_length) == 0) text += directory_length;
    char c = isspace((unsigned char)*text) ? ' ' : *text;
    text++;
    if (c != ' ' || (used > 0 && ret_reason[used - 1] != ' ')) ret_reason[used++] = c;
  }
  while (used > 0 && (ret_reason[used - 1] == ' ' || ret_reason[used - 1] == '.'))
    used--;
  used = utf8_prefix(ret_reason, used, used);
  ret_reason[used] = '\0';
}

struct reason {
  enum hoist_status status;
  char text[REASON_MAX];
};

/* Releases `failed`. */
static struct reason take_reason(const struct ort *ort, struct OrtStatus *failed,
                                 const char *path) {
  const struct ort_api *api = &ort->library.api;
  const char *message = api->GetErrorMessage(failed);
  struct reason reason = {.status = status_of(api->GetErrorCode(failed), message)};
  write_reason(after_location(after_load_prefix(message)), path, reason.text, sizeof reason.text);
  api->ReleaseStatus(failed);
  return reason;
}

enum hoist_status ort_fail(const struct ort *ort, struct OrtStatus *failed, const char *doing,
                           struct hoist_error *err) {
  struct reason reason = take_reason(ort, failed, "");
  enum hoist_status status = reason.status == HOIST_NO_MEMORY ? HOIST_NO_MEMORY : HOIST_UNSUPPORTED;
  return hoist_fail(err, status, "%s: ONNX Runtime %.20s: %s", doing, ort->library.version,
                    reason.text);
}

enum hoist_status ort_fail_model(const struct ort *ort, struct OrtStatus *failed,
                                 const char *model_path, struct hoist_error *err) {
  struct reason reason = take_reason(ort, failed, model_path);
  const char *slash = strrchr(model_path, '/');
  const char *name = slash ? slash + 1 : model_path, *version = ort->library.version;
  if (reason.status == HOIST_NO_MEMORY)
    return hoist_fail(err, HOIST_NO_MEMORY, "%.120s: out of memory while opening it: %s", name,
                      reason.text);
  if (reason.status == HOIST_NOT_FOUND)
    return hoist_fail(err, HOIST_NOT_FOUND, "%.120s cannot be opened: %s; load the model again",
                      name, reason.text);
  if (reason.status == HOIST_UNSUPPORTED)
    return hoist_fail(err, HOIST_UNSUPPORTED,
                      "%.120s needs what ONNX Runtime %.20s does not have: %s; use a newer runtime "
                      "(HOIST_ONNXRUNTIME) or export the model for this one",
                      name, version, reason.text);
  return hoist_fail(err, HOIST_CORRUPT,
                    "%.120s is not a model ONNX Runtime %.20s can open: %s; check the file at its "
                    "source",
                    name, version, reason.text);
}
