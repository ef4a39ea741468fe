package pages

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
)

// policy allows pages their own style sheets, scripts and pictures, and nothing from elsewhere or inline.
var policy = strings.Join([]string{
	"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'", "connect-src 'self'",
	"form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
}, "; ")

// arrive begins every request: it gets an id, and is logged when it ends. Neither its address nor its query is logged, but the pattern of its
// route: an address may hold the secret of a sign-in link, a query what somebody looks for.
func (p *Pages) arrive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		out := &answer{ResponseWriter: w}
		id := uuid.Must(uuid.NewV7()).String()
		out.Header().Set("X-Request-Id", id)
		out.Header().Set("X-Content-Type-Options", "nosniff")
		out.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		r = r.WithContext(context.WithValue(r.Context(), idKey{}, id))
		defer func() {
			panicked := recover()
			if panicked != nil && panicked != http.ErrAbortHandler {
				// The value of a panic may quote what people wrote; where it happened does not.
				p.Log.ErrorContext(r.Context(), "pages: panic", "request", id, "stack", string(debug.Stack()))
				if out.status == 0 {
					p.visit(out, r).fail(errBroken)
					panicked = nil
				}
			}
			route := "none"
			if c := chi.RouteContext(r.Context()); c != nil && c.RoutePattern() != "" {
				route = r.Method + " " + c.RoutePattern()
			}
			p.Log.LogAttrs(r.Context(), slog.LevelInfo, "pages: request", slog.String("route", route), slog.Int("status", out.status),
				slog.Float64("ms", float64(time.Since(began).Microseconds())/1000))
			if panicked != nil {
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(out, r)
	})
}

type idKey struct{}

// guard keeps what browsers may do with pages within bounds, and turns away writes that another site has its visitors make.
func (p *Pages) guard(next http.Handler) http.Handler {
	crossing := http.NewCrossOriginProtection()
	crossing.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.visit(w, r).fail(errCrossing) }))
	next = crossing.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if p.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if err := p.readForm(w, r, formTime); err != nil {
			h.Set("Connection", "close") // the rest is not read
			p.visit(w, r).fail(err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

const (
	// maxForm is the largest form without a file, in bytes. How large a file may be, the API says, and how long it may take.
	maxForm = 1 << 20
	// formTime is how long a form without a file may take to arrive.
	formTime = 20 * time.Second
)

// readForm takes in a form, so that no page takes half of one, and nothing waits for the rest of it later. Only who expects a file gets the body as it is.
func (p *Pages) readForm(w http.ResponseWriter, r *http.Request, within time.Duration) error {
	if !isText(r.URL.Query()) {
		return errUnreadable
	}
	if r.Body == http.NoBody || r.Method == http.MethodPost && slices.ContainsFunc(p.pages, func(one page) bool { return one.takesFile == r.URL.Path }) {
		return nil
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), "/"); strings.EqualFold(strings.TrimSpace(kind), "multipart") {
		return errNoForm
	}
	if r.ContentLength > maxForm {
		return errTooLarge
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(within)) // a server that cannot set deadlines has none
	form, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case err != nil:
		return errSlow
	}
	_ = control.SetReadDeadline(time.Time{})
	r.Body = io.NopCloser(bytes.NewReader(form))
	if err := r.ParseForm(); err != nil && r.Method == http.MethodPost || !isText(r.PostForm) {
		return errUnreadable
	}
	return nil
}

// isText reports whether all values are texts. The database takes no others, and browsers send none.
func isText(form url.Values) bool {
	for _, values := range form {
		for _, text := range values {
			if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
				return false
			}
		}
	}
	return true
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
