// SPDX-License-Identifier: Apache-2.0

//go:build otlp

package main

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Encodes each batch to OTLP as the real exporter does, and drops it.
type exporter struct{}

type encoder struct{}

var otlp, _ = otlptrace.New(context.Background(), encoder{})

func (encoder) Start(context.Context) error { return nil }
func (encoder) Stop(context.Context) error  { return nil }
func (encoder) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	_, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	return err
}

func (exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	atomic.AddUint64(&exported, uint64(len(spans)))
	return otlp.ExportSpans(ctx, spans)
}

func (exporter) Shutdown(context.Context) error { return nil }
