package projections

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/session"
	"customercenter/eventstore"
	"customercenter/eventstore/tenancy"
	"customercenter/projections/projector"
)

//go:embed history.sql
var historySQL string

// HistoryName is the name of the read model that finds a customer's events in the log.
const HistoryName = "history"

// HistoryDefinition is the read model that finds a customer's events in the log: a mark for each that is not found by the session it
// belongs to. What the events say stays in the log.
func HistoryDefinition() projector.Definition {
	tables, indexes := projector.Sections(historySQL)
	return projector.Definition{
		Name: HistoryName, Version: 6,
		Types: []string{
			"customer.created", "customer.profile_changed", "customer.tagged", "customer.untagged",
			"customer.session_opened", "customer.session_closed", "customer.blacklisted", "customer.unblacklisted", "customer.withdrawn", "customer.erased", "customer.disclosed",
			"session.started", "session.rated", "session.web_attributes_recorded", "session.message_recorded",
			"suppressed.message_recorded",
			"auto_message.sent", "auto_message.withheld", "auto_message.delivered", "auto_message.read", "auto_message.replied",
			"projection.events_skipped",
		},
		Blind: []string{
			"customer.created", "customer.profile_changed", "customer.blacklisted", "session.rated", "session.web_attributes_recorded",
			"session.message_recorded", "suppressed.message_recorded",
		},
		Tables: tables, Indexes: indexes,
		New: newHistoryFold,
	}
}

// marked are the types of which events have a mark: all those of the customer's own streams, what was decided about their events, and those of a session that may come after
// its end. Of messages only late ones have.
var marked = []string{
	"customer.created", "customer.profile_changed", "customer.tagged", "customer.untagged",
	"customer.session_opened", "customer.session_closed", "customer.blacklisted", "customer.unblacklisted", "customer.withdrawn", "customer.erased", "customer.disclosed",
	"session.started", "session.rated", "session.web_attributes_recorded", "session.message_recorded",
	"suppressed.message_recorded",
	"auto_message.sent", "auto_message.withheld", "auto_message.delivered", "auto_message.read", "auto_message.replied",
	"projection.events_skipped",
}

// within are the types of which events lie between the beginning and the end of their session. A customer has one unfinished session at
// most, so these parts of the log never overlap. Late messages are no part of them.
var within = []string{"session.accepted", "session.transferred", "session.message_recorded", "session.closed", "session.aborted"}

// late is the member of a message that was recorded after the end of its session.
const late = "late"

type historyMarkRow struct {
	Position int64
	Customer uuid.UUID
	Type     string
	Session  *uuid.UUID
}

// historyFold is the fold of the read model "history".
type historyFold struct {
	marks *projector.Rows[int64, historyMarkRow]
}

func newHistoryFold() projector.Fold {
	type m = historyMarkRow
	return &historyFold{projector.NewRows("history_mark", "position", "bigint", func(r *m) *int64 { return &r.Position },
		projector.Value("customer", "uuid", func(r *m) *uuid.UUID { return &r.Customer }),
		projector.Value("type", "text", func(r *m) *string { return &r.Type }),
		projector.Value("session", "uuid", func(r *m) **uuid.UUID { return &r.Session }),
	)}
}

func (f *historyFold) Tables() []projector.Table { return []projector.Table{f.marks} }

// Touch names nothing: a mark is made once and never changed.
func (f *historyFold) Touch(*eventstore.Decoded) {}

func (f *historyFold) Apply(e *eventstore.Decoded) error {
	if message, ok := e.Payload.(session.MessageRecorded); ok && !message.Late {
		return nil
	}
	mark := historyMarkRow{Position: e.Position, Customer: e.Customer, Type: e.Type}
	if id, ok := sessionOf(e.Stream); ok {
		mark.Session = &id
	}
	f.marks.Create(mark)
	return nil
}

func (f *historyFold) Skip(*eventstore.Event) {}

func (f *historyFold) Recall(uuid.UUID, []eventstore.Decoded) {}

func (f *historyFold) Forget(_ uuid.UUID, events []eventstore.Decoded) error {
	for _, e := range events {
		f.marks.Delete(e.Position)
	}
	return nil
}

// HistoryTypes are the types of events that a customer's history can have.
func HistoryTypes() []string {
	all := slices.Concat(marked, within)
	slices.Sort(all)
	return slices.Compact(all)
}

// HistoryQuery is what to read of a customer's history, the latest first.
type HistoryQuery struct {
	Customer uuid.UUID
	Types    []string // of HistoryTypes; none: all
	Before   int64    // a position: only what lies before it; 0: from the end
	Limit    int      // 1 to 200; 0 is 50
}

// HistoryPage is one page of a customer's history.
type HistoryPage struct {
	Events []eventstore.Decoded
	// Next is where the next page begins, the Before of its query; 0 at the end.
	Next int64
	// Partial says that the search for these types ran out of its budget; Next goes on where it stopped.
	Partial bool
}

// sessionBudget is how many sessions a page looks through at most.
const sessionBudget = 1000

// History reads what happened with a customer. It is safe for concurrent use.
type History struct {
	store  *eventstore.Store
	pool   *tenancy.DB
	builds Builds
}

// NewHistory returns the histories of a store, by the build that builds says is live.
func NewHistory(store *eventstore.Store, builds Builds) *History {
	return &History{store: store, pool: store.DB(), builds: builds}
}

// Of returns one page. A customer whom nobody knows has an empty history. Personal fields of an erased customer are empty, see
// eventstore.Decoded.
func (h *History) Of(ctx context.Context, tenant string, q HistoryQuery) (HistoryPage, error) {
	build, err := h.builds.Live(ctx, HistoryName)
	if err != nil {
		return HistoryPage{}, err
	}
	walk := historyWalk{History: h, ctx: ctx, schema: build.Schema, tenant: tenant, q: q, want: limit(q.Limit) + 1, horizon: 1}
	if walk.q.Before <= 0 {
		walk.q.Before = math.MaxInt64
	}
	events, err := walk.events()
	if err != nil {
		return HistoryPage{}, fmt.Errorf("projections: history: %w", err)
	}
	page := HistoryPage{}
	switch {
	case len(events) == walk.want:
		events = events[:walk.want-1]
		page.Next = events[len(events)-1].Position
	case walk.horizon > 1:
		page.Next, page.Partial = walk.horizon, true
	}
	if page.Events, err = h.store.Open(ctx, events); err != nil {
		return HistoryPage{}, fmt.Errorf("projections: history: %w", err)
	}
	return page, nil
}

// historyWalk is one walk back through a customer's events.
type historyWalk struct {
	*History
	ctx    context.Context
	schema string
	tenant string
	q      HistoryQuery
	want   int // one more than the page has, to know whether there are more
	// horizon is the position from which on everything has been looked at.
	horizon int64
}

// of keeps the types that are asked for.
func (w *historyWalk) of(types []string) []string {
	if len(w.q.Types) == 0 {
		return types
	}
	return slices.DeleteFunc(slices.Clone(types), func(t string) bool { return !slices.Contains(w.q.Types, t) })
}

// events returns the latest events, at most as many as are wanted.
func (w *historyWalk) events() ([]eventstore.Event, error) {
	var found []eventstore.Event
	if types := w.of(marked); len(types) > 0 {
		positions, err := w.markedBefore(types)
		if err != nil {
			return nil, err
		}
		if found, err = w.store.ReadPositions(w.ctx, w.tenant, positions); err != nil {
			return nil, err
		}
	}
	enough := int64(0) // nothing before this position can be on the page
	if len(found) == w.want {
		enough = found[len(found)-1].Position
	}
	if types := w.of(within); len(types) > 0 {
		inside, err := w.insideSessions(types, enough)
		if err != nil {
			return nil, err
		}
		found = append(found, inside...)
	}
	slices.SortFunc(found, func(a, b eventstore.Event) int { return int(b.Position - a.Position) })
	found = slices.DeleteFunc(found, func(e eventstore.Event) bool { return e.Position < w.horizon })
	return found[:min(len(found), w.want)], nil
}

// Each type is walked by itself, so a rare one among very many others is found at once.
const markedSQL = `select m.position from unnest($4::text[]) t(type)
	cross join lateral (select position from $.history_mark where tenant = $1 and customer = $2 and type = t.type and position < $3
		order by position desc limit $5) m
	order by m.position desc limit $5`

func (w *historyWalk) markedBefore(types []string) ([]int64, error) {
	rows, err := w.pool.Query(w.ctx, in(w.schema, markedSQL), planned, w.tenant, w.q.Customer, w.q.Before, types, w.want)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// insideSessions walks the sessions back from the latest that began before the page. Their insides do not overlap, so what it finds is in
// order.
func (w *historyWalk) insideSessions(types []string, enough int64) ([]eventstore.Event, error) {
	var found []eventstore.Event
	from, looked := w.q.Before, 0
	for take := 4; len(found) < w.want && from > enough; take = min(2*take, 64) {
		streams, first, err := w.sessionsBefore(from, take)
		if err != nil {
			return nil, err
		}
		if len(streams) == 0 {
			return found, nil
		}
		more, err := w.store.ReadBefore(w.ctx, w.tenant, streams, w.q.Before, types, late, w.want-len(found))
		if err != nil {
			return nil, err
		}
		found, from, looked = append(found, more...), first, looked+len(streams)
		if looked >= sessionBudget && len(found) < w.want {
			w.horizon = first
			return found, nil
		}
	}
	return found, nil
}

const sessionsBeforeSQL = `select session, position from $.history_mark where tenant = $1 and customer = $2 and position < $3
	and type = 'session.started' order by position desc limit $4`

// sessionsBefore names the streams of the latest sessions that began before a position, and where the first of them began.
func (w *historyWalk) sessionsBefore(position int64, take int) (streams []string, first int64, err error) {
	rows, err := w.pool.Query(w.ctx, in(w.schema, sessionsBeforeSQL), planned, w.tenant, w.q.Customer, position, take)
	if err != nil {
		return nil, 0, err
	}
	var id uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id, &first}, func() error {
		streams = append(streams, session.Stream(id))
		return nil
	})
	return streams, first, err
}
