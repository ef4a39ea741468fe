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
	Custom   map[string]any     // by key of a custom field, see field.State.Normalize
	// IfVersion is the Done.Version that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd EditProfile) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		who := customerOf(cmd.Customer)
		normal, err := a.loadWithFields(ctx, cmd.Custom, who)
		if err != nil {
			return err
		}
		return a.edit(who, cmd.Customer, cmd.IfVersion, func() ([]customer.Event, error) {
			return who.state.ChangeProfile(customer.Edit{Fields: cmd.Changes, Custom: cmd.Custom}, normal)
		})
	})
}

// loadWithFields loads streams, and, if there are values of custom fields, the catalogue that says what they may be. It guards on that: a
// field that is removed at the same time must not get a value.
func (a *attempt) loadWithFields(ctx context.Context, custom map[string]any, streams ...stream) (customer.Normal, error) {
	if len(custom) == 0 {
		return nil, a.load(ctx, streams...)
	}
	catalogue := fields()
	if err := a.load(ctx, append(streams, catalogue)...); err != nil {
		return nil, err
	}
	a.guard(catalogue)
	return catalogue.state.Normalize, nil
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
