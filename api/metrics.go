package api

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// figures are the API's own metrics.
type figures struct {
	seconds *prometheus.HistogramVec
	waited  prometheus.Histogram
	refused *prometheus.CounterVec
}

// The limits that requests are refused for.
const (
	limitRequests = "requests"
	limitSignIns  = "sign_ins"
	limitUnderWay = "under_way"
	limitTurns    = "turns"
	limitStreams  = "streams"
)

func newFigures(registry prometheus.Registerer) *figures {
	f := &figures{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "customercenter_http_request_seconds", Help: "How long requests took, by operation and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route", "status"}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "customercenter_http_turn_wait_seconds", Help: "How long requests waited for their tenant's turn.", Buckets: []float64{.001, .01, .1, 1, 10},
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "customercenter_http_limited_total", Help: "Requests that were turned away, by the limit that they went beyond.",
		}, []string{"limit"}),
	}
	registry.MustRegister(f.seconds, f.waited, f.refused)
	for _, limit := range []string{limitRequests, limitSignIns, limitUnderWay, limitTurns, limitStreams} {
		f.refused.WithLabelValues(limit)
	}
	return f
}

// watch adds how many requests are worked on and wait.
func (f *figures) watch(registry prometheus.Registerer, t *turns) {
	for name, of := range map[string]func() int{
		"busy":    func() int { busy, _ := t.count(); return busy },
		"waiting": func() int { _, waiting := t.count(); return waiting },
	} {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "customercenter_http_turns", Help: "Requests that are worked on, and that wait for their tenant's turn.", ConstLabels: prometheus.Labels{"state": name},
		}, func() float64 { return float64(of()) }))
	}
}

// refuse counts a request that went beyond a limit.
func (f *figures) refuse(limit string) { f.refused.WithLabelValues(limit).Inc() }

// observe counts one request. route is a pattern, never an address.
func (f *figures) observe(route string, status int, took time.Duration) {
	f.seconds.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}

// quiet lets through nothing but the fact that there was something to log: the text may quote a request.
type quiet struct{ slog.Handler }

// Handle implements slog.Handler.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	return q.Handler.Handle(ctx, slog.NewRecord(r.Time, r.Level, "api: a connection failed", 0))
}
