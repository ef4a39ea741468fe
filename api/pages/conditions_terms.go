package pages

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/domain"
	"customercenter/domain/filter"
)

// terms are what the filters of the tenant may speak of, as this visitor sees it.
type terms struct {
	all      []term
	language filter.Language
	names    filter.Names
}

// term is a field that conditions can be about.
type term struct {
	name, label string
	section     string // a word conditions.section.<section>
	kind        filter.Kind
	always      bool   // every customer has a value
	choices     []pick // of kinds that are chosen from
}

// pick is one of the values to choose from.
type pick struct {
	value, text string
	hue         int // of a tag; 0: none
	depth       int // in a cascade
}

// needs are the catalogues that terms are read from.
type needs struct{ fields, tags, groups, associations bool }

// needsOf are the catalogues that a filter can be told in words with.
func needsOf(raw json.RawMessage) needs {
	text := string(raw)
	return needs{fields: strings.Contains(text, "custom."), tags: strings.Contains(text, `"tags"`), groups: strings.Contains(text, `"groups"`),
		associations: strings.Contains(text, `"association"`)}
}

// systemTerms are the fields that every tenant has, in the order in which people look for them.
var systemTerms = []term{
	{name: filter.AnyText, section: "common", kind: filter.Text, always: true},
	{name: "created_at", section: "common", kind: filter.Time, always: true},
	{name: "tags", section: "common", kind: filter.Set},
	{name: "channel", section: "common", kind: filter.Choice, always: true},
	{name: "association", section: "common", kind: filter.Choice, always: true},
	{name: "groups", section: "common", kind: filter.Set},
	{name: "blacklisted", section: "common", kind: filter.YesNo},
	{name: "session_open", section: "common", kind: filter.YesNo},
	{name: "nickname", section: "profile", kind: filter.Text},
	{name: "name", section: "profile", kind: filter.Text},
	{name: "external_id", section: "profile", kind: filter.Text, always: true},
	{name: "phone", section: "profile", kind: filter.Text},
	{name: "qq", section: "profile", kind: filter.Text},
	{name: "wechat_id", section: "profile", kind: filter.Text},
	{name: "email", section: "profile", kind: filter.Text},
	{name: "company", section: "profile", kind: filter.Text},
	{name: "description", section: "profile", kind: filter.Text},
	{name: "last_session_at", section: "service", kind: filter.Time},
	{name: "first_session_at", section: "service", kind: filter.Time},
	{name: "last_message_at", section: "service", kind: filter.Time},
	{name: "session_count", section: "service", kind: filter.Number, always: true},
	{name: "message_count", section: "service", kind: filter.Number, always: true},
	{name: "rating_last", section: "service", kind: filter.Number},
	{name: "rating_avg", section: "service", kind: filter.Number},
	{name: "last_agent", section: "service", kind: filter.Choice},
	{name: "ever_served", section: "service", kind: filter.YesNo},
	{name: "created_via", section: "record", kind: filter.Choice, always: true},
	{name: "imported", section: "record", kind: filter.YesNo},
	{name: "updated_at", section: "record", kind: filter.Time, always: true},
	{name: "blacklisted_at", section: "record", kind: filter.Time},
	{name: "suppressed_count", section: "record", kind: filter.Number, always: true},
}

var termSections = []string{"common", "profile", "custom", "service", "record"}

// kindsOfFields are the kinds of custom fields, by their type.
var kindsOfFields = map[string]filter.Kind{
	"text": filter.Text, "multiline": filter.Text, "number": filter.Number, "date": filter.Time,
	"select": filter.Choice, "multi_select": filter.Choice, "cascade": filter.Choice,
}

// terms reads what filters may speak of from the catalogues that are needed.
func (v *visit) terms(n needs) (*terms, error) {
	t := &terms{names: filter.Names{Tags: map[uuid.UUID]string{}, Groups: map[uuid.UUID]string{}, Fields: map[string]string{},
		Options: map[string]map[string]string{}, Associations: map[string]string{}, Zone: v.location()}}
	t.language.Groups = true
	choices := map[string][]pick{}
	for _, channel := range domain.Channels() {
		choices["channel"] = append(choices["channel"], pick{value: channel, text: v.speech.one("channel", channel)})
	}
	for _, via := range []string{"inbound", "import", "api"} {
		choices["created_via"] = append(choices["created_via"], pick{value: via, text: v.speech.one("created_via", via)})
	}
	if err := v.catalogues(n, t, choices); err != nil {
		return nil, err
	}
	var custom []term
	if n.fields {
		var err error
		if custom, err = v.customTerms(t); err != nil {
			return nil, err
		}
	}
	for _, section := range termSections {
		for _, known := range systemTerms {
			if known.section != section || known.kind == filter.Text && !v.in.Personal {
				continue
			}
			known.label = v.t("conditions.field." + known.name)
			known.choices = choices[known.name]
			t.all = append(t.all, known)
		}
		if section == "custom" && v.in.Personal { // what is masked cannot be looked for
			t.all = append(t.all, custom...)
		}
	}
	return t, nil
}

// catalogues reads tags, groups and associations.
func (v *visit) catalogues(n needs, t *terms, choices map[string][]pick) error {
	if n.tags {
		var tags api.List[api.Tag]
		if err := v.get("/v1/tags", &tags); err != nil {
			return err
		}
		for _, tag := range tags.Items {
			t.names.Tags[tag.ID] = tag.Name
			choices["tags"] = append(choices["tags"], pick{value: tag.ID.String(), text: tag.Name, hue: hueOf(tag.ID.String())})
		}
	}
	if n.groups {
		var groups api.List[api.Group]
		if err := v.get("/v1/groups", &groups); err != nil {
			return err
		}
		for _, group := range groups.Items {
			t.names.Groups[group.ID] = group.Name
			choices["groups"] = append(choices["groups"], pick{value: group.ID.String(), text: group.Name})
		}
	}
	if n.associations {
		var associations api.List[api.Association]
		if err := v.get("/v1/associations", &associations); err != nil {
			return err
		}
		for _, a := range associations.Items {
			id := strconv.Itoa(a.ID)
			t.names.Associations[id] = a.Name
			choices["association"] = append(choices["association"], pick{value: id, text: a.Name})
		}
	}
	return nil
}

// customTerms reads the fields: labels of the system's, and the tenant's own.
func (v *visit) customTerms(t *terms) (custom []term, err error) {
	var fields api.List[api.Field]
	if err := v.get("/v1/fields", &fields); err != nil {
		return nil, err
	}
	for _, f := range fields.Items {
		kind, known := kindsOfFields[f.Type]
		switch {
		case f.System:
			t.names.Fields[f.Key] = f.Label
			continue
		case !f.Enabled || !known:
			continue
		}
		name := "custom." + f.Key
		options := flatten(f.Options, 0)
		labels := map[string]string{}
		for _, o := range options {
			labels[o.value] = o.text
		}
		t.names.Fields[name], t.names.Options[f.Key] = f.Label, labels
		t.language.Custom = append(t.language.Custom, filter.CustomField{Key: f.Key, Label: f.Label, Kind: kind, Options: labels})
		custom = append(custom, term{name: name, label: f.Label, section: "custom", kind: kind, choices: options})
	}
	return custom, nil
}

// flatten lists options in their order, those of a cascade each before those below it.
func flatten(options []api.FieldOption, depth int) (all []pick) {
	for _, o := range options {
		all = append(all, pick{value: o.ID, text: o.Label, depth: depth})
		all = append(all, flatten(o.Options, depth+1)...)
	}
	return all
}

// find returns the term of a field; false if filters may not speak of it.
func (t *terms) find(name string) (term, bool) {
	i := slices.IndexFunc(t.all, func(known term) bool { return known.name == name })
	if i < 0 {
		return term{}, false
	}
	return t.all[i], true
}

// ops are the operators of a term, the most common one first.
func (t *term) ops() []filter.Op {
	var ops []filter.Op
	switch t.kind {
	case filter.Text:
		ops = []filter.Op{filter.Contains, filter.NotContains, filter.StartsWith, filter.Eq, filter.Ne, filter.In}
	case filter.Number:
		ops = []filter.Op{filter.Gte, filter.Gt, filter.Lte, filter.Lt, filter.Eq, filter.Ne, filter.Between}
	case filter.Time:
		ops = []filter.Op{filter.In, filter.Within, filter.OlderThan, filter.Between, filter.After, filter.Before}
	default:
		ops = slices.DeleteFunc(filter.Operators(t.kind), func(op filter.Op) bool { return op == filter.IsSet || op == filter.NotSet })
	}
	if !t.always && t.kind != filter.Set && t.kind != filter.YesNo {
		ops = append(ops, filter.IsSet, filter.NotSet)
	}
	return ops
}

// input is what a value of the term is typed or chosen with: none, text, lines, number, numbers, period, length, instant, instants, picks or yes_no.
func (t *term) input(op filter.Op) string {
	switch op {
	case filter.IsSet, filter.NotSet, filter.IsEmpty:
		return "none"
	case filter.Within, filter.OlderThan:
		return "length"
	}
	switch {
	case t.kind == filter.YesNo:
		return "yes_no"
	case t.kind == filter.Number && op == filter.Between:
		return "numbers"
	case t.kind == filter.Number:
		return "number"
	case t.kind == filter.Time && op == filter.In:
		return "period"
	case t.kind == filter.Time && op == filter.Between:
		return "instants"
	case t.kind == filter.Time:
		return "instant"
	case t.kind == filter.Text && op != filter.In:
		return "text"
	case t.kind == filter.Text || t.name == "last_agent":
		return "lines"
	}
	return "picks"
}

// takesUnset reports whether a condition can say that it holds for those without a value too.
func (t *term) takesUnset(op filter.Op) bool {
	return !t.always && t.kind != filter.Set && t.kind != filter.YesNo && t.input(op) != "none"
}
