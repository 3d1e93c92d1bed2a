/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the loader share: the hoist object. */
#ifndef HOIST_LOADER_HOIST_INTERNAL_H
#define HOIST_LOADER_HOIST_INTERNAL_H

#include <hoist/hoist.h>
#include <pthread.h>
#include <sys/types.h>

#include "alias.h"
#include "cache.h"
#include "chain.h"
#include "gate.h"
#include "http.h"
#include "registry.h"
#include "session.h"

struct access;
struct saver;

/* When a model's optimised graph is saved. */
enum graph_policy { GRAPHS_OFF, GRAPHS_IN_BACKGROUND, GRAPHS_BEFORE_RETURNING };

/* Immutable after hoist_open but for what has its own lock. */
struct hoist {
  pid_t
      owner; /* the process that opened it: a forked child shares its connections and must not use it */
  struct cache *cache;
  struct http *http;
  struct hoist_config config; /* a copy that owns its texts; without telemetry */
  struct chain chain;
  struct access *access; /* NULL: models are served to whoever asks */
  struct alias_table *aliases;
  struct registry *registry;
  struct hoist_telemetry *telemetry; /* the caller's; may be NULL */
  char *onnxruntime;                 /* path; NULL: search */
  int offline;
  int anonymous; /* 1: S3 requests are not signed */
  unsigned connections;
  enum cache_verification verification;
  struct session_options session; /* its texts are owned */
  int warm_up;
  enum graph_policy graphs;
  struct saver *saver;
  struct gate gate;             /* of the creation of sessions */
  pthread_mutex_t runtime_lock; /* guards the next one */
  struct ort *runtime;          /* once it was opened; stays so */
  atomic_int warned_of_locks;   /* 1: that they do nothing was said */
  uint64_t cache_max_bytes;     /* 0: no bound */
  uint64_t lock_timeout_ns;     /* 0: no end to it */
};

#endif
