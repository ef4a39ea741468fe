package domain_test

import (
	"errors"
	"testing"
	"time"

	"customercenter/domain"
)

func TestCheckOccurred(t *testing.T) {
	now := time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{{}, now.AddDate(-10, 0, 0), now, now.Add(domain.MaxClockLead)} {
		if err := domain.CheckOccurred(at, now); err != nil {
			t.Errorf("CheckOccurred(%v) = %v, want it accepted", at, err)
		}
	}
	for _, at := range []time.Time{now.Add(domain.MaxClockLead + 1), now.AddDate(500, 0, 0)} {
		var refusal *domain.Refusal
		if err := domain.CheckOccurred(at, now); !errors.As(err, &refusal) || refusal.Code != domain.CodeOccurredInFuture {
			t.Errorf("CheckOccurred(%v) = %v, want %s", at, err, domain.CodeOccurredInFuture)
		}
	}
}

func TestRefusalNamesCodeAndFieldOnly(t *testing.T) {
	err := domain.TooLong("profile.phone", 45)
	if got, want := err.Error(), "refused: VALIDATION at profile.phone"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if err.Args["rule"] != domain.RuleTooLong || err.Args["max"] != 45 {
		t.Errorf("Args = %v", err.Args)
	}
	if got := domain.Refuse(domain.CodeTagExists).Error(); got != "refused: TAG_EXISTS" {
		t.Errorf("Error() = %q", got)
	}
}

func TestEveryChannelIsAChannel(t *testing.T) {
	for _, c := range domain.Channels() {
		if !domain.IsChannel(c) {
			t.Errorf("IsChannel(%q) = false", c)
		}
	}
	if domain.IsChannel("") || domain.IsChannel("APP") || domain.IsChannel("telegram") {
		t.Error("an unknown channel passed")
	}
}
