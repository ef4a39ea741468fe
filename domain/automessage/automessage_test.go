package automessage_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/automessage"
	"customercenter/domain/domaintest"
	"customercenter/domain/filter"
)

type (
	testCase = domaintest.Case[automessage.State, automessage.Event]
	events   = []automessage.Event
	given    = []domain.Event
	when     = func(*automessage.State) ([]automessage.Event, error)
)

var (
	a     = uuid.MustParse("00000000-0000-7000-8000-00000000000a")
	b     = uuid.MustParse("00000000-0000-7000-8000-00000000000b")
	vip   = uuid.MustParse("00000000-0000-7000-8000-0000000000c1")
	gold  = uuid.MustParse("00000000-0000-7000-8000-0000000000c2")
	other = uuid.MustParse("00000000-0000-7000-8000-0000000000c3")
)

func known(id uuid.UUID) bool { return id == vip || id == gold }

// parsed is a filter at the place where audiences have it.
func parsed(text string) *filter.Filter {
	f, err := filter.Parse([]byte(text), &filter.Language{Groups: true}, "audience.filter")
	if err != nil {
		panic(err)
	}
	return f
}

func inGroups(ids ...uuid.UUID) automessage.Wanted {
	return automessage.Wanted{Groups: ids, Tags: known, GroupKnown: known}
}

func matching(text string) automessage.Wanted {
	return automessage.Wanted{Filter: parsed(text), Tags: known, GroupKnown: known}
}

func TestDecisions(t *testing.T) {
	define := func(id uuid.UUID, d automessage.Draft) when {
		return func(s *automessage.State) ([]automessage.Event, error) { return s.Define(id, d) }
	}
	change := func(id uuid.UUID, r automessage.Revision) when {
		return func(s *automessage.State) ([]automessage.Event, error) { return s.Change(id, r) }
	}
	start := func(s *automessage.State) ([]automessage.Event, error) { return s.Start(a, automessage.Wanted{}) }
	startFor := func(audience automessage.Wanted) when {
		return func(s *automessage.State) ([]automessage.Event, error) { return s.Start(a, audience) }
	}
	stop := func(s *automessage.State) ([]automessage.Event, error) { return s.Stop(a) }
	remove := func(s *automessage.State) ([]automessage.Event, error) { return s.Delete(a) }
	text := func(s string) *string { return &s }
	rate := func(n int) *int { return &n }
	const invalid = domain.CodeValidation

	draft := automessage.Defined{AutoMessage: a, Name: "双十一", Text: "您好", Rate: 600}
	renamed := automessage.Changed{AutoMessage: a, Name: "双十二", Text: "您好", Rate: 600}
	started, stopped, deleted := automessage.Started{AutoMessage: a}, automessage.Stopped{AutoMessage: a}, automessage.Deleted{AutoMessage: a}
	tagged := json.RawMessage(`{"field":"tags","op":"has_any","value":["` + vip.String() + `"]}`)
	longest := strings.Repeat("长", automessage.MaxText)
	var many given
	for i := range automessage.MaxMessages {
		many = append(many, automessage.Defined{AutoMessage: uuid.NewSHA1(a, fmt.Append(nil, i)), Name: fmt.Sprint(i), Text: "x", Rate: 1})
	}

	domaintest.Run(t, []testCase{
		{Name: "define for a list", When: define(a, automessage.Draft{Name: " 双十一\u3000", Text: "您好\r\n再见 "}),
			Then: events{automessage.Defined{AutoMessage: a, Name: "双十一", Text: "您好\n再见", Rate: 600}}},
		{Name: "define for groups", When: define(a, automessage.Draft{Name: "g", Text: longest, Rate: 60_000, Audience: inGroups(vip, gold, vip)}),
			Then: events{automessage.Defined{AutoMessage: a, Name: "g", Text: longest, Rate: 60_000, Audience: automessage.Audience{Groups: []uuid.UUID{vip, gold}}}}},
		{Name: "define for a filter", When: define(a, automessage.Draft{Name: "f", Text: "x", Rate: 1, Audience: matching(string(tagged))}),
			Then: events{automessage.Defined{AutoMessage: a, Name: "f", Text: "x", Rate: 1, Audience: automessage.Audience{Filter: parsed(string(tagged)).JSON()}}}},
		{Name: "no name", When: define(a, automessage.Draft{Text: "x"}), Refused: invalid, At: "name"},
		{Name: "two lines of name", When: define(a, automessage.Draft{Name: "a\nb", Text: "x"}), Refused: invalid, At: "name"},
		{Name: "name too long", When: define(a, automessage.Draft{Name: strings.Repeat("名", 51), Text: "x"}), Refused: invalid, At: "name"},
		{Name: "no text", When: define(a, automessage.Draft{Name: "n", Text: " \n "}), Refused: invalid, At: "text"},
		{Name: "text too long", When: define(a, automessage.Draft{Name: "n", Text: longest + "长"}), Refused: invalid, At: "text"},
		{Name: "control characters", When: define(a, automessage.Draft{Name: "n", Text: "a\x07"}), Refused: invalid, At: "text"},
		{Name: "too slow", When: define(a, automessage.Draft{Name: "n", Text: "x", Rate: -1}), Refused: invalid, At: "rate"},
		{Name: "too fast", When: define(a, automessage.Draft{Name: "n", Text: "x", Rate: 60_001}), Refused: invalid, At: "rate"},
		{Name: "unknown group", When: define(a, automessage.Draft{Name: "n", Text: "x", Audience: inGroups(vip, other)}),
			Refused: domain.CodeGroupUnknown, At: "audience.groups[1]"},
		{Name: "too many groups", When: define(a, automessage.Draft{Name: "n", Text: "x", Audience: inGroups(make([]uuid.UUID, 201)...)}), Refused: invalid, At: "audience.groups"},
		{Name: "unknown tag", When: define(a, automessage.Draft{Name: "n", Text: "x", Audience: matching(`{"all":[{"field":"tags","op":"has_any","value":["` + other.String() + `"]}]}`)}),
			Refused: domain.CodeTagUnknown, At: "audience.filter.all[0].value[0]"},
		{Name: "filter and groups", When: define(a, automessage.Draft{Name: "n", Text: "x", Audience: automessage.Wanted{Filter: parsed(`{}`), Groups: []uuid.UUID{vip}}}),
			Refused: invalid, At: "audience"},
		{Name: "name taken", Given: given{draft}, When: define(b, automessage.Draft{Name: "双十一", Text: "x"}), Refused: domain.CodeAutoMessageExists, At: "name"},
		{Name: "name of a deleted one", Given: given{draft, deleted}, When: define(b, automessage.Draft{Name: "双十一", Text: "x"}),
			Then: events{automessage.Defined{AutoMessage: b, Name: "双十一", Text: "x", Rate: 600}}},
		{Name: "name of before", Given: given{draft, renamed}, When: define(b, automessage.Draft{Name: "双十一", Text: "x"}),
			Then: events{automessage.Defined{AutoMessage: b, Name: "双十一", Text: "x", Rate: 600}}},
		{Name: "id taken", Given: given{draft, deleted}, When: define(a, automessage.Draft{Name: "n", Text: "x"}), Refused: domain.CodeConflict},
		{Name: "one too many", Given: many, When: define(a, automessage.Draft{Name: "n", Text: "x"}), Refused: domain.CodeLimitReached},
		{Name: "deleted ones do not count", Given: append(many[1:len(many):len(many)], draft, deleted), When: define(b, automessage.Draft{Name: "n", Text: "x"}),
			Then: events{automessage.Defined{AutoMessage: b, Name: "n", Text: "x", Rate: 600}}},

		{Name: "rename", Given: given{draft}, When: change(a, automessage.Revision{Name: text("双十二")}), Then: events{renamed}},
		{Name: "change all", Given: given{draft}, When: change(a, automessage.Revision{Name: text("n"), Text: text("t"), Rate: rate(5), Audience: &automessage.Wanted{Groups: []uuid.UUID{gold}, GroupKnown: known}}),
			Then: events{automessage.Changed{AutoMessage: a, Name: "n", Text: "t", Rate: 5, Audience: automessage.Audience{Groups: []uuid.UUID{gold}}}}},
		{Name: "change nothing", Given: given{draft}, When: change(a, automessage.Revision{Name: text("双十一 "), Text: text("您好"), Rate: rate(600), Audience: &automessage.Wanted{}})},
		{Name: "change what is not there", When: change(a, automessage.Revision{}), Refused: domain.CodeNotFound},
		{Name: "change what is deleted", Given: given{draft, deleted}, When: change(a, automessage.Revision{}), Refused: domain.CodeNotFound},
		{Name: "change the rate while it runs", Given: given{draft, started}, When: change(a, automessage.Revision{Rate: rate(1)}),
			Then: events{automessage.Changed{AutoMessage: a, Name: "双十一", Text: "您好", Rate: 1}}},
		{Name: "change the text while it runs", Given: given{draft, started}, When: change(a, automessage.Revision{Text: text("t")}), Refused: domain.CodeAutoMessageStarted, At: "text"},
		{Name: "change the audience after it ran", Given: given{draft, started, stopped}, When: change(a, automessage.Revision{Audience: &automessage.Wanted{Groups: []uuid.UUID{gold}, GroupKnown: known}}),
			Refused: domain.CodeAutoMessageStarted, At: "audience"},
		{Name: "the same text while it runs", Given: given{draft, started}, When: change(a, automessage.Revision{Text: text("您好")})},
		{Name: "rate out of bounds", Given: given{draft}, When: change(a, automessage.Revision{Rate: rate(0)}), Refused: invalid, At: "rate"},
		{Name: "rename to another's name", Given: given{draft, automessage.Defined{AutoMessage: b, Name: "B"}}, When: change(a, automessage.Revision{Name: text("ｂ")}),
			Refused: domain.CodeAutoMessageExists, At: "name"},

		{Name: "start", Given: given{draft}, When: start, Then: events{started}},
		{Name: "start again", Given: given{draft, started}, When: start},
		{Name: "start what was stopped", Given: given{draft, started, stopped}, When: start, Then: events{started}},
		{Name: "start what is not there", When: start, Refused: domain.CodeNotFound},
		{Name: "start for a group that is gone", Given: given{draft}, When: startFor(automessage.Wanted{Groups: []uuid.UUID{gold}, GroupKnown: func(uuid.UUID) bool { return false }}),
			Refused: domain.CodeGroupUnknown, At: "audience.groups[0]"},
		{Name: "stop", Given: given{draft, started}, When: stop, Then: events{stopped}},
		{Name: "stop a draft", Given: given{draft}, When: stop},
		{Name: "stop what is not there", When: stop, Refused: domain.CodeNotFound},
		{Name: "delete a draft", Given: given{draft}, When: remove, Then: events{deleted}},
		{Name: "delete what runs", Given: given{draft, started}, When: remove, Refused: domain.CodeAutoMessageRunning},
		{Name: "delete what was stopped", Given: given{draft, started, stopped}, When: remove, Then: events{deleted}},
		{Name: "delete again", Given: given{draft, deleted}, When: remove, Refused: domain.CodeNotFound},
	})
}

func TestWhatADeletedOneLeaves(t *testing.T) {
	s := domaintest.Fold[automessage.State](automessage.Defined{AutoMessage: a, Name: "n", Text: "还在路上"}, automessage.Deleted{AutoMessage: a})
	if text, found := s.Text(a); !found || text != "还在路上" || s.Names()[a] != "n" {
		t.Errorf("what is on its way has lost its text: %q, %v", text, found)
	}
	if _, found := s.Find(a); found || len(s.Sorted()) != 0 {
		t.Error("it is in the catalogue still")
	}
}

// What is running, and would go to others without a tag or a group, is told: also what names none, and asks who has none.
func TestSending(t *testing.T) {
	without := func(set string, id uuid.UUID) automessage.Audience {
		return automessage.Audience{Filter: json.RawMessage(`{"all":[{"not":{"field":"` + set + `","op":"has_any","value":["` + id.String() + `"]}}]}`)}
	}
	empty := automessage.Audience{Filter: json.RawMessage(`{"any":[{"field":"tags","op":"is_empty"},{"field":"groups","op":"is_empty"}]}`)}
	ids := make([]uuid.UUID, 6)
	var history []domain.Event
	for i, audience := range []automessage.Audience{without("tags", vip), without("groups", gold), {Groups: []uuid.UUID{gold}}, empty, {}, without("tags", vip)} {
		ids[i] = uuid.UUID{15: byte(i + 1)}
		history = append(history, automessage.Defined{AutoMessage: ids[i], Name: fmt.Sprint(i), Audience: audience}, automessage.Started{AutoMessage: ids[i]})
	}
	s := domaintest.Fold[automessage.State](append(history, automessage.Stopped{AutoMessage: ids[5]})...)
	for _, c := range []struct {
		tags, groups []uuid.UUID
		want         string
	}{
		{[]uuid.UUID{vip}, nil, "0 3"}, {nil, []uuid.UUID{gold}, "1 2 3"}, {[]uuid.UUID{vip}, []uuid.UUID{gold}, "0 1 2 3"}, {[]uuid.UUID{gold}, []uuid.UUID{vip}, "3"}, {nil, nil, ""},
	} {
		var names []string
		for _, use := range s.Sending(c.tags, c.groups) {
			names = append(names, use.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("without the tags %v and the groups %v: %s would go to others, want %s", c.tags, c.groups, got, c.want)
		}
	}
}

func TestUses(t *testing.T) {
	level := json.RawMessage(`{"field":"custom.level","op":"in","value":["gold"]}`)
	s := domaintest.Fold[automessage.State](
		automessage.Defined{AutoMessage: b, Name: "B", Audience: automessage.Audience{Filter: level}},
		automessage.Defined{AutoMessage: a, Name: "A", Audience: automessage.Audience{Filter: level}},
		automessage.Defined{AutoMessage: gold, Name: "none"},
		automessage.Defined{AutoMessage: vip, Name: "gone", Audience: automessage.Audience{Filter: level}}, automessage.Deleted{AutoMessage: vip},
	)
	want := []domain.Use{{Kind: "auto_message", ID: a, Name: "A"}, {Kind: "auto_message", ID: b, Name: "B"}}
	if got := s.Uses("custom.level"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v read the field, want %v", got, want)
	}
	if got := s.UsesOption("custom.level", "gold"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v name the option, want %v", got, want)
	}
	if len(s.Uses("custom.color")) != 0 || len(s.UsesOption("custom.level", "silver")) != 0 {
		t.Error("what nobody reads is in use")
	}
}

func TestCloneIsApart(t *testing.T) {
	s := domaintest.Fold[automessage.State](automessage.Defined{AutoMessage: a, Name: "A"})
	c := s.Clone()
	c.Apply(automessage.Started{AutoMessage: a}, domaintest.Start)
	c.Apply(automessage.Defined{AutoMessage: b, Name: "B"}, domaintest.Start)
	if m, _ := s.Find(a); m.Status != automessage.StatusDraft || m.Version != 1 || len(s.Sorted()) != 1 {
		t.Errorf("the clone's events reached the original: %+v", s)
	}
}
