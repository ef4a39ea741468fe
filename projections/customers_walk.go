package projections

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A walk goes through the customer list in its order, by the key that the order has an index for, in pieces that grow: the first
// hundreds answer nearly every question, and a piece is never so large that the budget is missed by much.

const (
	walkBudget = 200 * time.Millisecond
	walkFirst  = 1_000 // customers looked at in the first piece
	walkSteady = 30 * time.Millisecond
	walkMost   = 200_000
)

// listKey is a customer's place in the list.
type listKey struct {
	ID      uuid.UUID
	Ordinal int64
	At      time.Time // last_session_at, if that is the order
}

type walk struct {
	ctx    context.Context
	pool   *pgxpool.Pool
	schema string
	tenant string
	q      ListQuery

	bySession, descending bool // the order of the list
	from                  cursor
	given                 bool // from is a cursor
	partial               bool
	stoppedAt             listKey // where a partial walk stopped
	more                  bool    // there is more after the page, in the direction of the walk
}

func (w *walk) start() (err error) {
	if w.q.Sort == "" {
		w.q.Sort = SortCreatedDesc
	}
	switch w.q.Sort {
	case SortCreated:
	case SortCreatedDesc:
		w.descending = true
	case SortLastSession:
		w.bySession = true
	case SortLastSessionDesc:
		w.bySession, w.descending = true, true
	default:
		return ErrSort
	}
	w.from, w.given, err = parseCursor(w.q.Cursor, w.q.Sort)
	return err
}

// residual reports whether customers on the way may not match, so that the walk has to look at more than it returns.
func (w *walk) residual() bool {
	return w.q.Tags != nil || w.q.Channels != nil || w.q.Name != "" || w.q.ID != "" ||
		w.bySession && !(w.q.From.IsZero() && w.q.To.IsZero())
}

// nobody reports whether a condition cannot hold for anybody.
func (w *walk) nobody() bool {
	return w.q.Tags != nil && len(w.q.Tags) == 0 || w.q.Channels != nil && len(w.q.Channels) == 0
}

// page returns the keys of the page, in the order of the list.
func (w *walk) page() ([]listKey, error) {
	descending := w.descending != w.from.Back
	start := listKey{Ordinal: w.from.Ordinal, At: w.from.At}
	keys, err := w.collect(start, w.given, descending, w.q.Limit+1, walkBudget)
	if err != nil {
		return nil, err
	}
	if w.more = len(keys) > w.q.Limit; w.more {
		keys = keys[:w.q.Limit]
	}
	if w.from.Back {
		slices.Reverse(keys)
	}
	return keys, nil
}

// cursors returns the cursors to the next page and the one before.
func (w *walk) cursors(keys []listKey) (next, prev string) {
	at := func(k listKey, back bool) string {
		c := cursor{Sort: w.q.Sort, Back: back, Ordinal: k.Ordinal}
		if w.bySession {
			c.At = k.At.UTC()
		}
		return c.String()
	}
	after, before := w.more, w.given // is there anything beyond either end?
	if w.from.Back {
		after, before = true, w.more
	}
	if len(keys) > 0 {
		if after {
			next = at(keys[len(keys)-1], false)
		}
		if before {
			prev = at(keys[0], true)
		}
	}
	switch {
	case w.partial && w.from.Back:
		prev = at(w.stoppedAt, true)
	case w.partial:
		next = at(w.stoppedAt, false)
	}
	return next, prev
}

// count counts all that match, up to a bound and within half a budget. keys is the page, which is all there is if nothing is beyond it.
func (w *walk) count(keys []listKey) (Count, error) {
	if !w.given && !w.more && !w.partial {
		return Count{Value: int64(len(keys)), Exact: true}, nil
	}
	outer := w.partial
	w.partial = false
	all, err := w.collect(listKey{}, false, w.descending, countBound+1, walkBudget/2)
	exact := !w.partial && len(all) <= countBound
	w.partial = outer
	return Count{Value: int64(min(len(all), countBound)), Exact: exact}, err
}

// collect returns the first want keys after a place. It sets partial, and stoppedAt, when the budget was spent before.
func (w *walk) collect(after listKey, given, descending bool, want int, budget time.Duration) (found []listKey, err error) {
	if w.nobody() {
		return nil, nil
	}
	began := time.Now()
	piece := want // without a residual condition the first piece is the answer
	if w.residual() {
		piece = max(walkFirst, want)
	}
	for {
		pieceBegan := time.Now()
		keys, last, seen, err := w.piece(after, given, descending, piece, want-len(found))
		if err != nil {
			return nil, err
		}
		found = append(found, keys...)
		if len(found) >= want || seen < piece {
			return found, nil
		}
		after, given = last, true
		if time.Since(began) > budget {
			w.partial, w.stoppedAt = true, last
			return found, nil
		}
		if time.Since(pieceBegan) < walkSteady {
			piece = min(2*piece, walkMost)
		}
	}
}

// piece looks at the next customers in the order and returns those that match, the last one looked at and how many were looked at.
func (w *walk) piece(after listKey, given, descending bool, size, want int) (keys []listKey, last listKey, seen int, err error) {
	sql, args := w.sql(after, given, descending, size, want)
	rows, err := w.pool.Query(w.ctx, sql, args...)
	if err != nil {
		return nil, last, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var id *uuid.UUID
		var k listKey
		var n int
		if err := rows.Scan(&id, &k.Ordinal, &k.At, &n); err != nil {
			return nil, last, 0, err
		}
		if id == nil { // the last row says where the piece ended
			last, seen = k, n
			continue
		}
		k.ID = *id
		keys = append(keys, k)
	}
	return keys, last, seen, rows.Err()
}

// arguments collects bound values and names them.
type arguments []any

func (a *arguments) bind(v any) string {
	*a = append(*a, v)
	return fmt.Sprintf("$%d", len(*a))
}

// sql is the statement of one piece: a walk of the order's index, the residual conditions, and a last row about the piece itself.
func (w *walk) sql(after listKey, given, descending bool, size, want int) (string, []any) {
	var args arguments
	table, key, at := "customer", "o.ordinal", "o.created_at"
	if w.bySession {
		table, key, at = "customer_activity", "(o.last_session_at, o.ordinal)", "o.last_session_at"
	}
	less, direction := "<", "desc"
	if !descending {
		less, direction = ">", "asc"
	}
	where := []string{"o.tenant = " + args.bind(w.tenant)}
	if given {
		place := args.bind(after.Ordinal)
		if w.bySession {
			place = fmt.Sprintf("(%s, %s)", args.bind(after.At), place)
		}
		where = append(where, fmt.Sprintf("%s %s %s", key, less, place))
	}
	var match, joins []string
	if !w.q.From.IsZero() || !w.q.To.IsZero() {
		where, match = w.created(where, match, &args)
	}
	order := fmt.Sprintf("o.ordinal %s", direction)
	if w.bySession {
		order = fmt.Sprintf("o.last_session_at %s, o.ordinal %s", direction, direction)
	}
	if w.bySession && (w.q.Tags != nil || w.q.Channels != nil || len(match) > 0) {
		joins = append(joins, "join $.customer c on c.tenant = p.tenant and c.id = p.id")
	}
	c := "c"
	columns := "o.tenant, o.id, o.ordinal, " + at + " as at"
	if !w.bySession {
		c = "p"
		columns += ", o.tags, o.channel"
	}
	if w.q.Tags != nil {
		match = append(match, fmt.Sprintf("%s.tags && %s::uuid[]", c, args.bind(w.q.Tags)))
	}
	if w.q.Channels != nil {
		match = append(match, fmt.Sprintf("%s.channel = any(%s::text[])", c, args.bind(w.q.Channels)))
	}
	if w.q.Name != "" || w.q.ID != "" {
		joins = append(joins, "join $.customer_text t on t.tenant = p.tenant and t.ordinal = p.ordinal")
	}
	if w.q.Name != "" {
		needle := args.bind(w.q.Name)
		match = append(match, fmt.Sprintf("(strpos(t.nickname, %s) > 0 or strpos(t.name, %s) > 0)", needle, needle))
	}
	if w.q.ID != "" {
		match = append(match, fmt.Sprintf("strpos(t.external_id, %s) > 0", args.bind(w.q.ID)))
	}
	if len(match) == 0 {
		match = []string{"true"}
	}
	final := fmt.Sprintf("p.ordinal %s", direction)
	if w.bySession {
		final = fmt.Sprintf("p.at %s, p.ordinal %s", direction, direction)
	}
	return in(w.schema, fmt.Sprintf(`with p as materialized (
		select %s from $.%s o where %s order by %s limit %s)
	(select p.id, p.ordinal, p.at, 0 from p %s where %s order by %s limit %s)
	union all
	(select null, p.ordinal, p.at, (select count(*)::int from p) from p order by %s limit 1)`,
		columns, table, strings.Join(where, " and "), order, args.bind(size),
		strings.Join(joins, " "), strings.Join(match, " and "), final, args.bind(want),
		reversed(final))), args
}

// created adds the bounds of created_at: in the order of creation they bound the ordinals, in any other they are a residual condition.
func (w *walk) created(where, match []string, args *arguments) (bounds, residual []string) {
	for _, b := range []struct {
		at             time.Time
		compare, bound string
	}{
		{w.q.From, ">=", "o.ordinal >= (select b.ordinal from $.customer b where b.tenant = $1 and b.created_at >= %s order by b.created_at, b.ordinal limit 1)"},
		{w.q.To, "<", "o.ordinal <= (select b.ordinal from $.customer b where b.tenant = $1 and b.created_at < %s order by b.created_at desc, b.ordinal desc limit 1)"},
	} {
		switch {
		case b.at.IsZero():
		case w.bySession:
			match = append(match, fmt.Sprintf("c.created_at %s %s", b.compare, args.bind(b.at)))
		default:
			where = append(where, fmt.Sprintf(b.bound, args.bind(b.at)))
		}
	}
	return where, match
}

// reversed turns an order round.
func reversed(order string) string {
	return strings.NewReplacer(" desc", " asc", " asc", " desc").Replace(order)
}

// in puts a build's schema in place of every "$.".
func in(schema, sql string) string {
	return strings.ReplaceAll(sql, "$.", pgx.Identifier{schema}.Sanitize()+".")
}
