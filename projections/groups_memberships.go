package projections

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// This file writes down in which groups a customer is, and reads it back. It is JSON, so that SQL can look into it, with the members of each
// object always in the same order: when a rule is filled, a million of these are looked at, and encoding/json would take most of the time.

// membership is a group that a customer is in. Since when and why says the entry, the last one among the customer's changes.
type membership struct {
	Group    uuid.UUID       `json:"group"`
	Evidence json.RawMessage `json:"evidence,omitempty"` // an array; nil: that of the entry. A rule that was revised since has its own
}

// noGroups is how it is kept that a customer is in no group.
const noGroups = "[]"

// membershipBegins is what each begins with. It is nowhere else: inside of a text the quotes would be escaped, and evidence has no group.
const membershipBegins = `{"group":"`

// evidenceBegins is what comes before evidence, if there is any.
const evidenceBegins = `,"evidence":`

// none reports whether the customer is in no group.
func (p *groupPerson) none() bool {
	if p.read {
		return len(p.groups) == 0
	}
	return p.raw == noGroups
}

// has reports whether the customer is in a group. Most are asked about one that they are not in, so nothing is read for that.
func (p *groupPerson) has(id uuid.UUID) bool {
	if p.read {
		_, found := p.search(id)
		return found
	}
	if p.raw == noGroups {
		return false
	}
	return strings.Contains(p.raw, membershipBegins+id.String()+`"`)
}

// know reads the groups.
func (p *groupPerson) know() (err error) {
	if !p.read {
		p.groups, err = readMemberships(p.raw)
		p.read = err == nil
	}
	return err
}

// place is where a group is among the customer's, or would be.
func (p *groupPerson) place(id uuid.UUID) (int, error) {
	err := p.know()
	i, _ := p.search(id)
	return i, err
}

func (p *groupPerson) search(id uuid.UUID) (int, bool) {
	return slices.BinarySearchFunc(p.groups, id, func(m membership, id uuid.UUID) int { return slices.Compare(m.Group[:], id[:]) })
}

// appendMemberships appends them as JSON.
func appendMemberships(b []byte, groups []membership) []byte {
	b = append(b, '[')
	for i, m := range groups {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, membershipBegins...), m.Group.String()...), '"')
		if m.Evidence != nil {
			b = append(append(b, evidenceBegins...), m.Evidence...)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// readMemberships reads what appendMemberships wrote. errStanding.
func readMemberships(raw string) (groups []membership, err error) {
	rest, ok := strings.CutPrefix(raw, "[")
	if !ok {
		return nil, errStanding
	}
	for rest != "]" {
		if len(groups) > 0 {
			if rest, ok = strings.CutPrefix(rest, ","); !ok {
				return nil, errStanding
			}
		}
		var m membership
		if m, rest, err = readMembership(rest); err != nil {
			return nil, err
		}
		groups = append(groups, m)
	}
	return groups, nil
}

// readMembership reads one, and returns what comes behind it.
func readMembership(raw string) (m membership, rest string, err error) {
	rest, begun := strings.CutPrefix(raw, membershipBegins)
	group, rest, ended := strings.Cut(rest, `"`)
	if !begun || !ended {
		return m, "", errStanding
	}
	if m.Group, err = uuid.Parse(group); err != nil {
		return m, "", errStanding // the cause would quote a value
	}
	if explained, has := strings.CutPrefix(rest, evidenceBegins); has {
		end := endOfArray(explained)
		if end < 0 {
			return m, "", errStanding
		}
		m.Evidence, rest = json.RawMessage(explained[:end]), explained[end:]
	}
	rest, ended = strings.CutPrefix(rest, "}")
	if !ended {
		return m, "", errStanding
	}
	return m, rest, nil
}

// endOfArray is where the array ends with which a JSON text begins; -1 if it does not.
func endOfArray(raw string) int {
	if !strings.HasPrefix(raw, "[") {
		return -1
	}
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		}
	}
	return -1
}
