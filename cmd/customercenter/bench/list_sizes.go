package bench

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// sizes prints how large the tables and indexes of the read model are, and all of it beside the copy that the baseline searches.
func (b *listBench) sizes(ctx context.Context) error {
	b.report.Heading("list: size of the tables and indexes above a megabyte")
	rows, err := b.plant.pool.Query(ctx, `select c.relname::text, i.relname::text, pg_relation_size(i.oid) / 1048576.0::float8
		from pg_class c cross join lateral (
			select c.oid, '' as relname
			union all select x.indexrelid, r.relname from pg_index x join pg_class r on r.oid = x.indexrelid where x.indrelid = c.oid
			union all select c.reltoastrelid, 'values out of line' where c.reltoastrelid <> 0) i
		where c.relnamespace = to_regnamespace($1) and c.relkind = 'r' and pg_relation_size(i.oid) > 1048576 order by 1, 2`, b.schema)
	if err != nil {
		return fmt.Errorf("bench: sizes: %w", err)
	}
	var table, index string
	var size float64
	if _, err := pgx.ForEachRow(rows, []any{&table, &index, &size}, func() error {
		name := "list size, " + table
		if index != "" {
			name += ": " + index
		}
		b.report.Print(Line{Case: name, Unit: "MB", Value: size})
		return nil
	}); err != nil {
		return fmt.Errorf("bench: sizes: %w", err)
	}
	ours, err := b.total(ctx, `relnamespace = to_regnamespace($1)`, b.schema)
	if err != nil {
		return err
	}
	line := Line{Case: "list size, everything", Unit: "MB", Value: ours}
	if !b.Alone {
		theirs, err := b.total(ctx, `oid = to_regclass($1)`, b.plain.best())
		if err != nil {
			return err
		}
		line.Note = "baseline: the copy " + b.plain.best() + " with its indexes"
		line = line.Against(theirs)
	}
	b.report.Print(line)
	return nil
}

// total is the size of some tables with all that belongs to them.
func (b *listBench) total(ctx context.Context, where, name string) (mb float64, err error) {
	err = b.plant.pool.QueryRow(ctx, `select coalesce(sum(pg_total_relation_size(oid)), 0) / 1048576.0::float8 from pg_class where relkind = 'r' and `+where, name).Scan(&mb)
	if err != nil {
		return 0, fmt.Errorf("bench: sizes: %w", err)
	}
	return mb, nil
}
