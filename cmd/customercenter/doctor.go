package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/commands/policies"
	"customercenter/eventstore"
	"customercenter/eventstore/keyring"
	"customercenter/eventstore/relay"
	"customercenter/eventstore/tenancy"
	"customercenter/internal/postgres"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// doctorCommand checks what has to work, from the outside in.
type doctorCommand struct {
	target `prefix:""`
}

// finding is one thing the doctor looked at.
type finding struct {
	what string
	err  error  // nil if it is well
	mend string // what to do if it is not
	note string
}

// Run looks at everything it can reach and fails if something is not well.
func (c *doctorCommand) Run(env *environment) error {
	f, err := c.find()
	if err != nil {
		return err
	}
	ill := 0
	show := func(g finding) bool {
		if g.err == nil {
			fmt.Fprintf(env.stdout, "ok    %s %s\n", g.what, g.note)
			return true
		}
		ill++
		fmt.Fprintf(env.stdout, "ILL   %s: %v\n      → %s\n", g.what, g.err, g.mend)
		return false
	}
	if f.DatabaseURL == "" {
		show(binaries(env.ctx))
		show(finding{what: "running system", err: fmt.Errorf("there is no %s", runFile(f.Data)), mend: "start one with `customercenter up`, or set DATABASE_URL and NATS_URL"})
		return errors.New("not everything is well")
	}
	pool, ok := c.database(env, f, show)
	if ok {
		defer pool.Close()
		c.insides(env, f, pool, show)
	}
	c.bus(env, f, show)
	if ill > 0 {
		return fmt.Errorf("%d of the things looked at are ill", ill)
	}
	fmt.Fprintln(env.stdout, "Everything looked at is well.")
	return nil
}

func binaries(ctx context.Context) finding {
	version, dir, err := postgres.Installed(ctx)
	return finding{what: "PostgreSQL programs", err: err, mend: "run `make setup`, or set DATABASE_URL to a server of your own", note: version + " in " + dir}
}

func (c *doctorCommand) database(env *environment, f found, show func(finding) bool) (*pgxpool.Pool, bool) {
	ctx, cancel := context.WithTimeout(env.ctx, 5*time.Second)
	defer cancel()
	pool, err := eventstore.Connect(ctx, f.DatabaseURL, 4)
	if err == nil {
		err = pool.Ping(ctx)
	}
	if !show(finding{what: "Postgres", err: err, mend: "is it running (`customercenter up`), and is DATABASE_URL right?"}) {
		return nil, false
	}
	var version int
	var offset float64
	err = pool.QueryRow(ctx, `select current_setting('server_version_num')::int, extract(epoch from clock_timestamp())::float8`).Scan(&version, &offset)
	if err == nil && version < postgres.MinMajor*10000 {
		err = fmt.Errorf("version %d", version/10000)
	}
	show(finding{what: "Postgres version", err: err, mend: fmt.Sprintf("PostgreSQL %d or newer is needed", postgres.MinMajor), note: fmt.Sprint(version / 10000)})
	skew := time.Duration((offset - float64(time.Now().UnixMicro())/1e6) * float64(time.Second)).Abs()
	err = nil
	if skew > 30*time.Second {
		err = fmt.Errorf("they differ by %s", skew.Round(time.Second))
	}
	show(finding{what: "clocks of this machine and the database", err: err, mend: "mend the time synchronisation: appends are refused from a minute on", note: fmt.Sprintf("(%s apart)", skew.Round(time.Millisecond))})
	return pool, true
}

// insides looks at what the product keeps in the database.
func (c *doctorCommand) insides(env *environment, f found, pool *pgxpool.Pool, show func(finding) bool) {
	ctx, cancel := context.WithTimeout(env.ctx, 20*time.Second)
	defer cancel()
	var migrated bool
	err := pool.QueryRow(ctx, `select to_regclass('events') is not null`).Scan(&migrated)
	if err == nil && !migrated {
		err = errors.New("there are no tables")
	}
	if !show(finding{what: "database schema", err: err, mend: "run `customercenter migrate`"}) {
		return
	}
	show(isolation(ctx, pool))
	master, err := c.existingMaster(f)
	var store *eventstore.Store
	if err == nil {
		store = eventstore.New(pool, codec(), keyring.New(pool, master))
		var tenants []eventstore.Tenant
		if tenants, err = store.Tenants(ctx); err == nil && len(tenants) > 0 {
			_, err = store.Secret(ctx, tenants[0].Slug)
		}
	}
	if !show(finding{what: "master key", err: err, mend: "personal data cannot be read without it: give the right one with CUSTOMERCENTER_MASTER_KEY, or bring back master.key from its backup"}) {
		return
	}
	carried, err := relay.Status(ctx, store)
	mend := "is a process with the role relay running, and NATS? See `customercenter relay status`"
	for _, t := range carried {
		if t.Stopped != "" {
			mend = "was the log restored from a backup? Then run `customercenter relay renew`, else see whether two systems share one NATS"
			err = errors.Join(err, fmt.Errorf("tenant %s stands still: %s", t.Tenant, t.Stopped))
		} else if t.Behind > time.Minute {
			err = errors.Join(err, fmt.Errorf("tenant %s is %d events and %s behind", t.Tenant, t.Lag(), t.Behind.Round(time.Second)))
		}
	}
	show(finding{what: "relay", err: err, mend: mend})
	open, oldest, err := policies.OpenErasures(ctx, pool)
	if err == nil && oldest > time.Hour {
		err = fmt.Errorf("of %s something is left, of the first since %s", howMany(int(open), "erased customer"), oldest.Round(time.Minute))
	}
	show(finding{what: "erasures", err: err, mend: "is a process with the role policies running? GET /v1/customers/{id}/erasure says what is left; see docs/erasure.md"})
	p, err := projector.New(projector.Config{Store: store, Definitions: projections.Definitions(), Log: env.log})
	var folded []projector.Status
	if err == nil {
		folded, err = p.Status(ctx)
	}
	for _, s := range folded {
		switch {
		case s.Stopped != "":
			err = errors.Join(err, fmt.Errorf("%s of tenant %s stands still: %s", s.Projection, s.Tenant, s.Stopped))
		case s.Parked > 0:
			err = errors.Join(err, fmt.Errorf("%s of tenant %s has %d parked customers", s.Projection, s.Tenant, s.Parked))
		case s.State == projector.StatusLive && s.Differing > 0:
			err = errors.Join(err, fmt.Errorf("%s of tenant %s has %d tables that are not what the log says", s.Projection, s.Tenant, s.Differing))
		case s.State == projector.StatusLive && s.LagSeconds > 60:
			err = errors.Join(err, fmt.Errorf("%s of tenant %s is %d events and %.0f s behind", s.Projection, s.Tenant, s.LagEvents, s.LagSeconds))
		}
	}
	if err == nil && len(folded) == 0 && len(carried) > 0 {
		err = errors.New("no read models are built")
	}
	show(finding{what: "read models", err: err, mend: "is a process with the role projector running? See `customercenter projections status`, `projections parked` and `projections verify`"})
}

// isolation tells whether the database keeps tenants apart by itself, too.
func isolation(ctx context.Context, pool *pgxpool.Pool) finding {
	f := finding{what: "row-level security", mend: "have an administrator of the database run: create role customercenter_app nologin; grant customercenter_app to " +
		pgx.Identifier{pool.Config().ConnConfig.User}.Sanitize() + "; and start again. See docs/isolation.md", note: "on"}
	isolated, err := tenancy.Isolated(ctx, pool)
	if err == nil && !isolated {
		err = errors.New("it is off: only the statements themselves keep tenants apart")
	}
	if f.err = err; err != nil {
		return f
	}
	var searched bool
	if f.err = pool.QueryRow(ctx, `select proleakproof from pg_proc where oid = 'arraycontains(anyarray, anyarray)'::regprocedure`).Scan(&searched); f.err == nil && !searched {
		f.note = "on, but for the texts that are searched: a superuser has to run: alter function arraycontains(anyarray, anyarray) leakproof"
	}
	return f
}

// existingMaster opens the master key and never makes one: a doctor changes nothing.
func (c *doctorCommand) existingMaster(f found) (*keyring.Master, error) {
	if c.MasterKey == "" && c.MasterKeyFile == "" {
		if _, err := os.Stat(filepath.Join(f.Data, "master.key")); err != nil {
			return nil, err
		}
	}
	return c.master()
}

func (c *doctorCommand) bus(env *environment, f found, show func(finding) bool) {
	if f.NatsURL == "" {
		show(finding{what: "NATS", err: errors.New("no address is known"), mend: "set NATS_URL"})
		return
	}
	ctx, cancel := context.WithTimeout(env.ctx, 5*time.Second)
	defer cancel()
	nc, err := dialNATS(ctx, f.NatsURL)
	if !show(finding{what: "NATS", err: err, mend: "is it running (`customercenter up`), and is NATS_URL right?"}) {
		return
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	for _, name := range []string{"CC_IN", "CC_DEAD", "CC_OUT", "CC_EVENTS"} {
		var info *jetstream.StreamInfo
		var stream jetstream.Stream
		if err == nil {
			stream, err = js.Stream(ctx, name)
		}
		if err == nil {
			info, err = stream.Info(ctx)
		}
		note := ""
		if info != nil {
			note = fmt.Sprintf("(%d messages, %d MiB)", info.State.Msgs, info.State.Bytes>>20)
		}
		show(finding{what: "stream " + name, err: err, mend: "the parts make their streams when they start: is JetStream on (nats-server -js), and have relay and policies run?", note: note})
		err = nil
	}
}
