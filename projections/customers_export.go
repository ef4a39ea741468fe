package projections

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ExportQuery is who is to be told of, and what.
type ExportQuery struct {
	// ListQuery is as in List, but for limit, cursor and facets, which do not matter. A custom field to sort by may be gone since: then nobody
	// needs to have a value, and the others come first in their former order.
	ListQuery
	// Columns are those of views: of view.Columns and, by "custom.<key>", custom fields. One of a field that is gone or disabled is empty.
	Columns []string
	// Word is what people call a value of one of the kinds channel, via and bool.
	Word func(kind, value string) string
}

// ErrColumn says that customers have no such column.
var ErrColumn = errors.New("projections: customers have no such column")

// Export tells everybody who matches a query, in its order, as the cells of a row; and the position of the log at which they match and are
// what they are: all of them at the same, but for groups as in Select. Names of tags, groups and options are those of now. The cells are good until take returns. ErrColumn,
// ErrSort.
//
// It takes as long as it takes, and keeps one snapshot of the database meanwhile. Memory does not grow with who matches in the order of
// creation; in any other it does by some 20 bytes for each customer, and with the column groups by 2 kB for each group and 16,384 customers.
func (c *Customers) Export(ctx context.Context, tenant string, q ExportQuery, take func(cells []string) error) (position int64, err error) {
	l := listing{query: &q.ListQuery, grouped: slices.Contains(q.Columns, columnGroups)}
	q.Facets = nil
	if l.order, err = orderOf(q.Sort); err != nil {
		return 0, err
	}
	names, err := c.exportNames(ctx, tenant)
	if err != nil {
		return 0, err
	}
	err = c.askTogether(ctx, tenant, &l, func() error {
		if position, err = l.answer.position(); err != nil {
			return err
		}
		e := &export{answer: l.answer, take: take}
		names.tags = l.tags.Names
		if err := e.plan(&l, &q, names); err != nil {
			return err
		}
		if l.order.created() {
			return e.created(l.order.ascending)
		}
		return e.ordered(l.order)
	})
	return position, err
}

// export is a table of customers in the making.
type export struct {
	*answer
	columns []exportColumn
	groups  *exportGroups // nil: they are not asked for
	take    func([]string) error

	// What the statements are made of: what is read of each table, see exportTables, and the values that are bound.
	selected [len(exportTables)][]string
	wanted   []string // all of it, in the order of the columns
	counting string   // which listings count
	args     arguments

	row   []byte
	ends  []int
	cells []string
}

// exportPiece is how many customers are read at once.
const exportPiece = 20_000

// created goes through the customers in the order of creation.
func (e *export) created(ascending bool) error {
	w := e.walk(ascending, 0)
	for !w.ended() {
		ordinals, err := w.next(exportPiece, budget{})
		if err != nil {
			return err
		}
		if len(ordinals) == 0 {
			continue
		}
		first, last := ordinals[0], ordinals[len(ordinals)-1]
		if max(first, last)-min(first, last) < int64(2*len(ordinals)) {
			if err := e.between(ordinals, ascending); err != nil {
				return err
			}
			continue
		}
		if err := e.some(ordinals); err != nil {
			return err
		}
	}
	return nil
}

// ordered goes through the customers in another order.
func (e *export) ordered(o order) error {
	var everybody []int64
	for w := e.walk(true, 0); !w.ended(); {
		some, err := w.next(walkMost, budget{})
		if err != nil {
			return err
		}
		everybody = append(everybody, some...)
	}
	if e.groups != nil {
		e.groups.keep = true
	}
	everybody, err := o.arranged(e.answer, everybody)
	if err != nil {
		return err
	}
	return e.some(everybody)
}

// between tells customers of whom nearly all between the first and the last are told.
func (e *export) between(ordinals []int64, ascending bool) error {
	if err := e.groups.load(e.answer, ordinals); err != nil {
		return err
	}
	// Of tables that have grown a great deal since they were analyzed last, as by an import, Postgres thinks that there are a few rows between any two
	// ordinals, and would look through all the others for each.
	if err := e.nestedLoops("off"); err != nil {
		return err
	}
	args := append(slices.Clone(e.args), min(ordinals[0], ordinals[len(ordinals)-1]), max(ordinals[0], ordinals[len(ordinals)-1]))
	err := e.read(e.betweenSQL(ascending), args, func(ordinal int64) bool {
		for len(ordinals) > 0 && ordinals[0] != ordinal && (ordinals[0] < ordinal) == ascending {
			ordinals = ordinals[1:]
		}
		return len(ordinals) > 0 && ordinals[0] == ordinal
	})
	if err != nil {
		return err
	}
	return e.nestedLoops("on")
}

// nestedLoops lets Postgres join tables row by row until the end of the transaction, or not.
func (e *export) nestedLoops(may string) error {
	var is string
	return e.db.QueryRow(e.ctx, `select set_config('enable_nestloop', $1, true)`, may).Scan(&is)
}

// some tells any customers, in the order given.
func (e *export) some(ordinals []int64) error {
	sql := e.someSQL()
	for piece := range slices.Chunk(ordinals, exportPiece) {
		if err := e.groups.load(e.answer, piece); err != nil {
			return err
		}
		if err := e.read(sql, append(slices.Clone(e.args), piece), func(int64) bool { return true }); err != nil {
			return err
		}
	}
	return nil
}

// read tells the customers whom a statement finds, if they are meant.
func (e *export) read(sql string, args arguments, meant func(ordinal int64) bool) error {
	rows, err := e.db.Query(e.ctx, sql, append([]any{planned, pgx.QueryResultFormats{pgx.BinaryFormatCode}}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		values := rows.RawValues() // to scan them would take longer than all else
		ordinal := int64(binary.BigEndian.Uint64(values[0]))
		if !meant(ordinal) {
			continue
		}
		if err := e.tell(ordinal, values[1:]); err != nil {
			return err
		}
	}
	return rows.Err()
}

// tell makes the cells of a customer, which share one text.
func (e *export) tell(ordinal int64, values [][]byte) (err error) {
	e.row, e.ends = e.row[:0], e.ends[:0]
	for i := range e.columns {
		column := &e.columns[i]
		if e.row, err = column.write(e.row, ordinal, values[column.from:]); err != nil {
			return err
		}
		e.ends = append(e.ends, len(e.row))
	}
	text, from := string(e.row), 0
	for i, to := range e.ends {
		e.cells[i], from = text[from:to], to
	}
	return e.take(e.cells)
}

// exportTables are the tables that columns are read from; each has the alias of exportAliases.
var exportTables = [...]string{"customer", "customer_activity", "customer_listing"}

var exportAliases = [...]string{"c", "a", "l"}

// read from them: of the listings only those that count.
const (
	fromCustomer = iota
	fromActivity
	fromListing
)

// want has an expression over a row b of a table read for every customer.
func (e *export) want(table int, expression string) {
	name := fmt.Sprint("x", len(e.wanted))
	e.selected[table] = append(e.selected[table], expression+" as "+name)
	e.wanted = append(e.wanted, exportAliases[table]+"."+name)
}

// piece is the part of a statement that reads a table; those are behind fences (offset 0), or a small piece would be joined with whole tables.
func (e *export) piece(table int, where string) string {
	columns := append([]string{"b.ordinal"}, e.selected[table]...)
	if table == fromListing {
		where += " and " + e.counting
	}
	return fmt.Sprintf("(select %s from $.%s b where b.tenant = $1 and %s offset 0) %s", strings.Join(columns, ", "), exportTables[table], where, exportAliases[table])
}

// betweenSQL reads the customers between two ordinals.
func (e *export) betweenSQL(ascending bool) string {
	where := fmt.Sprintf("b.ordinal between $%d and $%d", len(e.args)+1, len(e.args)+2)
	direction := "desc"
	if ascending {
		direction = "asc"
	}
	from := e.piece(fromCustomer, where)
	if len(e.selected[fromActivity])+len(e.selected[fromListing]) == 0 {
		from = e.piece(fromCustomer, where+" order by b.ordinal "+direction) // out of the index, so that the first come while the others are read
	}
	if len(e.selected[fromActivity]) > 0 {
		from += " join " + e.piece(fromActivity, where) + " on a.ordinal = c.ordinal"
	}
	if len(e.selected[fromListing]) > 0 {
		from += " left join " + e.piece(fromListing, where) + " on l.ordinal = c.ordinal"
	}
	return in(e.schema, fmt.Sprintf("select %s from %s order by c.ordinal %s", strings.Join(append([]string{"c.ordinal"}, e.wanted...), ", "), from, direction))
}

// someSQL reads customers by their ordinals, in the order in which they are given.
func (e *export) someSQL() string {
	from := fmt.Sprintf("unnest($%d::bigint[]) with ordinality u(ordinal, n) cross join lateral %s", len(e.args)+1, e.piece(fromCustomer, "b.ordinal = u.ordinal"))
	if len(e.selected[fromActivity]) > 0 {
		from += " cross join lateral " + e.piece(fromActivity, "b.ordinal = u.ordinal")
	}
	if len(e.selected[fromListing]) > 0 {
		from += " left join lateral " + e.piece(fromListing, "b.ordinal = u.ordinal") + " on true"
	}
	return in(e.schema, fmt.Sprintf("select %s from %s order by u.n", strings.Join(append([]string{"c.ordinal"}, e.wanted...), ", "), from))
}

// arranged puts everybody in the answer, given in the order of creation, into another order. Who has no place in it comes behind the others.
func (o order) arranged(a *answer, everybody []int64) ([]int64, error) {
	left := newOrdinalSet(everybody, a.to)
	sql, args := o.pieceSQL(a.schema, a.tenant, nil, o.ascending, math.MaxInt)
	if int64(4*len(everybody)) < a.last { // to look each of them up costs less than to go through the index
		sql, args = o.sortedSQL(a.schema, a.tenant, everybody, nil, o.ascending, len(everybody))
	}
	rows, err := a.db.Query(a.ctx, sql, append([]any{planned, pgx.QueryResultFormats{pgx.BinaryFormatCode}}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	arranged := make([]int64, 0, len(everybody))
	for rows.Next() {
		if ordinal := int64(binary.BigEndian.Uint64(rows.RawValues()[0])); left.remove(ordinal) {
			arranged = append(arranged, ordinal)
		}
	}
	if err := rows.Err(); err != nil || len(arranged) == len(everybody) {
		return arranged, err
	}
	if !o.ascending {
		slices.Reverse(everybody)
	}
	for _, ordinal := range everybody {
		if left.remove(ordinal) {
			arranged = append(arranged, ordinal)
		}
	}
	return arranged, nil
}

// ordinalSet is a set of ordinals, a bit for each.
type ordinalSet []uint64

// newOrdinalSet makes a set of ordinals that are below an end.
func newOrdinalSet(ordinals []int64, end int64) ordinalSet {
	s := make(ordinalSet, end/64+1)
	for _, o := range ordinals {
		s[o/64] |= 1 << (o % 64)
	}
	return s
}

// remove takes an ordinal out, and reports whether it was in.
func (s ordinalSet) remove(ordinal int64) bool {
	if ordinal/64 >= int64(len(s)) || s[ordinal/64]&(1<<(ordinal%64)) == 0 {
		return false
	}
	s[ordinal/64] &^= 1 << (ordinal % 64)
	return true
}
