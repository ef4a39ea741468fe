package main

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// serveCommand runs some of the parts against real servers.
type serveCommand struct {
	target `prefix:""`
	Role   []string `help:"Parts to run: api, relay, projector, policies. Default: all." default:"api,relay,projector,policies"`
	Listen string   `help:"Where the API and the pages listen." default:"127.0.0.1:8080"`
	limitFlags
	pageFlags
	scheduleFlags
	pastFlags
}

// Run serves until it is interrupted.
func (c *serveCommand) Run(env *environment) error {
	for _, role := range c.Role {
		if !slices.Contains(allRoles, role) {
			return usageError{fmt.Sprintf("--role %s: there are %s", role, strings.Join(allRoles, ", "))}
		}
	}
	if c.DatabaseURL == "" || c.NatsURL == "" {
		return usageError{"serve needs DATABASE_URL and NATS_URL (docker-compose.yml brings both up); `customercenter up` needs neither"}
	}
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
	nc, err := dialNATS(env.ctx, c.NatsURL)
	if err != nil {
		return err
	}
	defer nc.Close()
	n, err := openNode(env.ctx, c.DatabaseURL, nc, master, env.log, c.scheduleFlags)
	if err != nil {
		return err
	}
	defer n.close()
	n.limits, n.pages, n.past = limits, c.pageFlags, c.pastFlags
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
