package group_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/filter"
	"customercenter/domain/group"
)

type (
	testCase = domaintest.Case[group.State, group.Event]
	events   = []group.Event
	given    = []domain.Event
	when     = func(*group.State) ([]group.Event, error)
)

var (
	a   = uuid.MustParse("00000000-0000-7000-8000-00000000000a")
	b   = uuid.MustParse("00000000-0000-7000-8000-00000000000b")
	vip = uuid.MustParse("00000000-0000-7000-8000-0000000000f1")
)

const (
	listed   = `{"field":"blacklisted","op":"is","value":true}`
	tagged   = `{"field":"tags","op":"has_any","value":["00000000-0000-7000-8000-0000000000f1"]}`
	untagged = `{"all":[{"field":"tags","op":"has_none","value":["00000000-0000-7000-8000-0000000000f1","00000000-0000-7000-8000-0000000000f2"]}]}`
	gold     = `{"any":[{"not":{"field":"custom.level","op":"in","value":["gold","silver"]}},{"field":"custom.city","op":"eq","value":"北京"}]}`
)

// parsed is a rule against a tenant with two custom fields and one tag.
func parsed(t *testing.T, text string) group.Rule {
	t.Helper()
	f, err := filter.Parse([]byte(text), &filter.Language{Custom: []filter.CustomField{
		{Key: "level", Label: "Level", Kind: filter.Choice, Options: map[string]string{"gold": "Gold", "silver": "Silver"}},
		{Key: "city", Label: "City", Kind: filter.Text},
	}}, "rule")
	if err != nil {
		t.Fatal(err)
	}
	return group.Rule{Filter: f, Tags: func(id uuid.UUID) bool { return id == vip }}
}

// stored is the canonical form of a rule.
func stored(t *testing.T, text string) json.RawMessage { return parsed(t, text).Filter.JSON() }

func TestDecisions(t *testing.T) {
	define := func(id uuid.UUID, name, rule string, visible bool) when {
		return func(s *group.State) ([]group.Event, error) { return s.Define(id, name, parsed(t, rule), visible) }
	}
	revise := func(id uuid.UUID, rule string) when {
		return func(s *group.State) ([]group.Event, error) { return s.Revise(id, parsed(t, rule)) }
	}
	rename := func(id uuid.UUID, name string) when {
		return func(s *group.State) ([]group.Event, error) { return s.Rename(id, name) }
	}
	show := func(id uuid.UUID, visible bool) when {
		return func(s *group.State) ([]group.Event, error) { return s.SetVisibility(id, visible) }
	}
	remove := func(id uuid.UUID) when {
		return func(s *group.State) ([]group.Event, error) { return s.Delete(id, nil) }
	}
	const invalid, exists, unknown = domain.CodeValidation, domain.CodeGroupExists, domain.CodeTagUnknown
	first := group.Defined{Group: a, Name: "Listed", Rule: stored(t, listed)}
	second := group.Defined{Group: b, Name: "VIP", Rule: stored(t, tagged), AgentVisible: true}
	gone := group.Deleted{Group: a}
	longest := strings.Repeat("重", group.MaxName)
	var many given
	for i := range group.MaxGroups {
		many = append(many, group.Defined{Group: uuid.UUID{15: byte(i), 14: 1}, Name: strings.Repeat("x", i%50+1) + string(rune('一'+i)), Rule: stored(t, listed)})
	}

	domaintest.Run(t, []testCase{
		{Name: "define", When: define(a, "Listed\u3000", listed, false), Then: events{first}},
		{Name: "define a visible one", When: define(b, "VIP", tagged, true), Then: events{second}},
		{Name: "longest name", When: define(a, longest, listed, false), Then: events{group.Defined{Group: a, Name: longest, Rule: stored(t, listed)}}},
		{Name: "name taken in another case and width", Given: given{first}, When: define(b, "ＬＩＳＴＥＤ", listed, false), Refused: exists, At: "name"},
		{Name: "name of a deleted group", Given: given{first, gone}, When: define(b, "listed", listed, false), Then: events{group.Defined{Group: b, Name: "listed", Rule: stored(t, listed)}}},
		{Name: "name a group had before", Given: given{first, group.Renamed{Group: a, Name: "Other"}}, When: define(b, "Listed", listed, false), Then: events{group.Defined{Group: b, Name: "Listed", Rule: stored(t, listed)}}},
		{Name: "id taken", Given: given{first}, When: define(a, "Other", listed, false), Refused: domain.CodeConflict},
		{Name: "no name", When: define(a, " ", listed, false), Refused: invalid, At: "name"},
		{Name: "name too long", When: define(a, longest+"重", listed, false), Refused: invalid, At: "name"},
		{Name: "line break in the name", When: define(a, "a\nb", listed, false), Refused: invalid, At: "name"},
		{Name: "no rule", When: define(a, "Everybody", `{}`, false), Refused: invalid, At: "rule"},
		{Name: "a rule that says nothing", When: define(a, "Everybody", `{"all":[]}`, false), Refused: invalid, At: "rule.all"},
		{Name: "a rule that says nothing inside", When: define(a, "Everybody", `{"all":[{"not":{"any":[]}},{"all":[]}]}`, false), Refused: invalid, At: "rule.all[0].not.any"},
		{Name: "a rule with a part that says nothing", When: define(a, "Listed", `{"all":[{"all":[]},`+listed+`]}`, false),
			Then: events{group.Defined{Group: a, Name: "Listed", Rule: stored(t, `{"all":[{"all":[]},`+listed+`]}`)}}},
		{Name: "no rule at all", When: func(s *group.State) ([]group.Event, error) { return s.Define(a, "x", group.Rule{}, false) }, Refused: invalid, At: "rule"},
		{Name: "unknown tag", When: define(a, "x", untagged, false), Refused: unknown, At: "rule.all[0].value[1]"},
		{Name: "as many as there may be", Given: many[1:], When: define(a, "Listed", listed, false), Then: events{first}},
		{Name: "one too many", Given: many, When: define(a, "Listed", listed, false), Refused: domain.CodeLimitReached},

		{Name: "revise", Given: given{first}, When: revise(a, tagged), Then: events{group.Revised{Group: a, Rule: stored(t, tagged), Revision: 2}}},
		{Name: "revise again", Given: given{first, group.Revised{Group: a, Rule: stored(t, tagged), Revision: 2}}, When: revise(a, listed), Then: events{group.Revised{Group: a, Rule: stored(t, listed), Revision: 3}}},
		{Name: "revise to the same", Given: given{first}, When: revise(a, ` { "value": true, "op": "is", "field": "blacklisted", "unset": false } `)},
		{Name: "revise to everybody", Given: given{first}, When: revise(a, `null`), Refused: invalid, At: "rule"},
		{Name: "revise to a rule that says nothing", Given: given{first}, When: revise(a, `{"not":{"any":[]}}`), Refused: invalid, At: "rule.not.any"},
		{Name: "revise to an unknown tag", Given: given{first}, When: revise(a, `{"not":`+untagged+`}`), Refused: unknown, At: "rule.not.all[0].value[1]"},
		{Name: "revise what is not there", When: revise(a, listed), Refused: domain.CodeNotFound},

		{Name: "rename", Given: given{first}, When: rename(a, "Blocked"), Then: events{group.Renamed{Group: a, Name: "Blocked"}}},
		{Name: "rename only the case", Given: given{first}, When: rename(a, "LISTED"), Then: events{group.Renamed{Group: a, Name: "LISTED"}}},
		{Name: "rename to the same", Given: given{first}, When: rename(a, " Listed")},
		{Name: "rename to another's name", Given: given{first, second}, When: rename(a, "vip"), Refused: exists, At: "name"},
		{Name: "rename to nothing", Given: given{first}, When: rename(a, ""), Refused: invalid, At: "name"},
		{Name: "rename what is gone", Given: given{first, gone}, When: rename(a, "x"), Refused: domain.CodeNotFound},

		{Name: "show", Given: given{first}, When: show(a, true), Then: events{group.VisibilitySet{Group: a, AgentVisible: true}}},
		{Name: "show what is shown", Given: given{second}, When: show(b, true)},
		{Name: "hide", Given: given{second}, When: show(b, false), Then: events{group.VisibilitySet{Group: b}}},
		{Name: "show what is not there", When: show(a, true), Refused: domain.CodeNotFound},

		{Name: "delete", Given: given{first}, When: remove(a), Then: events{gone}},
		{Name: "delete again", Given: given{first, gone}, When: remove(a), Refused: domain.CodeNotFound},
	})
}

func TestApply(t *testing.T) {
	s := domaintest.Fold[group.State](
		group.Defined{Group: b, Name: "VIP", Rule: stored(t, tagged)}, group.Defined{Group: a, Name: "Listed", Rule: stored(t, listed)},
		group.Revised{Group: b, Rule: stored(t, gold), Revision: 2}, group.Renamed{Group: b, Name: "Gold"}, group.VisibilitySet{Group: b, AgentVisible: true},
		group.Renamed{Group: vip, Name: "nobody's"},
	)
	want := []group.Group{
		{ID: a, Name: "Listed", Rule: stored(t, listed), Revision: 1, Version: 1},
		{ID: b, Name: "Gold", Rule: stored(t, gold), Revision: 2, AgentVisible: true, Version: 4},
	}
	if got := s.Sorted(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestUses(t *testing.T) {
	s := domaintest.Fold[group.State](
		group.Defined{Group: a, Name: "Gold", Rule: stored(t, gold)}, group.Defined{Group: b, Name: "Listed", Rule: stored(t, listed)},
	)
	gold := []domain.Use{{Kind: domain.UseGroup, ID: a, Name: "Gold"}}
	for field, want := range map[string][]domain.Use{
		"custom.level": gold, "custom.city": gold, "custom.lev": nil, "level": nil, "blacklisted": {{Kind: domain.UseGroup, ID: b, Name: "Listed"}},
	} {
		if got := s.Uses(field); !slices.Equal(got, want) {
			t.Errorf("%s is used by %v, want %v", field, got, want)
		}
	}
	for option, want := range map[[2]string][]domain.Use{
		{"custom.level", "gold"}: gold, {"custom.level", "silver"}: gold, {"custom.level", "bronze"}: nil, {"custom.city", "gold"}: nil, {"custom.nothing", "gold"}: nil,
	} {
		if got := s.UsesOption(option[0], option[1]); !slices.Equal(got, want) {
			t.Errorf("%v is used by %v, want %v", option, got, want)
		}
	}
}

func TestCloneIsApart(t *testing.T) {
	s := domaintest.Fold[group.State](group.Defined{Group: a, Name: "Listed", Rule: stored(t, listed)})
	c := s.Clone()
	c.Apply(group.Renamed{Group: a, Name: "Other"}, domaintest.Start)
	c.Apply(group.Defined{Group: b, Name: "VIP", Rule: stored(t, tagged)}, domaintest.Start)
	if s.All[a].Name != "Listed" || s.Known(b) {
		t.Errorf("the clone's events reached the original: %+v", s)
	}
	if _, err := s.Define(b, "listed", parsed(t, tagged), false); err == nil {
		t.Error("the clone has taken the name from the original")
	}
}
