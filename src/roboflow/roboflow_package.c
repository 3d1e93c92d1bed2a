/* SPDX-License-Identifier: Apache-2.0 */
/* Reading one package. Whatever is wrong with one is its own problem: the others may do. Pure; any thread. */
#include "roboflow_package_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "path_rule.h"
#include "plan.h"
#include "roboflow_shape.h"
#include "text.h"

#define PACKAGE_TYPE "external-model-package-v1"
#define ONNX_TYPE "onnx-model-package-v1"
#define MAX_ID_BYTES 255
#define MAX_STATIC_BATCH 65536
#define MAX_OPSET 1000
#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char *const quantizations[ROBOFLOW_QUANTIZATIONS] = {"fp32", "fp16", "bf16", "int8",
                                                                  "unknown"};

const char *roboflow_quantization_name(enum roboflow_quantization quantization) {
  return quantizations[quantization];
}

bool roboflow_quantization_scan(const char *name, size_t size,
                                enum roboflow_quantization *ret_quantization) {
  for (int i = 0; i < ROBOFLOW_QUANTIZATIONS; i++) {
    if (strlen(quantizations[i]) != size || memcmp(name, quantizations[i], size) != 0) continue;
    *ret_quantization = (enum roboflow_quantization)i;
    return true;
  }
  return false;
}

void roboflow_package_done(struct roboflow_package *package) {
  free(package->id);
  free(package->type);
  json_decref(package->incompatible);
  manifest_done(&package->files);
  *package = (struct roboflow_package){0};
}

/* ---- what other programs use ------------------------------------------------------------------ */

/* Types that are well known and not for ONNX Runtime. */
static const char *other_runtime(const char *type) {
  static const struct {
    const char *type;
    const char *runtime;
  } others[] = {
      {"trt-model-package-v1", "TensorRT"},
      {"torch-model-package-v1", "PyTorch"},
      {"torch-script-model-package-v1", "TorchScript"},
      {"hf-model-package-v1", "Hugging Face Transformers"},
      {"ultralytics-model-package-v1", "Ultralytics"},
      {"tfjs-model-package-v1", "TensorFlow.js"},
      {"oak-model-package-v1", "OAK cameras"},
      {"mediapipe-model-package-v1", "MediaPipe"},
  };
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    if (strcmp(type, others[i].type) == 0) return others[i].runtime;
  return NULL;
}

static void note_type(struct roboflow_package *package, const char *type) {
  char shown[PATH_SHOWN_SIZE];
  const char *runtime = other_runtime(type);
  package->is_odd = !runtime;
  if (runtime)
    snprintf(package->problem, sizeof package->problem, "for %s: hoist runs ONNX packages",
             runtime);
  else
    snprintf(package->problem, sizeof package->problem,
             "of the type \"%s\", which this hoist does not know: a newer one may",
             path_shown(type, shown));
}

/* ---- the manifest of an ONNX package ---------------------------------------------------------- */

static enum hoist_status read_batch(const struct json_place *manifest,
                                    struct roboflow_package *package, struct hoist_error *err) {
  struct json_place dynamic = json_read_member(manifest, "dynamicBatchSize");
  struct json_place fixed = json_read_member(manifest, "staticBatchSize");
  bool is_dynamic = false;
  enum hoist_status status = dynamic.value ? json_read_bool(&dynamic, &is_dynamic, err) : HOIST_OK;
  if (status != HOIST_OK) return status;
  if (is_dynamic && fixed.value)
    return json_read_fail(&fixed, err, "there is a static batch size beside a dynamic one");
  package->is_dynamic = is_dynamic;
  return is_dynamic ? HOIST_OK
                    : json_read_int(&fixed, 1, MAX_STATIC_BATCH, &package->static_batch, err);
}

static enum hoist_status read_incompatible(const struct json_place *manifest,
                                           struct roboflow_package *package,
                                           struct hoist_error *err) {
  struct json_place list = json_read_member(manifest, "incompatibleProviders");
  if (!list.value) return HOIST_OK;
  enum hoist_status status = json_read_array(&list, err);
  for (size_t i = 0; status == HOIST_OK && i < json_array_size(list.value); i++) {
    const char *name;
    struct json_place item = json_read_item(&list, i);
    status = json_read_string(&item, &name, err);
  }
  if (status == HOIST_OK) package->incompatible = json_incref(list.value);
  return status;
}

static enum hoist_status read_quantization(const struct json_place *manifest,
                                           struct roboflow_package *package,
                                           struct hoist_error *err) {
  struct json_place place = json_read_member(manifest, "quantization");
  const char *name = NULL;
  enum hoist_status status = json_read_string(&place, &name, err);
  if (status != HOIST_OK) return status;
  if (!roboflow_quantization_scan(name, strlen(name), &package->quantization))
    return json_read_fail(&place, err, "expected fp32, fp16, bf16, int8 or unknown");
  return HOIST_OK;
}

static enum hoist_status read_onnx(const struct json_place *manifest,
                                   struct roboflow_package *package, struct hoist_error *err) {
  struct json_place backend = json_read_member(manifest, "backendType");
  struct json_place opset = json_read_member(manifest, "opset");
  const char *name = NULL;
  enum hoist_status status = json_read_string(&backend, &name, err);
  if (status == HOIST_OK && strcmp(name, "onnx") != 0)
    status = json_read_fail(&backend, err, "expected onnx");
  if (status == HOIST_OK) status = read_batch(manifest, package, err);
  if (status == HOIST_OK) status = read_quantization(manifest, package, err);
  if (status == HOIST_OK) status = json_read_int(&opset, 1, MAX_OPSET, &package->opset, err);
  return status == HOIST_OK ? read_incompatible(manifest, package, err) : status;
}

/* ---- files ------------------------------------------------------------------------------------ */

static enum hoist_status read_md5(const struct json_place *file, int verify_md5,
                                  struct digest *ret_digest, struct hoist_error *err) {
  struct json_place place = json_read_member(file, "md5Hash");
  const char *hex = NULL;
  struct digest digest;
  if (!place.value) return HOIST_OK;
  enum hoist_status status = json_read_string(&place, &hex, err);
  if (status != HOIST_OK) return status;
  if (strspn(hex, "0123456789abcdef") != strlen(hex) || !digest_from_hex(DIGEST_MD5, hex, &digest))
    return json_read_fail(&place, err, "expected 32 lower-case hexadecimal digits");
  if (verify_md5) *ret_digest = digest;
  return HOIST_OK;
}

static enum hoist_status read_file(const struct json_place *file, int verify_md5,
                                   struct manifest *m, struct hoist_error *err) {
  struct json_place handle = json_read_member(file, "fileHandle");
  struct json_place url = json_read_member(file, "downloadUrl");
  const char *name = NULL;
  enum hoist_status status = json_read_string(&handle, &name, err);
  if (status == HOIST_OK) status = plan_check_name(name, err);
  if (status == HOIST_OK) status = roboflow_add_url(m, name, &url, err);
  return status == HOIST_OK ? read_md5(file, verify_md5, &m->files[m->file_count - 1].digest, err)
                            : status;
}

static enum hoist_status read_files(const struct json_place *root, int verify_md5,
                                    struct roboflow_package *package, struct hoist_error *err) {
  struct json_place files = json_read_member(root, "packageFiles");
  const char *weights;
  enum hoist_status status = json_read_array(&files, err);
  for (size_t i = 0; status == HOIST_OK && i < json_array_size(files.value); i++) {
    struct json_place file = json_read_item(&files, i);
    status = read_file(&file, verify_md5, &package->files, err);
    if (status == HOIST_OK) package->files.files[i].promised = package->files.files[i].digest;
  }
  if (status == HOIST_OK) status = plan_check_unique(&package->files, err);
  return status == HOIST_OK ? plan_weights(&package->files, &weights, err) : status;
}

/* ---- a package -------------------------------------------------------------------------------- */

static enum hoist_status read_id(const struct json_place *root, char **ret_id,
                                 struct hoist_error *err) {
  struct json_place place = json_read_member(root, "packageId");
  const char *id = NULL;
  enum hoist_status status = json_read_string(&place, &id, err);
  if (status != HOIST_OK) return status;
  size_t size = strlen(id);
  if (size < 1 || size > MAX_ID_BYTES || strspn(id, ALNUM) != size)
    return json_read_fail(&place, err, "expected 1 to %d letters and digits", MAX_ID_BYTES);
  *ret_id = strdup(id);
  return *ret_id ? HOIST_OK : hoist_fail_memory(err, "a package");
}

static enum hoist_status read_type(const struct json_place *root, char **ret_type,
                                   struct hoist_error *err) {
  struct json_place place = json_read_member(root, "type");
  return json_read_copy(&place, true, ret_type, err);
}

static enum hoist_status read_rest(const struct json_place *root, int verify_md5,
                                   struct roboflow_package *package, struct hoist_error *err) {
  struct json_place manifest = json_read_member(root, "packageManifest");
  struct json_place trusted = json_read_member(root, "trustedSource");
  bool is_trusted = false;
  enum hoist_status status = json_read_object(&manifest, err);
  if (status == HOIST_OK) status = read_type(&manifest, &package->type, err);
  if (status != HOIST_OK) return status;
  if (strcmp(package->type, ONNX_TYPE) != 0) {
    note_type(package, package->type);
    return HOIST_OK;
  }
  status = read_onnx(&manifest, package, err);
  if (status == HOIST_OK && trusted.value) status = json_read_bool(&trusted, &is_trusted, err);
  if (status == HOIST_OK) status = read_files(root, verify_md5, package, err);
  package->is_trusted = is_trusted;
  package->is_onnx = status == HOIST_OK;
  return status;
}

static enum hoist_status read_package(const struct json_place *root, int verify_md5,
                                      struct roboflow_package *package, struct hoist_error *err) {
  HOIST_AUTO(mem) char *type = NULL;
  enum hoist_status status = json_read_object(root, err);
  if (status == HOIST_OK) status = read_id(root, &package->id, err);
  if (status == HOIST_OK) status = read_type(root, &type, err);
  if (status != HOIST_OK) return status;
  if (strcmp(type, PACKAGE_TYPE) == 0) return read_rest(root, verify_md5, package, err);
  note_type(package, type);
  return HOIST_OK;
}

enum hoist_status roboflow_package_read(const struct json_place *root, int verify_md5,
                                        struct roboflow_package *ret_package,
                                        struct hoist_error *err) {
  struct hoist_error failure = {0};
  enum hoist_status status = read_package(root, verify_md5, ret_package, &failure);
  if (status == HOIST_CORRUPT) {
    ret_package->is_odd = 1;
    snprintf(ret_package->problem, sizeof ret_package->problem, "it makes no sense: %.160s",
             failure.message);
    return HOIST_OK;
  }
  if (status != HOIST_OK && err) *err = failure;
  return status;
}

const char *roboflow_package_facts(const struct roboflow_package *package,
                                   char out[ROBOFLOW_FACTS_SIZE]) {
  char batch[32] = "dynamic batch";
  if (!package->is_onnx) {
    snprintf(out, ROBOFLOW_FACTS_SIZE, "%.100s", package->type ? package->type : "unreadable");
    return out;
  }
  if (!package->is_dynamic)
    snprintf(batch, sizeof batch, "batch of %" PRId64, package->static_batch);
  snprintf(out, ROBOFLOW_FACTS_SIZE, "ONNX, %s, %s, opset %" PRId64 ", %s, %zu file%s",
           quantizations[package->quantization], batch, package->opset,
           package->is_trusted ? "trusted" : "not trusted", package->files.file_count,
           package->files.file_count == 1 ? "" : "s");
  return out;
}
