package projections

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// This file writes down in which groups a customer is, and reads it back. It is JSON, so that SQL can look into it, with the members of each
// object always in the same order: when a rule is filled, a million of these are looked at, and encoding/json would take most of the time.

// membership is a group that a customer is in, since when and why.
type membership struct {
	Group    uuid.UUID       `json:"group"`
	Since    time.Time       `json:"since"`
	Kind     string          `json:"kind"`
	Position int64           `json:"position"`
	Evidence json.RawMessage `json:"evidence"` // an array
}

// noGroups is how it is kept that a customer is in no group.
const noGroups = "[]"

// membershipBegins is what each begins with. It is nowhere else: inside of a text the quotes would be escaped, and evidence has no group.
const membershipBegins = `{"group":"`

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
		b = append(append(b, membershipBegins...), m.Group.String()...)
		b = m.Since.AppendFormat(append(b, `","since":"`...), time.RFC3339Nano)
		b = append(append(b, `","kind":"`...), m.Kind...)
		b = strconv.AppendInt(append(b, `","position":`...), m.Position, 10)
		b = append(append(append(b, `,"evidence":`...), m.Evidence...), '}')
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
	var values [4]string
	rest = raw
	for i, member := range [...]struct{ begins, ends string }{
		{membershipBegins, `","since":"`}, {"", `","kind":"`}, {"", `","position":`}, {"", `,"evidence":`},
	} {
		after, begun := strings.CutPrefix(rest, member.begins)
		value, behind, ended := strings.Cut(after, member.ends)
		if !begun || !ended {
			return m, "", errStanding
		}
		values[i], rest = value, behind
	}
	end := endOfArray(rest)
	if end < 0 || !strings.HasPrefix(rest[end:], "}") {
		return m, "", errStanding
	}
	m.Kind, m.Evidence, rest = values[2], json.RawMessage(rest[:end]), rest[end+1:]
	if m.Group, err = uuid.Parse(values[0]); err == nil {
		if m.Since, err = time.Parse(time.RFC3339Nano, values[1]); err == nil {
			m.Position, err = strconv.ParseInt(values[3], 10, 64)
		}
	}
	if err != nil {
		return m, "", errStanding // the cause would quote a value
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
