package tag_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/tag"
)

type (
	testCase = domaintest.Case[tag.State, tag.Event]
	events   = []tag.Event
	given    = []domain.Event
	when     = func(*tag.State) ([]tag.Event, error)
)

var (
	a = uuid.MustParse("00000000-0000-7000-8000-00000000000a")
	b = uuid.MustParse("00000000-0000-7000-8000-00000000000b")
)

func TestDecisions(t *testing.T) {
	create := func(id uuid.UUID, name string) when {
		return func(s *tag.State) ([]tag.Event, error) { return s.Create(id, name) }
	}
	rename := func(id uuid.UUID, name string) when {
		return func(s *tag.State) ([]tag.Event, error) { return s.Rename(id, name) }
	}
	remove := func(id uuid.UUID) when {
		return func(s *tag.State) ([]tag.Event, error) { return s.Delete(id, nil) }
	}
	const invalid = domain.CodeValidation
	vip := tag.Created{Tag: a, Name: "VIP"}
	longest := strings.Repeat("重", 50)

	domaintest.Run(t, []testCase{
		{Name: "create", When: create(a, " VIP\u3000"), Then: events{vip}},
		{Name: "longest name", When: create(a, longest), Then: events{tag.Created{Tag: a, Name: longest}}},
		{Name: "full-width comma", When: create(a, "大，小"), Then: events{tag.Created{Tag: a, Name: "大，小"}}},
		{Name: "same name", Given: given{vip}, When: create(b, "VIP"), Refused: domain.CodeTagExists, At: "name"},
		{Name: "same name in another case and width", Given: given{vip}, When: create(b, "ｖｉｐ"), Refused: domain.CodeTagExists, At: "name"},
		{Name: "name of a deleted tag", Given: given{vip, tag.Deleted{Tag: a}}, When: create(b, "vip"), Then: events{tag.Created{Tag: b, Name: "vip"}}},
		{Name: "name a tag had before", Given: given{vip, tag.Renamed{Tag: a, Name: "Gold"}}, When: create(b, "vip"), Then: events{tag.Created{Tag: b, Name: "vip"}}},
		{Name: "name a tag has by now", Given: given{vip, tag.Renamed{Tag: a, Name: "Gold"}}, When: create(b, "gold"), Refused: domain.CodeTagExists, At: "name"},
		{Name: "id taken", Given: given{vip}, When: create(a, "Gold"), Refused: domain.CodeConflict},
		{Name: "no name", When: create(a, " "), Refused: invalid, At: "name"},
		{Name: "name too long", When: create(a, longest+"重"), Refused: invalid, At: "name"},
		{Name: "comma", When: create(a, "big,small"), Refused: invalid, At: "name"},
		{Name: "NUL", When: create(a, "a\x00b"), Refused: invalid, At: "name"},

		{Name: "rename", Given: given{vip}, When: rename(a, "Gold"), Then: events{tag.Renamed{Tag: a, Name: "Gold"}}},
		{Name: "rename only the case", Given: given{vip}, When: rename(a, "vip"), Then: events{tag.Renamed{Tag: a, Name: "vip"}}},
		{Name: "rename to the same", Given: given{vip}, When: rename(a, "VIP ")},
		{Name: "rename to another's name", Given: given{vip, tag.Created{Tag: b, Name: "Gold"}}, When: rename(b, "Vip"), Refused: domain.CodeTagExists, At: "name"},
		{Name: "rename what is not there", When: rename(a, "Gold"), Refused: domain.CodeTagUnknown},
		{Name: "rename with comma", Given: given{vip}, When: rename(a, ","), Refused: invalid, At: "name"},

		{Name: "delete", Given: given{vip}, When: remove(a), Then: events{tag.Deleted{Tag: a}}},
		{Name: "delete again", Given: given{vip, tag.Deleted{Tag: a}}, When: remove(a), Refused: domain.CodeTagUnknown},
	})
}

func TestByName(t *testing.T) {
	s := domaintest.Fold[tag.State](tag.Created{Tag: a, Name: "VIP"}, tag.Created{Tag: b, Name: "重要"}, tag.Renamed{Tag: b, Name: "Straße"})
	for name, want := range map[string]uuid.UUID{"vip": a, " ＶＩＰ ": a, "STRASSE": b} {
		if id, found := s.ByName(name); !found || id != want {
			t.Errorf("ByName(%q) = %v, %v", name, id, found)
		}
	}
	if id, found := s.ByName("重要"); found {
		t.Errorf("the old name still finds %v", id)
	}
	if !s.Known(a) || s.Known(uuid.Nil) {
		t.Error("Known is wrong")
	}
}

func TestCloneIsApart(t *testing.T) {
	s := domaintest.Fold[tag.State](tag.Created{Tag: a, Name: "VIP"})
	c := s.Clone()
	c.Apply(tag.Deleted{Tag: a}, domaintest.Start)
	c.Apply(tag.Created{Tag: b, Name: "Gold"}, domaintest.Start)
	if _, found := s.ByName("vip"); !found || !s.Known(a) || s.Known(b) {
		t.Errorf("the clone's events reached the original: %+v", s)
	}
}
