package pages

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
)

// call is a request to the API.
type call struct {
	method, path string // the path with its query
	body         any    // made JSON; nil: none
	ifMatch      string // the ETag that was read; empty: whatever it is now
	reads        bool   // although it is a POST, with a body that is no matter of addresses
}

// get asks the API for something. What the API refuses is an *api.Problem.
func (v *visit) get(path string, into any) error {
	_, err := v.ask(call{method: http.MethodGet, path: path}, into)
	return err
}

// send has the API write something, and notes the position that the next page has to show.
func (v *visit) send(method, path string, body, into any) error {
	_, err := v.ask(call{method: method, path: path, body: body}, into)
	return err
}

// ask makes a request to the API on behalf of the visitor and reads the answer into a value, unless that is nil. What the API refuses is an
// *api.Problem, in the visitor's language. A read shows what the visitor wrote last, or marks the visit as stale.
func (v *visit) ask(c call, into any) (http.Header, error) {
	var body io.Reader = http.NoBody
	if c.body != nil {
		text, err := json.Marshal(c.body)
		if err != nil {
			return nil, fmt.Errorf("pages: %s %s: %w", c.method, c.path, err)
		}
		body = bytes.NewReader(text)
	}
	r, err := v.request(c.method, c.path, body)
	if err != nil {
		return nil, err
	}
	if c.reads {
		v.showsWrites(r)
	}
	if c.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.ifMatch != "" {
		r.Header.Set("If-Match", c.ifMatch)
	}
	out, err := v.answer(r, into)
	if err != nil {
		return out.header, err
	}
	v.note(c.reads || c.method == http.MethodGet, out.header)
	return out.header, nil
}

// find asks the API for what a body describes: a filter, which may name people.
func (v *visit) find(path string, body, into any) error {
	_, err := v.ask(call{method: http.MethodPost, path: path, body: body, reads: true}, into)
	return err
}

// answer makes a request to the API and reads the answer into a value, unless that is nil.
func (v *visit) answer(r *http.Request, into any) (*recorder, error) {
	out := &recorder{header: http.Header{}}
	v.p.API.ServeHTTP(out, r)
	return out, out.read(into)
}

// request makes a request of the visitor's to the API. Its context has the visitor's principal: see admit.
func (v *visit) request(method, path string, body io.Reader) (*http.Request, error) {
	// The route that led to this page is not that of the request: the API's router begins anew.
	ctx := context.WithValue(v.r.Context(), chi.RouteCtxKey, (*chi.Context)(nil))
	r, err := http.NewRequestWithContext(ctx, method, path, body)
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	r.RemoteAddr, r.RequestURI = v.r.RemoteAddr, path
	if by := v.r.Header.Values("X-Forwarded-For"); len(by) > 0 {
		r.Header["X-Forwarded-For"] = by
	}
	r.Header.Set("Accept-Language", v.language.Tag())
	r.Header.Set("X-Request-Id", v.id)
	if method == http.MethodGet {
		v.showsWrites(r)
	}
	return r, nil
}

// showsWrites has a read wait for what the visitor wrote last. A page waits once, however much it asks for.
func (v *visit) showsWrites(r *http.Request) {
	if after := v.after(); after > 0 && !v.stale {
		r.Header.Set("X-After-Position", strconv.FormatInt(after, 10))
	}
}

// after is the position that reads are to show.
func (v *visit) after() int64 {
	if v.wrote > 0 || v.in == nil {
		return v.wrote
	}
	return v.in.Wrote
}

// note remembers what an answer says of the log.
func (v *visit) note(read bool, header http.Header) {
	if read {
		v.stale = v.stale || header.Get("X-Stale") != ""
		return
	}
	if position, err := strconv.ParseInt(header.Get("X-Log-Position"), 10, 64); err == nil {
		v.wrote = max(v.wrote, position)
	}
}

// pass hands a request on to the API and its answer to the browser as it comes, piece by piece: files in either direction, and events of
// jobs. What the API refuses is shown as a page, or, where the script asks, as the API says it.
func (v *visit) pass(method, path string) {
	r, err := v.request(method, path, v.r.Body)
	if err != nil {
		v.fail(err)
		return
	}
	r.ContentLength = v.r.ContentLength
	for _, name := range []string{"Content-Type", "Accept", "Last-Event-Id"} {
		if value := v.r.Header.Get(name); value != "" {
			r.Header.Set(name, value)
		}
	}
	out := &stream{ResponseWriter: v.w, header: http.Header{}}
	v.p.API.ServeHTTP(out, r)
	if out.refused {
		v.fail(problemIn(out.header, out.body.Bytes()))
		return
	}
	v.note(method == http.MethodGet, out.header)
}

// recorder keeps an answer of the API.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *recorder) Header() http.Header { return a.header }

func (a *recorder) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *recorder) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// read reads the answer into a value, unless that is nil. A refusal is an *api.Problem, and an answer that is not ready is *preparing.
func (a *recorder) read(into any) error {
	if a.status >= 400 {
		return problemIn(a.header, a.body.Bytes())
	}
	if a.status == http.StatusAccepted && strings.HasPrefix(a.header.Get("Location"), "/v1/as-of/") {
		wait := &preparing{}
		if err := json.Unmarshal(a.body.Bytes(), &wait.PastJob); err != nil {
			return fmt.Errorf("pages: the API's answer is not understood: %w", err)
		}
		return wait
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(a.body.Bytes(), into); err != nil {
		return fmt.Errorf("pages: the API's answer is not understood: %w", err)
	}
	return nil
}

// stream hands an answer of the API on, and keeps a refusal.
type stream struct {
	http.ResponseWriter
	header  http.Header // of the API; of it, only what is said of the content reaches the browser
	began   bool
	refused bool
	body    bytes.Buffer // of a refusal
}

func (s *stream) Header() http.Header { return s.header }

func (s *stream) WriteHeader(status int) {
	if s.began {
		return
	}
	s.began, s.refused = true, status >= 400
	if s.refused {
		return
	}
	for _, name := range []string{"Content-Type", "Content-Disposition", "Content-Length", "X-Accel-Buffering"} {
		if value := s.header.Get(name); value != "" {
			s.ResponseWriter.Header().Set(name, value)
		}
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *stream) Write(b []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	if s.refused {
		return s.body.Write(b)
	}
	return s.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection, for deadlines and flushes.
func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// problemIn is the problem of a refusal, with when to ask again, if the API said so.
func problemIn(header http.Header, body []byte) error {
	p := &api.Problem{}
	if err := json.Unmarshal(body, p); err != nil || p.Code == "" {
		return errors.New("pages: the API refuses without a problem")
	}
	if after := header.Get("Retry-After"); after != "" {
		return later{p, after}
	}
	return p
}

// later is an error after which it is worth asking again.
type later struct {
	error
	after string // Retry-After
}

func (l later) Unwrap() error { return l.error }

// refusal returns the problem of an error, if the API refused.
func refusal(err error) (*api.Problem, bool) {
	var p *api.Problem
	ok := errors.As(err, &p)
	return p, ok
}

// wrong is what the API says of the value of a field; empty if nothing is wrong with it. A problem without a field is about the first one.
func wrong(err error, field string, first bool) string {
	p, ok := refusal(err)
	if !ok {
		return ""
	}
	for _, e := range p.Errors {
		if e.Location == field || e.Location == "body."+field {
			return e.Detail
		}
	}
	if first && len(p.Errors) == 0 {
		return p.Detail
	}
	return ""
}
