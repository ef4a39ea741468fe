package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
)

// MaxSentAtOnce is how many customers one SendAutoMessage may name.
const MaxSentAtOnce = 100

// SendAutoMessage decides, in one append, which of these customers get an auto message now: those who have not got it, exist, are not on
// the blacklist, and are reached through an association of a channel that takes auto messages. Done.Recipients is how many. That it
// goes out to the channels is what a policy sees to.
//
// It may be run by several at the same time, and again after a crash: whom it was sent to is decided by the log. If the auto message is
// not running nobody gets it; that is no refusal. It refuses nothing.
type SendAutoMessage struct {
	AutoMessage uuid.UUID
	Customers   []uuid.UUID // up to MaxSentAtOnce
}

// Run carries it out.
func (cmd SendAutoMessage) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all, connected := autoMessages(), associations()
		whos := make(map[uuid.UUID]*customerEntity, len(cmd.Customers))
		streams := []stream{all, connected}
		for _, id := range cmd.Customers {
			if whos[id] == nil {
				whos[id] = customerOf(id)
				streams = append(streams, whos[id])
			}
		}
		if err := a.load(ctx, streams...); err != nil {
			return err
		}
		a.done.AutoMessage = cmd.AutoMessage
		if m, found := all.state.Find(cmd.AutoMessage); !found || m.Status != automessage.StatusRunning {
			return nil
		}
		recipients, streams := map[uuid.UUID]*recipientEntity{}, streams[:0]
		for id, who := range whos {
			if _, err := connected.state.Active(who.state.Association); err != nil || withheld(who, a) != "" {
				continue
			}
			recipients[id] = recipientOf(automessage.RecipientID(cmd.AutoMessage, id, who.state.Generation))
			streams = append(streams, recipients[id])
		}
		if len(streams) == 0 {
			return nil
		}
		if err := a.load(ctx, streams...); err != nil {
			return err
		}
		for _, id := range cmd.Customers { // in this order
			to := recipients[id]
			if to == nil {
				continue
			}
			events := to.state.Send(cmd.AutoMessage, id, whos[id].state.Association)
			if len(events) == 0 {
				continue
			}
			add(a, to, id, events)
			a.guard(whos[id]) // who is put on the blacklist, or erased, at the same time does not get it
			a.done.Recipients++
		}
		a.guard(all)       // nothing is sent behind the stop in the log
		a.guard(connected) // nor through an association behind its removal
		return nil
	})
}
