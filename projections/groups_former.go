package projections

import (
	"slices"
	"time"
)

// This file keeps the members right that are served by a former rule while a newer one is filled.

// former are the rules that are served although an epoch has newer ones: those are still being filled.
func (f *groupsFold) former(epoch int) (rules []inForce) {
	if f.state().Base == f.book.latest() {
		return nil
	}
	for row := range f.rules.All() {
		if row.Served == 0 {
			continue
		}
		if newer, inForce := f.book.at(epoch).rule(row.Group); inForce && newer.epoch > row.Served {
			served, _ := f.book.at(row.Served).rule(row.Group)
			rules = append(rules, served)
		}
	}
	return rules
}

// follow brings the sets that are served while newer rules are filled to where the customer is now. Who is matched no more by the rule that is
// served is a member no more; who begins to be matched is one if the newer rule says so, too. Who is matched by the former rule alone from now on
// would leave with the switch, and nothing tells since when and why they were in: entries and leaves are those by the newer rule.
//
// What the clock alone changes in a set that is served comes with the newer rule: only the rules in force are waited for.
func (f *groupsFold) follow(p *groupPerson, at time.Time) {
	for _, r := range f.former(p.epoch) {
		switch matches := r.filter.Match(f.as(p, r.epoch), at, f.book.at(r.epoch).calendar); {
		case !matches:
			f.bits.Clear(groupFacet(r.group, r.epoch), p.ordinal)
		case p.has(r.group):
			f.bits.Set(groupFacet(r.group, r.epoch), p.ordinal)
		}
	}
}

// followed reports whether a rule that is served although an epoch has a newer one reads one of these fields.
func (f *groupsFold) followed(epoch int, fields []string) bool {
	return slices.ContainsFunc(f.former(epoch), func(r inForce) bool { return slices.ContainsFunc(fields, r.reads) })
}
