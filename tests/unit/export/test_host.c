/* SPDX-License-Identifier: Apache-2.0 */
/* The container's id out of files as the runtimes make them, and the conventions' names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host.h"

#define ID "3c5a0e8f9d1b27464a8e7c6d5b4f3e2a1908f7e6d5c4b3a29180f7e6d5c4b3a2"
#define OTHER "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static char directory[] = "/tmp/hoist-host-XXXXXX";

static const char *written(const char *name, const char *text, char path[64]) {
  snprintf(path, 64, "%s/%s", directory, name);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  assert_int_equal(fclose(f), 0);
  return path;
}

/* NULL: there is no such file. */
static const char *id_of(const char *cgroup, const char *mountinfo) {
  static char id[HOST_CONTAINER_ID_SIZE];
  char one[64], two[64];
  snprintf(id, sizeof id, "untouched");
  if (!host_container_id(cgroup ? written("cgroup", cgroup, one) : "/nonexistent/cgroup",
                         mountinfo ? written("mountinfo", mountinfo, two) : "/nonexistent/mounts",
                         id))
    assert_string_equal(id, "untouched");
  return id;
}

static void test_a_cgroup_names_the_container(void **state) {
  static const char *const files[] = {
      "13:name=systemd:/docker/" ID "\n12:pids:/docker/" ID "\n",
      "11:cpuset:/kubepods/burstable/podc1e7a4f0-1d1c-4f43-a3a6-d7c4a9d3f0a1/" ID "\n",
      "0::/system.slice/docker-" ID ".scope\n",
      "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID ".scope\n",
      "0::/../crio-" ID ".scope/container",
      "0::/machine.slice/libpod-" ID ".scope",
      "1:name=systemd:/\n0::/kubepods/besteffort/pod1:cri-containerd:" ID "\n",
      "0::/docker/" OTHER "/docker/" ID "\n", /* the innermost */
  };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    assert_string_equal(id_of(files[i], NULL), ID);
}

static void test_the_mount_of_the_host_name_names_the_container(void **state) {
  static const char *const files[] = {
      "100 90 0:30 / / rw - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/" OTHER "/diff\n"
      "101 100 8:1 /var/lib/docker/containers/" ID "/resolv.conf /etc/resolv.conf rw - ext4 d rw\n"
      "102 100 8:1 /var/lib/docker/containers/" ID
      "/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n",
      "102 100 0:26 /containers/overlay-containers/" ID
      "/userdata/hostname /etc/hostname rw - tmpfs "
      "tmpfs rw\n",
  };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    assert_string_equal(id_of("0::/\n", files[i]), ID);
    assert_string_equal(id_of(NULL, files[i]), ID);
  }
  assert_string_equal(id_of("0::/docker/" OTHER, files[0]), OTHER); /* the cgroup comes first */
}

static void test_what_is_no_container_has_no_id(void **state) {
  static const char *const cgroups[] = {
      NULL,
      "",
      "\n\n",
      "0::/\n",
      "0::/user.slice/user-1000.slice/session-2.scope\n",
      "0::/docker/" ID "0\n",          /* 65 digits */
      "0::/docker/3c5a0e8f9d1b2746\n", /* too few */
      "no colon " ID "\n",
      "0::/docker/3C5A0E8F9D1B27464A8E7C6D5B4F3E2A1908F7E6D5C4B3A29180F7E6D5C4B3A2\n",
  };
  static const char *const mounts[] = {
      NULL,
      "",
      "1 2 3",
      "102 100 8:1 / /etc/hostname",
      "102 100 8:1 /hostname /etc/hostname rw\n",
      /* the sandbox of a pod is not the container */
      "1 1 8:1 /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/" ID
      "/hostname /etc/hostname rw\n",
      "1 1 8:1 /var/lib/docker/containers/" ID "/secret /run/secret rw\n",
      "1 1 8:1 /var/lib/docker/containers/" ID "0/hostname /etc/hostname rw\n",
  };
  for (size_t i = 0; i < sizeof cgroups / sizeof *cgroups; i++)
    assert_string_equal(id_of(cgroups[i], NULL), "untouched");
  for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++)
    assert_string_equal(id_of("0::/\n", mounts[i]), "untouched");
}

static void test_a_file_of_any_size_is_read_no_further_than_its_cap(void **state) {
  size_t size = (1 << 20) + 100;
  char *huge = malloc(size + sizeof "\n0::/docker/" ID);
  assert_non_null(huge);
  memset(huge, 'x', size);
  memcpy(huge + size, "\n0::/docker/" ID, sizeof "\n0::/docker/" ID);
  assert_string_equal(id_of(huge, NULL), "untouched");
  free(huge);
}

static void test_the_conventions_have_names_of_their_own(void **state) {
  assert_string_equal(host_arch("x86_64"), "amd64");
  assert_string_equal(host_arch("aarch64"), "arm64");
  assert_string_equal(host_arch("armv7l"), "arm32");
  assert_string_equal(host_arch("i686"), "x86");
  assert_string_equal(host_arch("s390x"), "s390x");
  assert_string_equal(host_arch("riscv64"), "riscv64"); /* has none */
  assert_string_equal(host_os_type("Linux"), "linux");
  assert_null(host_os_type("Plan9"));
}

static int make_directory(void **state) {
  return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
  static const char *const names[] = {"cgroup", "mountinfo"};
  for (size_t i = 0; i < 2; i++) {
    char path[64];
    snprintf(path, sizeof path, "%s/%s", directory, names[i]);
    unlink(path);
  }
  return rmdir(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_cgroup_names_the_container),
      cmocka_unit_test(test_the_mount_of_the_host_name_names_the_container),
      cmocka_unit_test(test_what_is_no_container_has_no_id),
      cmocka_unit_test(test_a_file_of_any_size_is_read_no_further_than_its_cap),
      cmocka_unit_test(test_the_conventions_have_names_of_their_own),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
