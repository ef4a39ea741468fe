package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// Flood measures what people of one tenant notice while another asks for as much as it can: the p99 of their requests, against that in quiet, in
// the same run; and once more without the limits that are to keep the tenants apart.
type Flood struct {
	URL       string // of an empty database; it is migrated
	Rounds    int    // of quiet, flood, and flood without limits in turn
	Each      time.Duration
	Customers int // of the tenant that floods; the other has a tenth
}

type floodBench struct {
	Flood
	plant   *plant
	engine  *projector.Projector
	client  *http.Client
	flooder string              // token
	calm    string              // token
	asked   []string            // ids of the calm tenant's customers
	servers [2]*httptest.Server // with the limits, and without
}

const (
	floodTenant, calmTenant = "bench", "calm"
	floodClients            = 64
	calmRequests            = 50 // a second
)

// floodLimits are those that the program has if nobody says otherwise.
var floodLimits = api.Limits{Requests: 1000, SignIns: 10, Turns: 4, UnderWay: 256, Streams: 128}

// Run prints two lines.
func (f Flood) Run(ctx context.Context, report *Report) (err error) {
	b := &floodBench{Flood: f}
	if b.plant, err = connectPlant(ctx, f.URL, floodTenant, eventstore.WithBell(func(tenant string, position int64) {
		if b.engine != nil { // not while the log is loaded
			b.engine.Ring(tenant, position)
		}
	})); err != nil {
		return err
	}
	defer b.plant.close()
	if err := b.fill(ctx, report); err != nil {
		return err
	}
	if err := b.serve(ctx); err != nil {
		return err
	}
	defer b.servers[0].Close()
	defer b.servers[1].Close()
	fed, stop := running(ctx, b.engine.Run)
	defer func() { err = errors.Join(err, stop()) }()
	report.Heading("flood: %d clients of a tenant of %d customers ask for what is expensive; the p99 of another tenant's %d requests a second, against quiet; to reach: at most 2 times", floodClients, f.Customers, calmRequests)
	phases := []struct {
		name string
		on   *httptest.Server
		took []time.Duration
		made *flooded
	}{{"quiet", b.servers[0], nil, nil}, {"flood", b.servers[0], nil, &flooded{}}, {"flood without limits", b.servers[1], nil, &flooded{}}}
	for range f.Rounds {
		for i := range phases {
			p := &phases[i]
			took, err := b.calmly(fed, p.on.URL, p.made)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			p.took = append(p.took, took...)
		}
	}
	quiet := phases[0].took
	for _, p := range phases[1:] {
		report.Print(Line{Case: p.name + ": the other tenant's requests, p99", Unit: "ms", Value: Percentile(p.took, 99),
			Note: fmt.Sprintf("%d requests; quiet p50 %.2f ms; of the flood %d were answered and %d turned away", len(p.took), Percentile(quiet, 50), p.made.answered.Load(), p.made.refused.Load()),
		}.Against(Percentile(quiet, 99)).Latency(p.took))
	}
	return nil
}

// fill loads a year of each tenant, and folds it into the read models that are asked.
func (b *floodBench) fill(ctx context.Context, report *Report) error {
	if err := b.plant.begin(ctx); err != nil {
		return err
	}
	if err := b.plant.store.CreateTenant(ctx, calmTenant, calmTenant); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	for tenant, customers := range map[string]int{floodTenant: b.Customers, calmTenant: max(b.Customers/10, 1)} {
		secret, err := b.plant.store.Secret(ctx, tenant)
		if err != nil {
			return err
		}
		y, err := newYear(secret, customers, time.Now().UTC().Truncate(time.Second))
		if err != nil {
			return err
		}
		if err := b.plant.store.Load(ctx, tenant, y.log(), nil); err != nil || y.err != nil {
			return errors.Join(err, y.err)
		}
		report.Tell("the log of %s is there", tenant)
	}
	if err := b.plant.settle(ctx); err != nil {
		return err
	}
	var err error
	if b.engine, err = projector.New(projector.Config{Store: b.plant.store, Definitions: models(), Log: slog.New(slog.DiscardHandler)}); err != nil {
		return err
	}
	if err := b.engine.EnsureBuilt(ctx, nil); err != nil {
		return err
	}
	_, err = b.plant.pool.Exec(ctx, `vacuum (analyze)`)
	return err
}

// serve starts the API twice, with the limits and without, and finds whom can be asked for.
func (b *floodBench) serve(ctx context.Context) error {
	store, silent := b.plant.store, slog.New(slog.DiscardHandler)
	catalogues := projections.NewCatalogues(store)
	groups := projections.NewGroups(store, b.engine, catalogues)
	customers := projections.NewCustomers(store, b.engine, catalogues).WithGroups(groups)
	tokens := access.NewTokens(b.plant.pool, time.Now, store.Secret)
	for tenant, token := range map[string]*string{floodTenant: &b.flooder, calmTenant: &b.calm} {
		var err error
		if *token, _, err = tokens.Create(ctx, access.New{Tenant: tenant, Role: access.Admin, Actor: "bench"}, nil); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
	}
	for i, limits := range []api.Limits{floodLimits, {}} {
		handler := api.New(api.Config{Store: store, Center: b.plant.center, Projector: b.engine, Catalogues: catalogues, Channels: b.plant.handler, Customers: customers, Groups: groups,
			Sessions: projections.NewSessions(store, b.engine), Tokens: tokens, Answers: access.NewAnswers(b.plant.pool, time.Now), Log: silent, Limits: limits})
		b.servers[i] = httptest.NewUnstartedServer(handler)
		b.servers[i].Config = api.Server(handler, silent)
		b.servers[i].Start()
	}
	b.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * floodClients}, Timeout: time.Minute}
	page, err := customers.List(ctx, calmTenant, projections.ListQuery{Limit: projections.MaxLimit, At: time.Now()})
	for _, c := range page.Items {
		b.asked = append(b.asked, c.ID.String())
	}
	return err
}

// flooded counts what a flood came to.
type flooded struct{ answered, refused atomic.Int64 }

// calmly makes requests of the calm tenant at their pace, each from when it was due, while the other tenant floods, if it is to.
func (b *floodBench) calmly(ctx context.Context, url string, made *flooded) (took []time.Duration, err error) {
	group, ctx := errgroup.WithContext(ctx)
	flooding, over := context.WithCancel(ctx)
	defer over()
	if made != nil {
		for client := range floodClients {
			group.Go(func() error { return b.flood(flooding, url, client, made) })
		}
		if err := rest(ctx, min(b.Each/2, time.Second)); err != nil { // until it has risen
			return nil, err
		}
	}
	var mu sync.Mutex
	var calm sync.WaitGroup
	pace, random := newPace(calmRequests), rand.New(rand.NewPCG(1, 1))
	for range max(int(5*b.Each.Seconds()*calmRequests), 10) {
		due, n := pace.wait(ctx), random.IntN(1<<30)
		calm.Add(1)
		group.Go(func() error {
			defer calm.Done()
			status, err := b.ask(ctx, url, b.calm, b.usual(n))
			if err == nil && status >= 400 {
				err = fmt.Errorf("bench: a request of the other tenant is answered with %d", status)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(due))
			return err
		})
	}
	calm.Wait()
	over()
	return took, group.Wait()
}

// flood makes one request after the other until it is over.
func (b *floodBench) flood(ctx context.Context, url string, client int, made *flooded) error {
	random := rand.New(rand.NewPCG(2, uint64(client)))
	for ctx.Err() == nil {
		switch status, err := b.ask(ctx, url, b.flooder, expensive(random)); {
		case ctx.Err() != nil:
		case err != nil:
			return err
		case status == http.StatusTooManyRequests:
			made.refused.Add(1)
		case status >= 400 && status != http.StatusGatewayTimeout:
			return fmt.Errorf("bench: a request of the flood is answered with %d", status)
		default:
			made.answered.Add(1)
		}
	}
	return nil
}

// request is one to the API.
type request struct{ method, path, body string }

// usual is what people do all day: look at the list, look for somebody, look at one, note something.
func (b *floodBench) usual(n int) request {
	who := "/v1/customers/" + b.asked[n%len(b.asked)]
	switch n / len(b.asked) % 4 {
	case 0:
		return request{"GET", "/v1/customers", ""}
	case 1:
		return request{"POST", "/v1/customers/search", `{"filter":{"field":"name","op":"contains","value":"王"}}`}
	case 2:
		return request{"GET", who, ""}
	}
	return request{"PATCH", who, fmt.Sprintf(`{"profile":{"description":"回访 %d"}}`, n)}
}

// expensive is a request that costs as much as one may.
func expensive(random *rand.Rand) request {
	n := random.IntN(900) + 100
	switch random.IntN(5) {
	case 0:
		return request{"POST", "/v1/customers/search", fmt.Sprintf(`{"limit":200,"sort":"nickname","filter":{"field":"any_text","op":"not_contains","value":"%d"},"facets":["tags","groups","channel","association"]}`, n)}
	case 1:
		return request{"POST", "/v1/customers/search", fmt.Sprintf(`{"limit":200,"filter":{"any":[{"field":"description","op":"contains","value":"%d"},{"field":"email","op":"contains","value":"q%d"}]}}`, n, n)}
	case 2:
		return request{"POST", "/v1/customers/search", fmt.Sprintf(`{"limit":200,"sort":"-last_session_at","filter":{"all":[{"field":"session_count","op":"gte","value":%d},{"field":"phone","op":"contains","value":"%d"}]}}`, n%20, n)}
	case 3:
		return request{"POST", "/v1/groups/preview", fmt.Sprintf(`{"rule":{"field":"last_session_at","op":"older_than","value":{"minutes":%d}}}`, n)}
	}
	return request{"GET", "/v1/customers?filter=%7B%7D&limit=200&facets=tags,groups,channel,association,created_via,blacklisted,session_open", ""}
}

// ask makes a request, and reads the answer to its end.
func (b *floodBench) ask(ctx context.Context, url, token string, what request) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, what.method, url+what.path, bytes.NewReader([]byte(what.body)))
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if what.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := b.client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	defer answer.Body.Close()
	if _, err = io.Copy(io.Discard, answer.Body); err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	return answer.StatusCode, nil
}
