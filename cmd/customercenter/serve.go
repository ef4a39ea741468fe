package main

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// serveCommand runs some of the parts against real servers.
type serveCommand struct {
	target `prefix:""`
	Role   []string `help:"Parts to run: api, relay, projector, policies. Default: all." default:"api,relay,projector,policies"`
	Listen string   `help:"Where the API and the pages listen." default:"127.0.0.1:8080"`
	limitFlags
	pageFlags
	oidcFlags `prefix:"oidc-" embed:""`
	scheduleFlags
	pastFlags
	watchFlags
	Drain    time.Duration `help:"How long a process that is to end still takes requests while /readyz says no: longer than whoever sends them here needs to notice." default:"5s"`
	Replicas int           `help:"On how many servers of a NATS cluster the streams are kept that are made from now on, 1 to 5; CC_EVENTS also if it is there. Default: 1, and those that are there stay as they are."`
}

// Run serves until it is interrupted.
func (c *serveCommand) Run(env *environment) error {
	collectSeldom()
	for _, role := range c.Role {
		if !slices.Contains(allRoles, role) {
			return usageError{fmt.Sprintf("--role %s: there are %s", role, strings.Join(allRoles, ", "))}
		}
	}
	if c.DatabaseURL == "" || c.NatsURL == "" {
		return usageError{"serve needs DATABASE_URL and NATS_URL (`docker compose up -d --wait postgres nats` brings both up); `customercenter up` needs neither"}
	}
	if c.Drain < 0 || c.Replicas < 0 || c.Replicas > 5 {
		return usageError{"--drain takes 0 or more, --replicas 0 to 5"}
	}
	company, err := c.oidcFlags.provider()
	if err != nil {
		return err
	}
	if company != nil && c.PublicURL == "" {
		return usageError{"--oidc-issuer needs --public-url: the provider leads people back to it"}
	}
	leadBack(company, c.PublicURL)
	master, err := c.master()
	if err != nil {
		return err
	}
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
	var listener net.Listener
	if slices.Contains(c.Role, roleAPI) {
		if listener, err = listen(c.Listen); err != nil {
			return err
		}
		defer listener.Close()
	}
	nc, err := joinNATS(env.ctx, c.NatsURL, env.log)
	if err != nil {
		return err
	}
	defer nc.Close()
	n, err := openNode(env.ctx, c.DatabaseURL, nc, master, env.log, c.scheduleFlags, c.Replicas)
	if err != nil {
		return err
	}
	defer n.close()
	n.limits, n.connections, n.pages, n.past, n.drain = limits, c.Connections, c.pageFlags, c.pastFlags, c.Drain
	n.accounts, n.accountsFor = company, c.oidcFlags.SignInFor
	stop, err := n.watch(c.watchFlags, c.Role)
	if err != nil {
		return err
	}
	defer stop()
	if err := n.build(env); err != nil {
		return err
	}
	return n.run(env.ctx, c.Role, listener, func() {
		env.log.Info("serving", "roles", strings.Join(c.Role, ","), "listen", c.Listen)
	})
}

func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w. Choose another address with --listen", address, err)
	}
	return l, nil
}
