package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Orders of the customer list. Ties are broken by the order of creation, in the same direction. Besides these, a list can be sorted by
// custom fields of the types text, number and date: "custom.<key>", and "-custom.<key>" for the other direction. In both, those without
// a value come behind the others.
const (
	SortCreated         = "created_at"
	SortCreatedDesc     = "-created_at" // the default
	SortLastSession     = "last_session_at"
	SortLastSessionDesc = "-last_session_at"
	SortUpdated         = "updated_at"
	SortUpdatedDesc     = "-updated_at"
	SortNickname        = "nickname"
	SortNicknameDesc    = "-nickname"
)

// Sorts are the orders of the customer list but for those by custom fields.
func Sorts() []string {
	return []string{SortCreatedDesc, SortCreated, SortLastSessionDesc, SortLastSession, SortUpdatedDesc, SortUpdated, SortNickname, SortNicknameDesc}
}

// SortsByPersonal reports whether an order tells something of customers' personal data: who comes before whom by their names or values.
func SortsByPersonal(name string) bool {
	o, err := orderOf(name)
	return err == nil && o.keyed()
}

// order is an order of the list.
type order struct {
	name      string
	ascending bool
	// table and column are what it is kept by; none for the order of creation, which is that of the ordinals.
	table, column string
	// field is the number of the custom field it is by, see valueField. Only those who have a value are in this order. 0: no custom field.
	field int64
}

// order finds an order. ErrSort, also for a custom field that cannot be sorted by.
func (c *Customers) order(ctx context.Context, tenant, name string) (order, error) {
	o, err := orderOf(name)
	if err != nil || o.field == 0 {
		return o, err
	}
	fields, _, err := c.catalogues.Fields(ctx, tenant)
	if err == nil && !fields.Ordered(custom(strings.TrimPrefix(name, "-"))) {
		err = ErrSort
	}
	return o, err
}

// orderOf finds an order, whether or not the tenant has the custom field. ErrSort.
func orderOf(name string) (order, error) {
	if name == "" {
		name = SortCreatedDesc
	}
	field, descending := strings.CutPrefix(name, "-")
	o := order{name: name, ascending: !descending}
	switch field {
	case SortCreated:
	case SortLastSession:
		o.table, o.column = "customer_activity", "last_session_at"
	case SortUpdated:
		o.table, o.column = "customer", "updated_at"
	case SortNickname:
		o.table, o.column = "customer", "nickname_key"
	default:
		key := custom(field)
		if key == "" {
			return o, ErrSort
		}
		o.table, o.column, o.field = "customer_value", "key", valueField(key)
	}
	return o, nil
}

func (o order) created() bool { return o.column == "" }

// keyed reports whether the column holds keys that stand for something personal; else it holds times.
func (o order) keyed() bool { return o.column == "nickname_key" || o.column == "key" }

// place is a customer's place in an order.
type place struct {
	ordinal int64
	at      time.Time // by times
	key     []byte    // by nickname, or custom field
	unset   bool      // without a value of the custom field, behind those with one
}

// value is what the column holds.
func (o order) value(p place) any {
	if o.keyed() {
		return p.key
	}
	return p.at
}

func (o order) scan(row pgx.CollectableRow) (p place, err error) {
	if o.keyed() {
		err = row.Scan(&p.ordinal, &p.key)
	} else {
		err = row.Scan(&p.ordinal, &p.at)
	}
	return p, err
}

// find completes the place that a cursor names. Names and values are not in it, because cursors are nothing personal. ErrCursor: the
// customer has left the list, or has no value any more.
func (o order) find(ctx context.Context, db reader, schema, tenant string, c cursor) (place, error) {
	p := place{ordinal: c.Ordinal, at: c.At}
	if !o.keyed() {
		return p, nil
	}
	sql, args := "select o.nickname_key from $.customer o where o.tenant = $1 and o.ordinal = $2", []any{tenant, c.Ordinal}
	if o.field != 0 {
		sql, args[1] = "select o.key from $.customer_value o where o.tenant = $1 and o.id = $2", valueID(o.field, c.Ordinal)
	}
	err := db.QueryRow(ctx, in(schema, sql), args...).Scan(&p.key)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, ErrCursor
	}
	return p, err
}

// clauses are the condition of being beyond a place, and the SQL of the order.
func (o order) clauses(column string, beyond *place, ascending bool, args *arguments) (condition, by string) {
	less, direction := "<", "desc"
	if ascending {
		less, direction = ">", "asc"
	}
	condition = "true"
	if beyond != nil {
		condition = fmt.Sprintf("(%s, o.ordinal) %s (%s, %s)", column, less, args.bind(o.value(*beyond)), args.bind(beyond.ordinal))
	}
	return condition, fmt.Sprintf("%s %s, o.ordinal %s", column, direction, direction)
}

// piece reads the next rows of the order's index, whoever they are.
func (o order) piece(a *answer, beyond *place, ascending bool, size int) ([]place, error) {
	sql, args := o.pieceSQL(a.schema, a.tenant, beyond, ascending, size)
	return o.places(a, sql, args)
}

func (o order) pieceSQL(schema, tenant string, beyond *place, ascending bool, size int) (string, []any) {
	args := arguments{tenant}
	condition, by := o.clauses("o."+o.column, beyond, ascending, &args)
	if o.field != 0 {
		condition = fmt.Sprintf("o.field = %s and %s", args.bind(o.field), condition)
	}
	return in(schema, fmt.Sprintf("select o.ordinal, o.%s from $.%s o where o.tenant = $1 and %s order by %s limit %s",
		o.column, o.table, condition, by, args.bind(size))), args
}

// sorted puts some customers into the order and returns the first of those beyond a place.
func (o order) sorted(a *answer, ordinals []int64, beyond *place, ascending bool, want int) ([]place, error) {
	sql, args := o.sortedSQL(a.schema, a.tenant, ordinals, beyond, ascending, want)
	return o.places(a, sql, args)
}

func (o order) sortedSQL(schema, tenant string, ordinals []int64, beyond *place, ascending bool, want int) (string, []any) {
	var args arguments
	rows, by := "unnest($2::bigint[]) u(ordinal)", "b.ordinal = u.ordinal"
	if o.field == 0 {
		args = arguments{tenant, ordinals}
	} else {
		ids := make([]uuid.UUID, len(ordinals))
		for i, ordinal := range ordinals {
			ids[i] = valueID(o.field, ordinal)
		}
		args, rows, by = arguments{tenant, ids}, "unnest($2::uuid[]) u(id)", "b.id = u.id"
	}
	condition, sort := o.clauses("o."+o.column, beyond, ascending, &args)
	return in(schema, fmt.Sprintf("select o.ordinal, o.%s from %s cross join lateral (select b.ordinal, b.%s from $.%s b where b.tenant = $1 and %s offset 0) o "+
		"where %s order by %s limit %s", o.column, rows, o.column, o.table, by, condition, sort, args.bind(want))), args
}

func (o order) places(a *answer, sql string, args []any) ([]place, error) {
	rows, err := a.db.Query(a.ctx, sql, append([]any{planned}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, o.scan)
}

// ordered returns the first customers of the answer beyond a place, in an order that is not that of creation. Fewer than wanted and
// stopped mean that the budget was spent there.
//
// A small answer is sorted. Through a large one the index of the order leads soon to a page.
func (a *answer) ordered(o order, beyond *place, ascending bool, want int, until budget) (found []place, stopped *place, err error) {
	const small = 3_000
	if err := a.loadAll(); err != nil {
		return nil, nil, err
	}
	tried := false
	size := walkFirst
	if a.exact() {
		if a.surely() <= small {
			return a.sortAll(o, beyond, ascending, want)
		}
		tried = true
	}
	for {
		began := time.Now()
		piece, err := o.piece(a, beyond, ascending, size)
		if err != nil {
			return nil, nil, err
		}
		matching, err := a.among(piece)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, matching[:min(len(matching), want-len(found))]...)
		if len(found) == want || len(piece) < size {
			return found, nil, nil
		}
		beyond = &piece[len(piece)-1]
		if until.spent() {
			return found, beyond, nil
		}
		if !tried && (a.searchable() || a.maybe() <= judgedMany) {
			tried = true
			w := a.walk(false, 0)
			w.seek = true
			if _, err := w.next(small+1, spend(walkBudget/4)); err != nil {
				return nil, nil, err
			}
			if w.ended() {
				rest, _, err := a.sortAll(o, beyond, ascending, want-len(found))
				return append(found, rest...), nil, err
			}
		}
		if time.Since(began) < walkSteady {
			size = min(2*size, walkMost)
		}
	}
}

// sortAll is ordered for an answer that is known.
func (a *answer) sortAll(o order, beyond *place, ascending bool, want int) ([]place, *place, error) {
	ordinals := a.all()
	if len(ordinals) == 0 {
		return nil, nil, nil
	}
	found, err := o.sorted(a, ordinals, beyond, ascending, want)
	return found, nil, err
}

// among are those of some customers who are in the answer. All is loaded.
func (a *answer) among(places []place) (matching []place, err error) {
	var open []int64
	for _, p := range places {
		s := a.span(int(p.ordinal / bucketSize))
		if s.hi.has(p.ordinal) && !s.lo.has(p.ordinal) {
			open = append(open, p.ordinal)
		}
	}
	slices.Sort(open)
	for chunk := range slices.Chunk(open, 20_000) {
		if err := a.judge(chunk); err != nil {
			return nil, err
		}
	}
	for _, p := range places {
		if a.span(int(p.ordinal / bucketSize)).lo.has(p.ordinal) {
			matching = append(matching, p)
		}
	}
	return matching, nil
}
