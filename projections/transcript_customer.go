package projections

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/session"
	"customercenter/eventstore"
)

// A customer's transcript is one continuous flow: the sessions in the order in which they began, and each session's items in the
// order in which they were recorded. So a late message stays in its session. Which sessions there are says the read model; what is in
// them say their streams. A page costs two round trips, however many sessions there are and however long they are.

// TranscriptQuery says which part of a customer's transcript is wanted: its end, unless Before, After or Session says otherwise. At most
// one of them may be set.
type TranscriptQuery struct {
	Customer uuid.UUID
	Agent    string    // only sessions that this agent has or ever had; empty: all
	Before   string    // TranscriptPage.Before of another page of the same query: what is earlier
	After    string    // TranscriptPage.After of another page: what is later
	Session  uuid.UUID // from the beginning of this session on
	Limit    int       // 1 to 200; 0 is 50
}

// TranscriptPage is a part of a transcript, the earliest first.
type TranscriptPage struct {
	Items []TranscriptItem `json:"items"`
	// Before and After are cursors to what is earlier and what is later; empty if nothing is.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

const transcriptSort = "transcript"

// talk is a session on the way.
type talk struct {
	at    sessionKey
	items int // that it has at least
}

// Transcript returns a part of a customer's transcript. ErrCursor; ErrNotFound if the Session asked for is not the customer's, or not one
// of the agent's. A customer who has no session, or does not exist, has no items.
func (s *Sessions) Transcript(ctx context.Context, tenant string, q TranscriptQuery) (TranscriptPage, error) {
	build, err := s.builds.Live(ctx, SessionsName)
	if err != nil {
		return TranscriptPage{}, err
	}
	t := &transcript{Sessions: s, ctx: ctx, schema: build.Schema, tenant: tenant, q: q}
	t.q.Limit = limit(q.Limit)
	page, err := t.page()
	if err != nil && !errors.Is(err, ErrCursor) && !errors.Is(err, ErrNotFound) {
		return TranscriptPage{}, fmt.Errorf("projections: transcript: %w", err)
	}
	return page, err
}

type transcript struct {
	*Sessions
	ctx            context.Context
	schema, tenant string
	q              TranscriptQuery

	from  cursor
	given bool // there is a place to go on from
	back  bool // towards the beginning
}

// place finds out where the page begins. It reports whether there is anything on the other side of that place.
func (t *transcript) place() (beyond bool, err error) {
	switch {
	case t.q.Session != uuid.Nil:
		t.given = true
		if t.from.At, err = t.started(); err != nil {
			return false, err
		}
		t.from.ID = t.q.Session
		earlier, err := t.talks(true, 2) // this one and one before it
		return len(earlier) == 2, err
	case t.q.After != "":
		t.from, t.given, err = parseCursor(t.q.After, transcriptSort)
	default:
		t.back = true
		t.from, t.given, err = parseCursor(t.q.Before, transcriptSort)
	}
	if err == nil && t.given && t.q.Session == uuid.Nil && !t.from.of(t.past) {
		err = ErrCursor
	}
	return t.given, err
}

// until is the position after which nothing is told.
func (t *transcript) until() int64 {
	if t.past != nil {
		return t.past.Position
	}
	return math.MaxInt64
}

func (t *transcript) page() (TranscriptPage, error) {
	beyond, err := t.place()
	if err != nil {
		return TranscriptPage{}, err
	}
	// Every session has an item, but the one where the last page ended may have no more.
	talks, err := t.talks(t.back, t.q.Limit+2)
	if err != nil {
		return TranscriptPage{}, err
	}
	items, err := t.items(talks, t.q.Limit+1)
	if err != nil {
		return TranscriptPage{}, err
	}
	more := len(items) > t.q.Limit
	if more {
		items = items[:t.q.Limit]
	}
	page := TranscriptPage{Items: items}
	if len(items) == 0 {
		return page, nil
	}
	began := make(map[uuid.UUID]talk, len(talks))
	for _, one := range talks {
		began[one.at.ID] = one
	}
	at := func(i TranscriptItem) string {
		return cursor{Sort: transcriptSort, At: began[i.SessionID].at.At.UTC(), ID: i.SessionID, Ordinal: i.Version, Past: t.past}.String()
	}
	if t.back {
		slices.Reverse(items)
	}
	if t.back && more || !t.back && beyond {
		page.Before = at(items[0])
	}
	if !t.back && more || t.back && beyond {
		page.After = at(items[len(items)-1])
	}
	return page, nil
}

// talks returns the next sessions from the place on, that of the place itself included.
func (t *transcript) talks(back bool, want int) ([]talk, error) {
	sql, args := t.talksSQL(back, want)
	rows, err := t.pool.Query(t.ctx, sql, append([]any{planned}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (talk, error) {
		var one talk
		err := row.Scan(&one.at.ID, &one.at.At, &one.items)
		return one, err
	})
}

// started is when the session that was asked for began.
func (t *transcript) started() (at time.Time, err error) {
	sql := `select started_at from $.session where tenant = $1 and id = $2 and customer = $3`
	if t.q.Agent != "" {
		sql = `select started_at from $.session_agent where tenant = $1 and session = $2 and customer = $3 and agent = $4 and id = $5`
	}
	args := []any{t.tenant, t.q.Session, t.q.Customer}
	if t.q.Agent != "" {
		args = append(args, t.q.Agent, sessionAgent(t.q.Session, t.q.Agent))
	}
	err = t.pool.QueryRow(t.ctx, in(t.schema, sql), append([]any{planned}, args...)...).Scan(&at)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	return at, err
}

func (t *transcript) talksSQL(back bool, want int) (string, []any) {
	var args arguments
	where := []string{"o.tenant = " + args.bind(t.tenant), "o.customer = " + args.bind(t.q.Customer)}
	table, id, items := "$.session o", "id", "o"
	if t.q.Agent != "" {
		where = append(where, "o.agent = "+args.bind(t.q.Agent))
		table, id, items = "$.session_agent o cross join lateral (select b.message_count from $.session b where b.tenant = $1 and b.id = o.session offset 0) s", "session", "s"
	}
	order, direction := ">=", "asc"
	if back {
		order, direction = "<=", "desc"
	}
	if t.given {
		where = append(where, fmt.Sprintf("(o.started_at, o.%s) %s (%s, %s)", id, order, args.bind(t.from.At), args.bind(t.from.ID)))
	}
	return in(t.schema, fmt.Sprintf(`select o.%s, o.started_at, %s.message_count + 1 from %s where %s order by o.started_at %s, o.%s %s limit %s`,
		id, items, table, conjunction(where), direction, id, direction, args.bind(want))), args
}

// items reads what the sessions hold, in their order, up to a number of items. It reads no more sessions at a time than are needed by
// what the read model knows of them.
func (t *transcript) items(talks []talk, want int) ([]TranscriptItem, error) {
	items := []TranscriptItem{}
	for len(talks) > 0 && len(items) < want {
		var streams []string
		var from []int64
		for sum := len(items); len(talks) > 0 && sum < want; talks = talks[1:] {
			one := talks[0]
			version := int64(0)
			if t.back {
				version = math.MaxInt64
			}
			if t.given && one.at.ID == t.from.ID {
				version = t.from.Ordinal // nobody knows how many are left
			} else {
				sum += one.items
			}
			streams, from = append(streams, session.Stream(one.at.ID)), append(from, version)
		}
		events, err := t.store.ReadAcross(t.ctx, t.tenant, streams, from, transcriptTypes, t.until(), t.back, want-len(items))
		if err != nil {
			return nil, err
		}
		decoded, err := t.store.Open(t.ctx, events)
		if err != nil {
			return nil, err
		}
		for i := range decoded {
			id, _ := sessionOf(decoded[i].Stream)
			if item, ok := transcriptItem(id, &decoded[i]); ok {
				items = append(items, item)
			}
		}
	}
	return items, nil
}

// transcriptTypes are the events that are items.
var transcriptTypes = []string{
	session.Started{}.EventType(), session.MessageRecorded{}.EventType(), session.Closed{}.EventType(), session.Aborted{}.EventType(),
}

// ItemAt returns the item that was recorded at a position of a tenant's log. ErrNotFound if what is there is no item of a transcript.
func ItemAt(ctx context.Context, store *eventstore.Store, tenant string, position int64) (TranscriptItem, error) {
	events, err := store.ReadLog(ctx, tenant, position-1, 1)
	if err != nil {
		return TranscriptItem{}, fmt.Errorf("projections: item: %w", err)
	}
	decoded, err := store.Open(ctx, events)
	if err != nil {
		return TranscriptItem{}, fmt.Errorf("projections: item: %w", err)
	}
	if len(decoded) == 0 || decoded[0].Position != position {
		return TranscriptItem{}, ErrNotFound
	}
	id, _ := sessionOf(decoded[0].Stream)
	item, ok := transcriptItem(id, &decoded[0])
	if !ok {
		return TranscriptItem{}, ErrNotFound
	}
	return item, nil
}
