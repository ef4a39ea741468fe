package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
)

func TestUnknownAddressesAreProblems(t *testing.T) {
	w := start(t, options{})
	w.do(call{method: "GET", path: "/"}).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.do(call{as: "acme/admin", method: "GET", path: "/v1/nothing"}).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.do(call{as: "acme/admin", method: "GET", path: "/v1/customers/"}).refused(http.StatusNotFound, "NOT_FOUND", "")
	r := w.do(call{as: "acme/admin", method: "PUT", path: "/v1/tags"})
	r.refused(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "")
	if allow := r.header.Values("Allow"); strings.Join(allow, ",") != "GET,POST" {
		t.Errorf("Allow: %v", allow)
	}
	w.do(call{as: "acme/admin", method: "BREW", path: "/v1/tags"}).refused(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "")
	w.admin("GET", "/v1/customers/1", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("GET", "/v1/customers/"+uuid.NewString(), nil).refused(http.StatusNotFound, "NOT_FOUND", "")
}

func TestWordsFollowTheLanguage(t *testing.T) {
	w := start(t, options{})
	for header, want := range map[string]string{"zh-CN,zh;q=0.9": "未找到", "en": "Not found", "fr": "Not found", "": "Not found"} {
		r := w.do(call{as: "acme/admin", method: "GET", path: "/v1/tags/" + uuid.NewString(), headers: map[string]string{"Accept-Language": header}})
		if got := r.problem().Title; got != want {
			t.Errorf("%q: got %q, want %q", header, got, want)
		}
	}
	r := w.do(call{as: "acme/admin", method: "POST", path: "/v1/tags", body: TagInput{strings.Repeat("长", 51)}, headers: map[string]string{"Accept-Language": "zh"}})
	r.refused(http.StatusUnprocessableEntity, "VALIDATION", "name")
	if p := r.problem(); p.Errors[0].Detail != "最多 50 个字符。" || p.Errors[0].Rule != "too_long" {
		t.Errorf("got %s", r.body)
	}
	// What huma finds speaks the language, too.
	r = w.do(call{as: "acme/admin", method: "POST", path: "/v1/tags", body: `{"name": 5}`, headers: map[string]string{"Accept-Language": "zh"}})
	r.refused(http.StatusUnprocessableEntity, "VALIDATION", "name")
	if p := r.problem(); p.Errors[0].Detail != "应为字符串。" || p.Errors[0].Rule != "type_string" {
		t.Errorf("got %s", r.body)
	}
}

// TestBadBodies sends what no client should send.
func TestBadBodies(t *testing.T) {
	w := start(t, options{})
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
		at     string
		rule   string
	}{
		"none":            {"", 422, "VALIDATION", "body", "required"},
		"not JSON":        {"{", 422, "VALIDATION", "body", "json"},
		"JSON and more":   {`{"name":"x"} {`, 422, "VALIDATION", "body", "json"},
		"a list":          {"[]", 422, "VALIDATION", "body", "type_object"},
		"null":            {"null", 422, "VALIDATION", "body", "type_object"},
		"wrong type":      {`{"name":1}`, 422, "VALIDATION", "name", "type_string"},
		"unknown member":  {`{"name":"x","y":1}`, 422, "VALIDATION", "y", "unknown"},
		"NUL":             {"{\"name\":\"a\x00b\"}", 422, "VALIDATION", "body", "nul"},
		"escaped NUL":     {`{"name":"a\u0000b"}`, 422, "VALIDATION", "body", "nul"},
		"NUL in a name":   {`{"na\u0000me":"x"}`, 422, "VALIDATION", "body", "nul"},
		"broken UTF-8":    {"{\"name\":\"a\xff\"}", 422, "VALIDATION", "body", "encoding"},
		"cut UTF-8":       {"{\"name\":\"\xe7\x8e\"}", 422, "VALIDATION", "body", "encoding"},
		"too large":       {`{"name":"` + strings.Repeat("x", maxBody) + `"}`, 413, "PAYLOAD_TOO_LARGE", "", ""},
		"large":           {`{"name":"x"}` + strings.Repeat(" ", maxBody-12), 201, "", "", ""},
		"not an escape":   {`{"name":"a\\u0000b"}`, 201, "", "", ""},
		"deep":            {`{"name":` + strings.Repeat("[", 20000), 422, "VALIDATION", "body", "too_deep"},
		"deeper":          {nested(maxDepth + 1), 422, "VALIDATION", "body", "too_deep"},
		"as deep":         {nested(maxDepth), 422, "VALIDATION", "body", "type_object"},
		"control":         {`{"name":"a\u0007b"}`, 422, "VALIDATION", "name", "characters"},
		"an empty object": {`{}`, 422, "VALIDATION", "name", "required"},
	} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.t = t
			r := w.do(call{as: "acme/admin", method: "POST", path: "/v1/tags", body: c.body})
			if c.code == "" {
				r.want(c.status)
				return
			}
			r.refused(c.status, c.code, c.at)
			if p := r.problem(); c.rule != "" && (len(p.Errors) == 0 || p.Errors[0].Rule != c.rule) {
				t.Errorf("got %s, want the rule %s", r.body, c.rule)
			}
		})
	}
	w.do(call{as: "acme/admin", method: "POST", path: "/v1/tags", body: "name=x", headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}).
		refused(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "")
	// A body that does not say its length is bounded as well.
	request, err := http.NewRequestWithContext(t.Context(), "POST", w.server.URL+"/v1/tags", io.MultiReader(strings.NewReader(`{"name":"`), strings.NewReader(strings.Repeat("x", maxBody))))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.bearer["acme/admin"])
	answer, err := w.server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d", answer.StatusCode)
	}
}

// TestBadQueries asks with what no client should ask with.
func TestBadQueries(t *testing.T) {
	w := start(t, options{})
	for query, at := range map[string]string{
		"/v1/customers?limit=0":           "query.limit",
		"/v1/customers?limit=201":         "query.limit",
		"/v1/customers?limit=x":           "query.limit",
		"/v1/customers?sort=phone":        "query.sort",
		"/v1/customers?cursor=%21":        "query.cursor",
		"/v1/customers?limt=1":            "query.limt",
		"/v1/customers?after_position=-1": "query.after_position",
		"/v1/sessions?from=yesterday":     "query.from",
		"/v1/sessions?state=asleep":       "query.state",
		"/v1/sessions?channel=fax":        "query.channel",
		"/v1/sessions?cursor=x":           "query.cursor",
		"/v1/events?from=soon":            "query.from",
		"/v1/events?type=no.such":         "query.type",
		"/v1/events?to=-1":                "query.to",
		"/v1/events?customer=7":           "query.customer",
		"/v1/events?stream=a%00b":         "query",
		"/v1/events?stream=a%ffb":         "query",
		"/v1/customers?filter=%00":        "query",
		"/v1/sessions?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z": "query.to",
		"/v1/tokens?cursor=x": "query.cursor",
	} {
		w.admin("GET", query, nil).refused(http.StatusUnprocessableEntity, "VALIDATION", at)
	}
	w.do(call{as: "acme/admin", method: "GET", path: "/v1/tags", headers: map[string]string{"X-After-Position": "x"}}).
		refused(http.StatusUnprocessableEntity, "VALIDATION", "header.X-After-Position")
	w.admin("GET", "/v1/tags/%00", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	for _, key := range []string{strings.Repeat("k", 256), "a b", "schlüssel"} {
		w.do(call{as: "acme/admin", method: "POST", path: "/v1/tags", body: TagInput{"x"}, headers: map[string]string{"Idempotency-Key": key}}).
			refused(http.StatusUnprocessableEntity, "VALIDATION", "header.Idempotency-Key")
	}
}

func TestRequestIDsAreKeptAndCorrelate(t *testing.T) {
	w := start(t, options{})
	r := w.do(call{as: "acme/admin", method: "POST", path: "/v1/tags", body: TagInput{"x"}, headers: map[string]string{"X-Request-Id": "my-request"}}).want(http.StatusCreated)
	if got := r.header.Get("X-Request-Id"); got != "my-request" {
		t.Errorf("got %q", got)
	}
	if events := w.admin("GET", "/v1/events", nil); !strings.Contains(string(events.body), `"correlation":"my-request"`) {
		t.Errorf("got %s", events.body)
	}
	for _, bad := range []string{strings.Repeat("x", 129), "a b"} {
		if got := w.do(call{method: "GET", path: "/livez", headers: map[string]string{"X-Request-Id": bad}}).header.Get("X-Request-Id"); got == bad || got == "" {
			t.Errorf("got %q", got)
		}
	}
}

// TestPanicsTellNothing lets operations panic, before and after their answer has begun.
func TestPanicsTellNothing(t *testing.T) {
	w := start(t, options{})
	router := w.handler.(*chi.Mux)
	router.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("13800001234") })
	router.Get("/panic-late", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "begun")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		panic("13800001234")
	})
	r := w.do(call{method: "GET", path: "/panic"})
	r.refused(http.StatusInternalServerError, "INTERNAL", "")
	if strings.Contains(string(r.body), "1380000") || strings.Contains(w.log.String(), "1380000") {
		t.Error("the panic's value is told")
	}
	if !strings.Contains(w.log.String(), "api: panic") || !strings.Contains(w.log.String(), "limits_test.go") {
		t.Error("the log does not say where it happened")
	}
	answer, err := w.server.Client().Get(w.server.URL + "/panic-late")
	if err == nil {
		_, err = io.ReadAll(answer.Body)
		answer.Body.Close()
	}
	if err == nil {
		t.Error("an answer that broke off looks complete")
	}
	w.do(call{method: "GET", path: "/livez"}).want(http.StatusOK)
}

// TestAHalfBodyIsRefused sends half a body and ends.
func TestAHalfBodyIsRefused(t *testing.T) {
	w := start(t, options{})
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/tags HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"name\":", w.bearer["acme/admin"])
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusRequestTimeout {
		t.Errorf("got %d", answer.StatusCode)
	}
	if list := w.admin("GET", "/v1/tags", nil); list.get("count.value") != 0.0 {
		t.Errorf("got %s", list.body)
	}
}

func TestSlownessIsBounded(t *testing.T) {
	w := start(t, options{idle: true})
	w.core.bounds = bounds{body: 50 * time.Millisecond, upload: 50 * time.Millisecond, work: 100 * time.Millisecond, streams: 1}
	// An operation that waits for longer than it may.
	r := w.admin("GET", "/v1/customers?filter={}&after_position=1", nil)
	r.refused(http.StatusGatewayTimeout, "TIMEOUT", "")
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	// A body that does not come: the server gives up by itself.
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/tags HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", w.bearer["acme/admin"])
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusRequestTimeout || !answer.Close {
		t.Errorf("got %d, and the connection stays open: %v", answer.StatusCode, !answer.Close)
	}
}
