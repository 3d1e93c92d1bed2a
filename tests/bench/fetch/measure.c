/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one command and prints, as one line of JSON, what it took: wall seconds, CPU seconds of it and of
 * every descendant it waited for, and the peak resident memory of the largest of these processes.
 *
 *   measure [--namespace PID] [--warm MIB] COMMAND [ARGUMENT]...
 *
 * --namespace runs it in the network namespace of a process (slow_link's); --warm touches so much memory
 * first, in a process of its own: what a virtual machine gives back is otherwise paid for by whoever comes
 * next. The command's output goes where standard error goes. Exits with 0 if the command could be
 * started; how it ended is in the line. One thread. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_MAX_MIB = 1 << 16, CANNOT_RUN = 127 };

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t) {
  return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static int die(const char *what) {
  fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
  return EXIT_FAILURE;
}

/* In a child, for the memory this process once had would count as the command's: exec carries the peak
 * of the old image over. */
static int warm(size_t bytes) {
  pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) _exit(1);
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    memset(memory, 1, bytes);
    _exit(0);
  }
  int how;
  return waitpid(child, &how, 0) == child && how == 0 ? 0 : -1;
}

static int enter_network(const char *pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
  int namespace = open(path, O_RDONLY | O_CLOEXEC);
  if (namespace < 0) return -1;
  int entered = setns(namespace, CLONE_NEWNET);
  close(namespace);
  return entered;
}

static void become(char **command) {
  int nothing = open("/dev/null", O_RDONLY);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  execvp(command[0], command);
  die(command[0]);
  _exit(CANNOT_RUN);
}

int main(int argc, char **argv) {
  char *network = NULL;
  long warm_mib = 0;
  int at = 1;
  for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
    if (strcmp(argv[at], "--namespace") == 0)
      network = argv[at + 1];
    else if (strcmp(argv[at], "--warm") == 0)
      warm_mib = strtol(argv[at + 1], NULL, 10);
    else
      break;
  }
  if (at >= argc || argv[at][0] == '-' || warm_mib < 0 || warm_mib > WARM_MAX_MIB) {
    fputs("usage: measure [--namespace PID] [--warm MIB] COMMAND [ARGUMENT]...\n", stderr);
    return 2;
  }
  if (network && enter_network(network) < 0) return die("the network namespace");
  if (warm_mib > 0 && warm((size_t)warm_mib << 20) < 0) return die("warming memory");

  struct rusage used;
  int how;
  double started = now_s();
  pid_t child = fork();
  if (child < 0) return die("fork");
  if (child == 0) become(argv + at);
  if (wait4(child, &how, 0, &used) != child) return die("wait4");
  double wall = now_s() - started;
  int status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
  printf("{\"wall\":%.6f,\"cpu\":%.6f,\"rssKib\":%ld,\"status\":%d}\n", wall,
         seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss, status);
  return status == CANNOT_RUN;
}
