package customer_test

import (
	"testing"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/domaintest"
)

func TestDisclose(t *testing.T) {
	disclose := func(s *customer.State) ([]customer.Event, error) { return s.Disclose() }
	withdraw := func(s *customer.State) ([]customer.Event, error) { return s.Withdraw(id(7)) }
	told, gone := events{customer.Disclosed{}}, customer.Erased{Generation: 1}
	domaintest.Run(t, []testCase{
		{Name: "a customer", Given: given{created()}, When: disclose, Then: told},
		{Name: "once more", Given: given{created(), customer.Disclosed{}}, When: disclose, Then: told},
		{Name: "who was withdrawn", Given: given{imported(id(7)), customer.Withdrawn{Import: id(7)}}, When: disclose, Then: told},
		{Name: "who was erased", Given: given{created(), gone}, When: disclose, Then: told},
		{Name: "nobody", When: disclose, Refused: domain.CodeNotFound},
		{Name: "it touches nobody", Given: given{imported(id(7)), customer.Disclosed{}}, When: withdraw, Then: events{customer.Withdrawn{Import: id(7)}}},
		{Name: "and erases nobody", Given: given{created(), gone, customer.Disclosed{}}, When: func(s *customer.State) ([]customer.Event, error) { return s.Erase() }, Refused: domain.CodeNotFound},
	})
}
