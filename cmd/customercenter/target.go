package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"

	"customercenter/eventstore/keyring"
)

// target says which system a command talks to: servers named by URL, else the `up` whose data directory is given.
type target struct {
	Data          string `help:"Data directory of a running 'customercenter up'; its run.json says where everything is." default:"data" type:"path"`
	DatabaseURL   string `help:"Postgres to use instead." env:"DATABASE_URL" placeholder:"URL"`
	NatsURL       string `help:"NATS to use instead." env:"NATS_URL" placeholder:"URL"`
	MasterKey     string `help:"Master key, base64; several separated by commas, the current one first." placeholder:"KEY"`
	MasterKeyFile string `help:"File with the master key. Default: master.key in the data directory." type:"path" placeholder:"FILE"`
}

// found is a target with everything filled in that run.json knows.
type found struct {
	target
	run *runInfo // nil if there is none
}

func (t target) find() (found, error) {
	f := found{target: t}
	run, err := readRunInfo(t.Data)
	if err != nil {
		return f, err
	}
	f.run = run
	if run != nil {
		f.DatabaseURL = cmp.Or(f.DatabaseURL, run.DatabaseURL)
		f.NatsURL = cmp.Or(f.NatsURL, run.NATSURL)
	}
	return f, nil
}

func (f found) needDatabase() error {
	if f.DatabaseURL == "" {
		return usageError{fmt.Sprintf("which system? There is no %s: start one with `customercenter up`, or name its directory with --data, or set DATABASE_URL", runFile(f.Data))}
	}
	return nil
}

func (f found) needNATS() error {
	if f.NatsURL == "" {
		return usageError{fmt.Sprintf("which NATS? There is no %s: start one with `customercenter up`, or name its directory with --data, or set NATS_URL", runFile(f.Data))}
	}
	return nil
}

// master opens the master key. Losing it makes everybody's personal data unreadable.
func (t target) master() (*keyring.Master, error) {
	if t.MasterKey != "" {
		return keyring.ParseMaster(t.MasterKey)
	}
	return keyring.OpenMasterFile(cmp.Or(t.MasterKeyFile, filepath.Join(t.Data, "master.key")))
}

// withNATS connects to the target's NATS for one command.
func (t target) withNATS(env *environment, do func(nc *nats.Conn) error) error {
	f, err := t.find()
	if err != nil {
		return err
	}
	if err := f.needNATS(); err != nil {
		return err
	}
	nc, err := dialNATS(env.ctx, f.NatsURL)
	if err != nil {
		return err
	}
	defer nc.Close()
	return do(nc)
}

// joinNATS connects for good, and does not wait for a server that is not there: what can be done without it is done, and the rest once it is. It waits a moment, as
// most servers are there.
func joinNATS(ctx context.Context, url string, log *slog.Logger) (*nats.Conn, error) {
	connected := make(chan struct{}, 1)
	nc, err := nats.Connect(url, nats.Name("customercenter"), nats.MaxReconnects(-1), nats.ReconnectWait(200*time.Millisecond), nats.RetryOnFailedConnect(true), nats.IgnoreAuthErrorAbort(),
		nats.ConnectHandler(func(*nats.Conn) { connected <- struct{}{} }))
	if err != nil {
		return nil, fmt.Errorf("NATS cannot be reached: %w. Is NATS_URL right?", err)
	}
	if nc.IsConnected() {
		return nc, nil
	}
	select {
	case <-connected:
	case <-ctx.Done():
	case <-time.After(5 * time.Second):
		log.Warn("NATS cannot be reached; it is tried again and again, and what needs it waits. Is it running, and is NATS_URL right?", "error", nc.LastError())
	}
	return nc, nil
}

// dialNATS connects for good: it reconnects for ever, and waits for a server that is not there yet for a while.
func dialNATS(ctx context.Context, url string) (*nats.Conn, error) {
	var err error
	for ctx, cancel := context.WithTimeout(ctx, 30*time.Second); ; {
		var nc *nats.Conn
		nc, err = nats.Connect(url, nats.Name("customercenter"), nats.MaxReconnects(-1), nats.ReconnectWait(200*time.Millisecond))
		if err == nil {
			cancel()
			return nc, nil
		}
		select {
		case <-ctx.Done():
			cancel()
			return nil, fmt.Errorf("NATS cannot be reached: %w. Is it running, and is NATS_URL right?", err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}
