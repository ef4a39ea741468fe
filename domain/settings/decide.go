package settings

import (
	"net/url"
	"strings"
	"time"

	"customercenter/domain"
	"customercenter/domain/text"
)

// MaxOrderLink is the longest template of an order link, in characters.
const MaxOrderLink = 500

// placeholder is where an order link takes the customer's external id.
const placeholder = "{external_id}"

// SetTimeZone sets the zone in which the tenant counts days, by its IANA name: "UTC" or "Area/City". load looks a zone
// up and is time.LoadLocation; it is handed in because it reads the zone files of the machine.
//
// Refused: VALIDATION for anything that is not such a name. "Local", which would mean another zone on every machine, and
// the "posix/" and "right/" editions of the files are not.
func (s *State) SetTimeZone(zone string, load func(name string) (*time.Location, error)) ([]Event, error) {
	if zone == "" {
		return nil, domain.Invalid("time_zone", domain.RuleRequired)
	}
	area, _, hasCity := strings.Cut(zone, "/")
	if zone != "UTC" && (!hasCity || area == "posix" || area == "right") {
		return nil, domain.Invalid("time_zone", domain.RuleOneOf)
	}
	if _, err := load(zone); err != nil {
		return nil, domain.Invalid("time_zone", domain.RuleOneOf)
	}
	if zone == s.TimeZone() {
		return nil, nil
	}
	return []Event{TimeZoneSet{TimeZone: zone}}, nil
}

// SetWeekStart sets the day on which a week begins, "monday" … "sunday". Refused: VALIDATION for another word.
func (s *State) SetWeekStart(day string) ([]Event, error) {
	if _, ok := weekday(day); !ok {
		return nil, domain.Invalid("week_start", domain.RuleOneOf)
	}
	if day == s.WeekStart() {
		return nil, nil
	}
	return []Event{WeekStartSet{Day: day}}, nil
}

// SetAgentAccess says what agents may do. It is never refused.
func (s *State) SetAgentAccess(access AgentAccess) ([]Event, error) {
	if access == s.AgentAccess {
		return nil, nil
	}
	return []Event{AgentAccessSet{CustomerCenter: access.CustomerCenter, Blacklist: access.Blacklist}}, nil
}

// SetOrderLink sets the template of the link from a customer to their orders; empty removes it.
//
// Refused: VALIDATION unless the template is an https address of at most MaxOrderLink characters that holds
// {external_id} behind its host. In the host it could lead people to a server that a visitor chose.
func (s *State) SetOrderLink(template string) ([]Event, error) {
	template, ok := text.Line(template)
	if !ok {
		return nil, domain.Invalid("order_link", domain.RuleCharacters)
	}
	if text.Length(template) > MaxOrderLink {
		return nil, domain.TooLong("order_link", MaxOrderLink)
	}
	if template != "" && !linkTemplate(template) {
		return nil, domain.Invalid("order_link", domain.RuleFormat)
	}
	if template == s.OrderLink {
		return nil, nil
	}
	return []Event{OrderLinkSet{Template: template}}, nil
}

func linkTemplate(template string) bool {
	before, _, found := strings.Cut(template, placeholder)
	if !found {
		return false
	}
	// The part before the first placeholder must already name the whole host.
	rest, ok := strings.CutPrefix(before, "https://")
	if !ok || !strings.ContainsAny(rest, "/?#") {
		return false
	}
	u, err := url.Parse(strings.ReplaceAll(template, placeholder, "id"))
	return err == nil && u.Hostname() != "" && u.User == nil && !strings.ContainsAny(u.String(), "{} ")
}

// GrantEntitlement lets the tenant use a paid capability. Refused: VALIDATION for one that does not exist.
func (s *State) GrantEntitlement(entitlement string) ([]Event, error) {
	if entitlement != EntitlementImport {
		return nil, domain.Invalid("entitlement", domain.RuleOneOf)
	}
	if s.Entitled(entitlement) {
		return nil, nil
	}
	return []Event{EntitlementGranted{Entitlement: entitlement}}, nil
}

// RevokeEntitlement takes a paid capability away. Refused: VALIDATION for one that does not exist.
func (s *State) RevokeEntitlement(entitlement string) ([]Event, error) {
	if entitlement != EntitlementImport {
		return nil, domain.Invalid("entitlement", domain.RuleOneOf)
	}
	if !s.Entitled(entitlement) {
		return nil, nil
	}
	return []Event{EntitlementRevoked{Entitlement: entitlement}}, nil
}
