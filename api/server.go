// Package api is the surface of the product over HTTP: JSON under /v1, its description, and what operators watch.
//
// An operation is one function in the file of its subject. What all of them share is here and in the middlewares: tokens and roles,
// languages, problems, bounds of time and size, and that no personal data is logged. What is written is seen at once by catalogues
// and after a moment by lists; X-Log-Position and X-After-Position let a caller wait for the own write.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"customercenter/api/access"
	"customercenter/api/ingest"
	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain"
	"customercenter/eventstore"
	"customercenter/eventstore/bell"
	"customercenter/projections"
	"customercenter/projections/asof"
	"customercenter/projections/projector"
)

// Config is what the API works with. Everything is needed but Limits, Bells, Until, Background, Log, Now, DeadLetters, Lags, Checks, Metrics and Tracer.
type Config struct {
	Store  *eventstore.Store
	Center *commands.Center
	// Projector tells how far the read models are; Catalogues, Customers, Groups and Sessions ask them.
	Projector  *projector.Projector
	Catalogues *projections.Catalogues
	Customers  *projections.Customers
	Groups     *projections.Groups
	Sessions   *projections.Sessions
	// AsOf has them as they were at moments of the past.
	AsOf *asof.Schemas
	// Jobs takes in files, and gives them out. Who works on jobs is package policies.
	Jobs    *jobs.Runner
	Tokens  *access.Tokens
	Answers *access.Answers
	// Channels takes in what channels tell.
	Channels *ingest.Handler
	// DeadLetters are the channel events that could not be taken; nil: there are none, because there is no bus to keep them.
	DeadLetters *ingest.DeadLetters
	// Lags tell of what follows the log beside the read models: the relay, the policies.
	Lags []func(ctx context.Context) ([]Lag, error)
	// Checks are what /readyz looks at, in this order.
	Checks []Check
	// Metrics takes the API's own figures and gives /metrics those of all; default is a registry of its own.
	Metrics *prometheus.Registry
	// Tracer tells of every request, and of what follows from it; nil: nobody looks.
	Tracer trace.Tracer
	// Limits bound how often callers ask; default: not at all.
	Limits Limits
	// Bells wake those who follow the log; nil: they look once a second.
	Bells *bell.Listener
	// Until ends, when it is done, the answers that have no end of their own, so that the process can. Default: never.
	Until context.Context
	// Background starts work that goes on after the answer, such as a rebuild. Its context ends when the process does. Default is a
	// goroutine that only the end of the process ends.
	Background func(work func(ctx context.Context))
	// Now is the clock by which "this week" is judged; default time.Now.
	Now func() time.Time
	// Log takes the requests and what went wrong; default slog.Default.
	Log *slog.Logger
}

// server is what the operations are methods of.
type server struct {
	Config
	log     *slog.Logger
	metrics *figures
	api     huma.API
	bounds  bounds
	limiter *limiter
	tails   tails

	turns     turns
	underWay  crowd[string]    // requests, by tenant
	streaming crowd[string]    // answers that may take long, by tenant
	crowd     crowd[uuid.UUID] // and by token

	analyses analyses

	rebuilds rebuilds
	// past is the moment that is answered as of; nil: now.
	past *projections.AsOf
}

// New returns the handler of everything the API serves. It panics if two operations have one address: a mistake in this package.
func New(c Config) http.Handler {
	handler, _ := build(c)
	return handler
}

func build(c Config) (http.Handler, *server) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Background == nil {
		c.Background = func(work func(context.Context)) { go work(context.Background()) }
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if c.Until == nil {
		c.Until = context.Background()
	}
	s := &server{Config: c, log: c.Log, metrics: newFigures(c.Metrics), bounds: defaultBounds(), limiter: newLimiter(c.Limits, 0),
		tails: tails{store: c.Store, bells: c.Bells, log: c.Log, of: map[string]*tail{}}, turns: turns{each: c.Limits.Turns, all: allTurns}}
	s.metrics.watch(c.Metrics, &s.turns)
	router := chi.NewMux()
	router.Use(s.arrive)
	router.NotFound(func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, newProblem(requestOf(r.Context()).language, domain.CodeNotFound, "", nil))
	})
	router.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		p := newProblem(requestOf(r.Context()).language, codeMethodNotAllowed, "", nil)
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if router.Match(chi.NewRouteContext(), method, r.URL.Path) {
				w.Header().Add("Allow", method)
			}
		}
		writeProblem(w, p)
	})
	s.api = humachi.New(router, description())
	s.api.UseMiddleware(s.admit, s.spare, s.receive, s.line, s.bound)
	s.operations()
	s.serveDescription(router)
	return router, s
}

// operations adds every operation, in the order in which the description lists them.
func (s *server) operations() {
	s.customerOperations()
	s.callbackOperations()
	s.blacklistOperations()
	s.sessionOperations()
	s.transcriptOperations()
	s.dayOperations()
	s.tagOperations()
	s.fieldOperations()
	s.groupOperations()
	s.whatIfOperations()
	s.viewOperations()
	s.autoMessageOperations()
	s.jobOperations()
	s.pastOperations()
	s.importOperations()
	s.exportOperations()
	s.bulkOperations()
	s.associationOperations()
	s.settingsOperations()
	s.historyOperations()
	s.channelOperations()
	s.eventOperations()
	s.diffOperation()
	s.projectionOperations()
	s.buildOperations()
	s.parkedOperations()
	s.lagOperations()
	s.deadLetterOperations()
	s.meOperations()
	s.tokenOperations()
	s.tenantOperations()
	s.watchOperations()
}

// Owns reports whether an address is the API's, which pages are not to be found at.
func Owns(path string) bool {
	switch path {
	case "/v1", "/docs", "/openapi.json", "/livez", "/readyz", "/metrics":
		return true
	}
	return strings.HasPrefix(path, "/v1/")
}

// Server returns an HTTP server for the handler, with bounds that keep slow and silent callers from holding on to it.
func Server(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           within(bodyTime, handler),
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      2 * time.Minute, // body, work and answer; streams prolong it page by page
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		// What the server itself has to say is about broken connections; it may quote what came over them.
		ErrorLog: slog.NewLogLogger(quiet{log.Handler()}, slog.LevelDebug),
	}
}

// bodyTime is how long a body may take to arrive, unless whoever reads it says otherwise.
const bodyTime = 20 * time.Second

// within bounds how long bodies take that nobody reads, or not to their end: the server waits for the rest of them before it takes the next request.
// Server.ReadTimeout would end answers without an end of their own, too.
func within(most time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != http.NoBody {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(most)) // a server that cannot set deadlines has none
		}
		next.ServeHTTP(w, r)
	})
}
