package api

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one thing that must be well for the process to be ready.
type Check struct {
	// Name is short and stable: database, bus, relay, projections.
	Name string
	// Look returns whether it is well, and a sentence for people, without names of customers and without secrets.
	Look func(ctx context.Context) (well bool, sentence string)
	// Elsewhere says that it is not this process that is ill if this is not well: it is told, and requests may still be sent here.
	Elsewhere bool
}

// checkTime is how long one check may take; then the thing is not well.
const checkTime = 2 * time.Second

// Readiness is what /readyz answers.
type Readiness struct {
	Ready  bool      `json:"ready"`
	Checks []Finding `json:"checks" nullable:"false"`
}

// Finding is what a check found.
type Finding struct {
	Name   string `json:"name"`
	Well   bool   `json:"well"`
	Detail string `json:"detail"`
}

func (s *server) watchOperations() {
	const tag = "Operation"
	register(s, operation{id: "live", method: http.MethodGet, path: "/livez", tag: tag,
		summary: "Say that the process runs"}, s.live)
	register(s, operation{id: "ready", method: http.MethodGet, path: "/readyz", tag: tag,
		summary: "Say whether requests should be sent here", notes: "200 if this process can answer, else 503; the body is the same. What is not well elsewhere, and may mend itself, is told and does not count: the bus, and how far relay and read models are. A process that is about to end says no.",
		produces: "application/json", schema: Readiness{}}, s.ready)
	register(s, operation{id: "metrics", method: http.MethodGet, path: "/metrics", tag: tag,
		summary: "Figures for Prometheus", produces: "text/plain", stream: true}, s.figures)
}

// Liveness is what /livez answers.
type Liveness struct {
	Live bool `json:"live"`
}

type liveOutput struct{ Body Liveness }

func (s *server) live(context.Context, *request, *struct{}) (*liveOutput, error) {
	return &liveOutput{Liveness{Live: true}}, nil
}

type readyOutput struct {
	Status int
	Body   Readiness
}

func (s *server) ready(ctx context.Context, _ *request, _ *struct{}) (*readyOutput, error) {
	status, found := look(ctx, s.Checks)
	return &readyOutput{Status: status, Body: found}, nil
}

// look makes all checks at once, and returns the status of the answer beside it.
func look(ctx context.Context, checks []Check) (status int, found Readiness) {
	status, found = http.StatusOK, Readiness{Ready: true, Checks: make([]Finding, len(checks))}
	var all sync.WaitGroup
	for i, check := range checks {
		all.Go(func() {
			limited, cancel := context.WithTimeout(ctx, checkTime)
			defer cancel()
			well, sentence := check.Look(limited)
			found.Checks[i] = Finding{Name: check.Name, Well: well, Detail: sentence}
		})
	}
	all.Wait()
	for i, f := range found.Checks {
		if !f.Well && !checks[i].Elsewhere {
			status, found.Ready = http.StatusServiceUnavailable, false
		}
	}
	return status, found
}

// Watch serves /livez, /readyz and /metrics alone, as the API does, for processes without it and for those who may see nothing else.
func Watch(checks []Check, metrics *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, status int, body any) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body) // whoever asked is gone
	}
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, Liveness{Live: true}) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		status, found := look(r.Context(), checks)
		answer(w, status, found)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	return mux
}

func (s *server) figures(context.Context, *request, *struct{}) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humachi.Unwrap(ctx)
		promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	}}, nil
}
