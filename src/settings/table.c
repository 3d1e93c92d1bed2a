/* SPDX-License-Identifier: Apache-2.0 */
/* The table of settings itself: data only. A new setting is a member of struct hoist_config, one
 * row here and one row in docs/configuration.md (a test compares the two). Constant, any thread. */
#include "settings.h"

#define MEMBER(member) .name = #member, .offset = offsetof(struct hoist_config, member)
#define DURATION(key) .name = #key, .offset = offsetof(struct hoist_config, key##_ms)

static const struct setting table[] = {
    {MEMBER(cache_dir), .env = {"HOIST_CACHE_DIR", "MODEL_CACHE_DIR"}, .type = SETTING_PATH,
     .fallback = "$XDG_CACHE_HOME/hoist, else ~/.cache/hoist",
     .description = "Directory the models are kept in."},
    {MEMBER(cache_max_bytes), .env = {"HOIST_CACHE_MAX_SIZE"}, .type = SETTING_BYTES,
     .initial = "0", .fallback = "none",
     .description = "Bound on the size of all models in the cache: the least recently used ones "
                    "are removed after a download; 0 is no bound."},
    {MEMBER(sources), .env = {"HOIST_SOURCES"}, .type = SETTING_STRING,
     .fallback = "s3 if a bucket is set, then roboflow_api if a key is set",
     .description = "Where models are looked for, in order, comma-separated: s3, roboflow_api, "
                    "dir:PATH, s3://bucket/prefix."},
    {MEMBER(aliases), .env = {"HOIST_ALIASES"}, .type = SETTING_PATH,
     .fallback = "the built-in table alone",
     .description = "JSON file with further names of models, {\"name\": \"id\"}; null takes a "
                    "built-in one away."},
    {MEMBER(offline), .env = {"OFFLINE_MODE"}, .type = SETTING_BOOL, .initial = "false",
     .description = "Never touch the network: serve from the cache only."},

    {MEMBER(bucket), .env = {"INFER_BUCKET"}, .type = SETTING_STRING, .fallback = "none",
     .description = "S3 bucket of the source s3."},
    {MEMBER(prefix), .env = {"HOIST_S3_PREFIX"}, .type = SETTING_STRING, .fallback = "none",
     .description = "Key prefix in front of the model id, verbatim."},
    {MEMBER(s3_endpoint), .env = {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}, .type = SETTING_URL,
     .fallback = "AWS in the region", .description = "URL of an S3-compatible store."},
    {MEMBER(region), .env = {"AWS_REGION", "AWS_DEFAULT_REGION"}, .type = SETTING_STRING,
     .initial = "us-east-1", .description = "S3 region."},
    {MEMBER(addressing), .env = {"HOIST_S3_ADDRESSING"}, .type = SETTING_CHOICE,
     .choices = "auto|path|virtual", .initial = "auto",
     .description = "How the bucket is addressed: in the path or in the host name; auto is path "
                    "where an endpoint is set, or the name has dots."},
    {MEMBER(s3_dualstack), .env = {"AWS_USE_DUALSTACK_ENDPOINT"}, .type = SETTING_BOOL,
     .initial = "false", .description = "Use AWS's endpoints that answer over IPv6 too."},
    {MEMBER(s3_fips), .env = {"AWS_USE_FIPS_ENDPOINT"}, .type = SETTING_BOOL, .initial = "false",
     .description = "Use AWS's endpoints with validated cryptography (FIPS 140)."},
    {MEMBER(s3_requester_pays), .env = {"HOIST_S3_REQUESTER_PAYS"}, .type = SETTING_BOOL,
     .initial = "false",
     .description = "Agree to pay for requests to buckets whose owners want that."},
    {MEMBER(s3_anonymous), .env = {"HOIST_S3_ANONYMOUS"}, .type = SETTING_BOOL, .initial = "false",
     .description = "Do not sign S3 requests: for buckets that everybody may read."},
    {MEMBER(access_key), .env = {"AWS_ACCESS_KEY_ID"}, .type = SETTING_STRING, .fallback = "none",
     .secret = true, .description = "S3 access key id."},
    {MEMBER(secret_key), .env = {"AWS_SECRET_ACCESS_KEY"}, .type = SETTING_STRING,
     .fallback = "none", .secret = true, .description = "S3 secret key."},
    {MEMBER(session_token), .env = {"AWS_SESSION_TOKEN"}, .type = SETTING_STRING,
     .fallback = "none", .secret = true, .description = "Token of temporary S3 credentials."},

    {MEMBER(api_url), .env = {"API_BASE_URL"}, .type = SETTING_URL,
     .initial = "https://api.roboflow.com", .description = "Base URL of the Roboflow API."},
    {MEMBER(api_weights_suffix), .env = {"INTERNAL_WEIGHTS_URL_SUFFIX"}, .type = SETTING_STRING,
     .fallback = "none", .description = "Joined after the base URL for the weights endpoints."},
    {MEMBER(api_key), .env = {"ROBOFLOW_API_KEY", "API_KEY"}, .type = SETTING_STRING,
     .fallback = "none", .secret = true, .description = "Roboflow API key; `local` means none."},
    {MEMBER(api_extra_headers), .env = {"ROBOFLOW_API_EXTRA_HEADERS"}, .type = SETTING_STRING,
     .fallback = "none", .secret = true,
     .description = "JSON object of headers that only the API's own host is sent."},
    {MEMBER(service_secret), .env = {"ROBOFLOW_SERVICE_SECRET"}, .type = SETTING_STRING,
     .fallback = "none", .secret = true,
     .description = "Secret for loads that are not to be counted."},
    {MEMBER(secure_gateway), .env = {"SECURE_GATEWAY"}, .type = SETTING_URL, .fallback = "none",
     .description = "Host, host:port or URL that every API and file URL goes through."},

    {MEMBER(quantization), .env = {"HOIST_QUANTIZATION"}, .type = SETTING_STRING,
     .fallback = "fp32,fp16,bf16,int8,unknown: the most exact",
     .description = "Which packages of a model are preferred where the Roboflow API has several, "
                    "comma-separated: fp32, fp16, bf16, int8, unknown."},

    {MEMBER(ca_file), .env = {"HOIST_CA_FILE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"},
     .type = SETTING_PATH, .fallback = "the system's",
     .description = "PEM bundle of the authorities trusted for TLS."},
    {MEMBER(verify_tls), .env = {"ROBOFLOW_API_VERIFY_SSL"}, .type = SETTING_BOOL,
     .initial = "true", .description = "Check the certificates of servers."},
    {MEMBER(verify_md5), .env = {"MD5_VERIFICATION_ENABLED"}, .type = SETTING_BOOL,
     .initial = "true", .description = "Check the MD5 that file servers promise."},
    {DURATION(request_timeout), .env = {"ROBOFLOW_API_REQUEST_TIMEOUT"}, .type = SETTING_SECONDS,
     .initial = "0", .fallback = "none: only the stall timeout",
     .description = "Longest time for one API request; 0 is no limit."},
    {DURATION(stall_timeout), .env = {"HOIST_STALL_TIMEOUT"}, .type = SETTING_SECONDS,
     .initial = "30",
     .description = "An attempt fails where fewer than 4096 bytes arrive in so long."},
    {MEMBER(max_attempts), .env = {"HOIST_MAX_ATTEMPTS"}, .type = SETTING_COUNT, .min = 1,
     .max = 20, .initial = "5", .description = "Tries per request, the first included."},
    {MEMBER(connections), .env = {"HOIST_CONNECTIONS"}, .type = SETTING_COUNT, .min = 1, .max = 64,
     .initial = "8",
     .description =
         "Requests for parts of large files at once; small files may use four times as many."},
    {DURATION(lock_timeout), .env = {"MODEL_LOCK_ACQUIRE_TIMEOUT"}, .type = SETTING_SECONDS,
     .initial = "0", .fallback = "none: as long as the other process lives",
     .description =
         "Longest wait for another process that downloads the same model and gets no further; 0 is "
         "no limit."},

    {MEMBER(verification), .env = {"HOIST_VERIFICATION"}, .type = SETTING_CHOICE,
     .choices = "stat|sha256", .initial = "stat",
     .description =
         "How a model in the cache is verified: by the identity of its files since their "
         "bytes were last compared, or byte by byte every time."},

    {MEMBER(cache_auth), .env = {"MODELS_CACHE_AUTH_ENABLED"}, .type = SETTING_BOOL,
     .initial = "false",
     .description =
         "Ask the Roboflow API whether the key may use a model before it is served, also "
         "out of the cache; no answer, no model."},
    {DURATION(cache_auth_ttl), .env = {"MODELS_CACHE_AUTH_CACHE_TTL"}, .type = SETTING_SECONDS,
     .initial = "900", .description = "How long such an answer counts; 0: for one load."},

    {MEMBER(onnxruntime), .env = {"HOIST_ONNXRUNTIME"}, .type = SETTING_PATH,
     .fallback = "searched for", .description = "Path of the ONNX Runtime library."},
    {MEMBER(intra_op_threads), .env = {"HOIST_THREADS"}, .type = SETTING_COUNT, .min = 0,
     .max = 1024, .initial = "0", .fallback = "ONNX Runtime decides",
     .description = "Threads that one operator may use; 0 leaves it to ONNX Runtime."},
    {MEMBER(inter_op_threads), .env = {"HOIST_INTER_OP_THREADS"}, .type = SETTING_COUNT, .min = 0,
     .max = 1024, .initial = "0", .fallback = "ONNX Runtime decides",
     .description = "Operators that may run at once; 0 leaves it to ONNX Runtime."},
    {MEMBER(spinning), .env = {"HOIST_SPINNING"}, .type = SETTING_BOOL, .initial = "true",
     .description = "Threads of a session that wait for work spin for a while before they sleep."},
    {MEMBER(memory_arena), .env = {"HOIST_MEMORY_ARENA"}, .type = SETTING_BOOL, .initial = "true",
     .description = "Sessions keep the memory they use on the CPU in an arena of their own."},
    {MEMBER(providers), .env = {"HOIST_PROVIDERS"}, .type = SETTING_STRING, .fallback = "CPU",
     .description = "Execution providers in order of preference, with options, ! where required: "
                    "CUDA(device_id=0),OpenVINO!."},
    {MEMBER(session_config), .env = {"HOIST_SESSION_CONFIG"}, .type = SETTING_STRING,
     .fallback = "none",
     .description = "Config entries of ONNX Runtime for every session: key=value,key=value."},
    {MEMBER(custom_ops), .env = {"HOIST_CUSTOM_OPS"}, .type = SETTING_STRING, .fallback = "none",
     .description = "Paths of custom-operator libraries, comma-separated."},
    {MEMBER(graph_cache), .env = {"HOIST_GRAPH_CACHE"}, .type = SETTING_CHOICE,
     .choices = "background|before_returning|off", .initial = "background",
     .description = "When the optimised graph of a model is saved for later loads."},
    {MEMBER(warm_up), .env = {"HOIST_WARM_UP"}, .type = SETTING_BOOL, .initial = "false",
     .description = "Run a new session once, on zeros, before it is handed out."},
    {MEMBER(max_loaded_models), .env = {"MAX_ACTIVE_MODELS"}, .type = SETTING_COUNT, .min = 0,
     .max = 100000, .initial = "0", .fallback = "none is kept without a user",
     .description = "Models kept in memory, the least recently used going first; 0: see "
                    "max_loaded_bytes."},
    {MEMBER(max_loaded_bytes), .env = {"HOIST_MAX_LOADED_SIZE"}, .type = SETTING_BYTES,
     .initial = "0", .fallback = "none",
     .description = "Bound on the artifacts of the models kept in memory; 0 is no bound."},
};

const struct setting *settings_table(size_t *ret_count) {
  *ret_count = sizeof table / sizeof table[0];
  return table;
}
