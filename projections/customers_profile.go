package projections

import (
	"maps"
	"slices"

	"customercenter/domain/customer"
	"customercenter/domain/text"
	"customercenter/eventstore"
)

// This file folds who the customers are: how they come to the list and leave it, their profiles and their tags.

func (f *customersFold) created(e *eventstore.Decoded, c customer.Created) error {
	ordinal := f.ordinal(&e.Event)
	values := c.Profile.Custom
	custom, err := customJSON(values)
	if err != nil {
		return err
	}
	c.Profile.Custom = nil
	at := micros(e.RecordedAt)
	row := customerRow{
		ID: e.Customer, Ordinal: ordinal, Generation: c.Generation, Association: c.Association, Channel: c.Channel, ExternalID: c.ExternalID,
		Profile: c.Profile, Custom: custom, Tags: c.Tags, Via: c.Via,
		CreatedAt: at, UpdatedAt: at, Version: e.Version, CreatedPosition: e.Position,
		NicknameKey: f.order.key(c.Profile.Nickname),
	}
	activity := customerActivityRow{ID: e.Customer, Ordinal: ordinal, Agents: "[]"}
	if former, again := f.customers.Peek(e.Customer); again {
		if err := f.leave(former); err != nil {
			return err
		}
		f.customers.Put(row)
		f.activities.Put(activity)
	} else {
		f.customers.Create(row)
		f.activities.Create(activity)
	}
	f.revalue(ordinal, nil, values)
	return f.join(e.Tenant, &row)
}

// join brings a new customer into the sets and the texts that are searched.
func (f *customersFold) join(tenant string, row *customerRow) error {
	fields, err := fieldFacets(row)
	if err != nil {
		return err
	}
	for _, facets := range [][]int64{identityFacets(row), tagFacets(row.Tags), fields} {
		move(f.bits, row.Ordinal, nil, facets)
	}
	texts := foldedText(row)
	texts.Terms = termsOf(tenant, &texts)
	move(f.grams, row.Ordinal, nil, textGrams(&texts))
	f.texts.Create(texts) // an ordinal is given once
	return nil
}

// leave takes a customer out of everything that hangs on its place in the list, at the end of a life.
func (f *customersFold) leave(row *customerRow) error {
	activity, found := f.activities.Peek(row.ID)
	if !found {
		return errNoCustomer
	}
	done, err := activityFacets(activity)
	if err != nil {
		return err
	}
	fields, err := fieldFacets(row)
	if err != nil {
		return err
	}
	for _, facets := range [][]int64{identityFacets(row), tagFacets(row.Tags), fields, done, {facet(facetBlacklisted, "")}} {
		move(f.bits, row.Ordinal, facets, nil)
	}
	values, err := customOf(row)
	if err != nil {
		return err
	}
	f.revalue(row.Ordinal, values, nil)
	texts := foldedText(row)
	move(f.grams, row.Ordinal, textGrams(&texts), nil)
	f.texts.Delete(row.Ordinal)
	f.listings.Delete(row.ID)
	return nil
}

// end takes a customer off the list, with all that hangs on it.
func (f *customersFold) end(row *customerRow) error {
	if err := f.leave(row); err != nil {
		return err
	}
	id := row.ID // the row goes
	f.customers.Delete(id)
	f.activities.Delete(id)
	return nil
}

// withdrawn ends a life that no other one follows yet.
func (f *customersFold) withdrawn(e *eventstore.Decoded) error {
	row, found := f.customers.Peek(e.Customer)
	if !found {
		return errNoCustomer
	}
	return f.end(row)
}

// erased ends a life, if one is going on. Whatever the rows held of it was folded anew without the keys before: see projector.Definition.
func (f *customersFold) erased(e *eventstore.Decoded) error {
	row, found := f.customers.Peek(e.Customer)
	if !found {
		return nil // withdrawn before
	}
	return f.end(row)
}

// foldedText is what is searched of a customer, without the terms.
func foldedText(r *customerRow) customerTextRow {
	p := &r.Profile
	return customerTextRow{
		Ordinal: r.Ordinal, ExternalID: text.Fold(r.ExternalID), Nickname: text.Fold(p.Nickname), Name: text.Fold(p.Name), Phone: text.Fold(p.Phone),
		QQ: text.Fold(p.QQ), WechatID: text.Fold(p.WechatID), Email: text.Fold(p.Email), Company: text.Fold(p.Company), Description: text.Fold(p.Description),
	}
}

// retagged lets the domain say what the tags are after a change.
func (f *customersFold) retagged(e *eventstore.Decoded, payload customer.Event) error {
	row, err := f.touched(e)
	if err != nil {
		return err
	}
	before := row.Tags
	after := customer.State{Tags: slices.Clone(before)}
	after.Apply(payload, row.UpdatedAt)
	row.Tags = after.Tags
	move(f.bits, row.Ordinal, tagFacets(before), tagFacets(row.Tags))
	return nil
}

// profileChanged lets the domain say what a profile is after a change.
func (f *customersFold) profileChanged(e *eventstore.Decoded, payload customer.ProfileChanged) error {
	row, err := f.touched(e)
	if err != nil {
		return err
	}
	fields, err := fieldFacets(row)
	if err != nil {
		return err
	}
	before := row.Profile
	values, err := customOf(row)
	if err != nil {
		return err
	}
	after := customer.State{Profile: before}
	after.Profile.Custom = maps.Clone(values)
	after.Apply(payload, row.UpdatedAt)
	f.revalue(row.Ordinal, values, after.Profile.Custom)
	if row.Custom, err = customJSON(after.Profile.Custom); err != nil {
		return err
	}
	row.Profile = after.Profile
	row.Profile.Custom = nil
	now, err := fieldFacets(row)
	if err != nil {
		return err
	}
	move(f.bits, row.Ordinal, fields, now)
	if !slices.ContainsFunc(customer.Fields(), func(f customer.Field) bool { return before.Value(f.Key) != row.Profile.Value(f.Key) }) {
		return nil // custom fields are not among the texts
	}
	row.NicknameKey = f.order.key(row.Profile.Nickname)
	former := customerRow{Ordinal: row.Ordinal, ExternalID: row.ExternalID, Profile: before}
	was, is := foldedText(&former), foldedText(row)
	is.Terms = termsOf(e.Tenant, &is)
	move(f.grams, row.Ordinal, textGrams(&was), textGrams(&is))
	f.texts.Put(is)
	return nil
}
