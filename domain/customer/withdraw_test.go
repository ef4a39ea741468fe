package customer_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/domaintest"
)

// imported is a creation by an import.
func imported(by uuid.UUID) customer.Created {
	c := created(id(1))
	c.Via, c.Import = customer.ViaImport, by
	return c
}

func TestWithdraw(t *testing.T) {
	withdraw := func(by uuid.UUID) when {
		return func(s *customer.State) ([]customer.Event, error) { return s.Withdraw(by) }
	}
	gone := customer.Withdrawn{Import: id(7)}
	byHand, unnamed, again := created(), created(), created()
	byHand.Via = customer.ViaAPI
	unnamed.Via = customer.ViaImport // as no decision makes it
	again.Generation = 2
	cases := []testCase{
		{Name: "as imported", Given: given{imported(id(7))}, When: withdraw(id(7)), Then: events{gone}},
		{Name: "nobody", When: withdraw(id(7)), Refused: domain.CodeNotFound},
		{Name: "again", Given: given{imported(id(7)), gone}, When: withdraw(id(7)), Refused: domain.CodeNotFound},
		{Name: "of another import", Given: given{imported(id(7))}, When: withdraw(id(8)), Refused: domain.CodeCustomerTouched},
		{Name: "who reached out", Given: given{created()}, When: withdraw(id(7)), Refused: domain.CodeCustomerTouched},
		{Name: "made by hand", Given: given{byHand}, When: withdraw(uuid.Nil), Refused: domain.CodeCustomerTouched},
		{Name: "of no import", Given: given{unnamed}, When: withdraw(uuid.Nil), Refused: domain.CodeCustomerTouched},
		{Name: "back in another way", Given: given{imported(id(7)), gone, again}, When: withdraw(id(7)), Refused: domain.CodeCustomerTouched},
		{Name: "back by another import", Given: given{imported(id(7)), gone, imported(id(8))}, When: withdraw(id(8)), Then: events{customer.Withdrawn{Import: id(8)}}},
		{Name: "other aggregates' events", Given: given{imported(id(7)), unknownEvent{}}, When: withdraw(id(7)), Then: events{gone}},
	}
	// Whatever happens touches, also if all is as it was after it.
	renamed := customer.ProfileChanged{Fields: map[string]customer.Change{"name": {New: "王"}}}
	for _, touching := range []given{
		{renamed}, {customer.Tagged{Tag: id(2)}}, {customer.Tagged{Tag: id(2)}, customer.Untagged{Tag: id(2)}}, {customer.Untagged{Tag: id(1)}},
		{customer.SessionOpened{Session: id(1), Initiator: "customer"}}, {customer.SessionOpened{Session: id(1)}, customer.SessionClosed{Session: id(1)}},
		{customer.Blacklisted{Reason: "spam"}}, {customer.Blacklisted{Reason: "spam"}, customer.Unblacklisted{Cause: customer.CauseManual}},
	} {
		cases = append(cases, testCase{
			Name: "after " + touching[len(touching)-1].EventType(), Given: append(given{imported(id(7))}, touching...), When: withdraw(id(7)), Refused: domain.CodeCustomerTouched,
		})
	}
	domaintest.Run(t, cases)
}

// Who was withdrawn is nobody to every decision, and who comes back begins anew, in the next generation.
func TestAfterWithdrawal(t *testing.T) {
	gone := given{imported(id(7)), customer.Withdrawn{Import: id(7)}}
	text := "王"
	now := domaintest.Minute(5)
	session := func(s *customer.State) ([]customer.Event, error) { return s.OpenSession(id(1), "customer", now) }
	back := customer.New{Association: 1, Channel: "app", ExternalID: "visitor", Via: customer.ViaInbound}
	born := created()
	born.Profile, born.Generation = customer.Profile{Nickname: "visitor"}, 2
	var cases []testCase
	for name, ask := range map[string]when{
		"edit": func(s *customer.State) ([]customer.Event, error) {
			return s.ChangeProfile(customer.Edit{Fields: map[string]*string{"name": &text}}, nil)
		},
		"tag":         func(s *customer.State) ([]customer.Event, error) { return s.Tag(id(1), known) },
		"untag":       func(s *customer.State) ([]customer.Event, error) { return s.Untag(id(1)) },
		"replace":     func(s *customer.State) ([]customer.Event, error) { return s.ReplaceTags(nil, known) },
		"session":     session,
		"close":       func(s *customer.State) ([]customer.Event, error) { return s.CloseSession(id(1), false, now) },
		"blacklist":   func(s *customer.State) ([]customer.Event, error) { return s.Blacklist("spam", time.Time{}, now) },
		"unblacklist": func(s *customer.State) ([]customer.Event, error) { return s.Unblacklist(now) },
		"call back":   func(s *customer.State) ([]customer.Event, error) { return nil, s.MayBeCalledBack(now) },
	} {
		cases = append(cases, testCase{Name: name, Given: gone, When: ask, Refused: domain.CodeNotFound})
	}
	domaintest.Run(t, append(cases,
		testCase{Name: "lift", Given: gone, When: func(s *customer.State) ([]customer.Event, error) { return s.LiftExpired(now) }},
		testCase{Name: "create", Given: gone, When: func(s *customer.State) ([]customer.Event, error) { return s.Create(back, known, nil) }, Then: events{born}},
		testCase{Name: "and go on", Given: append(gone[:2:2], born), When: session, Then: events{customer.SessionOpened{Session: id(1), Initiator: "customer"}}},
	))
}
