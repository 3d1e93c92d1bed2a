# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154  # dir is the sourcing script's
#
# What ceph.sh and swift.sh share: bounded waiting for readiness, and stopping by pid file.
# Sourced, not run. A pid file names its program, so that a pid used again is never killed.

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# wait_until SECONDS WHAT COMMAND...: runs COMMAND ten times a second until it succeeds.
wait_until() {
    local tries=$(($1 * 10)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((tries-- > 0)) || fail "gave up waiting for $what; logs are in $dir"
        sleep 0.1
    done
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# is_running PID PROGRAM: the pid is alive and its command line mentions the program.
is_running() { tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF -- "$2"; }

# stop_by_pid_file FILE PROGRAM: TERM, three seconds of patience, KILL.
stop_by_pid_file() {
    local pid
    pid=$(cat "$1" 2>/dev/null) || return 0
    if [[ $pid =~ ^[0-9]+$ ]]; then
        if is_running "$pid" "$2"; then kill "$pid" 2>/dev/null || true; fi
        for _ in {1..30}; do
            is_running "$pid" "$2" || break
            sleep 0.1
        done
        if is_running "$pid" "$2"; then kill -9 "$pid" 2>/dev/null || true; fi
    fi
    rm -f "$1"
}

need() { # PROGRAM...
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || fail "$program is not installed: run tools/setup check"
    done
}
