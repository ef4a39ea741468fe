package commands

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/imports"
)

// RevertImportRows takes back the customers of the next of an import's appends, but for those to whom something has happened since: in one append with
// what became of each. If they are not the next ones it changes nothing. It refuses nothing.
type RevertImportRows struct {
	Import uuid.UUID
	Rows   imports.RowsRecorded
}

// Run carries it out.
func (cmd RevertImportRows) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		ids := make([]uuid.UUID, len(cmd.Rows.Created))
		for i, created := range cmd.Rows.Created {
			ids[i] = created.Customer
		}
		work := importOf(cmd.Import)
		whos, streams := customersOf(ids)
		if err := a.load(ctx, append(streams, work)...); err != nil {
			return err
		}
		a.done.Job = cmd.Import
		reverted := imports.RowsReverted{From: cmd.Rows.From, To: cmd.Rows.To}
		if len(work.state.RecordReverted(reverted)) == 0 {
			return nil
		}
		for i, created := range cmd.Rows.Created {
			events, err := whos[i].state.Withdraw(cmd.Import)
			var refusal *domain.Refusal
			switch {
			case errors.As(err, &refusal) && refusal.Code == domain.CodeNotFound: // somebody else saw to that the customer is no more
			case errors.As(err, &refusal):
				reverted.Kept = append(reverted.Kept, created)
			case err != nil:
				return err
			default:
				add(a, whos[i], created.Customer, events)
				reverted.Count++
			}
		}
		add(a, work, nobody, work.state.RecordReverted(reverted))
		return nil
	})
}
