/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the journal share: journal_read.c reads it, journal.c writes it; not for others. */
#ifndef HOIST_FETCH_JOURNAL_INTERNAL_H
#define HOIST_FETCH_JOURNAL_INTERNAL_H

#include <pthread.h>

#include "journal.h"

#define JOURNAL_MAX_PENDING 256 /* what comes while a sync takes long is not noted beyond this */

/* On disk: a head and its payload, again and again. Native byte order: a cache does not move between
 * machines half-way. */
enum record_type { RECORD_KEY = 0x34534b48, RECORD_FILE = 0x34464b48, RECORD_PART = 0x34504b48 };

struct record_head {
  uint32_t type;
  uint32_t crc; /* of the payload */
};

struct journal {
  int fd;
  struct journal_file *files; /* as read; of one file, the last one counts */
  struct journal_part *parts;
  size_t file_count, part_count;

  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t news;
  pthread_t thread; /* where has_thread; it alone waits for the disk */
  bool has_thread, closing;
  struct data *data; /* of the files that were begun and did not end */
  struct journal_part pending[JOURNAL_MAX_PENDING];
  size_t pending_count;
  uint64_t pending_since_ns;
  bool broken; /* a write failed: no record may follow a torn one */
  bool has_parts;
  enum hoist_status status; /* of the data: the first failure */
  struct hoist_error error;
};

/* The bytes of one file. */
struct data {
  struct data *next;
  uint32_t file;
  int fd;
  bool syncing; /* the thread is at it, and lets go of it afterwards where it ended meanwhile */
  bool ended;
  bool is_void; /* it begins anew: its parts are nothing to write down */
};

/** Of a record's payload. */
uint32_t journal_checksum(const void *payload, size_t size);
/** Reads what is there, up to the first record that is not whole, and cuts off what follows, so that it
 *  stays the last one.
 *  @param ret_empty  true: nothing is there, not even a key */
HOIST_MUST_CHECK enum hoist_status journal_read(struct journal *j, const struct digest *key,
                                                bool *ret_void, bool *ret_empty,
                                                struct hoist_error *err);

#endif
