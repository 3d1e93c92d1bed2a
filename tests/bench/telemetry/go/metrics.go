// SPDX-License-Identifier: Apache-2.0

//go:build metrics

package main

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

func measureMetrics() {
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())).Meter("bench")
	counter, _ := meter.Float64Counter("bench.count")
	histogram, _ := meter.Float64Histogram("bench.time", metric.WithUnit("s"))
	ctx := context.Background()
	add := func(calls int) {
		for i := 0; i < calls; i++ {
			counter.Add(ctx, 1, metric.WithAttributes(attribute.String("model.id", "coins/1")))
		}
	}
	record := func(calls int) {
		for i := 0; i < calls; i++ {
			histogram.Record(ctx, 0.3, metric.WithAttributes(attribute.String("model.id", "coins/1")))
		}
	}
	measure(row{"counter", 1, calls, add, nil, nil})
	measure(row{"counter.2", 2, calls, add, nil, nil})
	measure(row{"histogram", 1, calls, record, nil, nil})
}
