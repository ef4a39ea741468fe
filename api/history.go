package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/projections"
)

// HistoryItem is an event in words.
type HistoryItem struct {
	Position   int64           `json:"position" doc:"In the tenant's log."`
	Type       string          `json:"type" doc:"For example customer.tagged."`
	At         time.Time       `json:"at" doc:"When it was recorded."`
	OccurredAt *time.Time      `json:"occurred_at,omitempty" doc:"When it happened outside, if it came from outside."`
	Actor      HistoryActor    `json:"actor"`
	From       HistorySource   `json:"from"`
	Text       string          `json:"text" doc:"What happened, in the language of Accept-Language."`
	Changes    []HistoryChange `json:"changes" nullable:"false" doc:"What is different since, where it can be said by old and new values."`
	SessionID  *uuid.UUID      `json:"session_id,omitempty" format:"uuid" doc:"The session it happened in."`
	Erased     bool            `json:"erased,omitempty" doc:"The personal data of this event was erased."`
}

// HistoryActor is who did something.
type HistoryActor struct {
	Kind  string `json:"kind" doc:"admin, agent, channel, operator, policy or system."`
	ID    string `json:"id"`
	Label string `json:"label" doc:"The kind in words."`
}

// HistorySource is from where an event came.
type HistorySource struct {
	Kind string `json:"kind" enum:"request,channel_event,policy"`
	ID   string `json:"id" doc:"X-Request-Id of the request, id of the channel's event, or what the policy reacted to."`
	Text string `json:"text"`
}

// HistoryChange is a value before and after, in words.
type HistoryChange struct {
	Field string  `json:"field"`
	Label string  `json:"label" doc:"The field in words."`
	Old   *string `json:"old" doc:"null: not set."`
	New   *string `json:"new" doc:"null: not set."`
}

func (s *server) historyOperations() {
	const notes = "An event has its old and new values in words: tags and associations by name, times in the tenant's time zone."
	register(s, operation{id: "customer-history", method: http.MethodGet, path: "/v1/customers/{id}/history", tag: "Customers",
		summary: "List what happened with a customer, the latest first",
		notes: notes + " Every event that concerns the customer is there, those of sessions and suppressed messages too. An agent sees what was changed of " +
			"the customer; for what was said there is the transcript. A search for types that are rare may stop early with `partial`; `next` goes on."},
		s.customerHistory)
	register(s, operation{id: "settings-history", method: http.MethodGet, path: "/v1/settings/history", tag: "Settings",
		summary: "List the changes of the settings, the latest first", notes: notes}, s.settingsHistory)
	register(s, operation{id: "tag-history", method: http.MethodGet, path: "/v1/tags/{id}/history", tag: "Tags",
		summary: "List the changes of a tag, the latest first", notes: notes + " A tag that was deleted keeps its history."}, s.tagHistory)
	register(s, operation{id: "association-history", method: http.MethodGet, path: "/v1/associations/{id}/history", tag: "Associations",
		summary: "List the changes of an association, the latest first", notes: notes}, s.associationHistory)
}

// HistoryFilter is what to list of a history.
type HistoryFilter struct {
	After
	Type   []string `query:"type" maxItems:"50" doc:"Types such as customer.tagged, parted by commas. None: all."`
	Limit  int      `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string   `query:"cursor" maxLength:"20" doc:"next of the page before."`
}

// before is the position that a cursor stands for; 0 for the first page.
func (f *HistoryFilter) before() (int64, error) {
	if f.Cursor == "" {
		return 0, nil
	}
	before, err := strconv.ParseInt(f.Cursor, 10, 64)
	if err != nil || before < 1 {
		return 0, invalid("query.cursor", ruleCursor)
	}
	return before, nil
}

// types checks the types that are asked for against those there can be.
func (f *HistoryFilter) types(known []string) error {
	for _, t := range f.Type {
		if !slices.Contains(known, t) {
			return invalid("query.type", domain.RuleOneOf)
		}
	}
	return nil
}

type historyPage struct {
	Served
	Body List[HistoryItem]
}

type customerHistoryPage struct {
	ServedPast
	Body List[HistoryItem]
}

type customerHistoryInput struct {
	HistoryFilter
	Past
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) customerHistory(ctx context.Context, r *request, in *customerHistoryInput) (out *customerHistoryPage, err error) {
	err = s.ofCustomer(ctx, r, in.AsOf, in.ID, func(then *server) error {
		out, err = then.history(ctx, r, in)
		return err
	})
	return out, err
}

func (s *server) history(ctx context.Context, r *request, in *customerHistoryInput) (*customerHistoryPage, error) {
	agent, err := s.customersOf(ctx, r)
	if err != nil {
		return nil, err
	}
	before, err := in.before()
	if err != nil {
		return nil, err
	}
	if err := in.types(projections.HistoryTypes()); err != nil {
		return nil, err
	}
	if _, err := s.serve(ctx, projections.CustomersName, r.who.Tenant, in.After); err != nil {
		return nil, err
	}
	if _, err := s.Customers.OneServedBy(ctx, r.who.Tenant, agent, in.ID); err != nil {
		return nil, err
	}
	served, err := s.serve(ctx, projections.HistoryName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	if s.past != nil && (before == 0 || before > s.past.Position) {
		before = s.past.Position + 1
	}
	types := in.Type
	if r.scope == access.Own {
		// Other agents' conversations are not theirs to read.
		if types = ofTheCustomer(types); len(types) == 0 {
			return &customerHistoryPage{s.at(served), List[HistoryItem]{Items: []HistoryItem{}}}, nil
		}
	}
	page, err := projections.NewHistory(s.Store, s.Projector).
		Of(ctx, r.who.Tenant, projections.HistoryQuery{Customer: in.ID, Types: types, Before: before, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	n, err := s.narrator(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := s.nameDeletedTags(ctx, r, n, page.Events); err != nil {
		return nil, err
	}
	out := &customerHistoryPage{s.at(served), List[HistoryItem]{Items: make([]HistoryItem, 0, len(page.Events)), Partial: page.Partial}}
	for i := range page.Events {
		t := n.of(&page.Events[i])
		out.Body.Items = append(out.Body.Items, t.item(t.changes()))
	}
	if page.Next > 0 {
		out.Body.Next = strconv.FormatInt(page.Next, 10)
	}
	return out, nil
}

// ofTheCustomer keeps the types of events of the customer's own stream; of none given, all of them.
func ofTheCustomer(types []string) []string {
	if len(types) == 0 {
		types = projections.HistoryTypes()
	}
	return slices.DeleteFunc(slices.Clone(types), func(t string) bool { return !strings.HasPrefix(t, "customer.") })
}

// narrator knows the names as they are now.
func (s *server) narrator(ctx context.Context, r *request) (*narrator, error) {
	has, err := s.entries(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	autoMessages, _, err := s.Catalogues.AutoMessages(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	n := &narrator{language: r.language, zone: has.zone, personal: r.who.Personal, tags: has.tags.Names, associations: map[int]string{}, fields: has.fields, autoMessages: autoMessages.Names()}
	if n.tags == nil {
		n.tags = map[uuid.UUID]string{}
	}
	for _, a := range has.associations.All {
		n.associations[a.ID] = a.Name
	}
	return n, nil
}

// nameDeletedTags adds the last names of tags that these events name and that are not there any more.
func (s *server) nameDeletedTags(ctx context.Context, r *request, n *narrator, events []eventstore.Decoded) error {
	named := func(id uuid.UUID) bool { _, known := n.tags[id]; return known }
	missing := slices.ContainsFunc(events, func(e eventstore.Decoded) bool {
		switch payload := e.Payload.(type) {
		case customer.Tagged:
			return !named(payload.Tag)
		case customer.Untagged:
			return !named(payload.Tag)
		case customer.Created:
			return slices.ContainsFunc(payload.Tags, func(id uuid.UUID) bool { return !named(id) })
		}
		return false
	})
	if !missing {
		return nil
	}
	return s.catalogue(ctx, r, tag.Stream, func(e *eventstore.Decoded) {
		switch payload := e.Payload.(type) {
		case tag.Created:
			n.tags[payload.Tag] = payload.Name
		case tag.Renamed:
			n.tags[payload.Tag] = payload.Name
		}
	})
}

// catalogue reads the stream of a catalogue from its beginning.
func (s *server) catalogue(ctx context.Context, r *request, stream string, each func(e *eventstore.Decoded)) error {
	const page = 1000
	for after := int64(0); ; {
		events, err := s.Store.ReadStream(ctx, r.who.Tenant, stream, after, page)
		if err != nil {
			return err
		}
		decoded, err := s.Store.Open(ctx, events)
		if err != nil {
			return err
		}
		for i := range decoded {
			each(&decoded[i])
			after = decoded[i].Version
		}
		if len(events) < page {
			return nil
		}
	}
}
