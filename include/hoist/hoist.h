/* SPDX-License-Identifier: Apache-2.0 */
/* hoist: loads machine-learning models by id. Finds a model's artifacts (local cache, then S3, then the
 * Roboflow API, in the order you configure), brings them into the cache whole and verified, opens an
 * ONNX Runtime session on them, and records where the time went as OpenTelemetry spans and metrics.
 *
 *     struct hoist_config config;
 *     hoist_config_init(&config);
 *     hoist_config_from_env(&config, NULL, &err);     // optional: MODEL_CACHE_DIR, INFER_BUCKET, …
 *     hoist_open(&config, &h, &err);
 *     hoist_load(h, "coco/3", NULL, &model, &err);
 *     OrtSession *session = hoist_model_ort_session(model);
 *
 * Ownership: what a function hands out through a `ret_` parameter is released by the function its
 * comment names; what is returned as a const pointer is borrowed from its object. `ret_` parameters are
 * untouched on failure, `err` (may be NULL) is untouched on success. */
#ifndef HOIST_HOIST_H
#define HOIST_HOIST_H

#include <stddef.h>
#include <stdint.h>

#include <hoist/error.h>
#include <hoist/model_info.h>
#include <hoist/telemetry.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HOIST_VERSION_MAJOR 0
#define HOIST_VERSION_MINOR 1
#define HOIST_VERSION_PATCH 0

/** "0.1.0": the version of the library in use, which may be newer than the header's. Static. */
HOIST_API const char *hoist_version(void);

/* ---- configuration ------------------------------------------------------------------------------ */

/** Everything hoist can be told. Fill with hoist_config_init, then change what you need. Strings are
 *  borrowed until hoist_open returns (which copies them) and may be NULL for "not set". */
struct hoist_config {
  size_t size; /**< set by hoist_config_init. Before 1.0 the soname changes with this struct */

  const char *cache_dir; /**< default: $XDG_CACHE_HOME/hoist, else $HOME/.cache/hoist */
  /** Ordered, comma-separated: s3, roboflow_api, dir:PATH, s3://bucket/prefix. Default: s3 if `bucket`
   *  is set, then roboflow_api if `api_key` is set. */
  const char *sources;

  /** JSON file with further names of models: {"name": "id", …}; null takes a built-in one away. Wherever a model
   *  id is expected, such a name may stand. NULL: the built-in table alone (docs/roboflow.md) */
  const char *aliases;

  const char *bucket;        /**< S3 bucket of the source "s3" */
  const char *prefix;        /**< key prefix in front of the model id, verbatim ("models/") */
  const char *s3_endpoint;   /**< "https://minio.example:9000"; NULL: AWS in `region` */
  const char *region;        /**< NULL: the AWS profile's, else "us-east-1" */
  int s3_anonymous;          /**< default 0; 1: requests are not signed */
  const char *access_key;    /**< NULL: see docs/s3.md, "Credentials" */
  const char *secret_key;    /**< secret */
  const char *session_token; /**< secret */
  const char *addressing;    /**< "auto" (default), "path" or "virtual" */
  int s3_dualstack;          /**< default 0; 1: AWS's endpoints that answer over IPv6 too */
  int s3_fips;               /**< default 0; 1: AWS's endpoints with validated cryptography */
  int s3_requester_pays; /**< default 0; 1: agree to pay for requests, where the owner wants it */

  /* Where S3 credentials come from if there is no access_key (docs/s3.md, "Credentials") */
  const char *aws_profile;                 /**< NULL: "default", if there is one */
  const char *aws_config_file;             /**< NULL: ~/.aws/config */
  const char *aws_credentials_file;        /**< NULL: ~/.aws/credentials */
  const char *aws_role_arn;                /**< to take on with the web identity token */
  const char *aws_role_session_name;       /**< NULL: one is made up */
  const char *aws_web_identity_token_file; /**< read each time it is needed */
  const char *aws_sts_endpoint;            /**< NULL: the profile's, else AWS in the region */
  const char *aws_container_relative_uri;  /**< path at the ECS agent; secret */
  const char *aws_container_full_uri;      /**< https, this machine or an agent; secret */
  const char *aws_container_token;         /**< secret */
  const char *aws_container_token_file;    /**< wins over the token; read each time */
  int aws_metadata_disabled;               /**< default 0; 1: EC2's metadata service is not asked */
  const char *aws_metadata_endpoint;       /**< NULL: by the mode */
  const char *aws_metadata_endpoint_mode;  /**< "IPv4" (default) or "IPv6" */
  uint32_t aws_metadata_timeout_ms;        /**< of one request. Default 1000 */
  uint32_t aws_metadata_attempts;          /**< tries per request, the first included. Default 1 */

  const char *api_url;            /**< default "https://api.roboflow.com" */
  const char *api_weights_suffix; /**< joined after api_url for the weights endpoints */
  const char *api_key;            /**< secret; "local" means none */
  const char *api_extra_headers;  /**< JSON object of headers for the API host only; secret */
  const char *service_secret;     /**< secret */
  const char *secure_gateway; /**< host[:port] or URL that every API and file URL goes through */

  /** Which package of a model is preferred where the Roboflow API has several: "int8,fp16" puts those first and
   *  the others behind them, most exact first. Default: the most exact */
  const char *quantization;

  const char *ca_file;         /**< PEM bundle for TLS; NULL: the system's */
  int verify_tls;              /**< default 1 */
  int verify_md5;              /**< default 1: check MD5 promises of file servers */
  int offline;                 /**< default 0; 1: never touch the network, cache only */
  uint32_t request_timeout_ms; /**< one API request. Default 0: only the stall timeout */
  uint32_t stall_timeout_ms;   /**< fewer than 4096 bytes in so long fail an attempt. Default
                                    30000 */
  uint32_t max_attempts;       /**< tries per request, the first included; 1..20. Default 5 */
  /** Requests for parts of large files at once; small files may use four times as many. 1..64. Default 8 */
  uint32_t connections;
  /** How long to wait for another process that downloads the same model and makes no progress. 0: as long
   *  as it lives. Default 600000 */
  uint32_t lock_timeout_ms;
  /** Bound on the size of all models in the cache: after each download the least recently used ones are
   *  removed until it is kept, but none that is in use. Default 0: none */
  uint64_t cache_max_bytes;

  /** How a model found in the cache is verified: "stat" (default): by inode, size and times of its files,
   *  byte by byte only where those are not what they were at the last full comparison; "sha256": byte by
   *  byte on every load, beside the creation of the session. docs/cache.md tells what each finds */
  const char *verification;

  /** Default 0; 1: before a model is loaded or pulled, also out of the cache or memory, the Roboflow API is asked
   *  whether `api_key` may use it. Who is denied gets nothing, and where the API cannot be asked nobody does;
   *  offline nobody is asked. docs/cache.md */
  int cache_auth;
  uint32_t cache_auth_ttl_ms; /**< an answer counts for so long. Default 900000; 0: for one call */

  const char *onnxruntime;   /**< path of libonnxruntime; NULL: search (docs/onnxruntime.md) */
  uint32_t intra_op_threads; /**< default 0: ONNX Runtime decides */
  uint32_t inter_op_threads; /**< default 0: ONNX Runtime decides */
  int spinning;              /**< default 1: waiting threads of a session spin before they sleep */
  int memory_arena;          /**< default 1; 0: a session's memory on the CPU comes from malloc */
  /** Execution providers in order of preference, by ONNX Runtime's names without "ExecutionProvider", with
   *  options, and "!" where it is required: "CUDA(device_id=1),OpenVINO!". Default: the CPU, which also
   *  takes what the others leave */
  const char *providers;
  const char *session_config; /**< ONNX Runtime's own entries: "session.disable_prepacking=1,…" */
  const char *custom_ops;     /**< paths of custom-operator libraries, comma-separated */
  /** Whether the optimised graph of a model is saved for later loads, and when: "background" (default),
   *  "before_returning", "off". docs/onnxruntime.md */
  const char *graph_cache;
  int warm_up; /**< default 0; 1: a new session is run once, on zeros, before it is handed out */

  /** Models kept in memory when nobody holds them any more, the least recently used going first, until all
   *  loaded ones are within both bounds. Default 0 and 0: a model goes with its last user */
  uint32_t max_loaded_models;
  uint64_t max_loaded_bytes; /**< of their artifacts */

  /** Where spans and metrics go; NULL: nowhere, at no cost. Borrowed: must outlive the hoist
   *  object and its models. */
  struct hoist_telemetry *telemetry;
};

HOIST_API void hoist_config_init(struct hoist_config *config);

/** Overrides members from environment variables (the list: `hoist config`, docs/configuration.md).
 *  Strings point at what get_env returned; nothing is copied.
 *  @param get_env  how to look a variable up; NULL: getenv
 *  Errors:  INVALID a value that cannot be understood: names the variable; config is half changed */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_config_from_env(
    struct hoist_config *config, const char *(*get_env)(const char *name), struct hoist_error *err);

/* ---- the hoist object --------------------------------------------------------------------------- */

/** A cache, its sources, and the models loaded through it; thread-safe. It belongs to the process that
 *  opened it: after a fork the child opens its own (calls on the parent's return INVALID). */
struct hoist;

/** Checks the configuration and opens (creates) the cache. Contacts nothing on the network.
 *  @param ret_hoist  on OK: release with hoist_close
 *  Errors:  INVALID a setting makes no sense · DENIED, NO_SPACE, … the cache directory cannot be used ·
 *           NO_MEMORY */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_open(const struct hoist_config *config,
                                                        struct hoist **ret_hoist,
                                                        struct hoist_error *err);
/** Releases everything but models still held, which stay usable. NULL is fine. No call may be running
 *  on the object. A graph that is being saved is waited for; one whose turn has not come is not saved
 *  (hoist_settle waits for all). So is ONNX Runtime where it is still at sessions whose loads were called off, or ran
 *  out of time, through any hoist object of the process: a program that ends without this ends beneath it. */
HOIST_API void hoist_close(struct hoist *hoist);

/* ---- calling off, watching ---------------------------------------------------------------------- */

/** A switch that stops calls. Zero-initialise; must outlive the calls it was given to. */
struct hoist_cancel {
  int private_;
};
/** Stops every call that was given this switch, now and later: they return CANCELLED within 100 ms
 *  (an fsync is waited for, and the opening of ONNX Runtime, some 50 ms). ONNX Runtime may be at the creation of a session for longer: it goes on by itself in a
 *  thread of hoist's until it looks at its own switch next, or, before 1.22, to its end; then everything is released.
 *  Async-signal-safe.
 *  Threads: any */
HOIST_API void hoist_cancel(struct hoist_cancel *cancel);

enum hoist_progress_kind {
  /** another process is downloading this model: waiting for it. Comes again whenever it got further */
  HOIST_PROGRESS_WAIT = 1,
  HOIST_PROGRESS_SOURCE = 2, /**< a source is being asked; `source` names it */
  HOIST_PROGRESS_PLAN = 3,   /**< what will be fetched is known: file_count, total_bytes */
  HOIST_PROGRESS_FILE = 4,   /**< a file began, moved on, or ended: file, bytes, file_bytes, done */
  HOIST_PROGRESS_FALLTHROUGH = 5, /**< `source` failed, the next one is tried; `message` says why */
  HOIST_PROGRESS_COMMIT = 6,      /**< everything arrived: being made durable and published */
  HOIST_PROGRESS_SESSION = 7,     /**< the ONNX Runtime session is being created */
  HOIST_PROGRESS_DONE = 8,        /**< the call ended well */
  HOIST_PROGRESS_RETRY = 9, /**< a request failed and is made again after `wait_ms`: `message` */
  HOIST_PROGRESS_WARNING =
      10, /**< something is not as it should be, but the call goes on: `message` */
  HOIST_PROGRESS_NOTICE = 11, /**< something was done on the way: `message` */
  /** an interrupted download had brought `bytes` of `file` already: they are whole, and only the rest is fetched */
  HOIST_PROGRESS_RESUME = 12,
};

/** One piece of news about a running call. Everything in it is borrowed for the length of the
 *  callback. Sizes that are not known are -1. */
struct hoist_progress {
  enum hoist_progress_kind kind;
  const char *model_id;
  const char *source; /**< "s3", "roboflow_api", "dir"; NULL where it does not apply */
  const char *file;   /**< FILE, RESUME; RETRY where it is of one */
  int64_t bytes;      /**< FILE, RESUME: of this file so far */
  int64_t file_bytes; /**< FILE, RESUME: its size */
  int file_done;      /**< FILE: 1 when it is complete and its digest right */
  size_t file_count;  /**< files of the model; 0 until PLAN */
  size_t files_done;
  int64_t total_done;  /**< bytes of the model so far */
  int64_t total_bytes; /**< bytes of the model */
  const char *message; /**< for people; NULL where there is nothing to add */
  /** WAIT: the process that holds the model, 0 where that is not known; total_done and total_bytes are
   *  those of its download. */
  int64_t waiting_for_pid;
  uint32_t wait_ms; /**< RETRY */
};

/** What a single call may be told. Zero-initialise; NULL in place of the struct means all defaults. */
struct hoist_call_options {
  uint32_t timeout_ms;               /**< for the whole call; 0: none */
  const struct hoist_cancel *cancel; /**< NULL: cannot be called off */
  /** Parent of the call's span: a span of the same telemetry, or a remote one. Both NULL: the calling
   *  thread's current span (hoist_scope_enter) where it is one of the same telemetry, else a new trace.
   *  Where nothing is recorded, requests carry the remote parent's context on as it came. */
  const struct hoist_span *parent;
  const struct hoist_span_context *remote_parent;
  /** Called from whichever thread has news, never two at once for one call; must not call hoist. FILE
   *  events come at most about ten times a second per file, and always at its beginning and end. */
  void (*progress)(void *user, const struct hoist_progress *event);
  void *progress_user;
  /** What goes along as the baggage header to the Roboflow API, and, since it may be confidential, to no
   *  other host. Must not change meanwhile; NULL: none. */
  const struct hoist_baggage *baggage;
};

/* ---- models ------------------------------------------------------------------------------------- */

struct hoist_model; /**< a loaded model, reference-counted; thread-safe */

/** Loads a model: from the cache when it is there and verified, else from the first source that has it.
 *  A model that this object has loaded already is shared. Blocks until the model is ready; any number
 *  of threads and processes asking for one model cause one download.
 *  @param options    NULL: defaults
 *  @param ret_model  on OK: release with hoist_model_unref
 *  Errors:  INVALID a bad model id, or no source is configured · NOT_FOUND no source has it · DENIED a
 *           source refused (the next ones are not asked) · UNAVAILABLE, CORRUPT what the last source said
 *           when none could deliver; the message names each · TIMEOUT, CANCELLED by the caller · NO_SPACE
 *           · UNSUPPORTED no ONNX Runtime, or it cannot run the model · NO_MEMORY. The cache is never left
 *           with a part of a model.
 *  Threads: any */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_load(struct hoist *hoist, const char *model_id,
                                                        const struct hoist_call_options *options,
                                                        struct hoist_model **ret_model,
                                                        struct hoist_error *err);
HOIST_API struct hoist_model *hoist_model_ref(struct hoist_model *model);
/** Gives one reference back; the last one releases the session, unless the bounds of the configuration keep
 *  it for later. NULL is fine. */
HOIST_API void hoist_model_unref(struct hoist_model *model);
/** Forgets a loaded model: it goes with its last user, at once where it has none, and who loads it next gets a
 *  new one. Who uses it just now is not disturbed. A model that is not loaded is none of its business.
 *  Threads: any */
HOIST_API void hoist_unload(struct hoist *hoist, const char *model_id);

/** What came of saving one model's graph; borrowed for the length of the callback. */
struct hoist_graph_report {
  const char *model_id;
  enum hoist_status
      status; /**< OK: saved, or UNSUPPORTED: not worth it, or not possible, for this model */
  const char *message;       /**< "saved", or why it was not; for people */
  double weights_s, graph_s; /**< time to open the model, and its graph; 0: not known */
  uint64_t bytes;            /**< of the graph */
};
/** Waits until every graph that is to be saved in the background has been, and tells what came of those since
 *  the last call. A program that ends after a load calls it, if it wants the next load to be fast.
 *  @param report  NULL: nobody wants to know
 *  Errors:  TIMEOUT (what is being saved goes on) · CANCELLED: it is given up, and what waits for its turn is not
 *           saved, either */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_settle(
    struct hoist *hoist, const struct hoist_call_options *options,
    void (*report)(void *user, const struct hoist_graph_report *report), void *user,
    struct hoist_error *err);

/** What is known about the model; borrowed from it. */
HOIST_API const struct hoist_info *hoist_model_info(const struct hoist_model *model);
/** `const OrtApi *`, `OrtEnv *`, `OrtSession *` of onnxruntime_c_api.h, borrowed from the model. The API
 *  table is that of the runtime opened: API version 22 or what the runtime has, if that is less. */
HOIST_API const void *hoist_model_ort_api(const struct hoist_model *model);
HOIST_API void *hoist_model_ort_env(const struct hoist_model *model);
HOIST_API void *hoist_model_ort_session(const struct hoist_model *model);

/** Brings a model's artifacts into the cache (or verifies them there) and opens no session: needs no
 *  ONNX Runtime. Errors as hoist_load.
 *  @param ret_info  may be NULL; on OK: release with hoist_info_free */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_pull(struct hoist *hoist, const char *model_id,
                                                        const struct hoist_call_options *options,
                                                        struct hoist_info **ret_info,
                                                        struct hoist_error *err);

/* ---- files of a place, without the cache -------------------------------------------------------- */

/** Says of the files whose whole name the pattern matches whether they are copied. */
struct hoist_copy_rule {
  int include; /**< 1: they are; 0: they are not */
  /** `*` any text, across directories, too; `?` one character; `[abc]`, `[a-z]`, `[!a]` one of a set, or not of
   *  it; all else is itself. Matched against the name below the place: "1/model.onnx" */
  const char *pattern;
};

/** Zero-initialise; NULL in place of the struct: everything is copied. */
struct hoist_copy_options {
  const struct hoist_copy_rule
      *rules; /**< the last that matches decides; none: the file is copied */
  size_t rule_count;
  /** 1: where one file is all there is to copy and it is an archive (.tar, .tar.gz, .tgz, .zip), what is in it takes
   *  its place, under the same rules for names; links and devices in it are refused. Default 0 */
  int unpack;
};

struct hoist_copy_result {
  size_t files;   /**< that the place has and the rules choose */
  uint64_t bytes; /**< of them, as far as sizes are known beforehand */
  size_t copied_files;
  uint64_t copied_bytes;  /**< that came from the source now */
  uint64_t resumed_bytes; /**< that an interrupted copy had brought */
  size_t
      unchanged_files; /**< were there already: the same size, the same time of modification to the ns */
  size_t excluded_files; /**< by the rules */
  size_t unpacked_files; /**< out of an archive */
  double seconds;
};

/** Copies all files below a place into a directory: several at once, large ones in parts, each verified against
 *  whatever its source promises. A file gets its name only when it is whole and durable, and the time at which it was
 *  modified at its source, by which a later copy knows that it need not be fetched again. An interrupted copy is gone
 *  on with by the next one of the same. Nothing is removed: what else is in the directory stays. Until all is done
 *  there is a directory ".hoist-copy" in it. The cache is left alone. Span: artifacts.copy.
 *  @param place      "s3://BUCKET/KEY": that object; else, or with a '/' at its end, "s3://BUCKET/PREFIX": all
 *                    objects below PREFIX/; "dir:PATH": a file, or all files below a directory
 *  @param directory  made where there is none; names never lead out of it
 *  @param ret_result  may be NULL
 *  Errors:  INVALID no such kind of place; something else is in a file's place · NOT_FOUND nothing is there, or
 *           the rules choose none of it · CORRUPT a name that cannot be below a directory; bytes that are not what
 *           was promised · DENIED, UNAVAILABLE, TIMEOUT, CANCELLED, NO_SPACE … as hoist_pull. Files that were
 *           complete by then are there */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_copy(struct hoist *hoist, const char *place,
                                                        const char *directory,
                                                        const struct hoist_copy_options *copy,
                                                        const struct hoist_call_options *options,
                                                        struct hoist_copy_result *ret_result,
                                                        struct hoist_error *err);

/* ---- what sources offer ------------------------------------------------------------------------- */

/** A model that a source has, or, with `model_id` NULL, a source that could not tell; borrowed for the length of
 *  the callback. */
struct hoist_offer {
  const char *model_id;
  const char *source;   /**< "s3", "dir", "roboflow_api" */
  const char *location; /**< "s3://bucket/prefix", "/models": for people */
  uint64_t size_bytes;
  size_t file_count;
  uint64_t modified_unix_s; /**< of the file that was modified last; 0: not known */
  int in_cache;             /**< 1: a model of that id is in the cache, from wherever */
  /** Why the source could not tell, or why the model cannot be loaded by its id; NULL: fine */
  const char *problem;
};

/** Asks the configured sources in their order what models they have: every directory, or prefix, with a weights
 *  file (*.onnx, *.ort) or an environment.json. Memory does not grow with what a bucket holds. A model inside another
 *  one's directory comes before it; otherwise S3's are ordered by their keys and a directory's by name.
 *  @param source  one in place of the configured ones, as hoist_config.sources names it; NULL: those
 *  @param visit   returns non-zero to stop, which is no failure
 *  Errors:  INVALID no such source, or none is configured · what the first source that could not tell said, after
 *           the others were asked (each has been told to `visit`) · UNSUPPORTED where none can: the Roboflow API
 *           has no list · TIMEOUT, CANCELLED */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_offers(
    struct hoist *hoist, const char *source, const struct hoist_call_options *options,
    int (*visit)(void *user, const struct hoist_offer *offer), void *user, struct hoist_error *err);

/* ---- the cache ---------------------------------------------------------------------------------- */

/** Describes a cached model out of the files beside its weights, after verifying it; opens no session and
 *  touches no network.
 *  @param ret_info  on OK: release with hoist_info_free
 *  Errors:  INVALID · NOT_FOUND not in the cache · CORRUPT it is, but damaged: which file and how */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_describe(
    struct hoist *hoist, const char *model_id, const struct hoist_call_options *options,
    struct hoist_info **ret_info, struct hoist_error *err);

/** As hoist_describe, but opens a session, where a runtime is installed, to learn inputs and outputs;
 *  without one those stay empty.
 *  Errors:  as hoist_describe · CORRUPT, UNSUPPORTED ONNX Runtime cannot open it */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_inspect(struct hoist *hoist,
                                                           const char *model_id,
                                                           const struct hoist_call_options *options,
                                                           struct hoist_info **ret_info,
                                                           struct hoist_error *err);

/** Verifies a cached model: every file's length and SHA-256 against its manifest.
 *  @param ret_bytes  may be NULL; bytes read
 *  Errors:  as hoist_inspect */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_verify(struct hoist *hoist, const char *model_id,
                                                          const struct hoist_call_options *options,
                                                          uint64_t *ret_bytes,
                                                          struct hoist_error *err);

/** Removes a model from the cache under the lock that downloads take; waits for those in progress.
 *  @param ret_freed_bytes  may be NULL
 *  Errors:  INVALID · NOT_FOUND · TIMEOUT, CANCELLED while waiting · by errno */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_remove(struct hoist *hoist, const char *model_id,
                                                          const struct hoist_call_options *options,
                                                          uint64_t *ret_freed_bytes,
                                                          struct hoist_error *err);

/** One model of the cache, as hoist_list reports it; borrowed for the length of the callback. */
struct hoist_list_item {
  const char *model_id; /**< the path relative to the cache where the manifest cannot be read */
  const char *directory;
  const char *source; /**< NULL where the manifest cannot be read */
  uint64_t size_bytes;
  uint64_t graph_bytes; /**< of its saved graphs, which count in the cache's bounds, too */
  size_t file_count;
  uint64_t created_unix_s;
  uint64_t
      used_unix_s; /**< last load or pull from the cache, give or take five minutes; see docs/cache.md */
  const char *problem; /**< NULL: fine as far as can be seen without reading the files */
};
/** Calls `visit` for every model in the cache, ordered by id, until it returns non-zero.
 *  Errors:  by errno: the cache cannot be read */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_list(
    struct hoist *hoist, int (*visit)(void *user, const struct hoist_list_item *item), void *user,
    struct hoist_error *err);

/** Something hoist_gc removed (or would remove); borrowed for the length of the callback. */
struct hoist_gc_item {
  const char *model_id; /**< NULL: no model, but something of hoist's own */
  const char *path;     /**< relative to the cache */
  /** "age" unused for too long · "size" the cache is too large · "staging" left by a download that was
   *  killed · "saving" left by the saving of a graph that was killed · "removal" the rest of a model whose removal was killed · "graph" saved
   *  for a model that is gone · "lock" lock file of a model that is not in the cache */
  const char *reason;
  uint64_t size_bytes;
  uint64_t used_unix_s; /**< of a model: as in hoist_list_item */
};

/** What hoist_gc is to aim at. Zero-initialise; NULL in place of the struct means all defaults. */
struct hoist_gc_options {
  int limit_size; /**< 1: max_bytes applies. Else hoist_config.cache_max_bytes, where it is set */
  uint64_t max_bytes; /**< of all models together; 0: remove all that can be removed */
  int limit_age;      /**< 1: max_age_s applies */
  uint64_t max_age_s; /**< models unused for so long are removed */
  int dry_run;        /**< 1: remove nothing, only report what would be */
  void (*removed)(void *user, const struct hoist_gc_item *item); /**< NULL: nobody wants to know */
  void *user;
};

struct hoist_gc_result {
  size_t removed_models, removed_leftovers,
      removed_locks; /**< leftovers: "staging", "saving", "removal", "graph" */
  uint64_t freed_bytes;
  size_t busy_models;    /**< should have been removed, but are in use or being loaded */
  size_t models;         /**< that are left */
  uint64_t models_bytes; /**< their size */
};

/** Cleans the cache up: removes the least recently used models until it is within the limits, what
 *  killed downloads left behind, and lock files of models that are gone. Never waits for a lock: a model
 *  that somebody is loading, reading or downloading just now stays, which is no failure.
 *  @param gc          NULL: defaults
 *  @param ret_result  may be NULL
 *  Errors:  TIMEOUT, CANCELLED · DENIED the cache is read-only · by errno. What was removed by then has
 *           been reported */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_gc(struct hoist *hoist,
                                                      const struct hoist_gc_options *gc,
                                                      const struct hoist_call_options *options,
                                                      struct hoist_gc_result *ret_result,
                                                      struct hoist_error *err);

/* ---- why this form of a model -------------------------------------------------------------------- */

/** Something that a source weighed; borrowed for the length of the callback. */
struct hoist_candidate {
  const char *source;   /**< "roboflow_api" */
  const char *endpoint; /**< where it was found, or asked for; NULL: the source as a whole */
  const char
      *package_id;   /**< one of the packages there; NULL: what follows is about the endpoint */
  const char *facts; /**< about the package, for people; NULL: none */
  int chosen;
  const char *reason; /**< why, or why not, for people */
};
/** Asks the sources what the model would consist of if it were fetched now, and tells what they weighed: every
 *  package, chosen or not, and why. Fetches nothing and leaves the cache alone.
 *  Errors:  INVALID a bad model id, offline, or no source that has a choice · else as hoist_load; what was weighed
 *           by then has been reported */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_explain(
    struct hoist *hoist, const char *model_id, const struct hoist_call_options *options,
    void (*report)(void *user, const struct hoist_candidate *candidate), void *user,
    struct hoist_error *err);

/* ---- self-examination --------------------------------------------------------------------------- */

/** One finding of hoist_diagnose; borrowed for the length of the callback. */
struct hoist_finding {
  const char *subject; /**< "cache", "file locks", "aws environment", "aws profile", …, "source s3",
                   "source roboflow_api", "onnxruntime" */
  enum hoist_status status; /**< OK: works */
  const char *detail;       /**< what was found, or what is wrong and what to do */
  int skipped; /**< 1: it does not apply here, or was not tried; `status` is OK, `detail` says why */
};
/** Tries out what a load needs: the cache directory, every source in its order, ONNX Runtime.
 *  Errors:  only CANCELLED, TIMEOUT, NO_MEMORY; what was found goes to `report` */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_diagnose(
    struct hoist *hoist, const struct hoist_call_options *options,
    void (*report)(void *user, const struct hoist_finding *finding), void *user,
    struct hoist_error *err);

#ifdef __cplusplus
}
#endif
#endif
