package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/bulk"
	"customercenter/domain/job"
)

// ApplyBulk does what a bulk action asks for to the next customers, in one append with what became of each. So it happens once to
// everybody, whoever runs it, however often they crash. If they are not the next ones, or it is not going on, it changes nothing.
//
// It refuses nothing: what is refused of one customer is their outcome.
type ApplyBulk struct {
	Bulk      uuid.UUID
	From      int         // of the first, in the order in which they were selected
	Customers []uuid.UUID // up to job.Chunk
}

// Run carries it out.
func (cmd ApplyBulk) Run(ctx context.Context, c *Center, by By) (Done, error) {
	if len(cmd.Customers) > job.Chunk {
		return Done{}, fmt.Errorf("commands: %d customers are more than an append takes", len(cmd.Customers))
	}
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		work, catalogue := bulkOf(cmd.Bulk), tags()
		whos, streams := customersOf(cmd.Customers)
		if err := a.load(ctx, append(streams, work, catalogue)...); err != nil {
			return err
		}
		a.done.Job = cmd.Bulk
		if !work.state.Going() || work.state.Done != cmd.From {
			return nil
		}
		applied := bulk.Applied{From: cmd.From, To: cmd.From + len(cmd.Customers)}
		for i, id := range cmd.Customers {
			events, err := work.state.Do(whos[i].state, a.now, catalogue.state.Known)
			var refusal *domain.Refusal
			switch {
			case errors.As(err, &refusal):
				applied.Refused = append(applied.Refused, bulk.Refused{Customer: id, Code: refusal.Code})
			case err != nil:
				return err
			case len(events) > 0:
				add(a, whos[i], id, events)
				applied.Changed = append(applied.Changed, bulk.Change{Customer: id, Version: whos[i].next()})
			}
		}
		add(a, work, nobody, work.state.Record(applied))
		a.guard(catalogue)
		return nil
	})
}

// customersOf are entities of customers, each named once.
func customersOf(ids []uuid.UUID) ([]*customerEntity, []stream) {
	whos, streams := make([]*customerEntity, len(ids)), make([]stream, len(ids), len(ids)+3)
	for i, id := range ids {
		whos[i] = passingCustomer(id)
		streams[i] = whos[i]
	}
	return whos, streams
}
