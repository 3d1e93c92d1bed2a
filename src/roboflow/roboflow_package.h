/* SPDX-License-Identifier: Apache-2.0 */
/* The packages of a model: one set of weights in several forms, of which one is chosen. */
#ifndef HOIST_ROBOFLOW_ROBOFLOW_PACKAGE_H
#define HOIST_ROBOFLOW_ROBOFLOW_PACKAGE_H

#include <stdbool.h>

#include "json_read.h"
#include "manifest.h"

#define ROBOFLOW_MAX_PACKAGES 1024
#define ROBOFLOW_REASON_SIZE 192

/* From the most exact to the least; what is not known stands behind all of them. */
enum roboflow_quantization {
  ROBOFLOW_FP32,
  ROBOFLOW_FP16,
  ROBOFLOW_BF16,
  ROBOFLOW_INT8,
  ROBOFLOW_QUANTIZATION_UNKNOWN,
  ROBOFLOW_QUANTIZATIONS,
};
const char *roboflow_quantization_name(enum roboflow_quantization quantization);
/** False where there is none of that name. */
bool roboflow_quantization_scan(const char *name, size_t size,
                                enum roboflow_quantization *ret_quantization);

struct roboflow_package {
  char *id;    /* [A-Za-z0-9]{1,255}; NULL where the package has no such id */
  char *type;  /* its manifest's: "onnx-model-package-v1"; NULL where it could not be read */
  int is_onnx; /* 1: what follows is filled in */
  int is_odd;  /* 1: of no known type, or malformed: worth a warning */
  char problem[ROBOFLOW_REASON_SIZE]; /* why it is out of the question; "": it is not */
  enum roboflow_quantization quantization;
  int is_dynamic;
  int64_t static_batch; /* 0: dynamic */
  int64_t opset;
  int is_trusted;
  int is_complete;       /* 1: with all that its task needs; set by roboflow_choose */
  json_t *incompatible;  /* list of names of execution providers; NULL: none */
  struct manifest files; /* locators, and where given the MD5 as the promised digest */
};

/** What the pages of /models/v1/external/weights said together. */
struct roboflow_packages {
  char *task_type; /* NULL: not said; the next two likewise */
  char *model_type;
  char *model_variant;
  char *dependencies; /* other models it does not work without: "name: id, …"; NULL: none */
  struct roboflow_package *items;
  size_t count;
};
void roboflow_packages_done(struct roboflow_packages *packages);
static inline void roboflow_packages_cleanup(struct roboflow_packages *packages) {
  roboflow_packages_done(packages);
}

/** Adds what one page says. Packages that cannot be understood are added with their problem.
 *  @param verify_md5     0: the hashes of files are no promises
 *  @param ret_next_page  malloc'd; NULL: that was the last one
 *  Errors: NOT_FOUND the API has no such endpoint, and says so with status 200 · CORRUPT not of the shape: names
 *          the place · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status roboflow_read_page(const char *json, size_t size, int verify_md5,
                                                      struct roboflow_packages *packages,
                                                      char **ret_next_page,
                                                      struct hoist_error *err);

/** A model's type, as /models/v1/external/stat tells it: into an empty manifest. Errors: as roboflow_read_page */
HOIST_MUST_CHECK enum hoist_status roboflow_read_stat(const char *json, size_t size,
                                                      struct manifest *ret_type,
                                                      struct hoist_error *err);

#define ROBOFLOW_FACTS_SIZE 160
/** "ONNX, fp32, dynamic batch, opset 17, trusted, 4 files" */
const char *roboflow_package_facts(const struct roboflow_package *package,
                                   char out[ROBOFLOW_FACTS_SIZE]);

#endif
