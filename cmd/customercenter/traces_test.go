package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"customercenter/api/ingest"
	"customercenter/commands/policies"
	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/natstest"
	"customercenter/internal/pgtest"
)

// collected is what processes have sent to a collector of OTLP over HTTP.
type collected struct {
	mu    sync.Mutex
	spans []*tracepb.Span
	text  string // of all there is
}

func (c *collected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var sent collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &sent) != nil {
		http.Error(w, "no traces", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text += string(body)
	for _, resource := range sent.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// find returns the span of a trace with a name and a parent, once it is there.
func (c *collected) find(t *testing.T, id, name, parent string) *tracepb.Span {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		c.mu.Lock()
		var names []string
		for _, s := range c.spans {
			if hex.EncodeToString(s.TraceId) == id {
				names = append(names, fmt.Sprintf("%s below %x", s.Name, s.ParentSpanId))
				if s.Name == name && hex.EncodeToString(s.ParentSpanId) == parent {
					c.mu.Unlock()
					return s
				}
			}
		}
		c.mu.Unlock()
		if time.Now().After(end) {
			t.Fatalf("trace %s has no %q below %s: %v", id, name, parent, names)
		}
	}
}

// One trace leads from a request, or from what a channel published, over processes to the rows that show what came of it, and to whoever hears the log.
func TestOneTraceFromRequestToRow(t *testing.T) {
	c := &collected{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	bus := natstest.Start(t)
	api := freeAddress(t)
	environment := []string{"DATABASE_URL=" + pgtest.DSN(t, eventstoretest.Template()), "NATS_URL=" + bus.URL(), "CUSTOMERCENTER_DATA=" + t.TempDir(),
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_BSP_SCHEDULE_DELAY=50"}
	run := func(args ...string) string { t.Helper(); return runWith(t, environment, args...) }
	run("tenant", "create", "acme")
	admin := run("token", "create", "--tenant", "acme", "--role", "admin", "--actor", "boss")
	startWith(t, environment, "serve", "--role", "api", "--listen", api)
	startWith(t, environment, "serve", "--role", "relay,projector")
	startWith(t, environment, "serve", "--role", "policies")
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if startWith(t, environment, "health", "--listen", api).ended() == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the API does not get ready")
		}
	}
	ask(t, "POST", "http://"+api+"/v1/associations", admin, `{"channel": "app", "account": "acme#shop", "name": "Shop"}`, nil)
	channel := run("token", "create", "--tenant", "acme", "--role", "channel", "--actor", "app", "--association", "1")

	const first, second, third, caller = "11111111111111111111111111111111", "22222222222222222222222222222222", "33333333333333333333333333333333", "3333333333333333"
	event := func(id, who string) string {
		return fmt.Sprintf(`{"specversion": "1.0", "id": %q, "source": "/app", "type": "message.received", "data": {"external_id": %q, "nickname": "王芳", "message": {"id": "m", "kind": "text", "text": "hello from Wang"}}}`, id, who)
	}
	post := func(path, token, trace, body string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+api+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json", "traceparent": "00-" + trace + "-" + caller + "-01", "X-Request-Id": "wang.request"} {
			request.Header.Set(name, value)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil || answer.StatusCode >= 300 {
			t.Fatalf("%s %v", answer.Status, err)
		}
	}
	post("/v1/channels/1/events", channel, first, event("1", "wang.fang"))
	js, err := jetstream.New(natstest.Connect(t, bus))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: ingest.Subject("acme", 1), Data: []byte(event("2", "wang.wei")), Header: nats.Header{"traceparent": {"00-" + second + "-" + caller + "-01"}}}); err != nil {
		t.Fatal(err)
	}
	relayed := map[string]bool{}
	for id, root := range map[string]string{first: "POST /v1/channels/{association_id}/events", second: "channel event"} {
		request := c.find(t, id, root, caller)
		appended := c.find(t, id, "append", hex.EncodeToString(request.SpanId))
		carried := c.find(t, id, "relay", hex.EncodeToString(appended.SpanId))
		relayed["00-"+id+"-"+hex.EncodeToString(carried.SpanId)+"-01"] = true
		for _, model := range []string{"customers", "sessions"} {
			shown := c.find(t, id, "project "+model, hex.EncodeToString(appended.SpanId))
			if shown.EndTimeUnixNano < appended.StartTimeUnixNano {
				t.Errorf("%s shows it before it was appended", model)
			}
		}
	}

	consumer, err := js.OrderedConsumer(t.Context(), "CC_EVENTS", jetstream.OrderedConsumerConfig{FilterSubjects: []string{"cc.events.acme.>"}, HeadersOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for len(relayed) > 0 {
		m, err := consumer.Next(jetstream.FetchMaxWait(20 * time.Second))
		if err != nil {
			t.Fatalf("no message is at %v; %v: %v", relayed, seen, err)
		}
		at := m.Headers().Get("traceparent")
		seen = append(seen, at)
		delete(relayed, at)
	}

	// The channel that is to send an agent's message is told where it was written.
	var sessions struct{ Items []struct{ ID string } }
	ask(t, "GET", "http://"+api+"/v1/sessions", admin, "", &sessions)
	if len(sessions.Items) == 0 {
		t.Fatal("no session is shown")
	}
	ask(t, "POST", "http://"+api+"/v1/sessions/"+sessions.Items[0].ID+"/accept", admin, `{"agent_id": "li"}`, nil)
	post("/v1/sessions/"+sessions.Items[0].ID+"/messages", admin, third, `{"kind": "text", "text": "hello to Wang"}`)
	request := c.find(t, third, "POST /v1/sessions/{id}/messages", caller)
	appended := c.find(t, third, "append", hex.EncodeToString(request.SpanId))
	out, err := js.OrderedConsumer(t.Context(), policies.StreamOut, jetstream.OrderedConsumerConfig{HeadersOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	m, err := out.Next(jetstream.FetchMaxWait(20 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Headers().Get("traceparent"), "00-"+third+"-"+hex.EncodeToString(appended.SpanId)+"-01"; got != want {
		t.Errorf("the message to the channel is at %s, want %s", got, want)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	for _, personal := range []string{"王", "wang", "Wang", "hello"} {
		if strings.Contains(c.text, personal) {
			t.Errorf("%q is in a trace", personal)
		}
	}
	if !strings.Contains(c.text, "customercenter") || slices.ContainsFunc(c.spans, func(s *tracepb.Span) bool { return s.Name == "GET /readyz" }) {
		t.Error("traces without the name of the service, or with those who only watch")
	}
}
