/* SPDX-License-Identifier: Apache-2.0 */
/* What is known about a model, out of the files beside its weights and, once a session was opened, out of
 * the session: hoist_model_info of a loaded model, hoist_describe and hoist_inspect of one in the cache.
 * docs/models.md has the defaults, member by member. */
#ifndef HOIST_MODEL_INFO_H
#define HOIST_MODEL_INFO_H

#include <stddef.h>
#include <stdint.h>

#include <hoist/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HOIST_MAX_DIMS 16

struct hoist_tensor {
  const char *name;
  const char *type; /**< "float32", "int64", "uint8", "string", …; "other" for what is no tensor */
  size_t dim_count;
  int64_t dims[HOIST_MAX_DIMS];        /**< -1: dynamic */
  const char *symbols[HOIST_MAX_DIMS]; /**< name of a dynamic dimension; NULL: none */
};

struct hoist_file {
  const char *name;
  uint64_t size_bytes;
  char sha256[65]; /**< lower-case hex */
};

struct hoist_class {
  const char *name;
  const char *color; /**< "#rrggbb"; NULL: none given */
};

/** A line to draw between two keypoints, by their ids. */
struct hoist_keypoint_edge {
  int64_t from, to;
};

/** Keypoints of one object class (keypoints_metadata.json). */
struct hoist_keypoints {
  int64_t class_id;
  const char *const *names; /**< in the order of their ids */
  const int64_t *ids;       /**< of the names; ascending, mostly 0, 1, 2, … */
  size_t name_count;
  const struct hoist_keypoint_edge *edges; /**< between ids of this class; none where not given */
  size_t edge_count;
};

/** How an image comes to the size of the model's input. */
enum hoist_resize {
  HOIST_RESIZE_NONE = 0,        /**< not at all */
  HOIST_RESIZE_STRETCH = 1,     /**< "Stretch to": the aspect ratio is lost */
  HOIST_RESIZE_FIT_BLACK = 2,   /**< "Fit (black edges) in": scaled to fit, the rest black */
  HOIST_RESIZE_FIT_WHITE = 3,   /**< "Fit (white edges) in" */
  HOIST_RESIZE_FIT_GREY = 4,    /**< "Fit (grey edges) in": 114, 114, 114 */
  HOIST_RESIZE_FIT_REFLECT = 5, /**< "Fit (reflect edges) in" */
  HOIST_RESIZE_FIT_WITHIN = 6,  /**< "Fit within": scaled to fit, no edges */
  HOIST_RESIZE_FILL_CROP =
      7,                  /**< "Fill (with center crop) in": scaled to cover, the rest cut off */
  HOIST_RESIZE_OTHER = 8, /**< another one: see resize_format */
};

/** What is done about an image's contrast. */
enum hoist_contrast {
  HOIST_CONTRAST_NONE = 0,
  HOIST_CONTRAST_STRETCHING = 1, /**< "Contrast Stretching" */
  HOIST_CONTRAST_HISTOGRAM = 2,  /**< "Histogram Equalization" */
  HOIST_CONTRAST_ADAPTIVE = 3,   /**< "Adaptive Equalization" */
  HOIST_CONTRAST_OTHER = 4,      /**< another one: see contrast_type */
};

/** How an image is prepared for the model, in this order (PREPROCESSING of environment.json). */
struct hoist_preprocessing {
  int present;                     /**< 0: the model says nothing; the rest is defaults */
  int auto_orient;                 /**< 1: turned as its EXIF data say; default 0 */
  int static_crop;                 /**< 1: cropped to the percentages below; default 0 */
  double crop_min[2], crop_max[2]; /**< x, y in percent of width and height, 0..100 */
  enum hoist_contrast contrast;    /**< default NONE */
  const char *contrast_type;       /**< as the model writes it; NULL: none */
  int grayscale;                   /**< 1: made grey; default 0 */
  enum hoist_resize resize;        /**< default NONE; STRETCH where a size has no format */
  const char *resize_format;       /**< as the model writes it; NULL: none */
  uint32_t width, height;          /**< pixels, also where resize is NONE; 0: not said */
};

/** A model in the cache, described. Borrowed strings live as long as the struct. */
struct hoist_info {
  const char *model_id;
  const char *directory; /**< absolute path of the artifacts */
  const char *source;    /**< where they came from: "s3", "roboflow_api", "dir" */
  uint64_t created_unix_s;
  uint64_t total_bytes;
  const struct hoist_file *files;
  size_t file_count;
  const char *weights; /**< name of the weights file; NULL: a bundle for other programs has none */

  const char *task_type;     /**< "object-detection", …; NULL: not known */
  const char *model_type;    /**< "yolov8n", …; NULL: not known */
  const char *model_variant; /**< NULL: none */
  const struct hoist_class *classes;
  size_t class_count;
  int multiclass; /**< 1: several classes may apply to one image */
  struct hoist_preprocessing preprocessing;
  const struct hoist_keypoints *keypoints;
  size_t keypoints_count;
  /** The files as they came, for whatever else they say: JSON texts; NULL: there is no such file */
  const char *environment_json;
  const char *keypoints_json;

  /* Known once a session was opened (hoist_load, or hoist_inspect where ONNX Runtime is installed) */
  const char *onnxruntime_version; /**< NULL: no session */
  const char *execution_provider;  /**< the first one taken */
  const char *refused_providers;   /**< wished for and not taken, with the reasons; NULL: none */
  /** What the session runs on: "hit" a saved graph, "miss" the model as it came, "refused" a saved graph did
   *  not do, "off" none was looked for; NULL: no session */
  const char *graph_cache;
  const char *graph_detail; /**< more about it, for people: why, what it saves; NULL: nothing */
  uint64_t graph_bytes;     /**< what all saved graphs of the model take */
  const struct hoist_tensor *inputs;
  size_t input_count;
  const struct hoist_tensor *outputs;
  size_t output_count;

  /* About the call that made this */
  int cache_hit;
  uint64_t downloaded_bytes;
  uint64_t
      resumed_bytes; /**< that an interrupted download had brought, and were not downloaded again */
  double load_time_s; /**< wall time of the whole call */
};
HOIST_API void hoist_info_free(struct hoist_info *info); /**< NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
