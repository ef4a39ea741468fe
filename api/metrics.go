package api

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// figures are the API's own metrics.
type figures struct{ seconds *prometheus.HistogramVec }

func newFigures(registry prometheus.Registerer) *figures {
	f := &figures{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "customercenter_http_request_seconds", Help: "How long requests took, by operation and status.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"route", "status"})}
	registry.MustRegister(f.seconds)
	return f
}

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
