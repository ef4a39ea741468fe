package tag

import (
	"github.com/google/uuid"

	"customercenter/domain"
)

// Event is one of the facts below: the closed set of what can happen on the tags' stream.
type Event interface {
	domain.Event
	tagEvent()
}

// Created adds a tag to the catalogue.
type Created struct {
	Tag  uuid.UUID `json:"tag"`
	Name string    `json:"name"`
}

// Renamed gives a tag another name; customers who carry it show the new one.
type Renamed struct {
	Tag  uuid.UUID `json:"tag"`
	Name string    `json:"name"`
}

// Deleted takes the tag out of the catalogue and off every customer's view.
type Deleted struct {
	Tag uuid.UUID `json:"tag"`
}

func (Created) EventType() string { return "tag.created" }
func (Renamed) EventType() string { return "tag.renamed" }
func (Deleted) EventType() string { return "tag.deleted" }

func (Created) tagEvent() {}
func (Renamed) tagEvent() {}
func (Deleted) tagEvent() {}
