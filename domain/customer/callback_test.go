package customer_test

import (
	"testing"
	"time"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/domaintest"
)

func TestMayBeCalledBack(t *testing.T) {
	wrote := domaintest.Minute(3)
	onWechat := created()
	onWechat.Channel = "wechat"
	opened := customer.SessionOpened{Session: id(1), Initiator: "customer"}
	closed := customer.SessionClosed{Session: id(1), LastCustomerMessageAt: &wrote}
	silent := customer.SessionClosed{Session: id(1)}
	at := func(now time.Time) when {
		return func(s *customer.State) ([]customer.Event, error) { return nil, s.MayBeCalledBack(now) }
	}
	soon, ends := domaintest.Minute(60), wrote.Add(customer.WechatWindow)
	domaintest.Run(t, []testCase{
		{Name: "who never wrote", Given: given{created()}, When: at(soon)},
		{Name: "after a session", Given: given{created(), opened, closed}, When: at(soon.AddDate(1, 0, 0))},
		{Name: "on wechat, in time", Given: given{onWechat, opened, closed}, When: at(ends.Add(-1))},
		{Name: "an expired entry", Given: given{created(), listed(soon)}, When: at(soon)},

		{Name: "on wechat, too late", Given: given{onWechat, opened, closed}, When: at(ends), Refused: domain.CodeChannelWindowClosed},
		{Name: "on wechat, imported", Given: given{onWechat}, When: at(soon), Refused: domain.CodeChannelWindowClosed},
		{Name: "on wechat, called back in vain", Given: given{onWechat, opened, silent}, When: at(soon), Refused: domain.CodeChannelWindowClosed},
		{Name: "with a session open", Given: given{created(), opened}, When: at(soon), Refused: domain.CodeSessionOpen},
		{Name: "blacklisted", Given: given{created(), listed()}, When: at(soon), Refused: domain.CodeCustomerBlacklisted},
		{Name: "blacklisted with a session open", Given: given{created(), opened, listed()}, When: at(soon), Refused: domain.CodeCustomerBlacklisted},
		{Name: "with a session open, on wechat, too late", Given: given{onWechat, opened, closed, customer.SessionOpened{Session: id(2)}}, When: at(ends), Refused: domain.CodeSessionOpen},
		{Name: "nobody", When: at(soon), Refused: domain.CodeNotFound},
	})
}

func TestWindowEnds(t *testing.T) {
	s := domaintest.Fold[customer.State](created())
	if ends, limited := s.WindowEnds(); limited || !ends.IsZero() {
		t.Errorf("on app: %v, %v", ends, limited)
	}
	s.Channel = "wechat"
	if ends, limited := s.WindowEnds(); !limited || !ends.IsZero() {
		t.Errorf("on wechat without a message: %v, %v", ends, limited)
	}
	s.LastCustomerMessageAt = domaintest.Minute(7)
	if ends, limited := s.WindowEnds(); !limited || !ends.Equal(domaintest.Minute(7).Add(48*time.Hour)) {
		t.Errorf("on wechat: %v, %v", ends, limited)
	}
}
