package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/api/pages"
	"customercenter/projections"
)

// browser is somebody who is signed in at the pages of the list, over HTTP.
type browser struct {
	url    string
	client *http.Client
}

// pages measures the list as people get it: from the request until the first byte of the whole page, over HTTP on this machine.
func (b *listBench) pages(ctx context.Context) error {
	if b.Ungrouped {
		b.report.Tell("the pages are not measured: they show groups")
		return nil
	}
	server, admin, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer server.Close()
	b.report.Heading("list: the page in the browser, first byte, p95, one after the other, against a page that asks nothing of the list; to reach: below 60 ms")
	idle, _, err := admin.often(ctx, "/customers/columns", b.Each)
	if err != nil {
		return err
	}
	for _, k := range []struct {
		name string
		ask  func(context.Context) (path string, err error)
	}{
		{"this week", static("/customers")},
		{"everybody", static("/customers?view=all")},
		{"everybody, next page", func(ctx context.Context) (string, error) { return admin.next(ctx, "/customers?view=all") }},
		{"everybody by last session, many of whom are in one", static("/customers?view=all&sort=-last_session_at")},
		{"everybody by nickname", static("/customers?view=all&sort=nickname")},
		{"tag, common", static("/customers?view=all&filter=" + url.QueryEscape(tagged("has_any", b.tag(1)).question().filter))},
		{"1 character", func(ctx context.Context) (string, error) { return admin.search(ctx, "王") }},
		{"2 characters", func(ctx context.Context) (string, error) { return admin.search(ctx, "王芳") }},
		{"counts of the tabs", static("/customers/tabs")},
		{"dialog of the filter, with counts", static("/customers/filter")},
	} {
		path, err := k.ask(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		took, size, err := admin.often(ctx, path, b.Each)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		most := Percentile(took, 100)
		b.report.Print(Line{Case: "list page: " + k.name, Unit: "ms", Value: Percentile(took, 95), Max: &most, Note: fmt.Sprintf("%d kB", (size+999)/1000)}.
			Against(Percentile(idle, 95)).Latency(took))
	}
	return nil
}

func static(path string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return path, nil }
}

// serve starts the API and the pages, and signs an admin in.
func (b *listBench) serve(ctx context.Context) (*httptest.Server, *browser, error) {
	now := func() time.Time { return b.at }
	catalogues := projections.NewCatalogues(b.plant.store)
	groups := projections.NewGroups(b.plant.store, b.engine, catalogues)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	tokens, signIns := access.NewTokens(b.plant.pool, now, b.plant.store.Secret), access.NewSignIns(b.plant.pool, now)
	calls := api.New(api.Config{
		Store: b.plant.store, Center: b.plant.center, Projector: b.engine, Catalogues: catalogues, Channels: b.plant.handler,
		Customers: projections.NewCustomers(b.plant.store, b.engine, catalogues).WithClock(now).WithGroups(groups), Groups: groups,
		Sessions: projections.NewSessions(b.plant.store, b.engine), Tokens: tokens, Answers: access.NewAnswers(b.plant.pool, now), Now: now, Log: log,
		Background: func(func(context.Context)) {},
	})
	_, token, err := tokens.Create(ctx, access.New{Tenant: b.plant.tenant, Role: access.Admin, Actor: "bench", Name: "bench of the pages"}, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("bench: %w", err)
	}
	secret, err := signIns.Open(ctx, token.ID)
	if err != nil {
		return nil, nil, fmt.Errorf("bench: %w", err)
	}
	server := httptest.NewServer(pages.New(pages.Config{API: calls, SignIns: signIns, Now: now, Log: log}))
	jar, err := cookiejar.New(nil)
	if err == nil {
		var address *url.URL
		if address, err = url.Parse(server.URL); err == nil {
			jar.SetCookies(address, []*http.Cookie{{Name: "cc_sign_in", Value: secret}})
		}
	}
	if err != nil {
		server.Close()
		return nil, nil, fmt.Errorf("bench: %w", err)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return server, &browser{server.URL, &http.Client{Jar: jar, CheckRedirect: stay}}, nil
}

// get asks for a page, and tells when its first byte came.
func (w *browser) get(ctx context.Context, path string) (first time.Duration, body string, err error) {
	began := time.Now()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() { first = time.Since(began) }})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+path, nil)
	if err != nil {
		return 0, "", fmt.Errorf("bench: %w", err)
	}
	answer, err := w.client.Do(r)
	if err != nil {
		return 0, "", fmt.Errorf("bench: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, "", fmt.Errorf("bench: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return 0, "", fmt.Errorf("bench: %s is answered with %s", path, answer.Status)
	}
	return first, string(text), nil
}

// often asks for a page again and again, and tells when each first byte came, and how large the page is.
func (w *browser) often(ctx context.Context, path string, lasting time.Duration) (took []time.Duration, size int, err error) {
	for i, began := 0, time.Now(); i < 3 || i < 5*questions && time.Since(began) < lasting; i++ {
		first, body, err := w.get(ctx, path)
		if err != nil {
			return nil, 0, err
		}
		if size = len(body); i > 0 { // the first warms up
			took = append(took, first)
		}
	}
	return took, size, nil
}

// search looks for a name, and returns where it leads.
func (w *browser) search(ctx context.Context, needle string) (string, error) {
	form := url.Values{"view": {"all"}, "needle": {needle}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/customers", strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := w.client.Do(r)
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther {
		return "", fmt.Errorf("bench: a search is answered with %s", answer.Status)
	}
	return answer.Header.Get("Location"), nil
}

var toNext = regexp.MustCompile(`href="([^"]*)" rel="next"`)

// next returns where the next page of a list is.
func (w *browser) next(ctx context.Context, path string) (string, error) {
	_, body, err := w.get(ctx, path)
	if err != nil {
		return "", err
	}
	found := toNext.FindStringSubmatch(body)
	if found == nil {
		return "", errors.New("bench: the list has one page")
	}
	return strings.ReplaceAll(found[1], "&amp;", "&"), nil
}
