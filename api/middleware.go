package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"customercenter/api/access"
	"customercenter/domain"
	"customercenter/domain/text"
	"customercenter/eventstore/tenancy"
)

const (
	// maxBody is the largest body of a request, in bytes.
	maxBody = 1 << 20
	// maxDepth is how many objects and lists of a body may lie within each other. The deepest that anything takes is a filter, with 16.
	maxDepth = 32
)

// bounds are how long a request may take.
type bounds struct {
	body   time.Duration // for its body to arrive
	upload time.Duration // the same, if it is a file
	turn   time.Duration // until it is its turn
	work   time.Duration // for its operation; streams are not bounded as a whole, but in every page
	page   time.Duration // for the caller to receive one page of an answer that is streamed, or a piece of a file
	file   time.Duration // for the caller to receive a file
	// streams is how many of those a token may have under way at the same time.
	streams int
	token   time.Duration // until it is found out again whether the token of a stream is still valid
	silence time.Duration // until an answer that has nothing to tell says that the connection lives
}

func defaultBounds() bounds {
	return bounds{body: bodyTime, upload: 5 * time.Minute, turn: 10 * time.Second, work: 30 * time.Second, page: 30 * time.Second, file: 15 * time.Minute,
		streams: 32, token: 5 * time.Second, silence: 15 * time.Second}
}

// arrive begins every request: it gets an id and a language, is logged when it ends, and an operation that panics is answered with a
// problem that tells nothing.
func (s *server) arrive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		about := newRequest(r, s.log)
		about.bounds = &s.bounds
		out := &answer{ResponseWriter: w}
		out.Header().Set("X-Request-Id", about.id)
		out.Header().Set("X-Content-Type-Options", "nosniff")
		out.Header().Set("Cache-Control", "no-store")
		out.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'") // for programs: a browser may do nothing with it
		out.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		ctx, span := s.traced(r)
		r = r.WithContext(context.WithValue(tenancy.Narrow(ctx, ""), requestKey{}, about)) // until it is known whose request it is
		defer func() {
			if about.route == "" { // an address without an operation
				about.route = "none"
			}
			tell(span, r, about, out)
			s.done(r, about, out, time.Since(began), recover())
		}()
		next.ServeHTTP(out, r)
	})
}

// done logs a request. Neither its address nor its query is logged: they may hold personal data.
func (s *server) done(r *http.Request, about *request, out *answer, took time.Duration, panicked any) {
	if panicked != nil && panicked != http.ErrAbortHandler {
		// The value of a panic may quote a payload; where it happened does not.
		s.log.ErrorContext(r.Context(), "api: panic", "request", about.id, "route", about.route, "stack", string(debug.Stack()))
		if out.status == 0 {
			writeProblem(out, newProblem(about.language, codeInternal, "", nil))
			panicked = nil
		} else {
			panicked = http.ErrAbortHandler // the answer has begun; breaking it off is all that can be done
		}
	}
	s.metrics.observe(about.route, out.status, took)
	if r.URL.Path != "/livez" && r.URL.Path != "/readyz" && r.URL.Path != "/metrics" {
		s.log.LogAttrs(r.Context(), slog.LevelInfo, "api: request", slog.String("method", knownMethod(r.Method)), slog.String("route", about.route),
			slog.Int("status", out.status), slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("tenant", about.who.Tenant))
	}
	if panicked != nil {
		panic(http.ErrAbortHandler)
	}
}

// knownMethod is the method of a request, unless the caller made it up.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// answer remembers the status of an answer.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// admit lets a request through to an operation if its token may call it.
func (s *server) admit(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	about := requestOf(ctx.Context())
	about.route = op.Method + " " + op.Path
	if access.Public(op.OperationID) {
		next(ctx)
		return
	}
	r, w := humachi.Unwrap(ctx)
	refuse := func(p *Problem) { writeProblem(w, p) }
	who, counts, inside := access.GivenPrincipal(ctx.Context())
	if !inside {
		var p *Problem
		if who, p = s.verify(ctx); p != nil {
			refuse(p)
			return
		}
		counts = true
	}
	about.who = who
	if counts && s.limiter.request(w, r, who) {
		s.metrics.refuse(limitRequests)
		refuse(newProblem(about.language, codeRateLimited, "", nil))
		return
	}
	if address := ctx.URL(); !storable(address) {
		if text.Verbatim(address.Path) {
			refuse(newProblem(about.language, domain.CodeValidation, "query", map[string]any{"rule": domain.RuleCharacters}))
		} else {
			refuse(newProblem(about.language, domain.CodeNotFound, "", nil))
		}
		return
	}
	about.scope = access.ScopeOf(who.Role, op.OperationID)
	if about.scope == access.None {
		refuse(newProblem(about.language, codeForbidden, "", nil))
		return
	}
	next(huma.WithContext(ctx, reach(ctx.Context(), who)))
}

// reach is the context of what the caller may reach: of one tenant, or, of an operator, of the installation.
func reach(ctx context.Context, who access.Principal) context.Context {
	ctx = tenancy.Widen(ctx)
	if who.Role == access.Operator {
		return ctx
	}
	return tenancy.Narrow(ctx, who.Tenant)
}

// verify finds out whose token came with a request. Tokens that are not valid are counted by the caller's address.
func (s *server) verify(ctx huma.Context) (access.Principal, *Problem) {
	r, w := humachi.Unwrap(ctx)
	language := requestOf(ctx.Context()).language
	token, ok := bearer(ctx.Header("Authorization"))
	if !ok {
		return access.Principal{}, newProblem(language, codeUnauthenticated, "", nil)
	}
	if !s.Tokens.Known(token) && s.limiter.closed(w, r) {
		s.metrics.refuse(limitSignIns)
		return access.Principal{}, newProblem(language, codeRateLimited, "", nil)
	}
	who, err := s.Tokens.Verify(ctx.Context(), token)
	switch {
	case errors.Is(err, access.ErrUnknown) && s.limiter.failed(w, r):
		s.metrics.refuse(limitSignIns)
		return who, newProblem(language, codeRateLimited, "", nil)
	case errors.Is(err, access.ErrUnknown):
		return who, newProblem(language, codeUnauthenticated, "", nil)
	case err != nil:
		return who, problemOf(ctx.Context(), err)
	}
	return who, nil
}

// storable reports whether an address holds only text that the database could be asked for: UTF-8 without NUL, escaped as it must be.
func storable(address url.URL) bool {
	if !strings.Contains(address.RawQuery, "%") && address.RawPath == "" && isASCII(address.RawQuery) && isASCII(address.Path) {
		return true
	}
	query, err := url.QueryUnescape(address.RawQuery)
	return err == nil && text.Verbatim(query) && text.Verbatim(address.Path)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] == 0 || s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// bearer cuts the token out of a header Authorization.
func bearer(header string) (string, bool) {
	const scheme = "Bearer "
	if len(header) <= len(scheme) || !equalFold(header[:len(scheme)], scheme) {
		return "", false
	}
	return header[len(scheme):], true
}

// equalFold compares ASCII letters without their case.
func equalFold(a, b string) bool {
	for i := range len(a) {
		if a[i]|0x20 != b[i]|0x20 {
			return false
		}
	}
	return len(a) == len(b)
}

// receive reads the body of a write, within bounds of size and time, and refuses text that nothing here could store.
func (s *server) receive(ctx huma.Context, next func(huma.Context)) {
	r, w := humachi.Unwrap(ctx)
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		next(ctx)
		return
	}
	about := requestOf(ctx.Context())
	if most, takes := ctx.Operation().Metadata[uploads].(int64); takes {
		s.receiveUpload(ctx, next, most)
		return
	}
	body, err := readBody(w, r, s.bounds.body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		w.Header().Set("Connection", "close") // the rest of the body is not read
		writeProblem(w, newProblem(about.language, codeTooLarge, "", map[string]any{"max": maxBody}))
		return
	case err != nil: // too slow, or gone
		w.Header().Set("Connection", "close")
		p := newProblem(about.language, codeTimeout, "", nil)
		p.Status = http.StatusRequestTimeout
		writeProblem(w, p)
		return
	}
	if ctx.Operation().OperationID != channelOperation { // there, one bad event of a batch must not take the others with it
		if rule := checkText(body); rule != "" {
			writeProblem(w, newProblem(about.language, domain.CodeValidation, "body", map[string]any{"rule": rule, "max": maxDepth}))
			return
		}
	}
	about.body = body
	r.Body = io.NopCloser(newReader(body))
	next(ctx)
}

func readBody(w http.ResponseWriter, r *http.Request, within time.Duration) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, &http.MaxBytesError{Limit: maxBody}
	}
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(within)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, maxBody), r.ContentLength)
	if err != nil {
		return nil, err
	}
	// A deadline that stays would end the request while its operation works.
	if err := control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	return body, nil
}

// bound ends an operation that takes too long.
func (s *server) bound(ctx huma.Context, next func(huma.Context)) {
	if ctx.Operation().Metadata[streams] != nil {
		next(ctx)
		return
	}
	limited, cancel := context.WithTimeout(ctx.Context(), s.bounds.work)
	defer cancel()
	next(huma.WithContext(ctx, limited))
}
