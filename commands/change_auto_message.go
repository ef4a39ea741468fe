package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/automessage"
)

// ChangeAutoMessage changes an auto message: what is nil stays. Text and audience can be changed until it is started for the first time.
// An audience by a list is changed by AddRecipients: here Audience.Customers must be empty.
//
// Refused: NOT_FOUND; PRECONDITION_FAILED; as in automessage.State.Change; and for the audience as in DefineAutoMessage.
type ChangeAutoMessage struct {
	AutoMessage uuid.UUID
	Name        *string
	Text        *string
	Audience    *Audience
	Rate        *int
	// IfVersion is the version of the auto message that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd ChangeAutoMessage) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := autoMessages()
		revision := automessage.Revision{Name: cmd.Name, Text: cmd.Text, Rate: cmd.Rate}
		if cmd.Audience == nil {
			if err := a.load(ctx, all); err != nil {
				return err
			}
		} else {
			if len(cmd.Audience.Customers) > 0 {
				return domain.Invalid("audience.customers", domain.RuleReadOnly)
			}
			wanted, err := a.audience(ctx, all, *cmd.Audience)
			if err != nil {
				return err
			}
			revision.Audience = &wanted
		}
		return a.autoMessage(all, cmd.AutoMessage, cmd.IfVersion, func() ([]automessage.Event, error) {
			return all.state.Change(cmd.AutoMessage, revision)
		})
	})
}

// autoMessage adds what was decided about one auto message that the caller has seen in a version.
func (a *attempt) autoMessage(all *autoMessagesEntity, id uuid.UUID, version int64, decide func() ([]automessage.Event, error)) error {
	m, found := all.state.Find(id)
	if !found {
		return domain.Refuse(domain.CodeNotFound)
	}
	if err := seen(version, m.Version); err != nil {
		return err
	}
	events, err := decide()
	if err != nil {
		return err
	}
	add(a, all, nobody, events)
	a.done.AutoMessage = id
	return nil
}
