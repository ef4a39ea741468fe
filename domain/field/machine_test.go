package field_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/field"
)

// TestAnyOrder asks a tenant's fields for anything, in any order, and holds what must always be true against the log.
func TestAnyOrder(t *testing.T) {
	keys := rapid.SampledFrom([]string{"a", "b", "c", "name", "nickname", "order", "size", "size_2", "field", "B!"})
	labels := rapid.SampledFrom([]string{"Size", "size", "等级", "昵称", "B", "", "ｓｉｚｅ"})
	types := rapid.SampledFrom(append(field.Types(), "colour"))
	uses := rapid.Map(rapid.Bool(), func(is bool) field.InUse {
		if is {
			return func(string, string) []domain.Use { return []domain.Use{group} }
		}
		return unused
	})
	ids := rapid.SampledFrom([]string{"", "", "o1", "o2", "o3", "o4", "x"})
	var offered func(levels int) *rapid.Generator[[]field.Choice]
	offered = func(levels int) *rapid.Generator[[]field.Choice] {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) field.Choice {
			c := field.Choice{ID: ids.Draw(t, "id"), Label: labels.Draw(t, "label")}
			if levels > 0 && rapid.IntRange(0, 3).Draw(t, "deeper") == 0 {
				c.Options = offered(levels-1).Draw(t, "options")
			}
			return c
		}), 0, 3)
	}

	rapid.Check(t, func(t *rapid.T) {
		var state field.State
		var log []domain.Event
		ask := func(settles bool, decide func(*field.State) ([]field.Event, error)) {
			before := state.Clone()
			got, err := decide(&state)
			if !reflect.DeepEqual(state, before) {
				t.Fatalf("the decision changed the state from %+v to %+v", before, state)
			}
			if err != nil {
				var refusal *domain.Refusal
				if !errors.As(err, &refusal) || got != nil {
					t.Fatalf("neither events nor a refusal: %v, %v", got, err)
				}
				return
			}
			clone, shown := state.Clone(), fmt.Sprintf("%+v", state)
			for _, e := range got {
				state.Apply(e, domaintest.Start)
				log = append(log, e)
			}
			if after := fmt.Sprintf("%+v", clone); after != shown {
				t.Fatalf("applying events changed a clone from %s to %s", shown, after)
			}
			if !settles {
				return
			}
			if again, err := decide(&state); err != nil || len(again) > 0 {
				t.Fatalf("the same again gave %v, %v", again, err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				n := field.New{Key: rapid.OneOf(rapid.Just(""), keys).Draw(t, "key"), Type: types.Draw(t, "type"), Label: labels.Draw(t, "label"), Options: offered(2).Draw(t, "options")}
				ask(false, func(s *field.State) ([]field.Event, error) { return s.Add(n) })
			},
			"change": func(t *rapid.T) {
				key, used := keys.Draw(t, "key"), uses.Draw(t, "used")
				var c field.Changes
				if rapid.Bool().Draw(t, "label too") {
					label := labels.Draw(t, "label")
					c.Label = &label
				}
				if rapid.Bool().Draw(t, "options too") {
					options := offered(2).Draw(t, "options")
					c.Options = &options
				}
				ask(false, func(s *field.State) ([]field.Event, error) { return s.Change(key, c, used) })
			},
			"show": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				ask(true, func(s *field.State) ([]field.Event, error) { return s.Show(key) })
			},
			"hide": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				ask(true, func(s *field.State) ([]field.Event, error) { return s.Hide(key) })
			},
			"enable": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				ask(true, func(s *field.State) ([]field.Event, error) { return s.Enable(key) })
			},
			"disable": func(t *rapid.T) {
				key, used := keys.Draw(t, "key"), uses.Draw(t, "used")
				ask(true, func(s *field.State) ([]field.Event, error) { return s.Disable(key, used) })
			},
			"remove": func(t *rapid.T) {
				key, used := keys.Draw(t, "key"), uses.Draw(t, "used")
				ask(false, func(s *field.State) ([]field.Event, error) { return s.Remove(key, used) })
			},
			"reorder": func(t *rapid.T) {
				order := rapid.Permutation(state.Order()).Draw(t, "order")
				ask(true, func(s *field.State) ([]field.Event, error) { return s.Reorder(order) })
			},
			"": func(t *rapid.T) { check(t, &state, log) },
		})
	})
}

// check holds the state against a reading of the whole log.
func check(t *rapid.T, state *field.State, log []domain.Event) {
	added := map[string]bool{}
	exists := slices.Clone(system)
	issued := map[string]bool{}
	for i, e := range log {
		var options []field.Option
		key := ""
		switch e := e.(type) {
		case field.Added:
			if added[e.Field] || slices.Contains(system, e.Field) {
				t.Fatalf("the key %s came twice", e.Field)
			}
			added[e.Field] = true
			exists = append(exists, e.Field)
			key, options = e.Field, e.Options
		case field.Changed:
			key, options = e.Field, e.Options
		case field.Removed:
			exists = slices.DeleteFunc(exists, func(key string) bool { return key == e.Field })
		}
		before := domaintest.Fold[field.State](log[:i]...)
		for _, o := range options {
			f, _ := before.Custom(key)
			kept := slices.ContainsFunc(f.Options, func(k field.Option) bool { return k.ID == o.ID && k.Parent == o.Parent })
			if !kept && issued[key+"."+o.ID] {
				t.Fatalf("the id %s of %s came twice", o.ID, key)
			}
			issued[key+"."+o.ID] = true
		}
	}
	if folded := domaintest.Fold[field.State](log...); !reflect.DeepEqual(folded, state) && len(log) > 0 {
		t.Fatalf("folding the log gives %+v, the state is %+v", folded, state)
	}
	order := state.Order()
	slices.Sort(exists)
	if sorted := slices.Sorted(slices.Values(order)); !slices.Equal(sorted, exists) {
		t.Fatalf("the order is %v, there are %v", order, exists)
	}
	for _, key := range []string{"external_id", "nickname"} {
		if f, found := state.Find(key); !found || !f.Shown || f.Disabled {
			t.Fatalf("%s is %+v", key, f)
		}
	}
}
