/* SPDX-License-Identifier: Apache-2.0 */
/* Saving optimised graphs, and the name of all that one depends on. A graph is optimised for the CPU's
 * instructions and by the runtime's own passes, so it is of use to exactly this runtime on such a CPU. Any
 * thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "clock.h"
#include "cpu.h"
#include "fs.h"
#include "session_internal.h"
#include "text.h"

/* Of what is kept on disk. Another number: graphs of earlier releases of hoist are not looked at. */
#define FORMAT "1"

const char *graph_form_name(enum graph_form form) {
  return form == GRAPH_MAPPED ? "mapped" : "packed";
}

const char *session_graph_objection(const struct session *s,
                                    const struct session_options *options) {
  if (s->providers.beyond_cpu) return "a provider other than the CPU compiles the graph itself";
  return options->custom_ops ? "custom operators do not survive saving" : NULL;
}

enum hoist_status session_graph_key(const struct ort *ort, const struct session_options *o,
                                    const char *model_digest, char ret_key[DIGEST_HEX_SIZE],
                                    struct hoist_error *err) {
  HOIST_AUTO(mem)
  char *text = text_format(
      "graph " FORMAT "\nmodel %s\nruntime %s\nbuild %s\ncpu %s\nproviders %s\nconfig %s\nops %s\n",
      model_digest, ort->library.version, ort->library.api.GetBuildInfoString(), cpu_identity(),
      o->providers ? o->providers : "", o->config ? o->config : "",
      o->custom_ops ? o->custom_ops : "");
  if (!text) return hoist_fail_memory(err, "naming a graph");
  struct digest digest;
  enum hoist_status status = digest_of(DIGEST_SHA256, text, strlen(text), &digest, err);
  if (status == HOIST_OK) digest_hex(&digest, ret_key);
  return status;
}

enum hoist_status session_save_graph(const struct call *call, struct ort *ort,
                                     const char *weights_path, const char *dir,
                                     enum graph_form form, const struct session_options *options,
                                     struct hoist_error *err) {
  const struct session_model model = {.path = weights_path, .save_dir = dir, .save_form = form};
  struct session *session = NULL;
  enum hoist_status status = session_create(call, ort, &model, options, &session, err);
  session_close(session);
  return status;
}

static enum hoist_status time_session(const struct call *call, struct ort *ort,
                                      const struct session_model *model,
                                      const struct session_options *options, uint64_t *ret_ns,
                                      struct hoist_error *err) {
  struct session *session = NULL;
  uint64_t started = clock_monotonic_ns();
  enum hoist_status status = session_create(call, ort, model, options, &session, err);
  if (status == HOIST_OK) *ret_ns = clock_monotonic_ns() - started;
  session_close(session);
  return status;
}

enum hoist_status session_time_weights(const struct call *call, struct ort *ort,
                                       const char *weights_path,
                                       const struct session_options *options, uint64_t *ret_ns,
                                       struct hoist_error *err) {
  const struct session_model model = {.path = weights_path};
  return time_session(call, ort, &model, options, ret_ns, err);
}

static enum hoist_status map_file(const char *path, struct session_model *model,
                                  struct hoist_error *err) {
  HOIST_AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) return hoist_fail_errno(err, errno, "%s", path);
  void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (map == MAP_FAILED) return hoist_fail_errno(err, errno, "mapping %s", path);
  model->map = map;
  model->map_size = (size_t)st.st_size;
  return HOIST_OK;
}

enum hoist_status session_time_graph(const struct call *call, struct ort *ort, const char *dir,
                                     enum graph_form form, const struct session_options *options,
                                     uint64_t *ret_ns, struct hoist_error *err) {
  struct session_model model = {.is_optimized = 1};
  HOIST_AUTO(mem)
  char *path =
      text_format("%s/%s", dir, form == GRAPH_MAPPED ? GRAPH_MAPPED_FILE : GRAPH_PACKED_FILE);
  if (!path) return hoist_fail_memory(err, "timing a graph");
  if (form == GRAPH_PACKED) model.path = path;
  enum hoist_status status = form == GRAPH_MAPPED ? map_file(path, &model, err) : HOIST_OK;
  return status == HOIST_OK ? time_session(call, ort, &model, options, ret_ns, err) : status;
}
