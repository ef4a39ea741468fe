package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/bulk"
	"customercenter/domain/customer"
)

// UndoBulkChanges undoes a bulk action for the customers of the next of its appends, but for those where what it did was changed since: in one append
// with what became of each. If they are not the next ones it changes nothing. It refuses nothing.
type UndoBulkChanges struct {
	Bulk    uuid.UUID
	Applied bulk.Applied
}

// Run carries it out.
func (cmd UndoBulkChanges) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		ids := make([]uuid.UUID, len(cmd.Applied.Changed))
		for i, change := range cmd.Applied.Changed {
			ids[i] = change.Customer
		}
		work, catalogue := bulkOf(cmd.Bulk), tags()
		whos, streams := customersOf(ids)
		if err := a.load(ctx, append(streams, work, catalogue)...); err != nil {
			return err
		}
		a.done.Job = cmd.Bulk
		before, err := a.before(ctx, whos, cmd.Applied.Changed, work.state.Asked.Action == bulk.Unblacklist)
		if err != nil {
			return err
		}
		undone := bulk.Undone{From: cmd.Applied.From, To: cmd.Applied.To}
		record := work.state.RecordUndone(undone)
		if len(record) == 0 {
			return nil
		}
		for i, id := range ids {
			events, err := work.state.UndoOne(whos[i].state, before[i], a.now, catalogue.state.Known)
			var refusal *domain.Refusal
			switch {
			case errors.As(err, &refusal):
				undone.Kept = append(undone.Kept, bulk.Refused{Customer: id, Code: refusal.Code})
			case err != nil:
				return err
			default:
				add(a, whos[i], id, events)
				undone.Count++
			}
		}
		add(a, work, nobody, work.state.RecordUndone(undone))
		a.guard(catalogue)
		return nil
	})
}

// before reads what has happened to customers since they were changed and, with listings, which listing was ended then. It reads after the
// customers were loaded: if it sees more than they did, the append finds that they have moved, and all is decided anew.
func (a *attempt) before(ctx context.Context, whos []*customerEntity, changes []bulk.Change, listings bool) ([]bulk.Before, error) {
	names, after := make([]string, len(whos)), make([]int64, len(whos))
	place := make(map[string]int, len(whos))
	for i, who := range whos {
		names[i], place[who.name] = who.name, i
		if !listings {
			after[i] = changes[i].Version
		}
	}
	events, err := a.center.reads.streams(ctx, a.by.Tenant, names, after)
	if err != nil {
		return nil, fmt.Errorf("commands: load: %w", err)
	}
	decoded, err := a.center.store.Open(ctx, events)
	if err != nil {
		return nil, fmt.Errorf("commands: load: %w", err)
	}
	all := make([]bulk.Before, len(whos))
	for _, d := range decoded {
		i := place[d.Stream]
		event := d.Payload.(domain.Event)
		if d.Version > changes[i].Version {
			all[i].Since = append(all[i].Since, event)
		} else if listed, is := event.(customer.Blacklisted); is {
			all[i].Listing = &listed
		}
	}
	return all, nil
}
