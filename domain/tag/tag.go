// Package tag decides which tags a tenant has.
package tag

import (
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/text"
)

// Stream is the one stream of a tenant's tags.
const Stream = "tags"

// MaxName is the longest name of a tag, in characters.
const MaxName = 50

// State is the catalogue of tags. Its zero value is a tenant without tags.
type State struct {
	// Names has the name of every tag that exists.
	Names map[uuid.UUID]string
	// Versions has, for every tag that exists, how many events it has seen: 1 when it was created.
	Versions map[uuid.UUID]int64
	// byName finds a tag by the folded form of its name.
	byName map[string]uuid.UUID
}

// Known reports whether the tag exists.
func (s *State) Known(id uuid.UUID) bool {
	_, known := s.Names[id]
	return known
}

// ByName finds a tag by its name, whatever the case, the width and the white space around it.
func (s *State) ByName(name string) (uuid.UUID, bool) {
	id, found := s.byName[text.Fold(name)]
	return id, found
}

// Clone returns a copy that shares nothing that Apply changes.
func (s *State) Clone() State {
	return State{Names: maps.Clone(s.Names), Versions: maps.Clone(s.Versions), byName: maps.Clone(s.byName)}
}

// Apply folds one event, given by value. Events of other aggregates are ignored. at is not needed here.
func (s *State) Apply(e domain.Event, _ time.Time) {
	switch e := e.(type) {
	case Created:
		s.set(e.Tag, e.Name)
	case Renamed:
		s.set(e.Tag, e.Name)
	case Deleted:
		delete(s.byName, text.Fold(s.Names[e.Tag]))
		delete(s.Names, e.Tag)
		delete(s.Versions, e.Tag)
	}
}

func (s *State) set(id uuid.UUID, name string) {
	if s.Names == nil {
		s.Names = map[uuid.UUID]string{}
		s.Versions = map[uuid.UUID]int64{}
		s.byName = map[string]uuid.UUID{}
	}
	if old, found := s.Names[id]; found {
		delete(s.byName, text.Fold(old))
	}
	s.Names[id] = name
	s.Versions[id]++
	s.byName[text.Fold(name)] = id
}

// Create adds a tag under a new id.
//
// Refused: VALIDATION unless the name is 1 to MaxName characters without ASCII commas (spreadsheets part tags by them);
// TAG_EXISTS if another tag has that name, compared without case and width; CONFLICT if the id is taken.
func (s *State) Create(id uuid.UUID, name string) ([]Event, error) {
	name, err := normalizeName(name)
	if err != nil {
		return nil, err
	}
	if s.Known(id) {
		return nil, domain.Refuse(domain.CodeConflict)
	}
	if _, taken := s.ByName(name); taken {
		return nil, domain.Refuse(domain.CodeTagExists).At("name")
	}
	return []Event{Created{Tag: id, Name: name}}, nil
}

// Rename gives a tag another name. Refused: TAG_UNKNOWN, and for the name as in Create.
func (s *State) Rename(id uuid.UUID, name string) ([]Event, error) {
	if !s.Known(id) {
		return nil, domain.Refuse(domain.CodeTagUnknown)
	}
	name, err := normalizeName(name)
	if err != nil {
		return nil, err
	}
	if owner, taken := s.ByName(name); taken && owner != id {
		return nil, domain.Refuse(domain.CodeTagExists).At("name")
	}
	if name == s.Names[id] {
		return nil, nil
	}
	return []Event{Renamed{Tag: id, Name: name}}, nil
}

// Delete takes the tag out of the catalogue and so off every customer's view. Its id never comes back. sending are the running auto messages whose
// audience depends on it: who was spared for having the tag would get them.
// Refused: TAG_UNKNOWN; TAG_IN_USE with what is sending.
func (s *State) Delete(id uuid.UUID, sending []domain.Use) ([]Event, error) {
	if !s.Known(id) {
		return nil, domain.Refuse(domain.CodeTagUnknown)
	}
	if len(sending) > 0 {
		return nil, domain.Refuse(domain.CodeTagInUse).With("uses", sending)
	}
	return []Event{Deleted{Tag: id}}, nil
}

func normalizeName(name string) (string, error) {
	if strings.Contains(name, ",") {
		return "", domain.Invalid("name", domain.RuleCharacters)
	}
	return domain.NormalizeName(name, MaxName)
}
