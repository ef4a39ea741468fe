package projections

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/domain/filter"
	"customercenter/domain/session"
	"customercenter/domain/settings"
	"customercenter/domain/suppressed"
	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

// Hindsight is what would have become of a group, had it been defined at an instant of the past.
type Hindsight struct {
	From  time.Time `json:"from" doc:"When the group would have been defined; no earlier than the first event of the log."`
	Until time.Time `json:"until" doc:"Up to when history was looked at: when it was asked for."`
	// Position is the last one of the log that was looked at.
	Position  int64 `json:"position" doc:"Of the log, up to which history was looked at."`
	Customers int64 `json:"customers" doc:"How many customers were looked at, those too who are none any more."`
	// Unread are customers with an event that cannot be read or folded. They are in none of the other figures.
	Unread  int64      `json:"unread" doc:"How many more could not be looked at, because an event of theirs cannot be read. They are counted nowhere else."`
	Start   int64      `json:"start" doc:"How many would have been in the group at once."`
	Entered int64      `json:"entered" doc:"How often somebody would have entered afterwards."`
	Left    int64      `json:"left" doc:"How often somebody would have left."`
	Members int64      `json:"members" doc:"How many would be in the group at the end."`
	Days    []GroupDay `json:"days" nullable:"false" doc:"Each day from the first to the last, in the tenant's zone as it is now. Those who would have been in the group at once are in the members of the first day, and did not enter."`
}

// whatIfPage is how many customers are looked at together.
const whatIfPage = 500

// whatIfSessions is how many sessions are read together.
const whatIfSessions = 500

// WhatIfQuery is what to ask of history.
type WhatIfQuery struct {
	Rule *filter.Filter
	From time.Time // of the definition
	// Position and Until are a watermark of the log (see eventstore.Store.Watermark): how far history goes.
	Position int64
	Until    time.Time
}

// WhatIf lets a rule judge over history, as if a group with it had been defined at an instant: the members, entries and leaves are those that the read
// model of groups would have, as it is the same fold that makes them, what the clock does by itself included. It reads the log, customer by customer, and
// writes nothing. progress hears of how many customers of about how many have been looked at; moved of each entry and leave, of one customer in order, the
// entries at the definition too. A field that did not exist at that instant is one that nobody had set.
func (g *Groups) WhatIf(ctx context.Context, tenant string, q WhatIfQuery, progress func(done, total int64), moved func(GroupMove) error) (Hindsight, error) {
	w := whatIf{groups: g, tenant: tenant, moved: moved, days: map[string]GroupDay{}, heard: GroupsDefinition()}
	w.told = Hindsight{From: micros(q.From), Until: micros(q.Until), Position: q.Position}
	if err := w.begin(ctx, q.Rule); err != nil {
		return Hindsight{}, fmt.Errorf("projections: what if: %w", err)
	}
	total, err := g.created(ctx, tenant)
	if err != nil {
		return Hindsight{}, fmt.Errorf("projections: what if: %w", err)
	}
	for after := ""; ; {
		streams, err := g.store.Streams(ctx, tenant, customerStreams, after, whatIfPage)
		if err == nil {
			err = w.judge(ctx, streams)
		}
		if err != nil {
			return Hindsight{}, fmt.Errorf("projections: what if: %w", err)
		}
		done := w.told.Customers + w.told.Unread
		if len(streams) < whatIfPage {
			progress(done, done)
			return w.tell(), nil
		}
		after = streams[len(streams)-1]
		progress(done, max(done, total))
	}
}

// customerStreams is what the names of customers' streams begin with.
var customerStreams = strings.TrimSuffix(customer.Stream(uuid.Nil), uuid.Nil.String())

// created is how many times somebody became a customer of a tenant, as far as the read model has got.
func (g *Groups) created(ctx context.Context, tenant string) (n int64, err error) {
	err = g.snapshot(ctx, func(tx pgx.Tx, schema string) error {
		return tx.QueryRow(ctx, in(schema, `select coalesce(sum(ordinals), 0)::bigint from $.group_state where tenant = $1`), tenant).Scan(&n)
	})
	return n, err
}

// whatIf is one rule on its way through history.
type whatIf struct {
	groups *Groups
	tenant string
	moved  func(GroupMove) error
	heard  projector.Definition

	behind     int64     // the position behind which it would be defined
	group      uuid.UUID // whom the rule belongs to; no group of the tenant
	book       *ruleBook // the only rule in it is the one that is asked about
	suppressed bool      // the rule reads what is on the streams of suppressed messages
	sessions   bool      // the rule reads what is on the streams of sessions
	told       Hindsight
	days       map[string]GroupDay // what happened, by date
}

// begin finds out where it begins, and what the rule meant on the way.
func (w *whatIf) begin(ctx context.Context, rule *filter.Filter) (err error) {
	store := w.groups.store
	first, err := store.ReadLog(ctx, w.tenant, 0, 1)
	if err != nil {
		return err
	}
	began := w.told.Until // an empty log begins at the end
	if len(first) > 0 {
		began = first[0].RecordedAt
	}
	if w.told.From.Before(began) {
		w.told.From = micros(began)
	}
	if w.behind, err = store.PositionAt(ctx, w.tenant, w.told.From.Add(-time.Microsecond)); err != nil {
		return err
	}
	w.group = uuid.NewSHA1(uuid.Nil, rule.JSON())
	r := newGroupRule(w.group, 1, rule)
	w.suppressed = slices.ContainsFunc(r.fields, func(f string) bool { return slices.Contains(suppressedFields, f) })
	w.sessions = slices.ContainsFunc(r.fields, func(f string) bool { return slices.Contains(sessionFields, f) })
	w.book, err = w.meaning(ctx, r)
	return err
}

// Fields of filters that events on the streams of sessions and of suppressed messages change.
var (
	sessionFields    = []string{"message_count", "last_message_at", "rating_avg", "rating_last", "last_agent", "ever_served"}
	suppressedFields = []string{"suppressed_count"}
)

// meaning is the book of what the rule meant when.
func (w *whatIf) meaning(ctx context.Context, rule *groupRule) (*ruleBook, error) {
	store := w.groups.store
	stored, err := store.ReadStreams(ctx, w.tenant, []string{settings.Stream, tag.Stream, field.Stream}, []int64{0, 0, 0})
	if err != nil {
		return nil, err
	}
	events, err := store.Open(ctx, stored)
	if err != nil {
		return nil, err
	}
	b, err := readRuleBook(slices.Values[[]*groupCatalogueRow](nil))
	if err != nil {
		return nil, err
	}
	then := slices.IndexFunc(events, func(e eventstore.Decoded) bool { return e.Position > w.behind })
	if then < 0 {
		then = len(events)
	}
	for i := range events {
		if i == then {
			b.adopt(rule, w.behind, w.told.From)
		}
		e := &events[i]
		payload, ok := e.Payload.(domain.Event)
		if !ok {
			return nil, fmt.Errorf("%s is not an event of the domain", e.Type)
		}
		if e.Position > w.told.Position {
			break
		}
		if err := b.apply(payload, e.Position, micros(e.RecordedAt)); err != nil {
			return nil, err
		}
	}
	if then == len(events) {
		b.adopt(rule, w.behind, w.told.From)
	}
	return b, nil
}

// read reads streams and keeps what the fold hears of them, as far as history is looked at.
func (w *whatIf) read(ctx context.Context, streams []string) ([]heardEvent, error) {
	stored, err := w.groups.store.ReadStreams(ctx, w.tenant, streams, make([]int64, len(streams)))
	if err != nil {
		return nil, err
	}
	stored = slices.DeleteFunc(stored, func(e eventstore.Event) bool {
		return e.Position > w.told.Position || !slices.Contains(w.heard.Types, e.Type)
	})
	decoded, failed, err := w.heard.Open(ctx, w.groups.store, stored)
	if err != nil {
		return nil, err
	}
	events := make([]heardEvent, len(decoded))
	for i := range events {
		events[i] = heardEvent{decoded[i], failed[i]}
	}
	return events, nil
}

// heardEvent is an event, or why it cannot be decoded.
type heardEvent struct {
	eventstore.Decoded
	failed error
}

// byCustomer orders events by whom they concern, and those of each as they happened.
func byCustomer(a, b heardEvent) int {
	return cmp.Or(slices.Compare(a.Customer[:], b.Customer[:]), cmp.Compare(a.Position, b.Position))
}

// judge lets the rule judge the customers of some streams.
func (w *whatIf) judge(ctx context.Context, streams []string) error {
	if w.suppressed {
		for _, stream := range slices.Clone(streams) {
			id, err := uuid.Parse(strings.TrimPrefix(stream, customerStreams))
			if err != nil {
				return fmt.Errorf("%s is no customer's stream", stream)
			}
			streams = append(streams, suppressed.Stream(id))
		}
	}
	own, err := w.read(ctx, streams)
	if err != nil {
		return err
	}
	slices.SortFunc(own, byCustomer)
	for len(own) > 0 {
		n, talks := w.piece(own)
		some := slices.Clone(own[:n])
		own = own[n:]
		if len(talks) > 0 {
			talked, err := w.read(ctx, talks)
			if err != nil {
				return err
			}
			some = append(some, talked...)
			slices.SortFunc(some, byCustomer)
		}
		for len(some) > 0 {
			n := ofTheFirst(some)
			if err := w.live(some[:n]); err != nil {
				return err
			}
			some = some[n:]
		}
	}
	return nil
}

// ofTheFirst is how many of these events concern the customer whom the first one concerns.
func ofTheFirst(events []heardEvent) int {
	n := slices.IndexFunc(events, func(e heardEvent) bool { return e.Customer != events[0].Customer })
	if n < 0 {
		return len(events)
	}
	return n
}

// piece is how many of these events, all of some customers, are looked at together, and the streams of these customers' sessions if the rule asks for
// them: so few that memory has little to do with how many sessions there are.
func (w *whatIf) piece(events []heardEvent) (n int, talks []string) {
	if !w.sessions {
		return len(events), nil
	}
	for n < len(events) && len(talks) < whatIfSessions {
		next := n + ofTheFirst(events[n:])
		for _, e := range events[n:next] {
			if opened, ok := e.Payload.(customer.SessionOpened); ok {
				talks = append(talks, session.Stream(opened.Session))
			}
		}
		n = next
	}
	return n, talks
}

// live takes one customer through history and notes what the rule says to it.
func (w *whatIf) live(events []heardEvent) error {
	changes, err := w.changes(events)
	if err != nil {
		w.told.Unread++
		return nil
	}
	w.told.Customers++
	for _, c := range changes {
		move := GroupMove{Customer: c.Customer, Entered: c.Entered, At: c.At, Cause: Cause{Kind: c.Kind, At: c.At}}
		if c.Position > 0 {
			move.Cause.EventPosition = &c.Position
		}
		if err := json.Unmarshal([]byte(c.Evidence), &move.Evidence); err != nil {
			return err
		}
		if c.Kind == causeRule && c.Position == w.behind {
			w.told.Start++
		} else {
			w.count(&move)
		}
		if err := w.moved(move); err != nil {
			return err
		}
	}
	return nil
}

// changes are the entries and leaves of one customer, as the fold of the read model makes them.
func (w *whatIf) changes(events []heardEvent) (changes []*groupChangeRow, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic of type %T", p) // its text may quote a value
		}
	}()
	f := newGroupsFold().(*groupsFold)
	last := w.book.latest()
	f.book, f.kept = w.book, map[int64]int64{}
	f.states.Create(groupStateRow{Name: groupState, Base: last, Target: last})
	for i := range events {
		if e := &events[i]; e.Type == "customer.created" {
			f.kept[e.Position] = int64(i) + 1 // any number, but for each life another one
		}
	}
	for i := range events {
		err := events[i].failed
		if err == nil {
			err = f.Apply(&events[i].Decoded)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := f.Settle(events[0].Customer, w.told.Until); err != nil {
		return nil, err
	}
	changes = slices.DeleteFunc(slices.Collect(f.changes.All()), func(c *groupChangeRow) bool { return c.ID < 0 })
	slices.SortFunc(changes, func(a, b *groupChangeRow) int { return cmp.Compare(a.ID, b.ID) })
	return changes, nil
}

// count adds an entry or a leave to the figures.
func (w *whatIf) count(m *GroupMove) {
	date := m.At.In(w.book.calendar.Zone).Format(time.DateOnly)
	day := w.days[date]
	if m.Entered {
		day.Entered++
		w.told.Entered++
	} else {
		day.Left++
		w.told.Left++
	}
	w.days[date] = day
}

// tell adds up the days.
func (w *whatIf) tell() Hindsight {
	told := w.told
	told.Members, told.Days = told.Start, []GroupDay{}
	zone := w.book.calendar.Zone
	last := told.Until.In(zone).Format(time.DateOnly)
	first := told.From.In(zone)
	for n := 0; ; n++ { // of a day at noon, so that no change of the clocks makes two of it
		day := GroupDay{Date: time.Date(first.Year(), first.Month(), first.Day()+n, 12, 0, 0, 0, time.UTC).Format(time.DateOnly)}
		if day.Date > last {
			return told
		}
		day.Entered, day.Left = w.days[day.Date].Entered, w.days[day.Date].Left
		told.Members += day.Entered - day.Left
		day.Members = told.Members
		told.Days = append(told.Days, day)
	}
}
