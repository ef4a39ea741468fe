package group

import (
	"encoding/json"

	"github.com/google/uuid"

	"customercenter/domain"
)

// Event is one of the facts below: the closed set of what can happen on the stream of the groups.
type Event interface {
	domain.Event
	groupEvent()
}

// Defined adds a group with the first revision of its rule. Rule is a filter in its canonical form.
type Defined struct {
	Group        uuid.UUID       `json:"group"`
	Name         string          `json:"name"`
	Rule         json.RawMessage `json:"rule"`
	AgentVisible bool            `json:"agent_visible"`
}

// Revised gives a group another rule. Revision counts the rules of the group; the one that it was defined with is 1.
type Revised struct {
	Group    uuid.UUID       `json:"group"`
	Rule     json.RawMessage `json:"rule"`
	Revision int             `json:"revision"`
}

// Renamed gives a group another name. Who is in it does not change.
type Renamed struct {
	Group uuid.UUID `json:"group"`
	Name  string    `json:"name"`
}

// VisibilitySet says whether agents see the group.
type VisibilitySet struct {
	Group        uuid.UUID `json:"group"`
	AgentVisible bool      `json:"agent_visible"`
}

// Deleted ends a group: all of its members leave it. Its id never comes back.
type Deleted struct {
	Group uuid.UUID `json:"group"`
}

func (Defined) EventType() string       { return "group.defined" }
func (Revised) EventType() string       { return "group.revised" }
func (Renamed) EventType() string       { return "group.renamed" }
func (VisibilitySet) EventType() string { return "group.visibility_set" }
func (Deleted) EventType() string       { return "group.deleted" }

func (Defined) groupEvent()       {}
func (Revised) groupEvent()       {}
func (Renamed) groupEvent()       {}
func (VisibilitySet) groupEvent() {}
func (Deleted) groupEvent()       {}
