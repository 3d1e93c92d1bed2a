/* SPDX-License-Identifier: Apache-2.0 */
/* The slots a program needs to run a session, bound as src/session binds its own. */
#ifndef HOIST_TESTS_ORT_RUN_H
#define HOIST_TESTS_ORT_RUN_H

#include "ort_api.h"

struct OrtMemoryInfo;
struct OrtRunOptions;
struct OrtValue;

enum { ORT_ARENA_ALLOCATOR = 1, ORT_MEMORY_DEFAULT = 0, ORT_ELEMENT_FLOAT = 1 };

#define ORT_RUN_SLOTS(X)                                                                           \
  X(0, struct OrtStatus *, CreateStatus, (unsigned, const char *))                                 \
  X(9, struct OrtStatus *, Run,                                                                    \
    (struct OrtSession *, const struct OrtRunOptions *, const char *const *,                       \
     const struct OrtValue *const *, size_t, const char *const *, size_t, struct OrtValue **))     \
  X(49, struct OrtStatus *, CreateTensorWithDataAsOrtValue,                                        \
    (const struct OrtMemoryInfo *, void *, size_t, const int64_t *, size_t, unsigned,              \
     struct OrtValue **))                                                                          \
  X(51, struct OrtStatus *, GetTensorMutableData, (struct OrtValue *, void **))                    \
  X(64, struct OrtStatus *, GetTensorShapeElementCount,                                            \
    (const struct OrtTensorTypeAndShapeInfo *, size_t *))                                          \
  X(65, struct OrtStatus *, GetTensorTypeAndShape,                                                 \
    (const struct OrtValue *, struct OrtTensorTypeAndShapeInfo **))                                \
  X(69, struct OrtStatus *, CreateCpuMemoryInfo, (int, int, struct OrtMemoryInfo **))              \
  X(94, void, ReleaseMemoryInfo, (struct OrtMemoryInfo *))                                         \
  X(96, void, ReleaseValue, (struct OrtValue *))                                                   \
  X(99, void, ReleaseTensorTypeAndShapeInfo, (struct OrtTensorTypeAndShapeInfo *))

struct ort_run_api {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): these make up a declaration */
#define ORT_MEMBER(slot, result, name, parameters) result(*name) parameters;
  ORT_RUN_SLOTS(ORT_MEMBER)
#undef ORT_MEMBER
};

static inline struct ort_run_api ort_run_bind(const void *table) {
  struct ort_run_api api;
#define ORT_BIND(slot, result, name, parameters)                                                   \
  api.name = ORT_SLOT_FUNCTION(table, slot, api.name);
  ORT_RUN_SLOTS(ORT_BIND)
#undef ORT_BIND
  return api;
}

#endif
