package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"customercenter/cmd/customercenter/bench"
	"customercenter/internal/natsserver"
	"customercenter/internal/postgres"
)

// benchCommand measures. Without DATABASE_URL it starts a Postgres of its own in a temporary directory, set up as `up` does; NATS always runs in the process.
type benchCommand struct {
	Case      []string      `arg:"" optional:"" help:"append, relay, project, pipeline, list, groups, jobs, events, whatif, asof, flood, transcript. Default: all."`
	JSON      bool          `help:"One JSON object a line."`
	URL       string        `help:"Postgres to measure against. Every case gets a database of its own there, which is dropped afterwards." env:"DATABASE_URL" placeholder:"URL"`
	Dir       string        `help:"Where the files of the servers go, into a directory of their own that is removed. Default: the system's for temporary files; mind that it may be memory." type:"path" placeholder:"DIR"`
	Rounds    int           `help:"How often product and baseline are measured in turn; the medians count." default:"5"`
	Each      time.Duration `help:"How long one measurement lasts." default:"2s"`
	Events    int           `help:"How many channel events 'relay', 'project', 'whatif' and 'asof' work on, and each log of traffic of 'groups' has; how many events the log of 'events' has." default:"100000"`
	Customers int           `help:"How many customers 'list', 'groups' and 'flood' have, how many rows a file of 'jobs' has, and how many sessions the customer of 'transcript' has." default:"100000"`
	Kinds     string        `help:"'list' asks only the kinds of questions whose name contains this, and measures only such of the rest: counts beside, pages, sizes, writes; 'groups' and 'jobs' measure only such parts: preview, define, revise, midnight, rebuild, mix; import csv, import xlsx, bulk, export csv, export xlsx." placeholder:"TEXT"`
	Groups    bool          `help:"'list' builds the read model of groups, too, and asks by groups." default:"true" negatable:""`
	Baselines bool          `help:"'list' copies its rows into the tables of the baselines and asks them, too." default:"true" negatable:""`
	Keep      string        `help:"Where the private Postgres is kept, so that 'list' and 'groups' find in the next run what they have loaded in this one. Needs as many customers then, and how fast the list is written to is not measured." type:"path" placeholder:"DIR"`
}

// Run starts what is needed, measures, and removes it.
func (c *benchCommand) Run(env *environment) (err error) {
	collectSeldom()
	cases := c.Case
	if len(cases) == 0 {
		cases = bench.Names()
	}
	for _, name := range cases {
		if !bench.Known(name) {
			return usageError{fmt.Sprintf("there is no bench %q; there are %v", name, bench.Names())}
		}
	}
	dir, err := os.MkdirTemp(c.Dir, "customercenter-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err = os.Chmod(dir, 0o711); err != nil { // as root, Postgres runs as another user
		return err
	}
	var made []string
	servers := bench.Servers{Databases: func(ctx context.Context, name string) (string, error) {
		name = fmt.Sprintf("customercenter_%s_%d", name, os.Getpid())
		made = append(made, name)
		return databaseOn(c.URL, name), administer(ctx, c.URL, "create database "+name)
	}}
	defer func() {
		for _, name := range made {
			ctx := context.WithoutCancel(env.ctx)
			err = errors.Join(err, administer(ctx, c.URL, "drop database if exists "+name+" with (force)"))
		}
	}()
	if c.Keep != "" && c.URL != "" {
		return usageError{"--keep is for a private Postgres; with DATABASE_URL nothing is kept"}
	}
	if c.URL == "" {
		files := dir
		if c.Keep != "" {
			files = c.Keep
		}
		cluster, err := postgres.Start(env.ctx, postgres.Config{Dir: filepath.Join(files, "postgres"), Durable: true})
		if err != nil {
			return err
		}
		defer cluster.Stop()
		servers.Databases = func(ctx context.Context, name string) (string, error) {
			return cluster.DSN(name), cluster.EnsureDatabase(ctx, name)
		}
	}
	nats, err := natsserver.Start(natsserver.Config{Dir: filepath.Join(dir, "nats"), SyncAlways: true})
	if err != nil {
		return err
	}
	defer nats.Stop()
	servers.NATS = nats
	program, err := os.Executable()
	if err != nil {
		return err
	}
	report := &bench.Report{Out: env.stdout, JSON: c.JSON, Progress: env.stderr}
	for _, name := range cases {
		if err := bench.Run(env.ctx, name, servers, bench.Options{Rounds: c.Rounds, Each: c.Each, Events: c.Events, Customers: c.Customers, Kinds: c.Kinds, Kept: c.Keep != "", Alone: !c.Baselines, Ungrouped: !c.Groups, Program: program}, report); err != nil {
			return fmt.Errorf("bench %s: %w", name, err)
		}
	}
	return nil
}

// databaseOn is the address of another database on the same server, in the form in which the address is given.
func databaseOn(address, name string) string {
	if !strings.Contains(address, "://") {
		return address + " dbname=" + name // of two, the later counts
	}
	u, err := url.Parse(address)
	if err != nil {
		return address // connecting to it fails, with an error that does not quote it
	}
	u.Path = "/" + name
	return u.String()
}

// administer runs one statement that cannot be part of a transaction.
func administer(ctx context.Context, address, statement string) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return errors.New("bench: Postgres cannot be reached. Is it running, and is DATABASE_URL right?") // the cause may quote the password
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}
