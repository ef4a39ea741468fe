package projector

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// buckets is how many parts the rows of a table are divided into, by the hash of their keys. Each has a sum of the hashes of its rows, in which
// their order does not matter; only in parts whose sums differ are rows looked at one by one.
const buckets = 256

// keysNamed is how many rows are named that are not the same.
const keysNamed = 10

// comparedTable is a table as it is compared: SQL in which t is a row.
type comparedTable struct {
	name string
	from func(b Build) string // the table in a build
	key  string               // the primary key without the tenant, as text
	row  string               // what is compared of a row
}

// parkedTable is who is parked, as if it were a table of the build. When, and for what, may differ: a rebuild comes across another event first.
var parkedTable = comparedTable{
	name: "parked_customers",
	from: func(b Build) string {
		return fmt.Sprintf(`(select tenant, customer from parked_customers where build = %d)`, b.ID)
	},
	key: "t.customer::text", row: "row(t.customer)",
}

// comparedTables are all tables of a build but those that the definition sets aside, by name, and who is parked.
func (p *Projector) comparedTables(ctx context.Context, def *Definition, b Build) ([]comparedTable, error) {
	names, err := p.tables(ctx, b.Schema)
	if err != nil {
		return nil, err
	}
	tables := []comparedTable{parkedTable}
	for _, name := range names {
		if slices.Contains(def.Aside, name) {
			continue
		}
		table, err := p.comparedTable(ctx, def, b, name)
		if err != nil {
			return nil, fmt.Errorf("projector: columns of %s: %w", name, err)
		}
		tables = append(tables, table)
	}
	return tables, nil
}

func (p *Projector) comparedTable(ctx context.Context, def *Definition, b Build, name string) (comparedTable, error) {
	// The key by its name, not by what is an index: somebody may have dropped it to double a row.
	rows, err := p.pool.Query(ctx, `select a.attname::text, coalesce(a.attnum = any(i.indkey), false) and a.attname <> 'tenant', $2 || '.' || a.attname = any($3)
		from pg_attribute a left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
		where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`,
		pgx.Identifier{b.Schema, name}.Sanitize(), name, def.aside())
	if err != nil {
		return comparedTable{}, err
	}
	var key, row []string
	var column string
	var inKey, aside bool
	if _, err := pgx.ForEachRow(rows, []any{&column, &inKey, &aside}, func() error {
		quoted := "t." + pgx.Identifier{column}.Sanitize()
		if inKey {
			key = append(key, quoted)
		}
		if !aside {
			row = append(row, quoted)
		}
		return nil
	}); err != nil {
		return comparedTable{}, err
	}
	return comparedTable{
		name: name,
		from: func(b Build) string { return pgx.Identifier{b.Schema, name}.Sanitize() },
		key:  "concat_ws(',', " + strings.Join(key, ", ") + ")",
		row:  "row(" + strings.Join(row, ", ") + ")",
	}, nil
}

// bucket is the SQL of the part that a row belongs to.
func (t comparedTable) bucket() string {
	return fmt.Sprintf("(hashtextextended(%s, 0) & %d)::int", t.key, buckets-1)
}

// bucketSum is what is summed up of one part.
type bucketSum struct {
	rows int64
	sum  string
}

// sums reads the sums of all parts of one tenant's rows in a build, and how many rows there are.
func (t comparedTable) sums(ctx context.Context, tx pgx.Tx, b Build, tenant string) (sums [buckets]bucketSum, all int64, err error) {
	rows, err := tx.Query(ctx, fmt.Sprintf(`select %s, count(*), sum(hashtextextended(%s::text, 0))::text from %s t where t.tenant = $1 group by 1`,
		t.bucket(), t.row, t.from(b)), tenant)
	if err != nil {
		return sums, 0, err
	}
	var bucket int
	var s bucketSum
	_, err = pgx.ForEachRow(rows, []any{&bucket, &s.rows, &s.sum}, func() error {
		sums[bucket], all = s, all+s.rows
		return nil
	})
	return sums, all, err
}

// compare compares one tenant's rows in two builds. Keys is nil if they are the same.
func (t comparedTable) compare(ctx context.Context, tx pgx.Tx, live, other Build, tenant string) (Difference, error) {
	d := Difference{Tenant: tenant, Table: t.name}
	var sums [2][buckets]bucketSum
	var err error
	for i, b := range []Build{live, other} {
		if sums[i], d.Rows[i], err = t.sums(ctx, tx, b, tenant); err != nil {
			return d, err
		}
	}
	var differing []int32
	for n := range int32(buckets) {
		if sums[0][n] != sums[1][n] {
			differing = append(differing, n)
		}
	}
	if len(differing) > 0 {
		d.Keys, err = t.differingKeys(ctx, tx, live, other, tenant, differing)
	}
	return d, err
}

// differingKeys names some rows that are not the same in both builds, or not as many times, in some parts.
func (t comparedTable) differingKeys(ctx context.Context, tx pgx.Tx, live, other Build, tenant string, parts []int32) ([]string, error) {
	one := func(b Build) string {
		return fmt.Sprintf(`select %s as k, count(*) as n, sum(hashtextextended(%s::text, 0)) as h from %s t where t.tenant = $1 and %s = any($2::int[]) group by 1`,
			t.key, t.row, t.from(b), t.bucket())
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(`select k from (%s) l full join (%s) o using (k) where (l.n, l.h) is distinct from (o.n, o.h) order by k limit %d`,
		one(live), one(other), keysNamed), tenant, parts)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
