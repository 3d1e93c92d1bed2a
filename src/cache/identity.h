/* SPDX-License-Identifier: Apache-2.0 */
/* What tells a file that was verified from one that took its place or was written to since. */
#ifndef HOIST_CACHE_IDENTITY_H
#define HOIST_CACHE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct file_identity {
  dev_t dev;
  ino_t ino;
  off_t size;
  struct timespec modified, changed;
};

struct file_identity identity_of(const struct stat *st);
bool identity_is_same(const struct file_identity *a, const struct file_identity *b);
/** Whether nothing but the time of change differs, as where another model linked to the file. */
bool identity_is_same_but_for_change(const struct file_identity *a, const struct file_identity *b);

/** File systems take times from a clock that stands still for up to 10 ms. What changed so shortly before it
 *  was looked at may have changed again since, and look the same: such an identity proves nothing.
 *  @param seen_unix_ns  when it was looked at */
bool identity_is_settled(const struct file_identity *identity, uint64_t seen_unix_ns);

#define IDENTITY_TEXT_SIZE 160
/** "dev ino size modified changed", the times as seconds.nanoseconds. */
void identity_print(const struct file_identity *identity, char out[IDENTITY_TEXT_SIZE]);
/** Reads that back; false on anything else. Stops behind it: `*ret_end`. */
bool identity_scan(const char *text, struct file_identity *ret_identity, const char **ret_end);

#endif
