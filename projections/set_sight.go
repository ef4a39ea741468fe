package projections

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// This file reads sets of customers for one question: from memory what is known, from the database the rest.

// sight is how one question sees the sets: as of the instant at which db reads all.
type sight struct {
	memory *setMemory
	db     reader
	tenant string
	// tables are how it sees each table that it has looked at.
	tables map[setTable]seen
}

func newSight(memory *setMemory, db reader, tenant string) *sight {
	return &sight{memory: memory, db: db, tenant: tenant, tables: map[setTable]seen{}}
}

// look finds out which transaction of a table was the last, and tells the memory what those did of which it does not know.
func (s *sight) look(ctx context.Context, table setTable) (seen, error) {
	if at, looked := s.tables[table]; looked {
		return at, nil
	}
	of := setsOf{table, s.tenant}
	entries, err := s.journal(ctx, table, s.memory.number(of))
	if err != nil {
		return seen{}, err
	}
	at := s.memory.learn(of, entries)
	s.tables[table] = at
	return at, nil
}

// With so many transactions, or rows that they have changed, there is little left in memory that is still true: they are not read.
const (
	tooMany     = 4096
	tooManyRows = 20_000
	atLeast     = 15 // transactions before the last that are read in any case
)

// journal are the entries from a number on, the last first; the last few in any case, so that somebody who is a little behind is understood. What
// they have changed is read of those behind that number, unless it is too much.
func (s *sight) journal(ctx context.Context, table setTable, from int64) ([]entry, error) {
	rows, err := s.db.Query(ctx, fmt.Sprintf(`select number, token, case when number > $2 and total <= %[2]d then sets end, case when number > $2 and total <= %[2]d then buckets end
		from (select j.*, sum(j.changes) filter (where j.number > $2) over () as total from (select l.number from %[1]s l where l.tenant = $1 order by l.number desc limit 1) l
			cross join lateral (select j.number, j.token, j.changes, j.sets, j.buckets from %[1]s j where j.tenant = $1 and j.number >= least($2, l.number - %[4]d)
				order by j.number desc limit %[3]d) j) w order by number desc`,
		table.journal(), tooManyRows, tooMany, atLeast), s.tenant, from)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e entry, err error) {
		err = row.Scan(&e.number, &e.token, &e.sets, &e.buckets)
		return e, err
	})
}

// journal is the table of the journal of a table of sets.
func (t setTable) journal() string { return pgx.Identifier{t.schema, t.name + "_written"}.Sanitize() }

// rows are the rows of some sets of a table, which are all different, of the buckets from first to last. None is nil.
func (s *sight) rows(ctx context.Context, table setTable, sets []int64, first, last int) ([][]*setRow, error) {
	at, err := s.look(ctx, table)
	if err != nil {
		return nil, err
	}
	of := setsOf{table, s.tenant}
	rows := s.memory.recall(of, at, sets, first, last)
	sql, args := missingRows(table, s.tenant, sets, rows, first, last)
	if sql == "" {
		return rows, nil
	}
	if err := s.read(ctx, sql, args, at.number, sets, rows, first); err != nil {
		return nil, err
	}
	s.memory.keep(of, at, sets, first, rows)
	return rows, nil
}

// missingRows is the SQL that reads the rows that are nil: sets of which most are missing by ranges, the rest row by row. Empty: none is.
func missingRows(table setTable, tenant string, sets []int64, rows [][]*setRow, first, last int) (sql string, args arguments) {
	args = arguments{tenant}
	var whole, some []int64
	var buckets []int32
	for i, set := range sets {
		n := 0
		for _, r := range rows[i] {
			if r == nil {
				n++
			}
		}
		if 2*n > len(rows[i]) {
			whole = append(whole, set)
			continue
		}
		for b, r := range rows[i] {
			if r == nil {
				some, buckets = append(some, set), append(buckets, int32(first+b))
			}
		}
	}
	name := table.sql()
	if len(whole) > 0 {
		sql = fmt.Sprintf("(select %[1]s, bucket, bits from %[2]s where tenant = $1 and %[1]s = any(%[3]s::bigint[]) and bucket between %[4]s::int and %[5]s::int)",
			table.key, name, args.bind(whole), args.bind(first), args.bind(last))
	}
	if len(some) > 0 {
		if sql != "" {
			sql += " union all "
		}
		sql += fmt.Sprintf("(select u.s, u.b, x.bits from unnest(%s::bigint[], %s::int[]) u(s, b) "+
			"cross join lateral (select t.bits from %s t where t.tenant = $1 and t.%s = u.s and t.bucket = u.b offset 0) x)",
			args.bind(some), args.bind(buckets), name, table.key)
	}
	return sql, args
}

// read fills in the rows that are nil. number is the transaction as of which they are.
func (s *sight) read(ctx context.Context, sql string, args arguments, number int64, sets []int64, rows [][]*setRow, first int) error {
	places := make(map[int64]int, len(sets))
	for i, set := range sets {
		places[set] = i
	}
	found, err := s.db.Query(ctx, sql, append([]any{planned}, args...)...)
	if err != nil {
		return err
	}
	defer found.Close()
	var b bitmap
	for found.Next() {
		var set int64
		var bucket int
		if err := found.Scan(&set, &bucket, &b); err != nil {
			return err
		}
		if at := &rows[places[set]][bucket-first]; *at == nil {
			*at = newSetRow(&b)
			(*at).number = number
		}
	}
	if err := found.Err(); err != nil {
		return err
	}
	nobody := &setRow{number: number}
	for i := range rows {
		for n, r := range rows[i] {
			if r == nil {
				rows[i][n] = nobody
			}
		}
	}
	return nil
}
