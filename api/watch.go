package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one thing that must be well for the process to be ready.
type Check struct {
	// Name is short and stable: database, bus, relay, projections.
	Name string
	// Look returns whether it is well, and a sentence for people, without names of customers and without secrets.
	Look func(ctx context.Context) (well bool, sentence string)
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
		summary: "Say whether requests should be sent here", notes: "200 if all is well, else 503; the body is the same.",
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
	out := &readyOutput{Status: http.StatusOK, Body: Readiness{Ready: true, Checks: make([]Finding, len(s.Checks))}}
	var all sync.WaitGroup
	for i, check := range s.Checks {
		all.Go(func() {
			limited, cancel := context.WithTimeout(ctx, checkTime)
			defer cancel()
			well, sentence := check.Look(limited)
			out.Body.Checks[i] = Finding{Name: check.Name, Well: well, Detail: sentence}
		})
	}
	all.Wait()
	for _, f := range out.Body.Checks {
		if !f.Well {
			out.Body.Ready, out.Status = false, http.StatusServiceUnavailable
		}
	}
	return out, nil
}

func (s *server) figures(context.Context, *request, *struct{}) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humachi.Unwrap(ctx)
		promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	}}, nil
}
