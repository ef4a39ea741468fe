package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"customercenter/api/ingest"
)

// deadCommand lists and resends channel events that could not be taken.
type deadCommand struct {
	List    deadList    `cmd:"" default:"withargs" help:"List them, with the reason; without what people wrote."`
	Resend  deadResend  `cmd:"" help:"Put one into the queue again, for example after an association was registered."`
	Discard deadDiscard `cmd:"" help:"Remove one for good. They go by themselves after 30 days."`
}

// withDead opens the target's dead letters for one command.
func (t target) withDead(env *environment, do func(ctx context.Context, d *ingest.DeadLetters) error) error {
	return t.withNATS(env, func(nc *nats.Conn) error {
		d, err := ingest.NewDeadLetters(nc)
		if err != nil {
			return err
		}
		return do(env.ctx, d)
	})
}

type deadList struct {
	target `prefix:""`
	Tenant string `help:"Of one tenant only."`
	After  uint64 `help:"Only those after this number."`
	Limit  int    `help:"At most so many." default:"100"`
	JSON   bool   `help:"One JSON object a line."`
}

// Run lists the dead letters.
func (c *deadList) Run(env *environment) error {
	return c.withDead(env, func(ctx context.Context, d *ingest.DeadLetters) error {
		letters, err := d.List(ctx, c.Tenant, c.After, c.Limit)
		if err != nil {
			return err
		}
		if len(letters) == 0 && !c.JSON {
			fmt.Fprintln(env.stdout, "There are none.")
			return nil
		}
		return table(env.stdout, c.JSON, "NUMBER\tTENANT\tASSOCIATION\tSINCE\tCODE\tPLACE\tREASON", letters, func(l ingest.DeadLetter) string {
			return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s\t%s", l.Sequence, l.Tenant, l.Association, day(l.Died), l.Code, l.Location, l.Reason)
		})
	})
}

type deadResend struct {
	target `prefix:""`
	Number uint64 `arg:"" optional:"" help:"Which, see 'dead list'."`
	All    bool   `help:"All of them."`
}

// Run sends one again, or all.
func (c *deadResend) Run(env *environment) error {
	if (c.Number == 0) == !c.All {
		return usageError{"name one number, or --all"}
	}
	return c.withDead(env, func(ctx context.Context, d *ingest.DeadLetters) error {
		if !c.All {
			return d.Resend(ctx, c.Number)
		}
		begin, sent, after := time.Now(), 0, uint64(0)
		for {
			letters, err := d.List(ctx, "", after, 200)
			if err != nil {
				return err
			}
			for _, l := range letters {
				after = l.Sequence
				if l.Cut || l.Died.After(begin) { // the latter was sent by us and refused once more
					continue
				}
				if err := d.Resend(ctx, l.Sequence); err != nil && !errors.Is(err, ingest.ErrNoLetter) {
					return err
				}
				sent++
			}
			if len(letters) < 200 {
				fmt.Fprintf(env.stdout, "%d sent again.\n", sent)
				return nil
			}
		}
	})
}

type deadDiscard struct {
	target `prefix:""`
	Number uint64 `arg:"" help:"Which, see 'dead list'."`
}

// Run removes one.
func (c *deadDiscard) Run(env *environment) error {
	return c.withDead(env, func(ctx context.Context, d *ingest.DeadLetters) error { return d.Discard(ctx, c.Number) })
}
