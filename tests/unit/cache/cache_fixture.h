/* SPDX-License-Identifier: Apache-2.0 */
/* A cache in a directory of its own, and models made of a few short files. Nothing here asserts, so
 * forked children can use it, too. */
#ifndef HOIST_TESTS_CACHE_FIXTURE_H
#define HOIST_TESTS_CACHE_FIXTURE_H

#include <stdbool.h>

#include "cache.h"

struct made_file {
  const char *name; /* NULL ends an array of them */
  const char *content;
};

struct fixture {
  char root[64];
  struct cache *cache;
};

bool fixture_init(struct fixture *f);
void fixture_done(struct fixture *f);
/** The same around one of cmocka's tests, which finds the fixture in its state. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

extern const struct call no_limits;
/** A checked id; aborts where it is none. */
struct model_id id_of(const char *text);

/** A transaction with `files` written into it. */
enum hoist_status model_stage(struct cache_lock *lock, const struct made_file *files,
                              struct cache_txn **ret_txn, struct hoist_error *err);
/** The manifest of `files`. */
enum hoist_status model_manifest(const struct made_file *files, struct manifest *ret_manifest,
                                 struct hoist_error *err);
/** Locks, stages, commits. */
enum hoist_status model_publish(struct cache *cache, const char *id, const struct made_file *files,
                                struct cache_entry **ret_entry, struct hoist_error *err);
/** cache_find, and the entry released again; CORRUPT where it holds anything but `files`. */
enum hoist_status model_check(struct cache *cache, const char *id, const struct made_file *files,
                              struct hoist_error *err);
enum hoist_status model_remove(struct cache *cache, const char *id, uint64_t *ret_freed,
                               struct hoist_error *err);

/** Paths are relative to the root. */
bool path_exists(const struct fixture *f, const char *path);
bool path_write(const struct fixture *f, const char *path, const void *data, size_t size);
bool path_make_dirs(const struct fixture *f, const char *path);
bool path_remove(const struct fixture *f, const char *path); /* a whole tree */
/** Names in a directory, "." and ".." not counted; -1 where there is none. */
int path_count(const struct fixture *f, const char *path);

/** Runs `work` in a forked child and returns its exit status; -1 for a signal. */
int run_in_child(int (*work)(void *user), void *user);

#endif
