package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/internal/locale"
)

func (s *server) fieldHistoryOperation() {
	register(s, operation{id: "field-history", method: http.MethodGet, path: "/v1/fields/{key}/history", tag: "Fields",
		summary: "List the changes of a field, the latest first", notes: "A field that was removed keeps its history."}, s.fieldHistory)
}

type fieldHistoryInput struct {
	HistoryFilter
	Key string `path:"key" maxLength:"32"`
}

func (s *server) fieldHistory(ctx context.Context, r *request, in *fieldHistoryInput) (*historyPage, error) {
	var before field.State
	_, system := before.Find(in.Key)
	return s.catalogueHistory(ctx, r, &in.HistoryFilter, field.Stream, !system, func(t told) ([]HistoryChange, bool) {
		e, ok := t.event.Payload.(domain.Event)
		if !ok {
			return nil, false
		}
		after := before.Clone()
		after.Apply(e, t.event.OccurredAt())
		former := before
		before = after
		changes := t.fieldDifferences(in.Key, &former, &after)
		t.narrator.fields = former // as fields were called then
		return changes, len(changes) > 0
	})
}

// fieldDifferences are what is different of one field in two states of the catalogue.
func (t told) fieldDifferences(key string, before, after *field.State) []HistoryChange {
	old, was := before.Find(key)
	now, is := after.Find(key)
	yes := func(is bool) string { return t.word("bool", fmt.Sprint(is)) }
	place := func(s *field.State) string { return fmt.Sprint(slices.Index(s.Order(), key) + 1) }
	var changes []HistoryChange
	differ := func(name, old, now string) {
		if old != now {
			changes = append(changes, t.change(name, old, now))
		}
	}
	switch {
	case !was && !is:
	case !was:
		differ("type", "", t.words("type", now.Type))
		differ("label", "", now.Label)
		differ("hint", "", now.Hint)
		differ("options", "", t.words("options", now.Options))
	case !is:
		differ("removed", yes(false), yes(true))
	default:
		differ("label", old.Label, now.Label)
		differ("hint", old.Hint, now.Hint)
		differ("options", t.words("options", old.Options), t.words("options", now.Options))
		differ("shown", yes(old.Shown), yes(now.Shown))
		differ("enabled", yes(!old.Disabled), yes(!now.Disabled))
		if _, reordered := t.event.Payload.(field.Reordered); reordered {
			differ("order", place(before), place(after))
		}
	}
	return changes
}

// field is what people call a field, by its key.
func (t told) field(key string) string {
	if f, found := t.narrator.fields.Custom(key); found {
		return f.Label
	}
	if _, system := t.narrator.fields.Find(key); system {
		return locale.Field(t.narrator.language, key)
	}
	return key
}

// options tells options, those of a cascade behind the labels of their parents.
func (t told) options(all []field.Option) string {
	ways := make(map[string]string, len(all))
	var told []string
	for _, o := range all {
		ways[o.ID] = o.Label
		if parent, below := ways[o.Parent]; below {
			ways[o.ID] = parent + " / " + o.Label
		}
		told = append(told, ways[o.ID])
	}
	return strings.Join(told, t.phrase("comma"))
}

// customText tells the value of a custom field: options by what they are called, or were last.
func (t told) customText(key string, v any) string {
	f, known := t.narrator.fields.Custom(key)
	if !known {
		return fieldText(v)
	}
	switch f.Type {
	case field.TypeSelect:
		if id, ok := v.(string); ok {
			return f.OptionLabel(id)
		}
	case field.TypeMultiSelect, field.TypeCascade:
		list, ok := v.([]any)
		if !ok {
			break
		}
		var labels []string
		for _, one := range list {
			labels = append(labels, f.OptionLabel(fieldText(one)))
		}
		if f.Type == field.TypeCascade {
			return strings.Join(labels, " / ")
		}
		return strings.Join(labels, t.phrase("comma"))
	}
	return fieldText(v)
}

// profileChange is the change of one field of a profile, by its name in the event.
func (t told) profileChange(name string, c customer.Change) HistoryChange {
	key, custom := strings.CutPrefix(name, customer.CustomPrefix)
	if !custom {
		return t.personal(name, fieldText(c.Old), fieldText(c.New))
	}
	change := t.personal(name, t.customText(key, c.Old), t.customText(key, c.New))
	change.Label = t.field(key)
	return change
}
