/* SPDX-License-Identifier: Apache-2.0 */
/* A child process per run, so that each begins with nothing in memory. Main thread. */
#include "again.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fs.h"

static enum hoist_status spawn(char *const *argv, int out_fd, pid_t *ret_pid,
                               struct hoist_error *err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
  int failed = posix_spawn(ret_pid, "/proc/self/exe", &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  return failed == 0 ? HOIST_OK : hoist_fail_errno(err, failed, "starting hoist again");
}

static enum hoist_status read_all(int fd, struct buf *out, struct hoist_error *err) {
  char chunk[16384];
  for (;;) {
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return hoist_fail_errno(err, errno, "reading what hoist says");
    if (n == 0) return HOIST_OK;
    enum hoist_status status = buf_append(out, chunk, (size_t)n, err);
    if (status != HOIST_OK) return status;
  }
}

static void wait_for(pid_t pid, struct again *again) {
  int status = 0;
  struct rusage usage = {0};
  while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  again->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  again->peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
}

enum hoist_status again_run(struct cli *cli, char *const *argv, struct again *ret_again,
                            struct hoist_error *err) {
  int ends[2];
  pid_t pid = 0;
  if (pipe2(ends, O_CLOEXEC) != 0) return hoist_fail_errno(err, errno, "starting hoist again");
  HOIST_AUTO(fd) int from = ends[0];
  int to = ends[1];
  __attribute__((cleanup(again_cleanup))) struct again again = {.out = buf_make(AGAIN_MAX_OUTPUT)};
  uint64_t started = clock_monotonic_ns();
  enum hoist_status status = spawn(argv, to, &pid, err);
  if (status != HOIST_OK) {
    close(to);
    return status;
  }
  close(to);
  status = read_all(from, &again.out, err);
  fd_cleanup(&from); /* one that says too much hears that nobody listens */
  wait_for(pid, &again);
  again.wall_ns = clock_monotonic_ns() - started;
  if (status != HOIST_OK) return status;
  *ret_again = again;
  again.out = buf_make(0);
  return HOIST_OK;
}
