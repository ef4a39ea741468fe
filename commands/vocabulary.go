package commands

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"customercenter/domain/filter"
	"customercenter/domain/group"
	"customercenter/domain/view"
)

// vocabulary is what a filter may speak of: the tenant's fields, tags and groups. A command loads them together with what it changes.
type vocabulary struct {
	fields *fieldsEntity
	tags   *tagsEntity
	groups *groupsEntity
}

func newVocabulary() vocabulary { return vocabulary{fields: fields(), tags: tags(), groups: groups()} }

// load brings it up to date, and others with it in the same round trip.
func (v vocabulary) load(ctx context.Context, a *attempt, others ...stream) error {
	return a.load(ctx, append(others, v.fields, v.tags, v.groups)...)
}

// language is what a filter is parsed against. Rules of groups may not read groups.
func (v vocabulary) language(readsGroups bool) *filter.Language {
	return &filter.Language{Custom: v.fields.state.Filterable(), Groups: readsGroups}
}

// rule reads the rule of a group. What it names cannot go while the command is being decided: it guards on the catalogues.
// Refused: VALIDATION with the path in the rule.
func (v vocabulary) rule(a *attempt, raw json.RawMessage) (group.Rule, error) {
	parsed, err := filter.Parse(raw, v.language(false), "rule")
	if err != nil {
		return group.Rule{}, err
	}
	a.guard(v.fields)
	a.guard(v.tags)
	return group.Rule{Filter: parsed, Tags: v.tags.state.Known}, nil
}

// filter reads the filter of a view or an audience; nil without one. It guards as rule does.
// Refused: VALIDATION with the path in the filter, which begins with place.
func (v vocabulary) filter(a *attempt, raw json.RawMessage, place string) (*filter.Filter, error) {
	a.guard(v.fields) // columns name some, too
	if raw == nil {
		return nil, nil
	}
	parsed, err := filter.Parse(raw, v.language(true), place)
	if err != nil {
		return nil, err
	}
	a.guard(v.tags)
	a.guard(v.groups)
	return parsed, nil
}

// known says what a view may name. Who is no admin knows of no groups but those that are visible to agents.
func (v vocabulary) known(admin bool) view.Known {
	custom := v.language(true).Custom
	return view.Known{
		Tags: v.tags.state.Known,
		Groups: func(id uuid.UUID) bool {
			return v.groups.state.Known(id) && (admin || v.groups.state.All[id].AgentVisible)
		},
		Custom: func(key string) bool {
			return slices.ContainsFunc(custom, func(f filter.CustomField) bool { return f.Key == key })
		},
		Ordered: v.fields.state.Ordered,
	}
}
