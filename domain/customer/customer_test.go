package customer_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/domaintest"
	"customercenter/domain/field"
)

type (
	testCase = domaintest.Case[customer.State, customer.Event]
	events   = []customer.Event
	given    = []domain.Event
	when     = func(*customer.State) ([]customer.Event, error)
)

// id is the n-th of the ids that the tests hand in.
func id(n int) uuid.UUID { return uuid.UUID{15: byte(n)} }

// known is a catalogue of the tags 1 to 5.
func known(tag uuid.UUID) bool { return tag[15] >= 1 && tag[15] <= 5 }

// custom is a catalogue with a text "size", a number "age" and a multi-select "likes" of o1 to o3.
var custom = domaintest.Fold[field.State](
	field.Added{Field: "size", Type: field.TypeText, Label: "Size"},
	field.Added{Field: "age", Type: field.TypeNumber, Label: "Age"},
	field.Added{Field: "likes", Type: field.TypeMultiSelect, Label: "Likes", Options: []field.Option{
		{ID: "o1", Label: "tea"}, {ID: "o2", Label: "silk"}, {ID: "o3", Label: "jade"},
	}},
)

// normal is what values of custom fields may be.
var normal customer.Normal = custom.Normalize

func created(tags ...uuid.UUID) customer.Created {
	return customer.Created{
		Association: 1, Channel: "app", ExternalID: "visitor", Profile: customer.Profile{Nickname: "王小明", Phone: "138"},
		Tags: tags, Via: customer.ViaInbound, Generation: 1,
	}
}

func TestCreate(t *testing.T) {
	create := func(change func(*customer.New)) when {
		return func(s *customer.State) ([]customer.Event, error) {
			n := customer.New{Association: 1, Channel: "app", ExternalID: " Visitor", Profile: customer.Profile{Nickname: " 王小明 ", Phone: "138"}, Via: customer.ViaInbound}
			if change != nil {
				change(&n)
			}
			return s.Create(n, known, normal)
		}
	}
	plain, imported := created(), created()
	plain.Profile = customer.Profile{Nickname: "visitor"}
	imported.Via, imported.Import = customer.ViaImport, id(7)
	domaintest.Run(t, []testCase{
		{Name: "create", When: create(nil), Then: events{created()}},
		{Name: "no nickname", When: create(func(n *customer.New) { n.Profile = customer.Profile{Nickname: " "} }), Then: events{plain}},
		{Name: "tags once each", When: create(func(n *customer.New) { n.Tags = []uuid.UUID{id(2), id(1), id(2)} }), Then: events{created(id(2), id(1))}},
		{Name: "unknown tag", When: create(func(n *customer.New) { n.Tags = []uuid.UUID{id(1), id(9)} }), Refused: domain.CodeTagUnknown, At: "tags"},
		{Name: "again", Given: given{created()}, When: create(nil), Refused: domain.CodeCustomerExists, At: "external_id"},
		{Name: "bad id", When: create(func(n *customer.New) { n.ExternalID = "a b" }), Refused: domain.CodeIDInvalid, At: "external_id"},
		{Name: "unknown channel", When: create(func(n *customer.New) { n.Channel = "" }), Refused: domain.CodeValidation, At: "channel"},
		{Name: "imported", When: create(func(n *customer.New) { n.Via, n.Import = customer.ViaImport, id(7) }), Then: events{imported}},
		{Name: "by no import", When: create(func(n *customer.New) { n.Via = customer.ViaImport }), Refused: domain.CodeValidation, At: "import"},
		{Name: "an import of another way", When: create(func(n *customer.New) { n.Import = id(7) }), Refused: domain.CodeValidation, At: "import"},
		{Name: "unknown way", When: create(func(n *customer.New) { n.Via = "" }), Refused: domain.CodeValidation, At: "via"},
		{
			Name: "custom values", When: create(func(n *customer.New) {
				n.Profile.Custom = map[string]any{"size": " L ", "age": 41.50, "likes": []any{}}
			}),
			Then: events{with(created(), map[string]any{"size": "L", "age": "41.5"})},
		},
		{Name: "custom values that are not set", When: create(func(n *customer.New) { n.Profile.Custom = map[string]any{"size": nil} }), Then: events{created()}},
		{
			Name: "bad custom value", When: create(func(n *customer.New) { n.Profile.Custom = map[string]any{"size": "L", "age": "old"} }),
			Refused: domain.CodeValidation, At: "profile.custom.age",
		},
		{
			Name: "unknown custom field", When: create(func(n *customer.New) { n.Profile.Custom = map[string]any{"shoe": "L"} }),
			Refused: domain.CodeValidation, At: "profile.custom.shoe",
		},
		{Name: "bad profile", When: create(func(n *customer.New) { n.Profile.Email = "a\x00" }), Refused: domain.CodeValidation, At: "profile.email"},
	})
}

func TestChangeProfile(t *testing.T) {
	text := func(s string) *string { return &s }
	change := func(changes map[string]*string) when {
		return func(s *customer.State) ([]customer.Event, error) {
			return s.ChangeProfile(customer.Edit{Fields: changes}, nil)
		}
	}
	changed := func(fields map[string]customer.Change) events { return events{customer.ProfileChanged{Fields: fields}} }
	unset := customer.ProfileChanged{Fields: map[string]customer.Change{"phone": {Old: "138", New: nil}}}
	domaintest.Run(t, []testCase{
		{
			Name: "set, change and unset", Given: given{created()},
			When: change(map[string]*string{"name": text(" 王明 "), "nickname": text("小明"), "phone": nil}),
			Then: changed(map[string]customer.Change{"name": {Old: nil, New: "王明"}, "nickname": {Old: "王小明", New: "小明"}, "phone": {Old: "138", New: nil}}),
		},
		{Name: "empty is unset", Given: given{created()}, When: change(map[string]*string{"phone": text(" ")}), Then: events{unset}},
		{Name: "unset again", Given: given{created(), unset}, When: change(map[string]*string{"phone": nil})},
		{
			Name: "only what changes", Given: given{created()}, When: change(map[string]*string{"phone": text("138"), "qq": text("1")}),
			Then: changed(map[string]customer.Change{"qq": {Old: nil, New: "1"}}),
		},
		{Name: "same", Given: given{created()}, When: change(map[string]*string{"phone": text("138 ")})},
		{Name: "nothing", Given: given{created()}, When: change(nil)},
		{Name: "too long", Given: given{created()}, When: change(map[string]*string{"qq": text("0123456789012345678901234567890123456789012345")}), Refused: "QQ_TOO_LONG", At: "profile.qq"},
		{Name: "NUL", Given: given{created()}, When: change(map[string]*string{"name": text("a\x00")}), Refused: domain.CodeValidation, At: "profile.name"},
		{Name: "external id", Given: given{created()}, When: change(map[string]*string{"external_id": text("x")}), Refused: domain.CodeValidation, At: "profile.external_id"},
		{Name: "unknown field", Given: given{created()}, When: change(map[string]*string{"shoe_size": text("42"), "qq": text("1")}), Refused: domain.CodeValidation, At: "profile"},
		{Name: "nobody", When: change(map[string]*string{"qq": text("1")}), Refused: domain.CodeNotFound},
	})
}

// with is a creation with these custom values.
func with(c customer.Created, values map[string]any) customer.Created {
	c.Profile.Custom = values
	return c
}

func TestChangeCustomValues(t *testing.T) {
	change := func(values map[string]any) when {
		return func(s *customer.State) ([]customer.Event, error) {
			return s.ChangeProfile(customer.Edit{Custom: values}, normal)
		}
	}
	changed := func(fields map[string]customer.Change) customer.ProfileChanged {
		return customer.ProfileChanged{Fields: fields}
	}
	old := with(created(), map[string]any{"size": "L", "likes": []any{"o1", "o2"}})
	name := " 王明 "
	domaintest.Run(t, []testCase{
		{
			Name: "set, change and unset", Given: given{old}, When: change(map[string]any{"age": "041.0", "likes": []any{"o3", "o1"}, "size": ""}),
			Then: events{changed(map[string]customer.Change{
				"custom.age": {New: "41"}, "custom.likes": {Old: []any{"o1", "o2"}, New: []any{"o1", "o3"}}, "custom.size": {Old: "L"},
			})},
		},
		{
			Name: "together with others", Given: given{old}, When: func(s *customer.State) ([]customer.Event, error) {
				return s.ChangeProfile(customer.Edit{Fields: map[string]*string{"name": &name}, Custom: map[string]any{"size": "M"}}, normal)
			},
			Then: events{changed(map[string]customer.Change{"name": {New: "王明"}, "custom.size": {Old: "L", New: "M"}})},
		},
		{Name: "same", Given: given{old}, When: change(map[string]any{"size": " L", "likes": []any{"o2", "o1", "o2"}, "age": nil})},
		{
			Name: "same as changed to", Given: given{old, changed(map[string]customer.Change{"custom.size": {Old: "L", New: "M"}, "custom.age": {New: "41"}})},
			When: change(map[string]any{"size": "M", "age": 41.0}),
		},
		{
			Name: "unset again", Given: given{old, changed(map[string]customer.Change{"custom.size": {Old: "L"}})}, When: change(map[string]any{"size": nil}),
		},
		{Name: "bad value", Given: given{old}, When: change(map[string]any{"size": "M", "likes": []any{"o9"}}), Refused: domain.CodeValidation, At: "profile.custom.likes"},
		{Name: "unknown field", Given: given{old}, When: change(map[string]any{"shoe": "42"}), Refused: domain.CodeValidation, At: "profile.custom.shoe"},
		{Name: "no key at all", Given: given{old}, When: change(map[string]any{"Shoe size!": "42"}), Refused: domain.CodeValidation, At: "profile.custom"},
		{Name: "nobody", When: change(map[string]any{"size": "M"}), Refused: domain.CodeNotFound},
	})
}

func TestTags(t *testing.T) {
	tag := func(tag uuid.UUID) when {
		return func(s *customer.State) ([]customer.Event, error) { return s.Tag(tag, known) }
	}
	untag := func(tag uuid.UUID) when {
		return func(s *customer.State) ([]customer.Event, error) { return s.Untag(tag) }
	}
	replace := func(tags ...uuid.UUID) when {
		return func(s *customer.State) ([]customer.Event, error) { return s.ReplaceTags(tags, known) }
	}
	domaintest.Run(t, []testCase{
		{Name: "tag", Given: given{created()}, When: tag(id(1)), Then: events{customer.Tagged{Tag: id(1)}}},
		{Name: "tag again", Given: given{created(), customer.Tagged{Tag: id(1)}}, When: tag(id(1))},
		{Name: "tag given at the creation", Given: given{created(id(1))}, When: tag(id(1))},
		{Name: "unknown tag", Given: given{created()}, When: tag(id(9)), Refused: domain.CodeTagUnknown, At: "tags"},
		{Name: "tag that left the catalogue", Given: given{created(id(9))}, When: tag(id(9)), Refused: domain.CodeTagUnknown, At: "tags"},
		{Name: "tag nobody", When: tag(id(1)), Refused: domain.CodeNotFound},

		{Name: "untag", Given: given{created(id(1), id(2))}, When: untag(id(1)), Then: events{customer.Untagged{Tag: id(1)}}},
		{Name: "untag again", Given: given{created(id(1)), customer.Untagged{Tag: id(1)}}, When: untag(id(1))},
		{Name: "untag what is unknown", Given: given{created()}, When: untag(id(9))},
		{Name: "untag nobody", When: untag(id(1)), Refused: domain.CodeNotFound},

		{
			Name: "replace", Given: given{created(id(1), id(2))}, When: replace(id(3), id(2), id(3)),
			Then: events{customer.Untagged{Tag: id(1)}, customer.Tagged{Tag: id(3)}},
		},
		{Name: "replace by the same in another order", Given: given{created(id(1), id(2))}, When: replace(id(2), id(1))},
		{Name: "replace by none", Given: given{created(id(1))}, When: replace(), Then: events{customer.Untagged{Tag: id(1)}}},
		{Name: "what nobody sees stays", Given: given{created(id(9))}, When: replace()},
		{Name: "replace by unknown", Given: given{created()}, When: replace(id(1), id(9)), Refused: domain.CodeTagUnknown, At: "tags"},
		{Name: "replace of nobody", When: replace(), Refused: domain.CodeNotFound},
	})
}

func TestSessions(t *testing.T) {
	open := func(session uuid.UUID, initiator string) when {
		return func(s *customer.State) ([]customer.Event, error) {
			return s.OpenSession(session, initiator, time.Unix(0, 0))
		}
	}
	end := func(session uuid.UUID, last time.Time) when {
		return func(s *customer.State) ([]customer.Event, error) { return s.CloseSession(session, false, last) }
	}
	opened := customer.SessionOpened{Session: id(1), Initiator: "customer"}
	closed := customer.SessionClosed{Session: id(1)}
	wrote := domaintest.Minute(1)
	domaintest.Run(t, []testCase{
		{Name: "open", Given: given{created()}, When: open(id(1), "customer"), Then: events{opened}},
		{Name: "open by an agent", Given: given{created()}, When: open(id(1), "agent"), Then: events{customer.SessionOpened{Session: id(1), Initiator: "agent"}}},
		{Name: "open by the system", Given: given{created()}, When: open(id(1), "system"), Refused: domain.CodeValidation, At: "initiator"},
		{Name: "open no session", Given: given{created()}, When: open(uuid.Nil, "customer"), Refused: domain.CodeValidation, At: "session"},
		{Name: "open again", Given: given{created(), opened}, When: open(id(1), "customer")},
		{Name: "open a second", Given: given{created(), opened}, When: open(id(2), "agent"), Refused: domain.CodeSessionOpen},
		{Name: "open the next", Given: given{created(), opened, closed}, When: open(id(2), "customer"), Then: events{customer.SessionOpened{Session: id(2), Initiator: "customer"}}},
		{Name: "open what ended", Given: given{created(), opened, closed}, When: open(id(1), "customer"), Refused: domain.CodeSessionEnded},
		{Name: "open for nobody", When: open(id(1), "customer"), Refused: domain.CodeNotFound},

		{Name: "close", Given: given{created(), opened}, When: end(id(1), wrote), Then: events{customer.SessionClosed{Session: id(1), LastCustomerMessageAt: &wrote}}},
		{Name: "close, nothing written", Given: given{created(), opened}, When: end(id(1), time.Time{}), Then: events{closed}},
		{
			Name: "abort", Given: given{created(), opened},
			When: func(s *customer.State) ([]customer.Event, error) { return s.CloseSession(id(1), true, time.Time{}) },
			Then: events{customer.SessionClosed{Session: id(1), Aborted: true}},
		},
		{Name: "close again", Given: given{created(), opened, closed}, When: end(id(1), wrote)},
		{Name: "close another", Given: given{created(), opened}, When: end(id(2), wrote)},
		{Name: "close none", Given: given{created()}, When: end(uuid.Nil, wrote)},
		{Name: "close for nobody", When: end(id(1), wrote), Refused: domain.CodeNotFound},
	})
}

func TestSessionFor(t *testing.T) {
	opened := func(n int) domain.Event { return customer.SessionOpened{Session: id(n), Initiator: "customer"} }
	closed := func(n int) domain.Event { return customer.SessionClosed{Session: id(n)} }
	late := func(n int) customer.Placement { return customer.Placement{Session: id(n), Late: true} }
	in := func(n int) customer.Placement { return customer.Placement{Session: id(n)} }
	var opens customer.Placement
	now := domaintest.Minute(60)

	// Session 1 from minute 1 to 2, session 2 from minute 3 to 4, session 3 from minute 5 on.
	twoEnded := given{created(), opened(1), closed(1), opened(2), closed(2)}
	thirdOpen := append(twoEnded[:len(twoEnded):len(twoEnded)], opened(3))
	for _, c := range []struct {
		name  string
		given given
		at    time.Time
		want  customer.Placement
	}{
		{"nobody yet", nil, domaintest.Minute(0), opens},
		{"nobody yet, long ago", nil, domaintest.Minute(-10_000), opens},
		{"no session yet", given{created()}, domaintest.Minute(0), opens},
		{"in the open session", given{created(), opened(1)}, domaintest.Minute(5), in(1)},
		{"written before the open session began", given{created(), opened(1)}, domaintest.Minute(-5), in(1)},
		{"after the last end", twoEnded, domaintest.Minute(5), opens},
		{"at the very end", twoEnded, domaintest.Minute(4), opens},
		{"just before the end", twoEnded, domaintest.Minute(4).Add(-1), late(2)},
		{"between two sessions", twoEnded, domaintest.Minute(2), late(2)},
		{"in the one before", twoEnded, domaintest.Minute(2).Add(-1), late(1)},
		{"before all of them", twoEnded, domaintest.Minute(-10_000), late(1)},
		{"late, with a session open", thirdOpen, domaintest.Minute(3), late(2)},
		{"between the last end and the open one", thirdOpen, domaintest.Minute(4), in(3)},
		{"in the open one after others", thirdOpen, domaintest.Minute(5), in(3)},
		{"a little ahead of us", thirdOpen, now.Add(5 * time.Minute), in(3)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := domaintest.Fold[customer.State](c.given...)
			got, err := s.SessionFor(c.at, now)
			if err != nil || got != c.want {
				t.Errorf("SessionFor = %+v, %v, want %+v", got, err, c.want)
			}
			if got.Opens() != (c.want == opens) {
				t.Errorf("Opens() = %v for %+v", got.Opens(), got)
			}
		})
	}
	s := domaintest.Fold[customer.State](thirdOpen...)
	if got, err := s.SessionFor(now.Add(5*time.Minute+1), now); err == nil || err.(*domain.Refusal).Code != domain.CodeOccurredInFuture {
		t.Errorf("far in the future: %+v, %v", got, err)
	}
}

// A clock that runs behind must not push what was said in the new session into the old one.
func TestSessionForWithOverlappingClocks(t *testing.T) {
	var s customer.State
	s.Apply(created(), domaintest.Minute(0))
	s.Apply(customer.SessionOpened{Session: id(1), Initiator: "customer"}, domaintest.Minute(1))
	s.Apply(customer.SessionClosed{Session: id(1)}, domaintest.Minute(10))
	s.Apply(customer.SessionOpened{Session: id(2), Initiator: "agent"}, domaintest.Minute(9))
	got, err := s.SessionFor(domaintest.Minute(9).Add(time.Second), domaintest.Minute(11))
	if want := (customer.Placement{Session: id(2)}); err != nil || got != want {
		t.Errorf("SessionFor = %+v, %v, want %+v", got, err, want)
	}
}

func TestApply(t *testing.T) {
	early, lately := domaintest.Minute(-5), domaintest.Minute(5)
	s := domaintest.Fold[customer.State](
		created(id(1)), customer.SessionOpened{Session: id(1)}, customer.SessionClosed{Session: id(1), LastCustomerMessageAt: &lately},
		customer.SessionOpened{Session: id(2)}, customer.SessionClosed{Session: id(2), LastCustomerMessageAt: &early},
	)
	if !s.Exists || s.Generation != 1 || s.Association != 1 || s.Channel != "app" || s.ExternalID != "visitor" || !s.CreatedAt.Equal(domaintest.Minute(0)) {
		t.Errorf("identity: %+v", s)
	}
	if !s.LastCustomerMessageAt.Equal(lately) {
		t.Errorf("LastCustomerMessageAt = %v, want the later one", s.LastCustomerMessageAt)
	}
	before := s.Clone()
	s.Apply(unknownEvent{}, domaintest.Minute(9))
	if !s.CreatedAt.Equal(before.CreatedAt) || len(s.Finished) != len(before.Finished) {
		t.Error("an unknown event changed the state")
	}
}

func TestCloneIsApart(t *testing.T) {
	s := domaintest.Fold[customer.State](created(id(1), id(2)), customer.SessionOpened{Session: id(1)}, customer.SessionClosed{Session: id(1)})
	for n := 2; n <= customer.RememberedSessions; n++ {
		s.Apply(customer.SessionOpened{Session: id(n)}, domaintest.Minute(2*n))
		s.Apply(customer.SessionClosed{Session: id(n)}, domaintest.Minute(2*n+1))
	}
	c := s.Clone()
	c.Apply(customer.Untagged{Tag: id(1)}, domaintest.Minute(50))
	c.Apply(customer.SessionOpened{Session: id(20)}, domaintest.Minute(51))
	c.Apply(customer.SessionClosed{Session: id(20)}, domaintest.Minute(52))
	if s.Tags[0] != id(1) || s.Tags[1] != id(2) || s.Finished[0].ID != id(1) || s.Finished[7].ID != id(8) {
		t.Errorf("the clone's events reached the original: %+v", s)
	}
}

type unknownEvent struct{}

func (unknownEvent) EventType() string { return "customer.unheard_of" }

func TestOnlyTheLatestSessionsAreRemembered(t *testing.T) {
	var s customer.State
	s.Apply(created(), domaintest.Minute(0))
	for n := 1; n <= 20; n++ {
		s.Apply(customer.SessionOpened{Session: id(n)}, domaintest.Minute(2*n))
		s.Apply(customer.SessionClosed{Session: id(n)}, domaintest.Minute(2*n+1))
	}
	if len(s.Finished) != customer.RememberedSessions || s.Finished[0].ID != id(13) || s.Finished[7].ID != id(20) {
		t.Errorf("remembered %+v", s.Finished)
	}
	if got, _ := s.SessionFor(domaintest.Minute(1), domaintest.Minute(60)); got != (customer.Placement{Session: id(13), Late: true}) {
		t.Errorf("older than all: %+v, want the oldest that is remembered", got)
	}
}
