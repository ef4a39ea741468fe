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
	now    time.Time // by which a listing has expired or not

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
	return w.q.Tags != nil || w.q.Channels != nil || w.q.Name != "" || w.q.ID != "" || w.q.SessionOpen != nil || w.q.EverServed != nil ||
		w.q.Blacklisted != nil && w.narrow() != tableListing ||
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
	rows, err := w.pool.Query(w.ctx, sql, append([]any{planned}, args...)...)
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

// planned has a statement planned for the values at hand. A plan for any values would reckon with a tenth of a table where the
// limit is a thousand.
const planned = pgx.QueryExecModeCacheDescribe

// arguments collects bound values and names them.
type arguments []any

func (a *arguments) bind(v any) string {
	*a = append(*a, v)
	return fmt.Sprintf("$%d", len(*a))
}

// Tables whose index a walk may follow, besides the activities for the order of last sessions.
const (
	tableCustomer = "customer"
	tableText     = "customer_text"
	tableActivity = "customer_activity"
	tableAgent    = "customer_agent"
	tableListing  = "customer_listing"
)

// narrow is the table of the few customers among whom all hits must be; empty if there is none.
func (w *walk) narrow() string {
	switch {
	case w.q.ServedBy != "":
		return tableAgent
	case w.q.Blacklisted != nil && *w.q.Blacklisted:
		return tableListing
	}
	return ""
}

// route is the part of a walk that follows an index: o is the row of the table that has it.
type route struct {
	table string
	from  string // what is looked up at once for the order
	id    string // of the customer; null where the table does not know it
	at    string // last_session_at, where it is the order
	where []string
}

func (w *walk) route(args *arguments) route {
	r := route{table: w.narrow(), id: "o.customer", at: "timestamptz '0001-01-01 00:00:00Z'"}
	switch {
	case r.table != "":
		r.where = w.members(r.table, args)
		if w.bySession { // sorts what the table has; that is little
			r.from, r.at = " cross join lateral (select b.last_session_at from $.customer_activity b where b.tenant = $1 and b.id = o.customer offset 0) s", "s.last_session_at"
		}
	case w.bySession:
		r.table, r.id, r.at = tableActivity, "o.id", "o.last_session_at"
	case w.q.Name != "" || w.q.ID != "":
		r.table, r.id = tableText, ""
	default:
		r.table, r.id = tableCustomer, "o.id"
	}
	return r
}

// members are the conditions on a narrow table.
func (w *walk) members(table string, args *arguments) []string {
	if table == tableAgent {
		return []string{"o.agent = " + args.bind(w.q.ServedBy)}
	}
	return []string{fmt.Sprintf("(o.expires_at is null or o.expires_at > %s)", args.bind(w.now))}
}

// sql is the statement of one piece: a walk of the order's index, which says of each customer whether it is a hit as far as the walked
// table knows; the other conditions on the hits, looked up row by row (offset 0 keeps the planner from reading whole tables for
// them); and a last row about the piece itself.
func (w *walk) sql(after listKey, given, descending bool, size, want int) (string, []any) {
	var args arguments
	where := []string{"o.tenant = " + args.bind(w.tenant)}
	less, direction := "<", "desc"
	if !descending {
		less, direction = ">", "asc"
	}
	r := w.route(&args)
	where = append(where, r.where...)
	key, order := "o.ordinal", "p.ordinal "+direction
	if w.bySession {
		key, order = fmt.Sprintf("(%s, o.ordinal)", r.at), fmt.Sprintf("p.at %s, p.ordinal %s", direction, direction)
	}
	if given {
		place := args.bind(after.Ordinal)
		if w.bySession {
			place = fmt.Sprintf("(%s, %s)", args.bind(after.At), place)
		}
		where = append(where, fmt.Sprintf("%s %s %s", key, less, place))
	}
	if !w.bySession {
		where = append(where, w.ordinals(&args)...)
	}
	hit, lookups, rest := w.conditions(r.table, &args)
	id, found := r.id, "p.id"
	if id == "" {
		id, found = "null::uuid", "c.id"
	}
	return in(w.schema, fmt.Sprintf(`with p as materialized (
			select %s as id, o.ordinal, %s as at, %s as hit from $.%s o%s where %s order by %s limit %s)
		(select %s, p.ordinal, p.at, 0 from p %s where %s order by %s limit %s)
		union all
		(select null, p.ordinal, p.at, (select count(*)::int from p) from p order by %s limit 1)`,
		id, r.at, conjunction(hit), r.table, r.from, conjunction(where),
		strings.ReplaceAll(strings.ReplaceAll(order, "p.at", r.at), "p.", "o."), args.bind(size),
		found, strings.Join(lookups, " "), conjunction(append([]string{"p.hit"}, rest...)), order, args.bind(want),
		reversed(order))), args
}

// conjunction joins conditions; none is true.
func conjunction(conditions []string) string {
	if len(conditions) == 0 {
		return "true"
	}
	return strings.Join(conditions, " and ")
}

// reversed turns an order round.
func reversed(order string) string {
	return strings.NewReplacer(" desc", " asc", " asc", " desc").Replace(order)
}

// in puts a build's schema in place of every "$.".
func in(schema, sql string) string {
	return strings.ReplaceAll(sql, "$.", pgx.Identifier{schema}.Sanitize()+".")
}
