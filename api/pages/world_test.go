package pages

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/api/ingest"
	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain/catalog"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/projections"
	"customercenter/projections/asof"
	"customercenter/projections/projector"
	"customercenter/projections/projector/projectortest"
)

// world is the product, with its pages, on a database of its own: a tenant acme, and somebody in every role. Its clock stands still until a test
// moves it. It begins now, because the log is stamped by the database: so what a test writes is of this week.
type world struct {
	t         testing.TB
	pool      *pgxpool.Pool
	store     *eventstore.Store
	center    *commands.Center
	projector *projector.Projector
	tokens    *access.Tokens
	signIns   *access.SignIns
	runner    *jobs.Runner  // works on jobs when a test steps it
	past      *asof.Schemas // are built when a test remembers
	api       http.Handler
	server    *httptest.Server
	stop      func() // ends what fills the read models
	clock     *clock
	log       *journal
	lags      []api.Lag // what the relay and the policies tell
	made      map[access.Role]access.Token
	texts     map[access.Role]string
}

// noToasts is what a page has where nothing is told.
const noToasts = `<div id="toasts" class="toasts" aria-live="polite"></div>`

// clock is moved by tests.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

// journal keeps what was logged.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
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

// start brings a world up. Changes to the configuration of the pages come last.
func start(t testing.TB, changes ...func(*Config)) *world {
	t.Helper()
	return startWith(t, func(*api.Config) {}, changes...)
}

// startWith is start with a change to the configuration of the API.
func startWith(t testing.TB, change func(*api.Config), changes ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{at: time.Now().UTC().Truncate(time.Microsecond)}, log: &journal{}, made: map[access.Role]access.Token{}, texts: map[access.Role]string{}}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.pool = projectortest.Built(t, projections.Definitions())
	var ring func(string, int64)
	w.store = eventstore.New(w.pool, eventstore.NewCodec(catalog.Events()...), eventstoretest.Keys(t, w.pool),
		eventstore.WithBell(func(tenant string, position int64) { ring(tenant, position) }))
	if err := w.store.CreateTenant(t.Context(), "acme", "青屿生活"); err != nil {
		t.Fatal(err)
	}
	var err error
	w.projector, err = projector.New(projector.Config{Store: w.store, Definitions: projections.Definitions(), Log: log, Sweep: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ring = w.projector.Ring
	if err := w.projector.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	w.stop = func() { cancel(); running.Wait() }
	t.Cleanup(w.stop)
	running.Go(func() {
		if err := w.projector.Run(ctx); err != nil {
			t.Errorf("projector: %v", err)
		}
	})
	w.center = commands.NewCenter(w.store, w.clock.now, func() uuid.UUID { return uuid.Must(uuid.NewV7()) })
	w.runner = jobs.NewRunner(jobs.Config{Store: w.store, Center: w.center, Builds: w.projector, Log: log, Now: w.clock.now})
	w.tokens = access.NewTokens(w.pool, w.clock.now, w.store.Secret)
	w.signIns = access.NewSignIns(w.pool, w.clock.now)
	catalogues := projections.NewCatalogues(w.store)
	groups := projections.NewGroups(w.store, w.projector, catalogues)
	if w.past, err = asof.New(asof.Config{Store: w.store, Projector: w.projector, Log: log}); err != nil {
		t.Fatal(err)
	}
	calls := api.Config{
		AsOf:  w.past,
		Store: w.store, Center: w.center, Projector: w.projector, Catalogues: catalogues, Channels: ingest.NewHandler(w.center),
		Customers: projections.NewCustomers(w.store, w.projector, catalogues).WithClock(w.clock.now).WithGroups(groups), Groups: groups,
		Sessions: projections.NewSessions(w.store, w.projector),
		Lags:     []func(context.Context) ([]api.Lag, error){func(context.Context) ([]api.Lag, error) { return w.lags, nil }},
		Jobs:     jobs.NewRunner(jobs.Config{Store: w.store, Center: w.center, Builds: w.projector, Log: log, Now: w.clock.now}),
		Tokens:   w.tokens, Answers: access.NewAnswers(w.pool, w.clock.now), Now: w.clock.now, Log: log, Limits: api.Limits{Requests: 1000, SignIns: 5},
		Background: func(work func(context.Context)) { running.Go(func() { work(ctx) }) },
	}
	change(&calls)
	w.api = api.New(calls)
	config := Config{API: w.api, SignIns: w.signIns, Now: w.clock.now, Log: log}
	for _, change := range changes {
		change(&config)
	}
	w.server = httptest.NewServer(New(config))
	t.Cleanup(w.server.Close)
	for _, role := range access.Roles() {
		n := access.New{Tenant: "acme", Role: role, Actor: map[access.Role]string{"admin": "shen.zhiyao", "agent": "he.yunzhou"}[role], Name: "of a test"}
		switch role {
		case access.Operator:
			n.Tenant = ""
		case access.Channel:
			n.Association = 1
		}
		if n.Actor == "" {
			n.Actor = string(role) + "-1"
		}
		if w.texts[role], w.made[role], err = w.tokens.Create(t.Context(), n, nil); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// by is an admin of acme.
func by() commands.By {
	return commands.By{Tenant: "acme", Actor: eventstore.Actor{Kind: "admin", ID: "shen.zhiyao"}}
}

// seen waits until every read model includes all that was written.
func (w *world) seen() {
	w.t.Helper()
	head, err := w.store.Head(w.t.Context(), "acme")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range projections.Definitions() {
		if _, fresh, err := w.projector.WaitFor(w.t.Context(), d.Name, "acme", head, longest); err != nil || !fresh {
			w.t.Fatalf("%s has not got to %d: %v", d.Name, head, err)
		}
	}
}

// visitor is a browser without script.
type visitor struct {
	w      *world
	client *http.Client
	header http.Header
}

// visitor returns a browser in which nobody is signed in, in a language: zh or en.
func (w *world) visitor(language string) *visitor {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	w.t.Cleanup(client.CloseIdleConnections)
	return &visitor{w: w, client: client, header: http.Header{"Accept-Language": {language}, "Sec-Fetch-Site": {"same-origin"}}}
}

// as returns a browser in which somebody of a role is signed in.
func (w *world) as(role access.Role, language string) *visitor {
	w.t.Helper()
	v := w.visitor(language)
	v.post("/sign-in", url.Values{"token": {w.texts[role]}}).want(http.StatusSeeOther)
	return v
}

// in is the same browser, with its user, in another language.
func (v *visitor) in(language string) *visitor {
	other := *v
	other.header = v.header.Clone()
	other.header.Set("Accept-Language", language)
	return &other
}

// shown is a page as it came.
type shown struct {
	t      testing.TB
	path   string
	status int
	header http.Header
	body   string
	again  func(language string) shown // asks for the page once more
}

func (v *visitor) get(path string) shown {
	v.w.t.Helper()
	return v.do(http.MethodGet, path, nil)
}

func (v *visitor) post(path string, form url.Values) shown {
	v.w.t.Helper()
	return v.do(http.MethodPost, path, form)
}

// send posts a form and goes where it leads.
func (v *visitor) send(path string, form url.Values) shown {
	v.w.t.Helper()
	answer := v.post(path, form).want(http.StatusSeeOther)
	return v.get(answer.header.Get("Location"))
}

func (v *visitor) do(method, path string, form url.Values) shown {
	t := v.w.t
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(t.Context(), method, v.w.server.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = v.header.Clone()
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := v.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	again := func(language string) shown { t.Helper(); return v.in(language).do(method, path, form) }
	return shown{t: t, path: method + " " + path, status: answer.StatusCode, header: answer.Header, body: string(text), again: again}
}

func (s shown) want(status int) shown {
	s.t.Helper()
	if s.status != status {
		s.t.Fatalf("%s: got %d, want %d: %s", s.path, s.status, status, s.body)
	}
	return s
}

// says checks that a page has these texts.
func (s shown) says(texts ...string) shown {
	s.t.Helper()
	for _, text := range texts {
		if !strings.Contains(s.body, text) {
			s.t.Errorf("%s does not say %q:\n%s", s.path, text, s.body)
		}
	}
	return s
}

// hides checks that a page has none of these texts.
func (s shown) hides(texts ...string) shown {
	s.t.Helper()
	for _, text := range texts {
		if strings.Contains(s.body, text) {
			s.t.Errorf("%s says %q:\n%s", s.path, text, s.body)
		}
	}
	return s
}
