// SPDX-License-Identifier: Apache-2.0

// OpenTelemetry Go's side of the telemetry benchmark, as hoist.c is hoist's: rounds of many calls, timed,
// and one more in which the runtime's own count of allocations is read. Builds against the packages of
// Debian 12 and 13 (tests/bench/telemetry.mjs says how). The batch processor's exporter is in encode.go
// or, where the distribution has no OTLP for Go, in drop.go.
package main

import (
	"context"
	"fmt"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	rounds = 101
	calls  = 100000
	spans  = 8000
)

var made, exported uint64

type row struct {
	id      string
	threads int
	calls   int
	run     func(calls int)
	settle  func()          // not timed: what was recorded is exported; may be nil
	counted func(calls int) // where allocations are counted; nil: run
}

func runRound(r row) float64 {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	ready.Add(r.threads)
	done.Add(r.threads)
	for i := 0; i < r.threads; i++ {
		go func() {
			ready.Done()
			<-start
			r.run(r.calls)
			done.Done()
		}()
	}
	ready.Wait()
	started := time.Now()
	close(start)
	done.Wait()
	ns := float64(time.Since(started).Nanoseconds()) / float64(r.calls*r.threads)
	if r.settle != nil {
		r.settle()
	}
	return ns
}

func cpuNs() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

func measure(r row) {
	runRound(r)
	cpu := cpuNs()
	ns := make([]float64, rounds)
	for i := range ns {
		ns[i] = runRound(r)
	}
	cpu = (cpuNs() - cpu) / float64(rounds*r.calls*r.threads)
	counted := r.counted
	if counted == nil {
		counted = r.run
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	counted(r.calls)
	runtime.ReadMemStats(&after)
	sort.Float64s(ns)
	fmt.Printf("{\"row\": %q, \"best_ns\": %.2f, \"median_ns\": %.2f, \"cpu_ns\": %.2f, \"allocations\": %.3f}\n",
		r.id, ns[0], ns[rounds/2], cpu, float64(after.Mallocs-before.Mallocs)/float64(r.calls))
}

func report(id string, value uint64) {
	fmt.Printf("{\"report\": %q, \"value\": %d}\n", id, value)
}

func provider(sampler sdktrace.Sampler, delay time.Duration, batch int) *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler),
		sdktrace.WithSpanProcessor(sdktrace.NewBatchSpanProcessor(exporter{},
			sdktrace.WithMaxQueueSize(4*spans), sdktrace.WithBatchTimeout(delay), sdktrace.WithMaxExportBatchSize(batch))))
}

func startAndEnd(tracer trace.Tracer) func(int) {
	return func(calls int) {
		for i := 0; i < calls; i++ {
			_, span := tracer.Start(context.Background(), "span-name")
			span.End()
		}
	}
}

func startSet5AndEnd(tracer trace.Tracer) func(int) {
	return func(calls int) {
		for i := 0; i < calls; i++ {
			_, span := tracer.Start(context.Background(), "span-name")
			span.SetAttributes(attribute.String("key2", "hello"), attribute.String("key4", "world"),
				attribute.Int64("key1", 0), attribute.Int64("key3", 123456), attribute.Int64("key5", 123))
			span.End()
		}
	}
}

func measureSpans() {
	measure(row{"span.off", 1, calls, startAndEnd(otel.Tracer("bench")), nil, nil})
	never := provider(sdktrace.NeverSample(), time.Millisecond, 512)
	measure(row{"span.unsampled", 1, calls, startAndEnd(never.Tracer("bench")), nil, nil})

	always := provider(sdktrace.AlwaysSample(), time.Millisecond, 512)
	flush := func() { always.ForceFlush(context.Background()) }
	// Nothing leaves this one while allocations are counted: the callers' alone are.
	still := provider(sdktrace.AlwaysSample(), time.Hour, 4*spans)
	recorded := func(id string, threads int, run func(trace.Tracer) func(int)) {
		record := run(always.Tracer("bench"))
		counting := func(n int) {
			record(n)
			atomic.AddUint64(&made, uint64(n))
		}
		measure(row{id, threads, spans / threads, counting, flush, run(still.Tracer("bench"))})
	}
	recorded("span.sampled", 1, startAndEnd)
	recorded("span.five", 1, startSet5AndEnd)
	recorded("span.five.2", 2, startSet5AndEnd)
	always.Shutdown(context.Background())
	report("spans", made)
	report("dropped", made-atomic.LoadUint64(&exported))
}

func main() {
	runtime.GOMAXPROCS(2)
	measureSpans()
	measureMetrics()
}
