package customer_test

import (
	"strings"
	"testing"
	"time"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/domaintest"
)

// listed is an entry on the blacklist that ends at an instant, or never.
func listed(ends ...time.Time) customer.Blacklisted {
	e := customer.Blacklisted{Reason: "骚扰"}
	if len(ends) > 0 {
		e.ExpiresAt = &ends[0]
	}
	return e
}

func TestBlacklist(t *testing.T) {
	now, later, never := domaintest.Minute(60), domaintest.Minute(90), time.Time{}
	blacklist := func(reason string, ends time.Time) when {
		return func(s *customer.State) ([]customer.Event, error) { return s.Blacklist(reason, ends, now) }
	}
	expired := customer.Unblacklisted{Cause: customer.CauseExpired}
	shanghai := time.FixedZone("", 8*3600)
	long := strings.Repeat("长", customer.MaxReason)
	domaintest.Run(t, []testCase{
		{Name: "for ever", Given: given{created()}, When: blacklist(" 骚扰 ", never), Then: events{listed()}},
		{Name: "for a while", Given: given{created()}, When: blacklist("骚扰", later.In(shanghai)), Then: events{listed(later)}},
		{Name: "again after removal", Given: given{created(), listed(), customer.Unblacklisted{Cause: customer.CauseManual}}, When: blacklist("骚扰", never), Then: events{listed()}},
		{Name: "over an expired entry", Given: given{created(), listed(now)}, When: blacklist("骚扰", never), Then: events{expired, listed()}},
		{Name: "with a session open", Given: given{created(), customer.SessionOpened{Session: id(1)}}, When: blacklist("骚扰", never), Then: events{listed()}},
		{Name: "the longest reason", Given: given{created()}, When: blacklist(long, never), Then: events{customer.Blacklisted{Reason: long}}},

		{Name: "twice", Given: given{created(), listed()}, When: blacklist("骚扰", never), Refused: domain.CodeAlreadyBlacklisted},
		{Name: "before the entry ends", Given: given{created(), listed(now.Add(1))}, When: blacklist("骚扰", never), Refused: domain.CodeAlreadyBlacklisted},
		{Name: "nobody", When: blacklist("骚扰", never), Refused: domain.CodeNotFound},
		{Name: "no reason", Given: given{created()}, When: blacklist(" ", never), Refused: domain.CodeValidation, At: "reason"},
		{Name: "too much reason", Given: given{created()}, When: blacklist(long+"长", never), Refused: domain.CodeValidation, At: "reason"},
		{Name: "NUL", Given: given{created()}, When: blacklist("a\x00", never), Refused: domain.CodeValidation, At: "reason"},
		{Name: "until a year of five digits", Given: given{created()}, When: blacklist("骚扰", time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -2*3600))),
			Refused: domain.CodeValidation, At: "expires_at"},
		{Name: "until now", Given: given{created()}, When: blacklist("骚扰", now), Refused: domain.CodeValidation, At: "expires_at"},
	})
}

func TestUnblacklist(t *testing.T) {
	now := domaintest.Minute(60)
	off := func(s *customer.State) ([]customer.Event, error) { return s.Unblacklist(now) }
	domaintest.Run(t, []testCase{
		{Name: "off", Given: given{created(), listed()}, When: off, Then: events{customer.Unblacklisted{Cause: customer.CauseManual}}},
		{Name: "off before the end", Given: given{created(), listed(now.Add(1))}, When: off, Then: events{customer.Unblacklisted{Cause: customer.CauseManual}}},
		{Name: "not listed", Given: given{created()}, When: off, Refused: domain.CodeNotBlacklisted},
		{Name: "expired", Given: given{created(), listed(now)}, When: off, Refused: domain.CodeNotBlacklisted},
		{Name: "nobody", When: off, Refused: domain.CodeNotFound},
	})
}

func TestLiftExpired(t *testing.T) {
	now := domaintest.Minute(60)
	lift := func(s *customer.State) ([]customer.Event, error) { return s.LiftExpired(now) }
	domaintest.Run(t, []testCase{
		{Name: "expired", Given: given{created(), listed(now)}, When: lift, Then: events{customer.Unblacklisted{Cause: customer.CauseExpired}}},
		{Name: "not yet", Given: given{created(), listed(now.Add(1))}, When: lift},
		{Name: "never", Given: given{created(), listed()}, When: lift},
		{Name: "lifted", Given: given{created(), listed(now), customer.Unblacklisted{Cause: customer.CauseExpired}}, When: lift},
		{Name: "listed again meanwhile", Given: given{created(), listed(now), customer.Unblacklisted{Cause: customer.CauseManual}, listed(now.Add(1))}, When: lift},
		{Name: "not listed", Given: given{created()}, When: lift},
		{Name: "nobody", When: lift},
	})
}

func TestNoSessionOfTheBlacklisted(t *testing.T) {
	now := domaintest.Minute(60)
	open := func(initiator string) when {
		return func(s *customer.State) ([]customer.Event, error) { return s.OpenSession(id(1), initiator, now) }
	}
	opened := customer.SessionOpened{Session: id(1), Initiator: "customer"}
	domaintest.Run(t, []testCase{
		{Name: "by the customer", Given: given{created(), listed()}, When: open("customer"), Refused: domain.CodeCustomerBlacklisted},
		{Name: "by an agent", Given: given{created(), listed()}, When: open("agent"), Refused: domain.CodeCustomerBlacklisted},
		{Name: "just before the end", Given: given{created(), listed(now.Add(1))}, When: open("customer"), Refused: domain.CodeCustomerBlacklisted},
		{Name: "expired, though not lifted", Given: given{created(), listed(now)}, When: open("customer"), Then: events{opened}},
		{Name: "taken off", Given: given{created(), listed(), customer.Unblacklisted{Cause: customer.CauseManual}}, When: open("customer"), Then: events{opened}},
		{
			Name: "an open one goes on to its end", Given: given{created(), opened, listed()},
			When: func(s *customer.State) ([]customer.Event, error) { return s.CloseSession(id(1), false, time.Time{}) },
			Then: events{customer.SessionClosed{Session: id(1)}},
		},
	})
}

func TestTheListingIsOfTheInstant(t *testing.T) {
	s := domaintest.Fold[customer.State](created(), listed(domaintest.Minute(5)))
	before := s.Clone()
	for minute, want := range map[int]bool{1: true, 4: true, 5: false, 6: false} {
		if got := s.Blacklisted(domaintest.Minute(minute)); got != want {
			t.Errorf("blacklisted at minute %d: %v, want %v", minute, got, want)
		}
	}
	if !s.Listing.Since.Equal(domaintest.Minute(1)) {
		t.Errorf("listed since %v", s.Listing.Since)
	}
	s.Apply(customer.Unblacklisted{Cause: customer.CauseManual}, domaintest.Minute(2))
	if s.Blacklisted(domaintest.Minute(3)) || !before.Blacklisted(domaintest.Minute(3)) {
		t.Error("taking off the list must reach this state and no clone of it")
	}
}
