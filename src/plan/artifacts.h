/* SPDX-License-Identifier: Apache-2.0 */
/* What the files beside the weights say about a model: environment.json, class_names.txt,
 * keypoints_metadata.json, model_type.json. Every one of them may be missing (a plain ONNX model is
 * legal); one that is there must have its shape. */
#ifndef HOIST_PLAN_ARTIFACTS_H
#define HOIST_PLAN_ARTIFACTS_H

#include <hoist/model_info.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "numbered.h"

#define ARTIFACTS_MAX_FILE_BYTES (4u << 20)
#define ARTIFACTS_MAX_CLASSES 65536
#define ARTIFACTS_MAX_KEYPOINTS 4096 /* of one class */
#define ARTIFACTS_MAX_EDGES 16384    /* likewise */
#define ARTIFACTS_MAX_PIXELS 65536   /* width or height of an input */

/** Part of the image to keep, in percent of its width and height. */
struct artifacts_crop {
  double x_min, x_max, y_min, y_max;
};

/** What to do to an image before inference, in this order. A step that is off has a zero flag or a
 *  NULL text. */
struct artifacts_preprocessing {
  int auto_orient; /* turn the image as its EXIF orientation says */
  int has_static_crop;
  struct artifacts_crop static_crop;
  enum hoist_contrast contrast;
  char *contrast_type; /* as the model writes it */
  int grayscale;
  enum hoist_resize resize;
  char *resize_format; /* as the model writes it */
};

struct artifacts_color {
  char *class_name;
  char *color; /* "#rrggbb" as the source wrote it */
};

/** The keypoints of one class, in the order of their ids. */
struct artifacts_keypoints {
  int64_t class_id;
  struct numbered names;
  struct hoist_keypoint_edge *edges;
  size_t edge_count;
};

struct artifacts {
  char *task_type; /* "object-detection", …; NULL: not said; the next two likewise */
  char *model_type;
  char *model_variant;
  char **classes; /* by class id */
  size_t class_count;
  struct artifacts_color *colors; /* as far as the source says; in its order */
  size_t color_count;
  struct artifacts_keypoints *keypoints; /* by class_id, ascending */
  size_t keypoints_count;
  int multiclass;        /* 1: classification where several classes may hold at once */
  int has_preprocessing; /* 0: there is no environment.json */
  struct artifacts_preprocessing preprocessing;
  int64_t input_width; /* pixels that the images are resized to; 0: not said */
  int64_t input_height;
  char *environment_json; /* the files as they came; NULL: there is none */
  char *keypoints_json;
};

/** Where the files are read from. */
struct artifacts_reader {
  void *user;
  /** Appends the file's bytes, up to the buffer's cap.
   *  Errors: NOT_FOUND the model has no such file; any other stops the parse */
  enum hoist_status (*read)(void *user, const char *name, struct buf *ret_data,
                            struct hoist_error *err);
};

/** Reads and parses all four files. Class names come from class_names.txt or, where it has none,
 *  from environment.json's CLASS_MAP; those of a classification from there in any case, if it has one.
 *  @param ret_artifacts  release with artifacts_done
 *  Errors: CORRUPT a file is over a cap or not of its shape: names the file and the place ·
 *          NO_MEMORY · what the reader returned, save NOT_FOUND */
HOIST_MUST_CHECK enum hoist_status artifacts_parse(const struct artifacts_reader *reader,
                                                   struct artifacts *ret_artifacts,
                                                   struct hoist_error *err);
void artifacts_done(struct artifacts *a); /* a zeroed or half-filled one is fine */
static inline void artifacts_cleanup(struct artifacts *a) {
  artifacts_done(a);
}

/** Replaces the classes; takes the names. */
void artifacts_take_classes(struct artifacts *a, char **names, size_t count);

/** The colour of a class, or NULL. */
const char *artifacts_class_color(const struct artifacts *a, const char *class_name);

#endif
