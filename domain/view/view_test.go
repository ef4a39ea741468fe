package view_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/filter"
	"customercenter/domain/view"
)

type (
	testCase = domaintest.Case[view.State, view.Event]
	events   = []view.Event
	given    = []domain.Event
	when     = func(*view.State) ([]view.Event, error)
)

var (
	a     = uuid.MustParse("00000000-0000-7000-8000-00000000000a")
	b     = uuid.MustParse("00000000-0000-7000-8000-00000000000b")
	vip   = uuid.MustParse("00000000-0000-7000-8000-0000000000f1")
	loyal = uuid.MustParse("00000000-0000-7000-8000-0000000000e1")

	language = &filter.Language{Groups: true, Custom: []filter.CustomField{
		{Key: "level", Label: "Level", Kind: filter.Choice, Options: map[string]string{"gold": "Gold"}}}}
	known = view.Known{
		Tags: func(id uuid.UUID) bool { return id == vip }, Groups: func(id uuid.UUID) bool { return id == loyal },
		Custom: func(key string) bool { return key == "level" || key == "age" }, Ordered: func(key string) bool { return key == "age" },
	}

	wang  = view.Person{Owner: view.Owner{Kind: "agent", ID: "1"}}
	chen  = view.Person{Owner: view.Owner{Kind: "agent", ID: "2"}}
	admin = view.Person{Owner: view.Owner{Kind: "admin", ID: "1"}, Admin: true}
)

const (
	everybody = `{}`
	loyalOnly = `{"field":"groups","op":"has_any","value":["00000000-0000-7000-8000-0000000000e1"]}`
	golden    = `{"field":"custom.level","op":"in","value":["gold"]}`
)

func ptr[T any](v T) *T { return &v }

// parsed is a filter against a tenant with a custom field, one tag and one group.
func parsed(t *testing.T, text string) *filter.Filter {
	t.Helper()
	f, err := filter.Parse([]byte(text), language, "filter")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// saved is what a view that says nothing but its name is saved as.
func saved(id uuid.UUID, name string, owner view.Person) view.Saved {
	return view.Saved{View: id, Name: name, Filter: []byte(everybody), Sort: "-created_at", Columns: []string{}, Owner: owner.Owner}
}

func TestDecisions(t *testing.T) {
	create := func(id uuid.UUID, by view.Person, d view.Draft) when {
		return func(s *view.State) ([]view.Event, error) { return s.Create(id, by, d, known) }
	}
	change := func(id uuid.UUID, by view.Person, d view.Draft) when {
		return func(s *view.State) ([]view.Event, error) { return s.Change(id, by, d, known) }
	}
	remove := func(id uuid.UUID, by view.Person) when {
		return func(s *view.State) ([]view.Event, error) { return s.Delete(id, by) }
	}
	named := func(name string) view.Draft { return view.Draft{Name: &name} }
	with := func(change func(*view.Draft)) view.Draft {
		d := named("Mine")
		change(&d)
		return d
	}
	columns := func(names ...string) view.Draft { return with(func(d *view.Draft) { d.Columns = &names }) }
	share, unshare := view.Draft{Shared: ptr(true)}, view.Draft{Shared: ptr(false)}
	const invalid, exists, forbidden, missing = domain.CodeValidation, domain.CodeViewExists, domain.CodeForbidden, domain.CodeNotFound

	mine, shared := saved(a, "Mine", wang), view.Shared{View: a}
	const goneOnly = `{"field":"groups","op":"has_any","value":["00000000-0000-7000-8000-0000000000f1"]}`
	stale := saved(a, "Mine", wang)
	stale.Filter = parsed(t, goneOnly).JSON()
	renamed := stale
	renamed.Name = "Old"
	full := saved(a, "Mine", wang)
	full.Filter, full.Sort, full.Columns = parsed(t, loyalOnly).JSON(), "nickname", []string{"custom.level", "nickname", "last_session_at"}
	byAge := saved(a, "Mine", wang)
	byAge.Sort = "-custom.age"
	longest := strings.Repeat("视", view.MaxName)
	var fifty []string
	fifty = append(fifty, view.Columns()...)
	var owned, many given
	for i := range view.MaxViews {
		owner := view.Person{Owner: view.Owner{Kind: "agent", ID: fmt.Sprint("many-", i/view.MaxOwned)}}
		e := saved(uuid.UUID{15: byte(i), 14: byte(i >> 8), 13: 1}, fmt.Sprint("view ", i), owner)
		many = append(many, e)
		if i < view.MaxOwned {
			e.Owner = wang.Owner
			owned = append(owned, e)
		}
	}

	domaintest.Run(t, []testCase{
		{Name: "create", When: create(a, wang, named(" Mine\u3000")), Then: events{mine}},
		{Name: "create a whole one", When: create(a, wang, view.Draft{Name: ptr("Mine"), Filter: parsed(t, loyalOnly), Sort: ptr("nickname"),
			Columns: ptr([]string{"custom.level", "nickname", "last_session_at"}), Shared: ptr(false)}), Then: events{full}},
		{Name: "create a shared one", When: create(a, admin, with(func(d *view.Draft) { d.Shared = ptr(true) })), Then: events{saved(a, "Mine", admin), shared}},
		{Name: "an agent shares", When: create(a, wang, with(func(d *view.Draft) { d.Shared = ptr(true) })), Refused: forbidden, At: "shared"},
		{Name: "longest name", When: create(a, wang, named(longest)), Then: events{saved(a, longest, wang)}},
		{Name: "name too long", When: create(a, wang, named(longest+"视")), Refused: invalid, At: "name"},
		{Name: "no name", When: create(a, wang, view.Draft{}), Refused: invalid, At: "name"},
		{Name: "empty name", When: create(a, wang, named("\t")), Refused: invalid, At: "name"},
		{Name: "NUL in the name", When: create(a, wang, named("a\x00")), Refused: invalid, At: "name"},
		{Name: "name of an own view", Given: given{mine}, When: create(b, wang, named("ＭＩＮＥ")), Refused: exists, At: "name"},
		{Name: "name of another's private view", Given: given{mine}, When: create(b, chen, named("Mine")), Then: events{saved(b, "Mine", chen)}},
		{Name: "name of a person with the same id", Given: given{mine}, When: create(b, admin, named("Mine")), Then: events{saved(b, "Mine", admin)}},
		{Name: "name of a shared view, for a private one", Given: given{mine, shared}, When: create(b, wang, named("Mine")), Then: events{saved(b, "Mine", wang)}},
		{Name: "name of a shared view, for a shared one", Given: given{mine, shared}, When: create(b, admin, with(func(d *view.Draft) { d.Shared = ptr(true) })), Refused: exists, At: "name"},
		{Name: "id taken", Given: given{mine}, When: create(a, wang, named("Other")), Refused: domain.CodeConflict},
		{Name: "unknown order", When: create(a, wang, with(func(d *view.Draft) { d.Sort = ptr("phone") })), Refused: invalid, At: "sort"},
		{Name: "by a custom field", When: create(a, wang, with(func(d *view.Draft) { d.Sort = ptr("-custom.age") })), Then: events{byAge}},
		{Name: "by a custom field without an order", When: create(a, wang, with(func(d *view.Draft) { d.Sort = ptr("custom.level") })), Refused: invalid, At: "sort"},
		{Name: "by an unknown custom field", When: create(a, wang, with(func(d *view.Draft) { d.Sort = ptr("-custom.size") })), Refused: invalid, At: "sort"},
		{Name: "unknown column", When: create(a, wang, columns("nickname", "any_text")), Refused: invalid, At: "columns[1]"},
		{Name: "unknown custom column", When: create(a, wang, columns("custom.size")), Refused: invalid, At: "columns[0]"},
		{Name: "half a custom column", When: create(a, wang, columns("custom.")), Refused: invalid, At: "columns[0]"},
		{Name: "a column twice", When: create(a, wang, columns("name", "phone", "name")), Refused: invalid, At: "columns[2]"},
		{Name: "too many columns", When: create(a, wang, columns(append(fifty, make([]string, view.MaxColumns+1-len(fifty))...)...)), Refused: invalid, At: "columns"},
		{Name: "unknown tag", When: create(a, wang, with(func(d *view.Draft) {
			d.Filter = parsed(t, `{"field":"tags","op":"has_all","value":["00000000-0000-7000-8000-0000000000e1"]}`)
		})), Refused: domain.CodeTagUnknown, At: "filter.value[0]"},
		{Name: "unknown group", When: create(a, wang, with(func(d *view.Draft) {
			d.Filter = parsed(t, `{"any":[`+loyalOnly+`,{"field":"groups","op":"has_none","value":["00000000-0000-7000-8000-0000000000f1"]}]}`)
		})), Refused: domain.CodeGroupUnknown, At: "filter.any[1].value[0]"},
		{Name: "filter not touched, of a group that has gone", Given: given{stale}, When: change(a, wang, view.Draft{Name: ptr("Old"), Filter: parsed(t, goneOnly)}),
			Then: events{renamed}},
		{Name: "filter of a group that has gone", Given: given{mine}, When: change(a, wang, view.Draft{Filter: parsed(t, goneOnly)}),
			Refused: domain.CodeGroupUnknown, At: "filter.value[0]"},
		{Name: "as many as one may have", Given: owned[1:], When: create(a, wang, named("Mine")), Then: events{mine}},
		{Name: "one more than one may have", Given: owned, When: create(a, wang, named("Mine")), Refused: domain.CodeLimitReached},
		{Name: "as many as there may be", Given: many[1:], When: create(a, wang, named("Mine")), Then: events{mine}},
		{Name: "one more than there may be", Given: many, When: create(a, wang, named("Mine")), Refused: domain.CodeLimitReached},

		{Name: "rename", Given: given{full}, When: change(a, wang, named("My own")), Then: events{view.Saved{View: a, Name: "My own", Filter: full.Filter, Sort: full.Sort, Columns: full.Columns, Owner: wang.Owner}}},
		{Name: "change nothing", Given: given{full}, When: change(a, wang, view.Draft{Name: ptr("Mine"), Filter: parsed(t, loyalOnly), Sort: ptr("nickname"), Columns: ptr(slices.Clone(full.Columns)), Shared: ptr(false)})},
		{Name: "say nothing", Given: given{full}, When: change(a, wang, view.Draft{})},
		{Name: "change the filter", Given: given{mine}, When: change(a, wang, view.Draft{Filter: parsed(t, golden)}), Then: events{view.Saved{View: a, Name: "Mine", Filter: parsed(t, golden).JSON(), Sort: mine.Sort, Columns: mine.Columns, Owner: wang.Owner}}},
		{Name: "no columns any more", Given: given{full}, When: change(a, wang, view.Draft{Columns: &[]string{}}), Then: events{view.Saved{View: a, Name: "Mine", Filter: full.Filter, Sort: full.Sort, Columns: []string{}, Owner: wang.Owner}}},
		{Name: "change another's private one", Given: given{mine}, When: change(a, chen, named("x")), Refused: missing},
		{Name: "an admin changes another's private one", Given: given{mine}, When: change(a, admin, named("x")), Refused: missing},
		{Name: "change another's shared one", Given: given{mine, shared}, When: change(a, chen, named("x")), Refused: forbidden},
		{Name: "an admin changes a shared one", Given: given{mine, shared}, When: change(a, admin, named("x")), Then: events{saved(a, "x", wang)}},
		{Name: "an owner changes the own shared one", Given: given{mine, shared}, When: change(a, wang, named("x")), Then: events{saved(a, "x", wang)}},
		{Name: "change what is not there", When: change(a, wang, named("x")), Refused: missing},
		{Name: "change what is gone", Given: given{mine, view.Deleted{View: a}}, When: change(a, wang, named("x")), Refused: missing},

		{Name: "share", Given: given{saved(a, "Mine", admin)}, When: change(a, admin, share), Then: events{shared}},
		{Name: "share again", Given: given{mine, shared}, When: change(a, admin, share)},
		{Name: "share where the name is taken", Given: given{mine, shared, saved(b, "mine", admin)}, When: change(b, admin, share), Refused: exists, At: "name"},
		{Name: "share under another name", Given: given{mine, shared, saved(b, "mine", admin)}, When: change(b, admin, view.Draft{Name: ptr("Ours"), Shared: ptr(true)}),
			Then: events{saved(b, "Ours", admin), view.Shared{View: b}}},
		{Name: "an agent shares the own one", Given: given{mine}, When: change(a, wang, share), Refused: forbidden, At: "shared"},
		{Name: "an admin stops sharing", Given: given{mine, shared}, When: change(a, admin, unshare), Then: events{view.Unshared{View: a}}},
		{Name: "stop sharing where the owner has the name", Given: given{mine, shared, saved(b, "mine", wang)}, When: change(a, admin, unshare), Refused: exists, At: "name"},

		{Name: "delete", Given: given{mine}, When: remove(a, wang), Then: events{view.Deleted{View: a}}},
		{Name: "delete another's private one", Given: given{mine}, When: remove(a, chen), Refused: missing},
		{Name: "delete another's shared one", Given: given{mine, shared}, When: remove(a, chen), Refused: forbidden},
		{Name: "an admin deletes a shared one", Given: given{mine, shared}, When: remove(a, admin), Then: events{view.Deleted{View: a}}},
		{Name: "an admin deletes another's private one", Given: given{mine}, When: remove(a, admin), Then: events{view.Deleted{View: a}}},
		{Name: "delete again", Given: given{mine, view.Deleted{View: a}}, When: remove(a, wang), Refused: missing},
	})
}

func TestApply(t *testing.T) {
	s := domaintest.Fold[view.State](saved(b, "Second", wang), saved(a, "First", chen), view.Shared{View: b}, saved(b, "Third", wang), view.Shared{View: vip})
	got := s.Sorted()
	if len(got) != 2 || got[0].Name != "First" || got[0].Shared || got[0].Version != 1 || got[1].Name != "Third" || !got[1].Shared || got[1].Version != 3 {
		t.Errorf("got %+v", got)
	}
	for who, sees := range map[view.Owner][2]bool{wang.Owner: {false, true}, chen.Owner: {true, true}, admin.Owner: {false, true}} {
		if got[0].SeenBy(who) != sees[0] || got[1].SeenBy(who) != sees[1] {
			t.Errorf("%v sees %v and %v", who, got[0].SeenBy(who), got[1].SeenBy(who))
		}
	}
	c := s.Clone()
	c.Apply(view.Unshared{View: b}, domaintest.Start)
	c.Apply(view.Deleted{View: a}, domaintest.Start)
	if !s.All[b].Shared || s.All[a].Name == "" {
		t.Error("the clone's events reached the original")
	}
}

func TestUses(t *testing.T) {
	byFilter, byColumn, byOrder := saved(a, "By filter", wang), saved(b, "By column", chen), saved(vip, "By order", chen)
	byFilter.Filter, byColumn.Columns, byOrder.Sort = parsed(t, golden).JSON(), []string{"custom.level"}, "-custom.age"
	s := domaintest.Fold[view.State](byColumn, byFilter, byOrder)
	first, second := domain.Use{Kind: domain.UseView, ID: a, Name: "By filter"}, domain.Use{Kind: domain.UseView, ID: b, Name: "By column"}
	if got := s.Uses("custom.level"); !slices.Equal(got, []domain.Use{first, second}) {
		t.Errorf("the field is used by %v", got)
	}
	if got := s.Uses("custom.age"); !slices.Equal(got, []domain.Use{{Kind: domain.UseView, ID: vip, Name: "By order"}}) {
		t.Errorf("the field that is sorted by is used by %v", got)
	}
	if got := s.UsesOption("custom.level", "gold"); !slices.Equal(got, []domain.Use{first}) {
		t.Errorf("the option is used by %v", got)
	}
	if got := append(s.Uses("custom.size"), s.UsesOption("custom.level", "silver")...); got != nil {
		t.Errorf("what nobody uses is used by %v", got)
	}
}

// Every column is a field that filters can read, so that a column can be filtered by.
func TestColumnsAreFieldsOfTheLanguage(t *testing.T) {
	if len(view.Columns()) < 20 {
		t.Fatal("most columns are missing")
	}
	for _, name := range view.Columns() {
		ops := []string{`"op":"is_set"`, `"op":"is_empty"`, `"op":"is","value":true`}
		if !slices.ContainsFunc(ops, func(op string) bool {
			_, err := filter.Parse([]byte(`{"field":"`+name+`",`+op+`}`), language, "filter")
			return err == nil
		}) {
			t.Errorf("%s is no field", name)
		}
	}
}
