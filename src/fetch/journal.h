/* SPDX-License-Identifier: Apache-2.0 */
/* What is finished of the large files of a model, on disk beside them, so that a later process can go
 * on from there. Records are only ever appended, each with a checksum of its own, and only after the
 * bytes they speak of are durable; what is read back ends at the first record that is not whole. One
 * journal per transaction; thread-safe. */
#ifndef HOIST_FETCH_JOURNAL_H
#define HOIST_FETCH_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "source.h"

struct journal;

/** Takes over the descriptor of the journal's file and reads what it says.
 *  @param key       what the parts were fetched of; what is there for another key is void
 *  @param ret_void  true: there was something for another key, or unreadable
 *  Errors: by errno · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status journal_open(int fd, const struct digest *key, bool *ret_void,
                                                struct journal **ret_journal,
                                                struct hoist_error *err);
void journal_close(struct journal *j);

/** A file as it was when its parts were fetched. */
struct journal_file {
  int64_t size;
  uint32_t file; /* in the manifest; no padding here or below: this is what lies on disk */
  struct digest promised;
  char validator[SOURCE_VALIDATOR_SIZE];
};
struct journal_part {
  uint32_t file, part;
  uint32_t crc; /* CRC-32 of its bytes */
};

/** What is known of a file; false: nothing. */
bool journal_find(const struct journal *j, size_t file, struct journal_file *ret_file);
/** The parts that were finished when the journal was opened, of all files. */
const struct journal_part *journal_parts(const struct journal *j, size_t *ret_count);

/** Begins a file, or begins it again: earlier parts of it are void. */
void journal_begin(struct journal *j, const struct journal_file *file);
/** Notes a finished part of the file open at `fd`, and now and then makes durable what was noted of this
 *  file, the data first; that blocks. Errors: by errno, of the data only: a journal that cannot be
 *  written is merely of no use */
HOIST_MUST_CHECK enum hoist_status journal_add(struct journal *j, const struct journal_part *part,
                                               int fd, struct hoist_error *err);
/** Writes what was noted and is not written yet, without waiting for the disk: for a process that
 *  stops in good order. Returns whether there is anything worth keeping. */
bool journal_keep(struct journal *j);

#endif
