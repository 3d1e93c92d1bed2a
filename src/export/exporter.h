/* SPDX-License-Identifier: Apache-2.0 */
/* What an exporter is to the pipeline: something that takes one finished OTLP message at a time. */
#ifndef HOIST_EXPORT_EXPORTER_H
#define HOIST_EXPORT_EXPORTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auto.h"
#include "err.h"

enum signal { SIGNAL_TRACES = 1, SIGNAL_METRICS = 2 };

/* One TracesData or MetricsData message; never empty. */
struct batch {
  enum signal signal;
  const void *data;
  size_t size;
  size_t count; /* spans or data points */
};

/* What a receiver refused out of a batch that it took, and how it answered last, also where it took
 * nothing. */
struct partial {
  uint64_t rejected;
  char message[256];       /* the receiver's words, without our secrets; "" when there are none */
  bool out_of_time;        /* there was no answer in time */
  long http_status;        /* 0: there was no HTTP answer */
  const char *grpc_status; /* static name ("UNAVAILABLE"); NULL: there was none */
};

struct exporter;

struct exporter_ops {
  /* Blocks until the batch is delivered or given up. The worker thread only, so never concurrently.
   * `ret_partial` comes zeroed. */
  enum hoist_status (*deliver)(struct exporter *exporter, const struct batch *batch,
                               struct partial *ret_partial, struct hoist_error *err);
  /* Makes a blocked deliver look at its stop time now. Any thread. NULL: it never waits. */
  void (*wake)(struct exporter *exporter);
  /* Lets go of connections shared with the parent process. NULL: there are none. */
  void (*after_fork)(struct exporter *exporter);
  void (*free)(struct exporter *exporter);
};

struct exporter {
  const struct exporter_ops *ops;
  unsigned signals; /* enum signal, or-ed: what it wants */
  const char *kind; /* begins its otel.component.type: "otlp_http"; static */
  /* Told what became of an attempt that will be made again, from within deliver; NULL: nobody is. */
  void (*on_trouble)(void *user, const char *message);
  void *on_trouble_user;
  /* Where it sends to; NULL and 0: nowhere. */
  char *server_address;
  uint16_t server_port;
};

static inline void exporter_free(struct exporter *exporter) {
  if (exporter) exporter->ops->free(exporter);
}

/** When everything must come to an end (monotonic); UINT64_MAX: not soon. */
typedef _Atomic uint64_t stop_time;

struct otlp_config {
  enum signal signal;
  const char *url;     /* gRPC: its path is not used */
  const char *headers; /* "key=value,…", or NULL */
  /* PEM files; NULL or "": the system's authorities, no client certificate, the key is in the
   * certificate's file */
  const char *ca_file, *client_certificate_file, *client_key_file;
  bool gzip;
  uint32_t timeout_ms;         /* a batch, retries included; 0: no limit */
  uint32_t backoff_ms;         /* before the first retry; grows */
  const stop_time *stop_at_ns; /* outlives the exporter */
};

/* Every string is copied.
 * Errors: INVALID a malformed URL or header list, a client key without a certificate · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status otlp_http_new(const struct otlp_config *config,
                                                 struct exporter **ret_exporter,
                                                 struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status otlp_grpc_new(const struct otlp_config *config,
                                                 struct exporter **ret_exporter,
                                                 struct hoist_error *err);

/* Appends one line of OTLP/JSON per batch. Errors: by errno the file cannot be opened · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status otlp_file_new(const char *path, struct exporter **ret_exporter,
                                                 struct hoist_error *err);

/* Writes to `fd` (borrowed): a line per span, metrics as OTLP/JSON. Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status console_new(int fd, unsigned signals,
                                               struct exporter **ret_exporter,
                                               struct hoist_error *err);
#endif
