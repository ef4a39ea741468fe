package main

import (
	"context"
	"fmt"

	"customercenter/eventstore"
	"customercenter/eventstore/relay"
)

// relayCommand shows and repeats the relay's work.
type relayCommand struct {
	Status relayStatus `cmd:"" default:"withargs" help:"How far each tenant's log has been carried to the event stream."`
	Refill relayRefill `cmd:"" help:"Publish a tenant's events again from a position on, for example after the stream was deleted."`
	Renew  relayRenew  `cmd:"" help:"Say that the log was restored by other means than 'customercenter restore', so that the stream is ahead of it: all of it is published again under a new epoch."`
}

type relayStatus struct {
	target `prefix:""`
	JSON   bool `help:"One JSON object a line."`
}

// Run prints the status.
func (c *relayStatus) Run(env *environment) error {
	return c.withStore(env, func(ctx context.Context, s *eventstore.Store) error {
		all, err := relay.Status(ctx, s)
		if err != nil {
			return err
		}
		return table(env.stdout, c.JSON, "TENANT\tPOSITION\tHEAD\tLAG\tSECONDS\tSTOPPED", all, func(t relay.TenantStatus) string {
			return fmt.Sprintf("%s\t%d\t%d\t%d\t%.1f\t%s", t.Tenant, t.Position, t.Head, t.Lag(), t.Behind.Seconds(), t.Stopped)
		})
	})
}

type relayRefill struct {
	target `prefix:""`
	Tenant string `arg:"" help:"Whose log."`
	From   int64  `help:"First position to publish again." default:"1"`
}

// Run asks for the refill; a running relay carries it out.
func (c *relayRefill) Run(env *environment) error {
	return c.withStore(env, func(ctx context.Context, s *eventstore.Store) error {
		if err := relay.Refill(ctx, s, c.Tenant, c.From); err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "A running relay now publishes %s's events again from position %d. Watch it: customercenter relay status\n", c.Tenant, c.From)
		return nil
	})
}

type relayRenew struct {
	target `prefix:""`
}

// Run gives the log a new epoch; a running relay carries it out.
func (c *relayRenew) Run(env *environment) error {
	return c.withStore(env, func(ctx context.Context, s *eventstore.Store) error {
		if err := relay.Renew(ctx, s); err != nil {
			return err
		}
		fmt.Fprintln(env.stdout, "The log has a new epoch. A running relay now publishes all of it again. Watch it: customercenter relay status")
		return nil
	})
}
