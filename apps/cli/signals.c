/* SPDX-License-Identifier: Apache-2.0 */
/* Signal handling. The only mutable statics of the command live here, because a handler can reach
 * nothing else; they are set from the main thread. */
#include "signals.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

/* timeout(1) and terminals signal a process and its group: that is one wish, not two. */
#define ONE_WISH_MS 200

static struct hoist_cancel cancel;
static volatile sig_atomic_t stops_asked;
static struct timespec first; /* of them; handlers block each other */
static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t cursor_fd = -1;

static void show_cursor(void) {
  static const char sequence[] = "\033[?25h\n";
  if (cursor_fd < 0) return;
  ssize_t ignored = write(cursor_fd, sequence, sizeof sequence - 1);
  (void)ignored;
}

static long ms_between(const struct timespec *a, const struct timespec *b) {
  return (b->tv_sec - a->tv_sec) * 1000 + (b->tv_nsec - a->tv_nsec) / 1000000;
}

static void on_stop(int signal_number) {
  hoist_cancel(&cancel);
  interrupted |= signal_number == SIGINT;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (stops_asked++ == 0) first = now;
  if (ms_between(&first, &now) < ONE_WISH_MS) return;
  show_cursor();
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void signals_install(void) {
  struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGINT);
  sigaddset(&action.sa_mask, SIGTERM);
  sigaddset(&action.sa_mask, SIGHUP);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL); /* a closed session cleans up as Ctrl-C does */
  signal(SIGPIPE, SIG_IGN);
}

const struct hoist_cancel *signals_cancel(void) {
  return &cancel;
}

bool signals_stopped(void) {
  return stops_asked != 0;
}

bool signals_interrupted(void) {
  return interrupted != 0;
}

void signals_guard_cursor(int fd) {
  cursor_fd = fd;
}

void signals_die_of_broken_pipe(void) {
  signal(SIGPIPE, SIG_DFL);
  raise(SIGPIPE);
}
