package commands

import (
	"context"
	"slices"

	"customercenter/domain"
	"customercenter/domain/field"
)

// fieldUses loads whatever may speak of fields, and others with it in the same round trip. What it returns answers what speaks of one. An
// append that rests on the answer needs guard, or somebody could begin to speak of the field at the same time.
func (a *attempt) fieldUses(ctx context.Context, others ...stream) (used field.InUse, guard func(), err error) {
	rules, saved, audiences := groups(), views(), autoMessages()
	if err := a.load(ctx, append(others, rules, saved, audiences)...); err != nil {
		return nil, nil, err
	}
	used = func(name, option string) []domain.Use {
		if option == "" {
			return slices.Concat(rules.state.Uses(name), saved.state.Uses(name), audiences.state.Uses(name))
		}
		return slices.Concat(rules.state.UsesOption(name, option), saved.state.UsesOption(name, option), audiences.state.UsesOption(name, option))
	}
	return used, func() {
		a.guard(rules)
		a.guard(saved)
		a.guard(audiences)
	}, nil
}
