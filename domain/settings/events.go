package settings

import "customercenter/domain"

// Event is one of the facts below: the closed set of what can happen on the settings' stream.
type Event interface {
	domain.Event
	settingsEvent()
}

// TimeZoneSet names the IANA zone that days, weeks and months of the tenant follow.
type TimeZoneSet struct {
	TimeZone string `json:"time_zone"`
}

// WeekStartSet says on which day a week begins ("monday" … "sunday").
type WeekStartSet struct {
	Day string `json:"day"`
}

// AgentAccessSet says what agents may do in the customer center.
type AgentAccessSet struct {
	CustomerCenter bool `json:"customer_center"`
	Blacklist      bool `json:"blacklist"`
}

// OrderLinkSet is the template of a customer's order link; empty removes it.
type OrderLinkSet struct {
	Template string `json:"template"`
}

// EntitlementGranted lets the tenant use a paid capability ("import").
type EntitlementGranted struct {
	Entitlement string `json:"entitlement"`
}

// EntitlementRevoked takes a paid capability away.
type EntitlementRevoked struct {
	Entitlement string `json:"entitlement"`
}

func (TimeZoneSet) EventType() string        { return "settings.time_zone_set" }
func (WeekStartSet) EventType() string       { return "settings.week_start_set" }
func (AgentAccessSet) EventType() string     { return "settings.agent_access_set" }
func (OrderLinkSet) EventType() string       { return "settings.order_link_set" }
func (EntitlementGranted) EventType() string { return "settings.entitlement_granted" }
func (EntitlementRevoked) EventType() string { return "settings.entitlement_revoked" }

func (TimeZoneSet) settingsEvent()        {}
func (WeekStartSet) settingsEvent()       {}
func (AgentAccessSet) settingsEvent()     {}
func (OrderLinkSet) settingsEvent()       {}
func (EntitlementGranted) settingsEvent() {}
func (EntitlementRevoked) settingsEvent() {}
