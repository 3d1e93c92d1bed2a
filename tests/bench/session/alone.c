/* SPDX-License-Identifier: Apache-2.0 */
/* What a program does that uses ONNX Runtime alone: open the library, an environment, a session on the file.
 *   alone LIBRARY MODEL [hold]     prints {"ms": …, "session_ms": …, memory}; with "hold" waits for its input's end
 *   alone touch MEGABYTES          touches so much memory, so that nobody pays for what another left */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_memory.h"
#include "ort_api.h"

static void quiet(void *param, unsigned severity, const char *category, const char *log_id,
                  const char *location, const char *message) {
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "touch") == 0) return bench_touch((size_t)atol(argv[2]));
  if (argc < 3) return 2;
  double started = bench_now_ms();
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
  const struct ort_api_base *base = ((ort_get_api_base_fn)dlsym(library, "OrtGetApiBase"))();
  struct ort_api api = ort_api_bind(base->GetApi(ORT_API_WANTED), ORT_API_WANTED);
  struct OrtEnv *env = NULL;
  struct OrtSessionOptions *options = NULL;
  struct OrtSession *session = NULL;
  struct OrtStatus *failed = api.CreateEnvWithCustomLogger(quiet, NULL, ORT_LOG_FATAL, "x", &env);
  if (!failed) failed = api.CreateSessionOptions(&options);
  double before = bench_now_ms();
  if (!failed) failed = api.CreateSession(env, argv[2], options, &session);
  if (failed) return fprintf(stderr, "%s\n", api.GetErrorMessage(failed)), 1;
  double ended = bench_now_ms();
  printf("{\"ms\": %.3f, \"session_ms\": %.3f, ", ended - started, ended - before);
  bench_print_memory();
  return bench_hold(argc > 3);
}
