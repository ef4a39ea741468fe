package customer_test

import (
	"testing"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/domaintest"
)

func TestErase(t *testing.T) {
	erase := func(s *customer.State) ([]customer.Event, error) { return s.Erase() }
	gone := customer.Erased{Generation: 1}
	back := created()
	back.Generation = 2
	domaintest.Run(t, []testCase{
		{Name: "a customer", Given: given{created()}, When: erase, Then: events{gone}},
		{Name: "nobody", When: erase, Refused: domain.CodeNotFound},
		{Name: "again", Given: given{created(), gone}, When: erase, Refused: domain.CodeNotFound},
		{Name: "back", Given: given{created(), gone, back}, When: erase, Then: events{customer.Erased{Generation: 2}}},
		{Name: "who was withdrawn", Given: given{imported(id(7)), customer.Withdrawn{Import: id(7)}}, When: erase, Then: events{gone}},
		{Name: "on the blacklist", Given: given{created(), customer.Blacklisted{Reason: "spam"}}, When: erase, Then: events{gone}},
	})
}

// Nothing is left of whoever was erased but the number of the next life.
func TestAfterErasure(t *testing.T) {
	gone := given{created(), customer.Blacklisted{Reason: "spam"}, customer.Erased{Generation: 1}}
	back := customer.New{Association: 1, Channel: "app", ExternalID: "visitor", Via: customer.ViaInbound}
	born := created()
	born.Profile, born.Generation, born.Tags = customer.Profile{Nickname: "visitor"}, 2, nil
	domaintest.Run(t, []testCase{
		{Name: "tag", Given: gone, When: func(s *customer.State) ([]customer.Event, error) { return s.Tag(id(1), known) }, Refused: domain.CodeNotFound},
		{Name: "withdraw", Given: gone, When: func(s *customer.State) ([]customer.Event, error) { return s.Withdraw(id(7)) }, Refused: domain.CodeNotFound},
		{Name: "lift", Given: gone, When: func(s *customer.State) ([]customer.Event, error) { return s.LiftExpired(domaintest.Minute(5)) }},
		{Name: "create", Given: gone, When: func(s *customer.State) ([]customer.Event, error) { return s.Create(back, known, nil) }, Then: events{born}},
	})
}
