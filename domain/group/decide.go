package group

import (
	"bytes"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/filter"
	"customercenter/domain/text"
)

// Rule is a rule that is asked for, and what it may name.
type Rule struct {
	// Filter was parsed against the tenant's fields, without groups.
	Filter *filter.Filter
	// Tags reports which tags exist.
	Tags func(uuid.UUID) bool
}

// Check refuses a rule without a condition, which everybody or nobody would match by saying nothing (VALIDATION), and one that names a tag that does not
// exist (TAG_UNKNOWN), each with its path. A tag that is deleted later stays in the rule: no customer has it any more.
func (r Rule) Check() error {
	if r.Filter == nil {
		return domain.Invalid("rule", domain.RuleRequired)
	}
	if at, none := r.Filter.Conditionless("rule"); none {
		return domain.Invalid(at, domain.RuleRequired)
	}
	return r.Filter.CheckNamed(r.Tags, func(uuid.UUID) bool { return false })
}

// Define adds a group under a new id.
//
// Refused: VALIDATION unless the name is 1 to MaxName characters, and for a rule without a condition; GROUP_EXISTS if another group has
// that name, compared without case and width; TAG_UNKNOWN with the path in the rule; LIMIT_REACHED if there are MaxGroups; CONFLICT if the
// id is taken.
func (s *State) Define(id uuid.UUID, name string, rule Rule, agentVisible bool) ([]Event, error) {
	name, err := domain.NormalizeName(name, MaxName)
	if err != nil {
		return nil, err
	}
	if s.Known(id) {
		return nil, domain.Refuse(domain.CodeConflict)
	}
	if _, taken := s.byName[text.Fold(name)]; taken {
		return nil, domain.Refuse(domain.CodeGroupExists).At("name")
	}
	if err := rule.Check(); err != nil {
		return nil, err
	}
	if len(s.All) >= MaxGroups {
		return nil, domain.Refuse(domain.CodeLimitReached).With("max", MaxGroups)
	}
	return []Event{Defined{Group: id, Name: name, Rule: rule.Filter.JSON(), AgentVisible: agentVisible}}, nil
}

// Revise gives a group another rule. One that says the same in the same order changes nothing, also when it names a tag that was deleted
// since: who sends a whole group back need not mend what they did not touch.
// Refused: NOT_FOUND, and for the rule as in Define.
func (s *State) Revise(id uuid.UUID, rule Rule) ([]Event, error) {
	g, found := s.All[id]
	if !found {
		return nil, domain.Refuse(domain.CodeNotFound)
	}
	if rule.Filter != nil && bytes.Equal(rule.Filter.JSON(), g.Rule) {
		return nil, nil
	}
	if err := rule.Check(); err != nil {
		return nil, err
	}
	return []Event{Revised{Group: id, Rule: rule.Filter.JSON(), Revision: g.Revision + 1}}, nil
}

// Rename gives a group another name. Refused: NOT_FOUND, and for the name as in Define.
func (s *State) Rename(id uuid.UUID, name string) ([]Event, error) {
	g, found := s.All[id]
	if !found {
		return nil, domain.Refuse(domain.CodeNotFound)
	}
	name, err := domain.NormalizeName(name, MaxName)
	if err != nil {
		return nil, err
	}
	if owner, taken := s.byName[text.Fold(name)]; taken && owner != id {
		return nil, domain.Refuse(domain.CodeGroupExists).At("name")
	}
	if name == g.Name {
		return nil, nil
	}
	return []Event{Renamed{Group: id, Name: name}}, nil
}

// SetVisibility says whether agents see the group. Refused: NOT_FOUND.
func (s *State) SetVisibility(id uuid.UUID, agentVisible bool) ([]Event, error) {
	g, found := s.All[id]
	if !found {
		return nil, domain.Refuse(domain.CodeNotFound)
	}
	if g.AgentVisible == agentVisible {
		return nil, nil
	}
	return []Event{VisibilitySet{Group: id, AgentVisible: agentVisible}}, nil
}

// Delete ends a group: its members leave it. Views and auto messages that read it stay, but cannot be opened or started before that is taken out.
// sending are the running auto messages whose audience depends on it: those would go on to others than before.
// Refused: NOT_FOUND; GROUP_IN_USE with what is sending.
func (s *State) Delete(id uuid.UUID, sending []domain.Use) ([]Event, error) {
	if !s.Known(id) {
		return nil, domain.Refuse(domain.CodeNotFound)
	}
	if len(sending) > 0 {
		return nil, domain.Refuse(domain.CodeGroupInUse).With("uses", sending)
	}
	return []Event{Deleted{Group: id}}, nil
}
