package projections

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/text"
	"customercenter/projections/projector"
)

// The history of sessions is walked as the customer list is: in its order, by an index that fits the question, and if a text is
// looked for in pieces that grow until the page is full or the budget spent.

// sessionSort names the order of the history in cursors.
const sessionSort = "-started_at"

// sessionKey is a session's place in the history.
type sessionKey struct {
	ID uuid.UUID
	At time.Time // started_at
}

type sessionWalk struct {
	ctx               context.Context
	pool              database
	schema, customers string // of the two read models
	tenant            string
	q                 SessionQuery

	from      cursor
	given     bool // from is a cursor
	past      *projector.Moment
	partial   bool
	stoppedAt sessionKey // where a partial walk stopped
	more      bool       // there is more beyond the page, in the direction of the walk
}

// page returns the keys of the page, in the order of the list.
func (w *sessionWalk) page() ([]sessionKey, error) {
	keys, err := w.collect(sessionKey{w.from.ID, w.from.At}, w.given, !w.from.Back, w.q.Limit+1, walkBudget)
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
func (w *sessionWalk) cursors(keys []sessionKey) (next, prev string) {
	return links(w.from, w.given, len(keys), w.more, w.partial, func(i int, back bool) string {
		k := w.stoppedAt
		if i >= 0 {
			k = keys[i]
		}
		return cursor{Sort: sessionSort, Back: back, At: k.At.UTC(), ID: k.ID, Past: w.past}.String()
	})
}

// count counts all that match, up to a bound; if a text is looked for, within half a budget. keys is the page, which is all there is if
// nothing is beyond it.
func (w *sessionWalk) count(keys []sessionKey) (Count, error) {
	if !w.given && !w.more && !w.partial {
		return Count{Value: int64(len(keys)), Exact: true}, nil
	}
	if w.q.Text == "" {
		sql, args := w.countSQL()
		var n int64
		err := w.pool.QueryRow(w.ctx, sql, append([]any{planned}, args...)...).Scan(&n)
		return Count{Value: min(n, countBound), Exact: n <= countBound}, err
	}
	outer := w.partial
	w.partial = false
	all, err := w.collect(sessionKey{}, false, true, countBound+1, walkBudget/2)
	exact := !w.partial && len(all) <= countBound
	w.partial = outer
	return Count{Value: int64(min(len(all), countBound)), Exact: exact}, err
}

// collect returns the first want keys beyond a place. It sets partial, and stoppedAt, when the budget was spent before.
func (w *sessionWalk) collect(after sessionKey, given, descending bool, want int, budget time.Duration) (found []sessionKey, err error) {
	if w.q.Text == "" {
		sql, args := w.sql(after, given, descending, want)
		found, _, _, err = w.keys(sql, args)
		return found, err
	}
	began := time.Now()
	for piece := max(walkFirst, want); ; {
		pieceBegan := time.Now()
		sql, args := w.textSQL(after, given, descending, piece, want-len(found))
		keys, last, seen, err := w.keys(sql, args)
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

// keys runs a statement of sql or textSQL. A row without an id says where a piece ended and how many were looked at.
func (w *sessionWalk) keys(sql string, args []any) (keys []sessionKey, last sessionKey, seen int, err error) {
	rows, err := w.pool.Query(w.ctx, sql, append([]any{planned}, args...)...)
	if err != nil {
		return nil, last, 0, err
	}
	var mark *uuid.UUID
	var k sessionKey
	var n int
	_, err = pgx.ForEachRow(rows, []any{&mark, &k.ID, &k.At, &n}, func() error {
		if mark == nil {
			last, seen = k, n
		} else {
			keys = append(keys, k)
		}
		return nil
	})
	return keys, last, seen, err
}

// source is the table that is walked, with what else has to be looked up of each row, and the conditions. The columns of the order are
// o.started_at and o.<id>.
func (w *sessionWalk) source(args *arguments) (tables, id string, where []string) {
	q := &w.q
	where = []string{"o.tenant = " + args.bind(w.tenant)}
	tables, id = "$.session o", "id"
	of := "o" // where the session's columns are
	open := q.State == "waiting" || q.State == "processing"
	switch {
	case q.Agent == "":
	case open: // few are open, so the index of those is walked
		where = append(where, "exists (select from $.session_agent a where a.tenant = o.tenant and a.agent = "+args.bind(q.Agent)+" and a.started_at = o.started_at and a.session = o.id)")
	default:
		tables, id = "$.session_agent o", "session"
		if len(q.IDs) == 0 { // else the keys of the table have both
			where = append(where, "o.agent = "+args.bind(q.Agent))
		}
		if len(w.conditions("s", new(arguments))) > 0 {
			of = "s"
			tables += ` cross join lateral (select b.channel, b.association, b.state, b.callback, b.rating_score from $.session b
				where b.tenant = $1 and b.id = o.session offset 0) s`
		}
	}
	switch {
	case len(q.IDs) > 0 && id == "session":
		keys := make([]string, len(q.IDs))
		for i, one := range q.IDs {
			keys[i] = sessionAgent(one, q.Agent)
		}
		where = append(where, "o.id = any("+args.bind(keys)+"::text[])")
	case len(q.IDs) > 0:
		where = append(where, "o.id = any("+args.bind(q.IDs)+"::uuid[])")
	}
	if q.Customer != uuid.Nil {
		where = append(where, "o.customer = "+args.bind(q.Customer))
	}
	if !q.From.IsZero() {
		where = append(where, "o.started_at >= "+args.bind(q.From))
	}
	if !q.To.IsZero() {
		where = append(where, "o.started_at < "+args.bind(q.To))
	}
	return tables, id, append(where, w.conditions(of, args)...)
}

// conditions are those on the session's own columns. They are written so that the partial indexes can be used.
func (w *sessionWalk) conditions(of string, args *arguments) (conditions []string) {
	q := &w.q
	if q.Channel != "" {
		conditions = append(conditions, of+".channel = "+args.bind(q.Channel))
	}
	if q.Association != 0 {
		conditions = append(conditions, of+".association = "+args.bind(q.Association))
	}
	if q.State != "" {
		conditions = append(conditions, of+".state = "+args.bind(q.State))
	}
	switch q.State {
	case "waiting", "processing":
		conditions = append(conditions, of+".state in ('waiting', 'processing')")
	case "aborted":
		conditions = append(conditions, of+".state = 'aborted'")
	}
	switch q.Origin {
	case OriginCallback:
		conditions = append(conditions, of+".callback")
	case OriginCustomer:
		conditions = append(conditions, "not "+of+".callback")
	}
	if q.Rated != nil && !*q.Rated {
		conditions = append(conditions, of+".rating_score is null")
	}
	if q.Rated != nil && *q.Rated || len(q.Scores) > 0 {
		conditions = append(conditions, of+".rating_score is not null")
	}
	switch len(q.Scores) {
	case 0:
	case 1:
		conditions = append(conditions, of+".rating_score = "+args.bind(q.Scores[0]))
	default:
		conditions = append(conditions, of+".rating_score = any("+args.bind(q.Scores)+"::int[])")
	}
	return conditions
}

// beyond is the condition of being after a place, and the direction.
func beyond(id string, after sessionKey, given, descending bool, args *arguments) (where []string, direction string) {
	less, direction := "<", "desc"
	if !descending {
		less, direction = ">", "asc"
	}
	if given {
		where = []string{fmt.Sprintf("(o.started_at, o.%s) %s (%s, %s)", id, less, args.bind(after.At), args.bind(after.ID))}
	}
	return where, direction
}

// sql is the statement of a page without a text.
func (w *sessionWalk) sql(after sessionKey, given, descending bool, want int) (string, []any) {
	var args arguments
	tables, id, where := w.source(&args)
	place, direction := beyond(id, after, given, descending, &args)
	return in(w.schema, fmt.Sprintf(`select o.%s, o.%s, o.started_at, 0 from %s where %s order by o.started_at %s, o.%s %s limit %s`,
		id, id, tables, conjunction(append(where, place...)), direction, id, direction, args.bind(want))), args
}

// countSQL counts up to one more than the bound.
func (w *sessionWalk) countSQL() (string, []any) {
	var args arguments
	tables, _, where := w.source(&args)
	return in(w.schema, fmt.Sprintf(`select count(*) from (select from %s where %s limit %s) s`, tables, conjunction(where), args.bind(countBound+1))), args
}

// textSQL is the statement of one piece of a search for a text: sessions in their order, each with a look at its customer, and a last
// row about the piece itself.
func (w *sessionWalk) textSQL(after sessionKey, given, descending bool, size, want int) (string, []any) {
	var args arguments
	tables, id, where := w.source(&args)
	place, direction := beyond(id, after, given, descending, &args)
	needle := args.bind(w.q.Text)
	match := fmt.Sprintf("strpos(t.nickname, %s) > 0 or strpos(t.name, %s) > 0", needle, needle)
	if searchesIDs(w.q.Text) {
		match += fmt.Sprintf(" or strpos(t.external_id, %s) > 0", needle)
	}
	customers := pgx.Identifier{w.customers}.Sanitize()
	return in(w.schema, fmt.Sprintf(`with p as materialized (
			select o.%s as id, o.customer, o.started_at from %s where %s order by o.started_at %s, o.%s %s limit %s)
		(select p.id, p.id, p.started_at, 0 from p
			cross join lateral (select c.ordinal from %s.customer c where c.tenant = $1 and c.id = p.customer offset 0) c
			cross join lateral (select b.external_id, b.nickname, b.name from %s.customer_text b where b.tenant = $1 and b.ordinal = c.ordinal offset 0) t
			where %s order by p.started_at %s, p.id %s limit %s)
		union all
		(select null, p.id, p.started_at, (select count(*)::int from p) from p order by p.started_at %s, p.id %s limit 1)`,
		id, tables, conjunction(append(where, place...)), direction, id, direction, args.bind(size),
		customers, customers, match, direction, direction, args.bind(want), opposite(direction), opposite(direction))), args
}

// opposite is the other direction.
func opposite(direction string) string {
	if direction == "asc" {
		return "desc"
	}
	return "asc"
}

// searchesIDs reports whether external ids are searched for a text: a single letter or digit is in nearly all of them.
func searchesIDs(needle string) bool {
	if text.Length(needle) != 1 {
		return true
	}
	for _, r := range needle {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	return false
}
