/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials that a command prints. It is run without a shell, its input is empty, its errors go nowhere
 * (they may hold secrets), and it is killed when it takes too long or is called off. Owns the child. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aws_document.h"
#include "aws_search.h"
#include "clock.h"
#include "fs.h"

#define TIMEOUT_S 60
#define POLL_MS 20
#define WHO "credential_process"

struct process {
  const struct call *call;
  pid_t pid; /* 0: none that has not been waited for */
  int output;
  uint64_t until_ns;
  struct buf text; /* secret */
};

static inline void process_cleanup(struct process *p) {
  if (p->pid > 0) {
    kill(p->pid, SIGKILL);
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
      ;
  }
  fd_cleanup(&p->output);
  if (p->text.data) OPENSSL_cleanse(p->text.data, p->text.capacity);
  buf_done(&p->text);
}

/* ---- starting --------------------------------------------------------------------------------- */

/* The signals that a thread of ours has blocked would be blocked in the child too. */
static int spawn(char **words, int write_end, pid_t *ret_pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigemptyset(&none);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  int error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (!error) error = posix_spawn_file_actions_adddup2(&actions, write_end, 1);
  if (!error) error = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  if (!error) error = posix_spawnattr_setsigmask(&attributes, &none);
  if (!error) error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  if (!error) error = posix_spawnp(ret_pid, words[0], &actions, &attributes, words, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

static enum hoist_status start(struct process *p, const char *command, struct hoist_error *err) {
  HOIST_AUTO(aws_words) struct aws_words words = {0};
  enum hoist_status status = aws_words_split(command, &words, err);
  if (status != HOIST_OK) return status;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return hoist_fail_errno(err, errno, WHO ": a pipe");
  p->output = ends[0];
  int error = spawn(words.words, ends[1], &p->pid);
  close(ends[1]);
  if (!error) return HOIST_OK;
  p->pid = 0;
  status = hoist_fail_errno(err, error, WHO ": cannot run %.200s", words.words[0]);
  return aws_does_apply(status, err);
}

/* ---- listening -------------------------------------------------------------------------------- */

static enum hoist_status check_time(const struct process *p, struct hoist_error *err) {
  enum hoist_status status = call_check(p->call, "waiting for " WHO, err);
  if (status != HOIST_OK || clock_monotonic_ns() < p->until_ns) return status;
  return hoist_fail(err, HOIST_UNAVAILABLE, WHO " was ended: it took over %d s", TIMEOUT_S);
}

static enum hoist_status read_output(struct process *p, struct hoist_error *err) {
  char chunk[4096];
  for (;;) {
    enum hoist_status status = check_time(p, err);
    if (status != HOIST_OK) return status;
    struct pollfd waiting = {.fd = p->output, .events = POLLIN};
    if (poll(&waiting, 1, POLL_MS) <= 0) continue;
    ssize_t n = read(p->output, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return hoist_fail_errno(err, errno, WHO ": its output");
    if (n == 0) return HOIST_OK;
    status = buf_append(&p->text, chunk, (size_t)n, err);
    OPENSSL_cleanse(chunk, sizeof chunk);
    if (status == HOIST_OK) continue;
    hoist_error_prepend(err, WHO ": its output");
    return status;
  }
}

/* Where a program ignores SIGCHLD nobody knows how its children end; then their output decides. */
static enum hoist_status wait_for_end(struct process *p, struct hoist_error *err) {
  int how = 0;
  for (;;) {
    pid_t ended = waitpid(p->pid, &how, WNOHANG);
    if (ended != 0 && !(ended < 0 && errno == EINTR)) break;
    enum hoist_status status = check_time(p, err);
    if (status != HOIST_OK) return status;
    (void)poll(NULL, 0, 1);
  }
  p->pid = 0;
  if (how == 0) return HOIST_OK;
  return hoist_fail(err, HOIST_DENIED, WHO " failed (%s %d); run it by hand to see what it says",
                    WIFEXITED(how) ? "exit status" : "signal",
                    WIFEXITED(how) ? WEXITSTATUS(how) : WTERMSIG(how));
}

enum hoist_status aws_run_process(const struct call *call, const char *command,
                                  const struct aws_credentials **ret_credentials,
                                  struct hoist_error *err) {
  HOIST_AUTO(process)
  struct process p = {.call = call,
                      .output = -1,
                      .until_ns = clock_monotonic_ns() + TIMEOUT_S * NS_PER_S,
                      .text = buf_make(AWS_DOCUMENT_MAX_BYTES)};
  enum hoist_status status = start(&p, command, err);
  if (status == HOIST_OK) status = read_output(&p, err);
  if (status == HOIST_OK) status = wait_for_end(&p, err);
  if (status != HOIST_OK) return status;
  return aws_document_read(AWS_DOCUMENT_PROCESS, buf_str(&p.text), p.text.size, WHO,
                           ret_credentials, err);
}
