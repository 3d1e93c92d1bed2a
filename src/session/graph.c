/* SPDX-License-Identifier: Apache-2.0 */
/* Saving optimised graphs, and the name of all that one depends on. A graph is optimised for the CPU's
 * instructions and by the runtime's own passes, so it is of use to exactly this runtime on such a CPU. Any
 * thread. */
#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

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

static enum hoist_status map_file(const char *path, void **ret_map, size_t *ret_size,
                                  struct hoist_error *err) {
  HOIST_AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) return hoist_fail_errno(err, errno, "%s", path);
  void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (map == MAP_FAILED) return hoist_fail_errno(err, errno, "mapping %s", path);
  *ret_map = map;
  *ret_size = (size_t)st.st_size;
  return HOIST_OK;
}

/* ---- packed weights ---------------------------------------------------------------------- */

#define PACKED_KEY "prepacked_"
#define PACKED_ALIGNMENT 64 /* the widest load of any kernel */

/* "name|offset;size;checksum|offset;size;checksum…": every offset must be a multiple of the alignment. */
static bool offsets_are_aligned(const char *value, size_t size) {
  char text[512];
  if (size >= sizeof text) return false;
  memcpy(text, value, size);
  text[size] = '\0';
  int count = 0;
  for (const char *p = strchr(text, '|'); p; p = strchr(p, '|')) {
    unsigned long long offset;
    if (sscanf(++p, "%19llu;", &offset) != 1 || offset % PACKED_ALIGNMENT != 0) return false;
    count++;
  }
  return count > 0;
}

/* A StringStringEntryProto whose key begins with PACKED_KEY, which `at` points to: the rest of the key, then
 * field 2, length, value. What does not look like that counts as not aligned. */
static bool entry_is_aligned(const char *at, const char *end) {
  at += strlen(PACKED_KEY);
  while (at < end && *at >= '0' && *at <= '9')
    at++;
  if (at == end || *at++ != 0x12) return false;
  size_t size = 0;
  for (unsigned shift = 0; at < end && shift < 28; shift += 7) {
    unsigned char byte = (unsigned char)*at++;
    size |= (size_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return size <= (size_t)(end - at) && offsets_are_aligned(at, size);
  }
  return false;
}

enum hoist_status session_check_packed(const char *dir, struct hoist_error *err) {
  HOIST_AUTO(mem) char *path = text_format("%s/" GRAPH_PACKED_FILE, dir);
  if (!path) return hoist_fail_memory(err, "looking at a graph");
  void *map = NULL;
  size_t size = 0, found = 0, aligned = 0;
  enum hoist_status status = map_file(path, &map, &size, err);
  if (status != HOIST_OK) return status;
  const char *end = (const char *)map + size;
  for (const char *p = map; (p = memmem(p, (size_t)(end - p), PACKED_KEY, strlen(PACKED_KEY)));
       p += strlen(PACKED_KEY)) {
    found++;
    aligned += entry_is_aligned(p, end);
  }
  munmap(map, size);
  if (found == 0) return hoist_fail(err, HOIST_UNSUPPORTED, "it has no large weights to pack");
  if (aligned == found) return HOIST_OK;
  return hoist_fail(err, HOIST_UNSUPPORTED,
                    "the runtime does not align %zu of its %zu packed weights", found - aligned,
                    found);
}

enum hoist_status session_save_graph(const struct call *call, struct ort *ort,
                                     const char *weights_path, const char *dir,
                                     enum graph_form form, const struct session_options *options,
                                     struct hoist_error *err) {
  const struct session_model model = {.path = weights_path, .save_dir = dir, .save_form = form};
  struct session *session = NULL;
  enum hoist_status status = session_create(call, ort, &model, options, &session, err);
  session_close(session);
  if (status == HOIST_OK && form == GRAPH_PACKED) status = session_check_packed(dir, err);
  return status;
}

/* A process that has just started pays for every page it touches; one that has opened and closed the model
 * before has the pages still. Giving them back makes the two alike. */
static void give_memory_back(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

static enum hoist_status time_session(const struct call *call, struct ort *ort,
                                      const struct session_model *model,
                                      const struct session_options *options, uint64_t *ret_ns,
                                      struct hoist_error *err) {
  struct session *session = NULL;
  give_memory_back();
  enum hoist_status status = session_create(call, ort, model, options, &session, err);
  if (status == HOIST_OK) *ret_ns = session->creation_cpu_ns;
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

enum hoist_status session_time_graph(const struct call *call, struct ort *ort, const char *dir,
                                     enum graph_form form, const struct session_options *options,
                                     uint64_t *ret_ns, struct hoist_error *err) {
  struct session_model model = {.is_optimized = 1};
  HOIST_AUTO(mem)
  char *path =
      text_format("%s/%s", dir, form == GRAPH_MAPPED ? GRAPH_MAPPED_FILE : GRAPH_PACKED_FILE);
  if (!path) return hoist_fail_memory(err, "timing a graph");
  if (form == GRAPH_PACKED) model.path = path;
  enum hoist_status status =
      form == GRAPH_MAPPED ? map_file(path, &model.map, &model.map_size, err) : HOIST_OK;
  return status == HOIST_OK ? time_session(call, ort, &model, options, ret_ns, err) : status;
}
