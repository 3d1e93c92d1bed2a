/* SPDX-License-Identifier: Apache-2.0 */
/* A library for LD_PRELOAD that stands between hoist and the C library and makes trouble, or takes notes.
 * Each part is switched on by a variable:
 *
 *   MEDDLE_CLOCK=MS:SECONDS,…   MS after the start the real-time clock is off by SECONDS (may be negative)
 *   MEDDLE_RESOLVER=hang        looking up a name below .test never ends
 *   MEDDLE_RESOLVER=N           … fails N times, and is 127.0.0.1 from then on
 *   MEDDLE_FLOCK=nothing        file locks succeed and exclude nobody, as on some network file systems
 *   MEDDLE_SYNC_MS=MS           making a file durable takes so much longer
 *   MEDDLE_READ_MS=MS           and so does reading 64 KiB or more of a file
 *   MEDDLE_LEDGER=FILE          what was written and what was synced, as struct entry, for tests to read;
 *                               a shared mapping, so it outlives kill -9
 *
 * Threads: any. */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)
#define LEDGER_BYTES (8u << 20)

#define SEEN __attribute__((visibility("default")))
/* Looked up once; two threads that do so at the same time find the same. */
#define REAL_NAMED(name, symbol)                                                                   \
  __extension__({                                                                                  \
    static void *known;                                                                            \
    if (!__atomic_load_n(&known, __ATOMIC_RELAXED))                                                \
      __atomic_store_n(&known, look_up(symbol), __ATOMIC_RELAXED);                                 \
    (__typeof__(&name))(uintptr_t)__atomic_load_n(&known, __ATOMIC_RELAXED);                       \
  })
#define REAL(name) REAL_NAMED(name, #name)

static void *look_up(const char *symbol) {
  void *found = dlsym(RTLD_NEXT, symbol);
  if (!found) abort();
  return found;
}

static uint64_t monotonic_ns(void) {
  struct timespec t;
  REAL(clock_gettime)(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* ---- the ledger ------------------------------------------------------------------------------ */

enum kind { WRITTEN = 1, SYNCED = 2 };

/* Times are monotonic. tests/lib/meddle.mjs reads this. */
struct entry {
  uint64_t kind, inode, offset, size, began_ns, ended_ns;
};

struct ledger {
  atomic_uint_fast64_t count;
  struct entry entries[];
};
enum { MAX_ENTRIES = (LEDGER_BYTES - sizeof(struct ledger)) / sizeof(struct entry) };

static struct ledger *ledger;
static uint64_t started_ns;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("MEDDLE_LEDGER");
  started_ns = monotonic_ns();
  if (!path) return;
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate(fd, LEDGER_BYTES) != 0) abort();
  ledger = mmap(NULL, LEDGER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (ledger == MAP_FAILED) abort();
}

static void note(enum kind kind, int fd, off_t offset, ssize_t size, uint64_t began_ns) {
  struct stat st;
  if (!ledger || size < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return;
  uint64_t i = atomic_fetch_add(&ledger->count, 1);
  if (i >= MAX_ENTRIES) abort();
  struct entry *e = &ledger->entries[i];
  e->inode = st.st_ino;
  e->offset = (uint64_t)offset;
  e->size = (uint64_t)size;
  e->began_ns = began_ns;
  e->ended_ns = monotonic_ns();
  __atomic_store_n(&e->kind, kind, __ATOMIC_RELEASE); /* what dies before this is no entry */
}

/* With 64-bit offsets, these are the calls that the linker knows as pwrite64 and pwritev64. */
SEEN ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
  uint64_t began = monotonic_ns();
  ssize_t n = REAL_NAMED(pwrite, "pwrite64")(fd, data, size, offset);
  note(WRITTEN, fd, offset, n, began);
  return n;
}

SEEN ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  uint64_t began = monotonic_ns();
  ssize_t n = REAL_NAMED(pwritev, "pwritev64")(fd, parts, count, offset);
  note(WRITTEN, fd, offset, n, began);
  return n;
}

/* As a disk does, whatever signals come. */
static void delay(const char *variable) {
  const char *text = getenv(variable);
  unsigned long ms = text ? strtoul(text, NULL, 10) : 0;
  struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * 1000000)};
  while (ms > 0 && nanosleep(&left, &left) != 0) {
  }
}

static void delay_read(int fd, size_t size) {
  struct stat st;
  if (size >= 65536 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) delay("MEDDLE_READ_MS");
}

SEEN ssize_t read(int fd, void *data, size_t size) {
  delay_read(fd, size);
  return REAL(read)(fd, data, size);
}

SEEN ssize_t pread(int fd, void *data, size_t size, off_t offset) {
  delay_read(fd, size);
  return REAL_NAMED(pread, "pread64")(fd, data, size, offset);
}

static int sync_with(int (*sync)(int fd), int fd) {
  uint64_t began = monotonic_ns();
  delay("MEDDLE_SYNC_MS");
  int result = sync(fd);
  if (result == 0) note(SYNCED, fd, 0, 0, began);
  return result;
}

SEEN int fsync(int fd) {
  return sync_with(REAL(fsync), fd);
}

SEEN int fdatasync(int fd) {
  return sync_with(REAL(fdatasync), fd);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static int64_t clock_error_s(void) {
  const char *at = getenv("MEDDLE_CLOCK");
  uint64_t passed_ms = (monotonic_ns() - started_ns) / 1000000;
  int64_t error_s = 0;
  while (at && *at) {
    char *end;
    uint64_t from_ms = strtoul(at, &end, 10);
    int64_t seconds = strtol(end + (*end == ':'), &end, 10);
    if (passed_ms >= from_ms) error_s = seconds;
    at = *end == ',' ? end + 1 : NULL;
  }
  return error_s;
}

SEEN int clock_gettime(clockid_t id, struct timespec *ret_time) {
  int result = REAL(clock_gettime)(id, ret_time);
  if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
    ret_time->tv_sec += clock_error_s();
  return result;
}

SEEN int gettimeofday(struct timeval *restrict ret_time, void *restrict zone) {
  int result = REAL(gettimeofday)(ret_time, zone);
  if (result == 0) ret_time->tv_sec += clock_error_s();
  return result;
}

SEEN time_t time(time_t *ret_time) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (ret_time) *ret_time = now.tv_sec;
  return now.tv_sec;
}

/* ---- names and locks ------------------------------------------------------------------------- */

static bool is_ours(const char *name) {
  size_t size = name ? strlen(name) : 0;
  return size > 5 && strcmp(name + size - 5, ".test") == 0;
}

SEEN int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                     struct addrinfo **ret_found) {
  static atomic_ulong asked;
  const char *how = getenv("MEDDLE_RESOLVER");
  if (!how || !is_ours(name)) return REAL(getaddrinfo)(name, service, hints, ret_found);
  if (strcmp(how, "hang") == 0)
    for (;;)
      sleep(3600);
  if (atomic_fetch_add(&asked, 1) < strtoul(how, NULL, 10)) return EAI_AGAIN;
  return REAL(getaddrinfo)("127.0.0.1", service, hints, ret_found);
}

SEEN int flock(int fd, int operation) {
  return getenv("MEDDLE_FLOCK") ? 0 : REAL(flock)(fd, operation);
}
