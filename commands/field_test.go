package commands_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/eventstore/eventstoretest"
)

// fields adds a select "level" of gold (o1), silver (o2) and bronze (o3), and a text "size".
func (w *world) fields() {
	w.t.Helper()
	level := field.Added{Field: "level", Type: field.TypeSelect, Label: "等级", Options: []field.Option{{ID: "o1", Label: "gold"}, {ID: "o2", Label: "silver"}, {ID: "o3", Label: "bronze"}}}
	w.appends(w.by, commands.AddField{Key: "level", Type: field.TypeSelect, Label: "等级", Options: []field.Choice{{Label: "gold"}, {Label: "silver"}, {Label: "bronze"}}}, level)
	w.appends(w.by, commands.AddField{Type: field.TypeText, Label: "Size"}, field.Added{Field: "size", Type: field.TypeText, Label: "Size"})
}

func TestFields(t *testing.T) {
	w := newWorld(t)
	w.fields()
	if done := w.must(commands.AddField{Type: field.TypeDate, Label: "生日"}); done.Field != "field" {
		t.Errorf("done %+v", done)
	}
	w.refused(w.by, commands.AddField{Type: field.TypeText, Label: "ｓｉｚｅ"}, domain.CodeFieldExists, "label")
	w.refused(w.by, commands.AddField{Type: "colour", Label: "a"}, domain.CodeValidation, "type")

	yes, no, label := true, false, "尺码"
	done := w.appends(w.by, commands.ChangeField{Field: "size", Label: &label, Shown: &yes, IfVersion: 1},
		field.Changed{Field: "size", Label: label}, field.Shown{Field: "size"})
	if done.Field != "size" {
		t.Errorf("done %+v", done)
	}
	w.refused(w.by, commands.ChangeField{Field: "size", Shown: &no, IfVersion: 1}, commands.CodePreconditionFailed, "")
	w.appends(w.by, commands.ChangeField{Field: "size", Label: &label, Shown: &yes, Enabled: &yes, IfVersion: 3})
	w.appends(w.by, commands.ChangeField{Field: "size", Shown: &no, Enabled: &no}, field.Hidden{Field: "size"}, field.Disabled{Field: "size"})
	w.refused(w.by, commands.ChangeField{Field: "nickname", Shown: &no}, domain.CodeValidation, "shown")
	w.refused(w.by, commands.ChangeField{Field: "phone", Shown: &no, Enabled: &no}, domain.CodeValidation, "enabled") // all or none
	w.refused(w.by, commands.ChangeField{Field: "shoe", Shown: &no}, domain.CodeNotFound, "")
	w.refused(w.by, commands.ChangeField{Field: "shoe", Shown: &no, IfVersion: 4}, domain.CodeNotFound, "")

	w.appends(w.by, commands.EnableField{Field: "size"}, field.Enabled{Field: "size"})
	w.appends(w.by, commands.ShowField{Field: "size"}, field.Shown{Field: "size"})
	w.appends(w.by, commands.HideField{Field: "size"}, field.Hidden{Field: "size"})
	w.appends(w.by, commands.DisableField{Field: "size"}, field.Disabled{Field: "size"})
	w.appends(w.by, commands.DisableField{Field: "size"})

	order := []string{"level", "field", "size", "description", "company", "email", "wechat_id", "qq", "phone", "name", "nickname", "external_id"}
	w.refused(w.by, commands.ReorderFields{Order: order, IfVersion: 3}, commands.CodePreconditionFailed, "")
	w.appends(w.by, commands.ReorderFields{Order: order, IfVersion: 4}, field.Reordered{Order: order})
	w.appends(w.by, commands.ReorderFields{Order: order})
	w.refused(w.by, commands.ReorderFields{Order: order[1:]}, domain.CodeValidation, "order[11]")

	w.appends(w.by, commands.RemoveField{Field: "size"}, field.Removed{Field: "size"})
	w.refused(w.by, commands.RemoveField{Field: "size"}, domain.CodeNotFound, "")
	w.refused(w.by, commands.AddField{Key: "size", Type: field.TypeText, Label: "Size"}, domain.CodeFieldExists, "key")
}

// What a group, a view or an auto message speaks of cannot go, and whoever asks is told what it is.
func TestFieldsInUse(t *testing.T) {
	w := newWorld(t)
	w.fields()
	rule := json.RawMessage(`{"all":[{"field":"custom.level","op":"in","value":["o2"]}]}`)
	name, columns := "mine", []string{"nickname", "custom.size"}
	group := w.must(commands.DefineGroup{Name: "silver ones", Rule: rule}).Group
	view := w.must(commands.SaveView{ViewDraft: commands.ViewDraft{Name: &name, Columns: &columns}}).View

	uses := func(cmd command, location string, want ...domain.Use) {
		t.Helper()
		before := w.head()
		_, err := cmd.Run(t.Context(), w.center, w.by)
		mustRefuse(t, err, domain.CodeFieldInUse, location)
		var refusal *domain.Refusal
		if errors.As(err, &refusal); !reflect.DeepEqual(refusal.Args["uses"], want) {
			t.Errorf("%T: used by %v, want %v", cmd, refusal.Args["uses"], want)
		}
		if w.head() != before {
			t.Errorf("%T was refused and appended", cmd)
		}
	}
	no := false
	byGroup := domain.Use{Kind: domain.UseGroup, ID: group, Name: "silver ones"}
	uses(commands.RemoveField{Field: "level"}, "", byGroup)
	uses(commands.DisableField{Field: "level"}, "enabled", byGroup)
	uses(commands.ChangeField{Field: "level", Enabled: &no}, "enabled", byGroup)
	uses(commands.ChangeField{Field: "level", Options: &[]field.Choice{{ID: "o1", Label: "gold"}}}, "options", byGroup)
	uses(commands.RemoveField{Field: "size"}, "", domain.Use{Kind: domain.UseView, ID: view, Name: "mine"})
	w.appends(w.by, commands.ChangeField{Field: "level", Options: &[]field.Choice{{ID: "o1", Label: "gold"}, {ID: "o2", Label: "Silver"}}},
		field.Changed{Field: "level", Label: "等级", Options: []field.Option{{ID: "o1", Label: "gold"}, {ID: "o2", Label: "Silver"}}})
	w.appends(w.by, commands.HideField{Field: "level"})

	w.must(commands.DeleteGroup{Group: group})
	w.appends(w.by, commands.RemoveField{Field: "level"}, field.Removed{Field: "level"})
}

func TestCustomValues(t *testing.T) {
	w := newWorld(t)
	w.fields()
	done := w.must(commands.CreateCustomer{Association: 1, ExternalID: "visitor", Profile: customer.Profile{Custom: map[string]any{"level": "o1", "size": " L "}}})
	id := done.Customer
	if got, want := w.customer(id).Profile.Custom, map[string]any{"level": "o1", "size": "L"}; !reflect.DeepEqual(got, want) {
		t.Errorf("created with %v", got)
	}
	w.refused(w.by, commands.CreateCustomer{Association: 1, ExternalID: "other", Profile: customer.Profile{Custom: map[string]any{"level": "gold"}}}, domain.CodeValidation, "profile.custom.level")
	w.refused(w.by, commands.CreateCustomer{Association: 1, ExternalID: "other", Profile: customer.Profile{Custom: map[string]any{"shoe": "42"}}}, domain.CodeValidation, "profile.custom.shoe")

	name := "王明"
	edited := w.appends(w.by, commands.EditProfile{Customer: id, Changes: map[string]*string{"name": &name}, Custom: map[string]any{"level": nil, "size": "M"}, IfVersion: done.Version},
		customer.ProfileChanged{Fields: map[string]customer.Change{"name": {New: name}, "custom.level": {Old: "o1"}, "custom.size": {Old: "L", New: "M"}}})
	w.appends(w.by, commands.EditProfile{Customer: id, Custom: map[string]any{"level": "", "size": "M"}})
	w.refused(w.by, commands.EditProfile{Customer: id, Custom: map[string]any{"level": "o9"}}, domain.CodeValidation, "profile.custom.level")
	w.refused(w.by, commands.EditProfile{Customer: id, Custom: map[string]any{"level": "o2"}, IfVersion: edited.Version - 1}, commands.CodePreconditionFailed, "")
	w.must(commands.DisableField{Field: "level"})
	w.refused(w.by, commands.EditProfile{Customer: id, Custom: map[string]any{"level": "o2"}}, domain.CodeValidation, "profile.custom.level")
	w.must(commands.EnableField{Field: "level"})
	w.must(commands.EditProfile{Customer: id, Custom: map[string]any{"level": "o2"}})
	w.must(commands.RemoveField{Field: "level"})
	if got, want := w.customer(id).Profile.Custom, map[string]any{"level": "o2", "size": "M"}; !reflect.DeepEqual(got, want) {
		t.Errorf("of a removed field the values are %v, want them kept", got)
	}
}

// A channel's message is not lost because an admin took a field away. What is wrong for a field that is there is wrong, whoever wrote.
func TestCustomValuesOfAChannel(t *testing.T) {
	w := newWorld(t)
	w.fields()
	w.must(commands.DisableField{Field: "size"})
	told := func(externalID, id string, custom map[string]any) commands.ReceiveMessage {
		m := text(externalID, id, "在吗")
		m.Profile.Custom = custom
		return m
	}
	done := w.must(told("visitor", "m1", map[string]any{"level": "o1", "size": "L", "shoe": "42"}))
	if got, want := w.customer(done.Customer).Profile.Custom, map[string]any{"level": "o1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("created with %v", got)
	}
	w.must(told("visitor", "m2", map[string]any{"level": "o2"})) // known by now: people edit the profile here
	if got, want := w.customer(done.Customer).Profile.Custom, map[string]any{"level": "o1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("a message made it %v", got)
	}
	w.refused(w.by, told("visitor", "m3", map[string]any{"level": "gold"}), domain.CodeValidation, "profile.custom.level")
	w.refused(w.by, told("another", "m4", map[string]any{"level": []any{"o1"}}), domain.CodeValidation, "profile.custom.level")
}

// Whoever removes a field, gives a customer a value of it, or makes a group of it at the same time: behind the removal in the log nothing
// speaks of the field, and what spoke of it before kept it from being removed.
func TestRemovingAFieldAgainstUsingIt(t *testing.T) {
	w := newWorld(t)
	centers := []*commands.Center{w.center, newCenter(eventstoretest.On(t, w.store.Pool(), codec))}
	for round := range 6 {
		key := fmt.Sprint("f", round)
		w.must(commands.AddField{Key: key, Type: field.TypeText, Label: key})
		before := w.head()
		name := fmt.Sprint("group ", round)
		rule := json.RawMessage(`{"field":"custom.` + key + `","op":"is_set"}`)
		together(12, func(i int) {
			var cmd command
			switch {
			case i == 5:
				cmd = commands.RemoveField{Field: key}
			case i == 6 && round%2 == 0:
				cmd = commands.DefineGroup{Name: name, Rule: rule}
			default:
				cmd = commands.CreateCustomer{Association: 1, ExternalID: fmt.Sprintf("v%d-%d", round, i), Profile: customer.Profile{Custom: map[string]any{key: "x"}}}
			}
			_, err := cmd.Run(t.Context(), centers[i%2], w.by)
			var refusal *domain.Refusal
			if err != nil && !errors.As(err, &refusal) {
				t.Errorf("%T: %v", cmd, err)
			}
		})
		var removed, grouped bool
		for _, d := range w.log(before) {
			switch e := d.Payload.(type) {
			case field.Removed:
				if removed = true; grouped {
					t.Errorf("%s was removed, and a group speaks of it", key)
				}
			case customer.Created:
				if removed {
					t.Errorf("%v was created with a value of %s behind its removal", e.ExternalID, key)
				}
			default:
				if d.Type != "group.defined" {
					continue
				}
				if grouped = true; removed {
					t.Errorf("a group speaks of %s behind its removal", key)
				}
			}
		}
		if !removed && !grouped {
			t.Errorf("%s: neither was it removed nor does anything speak of it", key)
		}
	}
}
