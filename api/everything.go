package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/projections"
)

// Everything is all that is known of a customer, at one position of the log. What is kept beside the log (rows of uploaded files, dead letters) is as it was
// found when the answer was made.
type Everything struct {
	CustomerID    uuid.UUID             `json:"customer_id" format:"uuid"`
	Position      int64                 `json:"position" doc:"Of the log, which all of this is as of. At it stands the record that it was given out."`
	At            time.Time             `json:"at"`
	By            projections.Actor     `json:"by" doc:"Whom it was given to."`
	Erasure       *Erasure              `json:"erasure" doc:"null: nobody was erased under this id. Of whoever was, only what is not personal is left."`
	Customer      *projections.Customer `json:"customer" doc:"null: there is no customer any more; see lives."`
	Profile       []ProfileValue        `json:"profile" nullable:"false" doc:"The profile in words, custom fields too."`
	Lives         []Life                `json:"lives" nullable:"false" doc:"The times for which the person was a customer, and by which identity."`
	Groups        []CustomerGroup       `json:"groups" nullable:"false" doc:"The groups that the customer is in."`
	GroupMoves    []CustomerMove        `json:"group_moves" nullable:"false" doc:"Entries into groups and leaves of the present life, the earliest first."`
	Blacklistings []Blacklisting        `json:"blacklistings" nullable:"false"`
	Suppressed    []SuppressedMessage   `json:"suppressed_messages" nullable:"false" doc:"What the customer wrote while on the blacklist."`
	AutoMessages  []ReceivedAutoMessage `json:"auto_messages" nullable:"false"`
	Imports       []NamingImport        `json:"imports" nullable:"false" doc:"Uploaded files in which the customer is."`
	BulkActions   []NamingBulk          `json:"bulk_actions" nullable:"false" doc:"Bulk actions that were about the customer."`
	Exports       []PossibleExport      `json:"exports" nullable:"false" doc:"Files that were asked for while the person was a customer. Who is in them is not recorded."`
	DeadLetters   []NamingLetter        `json:"dead_letters" nullable:"false" doc:"Channel events that could not be carried out and name the customer."`
	Sessions      []SessionWithMessages `json:"sessions" nullable:"false" doc:"The earliest first, with what was said, ratings and what the browser told."`
	Events        []EventWithMeaning    `json:"events" nullable:"false" doc:"Every event of the log that concerns the customer, in its order."`
	Complete      bool                  `json:"complete" doc:"The last member: an answer without it is not whole."`
}

// ProfileValue is a field of a profile.
type ProfileValue struct {
	Field string `json:"field" doc:"Its key; custom.<key> of a custom one."`
	Label string `json:"label" doc:"The field in words."`
	Value string `json:"value" doc:"In words: of options what they are called."`
}

// Life is a time for which somebody was a customer.
type Life struct {
	Generation    int        `json:"generation" doc:"1 for the first."`
	AssociationID int        `json:"association_id"`
	Association   string     `json:"association" doc:"What it is called."`
	Channel       string     `json:"channel"`
	ExternalID    string     `json:"external_id" doc:"Empty if it was erased."`
	CreatedVia    string     `json:"created_via"`
	ImportID      *uuid.UUID `json:"import_id,omitempty" format:"uuid" doc:"The import that made the customer."`
	CreatedAt     time.Time  `json:"created_at"`
	EndedAt       *time.Time `json:"ended_at" doc:"null: it goes on."`
	Ended         string     `json:"ended,omitempty" enum:"withdrawn,erased" doc:"How it ended."`

	from, to int64 // positions in the log; to is 0 if it goes on
}

// CustomerMove is that a customer entered a group, or left it, and why.
type CustomerMove struct {
	Group    projections.Named `json:"group"`
	Entered  bool              `json:"entered"`
	At       time.Time         `json:"at"`
	Cause    projections.Cause `json:"cause"`
	Evidence []GroupEvidence   `json:"evidence" nullable:"false"`
}

// Blacklisting is a time on the blacklist.
type Blacklisting struct {
	Reason    string             `json:"reason" doc:"Empty if it was erased."`
	By        projections.Actor  `json:"by"`
	Since     time.Time          `json:"since"`
	ExpiresAt *time.Time         `json:"expires_at" doc:"null: never."`
	LiftedAt  *time.Time         `json:"lifted_at" doc:"null: it was not."`
	LiftedBy  *projections.Actor `json:"lifted_by,omitempty"`
}

// SuppressedMessage is what a customer wrote while on the blacklist.
type SuppressedMessage struct {
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	Text string    `json:"text,omitempty"`
	URL  string    `json:"url,omitempty"`
	Name string    `json:"name,omitempty"`
}

// ReceivedAutoMessage is an auto message that a customer got, or was to get.
type ReceivedAutoMessage struct {
	AutoMessage projections.Named `json:"auto_message"`
	Text        string            `json:"text"`
	ListedAt    *time.Time        `json:"listed_at,omitempty" doc:"Somebody put the customer on its list."`
	SentAt      *time.Time        `json:"sent_at,omitempty"`
	WithheldAt  *time.Time        `json:"withheld_at,omitempty" doc:"It was not handed to the channel after all."`
	DeliveredAt *time.Time        `json:"delivered_at,omitempty"`
	ReadAt      *time.Time        `json:"read_at,omitempty"`
	RepliedAt   *time.Time        `json:"replied_at,omitempty"`
}

// SessionWithMessages is a session, and what was said in it.
type SessionWithMessages struct {
	projections.Session
	Items []projections.TranscriptItem `json:"items" nullable:"false" doc:"Its messages, between the marks of its beginning and end."`
}

// EventWithMeaning is an event as it is stored, and in words.
type EventWithMeaning struct {
	HistoryItem
	Stream     string          `json:"stream"`
	Version    int64           `json:"version" doc:"In the stream."`
	Data       json.RawMessage `json:"data" doc:"The payload, opened."`
	Unreadable bool            `json:"unreadable,omitempty" doc:"The personal fields could not be opened."`
}

func (s *server) everythingOperation() {
	register(s, operation{id: "disclose-customer", method: http.MethodGet, path: "/v1/customers/{id}/everything", tag: "Customers",
		summary: "Give out all that is known of a customer", notes: "For a person who asks what is known of them: one JSON file, all of it at one position of the log. That it was given out is recorded first, and stands in the customer's history. " +
			"An answer that breaks off without `complete` is not whole. Of whoever was erased it tells what is left.",
		stream: true, produces: mediaTypes["json"], schema: Everything{}}, s.disclose)
}

func (s *server) disclose(ctx context.Context, r *request, in *struct {
	After
	ID uuid.UUID `path:"id" format:"uuid"`
}) (*huma.StreamResponse, error) {
	// First it is recorded, and then it happens: nobody gets it unseen.
	done, err := commands.DiscloseCustomer{Customer: in.ID}.Run(ctx, s.Center, r.by(""))
	if err != nil {
		return nil, err
	}
	d := disclosure{r: r, all: Everything{CustomerID: in.ID, Position: done.Position, By: projections.Actor{Kind: r.who.Kind, ID: r.who.ID, Name: r.who.ID}, Complete: true}}
	err = s.ofCustomer(ctx, r, strconv.FormatInt(done.Position, 10), in.ID, func(then *server) error {
		d.server, d.all.At = then, then.past.At
		return d.current(ctx)
	})
	for _, gather := range []func(context.Context) error{d.stated, d.received, d.named, d.letters} {
		if err == nil {
			err = gather(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	return file{name: "customer-" + in.ID.String() + ".json", format: "json", write: func(to io.Writer) error { return d.write(ctx, to) }}.answer(ctx), nil
}
