package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
)

// RecordAutoMessageReply records that the customer of a recipient wrote at By.OccurredAt, if that is the first time since the auto message
// and within automessage.ReplyWindow of it. Otherwise nothing changes. It refuses nothing but OCCURRED_IN_FUTURE.
type RecordAutoMessageReply struct {
	Recipient uuid.UUID
}

// Run carries it out.
func (cmd RecordAutoMessageReply) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return a.recipient(ctx, cmd.Recipient, func(r *automessage.Recipient) []automessage.RecipientEvent { return r.Reply(a.at()) })
	})
}
