/* SPDX-License-Identifier: Apache-2.0 */
/* What has arrived of the large files of a model, on disk beside them, so that a later process can go
 * on from there. Records are only ever appended, each with a checksum of its own, and only after the
 * bytes they speak of are durable; what is read back ends at the first record that is not whole. A thread
 * of the journal's own waits for the disk, so that nobody else has to. One journal per transaction;
 * thread-safe. */
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
/** Waits for a sync under way. NULL is fine. */
void journal_close(struct journal *j);

/** A file as it was when its parts were fetched. */
struct journal_file {
  int64_t size;
  int64_t promised_part_bytes; /* as in a source_response */
  uint32_t file; /* in the manifest; no padding here or below: this is what lies on disk */
  struct digest promised;
  char validator[SOURCE_VALIDATOR_SIZE];
};
struct journal_part {
  uint32_t file, part;
  uint64_t blocks; /* of the part, from its first on, that are there */
  uint64_t sum;    /* of their bytes: sum_of_part */
};

/** What is known of a file; false: nothing. */
bool journal_find(const struct journal *j, size_t file, struct journal_file *ret_file);
/** What was noted of parts when the journal was opened, of all files; of a part, the last one counts. */
const struct journal_part *journal_parts(const struct journal *j, size_t *ret_count);

/** Begins a file, or begins it again: earlier parts of it are void. The journal duplicates `fd`, which its
 *  bytes are written to. Errors: by errno · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status journal_begin(struct journal *j, const struct journal_file *file,
                                                 int fd, struct hoist_error *err);
/** Goes on with a file that the journal knows of already. Errors: as journal_begin */
HOIST_MUST_CHECK enum hoist_status journal_go_on(struct journal *j, uint32_t file, int fd,
                                                 struct hoist_error *err);
/** Notes a part of it, or as much of it as is there. It is written down once its bytes are durable, which is soon: after
 *  JOURNAL_BATCH_PARTS more, or JOURNAL_BATCH_NS.
 *  Errors: by errno, of making earlier bytes durable: a journal that cannot be written is merely of no
 *  use, but bytes that cannot are lost */
HOIST_MUST_CHECK enum hoist_status journal_add(struct journal *j, const struct journal_part *part,
                                               struct hoist_error *err);
/** A file is complete and was made durable: what was noted of it is written down, and its descriptor let
 *  go. Errors: as journal_add */
HOIST_MUST_CHECK enum hoist_status journal_end(struct journal *j, uint32_t file,
                                               struct hoist_error *err);
/** For a process that stops in good order: waits for a sync under way, and begins no more. What is added from
 *  here on waits for journal_keep. */
void journal_rest(struct journal *j);
/** Writes what was noted and is not written yet, without waiting for the disk. Returns whether there is anything worth keeping. */
bool journal_keep(struct journal *j);

#endif
