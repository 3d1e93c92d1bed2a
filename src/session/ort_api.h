/* SPDX-License-Identifier: Apache-2.0 */
/* Our own binding of ONNX Runtime's C interface. The runtime hands out one struct of function
 * pointers in which a slot, once given, never moves; so what is needed of it is the number, the
 * name and the type of each function used. tests/unit/session/test_ort_api.c holds every row
 * against the official header. Pointers to the runtime's structs carry its names, so that they mean
 * the same in a program that includes the official header. Enumerations of the runtime travel as
 * unsigned. */
#ifndef HOIST_SESSION_ORT_API_H
#define HOIST_SESSION_ORT_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The interface version asked for: the one the table was written against, or the runtime's own
 * where that is older. The oldest is the first with SetUserLoggingFunction. */
#define ORT_API_WANTED 22
#define ORT_API_OLDEST 17

struct OrtAllocator;
struct OrtCUDAProviderOptionsV2;
struct OrtEnv;
struct OrtMemoryInfo;
struct OrtRunOptions;
struct OrtSession;
struct OrtSessionOptions;
struct OrtStatus;
struct OrtTensorRTProviderOptionsV2;
struct OrtTensorTypeAndShapeInfo;
struct OrtTypeInfo;
struct OrtValue;

/** What dlsym("OrtGetApiBase") returns when called. */
struct ort_api_base {
  const void *(*GetApi)(uint32_t version);
  const char *(*GetVersionString)(void);
};
typedef const struct ort_api_base *(*ort_get_api_base_fn)(void);

typedef void (*ort_log_fn)(void *param, unsigned severity, const char *category, const char *log_id,
                           const char *location, const char *message);
enum { ORT_LOG_INFO = 1, ORT_LOG_FATAL = 4 }; /* of OrtLoggingLevel */
enum { ORT_OPTIMIZE_NOTHING = 0 };            /* of GraphOptimizationLevel */
enum { ORT_DEVICE_ALLOCATOR = 0 };            /* of OrtAllocatorType */
enum { ORT_DEFAULT_MEMORY = 0 };              /* of OrtMemType */

/* X(slot, result, name, parameters) */
#define ORT_SLOTS(X)                                                                               \
  X(1, unsigned, GetErrorCode, (const struct OrtStatus *))                                         \
  X(2, const char *, GetErrorMessage, (const struct OrtStatus *))                                  \
  X(4, struct OrtStatus *, CreateEnvWithCustomLogger,                                              \
    (ort_log_fn, void *, unsigned, const char *, struct OrtEnv **))                                \
  X(6, struct OrtStatus *, DisableTelemetryEvents, (const struct OrtEnv *))                        \
  X(7, struct OrtStatus *, CreateSession,                                                          \
    (const struct OrtEnv *, const char *, const struct OrtSessionOptions *, struct OrtSession **)) \
  X(8, struct OrtStatus *, CreateSessionFromArray,                                                 \
    (const struct OrtEnv *, const void *, size_t, const struct OrtSessionOptions *,                \
     struct OrtSession **))                                                                        \
  X(9, struct OrtStatus *, Run,                                                                    \
    (struct OrtSession *, const struct OrtRunOptions *, const char *const *,                       \
     const struct OrtValue *const *, size_t, const char *const *, size_t, struct OrtValue **))     \
  X(10, struct OrtStatus *, CreateSessionOptions, (struct OrtSessionOptions **))                   \
  X(11, struct OrtStatus *, SetOptimizedModelFilePath, (struct OrtSessionOptions *, const char *)) \
  X(19, struct OrtStatus *, DisableCpuMemArena, (struct OrtSessionOptions *))                      \
  X(22, struct OrtStatus *, SetSessionLogSeverityLevel, (struct OrtSessionOptions *, int))         \
  X(23, struct OrtStatus *, SetSessionGraphOptimizationLevel,                                      \
    (struct OrtSessionOptions *, unsigned))                                                        \
  X(24, struct OrtStatus *, SetIntraOpNumThreads, (struct OrtSessionOptions *, int))               \
  X(25, struct OrtStatus *, SetInterOpNumThreads, (struct OrtSessionOptions *, int))               \
  X(30, struct OrtStatus *, SessionGetInputCount, (const struct OrtSession *, size_t *))           \
  X(31, struct OrtStatus *, SessionGetOutputCount, (const struct OrtSession *, size_t *))          \
  X(33, struct OrtStatus *, SessionGetInputTypeInfo,                                               \
    (const struct OrtSession *, size_t, struct OrtTypeInfo **))                                    \
  X(34, struct OrtStatus *, SessionGetOutputTypeInfo,                                              \
    (const struct OrtSession *, size_t, struct OrtTypeInfo **))                                    \
  X(36, struct OrtStatus *, SessionGetInputName,                                                   \
    (const struct OrtSession *, size_t, struct OrtAllocator *, char **))                           \
  X(37, struct OrtStatus *, SessionGetOutputName,                                                  \
    (const struct OrtSession *, size_t, struct OrtAllocator *, char **))                           \
  X(49, struct OrtStatus *, CreateTensorWithDataAsOrtValue,                                        \
    (const struct OrtMemoryInfo *, void *, size_t, const int64_t *, size_t, unsigned,              \
     struct OrtValue **))                                                                          \
  X(55, struct OrtStatus *, CastTypeInfoToTensorInfo,                                              \
    (const struct OrtTypeInfo *, const struct OrtTensorTypeAndShapeInfo **))                       \
  X(60, struct OrtStatus *, GetTensorElementType,                                                  \
    (const struct OrtTensorTypeAndShapeInfo *, unsigned *))                                        \
  X(61, struct OrtStatus *, GetDimensionsCount,                                                    \
    (const struct OrtTensorTypeAndShapeInfo *, size_t *))                                          \
  X(62, struct OrtStatus *, GetDimensions,                                                         \
    (const struct OrtTensorTypeAndShapeInfo *, int64_t *, size_t))                                 \
  X(63, struct OrtStatus *, GetSymbolicDimensions,                                                 \
    (const struct OrtTensorTypeAndShapeInfo *, const char **, size_t))                             \
  X(69, struct OrtStatus *, CreateCpuMemoryInfo, (int, int, struct OrtMemoryInfo **))              \
  X(76, struct OrtStatus *, AllocatorFree, (struct OrtAllocator *, void *))                        \
  X(78, struct OrtStatus *, GetAllocatorWithDefaultOptions, (struct OrtAllocator **))              \
  X(92, void, ReleaseEnv, (struct OrtEnv *))                                                       \
  X(93, void, ReleaseStatus, (struct OrtStatus *))                                                 \
  X(94, void, ReleaseMemoryInfo, (struct OrtMemoryInfo *))                                         \
  X(95, void, ReleaseSession, (struct OrtSession *))                                               \
  X(96, void, ReleaseValue, (struct OrtValue *))                                                   \
  X(98, void, ReleaseTypeInfo, (struct OrtTypeInfo *))                                             \
  X(100, void, ReleaseSessionOptions, (struct OrtSessionOptions *))                                \
  X(125, struct OrtStatus *, GetAvailableProviders, (char ***, int *))                             \
  X(126, struct OrtStatus *, ReleaseAvailableProviders, (char **, int))                            \
  X(130, struct OrtStatus *, AddSessionConfigEntry,                                                \
    (struct OrtSessionOptions *, const char *, const char *))                                      \
  X(170, struct OrtStatus *, SessionOptionsAppendExecutionProvider_TensorRT_V2,                    \
    (struct OrtSessionOptions *, const struct OrtTensorRTProviderOptionsV2 *))                     \
  X(171, struct OrtStatus *, CreateTensorRTProviderOptions,                                        \
    (struct OrtTensorRTProviderOptionsV2 **))                                                      \
  X(172, struct OrtStatus *, UpdateTensorRTProviderOptions,                                        \
    (struct OrtTensorRTProviderOptionsV2 *, const char *const *, const char *const *, size_t))     \
  X(174, void, ReleaseTensorRTProviderOptions, (struct OrtTensorRTProviderOptionsV2 *))            \
  X(204, struct OrtStatus *, SessionOptionsAppendExecutionProvider_CUDA_V2,                        \
    (struct OrtSessionOptions *, const struct OrtCUDAProviderOptionsV2 *))                         \
  X(205, struct OrtStatus *, CreateCUDAProviderOptions, (struct OrtCUDAProviderOptionsV2 **))      \
  X(206, struct OrtStatus *, UpdateCUDAProviderOptions,                                            \
    (struct OrtCUDAProviderOptionsV2 *, const char *const *, const char *const *, size_t))         \
  X(208, void, ReleaseCUDAProviderOptions, (struct OrtCUDAProviderOptionsV2 *))                    \
  X(216, struct OrtStatus *, SessionOptionsAppendExecutionProvider,                                \
    (struct OrtSessionOptions *, const char *, const char *const *, const char *const *, size_t))  \
  X(228, struct OrtStatus *, RegisterCustomOpsLibrary_V2,                                          \
    (struct OrtSessionOptions *, const char *))                                                    \
  X(254, const char *, GetBuildInfoString, (void))                                                 \
  X(266, struct OrtStatus *, SetUserLoggingFunction,                                               \
    (struct OrtSessionOptions *, ort_log_fn, void *))

/* Since interface version 22. */
#define ORT_SLOTS_22(X)                                                                            \
  X(293, struct OrtStatus *, SessionOptionsSetLoadCancellationFlag,                                \
    (struct OrtSessionOptions *, bool))

/** The functions used, by name. */
struct ort_api {
  const void *table; /* the runtime's own struct OrtApi */
/* NOLINTNEXTLINE(bugprone-macro-parentheses): these make up a declaration */
#define ORT_MEMBER(slot, result, name, parameters) result(*name) parameters;
  ORT_SLOTS(ORT_MEMBER)
  ORT_SLOTS_22(ORT_MEMBER) /* NULL where the interface is older */
#undef ORT_MEMBER
};

/** The function in one slot of the runtime's struct, as the type of `member`. */
#define ORT_SLOT_FUNCTION(table, slot, member)                                                     \
  ((__typeof__(member))((void (*const *)(void))(table))[slot])

/** Looks every slot of a table of an interface version up. */
static inline struct ort_api ort_api_bind(const void *table, unsigned version) {
  struct ort_api api = {.table = table};
#define ORT_BIND(slot, result, name, parameters)                                                   \
  api.name = ORT_SLOT_FUNCTION(table, slot, api.name);
  ORT_SLOTS(ORT_BIND)
  if (version >= 22) {
    ORT_SLOTS_22(ORT_BIND)
  }
#undef ORT_BIND
  return api;
}

#endif
