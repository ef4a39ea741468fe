// Package automessage decides what auto messages (自动消息) a tenant has, and what becomes of each with one customer.
//
// There are three kinds of streams: the catalogue, one for the whole tenant; a list for each auto message, of the customers who were put
// on it by hand; and one for each recipient, that is an auto message and a customer. A recipient's stream begins with Sent, which
// needs it to be new: that is why nobody gets an auto message twice, whoever sends, however often they crash.
package automessage

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/filter"
	"customercenter/domain/text"
)

// Stream is the one stream of a tenant's auto messages.
const Stream = "auto-messages"

// Bounds of auto messages.
const (
	MaxName     = 50     // characters of a name
	MaxText     = 1_000  // characters of a text
	MaxRate     = 60_000 // messages per minute
	DefaultRate = 600
	MaxMessages = 200 // of a tenant, deleted ones apart
	MaxGroups   = 200 // of an audience
)

// Status is what an auto message does.
type Status string

// The statuses of an auto message. The names are stored nowhere, but told to callers.
const (
	StatusDraft   Status = "draft"   // was never started
	StatusRunning Status = "running" // is sent to whoever belongs to the audience
	StatusStopped Status = "stopped"
	statusDeleted Status = "deleted"
)

// Message is one auto message. What its slices hold is never changed in place.
type Message struct {
	ID       uuid.UUID
	Name     string
	Text     string
	Audience Audience
	Rate     int // messages per minute
	Status   Status
	// DefinedAt and StartedAt are when it was defined, and started last; zero if never.
	DefinedAt, StartedAt time.Time
	// Version is how many events it has seen on the catalogue's stream: 1 when it was defined.
	Version int64
}

// State is the catalogue of auto messages. Its zero value is a tenant without any.
type State struct {
	// all has every auto message there ever was, by id: what was deleted may still be on its way to channels.
	all map[uuid.UUID]Message
	// byName finds one that was not deleted by the folded form of its name.
	byName map[string]uuid.UUID
}

// Find returns an auto message that was not deleted.
func (s *State) Find(id uuid.UUID) (Message, bool) {
	m, found := s.all[id]
	return m, found && m.Status != statusDeleted
}

// Text returns the text of an auto message, deleted or not, and false if there never was one of that id. It is fixed once it is started.
func (s *State) Text(id uuid.UUID) (string, bool) {
	m, found := s.all[id]
	return m.Text, found
}

// Names has the names of all auto messages, deleted ones too, for those who read of them.
func (s *State) Names() map[uuid.UUID]string {
	names := make(map[uuid.UUID]string, len(s.all))
	for id, m := range s.all {
		names[id] = m.Name
	}
	return names
}

// Sorted lists the auto messages that were not deleted in the order in which they were defined: ids are made in the order of time.
func (s *State) Sorted() []Message {
	present := make([]Message, 0, len(s.byName))
	for _, id := range s.byName {
		present = append(present, s.all[id])
	}
	slices.SortFunc(present, func(a, b Message) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return present
}

// Uses lists the auto messages whose audience reads a field, by its name in the filter language ("custom.level"), oldest first.
func (s *State) Uses(field string) []domain.Use {
	return s.using(func(m Message) bool { return filter.Mentions(m.Audience.Filter).Field(field) })
}

// UsesOption lists the auto messages whose audience names an option of a field, oldest first.
func (s *State) UsesOption(field, option string) []domain.Use {
	return s.using(func(m Message) bool { return filter.Mentions(m.Audience.Filter).Value(field, option) })
}

// Sending lists the running auto messages whose audience would be another one without these tags or groups, oldest first.
func (s *State) Sending(tags, groups []uuid.UUID) []domain.Use {
	return s.using(func(m Message) bool {
		asks := m.Audience.Asks()
		depends := func(set string, ids []uuid.UUID) bool {
			return slices.ContainsFunc(ids, func(id uuid.UUID) bool { return filter.DependsOn(asks, set, id.String()) })
		}
		return m.Status == StatusRunning && (depends("tags", tags) || depends("groups", groups))
	})
}

func (s *State) using(uses func(Message) bool) []domain.Use {
	var found []domain.Use
	for _, m := range s.Sorted() {
		if uses(m) {
			found = append(found, domain.Use{Kind: domain.UseAutoMessage, ID: m.ID, Name: m.Name})
		}
	}
	return found
}

// Clone returns a copy that shares nothing that Apply changes.
func (s *State) Clone() State {
	return State{all: maps.Clone(s.all), byName: maps.Clone(s.byName)}
}

// Apply folds one event, given by value. Events of other aggregates are ignored. at is when it happened.
func (s *State) Apply(e domain.Event, at time.Time) {
	switch e := e.(type) {
	case Defined:
		s.put(Message{ID: e.AutoMessage, Name: e.Name, Text: e.Text, Audience: e.Audience, Rate: e.Rate, Status: StatusDraft, DefinedAt: at})
	case Changed:
		s.change(e.AutoMessage, func(m *Message) { m.Name, m.Text, m.Audience, m.Rate = e.Name, e.Text, e.Audience, e.Rate })
	case Started:
		s.change(e.AutoMessage, func(m *Message) { m.Status, m.StartedAt = StatusRunning, at })
	case Stopped:
		s.change(e.AutoMessage, func(m *Message) { m.Status = StatusStopped })
	case Deleted:
		s.change(e.AutoMessage, func(m *Message) { m.Status = statusDeleted })
	}
}

func (s *State) change(id uuid.UUID, how func(*Message)) {
	m, found := s.all[id]
	if !found {
		return
	}
	delete(s.byName, text.Fold(m.Name))
	how(&m)
	s.put(m)
}

func (s *State) put(m Message) {
	if s.all == nil {
		s.all, s.byName = map[uuid.UUID]Message{}, map[string]uuid.UUID{}
	}
	m.Version++
	s.all[m.ID] = m
	if m.Status != statusDeleted {
		s.byName[text.Fold(m.Name)] = m.ID
	}
}

// Asks is the filter, in its canonical form, by which customers belong to the audience by themselves; nil if none do.
func (a Audience) Asks() json.RawMessage {
	if len(a.Groups) == 0 {
		return a.Filter
	}
	ids, err := json.Marshal(a.Groups)
	if err != nil {
		panic(err) // ids can always be written
	}
	return json.RawMessage(`{"field":"groups","op":"has_any","value":` + string(ids) + `}`)
}
