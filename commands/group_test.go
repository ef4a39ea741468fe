package commands_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/field"
	"customercenter/domain/filter"
	"customercenter/domain/group"
	"customercenter/domain/tag"
	"customercenter/domain/view"
)

// hasTag is a filter, in its canonical form.
func hasTag(t *testing.T, id uuid.UUID) json.RawMessage {
	t.Helper()
	f, err := filter.Parse(fmt.Appendf(nil, `{"field":"tags","op":"has_any","value":[%q]}`, id), &filter.Language{}, "rule")
	if err != nil {
		t.Fatal(err)
	}
	return f.JSON()
}

func TestGroups(t *testing.T) {
	w := newWorld(t)
	vip := w.must(commands.CreateTag{Name: "VIP"}).Tag
	first, second := hasTag(t, vip), json.RawMessage(`{"not":`+string(hasTag(t, vip))+`}`)
	id := w.must(commands.DefineGroup{Name: "VIPs", Rule: first}).Group
	before := w.head()
	name, yes := "Others", true
	w.appends(w.by, commands.ChangeGroup{Group: id, Name: &name, Rule: second, AgentVisible: &yes},
		group.Renamed{Group: id, Name: name}, group.Revised{Group: id, Rule: second, Revision: 2}, group.VisibilitySet{Group: id, AgentVisible: true})
	if events := w.log(before); events[0].Stream != group.Stream || events[0].Customer != uuid.Nil {
		t.Errorf("it is on %s and concerns %v", events[0].Stream, events[0].Customer)
	}
	w.appends(w.by, commands.ChangeGroup{Group: id, Name: &name, Rule: second, AgentVisible: &yes})

	// All or nothing, whichever is wrong.
	other, long := "Third", string(make([]byte, 60))
	w.refused(w.by, commands.ChangeGroup{Group: id, Name: &other, Rule: json.RawMessage(`{}`)}, domain.CodeValidation, "rule")
	w.refused(w.by, commands.ChangeGroup{Group: id, Name: &long, Rule: first}, domain.CodeValidation, "name")
	w.refused(w.by, commands.ChangeGroup{Group: id, Rule: hasTag(t, uuid.Max)}, domain.CodeTagUnknown, "rule.value[0]")
	w.refused(w.by, commands.ChangeGroup{Group: id, Name: &other, IfVersion: 3}, commands.CodePreconditionFailed, "")
	w.refused(w.by, commands.ChangeGroup{Group: uuid.Max, Name: &other}, domain.CodeNotFound, "")
	w.refused(w.by, commands.DefineGroup{Name: "others", Rule: first}, domain.CodeGroupExists, "name")
	w.refused(w.by, commands.DefineGroup{Name: "x", Rule: json.RawMessage(`{"field":"groups","op":"is_empty"}`)}, domain.CodeValidation, "rule.field")
	w.refused(w.by, commands.DeleteGroup{Group: id, IfVersion: 3}, commands.CodePreconditionFailed, "")
	w.appends(w.by, commands.DeleteGroup{Group: id, IfVersion: 4}, group.Deleted{Group: id})
	w.refused(w.by, commands.DeleteGroup{Group: id}, domain.CodeNotFound, "")
}

func TestViews(t *testing.T) {
	w := newWorld(t)
	vip := w.must(commands.CreateTag{Name: "VIP"}).Tag
	loyal := w.must(commands.DefineGroup{Name: "Loyal", Rule: hasTag(t, vip)}).Group
	owner := view.Owner{Kind: "admin", ID: "a-1"}
	inGroup := json.RawMessage(`{"field":"groups","op":"has_any","value":["` + loyal.String() + `"]}`)
	name, sort, shared, columns := "Mine", "nickname", true, []string{"nickname", "tags"}
	before := w.head()
	id := w.must(commands.SaveView{ViewDraft: commands.ViewDraft{Name: &name, Filter: inGroup, Sort: &sort, Columns: &columns, Shared: &shared, Admin: true}}).View
	events := w.log(before)
	if saved := events[0].Payload.(view.Saved); len(events) != 2 || saved.Owner != owner || saved.View != id || events[1].Payload != (view.Shared{View: id}) {
		t.Errorf("appended %+v", events)
	}
	no, other := false, "Other"
	w.appends(w.by, commands.ChangeView{View: id, ViewDraft: commands.ViewDraft{Shared: &no, Admin: true}}, view.Unshared{View: id})
	w.appends(w.by, commands.ChangeView{View: id, ViewDraft: commands.ViewDraft{Name: &name, Filter: inGroup, Admin: true}})
	notInGroup := json.RawMessage(`{"not":` + string(inGroup) + `}`)
	w.appends(w.by, commands.ChangeView{View: id, ViewDraft: commands.ViewDraft{Filter: inGroup}})                                                    // not touched: as it was
	w.refused(w.by, commands.ChangeView{View: id, ViewDraft: commands.ViewDraft{Filter: notInGroup}}, domain.CodeGroupUnknown, "filter.not.value[0]") // agents do not see it
	w.refused(w.by, commands.ChangeView{View: id, ViewDraft: commands.ViewDraft{Name: &other}, IfVersion: 2}, commands.CodePreconditionFailed, "")
	w.refused(w.by, commands.ChangeView{View: id, ViewDraft: commands.ViewDraft{Shared: &shared}}, domain.CodeForbidden, "shared")
	stranger := w.by
	stranger.Actor.ID = "a-2"
	w.refused(stranger, commands.ChangeView{View: id, ViewDraft: commands.ViewDraft{Name: &other, Admin: true}}, domain.CodeNotFound, "")
	w.refused(stranger, commands.DeleteView{View: id}, domain.CodeNotFound, "")
	w.must(commands.DeleteGroup{Group: loyal})
	w.refused(w.by, commands.ChangeView{View: id, ViewDraft: commands.ViewDraft{Filter: notInGroup}}, domain.CodeGroupUnknown, "filter.not.value[0]")
	w.appends(w.by, commands.DeleteView{View: id, IfVersion: 3}, view.Deleted{View: id})
}

// What a rule names cannot go at the same time as the rule comes: whoever is second decides on what the first has done.
func TestRulesAgainstWhatTheyName(t *testing.T) {
	w := newWorld(t)
	centers := []*commands.Center{w.center, newCenter(w.store)}
	for round := range 10 {
		vip, key := w.must(commands.CreateTag{Name: fmt.Sprint("VIP ", round)}).Tag, fmt.Sprint("size_", round)
		w.must(commands.AddField{Key: key, Type: field.TypeText, Label: fmt.Sprint("Size ", round)})
		before, name := w.head(), fmt.Sprint("group ", round)
		racing := []command{
			commands.DeleteTag{Tag: vip}, commands.RemoveField{Field: key},
			commands.DefineGroup{Name: name, Rule: hasTag(t, vip)},
			commands.DefineGroup{Name: name + " by size", Rule: json.RawMessage(`{"field":"custom.` + key + `","op":"is_set"}`)},
			commands.SaveView{ViewDraft: commands.ViewDraft{Name: &name, Columns: &[]string{"custom." + key}}},
		}
		together(len(racing), func(i int) {
			var refusal *domain.Refusal
			if _, err := racing[i].Run(t.Context(), centers[i%2], w.by); err != nil && !errors.As(err, &refusal) {
				t.Errorf("%T: %v", racing[i], err)
			}
		})
		tagGone, fieldGone, usesField := false, false, false
		for _, d := range w.log(before) {
			switch e := d.Payload.(type) {
			case tag.Deleted:
				tagGone = true
			case field.Removed:
				fieldGone = true
			case group.Defined:
				if e.Name == name && tagGone {
					t.Error("a rule names a tag that had gone")
				}
				usesField = usesField || e.Name != name
			case view.Saved:
				usesField = true
			}
		}
		if fieldGone == usesField { // somebody was first, and the other was refused
			t.Errorf("the field is removed: %v, and used: %v", fieldGone, usesField)
		}
	}
}
