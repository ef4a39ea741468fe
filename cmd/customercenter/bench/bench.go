// Package bench measures the product's speed against raw Postgres and NATS in the same run.
//
// Machines differ and are noisy; ratios against a baseline taken beside each figure say more than the figures. Every case therefore
// runs its baseline and the product in turn, several rounds, and reports the medians.
package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"customercenter/internal/natsserver"
)

// Line is one figure of a run.
type Line struct {
	Case     string   `json:"case"`
	Unit     string   `json:"unit"`
	Value    float64  `json:"value"`
	Baseline *float64 `json:"baseline,omitempty"` // what raw Postgres or NATS reached in the same run
	Ratio    *float64 `json:"ratio,omitempty"`    // value / baseline
	P50      *float64 `json:"p50_ms,omitempty"`
	P99      *float64 `json:"p99_ms,omitempty"`
	Max      *float64 `json:"max_ms,omitempty"`
	Second   *float64 `json:"second_baseline,omitempty"` // what another baseline reached
	Note     string   `json:"note,omitempty"`
}

// Report prints lines as they come, for people or as one JSON object a line.
type Report struct {
	Out  io.Writer
	JSON bool
	// Progress is told how far long preparations are; nil: nobody.
	Progress io.Writer
}

// Tell writes a line of progress.
func (r *Report) Tell(format string, args ...any) {
	if r.Progress != nil {
		fmt.Fprintf(r.Progress, format+"\n", args...)
	}
}

// Print writes one line.
func (r *Report) Print(l Line) {
	if r.JSON {
		if err := json.NewEncoder(r.Out).Encode(l); err != nil {
			fmt.Fprintln(r.Out, "bench: print:", err)
		}
		return
	}
	fmt.Fprintf(r.Out, "%-44s %12s %-9s", l.Case, number(l.Value), l.Unit)
	if l.Baseline != nil {
		fmt.Fprintf(r.Out, "  baseline %10s  ratio %5.2f", number(*l.Baseline), *l.Ratio)
	}
	if l.P50 != nil {
		fmt.Fprintf(r.Out, "  p50 %7.2f ms  p99 %7.2f ms", *l.P50, *l.P99)
	}
	if l.Max != nil {
		fmt.Fprintf(r.Out, "  max %7.2f ms", *l.Max)
	}
	if l.Second != nil {
		fmt.Fprintf(r.Out, "  second baseline %8s", number(*l.Second))
	}
	if l.Note != "" {
		fmt.Fprintf(r.Out, "  %s", l.Note)
	}
	fmt.Fprintln(r.Out)
}

// Heading writes a title above lines; nothing for machines.
func (r *Report) Heading(format string, args ...any) {
	if !r.JSON {
		fmt.Fprintf(r.Out, "\n"+format+"\n", args...)
	}
}

func number(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// Against adds a baseline to a line.
func (l Line) Against(baseline float64) Line {
	ratio := l.Value / baseline
	l.Baseline, l.Ratio = &baseline, &ratio
	return l
}

// Latency adds the median and the 99th percentile of these durations to a line.
func (l Line) Latency(took []time.Duration) Line {
	if len(took) == 0 {
		return l
	}
	p50, p99 := Percentile(took, 50), Percentile(took, 99)
	l.P50, l.P99 = &p50, &p99
	return l
}

// Percentile returns the p-th percentile in milliseconds (nearest rank). It sorts took.
func Percentile(took []time.Duration, p float64) float64 {
	slices.Sort(took)
	i := int(math.Ceil(p/100*float64(len(took)))) - 1
	return float64(took[max(i, 0)]) / float64(time.Millisecond)
}

// Median returns the middle value; it sorts values.
func Median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// run calls f from n goroutines until the time is over and returns calls per second and how long each took.
// An error ends the run.
func run(ctx context.Context, n int, lasting time.Duration, f func(ctx context.Context, worker, i int) error) (rate float64, took []time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var stop atomic.Bool
	start := time.Now()
	timer := time.AfterFunc(lasting, func() { stop.Store(true) })
	defer timer.Stop()
	for worker := range n {
		wg.Go(func() {
			own := make([]time.Duration, 0, 4096)
			for i := 0; !stop.Load() && ctx.Err() == nil; i++ {
				t := time.Now()
				if err := f(ctx, worker, i); err != nil {
					cancel(err)
					return
				}
				own = append(own, time.Since(t))
			}
			mu.Lock()
			took = append(took, own...)
			mu.Unlock()
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	if ctx.Err() != nil {
		return 0, nil, context.Cause(ctx)
	}
	return float64(len(took)) / elapsed.Seconds(), took, nil
}

// Servers are what a bench runs against.
type Servers struct {
	// Databases returns the URL of an empty database.
	Databases func(ctx context.Context, name string) (string, error)
	NATS      *natsserver.Server
}

// Options bound a run.
type Options struct {
	Rounds    int
	Each      time.Duration
	Events    int
	Customers int
	Kinds     string // see List, Groups and Jobs
	Kept      bool   // see List
	Alone     bool   // see List
	Ungrouped bool   // see List
	Program   string // see Events
}

var benches = []struct {
	name string
	run  func(ctx context.Context, url string, s Servers, o Options, r *Report) error
}{
	{"append", func(ctx context.Context, url string, _ Servers, o Options, r *Report) error {
		return Append{URL: url, Rounds: o.Rounds, Each: o.Each}.Run(ctx, r)
	}},
	{"relay", func(ctx context.Context, url string, s Servers, o Options, r *Report) error {
		return Relay{URL: url, NATS: s.NATS, Rounds: o.Rounds, Events: o.Events}.Run(ctx, r)
	}},
	{"project", func(ctx context.Context, url string, _ Servers, o Options, r *Report) error {
		return Project{URL: url, Rounds: o.Rounds, Events: o.Events}.Run(ctx, r)
	}},
	{"pipeline", func(ctx context.Context, url string, s Servers, o Options, r *Report) error {
		return Pipeline{URL: url, NATS: s.NATS, Rounds: o.Rounds, Each: o.Each, Events: o.Events}.Run(ctx, r)
	}},
	{"list", func(ctx context.Context, url string, _ Servers, o Options, r *Report) error {
		return List{URL: url, Rounds: o.Rounds, Each: o.Each, Customers: o.Customers, Kinds: o.Kinds, Kept: o.Kept, Alone: o.Alone, Ungrouped: o.Ungrouped}.Run(ctx, r)
	}},
	{"groups", func(ctx context.Context, url string, _ Servers, o Options, r *Report) error {
		return Groups{URL: url, Rounds: o.Rounds, Each: o.Each, Customers: o.Customers, Events: o.Events, Kinds: o.Kinds}.Run(ctx, r)
	}},
	{"jobs", func(ctx context.Context, url string, s Servers, o Options, r *Report) error {
		return Jobs{URL: url, NATS: s.NATS, Each: o.Each, Customers: o.Customers, Kinds: o.Kinds}.Run(ctx, r)
	}},
	{"events", func(ctx context.Context, url string, _ Servers, o Options, r *Report) error {
		return Events{URL: url, Rounds: o.Rounds, Each: o.Each, Events: o.Events, Program: o.Program}.Run(ctx, r)
	}},
	{"whatif", func(ctx context.Context, url string, _ Servers, o Options, r *Report) error {
		return WhatIf{URL: url, Rounds: o.Rounds, Events: o.Events}.Run(ctx, r)
	}},
	{"asof", func(ctx context.Context, url string, _ Servers, o Options, r *Report) error {
		return AsOf{URL: url, Rounds: o.Rounds, Each: o.Each, Events: o.Events}.Run(ctx, r)
	}},
	{"flood", func(ctx context.Context, url string, _ Servers, o Options, r *Report) error {
		return Flood{URL: url, Rounds: o.Rounds, Each: o.Each, Customers: o.Customers}.Run(ctx, r)
	}},
	{"transcript", func(ctx context.Context, url string, _ Servers, o Options, r *Report) error {
		return Transcript{URL: url, Rounds: o.Rounds, Each: o.Each, Sessions: o.Customers}.Run(ctx, r)
	}},
}

// Names lists the benches.
func Names() []string {
	names := make([]string, len(benches))
	for i, b := range benches {
		names[i] = b.name
	}
	return names
}

// Known reports whether there is a bench of that name.
func Known(name string) bool { return slices.Contains(Names(), name) }

// Run runs one bench on a database of its own.
func Run(ctx context.Context, name string, s Servers, o Options, r *Report) error {
	for _, b := range benches {
		if b.name != name {
			continue
		}
		url, err := s.Databases(ctx, "bench_"+name)
		if err != nil {
			return err
		}
		return b.run(ctx, url, s, o, r)
	}
	return fmt.Errorf("bench: there is no %q", name)
}
