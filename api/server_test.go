package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"customercenter/api/access"
	"customercenter/api/ingest"
	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain/catalog"
	"customercenter/eventstore"
	"customercenter/eventstore/bell"
	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/locale"
	"customercenter/projections"
	"customercenter/projections/asof"
	"customercenter/projections/projector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a server on a database of its own, with a token for every role of the tenants acme and other.
type world struct {
	t         testing.TB
	server    *httptest.Server
	store     *eventstore.Store
	center    *commands.Center
	projector *projector.Projector
	tokens    *access.Tokens
	bearer    map[string]string // "acme/admin" → token
	log       *journal
	handler   http.Handler
	core      *server
	runner    *jobs.Runner // works on jobs when a test steps it
	clock     func() time.Time
	made      int                  // things and names that samples have made
	rebuilt   uuid.UUID            // a rebuild that has ended, once a sample was made
	samples   map[string]uuid.UUID // what samples have made of what there may only be so many of, by purpose
	stop      func()               // ends what feeds the read models, and waits for that; the server goes on
}

// journal keeps what was logged.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// options change a world.
type options struct {
	idle   bool // nothing feeds the read models
	checks []Check
	until  context.Context // ends what is followed
	bells  *bell.Listener
	now    func() time.Time
	// tokenClock judges whether tokens have expired; default time.Now.
	tokenClock func() time.Time
	// commandClock is when commands happen; default time.Now.
	commandClock func() time.Time
	// definitions are the read models of the program; default projections.Definitions.
	definitions []projector.Definition
}

// movable is a clock that a test moves.
type movable struct {
	mu sync.Mutex
	at time.Time
}

func (m *movable) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at
}

func (m *movable) move(by time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = m.at.Add(by)
}

func start(t testing.TB, o options) *world {
	t.Helper()
	w := &world{t: t, bearer: map[string]string{}, log: &journal{}, clock: o.now}
	if w.clock == nil {
		w.clock = time.Now
	}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	pool := eventstoretest.Pool(t)
	w.on(pool, o, log)
	w.makeTokens()
	return w
}

// on runs a server, with its own caches, on a database.
func (w *world) on(pool *pgxpool.Pool, o options, log *slog.Logger) {
	t := w.t
	t.Helper()
	var ring func(string, int64)
	store := eventstore.New(pool, eventstore.NewCodec(catalog.Events()...), eventstoretest.Keys(t, pool),
		eventstore.WithBell(func(tenant string, position int64) { ring(tenant, position) }), eventstore.WithPatience(3*time.Second))
	ring = func(string, int64) {}
	for _, tenant := range []string{"acme", "other"} {
		if err := store.CreateTenant(t.Context(), tenant, tenant); err != nil && !errors.Is(err, eventstore.ErrTenantExists) {
			t.Fatal(err)
		}
	}
	definitions := o.definitions
	if definitions == nil {
		definitions = projections.Definitions()
	}
	p, err := projector.New(projector.Config{Store: store, Definitions: definitions, Log: log, Sweep: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	w.stop = func() { cancel(); running.Wait() }
	t.Cleanup(w.stop)
	if !o.idle {
		ring = p.Ring
		running.Go(func() {
			if err := p.Run(ctx); err != nil {
				t.Errorf("projector: %v", err)
			}
		})
	}
	w.store, w.projector = store, p
	commandClock := time.Now
	if o.commandClock != nil {
		commandClock = o.commandClock
	}
	w.center = commands.NewCenter(store, commandClock, func() uuid.UUID { return uuid.Must(uuid.NewV7()) })
	w.runner = jobs.NewRunner(jobs.Config{Store: store, Center: w.center, Builds: p, Log: log, Now: commandClock})
	tokenClock := time.Now
	if o.tokenClock != nil {
		tokenClock = o.tokenClock
	}
	w.tokens = access.NewTokens(pool, tokenClock, store.Secret)
	catalogues := projections.NewCatalogues(store)
	groups := projections.NewGroups(store, p, catalogues)
	past, err := asof.New(asof.Config{Store: store, Projector: p, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if !o.idle {
		running.Go(func() {
			if err := past.Run(ctx); err != nil {
				t.Errorf("asof: %v", err)
			}
		})
	}
	w.handler, w.core = build(Config{
		AsOf:  past,
		Store: store, Center: w.center, Projector: p, Catalogues: catalogues, Channels: ingest.NewHandler(w.center),
		Customers: projections.NewCustomers(store, p, catalogues).WithClock(w.clock).WithGroups(groups), Groups: groups, Sessions: projections.NewSessions(store, p),
		Jobs:   jobs.NewRunner(jobs.Config{Store: store, Center: w.center, Builds: p, Log: log, Now: commandClock}),
		Tokens: w.tokens, Answers: access.NewAnswers(pool, time.Now), Checks: o.checks, Until: o.until, Bells: o.bells, Now: w.clock, Log: log,
		Background: func(work func(context.Context)) { running.Go(func() { work(ctx) }) },
	})
	w.server = httptest.NewUnstartedServer(w.handler)
	w.server.Config = Server(w.handler, log)
	w.server.Start()
	t.Cleanup(w.server.Close)
}

// another runs a second server on the database of the first.
func another(t testing.TB, first *world, o options) *world {
	t.Helper()
	w := &world{t: t, bearer: first.bearer, log: first.log, clock: time.Now}
	w.on(first.store.Pool(), o, slog.New(slog.NewTextHandler(w.log, nil)))
	return w
}

// makeTokens makes a token for each role. The channel's is for association 1.
func (w *world) makeTokens() {
	w.t.Helper()
	for _, tenant := range []string{"acme", "other"} {
		for _, role := range access.Roles() {
			n := access.New{Tenant: tenant, Role: role, Actor: string(role) + "-1", Name: "of a test"}
			switch role {
			case access.Channel:
				n.Association = 1
			case access.Operator:
				n.Tenant = ""
			}
			w.bearer[tenant+"/"+string(role)] = w.token(n)
		}
	}
}

func (w *world) token(n access.New) string {
	w.t.Helper()
	text, _, err := w.tokens.Create(w.t.Context(), n, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// call is a request to be made.
type call struct {
	as      string // "acme/admin", a token itself, or empty for none
	method  string
	path    string
	body    any // []byte and string as they are, anything else as JSON
	headers map[string]string
}

// reply is an answer.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// do makes a request and checks what holds for every answer: a problem is a whole problem, with words.
func (w *world) do(c call) reply {
	w.t.Helper()
	var body io.Reader
	switch b := c.body.(type) {
	case nil:
	case []byte:
		body = bytes.NewReader(b)
	case string:
		body = strings.NewReader(b)
	case form:
		body = bytes.NewReader(b.text)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		body = bytes.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), c.method, w.server.URL+c.path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	if c.as != "" {
		token, ok := w.bearer[c.as]
		if !ok {
			token = c.as
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if f, is := c.body.(form); is {
		r.Header.Set("Content-Type", f.kind)
	}
	for name, value := range c.headers {
		r.Header.Set(name, value)
	}
	answer, err := w.server.Client().Do(r)
	if err != nil {
		w.t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	reply := reply{t: w.t, status: answer.StatusCode, header: answer.Header, body: text}
	reply.conforms(c)
	w.described(c, reply)
	return reply
}

// described checks that an answer is what the description says of it.
func (w *world) described(c call, r reply) {
	w.t.Helper()
	path, _, _ := strings.Cut(c.path, "?")
	route := chi.NewRouteContext()
	if r.status >= 400 || r.header.Get("Content-Type") != "application/json" || !w.handler.(chi.Routes).Match(route, c.method, path) {
		return
	}
	item := w.core.api.OpenAPI().Paths[route.RoutePattern()]
	op := map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete}[c.method]
	answer := op.Responses[strconv.Itoa(r.status)]
	if answer == nil {
		w.t.Errorf("%s answers %d, which is not described", op.OperationID, r.status)
		return
	}
	if op.OperationID == channelOperation && r.get("items") == nil { // a single event's answer
		return
	}
	var parsed any
	r.into(&parsed)
	var result huma.ValidateResult
	huma.Validate(w.core.api.OpenAPI().Components.Schemas, answer.Content["application/json"].Schema, huma.NewPathBuffer(nil, 0),
		huma.ModeReadFromServer, parsed, &result)
	for _, err := range result.Errors {
		w.t.Errorf("%s answers what is not described: %v: %s", op.OperationID, err, r.body)
	}
}

// conforms checks the shape of an answer.
func (r reply) conforms(c call) {
	r.t.Helper()
	if r.header.Get("X-Request-Id") == "" {
		r.t.Errorf("%s %s: no X-Request-Id", c.method, c.path)
	}
	if r.status < 400 || c.path == "/readyz" {
		if kind := r.header.Get("Content-Type"); strings.HasPrefix(kind, "application/problem") {
			r.t.Errorf("%s %s: %d is a problem", c.method, c.path, r.status)
		}
		return
	}
	if kind := r.header.Get("Content-Type"); kind != "application/problem+json" {
		r.t.Errorf("%s %s: %d with Content-Type %q: %s", c.method, c.path, r.status, kind, r.body)
		return
	}
	var p Problem
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		r.t.Errorf("%s %s: a problem that is not of its shape: %v: %s", c.method, c.path, err, r.body)
		return
	}
	if p.Status != r.status || p.Title == "" || p.Detail == "" || !locale.Known(p.Code) {
		r.t.Errorf("%s %s: a problem without words, or with another status: %s", c.method, c.path, r.body)
	}
	for _, e := range p.Errors {
		if e.Location == "" || e.Detail == "" || !locale.Known(e.Code) {
			r.t.Errorf("%s %s: a field's error without words: %s", c.method, c.path, r.body)
		}
	}
	if strings.Contains(string(r.body), "{") && (strings.Contains(p.Detail, "{") || strings.Contains(p.Detail, "?")) {
		r.t.Errorf("%s %s: words that were not filled: %s", c.method, c.path, p.Detail)
	}
}

// want fails the test unless the answer has this status.
func (r reply) want(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("got %d, want %d: %s", r.status, status, r.body)
	}
	return r
}

// refused fails the test unless the answer is a problem with this status, code and, if not empty, location.
func (r reply) refused(status int, code, location string) {
	r.t.Helper()
	p := r.problem()
	if r.status != status || p.Code != code {
		r.t.Errorf("got %d %s, want %d %s: %s", r.status, p.Code, status, code, r.body)
		return
	}
	if location != "" && (len(p.Errors) == 0 || p.Errors[0].Location != location) {
		r.t.Errorf("got %s, want the location %s", r.body, location)
	}
}

func (r reply) problem() Problem {
	r.t.Helper()
	var p Problem
	if err := json.Unmarshal(r.body, &p); err != nil {
		r.t.Errorf("%v: %s", err, r.body)
	}
	return p
}

// into reads the body.
func (r reply) into(v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		r.t.Fatalf("%v: %s", err, r.body)
	}
}

// get is a member of the body, by a path such as items.0.id.
func (r reply) get(path string) any {
	r.t.Helper()
	var v any
	r.into(&v)
	for step := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

func (r reply) position() int64 {
	r.t.Helper()
	position, err := strconv.ParseInt(r.header.Get("X-Log-Position"), 10, 64)
	if err != nil {
		r.t.Fatalf("X-Log-Position: %v", err)
	}
	return position
}

// admin makes a request as acme's admin.
func (w *world) admin(method, path string, body any) reply {
	w.t.Helper()
	return w.do(call{as: "acme/admin", method: method, path: path, body: body})
}

// channel hands over channel events as the channel of acme's association 1.
func (w *world) channel(body any) reply {
	w.t.Helper()
	return w.do(call{as: "acme/channel", method: "POST", path: "/v1/channels/1/events", body: body})
}

// associations connects an account of each channel: 1 web, 2 app, 3 wechat, 4 weibo.
func (w *world) associations(as string) {
	w.t.Helper()
	for i, a := range []AssociationInput{{"web", "shop.example", "Shop"}, {"app", "org#app", "App"}, {"wechat", "gh_1", "公众号"}, {"weibo", "w1", "微博"}} {
		r := w.do(call{as: as, method: "POST", path: "/v1/associations", body: a}).want(http.StatusCreated)
		if r.get("id") != float64(i+1) {
			w.t.Fatalf("association %v, want %d", r.get("id"), i+1)
		}
	}
}

// customer makes a customer of association 1 and returns the id.
func (w *world) customer(as, externalID, nickname string) string {
	w.t.Helper()
	r := w.do(call{as: as, method: "POST", path: "/v1/customers", body: map[string]any{"association_id": 1, "external_id": externalID, "nickname": nickname}}).
		want(http.StatusCreated)
	return r.get("id").(string)
}

// event is a channel event.
func event(id, kind string, data map[string]any) map[string]any {
	return map[string]any{"specversion": "1.0", "id": id, "source": "/test", "type": kind, "time": time.Now().UTC().Format(time.RFC3339Nano), "data": data}
}

// message is a customer's message.
func message(id, externalID, text string) map[string]any {
	return event(id, "message.received", map[string]any{"external_id": externalID, "message": map[string]any{"id": id, "kind": "text", "text": text}})
}

// session lets a visitor write to association 1 of the tenant of as, and returns the ids of the customer and of the session.
func (w *world) session(as, externalID, text string) (customer, session string) {
	w.t.Helper()
	tenant, _, _ := strings.Cut(as, "/")
	r := w.do(call{as: tenant + "/channel", method: "POST", path: "/v1/channels/1/events", body: message(fmt.Sprint("m-", uuid.NewString()), externalID, text)}).want(http.StatusOK)
	w.seen(r.position())
	return r.get("customer_id").(string), r.get("session_id").(string)
}

// seen waits until all lists show acme's and other's log up to a position.
func (w *world) seen(position int64) {
	w.t.Helper()
	for _, model := range []string{projections.CustomersName, projections.SessionsName, projections.GroupsName, projections.JobsName} {
		for _, tenant := range []string{"acme", "other"} {
			head, err := w.store.Head(w.t.Context(), tenant)
			if err != nil {
				w.t.Fatal(err)
			}
			if _, fresh, err := w.projector.WaitFor(w.t.Context(), model, tenant, min(position, head), 10*time.Second); err != nil || !fresh {
				w.t.Fatalf("%s of %s: %v %v", model, tenant, fresh, err)
			}
		}
	}
}
