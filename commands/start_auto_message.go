package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
)

// StartAutoMessage begins to send an auto message to whoever belongs to its audience and has not got it yet, until it is stopped.
//
// Refused: NOT_FOUND, PRECONDITION_FAILED, and TAG_UNKNOWN or GROUP_UNKNOWN, with the path in the audience, if it names what was deleted since. What is so
// already changes nothing.
type StartAutoMessage struct {
	AutoMessage uuid.UUID
	// IfVersion is the version of the auto message that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd StartAutoMessage) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all, words := autoMessages(), newVocabulary()
		if err := words.load(ctx, a, all); err != nil {
			return err
		}
		return a.autoMessage(all, cmd.AutoMessage, cmd.IfVersion, func() ([]automessage.Event, error) {
			m, _ := all.state.Find(cmd.AutoMessage)
			parsed, err := words.filter(a, m.Audience.Filter, "audience.filter")
			if err != nil {
				return nil, err
			}
			if len(m.Audience.Groups) > 0 {
				a.guard(words.tags) // their rules name some
				a.guard(words.groups)
			}
			return all.state.Start(cmd.AutoMessage, automessage.Wanted{
				Filter: parsed, Groups: m.Audience.Groups, Tags: words.tags.state.Known, GroupKnown: words.groups.state.Known,
			})
		})
	})
}
