package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"

	"customercenter/internal/flock"
	"customercenter/internal/natsserver"
	"customercenter/internal/postgres"
)

// upCommand runs everything in one process.
type upCommand struct {
	target     `prefix:""`
	Listen     string  `help:"Where the API and the pages listen." default:"127.0.0.1:8080"`
	NatsListen string  `help:"Where the NATS in this process listens, for channels and analysts. Ignored with NATS_URL." default:"127.0.0.1:4222"`
	NatsTokens bool    `help:"Close the NATS in this process to all but channels, who connect with their token and reach their own association only."`
	Demo       bool    `help:"Create the tenant 'demo' with associations and tokens, and send it realistic traffic."`
	DemoEvents int     `help:"How many channel events the first start sends." default:"5000"`
	DemoRate   float64 `help:"Events per second that go on arriving afterwards; 0 for none." default:"2"`
	limitFlags
	pageFlags
	oidcFlags `prefix:"oidc-" embed:""`
	scheduleFlags
	pastFlags
	watchFlags
}

// Run brings everything up, and down again when it is interrupted.
func (c *upCommand) Run(env *environment) (err error) {
	collectSeldom()
	limits, err := c.limits()
	if err != nil {
		return err
	}
	if err := c.pastFlags.check(); err != nil {
		return err
	}
	if err := c.pageFlags.check(); err != nil {
		return err
	}
	if err := c.scheduleFlags.check(); err != nil {
		return err
	}
	company, err := c.oidcFlags.provider()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Data, 0o711); err != nil { // others may pass through to what they own: as root, Postgres runs as another user
		return fmt.Errorf("data directory: %w", err)
	}
	lock, err := flock.Try(filepath.Join(c.Data, "up.lock"))
	if errors.Is(err, flock.ErrLocked) {
		return fmt.Errorf("another `customercenter up` is running on %s (%w). Stop it first, or choose another directory with --data", c.Data, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	listener, err := listen(c.Listen) // before anything slow: a taken port is the commonest mistake
	if err != nil {
		return err
	}
	defer listener.Close()
	url := "http://" + listener.Addr().String()
	leadBack(company, cmp.Or(c.PublicURL, url))
	master, err := c.master()
	if err != nil {
		return err
	}
	s := servers{Writer: env.stderr}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.start(env.ctx, c); err != nil {
		return err
	}
	n, err := openNode(env.ctx, s.databaseURL, s.nc, master, env.log, c.scheduleFlags, 0)
	if err != nil {
		return err
	}
	defer n.close()
	s.doorkeeper.tokens.Store(n.tokens)
	stop, err := n.watch(c.watchFlags, allRoles)
	if err != nil {
		return err
	}
	defer stop()
	n.limits, n.connections, n.pages, n.past = limits, c.Connections, c.pageFlags, c.pastFlags
	n.accounts, n.accountsFor = company, c.oidcFlags.SignInFor
	info := &runInfo{PID: os.Getpid(), URL: url, NATSURL: s.natsURL, DatabaseURL: s.databaseURL}
	if err := n.build(env); err != nil {
		return err
	}
	var d *demo
	if c.Demo {
		if d, err = n.openDemo(env.ctx, c); err != nil {
			return err
		}
		info.Tenant, info.Associations, info.Tokens = demoTenant, d.Associations, d.Tokens
	}
	if err := info.write(c.Data); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(env.ctx)
	defer cancel(nil)
	go func() { // a database or bus of ours that ends takes everything with it
		select {
		case <-s.ended():
			cancel(fmt.Errorf("the private Postgres has ended, see %s", filepath.Join(c.Data, "postgres", "postgres.log")))
		case <-ctx.Done():
		}
	}()
	demoDone := make(chan struct{})
	err = n.run(ctx, allRoles, listener, func() {
		if d == nil {
			close(demoDone)
			fmt.Fprintf(env.stdout, "The customer center is up: %s (description at %s/docs). Ctrl-C stops it.\n", info.URL, info.URL)
			if err := n.invite(ctx, env, info.URL, c); err != nil {
				cancel(fmt.Errorf("sign-in link: %w", err))
			}
			return
		}
		go func() {
			defer close(demoDone)
			if err := d.run(ctx, env, n, info, c); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("demo: %w", err))
			}
		}()
	})
	cancel(nil)
	<-demoDone
	fmt.Fprintln(env.stderr, "Stopping. The data stays in", c.Data)
	return err
}

// servers are the ones that `up` runs itself, unless URLs name real ones.
type servers struct {
	io.Writer
	postgres             *postgres.Cluster
	nats                 *natsserver.Server
	nc                   *nats.Conn
	databaseURL, natsURL string
	doorkeeper           doorkeeper
}

const databaseName = "customercenter"

func (s *servers) start(ctx context.Context, c *upCommand) (err error) {
	s.databaseURL, s.natsURL = c.DatabaseURL, c.NatsURL
	if s.databaseURL == "" {
		begin := time.Now()
		if s.postgres, err = postgres.Start(ctx, postgres.Config{Dir: filepath.Join(c.Data, "postgres"), Durable: true}); err != nil {
			return err
		}
		if err = s.postgres.EnsureDatabase(ctx, databaseName); err != nil {
			return err
		}
		s.databaseURL = s.postgres.DSN(databaseName)
		fmt.Fprintf(s, "PostgreSQL %s is running in %s (%s)\n", s.postgres.Version(), filepath.Join(c.Data, "postgres"), time.Since(begin).Round(time.Millisecond))
	}
	if s.natsURL != "" {
		s.nc, err = dialNATS(ctx, s.natsURL)
		return err
	}
	config := natsserver.Config{Dir: filepath.Join(c.Data, "nats"), Listen: c.NatsListen, SyncAlways: true}
	if c.NatsTokens {
		config.Admit = s.doorkeeper.admit
	}
	if s.nats, err = natsserver.Start(config); err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			return fmt.Errorf("%w. Choose another address with --nats-listen", err)
		}
		return err
	}
	s.natsURL = s.nats.URL()
	fmt.Fprintf(s, "NATS is listening at %s\n", s.nats.Address())
	s.nc, err = s.nats.Connect(nats.Name("customercenter up"))
	return err
}

// ended is closed when the private Postgres ends by itself; never, if there is none.
func (s *servers) ended() <-chan struct{} {
	if s.postgres == nil {
		return nil
	}
	return s.postgres.Done()
}

func (s *servers) stop() error {
	var errs []error
	if s.nc != nil {
		s.nc.Close()
	}
	if s.nats != nil {
		errs = append(errs, s.nats.Stop())
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop())
	}
	return errors.Join(errs...)
}

// build brings the read models of this program's version into being before anything is served, with progress where it takes long.
func (n *node) build(env *environment) error {
	var shown time.Time
	begin := time.Now()
	err := n.projector.EnsureBuilt(env.ctx, func(done, total int64) {
		if time.Since(begin) > time.Second && time.Since(shown) > time.Second && total > 0 {
			shown = time.Now()
			fmt.Fprintf(env.stderr, "Building read models: %d of %d events (%d %%)\n", done, total, done*100/total)
		}
	})
	if err != nil {
		return fmt.Errorf("building read models: %w", err)
	}
	return nil
}
