package main

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/api/pages"
	"customercenter/eventstore/relay"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// slow is how far the relay or a read model may be behind while the process still calls itself ready.
const slow = time.Minute

// limitFlags say how often the API may be asked. Each process counts by itself.
type limitFlags struct {
	RateLimit      int      `help:"Requests per second that one token may make, on average over ten seconds; a channel's five times as many. 0: no limit." default:"1000"`
	SignInLimit    int      `help:"Invalid tokens per minute that one client address may try before it is turned away. 0: no limit." default:"10"`
	TrustedProxies []string `help:"Addresses, or ranges like 10.0.0.0/8, of the proxies before this process: who tries invalid tokens is then known by what they add to X-Forwarded-For. Without, all who come through a proxy count as one." placeholder:"ADDRESS"`
	TenantTurns    int      `help:"Requests of one tenant that are worked on at the same time; others of it wait, up to 10 seconds. 0: no limit." default:"4"`
	TenantUnderWay int      `help:"Requests that one tenant may have under way, those that wait included, before it is turned away. 0: no limit." default:"256"`
	Connections    int      `help:"Connections over HTTP that may be open at once; more wait until one is closed. Never more than the system lets the process open files, less 500. 0: no limit but that." default:"10000"`
	TenantStreams  int      `help:"Uploads, downloads and followed jobs and logs that one tenant may have under way. 0: no limit." default:"128"`
}

func (f limitFlags) limits() (api.Limits, error) {
	if min(f.RateLimit, f.SignInLimit, f.TenantTurns, f.TenantUnderWay, f.TenantStreams, f.Connections) < 0 {
		return api.Limits{}, usageError{"--connections, --rate-limit, --sign-in-limit, --tenant-turns, --tenant-under-way and --tenant-streams take 0, for no limit, or more"}
	}
	var proxies []netip.Prefix
	for _, text := range f.TrustedProxies {
		of, err := netip.ParsePrefix(text)
		if one, is := netip.ParseAddr(text); is == nil {
			of, err = netip.PrefixFrom(one.Unmap(), one.Unmap().BitLen()), nil
		}
		if err != nil {
			return api.Limits{}, usageError{fmt.Sprintf("--trusted-proxies: %q is no address and no range like 10.0.0.0/8", text)}
		}
		proxies = append(proxies, of.Masked())
	}
	return api.Limits{Proxies: proxies, Requests: f.RateLimit, SignIns: f.SignInLimit, Turns: f.TenantTurns, UnderWay: f.TenantUnderWay, Streams: f.TenantStreams}, nil
}

// pageFlags say how people see the pages.
type pageFlags struct {
	Pages     bool   `help:"Serve the admin pages beside the API." default:"true" negatable:""`
	PublicURL string `help:"Where people find the pages, if a proxy stands before this process, for example https://cc.example.com. With https, cookies are for https only." placeholder:"URL"`
	PageParts bool   `help:"Serve /_parts, which shows all parts of the pages; for development." hidden:""`
}

// check refuses a public address that browsers could not use.
func (f pageFlags) check() error {
	if f.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(f.PublicURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return usageError{"--public-url takes http:// or https:// and a host, without a path"}
	}
	return nil
}

// httpHandler serves the API and, beside it, the pages. Answers that have no end of their own end with until.
func (n *node) httpHandler(until context.Context) http.Handler {
	calls := n.apiHandler(until)
	if !n.pages.Pages {
		return calls
	}
	shown := pages.New(pages.Config{API: calls, SignIns: n.signIns, PublicURL: n.pages.PublicURL, Accounts: n.accounts, AccountsFor: n.accountsFor, Parts: n.pages.PageParts, Log: n.log})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if api.Owns(r.URL.Path) {
			calls.ServeHTTP(w, r)
		} else {
			shown.ServeHTTP(w, r)
		}
	})
}

func (n *node) apiHandler(until context.Context) http.Handler {
	groups := projections.NewGroups(n.store, n.projector, n.catalogues)
	return api.New(api.Config{
		Store: n.store, Center: n.center, Projector: n.projector, Catalogues: n.catalogues,
		Customers: projections.NewCustomers(n.store, n.projector, n.catalogues).WithGroups(groups), Groups: groups, Sessions: projections.NewSessions(n.store, n.projector),
		AsOf:        n.asOf,
		Jobs:        n.jobs,
		DeadLetters: n.dead,
		Lags:        []func(context.Context) ([]api.Lag, error){n.relayLag, n.policyLag},
		Tokens:      n.tokens, Answers: access.NewAnswers(n.pool, time.Now), Channels: n.handler,
		Checks:  n.checks([]string{roleAPI}),
		Metrics: n.metrics, Tracer: n.tracer, Log: n.log, Limits: n.limits, Bells: n.bells, Until: until,
		Background: func(work func(ctx context.Context)) { n.work.Go(func() { work(n.ctx) }) },
	})
}

func (n *node) databaseWell(ctx context.Context) (bool, string) {
	if err := n.pool.Ping(ctx); err != nil {
		return false, "Postgres does not answer."
	}
	return true, "Postgres answers."
}

func (n *node) busWell(ctx context.Context) (bool, string) {
	if _, err := n.js.AccountInfo(ctx); err != nil {
		return false, "JetStream does not answer."
	}
	return true, "JetStream answers."
}

func (n *node) relayWell(ctx context.Context) (bool, string) {
	all, err := relay.Status(ctx, n.store)
	if err != nil {
		return false, "The relay's cursors cannot be read."
	}
	var worst relay.TenantStatus
	for _, t := range all {
		if t.Stopped != "" {
			return false, "The relay stands still for a tenant; `customercenter relay` says for which and why."
		}
		if t.Behind > worst.Behind {
			worst = t
		}
	}
	if worst.Behind > slow {
		return false, fmt.Sprintf("The relay is %d events and %s behind for a tenant.", worst.Lag(), worst.Behind.Round(time.Second))
	}
	return true, "The log is carried to the bus."
}

func (n *node) projectionsWell(ctx context.Context) (bool, string) {
	all, err := n.projector.Status(ctx)
	if err != nil {
		return false, "The checkpoints cannot be read."
	}
	for _, s := range all {
		if s.State != projector.StatusLive {
			continue
		}
		if s.Stopped != "" {
			return false, fmt.Sprintf("%s stands still for a tenant; `customercenter projections` says for which and why.", s.Projection)
		}
		if s.LagSeconds > slow.Seconds() {
			return false, fmt.Sprintf("%s is %d events and %.0f s behind for a tenant.", s.Projection, s.LagEvents, s.LagSeconds)
		}
	}
	return true, "The read models are up to date."
}

func (n *node) relayLag(ctx context.Context) (all []api.Lag, err error) {
	carried, err := relay.Status(ctx, n.store)
	for _, t := range carried {
		all = append(all, api.Lag{Part: roleRelay, Tenant: t.Tenant, Position: t.Position, Head: t.Head, LagEvents: t.Lag(), LagSeconds: t.Behind.Seconds(), Stopped: t.Stopped})
	}
	return all, err
}

func (n *node) policyLag(ctx context.Context) (all []api.Lag, err error) {
	dealt, err := n.policies.Status(ctx)
	for _, p := range dealt {
		all = append(all, api.Lag{Part: p.Policy, Tenant: p.Tenant, Position: p.Position, Head: p.Head, LagEvents: p.Lag(), LagSeconds: p.Behind.Seconds()})
	}
	return all, err
}
