package projector

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore/tenancy"
	"customercenter/projections/projectionstest"
)

// A statement is planned while a table is small, and its plan goes on being used while the table grows, until it is analyzed a minute later. What few changes read must
// not grow with it: the index beside the key tempts to read all of a tenant and throw away the rest.
func TestFewRowsAreReadOfATableThatHasGrown(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	d := ledgerOf(one)
	d.Tables = `create table grown (tenant text collate "C" not null, id text not null, n bigint not null, primary key (tenant, id));
		create index on grown (tenant, n);
		create table members (tenant text not null, facet bigint not null, bucket int not null, bits bit(16384) not null, primary key (tenant, facet, bucket));
		create table members_written (tenant text not null, number bigint not null, token uuid not null default gen_random_uuid(), changes int not null, sets bigint[], buckets int[], primary key (tenant, number));`
	b, err := ledgers(t, store, one).create(t.Context(), &d, StatusBuilding)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		ID string
		N  int64
	}
	rows := NewRows("grown", "id", "text", func(r *row) *string { return &r.ID }, Value("n", "bigint", func(r *row) *int64 { return &r.N }))
	bits := NewBits("members", "facet")
	tables := []Table{rows, bits}
	for _, table := range tables {
		table.bind(b.Schema, tenant)
	}
	if _, err := store.Pool().Exec(t.Context(), `analyze `+b.Schema+`.grown, `+b.Schema+`.members`); err != nil { // as at the end of a build: there are no rows, says the server
		t.Fatal(err)
	}
	conn, err := store.Pool().Acquire(t.Context()) // whose plans they are
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	// With many changes at once the server comes to a plan for any values by itself.
	if _, err := conn.Exec(t.Context(), `set plan_cache_mode = force_generic_plan`); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := conn.Exec(context.WithoutCancel(t.Context()), `reset plan_cache_mode`); err != nil {
			t.Error(err)
		}
	}()
	// change has a few rows changed, one removed and one made again, and some bits set and cleared, and tells how many rows were read for that.
	change := func(n int64, many bool) (read int64) {
		t.Helper()
		rows.reset() // as after others were used
		for i := range 5 {
			rows.Touch(fmt.Sprint(i))
		}
		before := readOf(t, conn, b.Schema)
		batch := &pgx.Batch{}
		batch.Queue(tenancy.ByIndex)
		rows.load(batch)
		queueAll(t, conn, batch)
		for i := range 4 {
			rows.Put(row{fmt.Sprint(i), n})
		}
		if n%2 == 0 {
			rows.Delete("4")
		} else {
			rows.Put(row{"4", n})
		}
		for i := range int64(4) {
			for place := range int64(2 * fewPlaces) {
				switch {
				case place > 2 && !many:
				case n%2 == 0:
					bits.Set(i, place)
				default:
					bits.Clear(i, place)
				}
			}
		}
		batch = &pgx.Batch{}
		for _, table := range tables {
			table.write(batch)
		}
		queueAll(t, conn, batch)
		read = readOf(t, conn, b.Schema) - before
		for _, table := range tables {
			table.written()
		}
		return read
	}
	for n := range int64(20) { // the server makes a plan for any values after some
		change(n, false)
		change(n, true)
	}
	for _, grow := range []string{
		`insert into ` + b.Schema + `.grown select $1, 'other ' || i, i from generate_series(1, 5000) i`,
		`insert into ` + b.Schema + `.members select $1, i, 0, set_bit(0::bit(16384), 16000, 1) from generate_series(10, 5000) i`,
	} {
		if _, err := store.Pool().Exec(t.Context(), grow, tenant); err != nil {
			t.Fatal(err)
		}
	}
	for n := range int64(2) {
		for _, many := range []bool{false, true} {
			if read := change(n, many); read > 100 {
				t.Errorf("change %d of a few rows, many bits %t, read %d rows", n, many, read)
			}
		}
	}
}

func queueAll(t *testing.T, conn *pgxpool.Conn, batch *pgx.Batch) {
	t.Helper()
	if err := conn.SendBatch(t.Context(), batch).Close(); err != nil {
		t.Fatal(err)
	}
}

// readOf is how many rows a connection has read of the tables of a schema, or a bit less: what it has told the server's statistics is not among them.
func readOf(t *testing.T, conn *pgxpool.Conn, schema string) (read int64) {
	t.Helper()
	err := conn.QueryRow(t.Context(), `select coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0) from pg_stat_xact_user_tables where schemaname = $1`, schema).Scan(&read)
	if err != nil {
		t.Fatal(err)
	}
	return read
}
