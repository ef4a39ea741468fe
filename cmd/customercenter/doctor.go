package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore/keyring"
	"customercenter/eventstore/tenancy"
	"customercenter/internal/postgres"
)

// doctorCommand checks what has to work, from the outside in.
type doctorCommand struct {
	target    `prefix:""`
	PublicURL string        `help:"Where people find the pages, if a proxy stands before them: its certificate is looked at." placeholder:"URL"`
	Issuer    string        `name:"oidc-issuer" help:"Provider at which people sign in with the accounts of their company, as serve has it: it is asked what a sign-in asks it." placeholder:"URL"`
	Wait      time.Duration `help:"How long what has just been started may take until it is there." default:"5s"`
}

// finding is one thing the doctor looked at.
type finding struct {
	what  string
	err   error  // nil if it is well
	mend  string // what to do if it is not
	note  string
	minor bool // somebody should look, and nothing is broken
}

// clinic is one visit of the doctor.
type clinic struct {
	found
	publicURL string
	issuer    string
	env       *environment
	until     time.Time // what is not there by then is missing
	pool      *pgxpool.Pool
	ill       int
	look      int
}

// show tells a finding, and reports whether it is well.
func (c *clinic) show(f finding) bool {
	switch {
	case f.err == nil:
		fmt.Fprintln(c.env.stdout, strings.TrimSpace("ok    "+f.what+" "+f.note))
		return true
	case f.minor:
		c.look++
		fmt.Fprintf(c.env.stdout, "look  %s: %v\n      → %s\n", f.what, f.err, f.mend)
	default:
		c.ill++
		fmt.Fprintf(c.env.stdout, "ILL   %s: %v\n      → %s\n", f.what, f.err, f.mend)
	}
	return false
}

// patiently tries again for a while: what has just been started need not be there at once.
func (c *clinic) patiently(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil || time.Now().After(c.until) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Run looks at everything it can reach and fails if something is not well.
func (c *doctorCommand) Run(env *environment) error {
	f, err := c.find()
	if err != nil {
		return err
	}
	v := &clinic{found: f, publicURL: c.PublicURL, issuer: c.Issuer, env: env, until: time.Now().Add(c.Wait)}
	if f.DatabaseURL == "" {
		v.show(binaries(env.ctx))
		v.show(finding{what: "running system", err: fmt.Errorf("there is no %s", runFile(f.Data)), mend: "start one with `customercenter up`, or set DATABASE_URL and NATS_URL"})
		return errors.New("not everything is well")
	}
	v.files()
	if v.database() {
		defer v.pool.Close()
		v.server()
		v.insides()
	}
	v.bus()
	v.certificate()
	v.company()
	if v.ill > 0 {
		return fmt.Errorf("%d of the things looked at are ill", v.ill)
	}
	if v.look > 0 {
		fmt.Fprintf(env.stdout, "Nothing is ill; %s should be looked at.\n", howMany(v.look, "thing"))
		return nil
	}
	fmt.Fprintln(env.stdout, "Everything looked at is well.")
	return nil
}

func binaries(ctx context.Context) finding {
	version, dir, err := postgres.Installed(ctx)
	return finding{what: "PostgreSQL programs", err: err, mend: "run `make setup`, or set DATABASE_URL to a server of your own", note: version + " in " + dir}
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
func (f found) existingMaster() (*keyring.Master, error) {
	if f.MasterKey == "" && f.MasterKeyFile == "" {
		if _, err := os.Stat(filepath.Join(f.Data, "master.key")); err != nil {
			return nil, err
		}
	}
	return f.master()
}
