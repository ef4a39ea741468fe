// Package settings decides what a tenant sets for itself, and what it is entitled to.
package settings

import (
	"slices"
	"time"

	"customercenter/domain"
)

// Stream is the one stream of a tenant's settings.
const Stream = "settings"

// What holds until a tenant says otherwise.
const (
	DefaultTimeZone  = "Asia/Shanghai"
	DefaultWeekStart = "monday"
)

// EntitlementImport lets a tenant import customers from files. It is the only entitlement so far.
const EntitlementImport = "import"

// State is what the settings are. Its zero value is a tenant that has set nothing; the methods know the defaults.
type State struct {
	Zone         string // IANA name; empty: DefaultTimeZone
	WeekDay      string // "monday" … "sunday"; empty: DefaultWeekStart
	AgentAccess  AgentAccess
	OrderLink    string   // template with {external_id}; empty: none
	Entitlements []string // sorted
}

// AgentAccess says what agents may do in the customer center. By default nothing.
type AgentAccess struct {
	CustomerCenter bool
	Blacklist      bool
}

// TimeZone is the IANA name of the zone that days, weeks and months of the tenant follow.
func (s *State) TimeZone() string {
	if s.Zone == "" {
		return DefaultTimeZone
	}
	return s.Zone
}

// WeekStart is the day on which a week begins, "monday" … "sunday".
func (s *State) WeekStart() string {
	if s.WeekDay == "" {
		return DefaultWeekStart
	}
	return s.WeekDay
}

// FirstWeekday is WeekStart as Go counts days.
func (s *State) FirstWeekday() time.Weekday {
	day, _ := weekday(s.WeekStart())
	return day
}

// Entitled reports whether the tenant has the entitlement.
func (s *State) Entitled(entitlement string) bool {
	return slices.Contains(s.Entitlements, entitlement)
}

// Clone returns a copy that shares nothing that Apply changes.
func (s *State) Clone() State {
	c := *s
	c.Entitlements = slices.Clone(s.Entitlements)
	return c
}

// Apply folds one event, given by value. Events of other aggregates are ignored. at is not needed here.
func (s *State) Apply(e domain.Event, _ time.Time) {
	switch e := e.(type) {
	case TimeZoneSet:
		s.Zone = e.TimeZone
	case WeekStartSet:
		s.WeekDay = e.Day
	case AgentAccessSet:
		s.AgentAccess = AgentAccess{CustomerCenter: e.CustomerCenter, Blacklist: e.Blacklist}
	case OrderLinkSet:
		s.OrderLink = e.Template
	case EntitlementGranted:
		if i, found := slices.BinarySearch(s.Entitlements, e.Entitlement); !found {
			s.Entitlements = slices.Insert(s.Entitlements, i, e.Entitlement)
		}
	case EntitlementRevoked:
		if i, found := slices.BinarySearch(s.Entitlements, e.Entitlement); found {
			s.Entitlements = slices.Delete(s.Entitlements, i, i+1)
		}
	}
}

// weekday is the day of that stored name.
func weekday(name string) (time.Weekday, bool) {
	switch name {
	case "monday":
		return time.Monday, true
	case "tuesday":
		return time.Tuesday, true
	case "wednesday":
		return time.Wednesday, true
	case "thursday":
		return time.Thursday, true
	case "friday":
		return time.Friday, true
	case "saturday":
		return time.Saturday, true
	case "sunday":
		return time.Sunday, true
	}
	return 0, false
}
