/* SPDX-License-Identifier: Apache-2.0 */
/* Brings files from a source to where they belong, be it a cache transaction: several files and parts of
 * files at once, each file hashed beside the transfer and held against whatever the source promised.
 * Memory is a fixed number of buffers, whatever the files' sizes. See docs/fetch.md. */
#ifndef HOIST_FETCH_FETCH_H
#define HOIST_FETCH_FETCH_H

#include <stdbool.h>

#include "cache.h"
#include "call.h"
#include "manifest.h"
#include "model_id.h"
#include "source.h"

#define FETCH_MAX_CONNECTIONS 64
#define FETCH_MAX_FILE_BYTES (INT64_C(1) << 40) /* a server that announces or sends more is lying */

struct fetch_outcome {
  uint64_t bytes; /* that came for the files, also those of no use: a server's log says the same */
  uint64_t resumed_bytes; /* that an earlier download had brought */
  size_t files;           /* that are complete now and were not before */
  uint64_t shared_bytes;  /* that another model in the cache had */
  /* 1: it failed, but the next one may go on from what is staged, and the error says so: cache_txn_keep */
  int keep;
  int disk_failed; /* 1: the failure was this machine's: another source would not help */
};

/** Where files are put. The calls come from several threads at once, those about one file from one at a time. */
struct fetch_target {
  void *user;
  /** Opens the file for reading and writing: empty, or as an earlier download left it. */
  enum hoist_status (*create)(void *user, const struct manifest_file *file, int *ret_fd,
                              struct hoist_error *err);
  /** The file is whole, its digest right and in the manifest: makes it durable. `index` is its place there. */
  enum hoist_status (*complete)(void *user, const struct manifest_file *file, size_t index, int fd,
                                struct hoist_error *err);
  /** Opens what the next download is to go on by, empty where there is nothing; at its end. */
  enum hoist_status (*open_journal)(void *user, int *ret_fd, struct hoist_error *err);
  /** Whether an earlier download left something to go on with. */
  bool (*is_adopted)(void *user);
  /** Removes all that it left: it is of no use. */
  enum hoist_status (*reset)(void *user, struct hoist_error *err);
  /** Whether a file is in its place already, and is not to be fetched. NULL: none is. */
  bool (*is_there)(void *user, size_t index);
  /** Puts a file in its place without a fetch, and its size and SHA-256 into the manifest. NULL: none ever is.
   *  Errors: NO_MEMORY, CANCELLED, TIMEOUT; after any other the file is fetched */
  enum hoist_status (*share)(void *user, const struct call *call, struct manifest_file *file,
                             struct hoist_error *err);
};

/** fetch_model for any target. `id` is for spans and progress; one whose text is empty is none. */
HOIST_MUST_CHECK enum hoist_status fetch_files(const struct call *call, struct source *source,
                                               const struct model_id *id, struct manifest *m,
                                               const struct fetch_target *target,
                                               unsigned connections,
                                               struct fetch_outcome *ret_outcome,
                                               struct hoist_error *err);

/** Fetches every file of the planned manifest `m`. On OK each file has its size and SHA-256, which is
 *  what cache_commit asks for. One span model.artifact.download per file below the call's span, FILE
 *  events to the call's progress. The first failure stops the other files and is the one returned.
 *  @param connections   requests for parts of large files in flight at once, 1..FETCH_MAX_CONNECTIONS;
 *                       small files, which mostly wait for round trips, may use four times as many
 *  @param ret_outcome   set in any case
 *  Errors:  CORRUPT length or digest is not what was promised · whatever the source or the disk said */
HOIST_MUST_CHECK enum hoist_status fetch_model(const struct call *call, struct source *source,
                                               const struct model_id *id, struct manifest *m,
                                               struct cache_txn *txn, unsigned connections,
                                               struct fetch_outcome *ret_outcome,
                                               struct hoist_error *err);
#endif
