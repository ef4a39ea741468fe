package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"customercenter/api"
)

// watchFlags say where a process tells how it is, beside the API or without it.
type watchFlags struct {
	WatchListen string `help:"Where this process answers /livez, /readyz and /metrics alone, for those who watch it. Default: nowhere but beside the API." placeholder:"ADDRESS"`
}

// How far the life of a process has come.
const (
	starting = iota
	serving
	ending
)

// checks are what /readyz looks at. Of what is shared, only what this process cannot do its work without makes it unready: else one sick part would take all
// processes from those who send them requests. What /readyz says is open to everybody, so it names no tenant.
func (n *node) checks(roles []string) []api.Check {
	answers := slices.Contains(roles, roleAPI) // HTTP goes on without the bus
	return []api.Check{
		{Name: "process", Look: n.processWell}, {Name: "database", Look: n.databaseWell}, {Name: "bus", Look: n.busWell, Elsewhere: answers},
		{Name: "relay", Look: n.relayWell, Elsewhere: true}, {Name: "projections", Look: n.projectionsWell, Elsewhere: true},
	}
}

func (n *node) processWell(context.Context) (bool, string) {
	switch n.stage.Load() {
	case starting:
		return false, "The process is starting."
	case ending:
		return false, "The process is about to end."
	}
	return true, "The process works."
}

// watch answers those who watch the process until stop is called, from its first steps to its last.
func (n *node) watch(f watchFlags, roles []string) (stop func(), err error) {
	if f.WatchListen == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", f.WatchListen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w. Choose another address with --watch-listen", f.WatchListen, err)
	}
	server := api.Server(api.Watch(n.checks(roles), n.metrics), n.log)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("nobody can watch this process any more", "error", err)
		}
	}()
	return func() {
		_ = server.Close() // whoever looks on is cut off
		<-ended
	}, nil
}

// healthCommand asks a process of this machine how it is. Images without a shell and a client of HTTP have no other way.
type healthCommand struct {
	watchFlags
	Listen string `help:"Where the API of the process listens, if --watch-listen is not given." default:"127.0.0.1:8080"`
}

// Run fails unless the process is ready.
func (c *healthCommand) Run(env *environment) error {
	host, port, err := net.SplitHostPort(cmp.Or(c.WatchListen, c.Listen))
	if err != nil {
		return usageError{"an address has a host and a port: 127.0.0.1:8080"}
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(env.ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return usageError{err.Error()}
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(env.stdout, io.LimitReader(answer.Body, 64<<10)); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it says %s", answer.Status)
	}
	return nil
}
