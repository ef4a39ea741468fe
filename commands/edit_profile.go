package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
)

// EditProfile sets fields of a profile; nil, or an empty value, means "not set". Refused: PRECONDITION_FAILED, and as in
// customer.State.ChangeProfile.
type EditProfile struct {
	Customer uuid.UUID
	Changes  map[string]*string // by field, see customer.Fields
	// IfVersion is the Done.Version that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd EditProfile) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		who := customerOf(cmd.Customer)
		if err := a.load(ctx, who); err != nil {
			return err
		}
		return a.edit(who, cmd.Customer, cmd.IfVersion, func() ([]customer.Event, error) {
			return who.state.ChangeProfile(cmd.Changes)
		})
	})
}

// edit adds what decide decides of a loaded customer, if the customer has the version that the caller has seen.
func (a *attempt) edit(who *customerEntity, id uuid.UUID, ifVersion int64, decide func() ([]customer.Event, error)) error {
	events, err := decide()
	if err != nil {
		return err
	}
	if ifVersion != 0 && ifVersion != who.edited() {
		return domain.Refuse(CodePreconditionFailed)
	}
	add(a, who, id, events)
	a.done.Customer, a.done.Version = id, who.edited()
	return nil
}
