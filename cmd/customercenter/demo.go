package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"customercenter/api/access"
	"customercenter/api/ingest"
	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/settings"
	"customercenter/eventstore"
	"customercenter/internal/traffic"
	"customercenter/projections"
)

const demoTenant = "demo"

// demo is what --demo has set up. It is kept in demo.json (owner only) beside run.json, so that the next start goes on with it.
type demo struct {
	// Start is the instant the first traffic begins at. The same start and seed give the same events, so that a first start that
	// was killed half-way is simply done again: what had arrived is recognised.
	Start        time.Time             `json:"start"`
	Events       int                   `json:"events"`
	Sent         bool                  `json:"sent"`
	Associations []traffic.Association `json:"associations"`
	Tokens       map[string]string     `json:"tokens"`

	path string
}

// openDemo creates the demo tenant with everything it needs, or finds it.
func (n *node) openDemo(ctx context.Context, c *upCommand) (*demo, error) {
	d := &demo{path: filepath.Join(c.Data, "demo.json")}
	text, err := os.ReadFile(d.path)
	if err == nil {
		err = json.Unmarshal(text, d)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", d.path, err)
	}
	if err := ingest.EnsureStreams(ctx, n.js, 1, 0); err != nil { // the traffic may be quicker than the consumer
		return nil, err
	}
	if err := n.store.CreateTenant(ctx, demoTenant, "演示 Demo"); err != nil && !errors.Is(err, eventstore.ErrTenantExists) {
		return nil, err
	}
	if d.Start.IsZero() {
		d.Start, d.Events = time.Now().Add(-4*time.Hour).UTC().Truncate(time.Second), c.DemoEvents
	}
	if err := n.demoAssociations(ctx, d); err != nil {
		return nil, err
	}
	by := commands.By{Tenant: demoTenant, Actor: eventstore.Actor{Kind: "system", ID: "demo"}}
	if _, err := (commands.GrantEntitlement{Entitlement: settings.EntitlementImport}).Run(ctx, n.center, by); err != nil {
		return nil, err
	}
	if err := n.demoTokens(ctx, d); err != nil {
		return nil, err
	}
	return d, d.save()
}

func (d *demo) save() error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("demo.json: %w", err)
	}
	return replaceFile(d.path, text)
}

// demoAssociations registers one account per channel. One that is there already keeps its id.
func (n *node) demoAssociations(ctx context.Context, d *demo) error {
	by := commands.By{Tenant: demoTenant, Actor: eventstore.Actor{Kind: "system", ID: "demo"}}
	names := map[string]string{"app": "商城 App", "web": "官网在线客服", "wechat": "微信公众号", "weibo": "官方微博"}
	for _, a := range traffic.Defaults().Associations {
		_, err := commands.RegisterAssociation{Channel: a.Channel, Account: a.Account, Name: names[a.Channel]}.Run(ctx, n.center, by)
		if err != nil && !isRefused(err, domain.CodeAssociationExists) {
			return err
		}
	}
	state, _, err := n.catalogues.Associations(ctx, demoTenant)
	if err != nil {
		return err
	}
	d.Associations = nil
	for _, a := range traffic.Defaults().Associations {
		found, ok := state.ByAccount(a.Channel, a.Account)
		if !ok {
			return fmt.Errorf("the association %s %s is not there", a.Channel, a.Account)
		}
		d.Associations = append(d.Associations, traffic.Association{ID: found.ID, Channel: a.Channel, Account: a.Account})
	}
	return nil
}

// demoTokens makes one token per role, unless an earlier start has.
func (n *node) demoTokens(ctx context.Context, d *demo) error {
	if d.Tokens == nil {
		d.Tokens = map[string]string{}
	}
	for _, role := range access.Roles() {
		name := string(role)
		if text, ok := d.Tokens[name]; ok {
			if _, err := n.tokens.Verify(ctx, text); err == nil {
				continue
			}
		}
		t := access.New{Tenant: demoTenant, Role: role, Actor: "demo-" + name, Name: "demo " + name}
		switch role {
		case access.Operator:
			t.Tenant = ""
		case access.Channel:
			t.Association = d.Associations[0].ID
		case access.Agent:
			t.Actor = traffic.Defaults().Agents[0]
		}
		text, _, err := n.tokens.Create(ctx, t, nil)
		if err != nil {
			return err
		}
		d.Tokens[name] = text
	}
	return nil
}

// run sends the traffic of the first start and says what came of it, then goes on at a trickle until ctx ends.
func (d *demo) run(ctx context.Context, env *environment, n *node, info *runInfo, c *upCommand) error {
	options := traffic.Defaults()
	options.Tenant, options.Associations = demoTenant, d.Associations
	if !d.Sent && d.Events > 0 {
		if err := n.demoCatalogue(ctx); err != nil {
			return err
		}
		first := options
		first.Customers, first.Events, first.Start, first.Until = max(d.Events/10, 1), d.Events, d.Start, d.Start.Add(4*time.Hour)
		generator, err := traffic.New(first)
		if err != nil {
			return err
		}
		begin := time.Now()
		if err := traffic.Publish(ctx, n.js, generator, 0, 256, func(int) {}); err != nil {
			return err
		}
		if err := n.drained(ctx); err != nil {
			return err
		}
		if err := n.demoTags(ctx); err != nil {
			return err
		}
		d.Sent = true
		if err := d.save(); err != nil {
			return err
		}
		if err := d.report(ctx, env, n, generator.Summary(), time.Since(begin)); err != nil {
			return err
		}
	} else {
		head, err := n.store.Head(ctx, demoTenant)
		if err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "\nGoing on with the demo tenant: %d events in its log.\n", head)
	}
	if err := d.show(ctx, env, n, info, c); err != nil {
		return err
	}
	if c.DemoRate <= 0 {
		return nil
	}
	live := options
	live.Seed, live.Clock, live.Customers, live.PerSecond = uint64(time.Now().UnixNano()), time.Now, 400, c.DemoRate
	generator, err := traffic.New(live)
	if err != nil {
		return err
	}
	return traffic.Publish(ctx, n.js, generator, c.DemoRate, 16, func(int) {})
}

// drained waits until every channel event in the queue has been handled.
func (n *node) drained(ctx context.Context) error {
	stream, err := n.js.Stream(ctx, ingest.StreamIn)
	if err != nil {
		return err
	}
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		info, err := stream.Info(ctx)
		if err == nil && info.State.Msgs == 0 {
			tick.Stop()
			return nil
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// report says what was sent and what the product shows.
func (d *demo) report(ctx context.Context, env *environment, n *node, sent traffic.Summary, took time.Duration) error {
	head, err := n.store.Head(ctx, demoTenant)
	if err != nil {
		return err
	}
	for _, p := range []string{"customers", "sessions"} {
		if _, fresh, err := n.projector.WaitFor(ctx, p, demoTenant, head, time.Minute); err != nil || !fresh {
			return errors.Join(err, fmt.Errorf("the projection %s did not reach position %d within a minute", p, head))
		}
	}
	shown, err := projections.CountAll(ctx, n.store.DB(), n.projector, demoTenant)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, `
Sent %d channel events through NATS (%d deliberate duplicates, %d late messages); all were handled and visible after %s.

             sent   in the list
customers  %6d   %6d
sessions   %6d   %6d
messages   %6d   %6d
`, sent.Events, sent.Duplicates, sent.Late, took.Round(10*time.Millisecond), sent.Customers, shown.Customers, sent.Sessions, shown.Sessions, sent.Messages, shown.Messages)
	return nil
}

// show says where to look, and ends with the way in.
func (d *demo) show(ctx context.Context, env *environment, n *node, info *runInfo, c *upCommand) error {
	fmt.Fprintf(env.stdout, `
Look at it:
  export TOKEN=%s
  curl -s -H "Authorization: Bearer $TOKEN" '%s/v1/customers?limit=5'
  curl -s -H "Authorization: Bearer $TOKEN" '%s/v1/sessions?limit=5'
  curl -s -H "Authorization: Bearer $TOKEN" '%s/v1/events?from=1&to=20'

Description of the API:  %s/docs
All tokens and addresses: %s
`, d.Tokens["admin"], info.URL, info.URL, info.URL, info.URL, runFile(c.Data))
	if c.DemoRate > 0 {
		fmt.Fprintf(env.stdout, "%g events per second go on arriving. Ctrl-C stops everything; the data stays.\n", c.DemoRate)
	} else {
		fmt.Fprintln(env.stdout, "Ctrl-C stops everything; the data stays.")
	}
	if !c.Pages {
		return nil
	}
	admin, err := n.tokens.Verify(ctx, d.Tokens["admin"])
	if err != nil {
		return err
	}
	return n.printLink(ctx, env, cmp.Or(c.PublicURL, info.URL), admin.Token)
}
