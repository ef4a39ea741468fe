package field_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/field"
	"customercenter/domain/filter"
)

type (
	testCase = domaintest.Case[field.State, field.Event]
	events   = []field.Event
	given    = []domain.Event
	when     = func(*field.State) ([]field.Event, error)
)

// system is the order to begin with.
var system = []string{"external_id", "nickname", "name", "phone", "qq", "wechat_id", "email", "company", "description"}

// unused is a tenant in which nothing speaks of any field.
func unused(string, string) []domain.Use { return nil }

var (
	group = domain.Use{Kind: domain.UseGroup, ID: uuid.UUID{15: 1}, Name: "gold ones"}
	saved = domain.Use{Kind: domain.UseView, ID: uuid.UUID{15: 2}, Name: "mine"}
)

// used is one in which a group speaks of custom.level and its option o2, and a view of custom.level and the options o2 and o3.
func used(name, option string) []domain.Use {
	switch {
	case name != "custom.level":
		return nil
	case option == "" || option == "o2":
		return []domain.Use{group, saved}
	case option == "o3":
		return []domain.Use{saved}
	}
	return nil
}

var (
	size  = field.Added{Field: "size", Type: field.TypeText, Label: "Size"}
	level = field.Added{Field: "level", Type: field.TypeSelect, Label: "等级", Hint: "of service", Options: []field.Option{
		{ID: "o1", Label: "gold"}, {ID: "o2", Label: "silver"}, {ID: "o3", Label: "bronze"},
	}}
	region = field.Added{Field: "region", Type: field.TypeCascade, Label: "Region", Options: []field.Option{
		{ID: "o1", Label: "广东"}, {ID: "o2", Label: "深圳", Parent: "o1"}, {ID: "o3", Label: "南山", Parent: "o2"},
		{ID: "o4", Label: "广州", Parent: "o1"}, {ID: "o5", Label: "四川"}, {ID: "o6", Label: "成都", Parent: "o5"},
	}}
)

func add(n field.New) when {
	return func(s *field.State) ([]field.Event, error) { return s.Add(n) }
}

// choices are new options of these labels.
func choices(labels ...string) []field.Choice {
	var all []field.Choice
	for _, label := range labels {
		all = append(all, field.Choice{Label: label})
	}
	return all
}

func TestAdd(t *testing.T) {
	const invalid = domain.CodeValidation
	text := func(key, label string) field.New {
		return field.New{Key: key, Type: field.TypeText, Label: label}
	}
	added := func(key, label string) events {
		return events{field.Added{Field: key, Type: field.TypeText, Label: label}}
	}
	longest := strings.Repeat("长", field.MaxLabel)
	var full given
	for i := range field.MaxCustom {
		full = append(full, field.Added{Field: fmt.Sprint("f", i), Type: field.TypeDate, Label: fmt.Sprint("F", i)})
	}
	many := make([]string, field.MaxOptions)
	for i := range many {
		many[i] = fmt.Sprint("option ", i)
	}
	deep := func(levels int) field.New {
		var below []field.Choice
		for range levels {
			below = []field.Choice{{Label: "x", Options: below}}
		}
		return field.New{Key: "c", Type: field.TypeCascade, Label: "C", Options: below}
	}

	domaintest.Run(t, []testCase{
		{Name: "with a key", When: add(text("size", " Size ")), Then: events{size}},
		{Name: "with a hint", When: add(field.New{Key: "a", Type: field.TypeDate, Label: "A", Hint: " b "}), Then: events{field.Added{Field: "a", Type: field.TypeDate, Label: "A", Hint: "b"}}},
		{Name: "key of the label", When: add(text("", "Shoe size (EU)")), Then: added("shoe_size_eu", "Shoe size (EU)")},
		{Name: "key of a label in full width", When: add(text("", "ＶＩＰ")), Then: added("vip", "ＶＩＰ")},
		{Name: "key of a Chinese label", When: add(text("", "等级")), Then: added("field", "等级")},
		{Name: "key of a label of digits", When: add(text("", "42")), Then: added("field", "42")},
		{Name: "key of a long label", When: add(text("", strings.Repeat("ab", 25))), Then: added(strings.Repeat("ab", 13), strings.Repeat("ab", 25))},
		{Name: "the next such key", Given: given{field.Added{Field: "field", Type: field.TypeText, Label: "a"}}, When: add(text("", "等级")), Then: added("field_2", "等级")},
		{Name: "key of a removed field is not made again", Given: given{size, field.Removed{Field: "size"}}, When: add(text("", "Size")), Then: added("size_2", "Size")},
		{Name: "key like a system field's is not made", When: add(text("", "name?")), Then: added("name_2", "name?")},
		{Name: "key that is an address is not made", When: add(text("", "Order")), Then: added("order_2", "Order")},
		{Name: "longest label", When: add(text("a", longest)), Then: added("a", longest)},

		{Name: "key taken", Given: given{size}, When: add(text("size", "Other")), Refused: domain.CodeFieldExists, At: "key"},
		{Name: "key of a removed field", Given: given{size, field.Removed{Field: "size"}}, When: add(text("size", "Other")), Refused: domain.CodeFieldExists, At: "key"},
		{Name: "key of a system field", When: add(text("phone", "Other")), Refused: domain.CodeFieldExists, At: "key"},
		{Name: "key that is an address", When: add(text("order", "Other")), Refused: domain.CodeFieldExists, At: "key"},
		{Name: "key with a capital", When: add(text("Size", "Other")), Refused: invalid, At: "key"},
		{Name: "key that begins with a digit", When: add(text("4a", "Other")), Refused: invalid, At: "key"},
		{Name: "key too long", When: add(text(strings.Repeat("a", 33), "Other")), Refused: invalid, At: "key"},
		{Name: "key with a line feed", When: add(text("a\n", "Other")), Refused: invalid, At: "key"},

		{Name: "label taken in another case and width", Given: given{size}, When: add(text("a", "ＳＩＺＥ")), Refused: domain.CodeFieldExists, At: "label"},
		{Name: "label of a system field in Chinese", When: add(text("a", "昵称")), Refused: domain.CodeFieldExists, At: "label"},
		{Name: "label of a system field in English", When: add(text("a", "wechat id")), Refused: domain.CodeFieldExists, At: "label"},
		{Name: "label of a removed field", Given: given{size, field.Removed{Field: "size"}}, When: add(text("a", "Size")), Then: added("a", "Size")},
		{Name: "label of a disabled field", Given: given{size, field.Disabled{Field: "size"}}, When: add(text("a", "Size")), Refused: domain.CodeFieldExists, At: "label"},
		{Name: "label it had before", Given: given{size, field.Changed{Field: "size", Label: "Width"}}, When: add(text("a", "Size")), Then: added("a", "Size")},
		{Name: "no label", When: add(text("a", " ")), Refused: invalid, At: "label"},
		{Name: "label too long", When: add(text("a", longest+"长")), Refused: invalid, At: "label"},
		{Name: "label of two lines", When: add(text("a", "b\nc")), Refused: invalid, At: "label"},
		{Name: "hint too long", When: add(field.New{Type: field.TypeText, Label: "a", Hint: strings.Repeat("x", 201)}), Refused: invalid, At: "hint"},
		{Name: "unknown type", When: add(field.New{Type: "colour", Label: "a"}), Refused: invalid, At: "type"},
		{Name: "too many fields", Given: full, When: add(text("a", "One more")), Refused: domain.CodeLimitReached},
		{Name: "as many fields as there may be", Given: append(full[:len(full):len(full)], field.Removed{Field: "f7"}), When: add(text("a", "One more")), Then: added("a", "One more")},

		{Name: "select", When: add(field.New{Key: "level", Type: field.TypeSelect, Label: "等级", Hint: "of service", Options: choices("gold", " silver", "bronze")}), Then: events{level}},
		{Name: "most options", When: func(s *field.State) ([]field.Event, error) {
			got, err := s.Add(field.New{Type: field.TypeMultiSelect, Label: "a", Options: choices(many...)})
			if err == nil && len(got[0].(field.Added).Options) == field.MaxOptions {
				return nil, nil
			}
			return got, err
		}},
		{Name: "too many options", When: add(field.New{Type: field.TypeSelect, Label: "a", Options: choices(append(many, "one more")...)}), Refused: invalid, At: "options"},
		{Name: "no options", When: add(field.New{Type: field.TypeSelect, Label: "a"}), Refused: invalid, At: "options"},
		{Name: "options of a text", When: add(field.New{Type: field.TypeText, Label: "a", Options: choices("b")}), Refused: invalid, At: "options"},
		{Name: "option without a label", When: add(field.New{Type: field.TypeSelect, Label: "a", Options: choices("b", "")}), Refused: invalid, At: "options[1].label"},
		{Name: "option with a label too long", When: add(field.New{Type: field.TypeSelect, Label: "a", Options: choices(longest + "长")}), Refused: invalid, At: "options[0].label"},
		{Name: "two options alike", When: add(field.New{Type: field.TypeSelect, Label: "a", Options: choices("b", "Ｂ")}), Refused: domain.CodeFieldExists, At: "options[1].label"},
		{Name: "option with an id", When: add(field.New{Type: field.TypeSelect, Label: "a", Options: []field.Choice{{ID: "o1", Label: "b"}}}), Refused: invalid, At: "options[0].id"},
		{Name: "select with levels", When: add(field.New{Type: field.TypeSelect, Label: "a", Options: []field.Choice{{Label: "b", Options: choices("c")}}}), Refused: invalid, At: "options[0].options"},
		{
			Name: "cascade",
			When: add(field.New{Key: "region", Type: field.TypeCascade, Label: "Region", Options: []field.Choice{
				{Label: "广东", Options: []field.Choice{{Label: "深圳", Options: choices("南山")}, {Label: "广州"}}}, {Label: "四川", Options: choices("成都")},
			}}),
			Then: events{region},
		},
		{Name: "alike on two levels", When: add(field.New{Key: "c", Type: field.TypeCascade, Label: "C", Options: []field.Choice{{Label: "x", Options: choices("x")}}}),
			Then: events{field.Added{Field: "c", Type: field.TypeCascade, Label: "C", Options: []field.Option{{ID: "o1", Label: "x"}, {ID: "o2", Label: "x", Parent: "o1"}}}}},
		{Name: "three levels", When: add(deep(3)), Then: events{field.Added{Field: "c", Type: field.TypeCascade, Label: "C", Options: []field.Option{
			{ID: "o1", Label: "x"}, {ID: "o2", Label: "x", Parent: "o1"}, {ID: "o3", Label: "x", Parent: "o2"},
		}}}},
		{Name: "four levels", When: add(deep(4)), Refused: invalid, At: "options[0].options[0].options[0].options"},
	})
}

func TestChange(t *testing.T) {
	const invalid = domain.CodeValidation
	ptr := func(s string) *string { return &s }
	change := func(key string, c field.Changes) when {
		return func(s *field.State) ([]field.Event, error) { return s.Change(key, c, used) }
	}
	offer := func(key string, options ...field.Choice) when { return change(key, field.Changes{Options: &options}) }
	offers := func(options ...field.Option) field.Changed {
		return field.Changed{Field: "level", Label: "等级", Hint: "of service", Options: options}
	}
	gold, silver, bronze := field.Choice{ID: "o1", Label: "gold"}, field.Choice{ID: "o2", Label: "silver"}, field.Choice{ID: "o3", Label: "bronze"}
	four := offers(append(level.Options[:3:3], field.Option{ID: "o4", Label: "tin"})...)

	domaintest.Run(t, []testCase{
		{Name: "label", Given: given{size}, When: change("size", field.Changes{Label: ptr("Width ")}), Then: events{field.Changed{Field: "size", Label: "Width"}}},
		{Name: "only the case of the label", Given: given{size}, When: change("size", field.Changes{Label: ptr("SIZE")}), Then: events{field.Changed{Field: "size", Label: "SIZE"}}},
		{Name: "hint", Given: given{size}, When: change("size", field.Changes{Hint: ptr("in cm")}), Then: events{field.Changed{Field: "size", Label: "Size", Hint: "in cm"}}},
		{Name: "no hint", Given: given{level}, When: change("level", field.Changes{Hint: ptr("")}), Then: events{field.Changed{Field: "level", Label: "等级", Options: level.Options}}},
		{Name: "nothing", Given: given{level}, When: change("level", field.Changes{})},
		{Name: "the same", Given: given{level}, When: change("level", field.Changes{Label: ptr("等级"), Hint: ptr("of service "), Options: &[]field.Choice{gold, silver, bronze}})},
		{Name: "label of another", Given: given{size, level}, When: change("level", field.Changes{Label: ptr("size")}), Refused: domain.CodeFieldExists, At: "label"},
		{Name: "label of a system field", Given: given{size}, When: change("size", field.Changes{Label: ptr("Phone")}), Refused: domain.CodeFieldExists, At: "label"},
		{Name: "of what is not there", When: change("size", field.Changes{Label: ptr("a")}), Refused: domain.CodeNotFound},
		{Name: "of what was removed", Given: given{size, field.Removed{Field: "size"}}, When: change("size", field.Changes{Label: ptr("a")}), Refused: domain.CodeNotFound},
		{Name: "label of the system's", When: change("name", field.Changes{Label: ptr("a")}), Refused: invalid, At: "label"},
		{Name: "hint of the system's", When: change("name", field.Changes{Hint: ptr("")}), Refused: invalid, At: "hint"},
		{Name: "options of the system's", When: offer("name"), Refused: invalid, At: "options"},

		{Name: "an option more", Given: given{level}, When: offer("level", gold, silver, bronze, field.Choice{Label: "tin"}), Then: events{four}},
		{Name: "option renamed", Given: given{level}, When: offer("level", field.Choice{ID: "o1", Label: "Gold!"}, silver, bronze),
			Then: events{offers(field.Option{ID: "o1", Label: "Gold!"}, level.Options[1], level.Options[2])}},
		{Name: "another order", Given: given{level}, When: offer("level", bronze, gold, silver), Then: events{offers(level.Options[2], level.Options[0], level.Options[1])}},
		{Name: "two options exchange labels", Given: given{level}, When: offer("level", field.Choice{ID: "o1", Label: "silver"}, field.Choice{ID: "o2", Label: "gold"}, bronze),
			Then: events{offers(field.Option{ID: "o1", Label: "silver"}, field.Option{ID: "o2", Label: "gold"}, level.Options[2])}},
		{Name: "an option less", Given: given{level}, When: offer("level", silver, bronze), Then: events{offers(level.Options[1], level.Options[2])}},
		{Name: "an option that is used", Given: given{level}, When: offer("level", gold, bronze), Refused: domain.CodeFieldInUse, At: "options"},
		{Name: "an option like one that is gone gets a new id", Given: given{level, four, offers(level.Options...)}, When: offer("level", gold, silver, bronze, field.Choice{Label: "tin"}),
			Then: events{offers(append(level.Options[:3:3], field.Option{ID: "o5", Label: "tin"})...)}},
		{Name: "an id that is gone", Given: given{level, four, offers(level.Options...)}, When: offer("level", gold, silver, bronze, field.Choice{ID: "o4", Label: "tin"}), Refused: invalid, At: "options[3].id"},
		{Name: "an id that never was", Given: given{level}, When: offer("level", gold, silver, bronze, field.Choice{ID: "gold", Label: "tin"}), Refused: invalid, At: "options[3].id"},
		{Name: "an id twice", Given: given{level}, When: offer("level", gold, silver, bronze, field.Choice{ID: "o1", Label: "tin"}), Refused: invalid, At: "options[3].id"},
		{Name: "no options", Given: given{level}, When: offer("level"), Refused: invalid, At: "options"},
		{Name: "an option to another parent", Given: given{region}, When: offer("region", field.Choice{ID: "o1", Label: "广东"}, field.Choice{ID: "o5", Label: "四川", Options: []field.Choice{{ID: "o2", Label: "深圳"}}}),
			Refused: invalid, At: "options[1].options[0].id"},
		{Name: "a branch goes", Given: given{region}, When: offer("region", field.Choice{ID: "o5", Label: "四川", Options: choices("绵阳")}),
			Then: events{field.Changed{Field: "region", Label: "Region", Options: []field.Option{{ID: "o5", Label: "四川"}, {ID: "o7", Label: "绵阳", Parent: "o5"}}}}},
	})

	s := domaintest.Fold[field.State](level)
	_, err := s.Change("level", field.Changes{Options: &[]field.Choice{gold}}, used)
	refusal, _ := err.(*domain.Refusal)
	if refusal == nil || !reflect.DeepEqual(refusal.Args["uses"], []domain.Use{group, saved}) {
		t.Errorf("two options that are used go, and the refusal is %+v", refusal)
	}
}

func TestShowEnableRemoveReorder(t *testing.T) {
	const invalid = domain.CodeValidation
	do := func(decide func(*field.State) ([]field.Event, error)) when { return decide }
	show := func(key string) when {
		return do(func(s *field.State) ([]field.Event, error) { return s.Show(key) })
	}
	hide := func(key string) when {
		return do(func(s *field.State) ([]field.Event, error) { return s.Hide(key) })
	}
	enable := func(key string) when {
		return do(func(s *field.State) ([]field.Event, error) { return s.Enable(key) })
	}
	disable := func(key string) when {
		return do(func(s *field.State) ([]field.Event, error) { return s.Disable(key, used) })
	}
	remove := func(key string) when {
		return do(func(s *field.State) ([]field.Event, error) { return s.Remove(key, used) })
	}
	order := func(keys ...string) when {
		return do(func(s *field.State) ([]field.Event, error) { return s.Reorder(keys) })
	}
	gone := field.Removed{Field: "size"}
	turned := []string{"size", "external_id", "nickname", "name", "phone", "qq", "wechat_id", "email", "company", "description"}

	domaintest.Run(t, []testCase{
		{Name: "show", Given: given{size}, When: show("size"), Then: events{field.Shown{Field: "size"}}},
		{Name: "show again", Given: given{size, field.Shown{Field: "size"}}, When: show("size")},
		{Name: "show the system's", When: show("name")},
		{Name: "show what was hidden", Given: given{field.Hidden{Field: "name"}}, When: show("name"), Then: events{field.Shown{Field: "name"}}},
		{Name: "show nothing", When: show("size"), Refused: domain.CodeNotFound},
		{Name: "hide", When: hide("qq"), Then: events{field.Hidden{Field: "qq"}}},
		{Name: "hide again", Given: given{field.Hidden{Field: "qq"}}, When: hide("qq")},
		{Name: "hide a new one", Given: given{size}, When: hide("size")},
		{Name: "hide what is used", Given: given{level, field.Shown{Field: "level"}}, When: hide("level"), Then: events{field.Hidden{Field: "level"}}},
		{Name: "hide the ID", When: hide("external_id"), Refused: invalid, At: "shown"},
		{Name: "hide the nickname", When: hide("nickname"), Refused: invalid, At: "shown"},
		{Name: "hide what was removed", Given: given{size, gone}, When: hide("size"), Refused: domain.CodeNotFound},

		{Name: "disable", Given: given{size}, When: disable("size"), Then: events{field.Disabled{Field: "size"}}},
		{Name: "disable again", Given: given{size, field.Disabled{Field: "size"}}, When: disable("size")},
		{Name: "disable what is used", Given: given{level}, When: disable("level"), Refused: domain.CodeFieldInUse, At: "enabled"},
		{Name: "disable the system's", When: disable("phone"), Refused: invalid, At: "enabled"},
		{Name: "disable nothing", When: disable("size"), Refused: domain.CodeNotFound},
		{Name: "enable", Given: given{size, field.Disabled{Field: "size"}}, When: enable("size"), Then: events{field.Enabled{Field: "size"}}},
		{Name: "enable again", Given: given{size}, When: enable("size")},
		{Name: "enable the system's", When: enable("phone")},

		{Name: "remove", Given: given{size}, When: remove("size"), Then: events{gone}},
		{Name: "remove again", Given: given{size, gone}, When: remove("size"), Refused: domain.CodeNotFound},
		{Name: "remove what is disabled", Given: given{size, field.Disabled{Field: "size"}}, When: remove("size"), Then: events{gone}},
		{Name: "remove what is used", Given: given{level}, When: remove("level"), Refused: domain.CodeFieldInUse},
		{Name: "remove the system's", When: remove("company"), Refused: invalid, At: "field"},

		{Name: "reorder", Given: given{size}, When: order(turned...), Then: events{field.Reordered{Order: turned}}},
		{Name: "reorder to the same", Given: given{size, field.Reordered{Order: turned}}, When: order(turned...)},
		{Name: "reorder to the first order", When: order(system...)},
		{Name: "too few", Given: given{size}, When: order(system...), Refused: invalid, At: "order[9]"},
		{Name: "none", When: order(), Refused: invalid, At: "order[0]"},
		{Name: "one twice", When: order(append([]string{"name"}, system...)...), Refused: invalid, At: "order[3]"},
		{Name: "an unknown one", When: order("size"), Refused: invalid, At: "order[0]"},
		{Name: "a removed one", Given: given{size, gone}, When: order(turned...), Refused: invalid, At: "order[0]"},
	})
}

func TestTheFieldsOfATenant(t *testing.T) {
	var s field.State
	if got := s.Order(); !reflect.DeepEqual(got, system) || s.OrderVersion() != 1 {
		t.Errorf("to begin with the order is %v, version %d", got, s.OrderVersion())
	}
	if f, found := s.Find("nickname"); !found || !f.Shown || !f.System || f.Disabled || f.Version != 1 {
		t.Errorf("nickname is %+v", f)
	}
	if _, found := s.Custom("nickname"); found {
		t.Error("nickname is custom")
	}
	s = *domaintest.Fold[field.State](size, level, region, field.Hidden{Field: "qq"}, field.Disabled{Field: "size"}, field.Removed{Field: "level"})
	if got := s.Order(); !reflect.DeepEqual(got, append(system[:9:9], "size", "region")) || s.OrderVersion() != 5 {
		t.Errorf("the order is %v, version %d", got, s.OrderVersion())
	}
	if f, _ := s.Find("size"); f.Shown || !f.Disabled || f.Version != 2 {
		t.Errorf("size is %+v", f)
	}
	if f, found := s.Custom("level"); !found || !f.Removed || f.Label != "等级" || f.OptionLabel("o2") != "silver" || f.OptionLabel("x") != "x" {
		t.Errorf("of what was removed is left %+v, %v", f, found)
	}
	if _, found := s.Find("level"); found {
		t.Error("what was removed is there")
	}
	want := []filter.CustomField{{Key: "region", Label: "Region", Kind: filter.Choice, Options: map[string]string{
		"o1": "广东", "o2": "广东 / 深圳", "o3": "广东 / 深圳 / 南山", "o4": "广东 / 广州", "o5": "四川", "o6": "四川 / 成都",
	}}}
	if got := s.Filterable(); !reflect.DeepEqual(got, want) {
		t.Errorf("filterable is %+v", got)
	}
	s.Apply(field.Changed{Field: "region", Label: "Region", Options: region.Options[4:]}, domaintest.Start)
	if f, _ := s.Find("region"); f.OptionLabel("o2") != "深圳" || f.OptionLabel("o6") != "成都" {
		t.Errorf("options are called %+v", f)
	}
}

// What was ever filtered by can be read for ever: fields that are disabled or gone, and options that are gone, by what they were called last.
func TestFieldsThatEverWere(t *testing.T) {
	var none field.State
	if got := none.Ever(); len(got) != 0 {
		t.Errorf("to begin with there were %+v", got)
	}
	s := domaintest.Fold[field.State](size, level, region, field.Disabled{Field: "size"},
		field.Changed{Field: "level", Label: "Level", Options: level.Options[1:]},
		field.Changed{Field: "level", Label: "Level", Options: []field.Option{{ID: "o2", Label: "Silver"}}}, field.Removed{Field: "level"}, field.Removed{Field: "region"})
	got := s.Ever()
	want := []filter.CustomField{
		{Key: "level", Label: "Level", Kind: filter.Choice, Options: map[string]string{"o1": "gold", "o2": "Silver", "o3": "bronze"}},
		{Key: "region", Label: "Region", Kind: filter.Choice, Options: map[string]string{
			"o1": "广东", "o2": "广东 / 深圳", "o3": "广东 / 深圳 / 南山", "o4": "广东 / 广州", "o5": "四川", "o6": "四川 / 成都",
		}},
		{Key: "size", Label: "Size", Kind: filter.Text},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("there were %+v", got)
	}
	got[0].Options["o1"] = "changed"
	if f, _ := s.Custom("level"); f.OptionLabel("o1") != "gold" || len(s.Filterable()) != 0 {
		t.Errorf("asking changed %+v", f)
	}
}

func TestKindsOfFilters(t *testing.T) {
	kinds := map[string]filter.Kind{
		field.TypeText: filter.Text, field.TypeMultiline: filter.Text, field.TypeNumber: filter.Number, field.TypeDate: filter.Time,
		field.TypeSelect: filter.Choice, field.TypeMultiSelect: filter.Choice, field.TypeCascade: filter.Choice,
	}
	for _, kind := range field.Types() {
		s := domaintest.Fold[field.State](field.Added{Field: "a", Type: kind, Label: "A"})
		if got := s.Filterable(); len(got) != 1 || got[0].Kind != kinds[kind] || kinds[kind] == "" {
			t.Errorf("%s is filtered as %+v", kind, got)
		}
	}
}
