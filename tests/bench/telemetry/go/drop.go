// SPDX-License-Identifier: Apache-2.0

//go:build !otlp

package main

import (
	"context"
	"sync/atomic"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Takes each batch and drops it: what encoding would cost is not measured.
type exporter struct{}

func (exporter) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	atomic.AddUint64(&exported, uint64(len(spans)))
	return nil
}

func (exporter) Shutdown(context.Context) error { return nil }
