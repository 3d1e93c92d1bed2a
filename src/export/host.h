/* SPDX-License-Identifier: Apache-2.0 */
/* Where this process runs, as the semantic conventions name it. */
#ifndef HOIST_EXPORT_HOST_H
#define HOIST_EXPORT_HOST_H

#include <stdbool.h>

#define HOST_CONTAINER_ID_SIZE 65

/** host.arch of uname's `machine`, which stands where the conventions have no name for it. */
const char *host_arch(const char *machine);
/** os.type of uname's `sysname`; NULL where the conventions have no name for it. */
const char *host_os_type(const char *sysname);

/** The id of the container around this process: 64 hex digits, out of a /proc/self/cgroup (version 1, or 2
 *  without a namespace of its own), else of a /proc/self/mountinfo (Docker, Podman). False where neither
 *  says so; out is then untouched. */
bool host_container_id(const char *cgroup_path, const char *mountinfo_path,
                       char out[HOST_CONTAINER_ID_SIZE]);
#endif
