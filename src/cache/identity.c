/* SPDX-License-Identifier: Apache-2.0 */
/* Identities of files, compared and as text. Reentrant. */
#include "identity.h"

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"

#define CLOCK_STEP_NS (20 * NS_PER_MS) /* twice the longest tick of the kernel */

struct file_identity identity_of(const struct stat *st) {
  return (struct file_identity){
      .dev = st->st_dev,
      .ino = st->st_ino,
      .size = st->st_size,
      .modified = st->st_mtim,
      .changed = st->st_ctim,
  };
}

static bool same_time(const struct timespec *a, const struct timespec *b) {
  return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool identity_is_same(const struct file_identity *a, const struct file_identity *b) {
  return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
         same_time(&a->modified, &b->modified) && same_time(&a->changed, &b->changed);
}

bool identity_is_same_but_for_change(const struct file_identity *a, const struct file_identity *b) {
  return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
         same_time(&a->modified, &b->modified);
}

static uint64_t unix_ns(const struct timespec *t) {
  return t->tv_sec < 0 ? UINT64_MAX : (uint64_t)t->tv_sec * NS_PER_S + (uint64_t)t->tv_nsec;
}

bool identity_is_settled(const struct file_identity *identity, uint64_t seen_unix_ns) {
  uint64_t changed = unix_ns(&identity->changed);
  return changed <= seen_unix_ns && seen_unix_ns - changed >= CLOCK_STEP_NS;
}

void identity_print(const struct file_identity *i, char out[IDENTITY_TEXT_SIZE]) {
  snprintf(out, IDENTITY_TEXT_SIZE, "%ju %ju %jd %jd.%09ld %jd.%09ld", (uintmax_t)i->dev,
           (uintmax_t)i->ino, (intmax_t)i->size, (intmax_t)i->modified.tv_sec, i->modified.tv_nsec,
           (intmax_t)i->changed.tv_sec, i->changed.tv_nsec);
}

bool identity_scan(const char *text, struct file_identity *ret_identity, const char **ret_end) {
  uintmax_t dev, ino;
  intmax_t size, modified, changed;
  long modified_ns, changed_ns;
  int end = -1;
  if (sscanf(text, "%20ju %20ju %20jd %20jd.%9ld %20jd.%9ld%n", &dev, &ino, &size, &modified,
             &modified_ns, &changed, &changed_ns, &end) != 7 ||
      end < 0)
    return false;
  *ret_identity = (struct file_identity){.dev = (dev_t)dev,
                                         .ino = (ino_t)ino,
                                         .size = (off_t)size,
                                         .modified = {(time_t)modified, modified_ns},
                                         .changed = {(time_t)changed, changed_ns}};
  *ret_end = text + end;
  return true;
}
