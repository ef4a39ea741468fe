package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"customercenter/cmd/customercenter/bench"
	"customercenter/internal/natsserver"
	"customercenter/internal/postgres"
)

// benchCommand measures. Without DATABASE_URL it starts a Postgres of its own in a temporary directory, set up as `up` does; NATS always runs in the process.
type benchCommand struct {
	Case      []string      `arg:"" optional:"" help:"append, relay, project, pipeline, list. Default: all."`
	JSON      bool          `help:"One JSON object a line."`
	URL       string        `help:"Postgres to measure against, with an empty database for every run." env:"DATABASE_URL" placeholder:"URL"`
	Dir       string        `help:"Where the files of the servers go. Default: a temporary directory; mind that /tmp may be memory." type:"path" placeholder:"DIR"`
	Rounds    int           `help:"How often product and baseline are measured in turn; the medians count." default:"5"`
	Each      time.Duration `help:"How long one measurement lasts." default:"2s"`
	Events    int           `help:"How many channel events 'relay' and 'project' work on." default:"100000"`
	Customers int           `help:"How many customers 'list' searches." default:"100000"`
}

// Run starts what is needed, measures, and removes it.
func (c *benchCommand) Run(env *environment) (err error) {
	cases := c.Case
	if len(cases) == 0 {
		cases = bench.Names()
	}
	for _, name := range cases {
		if !bench.Known(name) {
			return usageError{fmt.Sprintf("there is no bench %q; there are %v", name, bench.Names())}
		}
	}
	dir := c.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "customercenter-bench-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err = os.Chmod(dir, 0o711); err != nil { // as root, Postgres runs as another user
			return err
		}
	}
	servers := bench.Servers{Databases: func(context.Context, string) (string, error) { return c.URL, nil }}
	if c.URL == "" {
		cluster, err := postgres.Start(env.ctx, postgres.Config{Dir: filepath.Join(dir, "postgres"), Durable: true})
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
	report := &bench.Report{Out: env.stdout, JSON: c.JSON}
	for _, name := range cases {
		if err := bench.Run(env.ctx, name, servers, bench.Options{Rounds: c.Rounds, Each: c.Each, Events: c.Events, Customers: c.Customers}, report); err != nil {
			return fmt.Errorf("bench %s: %w", name, err)
		}
	}
	return nil
}
