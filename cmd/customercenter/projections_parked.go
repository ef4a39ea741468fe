package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projector"
)

type projectionsParked struct {
	target `prefix:""`
	Name   string `arg:"" optional:"" help:"Of one read model only."`
	Tenant string `help:"Of one tenant only."`
	JSON   bool   `help:"One JSON object a line."`
}

// Run lists the parked customers.
func (c *projectionsParked) Run(env *environment) error {
	return c.withProjector(env, func(p *projector.Projector) error {
		var all []projector.Parked
		for _, name := range namesOr(c.Name) {
			parked, err := p.Parked(env.ctx, name, c.Tenant)
			if err != nil {
				return err
			}
			all = append(all, parked...)
		}
		return table(env.stdout, c.JSON, "NAME\tTENANT\tCUSTOMER\tPOSITION\tTYPE\tSINCE\tREASON", all, func(k projector.Parked) string {
			return fmt.Sprintf("%s\t%s\t%s\t%d\t%s\t%s\t%s", k.Projection, k.Tenant, k.Customer, k.Position, k.Type, day(k.Since), k.Reason)
		})
	})
}

type projectionsRetry struct {
	target   `prefix:""`
	Name     string    `arg:"" help:"The read model."`
	Tenant   string    `arg:"" help:"The tenant."`
	Customer uuid.UUID `arg:"" help:"The customer, see 'projections parked'."`
}

// Run folds the customer anew.
func (c *projectionsRetry) Run(env *environment) error {
	return c.withProjector(env, func(p *projector.Projector) error {
		mended, err := p.Retry(env.ctx, c.Name, c.Tenant, c.Customer)
		if err != nil {
			return err
		}
		if mended == 0 {
			return projector.ErrNotParked
		}
		fmt.Fprintln(env.stdout, "The customer is folded anew and fed again.")
		return nil
	})
}

type projectionsSkip struct {
	target   `prefix:""`
	Name     string    `arg:"" help:"The read model."`
	Tenant   string    `arg:"" help:"The tenant."`
	Customer uuid.UUID `arg:"" help:"The customer, see 'projections parked'."`
	Reason   string    `required:"" help:"Why, up to 500 characters, without personal data: it stays in the log for ever, and is not sealed."`
}

// Run writes that the events are skipped which cannot be applied, and waits until the read model has done so.
func (c *projectionsSkip) Run(env *environment) error {
	return c.withStore(env, func(ctx context.Context, s *eventstore.Store) error {
		p, err := projector.New(projector.Config{Store: s, Definitions: projections.Definitions(), Log: env.log})
		if err != nil {
			return err
		}
		positions, version, err := p.Skippable(ctx, c.Name, c.Tenant, c.Customer)
		if errors.Is(err, projector.ErrAllApplied) {
			return fmt.Errorf("%w. Run: customercenter projections retry %s %s %s", err, c.Name, c.Tenant, c.Customer)
		}
		if err != nil {
			return err
		}
		done, err := commands.SkipEvents{Customer: c.Customer, Projection: c.Name, Version: version, Positions: positions, Reason: c.Reason}.
			Run(ctx, commands.NewCenter(s, time.Now, newID), commands.By{Tenant: c.Tenant, Actor: eventstore.Actor{Kind: "operator", ID: "command-line"}})
		if err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "Skipped %d events of the customer, at %v in the log; the event at %d says so.\n", len(positions), positions, done.Position)
		if _, fresh, err := p.WaitFor(ctx, c.Name, c.Tenant, done.Position, 10*time.Second); err != nil || !fresh {
			fmt.Fprintln(env.stdout, "The read model has not come to it yet: is a process with the role projector running?")
			return err
		}
		fmt.Fprintln(env.stdout, "The customer is folded anew without them and fed again.")
		return nil
	})
}
