package session

import (
	"net/netip"
	"time"

	"customercenter/domain"
)

// Longest values of what a browser tells, in characters. The referrer may be as long as an address of a message.
const (
	MaxRegion    = 128
	MaxUserAgent = 2_048
	maxIP        = 64
)

// RecordWebAttributes records what a web visitor's browser told. Empty values leave what was told before; the event
// always holds all that is known, and if nothing is new there is none. After the end they are taken if they occurred
// before it, as with messages.
//
// Refused: NOT_FOUND; SESSION_ENDED; OCCURRED_IN_FUTURE; VALIDATION at web.ip, web.region, web.user_agent or web.referrer.
func (s *State) RecordWebAttributes(w WebAttributesRecorded, occurredAt, now time.Time) ([]Event, error) {
	if err := domain.CheckOccurred(occurredAt, now); err != nil {
		return nil, err
	}
	w, err := normalizeWeb(w)
	if err != nil {
		return nil, err
	}
	if err := s.mustTake(occurredAt); err != nil {
		return nil, err
	}
	for _, v := range []struct {
		to   *string
		from string
	}{{&w.IP, s.Web.IP}, {&w.Region, s.Web.Region}, {&w.UserAgent, s.Web.UserAgent}, {&w.Referrer, s.Web.Referrer}} {
		if *v.to == "" {
			*v.to = v.from
		}
	}
	if w == s.Web {
		return nil, nil
	}
	return []Event{w}, nil
}

func normalizeWeb(w WebAttributesRecorded) (WebAttributesRecorded, error) {
	for _, v := range []struct {
		location string
		value    *string
		max      int
	}{
		{"web.ip", &w.IP, maxIP},
		{"web.region", &w.Region, MaxRegion},
		{"web.user_agent", &w.UserAgent, MaxUserAgent},
		{"web.referrer", &w.Referrer, MaxURL},
	} {
		normal, err := line(v.location, *v.value, v.max)
		if err != nil {
			return w, err
		}
		*v.value = normal
	}
	if w.IP != "" {
		address, err := netip.ParseAddr(w.IP)
		if err != nil || address.Zone() != "" {
			return w, domain.Invalid("web.ip", domain.RuleFormat)
		}
		w.IP = address.Unmap().String()
	}
	return w, nil
}
