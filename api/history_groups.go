package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/group"
)

func (s *server) groupHistoryOperation() {
	register(s, operation{id: "group-history", method: http.MethodGet, path: "/v1/groups/{id}/history", tag: "Groups",
		summary: "List the changes of a group, the latest first",
		notes:   "Rules are told in words, with the names of tags and fields as they are now. A group that was deleted keeps its history."}, s.groupHistory)
}

type groupHistoryInput struct {
	HistoryFilter
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) groupHistory(ctx context.Context, r *request, in *groupHistoryInput) (*historyPage, error) {
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return nil, err
	}
	var before group.State
	return s.catalogueHistory(ctx, r, &in.HistoryFilter, group.Stream, true, func(t told) ([]HistoryChange, bool) {
		e, ok := t.event.Payload.(domain.Event)
		if !ok {
			return nil, false
		}
		old, was := before.All[in.ID]
		before.Apply(e, t.event.OccurredAt())
		now, is := before.All[in.ID]
		if was == is && old.Version == now.Version {
			return nil, false
		}
		t.narrator.groups = map[uuid.UUID]string{in.ID: old.Name} // what it was called then
		return t.groupDifferences(words, old, now), true
	})
}

// groupDifferences are what is different of a group; a zero one is none.
func (t told) groupDifferences(words *vocabulary, old, now group.Group) []HistoryChange {
	visible := func(g group.Group) string {
		if g.Version == 0 {
			return ""
		}
		return t.word("bool", fmt.Sprint(g.AgentVisible))
	}
	rule := func(stored json.RawMessage) string {
		if stored == nil {
			return ""
		}
		_, description := words.tell(stored)
		return description
	}
	changes := []HistoryChange{}
	for _, f := range []struct{ field, old, now string }{
		{"name", old.Name, now.Name}, {"rule", rule(old.Rule), rule(now.Rule)}, {"agent_visible", visible(old), visible(now)},
	} {
		if f.old != f.now {
			changes = append(changes, t.change(f.field, f.old, f.now))
		}
	}
	return changes
}

// group is what people call a group.
func (t told) group(id uuid.UUID) string {
	if name, known := t.narrator.groups[id]; known {
		return name
	}
	return id.String()
}
