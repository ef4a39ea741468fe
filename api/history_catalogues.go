package api

import (
	"context"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/settings"
	"customercenter/domain/tag"
	"customercenter/eventstore"
)

// teller tells an event of a catalogue's stream, given the events in order: what it changed, and whether it belongs to the history that
// is asked for.
type teller func(t told) (changes []HistoryChange, belongs bool)

// catalogueHistory answers with one page of what a teller tells of a stream. The stream is read as a whole, because old values are what
// earlier events have made of them; catalogues are small. It includes all that was committed before. NOT_FOUND if nothing belongs and
// the catalogue entry must be one that there was.
func (s *server) catalogueHistory(ctx context.Context, r *request, in *HistoryFilter, stream string, entry bool, tell teller) (*historyPage, error) {
	before, err := in.before()
	if err != nil {
		return nil, err
	}
	n, err := s.narrator(ctx, r)
	if err != nil {
		return nil, err
	}
	all := []HistoryItem{}
	var last int64
	err = s.catalogue(ctx, r, stream, func(e *eventstore.Decoded) {
		last = e.Position
		t := n.of(e)
		if changes, belongs := tell(t); belongs {
			all = append(all, t.item(changes))
		}
	})
	if err != nil {
		return nil, err
	}
	if len(all) == 0 && entry {
		return nil, domain.Refuse(domain.CodeNotFound)
	}
	out := &historyPage{Served: Served{LogPosition: last}, Body: List[HistoryItem]{Items: []HistoryItem{}}}
	for _, item := range slices.Backward(all) {
		if before > 0 && item.Position >= before || len(in.Type) > 0 && !slices.Contains(in.Type, item.Type) {
			continue
		}
		if len(out.Body.Items) == in.Limit {
			out.Body.Next = strconv.FormatInt(out.Body.Items[in.Limit-1].Position, 10)
			break
		}
		out.Body.Items = append(out.Body.Items, item)
	}
	return out, nil
}

type settingsHistoryInput struct{ HistoryFilter }

func (s *server) settingsHistory(ctx context.Context, r *request, in *settingsHistoryInput) (*historyPage, error) {
	var before settings.State
	return s.catalogueHistory(ctx, r, &in.HistoryFilter, settings.Stream, false, func(t told) ([]HistoryChange, bool) {
		e, ok := t.event.Payload.(domain.Event)
		if !ok {
			return nil, false
		}
		after := before.Clone()
		after.Apply(e, t.event.OccurredAt())
		changes := t.settingsChanges(&before, &after)
		before = after
		return changes, true
	})
}

// settingsChanges are the differences of two states of the settings, what holds by default included.
func (t told) settingsChanges(before, after *settings.State) []HistoryChange {
	changes := []HistoryChange{}
	for _, f := range []struct{ field, event, old, now string }{
		{"time_zone", "time_zone", before.TimeZone(), after.TimeZone()},
		{"week_start", "day", t.words("day", before.WeekStart()), t.words("day", after.WeekStart())},
		{"agent_access.customer_center", "customer_center", t.words("customer_center", before.AgentAccess.CustomerCenter),
			t.words("customer_center", after.AgentAccess.CustomerCenter)},
		{"agent_access.blacklist", "blacklist", t.words("blacklist", before.AgentAccess.Blacklist), t.words("blacklist", after.AgentAccess.Blacklist)},
		{"order_link", "template", before.OrderLink, after.OrderLink},
		{"entitlements", "entitlement", t.entitlements(before), t.entitlements(after)},
	} {
		if f.old != f.now {
			change := t.change(f.event, f.old, f.now)
			change.Field = f.field
			changes = append(changes, change)
		}
	}
	return changes
}

func (t told) entitlements(s *settings.State) string {
	words := make([]string, 0, len(s.Entitlements))
	for _, e := range s.Entitlements {
		words = append(words, t.words("entitlement", e))
	}
	return t.words("entitlements", words)
}

type tagHistoryInput struct {
	HistoryFilter
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) tagHistory(ctx context.Context, r *request, in *tagHistoryInput) (*historyPage, error) {
	name := ""
	return s.catalogueHistory(ctx, r, &in.HistoryFilter, tag.Stream, true, func(t told) ([]HistoryChange, bool) {
		old := name
		var id uuid.UUID
		switch e := t.event.Payload.(type) {
		case tag.Created:
			id, name = e.Tag, e.Name
		case tag.Renamed:
			id, name = e.Tag, e.Name
		case tag.Deleted:
			id, name = e.Tag, ""
		}
		if id != in.ID {
			name = old
			return nil, false
		}
		t.narrator.tags[id] = old // what it was called when it was deleted
		return []HistoryChange{t.change("name", old, name)}, true
	})
}

type associationHistoryInput struct {
	HistoryFilter
	ID int `path:"id" minimum:"1"`
}

func (s *server) associationHistory(ctx context.Context, r *request, in *associationHistoryInput) (*historyPage, error) {
	var before association.State
	return s.catalogueHistory(ctx, r, &in.HistoryFilter, association.Stream, true, func(t told) ([]HistoryChange, bool) {
		e, ok := t.event.Payload.(domain.Event)
		if !ok {
			return nil, false
		}
		old, _ := before.Find(in.ID)
		before.Apply(e, t.event.OccurredAt())
		now, found := before.Find(in.ID)
		if !found || now == old {
			return nil, false
		}
		t.narrator.associations[in.ID] = old.Name // what it was called then
		if old.Name == "" {
			t.narrator.associations[in.ID] = now.Name
		}
		changes := []HistoryChange{}
		for _, f := range []struct{ field, old, now string }{
			{"channel", t.words("channel", old.Channel), t.words("channel", now.Channel)}, {"account", old.Account, now.Account}, {"name", old.Name, now.Name},
			{"removed", t.words("removed", removed(old)), t.words("removed", removed(now))},
		} {
			if f.old != f.now {
				changes = append(changes, t.change(f.field, f.old, f.now))
			}
		}
		return changes, true
	})
}

// removed is "true" for an association that is removed.
func removed(a association.Association) string {
	if !a.Removed {
		return ""
	}
	return "true"
}
