package association

import "customercenter/domain"

// Event is one of the facts below: the closed set of what can happen on the associations' stream.
type Event interface {
	domain.Event
	associationEvent()
}

// Registered connects an account of a channel. A removed account registered again gets its old id back.
type Registered struct {
	Association int    `json:"association"`
	Channel     string `json:"channel"`
	Account     string `json:"account"`
	Name        string `json:"name"`
}

// Renamed changes what people call the association.
type Renamed struct {
	Association int    `json:"association"`
	Name        string `json:"name"`
}

// Removed disconnects the account. Its customers stay.
type Removed struct {
	Association int `json:"association"`
}

func (Registered) EventType() string { return "association.registered" }
func (Renamed) EventType() string    { return "association.renamed" }
func (Removed) EventType() string    { return "association.removed" }

func (Registered) associationEvent() {}
func (Renamed) associationEvent()    {}
func (Removed) associationEvent()    {}
