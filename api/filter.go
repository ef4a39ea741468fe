package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/settings"
	"customercenter/domain/text"
	"customercenter/projections"
)

// This file reads the filter of the customer list. It knows the part of the filter language that the list can answer so far: "all" of
// conditions on created_at, tags, names, external id, channel and yes or no. Whatever else the language has is refused with its path.

// maxConditions is how many conditions a filter may hold.
const maxConditions = 50

// filter is a filter that was read, as the list takes it.
type filter struct {
	query projections.ListQuery
	// personal is set if it asks for personal data.
	personal bool
	// tagsAt is the path of the list of tags, for saying which one there is not.
	tagsAt string
}

// parsing is what the reading of a filter needs to know: relative times are judged now, in the tenant's zone and week.
type parsing struct {
	now       time.Time
	zone      *time.Location
	weekStart time.Weekday
	out       filter
}

// parseFilter reads a filter. No filter at all means who was created this week; an empty one means everybody.
//
// Refused: VALIDATION, with the path of what is wrong, such as filter.all[2].op.
func parseFilter(raw json.RawMessage, own *settings.State, now time.Time) (filter, error) {
	zone, err := time.LoadLocation(own.TimeZone())
	if err != nil {
		return filter{}, fmt.Errorf("api: the tenant's zone: %w", err)
	}
	p := &parsing{now: now.In(zone), zone: zone, weekStart: own.FirstWeekday()}
	if len(raw) == 0 || bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		p.created(p.period("this_week"))
		return p.out, nil
	}
	if rule := checkText(raw); rule != "" {
		return filter{}, invalid("filter", rule)
	}
	if !json.Valid(raw) {
		return filter{}, invalid("filter", ruleJSON)
	}
	members, err := object(raw, "filter")
	if err != nil {
		return filter{}, err
	}
	if len(members) == 0 {
		return p.out, nil
	}
	if _, ok := members["field"]; ok { // one condition is a filter, too
		return p.out, p.condition(raw, "filter")
	}
	for name := range members {
		switch name {
		case "all":
		case "any", "not":
			return filter{}, invalid("filter."+name, ruleNotYet)
		default:
			return filter{}, invalid("filter."+name, ruleUnknown)
		}
	}
	var all []json.RawMessage
	if json.Unmarshal(members["all"], &all) != nil || all == nil {
		return filter{}, invalid("filter.all", ruleTypeArray)
	}
	if len(all) > maxConditions {
		return filter{}, invalid("filter.all", domain.RuleTooMany).With("max", maxConditions)
	}
	for i, condition := range all {
		if err := p.condition(condition, fmt.Sprintf("filter.all[%d]", i)); err != nil {
			return filter{}, err
		}
	}
	return p.out, nil
}

// object reads a JSON object. Its members' values stay as they are.
func object(raw json.RawMessage, path string) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return nil, invalid(path, ruleTypeObject)
	}
	return members, nil
}

// condition adds one condition.
func (p *parsing) condition(raw json.RawMessage, path string) error {
	members, err := object(raw, path)
	if err != nil {
		return err
	}
	for name := range members {
		switch name {
		case "field", "op", "value":
		case "unset":
			var unset bool
			if json.Unmarshal(members[name], &unset) != nil {
				return invalid(path+".unset", ruleTypeBool)
			}
			if unset {
				return invalid(path+".unset", ruleNotYet)
			}
		case "all", "any", "not":
			return invalid(path+"."+name, ruleNotYet)
		default:
			return invalid(path+"."+name, ruleUnknown)
		}
	}
	field, err := str(members["field"], path+".field")
	if err != nil {
		return err
	}
	op, err := str(members["op"], path+".op")
	if err != nil {
		return err
	}
	value, at := members["value"], path+".value"
	if len(value) == 0 {
		return invalid(at, domain.RuleRequired)
	}
	switch field {
	case "created_at":
		return p.createdAt(op, value, path)
	case "tags":
		return p.tags(op, value, path)
	case "channel":
		return p.channel(op, value, path)
	case "blacklisted":
		return p.is(op, value, path, &p.out.query.Blacklisted)
	case "session_open":
		return p.is(op, value, path, &p.out.query.SessionOpen)
	case "ever_served":
		return p.is(op, value, path, &p.out.query.EverServed)
	case "nickname", "name", "any_text":
		// Both names are searched for any of these until the list can tell them apart.
		return p.contains(op, value, path, &p.out.query.Name, 1)
	case "external_id":
		return p.contains(op, value, path, &p.out.query.ID, 2)
	}
	return invalid(path+".field", ruleUnknown)
}

// str reads a JSON string that must be there.
func str(raw json.RawMessage, path string) (string, error) {
	if len(raw) == 0 {
		return "", invalid(path, domain.RuleRequired)
	}
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", invalid(path, ruleTypeString)
	}
	return *s, nil
}

// contains asks for a part of a text. least is how many characters it must have, if they are letters or digits: shorter ones are in
// nearly everything.
func (p *parsing) contains(op string, raw json.RawMessage, path string, needle *string, least int) error {
	if op != "contains" {
		return invalid(path+".op", ruleUnknown)
	}
	value, err := str(raw, path+".value")
	if err != nil {
		return err
	}
	value, ok := text.Line(value)
	switch {
	case !ok:
		return invalid(path+".value", domain.RuleCharacters)
	case value == "":
		return invalid(path+".value", domain.RuleRequired)
	case text.Length(value) > 256:
		return domain.TooLong(path+".value", 256)
	case text.Length(value) < least && alphanumeric(value):
		return invalid(path+".value", "too_short").With("min", least)
	case *needle != "" && *needle != value: // a second part of the same text
		return invalid(path, ruleNotYet)
	}
	*needle, p.out.personal = value, true
	return nil
}

func alphanumeric(s string) bool {
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return true
}

func (p *parsing) tags(op string, raw json.RawMessage, path string) error {
	if op != "has_any" {
		return invalid(path+".op", opRule(op, "has_all", "has_none", "is_empty"))
	}
	if p.out.query.Tags != nil {
		return invalid(path, ruleNotYet)
	}
	values, err := list(raw, path+".value")
	if err != nil {
		return err
	}
	p.out.query.Tags, p.out.tagsAt = []uuid.UUID{}, path+".value"
	for i, v := range values {
		id, err := uuid.Parse(v)
		if err != nil {
			return invalid(fmt.Sprintf("%s.value[%d]", path, i), ruleUUID)
		}
		p.out.query.Tags = append(p.out.query.Tags, id)
	}
	return nil
}

func (p *parsing) channel(op string, raw json.RawMessage, path string) error {
	if op != "in" {
		return invalid(path+".op", opRule(op, "not_in", "is_set", "not_set"))
	}
	values, err := list(raw, path+".value")
	if err != nil {
		return err
	}
	for i, v := range values {
		if !domain.IsChannel(v) {
			return invalid(fmt.Sprintf("%s.value[%d]", path, i), domain.RuleOneOf)
		}
	}
	if before := p.out.query.Channels; before != nil { // in both
		values = slices.DeleteFunc(values, func(v string) bool { return !slices.Contains(before, v) })
	}
	p.out.query.Channels = values
	return nil
}

// is asks for yes or no.
func (p *parsing) is(op string, raw json.RawMessage, path string, flag **bool) error {
	if op != "is" {
		return invalid(path+".op", ruleUnknown)
	}
	var value *bool
	if json.Unmarshal(raw, &value) != nil || value == nil {
		return invalid(path+".value", ruleTypeBool)
	}
	if *flag != nil && **flag != *value { // both
		return invalid(path, ruleNotYet)
	}
	*flag = value
	return nil
}

// list reads 1 to 200 JSON strings.
func list(raw json.RawMessage, path string) ([]string, error) {
	var values []*string
	if json.Unmarshal(raw, &values) != nil {
		return nil, invalid(path, ruleTypeArray)
	}
	if len(values) == 0 {
		return nil, invalid(path, domain.RuleRequired)
	}
	if len(values) > 200 {
		return nil, invalid(path, domain.RuleTooMany).With("max", 200)
	}
	out := make([]string, len(values))
	for i, v := range values {
		if v == nil {
			return nil, invalid(fmt.Sprintf("%s[%d]", path, i), ruleTypeString)
		}
		out[i] = *v
	}
	return out, nil
}

// opRule tells an operator of the language that is not answered yet from one that does not exist.
func opRule(op string, later ...string) string {
	if slices.Contains(later, op) {
		return ruleNotYet
	}
	return ruleUnknown
}
