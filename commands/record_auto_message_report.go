package commands

import (
	"context"

	"github.com/google/uuid"
)

// RecordAutoMessageReport records what a channel reports of an auto message: that it arrived, or that it was read. Each is recorded once,
// in whatever order they come. Channels report on every message they send, so an id that is not that of an auto message sent
// through this association changes nothing. It refuses nothing but OCCURRED_IN_FUTURE.
type RecordAutoMessageReport struct {
	Association int
	Message     uuid.UUID // as the channel got it: the recipient's id
	Read        bool      // else: it arrived
}

// Run carries it out.
func (cmd RecordAutoMessageReport) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		to := recipientOf(cmd.Message)
		if err := a.load(ctx, to); err != nil {
			return err
		}
		if !to.state.WasSent() || to.state.Association != cmd.Association {
			return nil
		}
		a.done.Customer = to.state.Customer
		if cmd.Read {
			add(a, to, to.state.Customer, to.state.BeRead())
		} else {
			add(a, to, to.state.Customer, to.state.Deliver())
		}
		return nil
	})
}
