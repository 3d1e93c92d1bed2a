/* SPDX-License-Identifier: Apache-2.0 */
/* Detecting host and container: by what uname and /proc say, never by asking another machine. A file
 * that is not there or not as expected is no container. Any thread. */
#include "host.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>

#include "buf.h"
#include "fs.h"

enum { ID_DIGITS = HOST_CONTAINER_ID_SIZE - 1, PROC_FILE_MAX = 1 << 20, MOUNT_FIELDS = 5 };

struct name {
  const char *ours, *theirs;
};

static const char *look_up(const struct name *names, size_t count, const char *ours) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(names[i].ours, ours) == 0) return names[i].theirs;
  return NULL;
}

const char *host_arch(const char *machine) {
  static const struct name names[] = {
      {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"armv7l", "arm32"},  {"armv6l", "arm32"},
      {"i686", "x86"},     {"i386", "x86"},      {"ppc64le", "ppc64"}, {"ppc", "ppc32"},
  };
  const char *known = look_up(names, sizeof names / sizeof names[0], machine);
  return known ? known : machine;
}

const char *host_os_type(const char *sysname) {
  static const struct name names[] = {{"Linux", "linux"},
                                      {"Darwin", "darwin"},
                                      {"FreeBSD", "freebsd"},
                                      {"NetBSD", "netbsd"},
                                      {"OpenBSD", "openbsd"}};
  return look_up(names, sizeof names / sizeof names[0], sysname);
}

/* How many hex digits a text begins with. */
static size_t hex_run(const char *text) {
  return strspn(text, "0123456789abcdef");
}

/* The last id in a line: containers nest. "docker-<id>.scope", "/kubepods/…/<id>" */
static bool find_id(const char *line, char out[HOST_CONTAINER_ID_SIZE]) {
  bool is_found = false;
  for (const char *at = line; *at;) {
    size_t run = hex_run(at);
    if (run == ID_DIGITS) {
      memcpy(out, at, ID_DIGITS);
      out[ID_DIGITS] = '\0';
      is_found = true;
    }
    at += run > 0 ? run : 1;
  }
  return is_found;
}

static bool find_in_cgroup(char *line, char out[HOST_CONTAINER_ID_SIZE]) {
  const char *path = strrchr(line, ':'); /* "number:controllers:path" */
  return path && find_id(path, out);
}

/* "id parent device root mount-point …": what is mounted on /etc/hostname lies in the container's own
 * directory ("…/containers/<id>/hostname"). Other mounts may name layers, or a pod's sandbox. */
static bool find_in_mountinfo(char *line, char out[HOST_CONTAINER_ID_SIZE]) {
  static const char directory[] = "containers/";
  char *fields[MOUNT_FIELDS] = {NULL};
  for (size_t i = 0; i < MOUNT_FIELDS; i++)
    fields[i] = strsep(&line, " ");
  const char *root = fields[3], *mount_point = fields[4];
  if (!mount_point || strcmp(mount_point, "/etc/hostname") != 0) return false;
  for (const char *at = root; (at = strstr(at, directory)) != NULL;) {
    at += strlen(directory);
    if (hex_run(at) == ID_DIGITS) return find_id(at, out);
  }
  return false;
}

static bool find_in_file(const char *path, bool (*find)(char *line, char *out),
                         char out[HOST_CONTAINER_ID_SIZE]) {
  HOIST_AUTO(buf) struct buf text = buf_make(PROC_FILE_MAX);
  if (fs_read_file(AT_FDCWD, path, &text, NULL) != HOIST_OK || !text.data) return false;
  for (char *line, *rest = text.data; (line = strsep(&rest, "\n")) != NULL;)
    if (find(line, out)) return true;
  return false;
}

bool host_container_id(const char *cgroup_path, const char *mountinfo_path,
                       char out[HOST_CONTAINER_ID_SIZE]) {
  return find_in_file(cgroup_path, find_in_cgroup, out) ||
         find_in_file(mountinfo_path, find_in_mountinfo, out);
}
