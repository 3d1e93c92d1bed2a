/* SPDX-License-Identifier: Apache-2.0 */
/* Signal handling. The only mutable statics of the command live here, because a handler can reach
 * nothing else; they are set from the main thread. */
#include "signals.h"

#include <signal.h>
#include <unistd.h>

static struct hoist_cancel cancel;
static volatile sig_atomic_t stops_asked;
static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t cursor_fd = -1;

static void show_cursor(void) {
  static const char sequence[] = "\033[?25h\n";
  if (cursor_fd < 0) return;
  ssize_t ignored = write(cursor_fd, sequence, sizeof sequence - 1);
  (void)ignored;
}

static void on_stop(int signal_number) {
  hoist_cancel(&cancel);
  interrupted |= signal_number == SIGINT;
  if (stops_asked++ == 0) return;
  show_cursor();
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void signals_install(void) {
  struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL); /* a closed session cleans up as Ctrl-C does */
  signal(SIGPIPE, SIG_IGN);
}

const struct hoist_cancel *signals_cancel(void) {
  return &cancel;
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
