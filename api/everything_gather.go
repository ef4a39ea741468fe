package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/automessage"
	"customercenter/domain/customer"
	"customercenter/domain/suppressed"
	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// disclosure is one answer that tells everything about a customer, on its way.
type disclosure struct {
	*server  // as of the position
	r        *request
	tell     *narrator
	all      Everything
	sessions []projections.Session // the earliest first
	streams  []string              // in which all events are that concern the customer
}

// current gathers what read models tell of the position. They are there only as long as it runs.
func (d *disclosure) current(ctx context.Context) error {
	about := &oneCustomerInput{ID: d.all.CustomerID}
	shown, err := d.customer(ctx, d.r, about)
	switch {
	case errors.Is(err, projections.ErrNotFound): // no customer any more
	case err != nil:
		return err
	default:
		d.all.Customer = &shown.Body
		in, err := d.customerGroups(ctx, d.r, about)
		if err != nil {
			return err
		}
		d.all.Groups = in.Body.Items
		if err := d.moved(ctx); err != nil {
			return err
		}
	}
	for query := (projections.SessionQuery{Customer: d.all.CustomerID, Limit: 200}); ; {
		page, err := d.Sessions.List(ctx, d.r.who.Tenant, query)
		if err != nil {
			return err
		}
		d.sessions = append(d.sessions, page.Items...)
		if query.Cursor = page.Next; page.Next == "" {
			slices.Reverse(d.sessions)
			return nil
		}
	}
}

// moved gathers entries into groups and leaves.
func (d *disclosure) moved(ctx context.Context) error {
	words, err := d.vocabulary(ctx, d.r)
	if err != nil {
		return err
	}
	moves, groups, err := d.Groups.MovesOf(ctx, d.r.who.Tenant, d.all.CustomerID)
	for i, m := range moves {
		d.all.GroupMoves = append(d.all.GroupMoves, CustomerMove{Group: projections.Named{ID: groups[i], Name: words.names.Groups[groups[i]]},
			Entered: m.Entered, At: m.At, Cause: m.Cause, Evidence: words.evidence(m.Evidence)})
	}
	return err
}

// opened reads streams up to the position. What cannot be opened is left out: it stands among the events, as such.
func (d *disclosure) opened(ctx context.Context, streams, types []string) ([]eventstore.Decoded, error) {
	events, err := d.Store.ReadStreamsTo(ctx, d.r.who.Tenant, streams, d.all.Position, types)
	if err != nil {
		return nil, err
	}
	decoded, failed, err := d.Store.OpenEach(ctx, events)
	if err != nil {
		return nil, err
	}
	whole := decoded[:0]
	for i := range decoded {
		if failed[i] == nil {
			whole = append(whole, decoded[i])
		}
	}
	return whole, nil
}

// stated gathers what the customer's own streams tell.
func (d *disclosure) stated(ctx context.Context) (err error) {
	if d.tell, err = d.narrator(ctx, d.r); err != nil {
		return err
	}
	erased, err := d.erasure(ctx, d.r, d.all.CustomerID)
	var refusal *domain.Refusal
	switch {
	case err == nil:
		d.all.Erasure = &erased
	case !errors.As(err, &refusal):
		return err
	}
	own, err := d.opened(ctx, []string{customer.Stream(d.all.CustomerID), suppressed.Stream(d.all.CustomerID)}, nil)
	if err != nil {
		return err
	}
	if err := d.nameDeletedTags(ctx, d.r, d.tell, own); err != nil {
		return err
	}
	for i := range own {
		d.state(&own[i])
	}
	if d.all.Customer != nil {
		d.all.Profile = d.profile()
	}
	return nil
}

// state adds what an event of the customer's own streams tells.
func (d *disclosure) state(e *eventstore.Decoded) {
	at := e.OccurredAt().UTC()
	switch payload := e.Payload.(type) {
	case customer.Created:
		life := Life{Generation: payload.Generation, AssociationID: payload.Association, Association: d.tell.associations[payload.Association], Channel: payload.Channel,
			ExternalID: payload.ExternalID, CreatedVia: payload.Via, CreatedAt: at, from: e.Position}
		if payload.Import != uuid.Nil {
			life.ImportID = &payload.Import
		}
		d.all.Lives = append(d.all.Lives, life)
	case customer.Withdrawn:
		d.ended("withdrawn", e)
	case customer.Erased:
		d.ended("erased", e)
	case customer.Blacklisted:
		d.all.Blacklistings = append(d.all.Blacklistings, Blacklisting{Reason: payload.Reason, By: actorOf(e), Since: at, ExpiresAt: payload.ExpiresAt})
	case customer.Unblacklisted:
		if n := len(d.all.Blacklistings); n > 0 {
			by := actorOf(e)
			d.all.Blacklistings[n-1].LiftedAt, d.all.Blacklistings[n-1].LiftedBy = &at, &by
		}
	case suppressed.MessageRecorded:
		d.all.Suppressed = append(d.all.Suppressed, SuppressedMessage{ID: payload.Message, At: at, Kind: payload.Kind, Text: payload.Text, URL: payload.URL, Name: payload.Name})
	}
}

// ended ends the last life. Whoever was withdrawn may be erased later.
func (d *disclosure) ended(how string, e *eventstore.Decoded) {
	if n := len(d.all.Lives); n > 0 {
		last, at := &d.all.Lives[n-1], e.RecordedAt.UTC()
		if last.Ended = how; last.to == 0 {
			last.EndedAt, last.to = &at, e.Position
		}
	}
}

func actorOf(e *eventstore.Decoded) projections.Actor {
	return projections.Actor{Kind: e.Envelope.Actor.Kind, ID: e.Envelope.Actor.ID, Name: e.Envelope.Actor.ID}
}

// profile is the profile in words.
func (d *disclosure) profile() (values []ProfileValue) {
	p := &d.all.Customer.Profile
	known := customer.Profile{Nickname: p.Nickname, Name: p.Name, Phone: p.Phone, QQ: p.QQ, WechatID: p.WechatID, Email: p.Email, Company: p.Company, Description: p.Description}
	if err := json.Unmarshal(p.Custom, &known.Custom); err != nil {
		d.r.log.Error("api: custom fields of a customer are not understood", "customer", d.all.CustomerID)
	}
	t := d.tell.of(&eventstore.Decoded{Event: eventstore.Event{Type: customer.ProfileChanged{}.EventType()}})
	for _, c := range t.fieldChanges(profileChanges(known)) {
		if c.New != nil {
			values = append(values, ProfileValue{Field: c.Field, Label: c.Label, Value: *c.New})
		}
	}
	return values
}

// received gathers the auto messages that the customer got, or was to get, in all lives.
func (d *disclosure) received(ctx context.Context) (err error) {
	if d.streams, err = projector.StreamsOf(ctx, d.Store, d.r.who.Tenant, d.all.CustomerID); err != nil {
		return err
	}
	catalogue, _, err := d.Catalogues.AutoMessages(ctx, d.r.who.Tenant)
	if err != nil {
		return err
	}
	var recipients, lists []string
	for _, stream := range d.streams {
		if _, is := automessage.RecipientOf(stream); is {
			recipients = append(recipients, stream)
		}
	}
	names := catalogue.Names()
	for id := range names {
		lists = append(lists, automessage.ListStream(id))
	}
	slices.Sort(lists)
	events, err := d.opened(ctx, recipients, nil)
	if err != nil {
		return err
	}
	added, err := d.opened(ctx, lists, nil)
	if err != nil {
		return err
	}
	byStream := map[string]*ReceivedAutoMessage{}
	of := func(stream string, id uuid.UUID) *ReceivedAutoMessage {
		if byStream[stream] == nil {
			text, _ := catalogue.Text(id)
			byStream[stream] = &ReceivedAutoMessage{AutoMessage: projections.Named{ID: id, Name: names[id]}, Text: text}
		}
		return byStream[stream]
	}
	for i := range events {
		e := &events[i]
		at := e.OccurredAt().UTC()
		switch payload := e.Payload.(type) {
		case automessage.Sent:
			of(e.Stream, payload.AutoMessage).SentAt = &at
		case automessage.Withheld:
			of(e.Stream, payload.AutoMessage).WithheldAt = &at
		case automessage.Delivered:
			of(e.Stream, payload.AutoMessage).DeliveredAt = &at
		case automessage.Read:
			of(e.Stream, payload.AutoMessage).ReadAt = &at
		case automessage.Replied:
			of(e.Stream, payload.AutoMessage).RepliedAt = &at
		}
	}
	for i := range added {
		payload, is := added[i].Payload.(automessage.RecipientsAdded)
		if !is || !slices.Contains(payload.Customers, d.all.CustomerID) {
			continue
		}
		at := added[i].RecordedAt.UTC()
		stream := automessage.RecipientStream(automessage.RecipientID(payload.AutoMessage, d.all.CustomerID, d.lifeAt(added[i].Position)))
		of(stream, payload.AutoMessage).ListedAt = &at
	}
	for _, m := range byStream {
		d.all.AutoMessages = append(d.all.AutoMessages, *m)
	}
	slices.SortFunc(d.all.AutoMessages, func(a, b ReceivedAutoMessage) int { return firstOf(a).Compare(firstOf(b)) })
	return nil
}

func firstOf(m ReceivedAutoMessage) time.Time {
	return *cmp.Or(m.ListedAt, m.SentAt, m.WithheldAt, m.DeliveredAt, m.ReadAt, m.RepliedAt)
}

// lifeAt is the generation of the life at a position of the log.
func (d *disclosure) lifeAt(position int64) int {
	generation := 1
	for _, l := range d.all.Lives {
		if l.from <= position {
			generation = l.Generation
		}
	}
	return generation
}

// write sends the answer, member by member: what may be long is read as it goes.
func (d *disclosure) write(ctx context.Context, to io.Writer) error {
	out := newObjectWriter(to)
	for _, m := range []struct {
		name  string
		value any
	}{
		{"customer_id", d.all.CustomerID}, {"position", d.all.Position}, {"at", d.all.At}, {"by", d.all.By}, {"erasure", d.all.Erasure}, {"customer", d.all.Customer}, {"profile", asList(d.all.Profile)},
		{"lives", asList(d.all.Lives)}, {"groups", asList(d.all.Groups)}, {"group_moves", asList(d.all.GroupMoves)}, {"blacklistings", asList(d.all.Blacklistings)},
		{"suppressed_messages", asList(d.all.Suppressed)}, {"auto_messages", asList(d.all.AutoMessages)}, {"imports", asList(d.all.Imports)}, {"bulk_actions", asList(d.all.BulkActions)},
		{"exports", asList(d.all.Exports)}, {"dead_letters", asList(d.all.DeadLetters)},
	} {
		out.member(m.name, m.value)
	}
	out.begin("sessions")
	for i := range d.sessions {
		items, err := projections.TranscriptTo(ctx, d.Store, d.r.who.Tenant, d.sessions[i].ID, d.all.Position)
		if err != nil {
			return err
		}
		out.item(SessionWithMessages{d.sessions[i], items})
	}
	out.end()
	out.begin("events")
	if err := d.events(ctx, out); err != nil {
		return err
	}
	out.end()
	out.member("complete", true)
	return out.close()
}

// events sends all events that concern the customer, page by page.
func (d *disclosure) events(ctx context.Context, out *objectWriter) error {
	read := &reading{reader: reader{store: d.Store}, tenant: d.r.who.Tenant, head: d.all.Position, from: 1, to: d.all.Position, wanted: wanted{customer: d.all.CustomerID}, streams: d.streams}
	for more := true; more; {
		page, err := read.next(ctx)
		if err != nil {
			return err
		}
		more = page.more
		decoded, failed, err := d.Store.OpenEach(ctx, page.events)
		if err != nil {
			return err
		}
		told, err := read.open(ctx, page.events)
		if err != nil {
			return err
		}
		for i := range page.events {
			e := told(i)
			one := EventWithMeaning{Stream: e.Stream, Version: e.Version, Data: e.Data, Unreadable: e.Unreadable}
			if failed[i] == nil {
				t := d.tell.of(&decoded[i])
				one.HistoryItem = t.item(t.changes())
			} else {
				one.HistoryItem = HistoryItem{Position: e.Position, Type: e.Type, At: e.RecordedAt, Changes: []HistoryChange{}}
			}
			out.item(one)
		}
		if out.err != nil {
			return out.err
		}
	}
	return nil
}

// asList is a list that is there even if it is empty.
func asList[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// keysOf are the keys of a map, in order.
func keysOf[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
