package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/asof"
	"customercenter/projections/projector"
)

// pastFlags say how much of the past is kept at a time.
type pastFlags struct {
	AsOfKeep time.Duration `help:"How long read models of a past moment (as_of) are kept after somebody asked them last." default:"1h"`
	AsOfRoom int64         `help:"How much disk they may take together, in MiB; those that were not asked for the longest time go first." default:"10240" placeholder:"MIB"`
}

// check refuses bounds that leave nothing.
func (f pastFlags) check() error {
	if f.AsOfKeep <= 0 || f.AsOfRoom <= 0 {
		return usageError{"--as-of-keep and --as-of-room take more than 0"}
	}
	return nil
}

// replayCommand has the read models built as they were, for SQL.
type replayCommand struct {
	Run  replayRun  `cmd:"" default:"withargs" help:"Build all read models of a tenant as they were at a moment, into a schema of their own. The default: 'replay' is 'replay run'."`
	List replayList `cmd:"" help:"List the schemas of the past: those with a name, and those that are shared by who asks with as_of."`
	Drop replayDrop `cmd:"" help:"Remove a schema of the past."`
}

// withPast opens the target's past for one command.
func (t target) withPast(env *environment, bounds pastFlags, do func(store *eventstore.Store, p *projector.Projector, past *asof.Schemas) error) error {
	return t.withStore(env, func(_ context.Context, s *eventstore.Store) error {
		p, err := projector.New(projector.Config{Store: s, Definitions: projections.Definitions(), Log: env.log})
		if err != nil {
			return err
		}
		past, err := asof.New(asof.Config{Store: s, Projector: p, Keep: bounds.AsOfKeep, Room: bounds.AsOfRoom << 20, Log: env.log})
		if err != nil {
			return err
		}
		return do(s, p, past)
	})
}

type replayRun struct {
	target    `prefix:""`
	pastFlags `prefix:""`
	Tenant    string        `help:"The tenant. Default: the only one." placeholder:"SLUG"`
	AsOf      string        `help:"The moment: up to and including this time, such as 2026-11-03T09:30:00Z, or this position of the log." required:"" placeholder:"WHEN"`
	Schema    string        `help:"What to call the schema: a to z, 0 to 9 and _." required:"" placeholder:"NAME"`
	Keep      time.Duration `help:"How long it is kept; then it is removed by itself." default:"168h"`
}

// Help is what --help says besides the flags.
func (replayRun) Help() string {
	return `The tables are those of the read models: customer, session, group_change, history_mark and so on, as in projections/*.sql, each with the tenant's rows only. They hold personal data openly, and are removed by themselves when their time is over, or by 'replay drop'.

Needs DATABASE_URL, or --data of a running 'customercenter up'. A running system builds it; without one, this command does.`
}

// Run builds a schema and says how to ask it.
func (c *replayRun) Run(env *environment) error {
	if c.Keep <= 0 {
		return usageError{"--keep takes more than 0"}
	}
	if err := c.check(); err != nil {
		return err
	}
	f, err := c.find()
	if err != nil {
		return err
	}
	psql, err := c.psql(f)
	if err != nil {
		return err
	}
	return c.withPast(env, c.pastFlags, func(store *eventstore.Store, p *projector.Projector, past *asof.Schemas) error {
		tenant, err := onlyTenant(env.ctx, store, c.Tenant)
		if err != nil {
			return err
		}
		m, err := c.moment(env.ctx, p, tenant)
		if err != nil {
			return err
		}
		made, err := past.Name(env.ctx, c.Schema, tenant, m, eventstore.Actor{Kind: "operator", ID: "replay"}, c.Keep)
		if errors.Is(err, asof.ErrName) {
			return usageError{fmt.Sprintf("--schema %s: a name is a to z, 0 to 9 and _, up to 50 characters, does not begin with as_of_ or pg_, and no other schema may have it", c.Schema)}
		}
		if err != nil {
			return err
		}
		began := time.Now()
		if err := c.build(env, past, &made); err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, `Schema %s has %s as of %s (position %d), built in %s; it takes %.0f MiB and is removed on %s.

    %s
    set search_path = %s, public;
    select channel, count(*) from customer group by channel;

To remove it earlier: customercenter replay drop %s
`, made.Name, tenant, m.At.Format(time.RFC3339Nano), m.Position, time.Since(began).Round(100*time.Millisecond), float64(made.Bytes)/(1<<20), day(*made.EndsAt), psql, made.Name, made.Name)
		return nil
	})
}

// psql is the command that asks the database, without a password that a list of processes would show.
func (c *replayRun) psql(f found) (string, error) {
	if c.DatabaseURL != "" {
		return `psql "$DATABASE_URL"`, nil
	}
	at, err := url.Parse(f.DatabaseURL)
	if err != nil {
		return "", errors.New("the URL of the database of the running system cannot be read")
	}
	command := "psql"
	if password, has := at.User.Password(); has {
		command = "PGPASSWORD='" + password + "' psql"
		at.User = url.User(at.User.Username())
	}
	return command + " '" + at.String() + "'", nil
}

// moment reads --as-of.
func (c *replayRun) moment(ctx context.Context, p *projector.Projector, tenant string) (m projector.Moment, err error) {
	m, err = p.MomentOf(ctx, tenant, c.AsOf)
	switch {
	case errors.Is(err, projector.ErrNoMoment):
		err = usageError{fmt.Sprintf("--as-of %s: a time such as 2026-11-03T09:30:00Z is expected, or a position of the log", c.AsOf)}
	case errors.Is(err, projector.ErrNotYet):
		err = usageError{fmt.Sprintf("--as-of %s: this moment has not come yet", c.AsOf)}
	}
	return m, err
}

// build waits until the schema is ready. It helps to build: should another process do so already, it only looks on.
func (c *replayRun) build(env *environment, past *asof.Schemas, made *asof.Schema) error {
	ctx, stop := context.WithCancel(env.ctx)
	worked := make(chan error, 1)
	go func() { worked <- past.Run(ctx) }()
	defer func() {
		stop()
		<-worked
	}()
	shown := env.progress("Building "+made.Name, grouped, " events")
	defer shown.end()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		now, known, err := past.Find(ctx, made.Tenant, made.ID)
		switch {
		case err != nil:
			return err
		case !known || now.State == asof.Leaving:
			return errors.New("somebody has dropped the schema meanwhile")
		case now.State == asof.Failed:
			return fmt.Errorf("the schema could not be built: %s", now.Code)
		case now.State == asof.Ready:
			shown.set(now.Total, now.Total)
			*made = now
			return nil
		}
		shown.set(now.Done, now.Total)
		select {
		case <-ctx.Done():
			// Who interrupts this does not want it. First it leaves, then it is removed, as nobody else may be there who does.
			<-worked
			worked <- nil
			after := context.WithoutCancel(ctx)
			return errors.Join(context.Cause(ctx), past.Drop(after, made.Name), past.Drop(after, made.Name))
		case <-tick.C:
		}
	}
}

// onlyTenant is the tenant that was named, or the only one there is.
func onlyTenant(ctx context.Context, store *eventstore.Store, named string) (string, error) {
	tenants, err := store.Tenants(ctx)
	if err != nil {
		return "", err
	}
	if named == "" && len(tenants) == 1 {
		return tenants[0].Slug, nil
	}
	for _, t := range tenants {
		if t.Slug == named {
			return named, nil
		}
	}
	return "", usageError{"which tenant? Name one with --tenant; 'customercenter tenant list' has them"}
}

type replayList struct {
	target `prefix:""`
	JSON   bool `help:"One JSON object a line."`
}

// Run lists the schemas.
func (c *replayList) Run(env *environment) error {
	return c.withPast(env, pastFlags{}, func(_ *eventstore.Store, _ *projector.Projector, past *asof.Schemas) error {
		all, err := past.List(env.ctx, "")
		if err != nil {
			return err
		}
		return table(env.stdout, c.JSON, "SCHEMA\tTENANT\tAS OF\tPOSITION\tSTATE\tMIB\tKEPT UNTIL", all, func(s asof.Schema) string {
			until := "asked no more"
			if s.EndsAt != nil {
				until = day(*s.EndsAt)
			}
			return fmt.Sprintf("%s\t%s\t%s\t%d\t%s\t%.0f\t%s", s.Name, s.Tenant, s.At.Format(time.RFC3339), s.Position, s.State, float64(s.Bytes)/(1<<20), until)
		})
	})
}

type replayDrop struct {
	target `prefix:""`
	Schema string `arg:"" help:"The schema, see 'replay list'."`
}

// Run drops a schema.
func (c *replayDrop) Run(env *environment) error {
	return c.withPast(env, pastFlags{}, func(_ *eventstore.Store, _ *projector.Projector, past *asof.Schemas) error {
		err := past.Drop(env.ctx, c.Schema)
		if errors.Is(err, asof.ErrUnknown) {
			return usageError{fmt.Sprintf("there is no schema %s of the past", c.Schema)}
		}
		return err
	})
}
