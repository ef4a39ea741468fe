package pages

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain/settings"
)

// While read models lag behind, a page tells what was written, says that it is catching up, and looks again by itself: once.
func TestAPageThatCannotShowTheWriteYet(t *testing.T) {
	w := start(t)
	w.associations()
	w.seen()
	v := w.as(access.Admin, "zh")
	w.stop()
	to := v.post("/tags", url.Values{"name": {"VIP"}}).want(http.StatusSeeOther).header.Get("Location")
	began := time.Now()
	v.get(to).want(http.StatusOK).says("已添加标签“VIP”", "列表正在更新", `hx-get="/tags" hx-trigger="load delay:1s"`, `http-equiv="refresh"`)
	if took := time.Since(began); took < patience || took > 3*patience {
		t.Errorf("the page waited %s", took)
	}
	v.get(to).says("已添加标签“VIP”", "列表正在更新", ">刷新<").hides("hx-trigger", `http-equiv="refresh"`)
	v.get(to).says("列表正在更新").hides("已添加标签“VIP”", "hx-trigger")
	w.clock.move(time.Minute)
	v.get(to).hides("列表正在更新") // what was written then, nobody waits for any more
}

// While read models lag behind, a page waits once, whatever it asks for: also for what it asks by a POST.
func TestAPageWaitsOnce(t *testing.T) {
	var waits atomic.Int64
	w := start(t, func(c *Config) {
		inside := c.API
		c.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-After-Position") != "" {
				waits.Add(1)
			}
			inside.ServeHTTP(w, r)
		})
	})
	w.crowd()
	v := w.as(access.Admin, "zh")
	for i := range 3 {
		name := fmt.Sprint("view ", i)
		run(w, commands.SaveView{ViewDraft: commands.ViewDraft{Name: &name, Filter: condition("channel", "in", []string{"app"}), Admin: true}})
	}
	w.seen()
	w.stop()
	v.post("/tags", url.Values{"name": {"another"}}).want(http.StatusSeeOther)
	waits.Store(0)
	v.get("/customers/tabs").want(http.StatusOK).says("view 2")
	if n := waits.Load(); n != 1 {
		t.Errorf("the page waited %d times", n)
	}
}

// The list asks as often for fifty customers in session as for one.
func TestTheListAsksForItsSessionsOnce(t *testing.T) {
	var asked atomic.Int64
	w := start(t, func(c *Config) {
		inside := c.API
		c.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/v1/sessions") {
				asked.Add(1)
			}
			inside.ServeHTTP(w, r)
		})
	})
	w.associations()
	for i := range 3 {
		w.wrote(fmt.Sprint("qy_", i), "在吗", time.Minute)
	}
	w.seen()
	page := w.as(access.Admin, "zh").get("/customers").want(http.StatusOK)
	if n := strings.Count(page.body, ">待接起<"); n != 3 || asked.Load() != 1 {
		t.Errorf("%d sessions, asked for %d times", n, asked.Load())
	}
}

// withPage adds a page for one test.
func withPage(t *testing.T, routes func(p *Pages, r chi.Router)) {
	t.Helper()
	before := all
	all = append(slices.Clone(all), page{routes: routes, takesFile: "/pass/imports"})
	t.Cleanup(func() { all = before })
}

// Files go through in both directions as they come, and so do events of jobs.
func TestPassingFilesAndEventsThrough(t *testing.T) {
	withPage(t, func(_ *Pages, r chi.Router) {
		r.Post("/pass/imports", func(_ http.ResponseWriter, r *http.Request) { visitOf(r).pass(http.MethodPost, "/v1/imports") })
		r.Get("/pass/template", func(_ http.ResponseWriter, r *http.Request) {
			visitOf(r).pass(http.MethodGet, "/v1/imports/template?lang=zh")
		})
		r.Get("/pass/jobs/{id}", func(_ http.ResponseWriter, r *http.Request) {
			visitOf(r).pass(http.MethodGet, "/v1/jobs/"+chi.URLParam(r, "id")+"/events")
		})
	})
	w := start(t)
	w.associations()
	run(w, commands.GrantEntitlement{Entitlement: settings.EntitlementImport})
	w.seen()
	v := w.as(access.Admin, "zh")

	file := v.get("/pass/template").want(http.StatusOK)
	if !strings.HasPrefix(file.body, "PK") || !strings.Contains(file.header.Get("Content-Disposition"), "filename") || file.header.Get("Content-Security-Policy") != policy {
		t.Errorf("%d bytes, %v", len(file.body), file.header)
	}

	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	part, err := m.CreateFormFile("file", "people.csv")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(part, "ID,Nickname,Association ID\n"+strings.Repeat("qy,somebody,1\n", 100_000)) // more than a form may have
	_ = m.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/pass/imports", &form)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = v.header.Clone()
	r.Header.Set("Content-Type", m.FormDataContentType())
	answer, err := v.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusCreated {
		t.Fatalf("got %d: %s", answer.StatusCode, text)
	}
	id := regexpID.FindString(string(text))
	run(w, commands.StartImport{Import: uuid.MustParse(id)}) // nobody works on it

	// The first event comes while the job goes on: nothing waits for the end of the answer.
	r, _ = http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/pass/jobs/"+id, nil)
	r.Header = v.header.Clone()
	events, err := v.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	first := make([]byte, 15)
	if _, err := io.ReadFull(events.Body, first); err != nil || string(first) != "event: progress" || events.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("got %q, %v (%v)", first, events.Header, err)
	}
	events.Body.Close()

	v.get("/pass/jobs/0190a1b2-0000-7000-8000-000000000000").want(http.StatusNotFound).says("<!doctype html>", "NOT_FOUND")
	w.as(access.Agent, "en").get("/pass/template").want(http.StatusForbidden).says("FORBIDDEN")
}

// A handler that panics is answered with a page, and tells nothing of why.
func TestABrokenPage(t *testing.T) {
	withPage(t, func(_ *Pages, r chi.Router) {
		r.Get("/broken", func(http.ResponseWriter, *http.Request) { panic("王小明") })
		r.Get("/unknown", func(_ http.ResponseWriter, r *http.Request) {
			visitOf(r).show(http.StatusOK, "no such template", "", nil)
		})
	})
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/broken").want(http.StatusInternalServerError).says("页面没能打开", "编号").hides("王小明")
	v.get("/unknown").want(http.StatusInternalServerError).says("页面没能打开")
	if strings.Contains(w.log.String(), "王小明") || !strings.Contains(w.log.String(), "pages: panic") {
		t.Errorf("logged: %s", w.log)
	}
}

func TestWhatIsWrongWithAField(t *testing.T) {
	err := &api.Problem{Detail: "all", Errors: []api.FieldError{{Location: "name", Detail: "too long"}, {Location: "profile.email", Detail: "no address"}}}
	for field, want := range map[string]string{"name": "too long", "profile.email": "no address", "other": ""} {
		if got := wrong(err, field, true); got != want {
			t.Errorf("%s: %q", field, got)
		}
	}
	if got := wrong(&api.Problem{Detail: "there is one"}, "name", true); got != "there is one" {
		t.Errorf("got %q", got)
	}
	if got := wrong(io.EOF, "name", true); got != "" {
		t.Errorf("got %q", got)
	}
}

// A page that cannot be shown now says when to come again: what the API said, or a second if nobody can even be recognised.
func TestAPageSaysWhenToComeAgain(t *testing.T) {
	refuse := false
	w := start(t, func(c *Config) {
		calls := c.API
		c.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !refuse {
				calls.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"status": 503, "code": "UNAVAILABLE", "title": "Not available", "detail": "Try again."}`)
		})
	})
	v := w.as(access.Admin, "en")
	v.get("/tags").want(http.StatusOK)
	refuse = true
	if got := v.get("/tags").want(http.StatusServiceUnavailable).header.Get("Retry-After"); got != "7" {
		t.Errorf("Retry-After %q", got)
	}
	nowhere, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/nothing")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nowhere.Close)
	w = start(t, func(c *Config) { c.SignIns = access.NewSignIns(nowhere, time.Now) })
	if got := w.visitor("en").post("/sign-in", url.Values{"token": {w.texts[access.Admin]}}).want(http.StatusServiceUnavailable).header.Get("Retry-After"); got != "1" {
		t.Errorf("without a database: Retry-After %q", got)
	}
}
