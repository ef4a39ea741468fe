package projector

import (
	"maps"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"customercenter/projections/projectionstest"
)

// table is a table on a real database.
func table(t *testing.T) (rows *Rows[string, ledgerRow], load func(keys ...string), write func(), read func() map[string]int64) {
	t.Helper()
	store := projectionstest.Store(t, tenant)
	b, err := ledgers(t, store, one).create(t.Context(), new(ledgerOf(one)), StatusBuilding)
	if err != nil {
		t.Fatal(err)
	}
	rows = ledgerOf(one).New().(*ledger).rows
	rows.bind(b.Schema, tenant)
	send := func(batch *pgx.Batch) {
		t.Helper()
		if batch.Len() == 0 {
			return
		}
		if err := store.Pool().SendBatch(t.Context(), batch).Close(); err != nil {
			t.Fatal(err)
		}
	}
	load = func(keys ...string) {
		t.Helper()
		for _, k := range keys {
			rows.Touch(k)
		}
		batch := &pgx.Batch{}
		rows.load(batch)
		send(batch)
	}
	write = func() {
		t.Helper()
		batch := &pgx.Batch{}
		rows.write(batch)
		send(batch)
		rows.written()
	}
	return rows, load, write, func() map[string]int64 { return amounts(t, store, b) }
}

func TestRowsAreWrittenWhateverWasKnownOfThem(t *testing.T) {
	rows, load, write, read := table(t)
	rows.Create(ledgerRow{"created", 1})
	rows.Put(ledgerRow{"put", 2})
	rows.Create(ledgerRow{"short-lived", 3})
	rows.Delete("short-lived")
	rows.Delete("never was")
	write()
	want := map[string]int64{"created": 1, "put": 2}
	if got := read(); !maps.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	rows.reset()
	rows.Put(ledgerRow{"put", 20}) // not known to be there
	load("created", "absent")
	if row, found := rows.Edit("created"); !found || row.Amount != 1 {
		t.Fatalf("%+v, %v", row, found)
	} else {
		row.Amount = 10
	}
	if _, found := rows.Edit("absent"); found {
		t.Error("an absent row was found")
	}
	rows.Create(ledgerRow{"absent", 30})
	write()
	want = map[string]int64{"created": 10, "put": 20, "absent": 30}
	if got := read(); !maps.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	rows.Delete("put")
	rows.Delete("created")
	rows.Create(ledgerRow{"created", 11}) // deleted and made again before it is written
	write()
	want = map[string]int64{"created": 11, "absent": 30}
	if got := read(); !maps.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	load("put", "created")
	if _, found := rows.Peek("put"); found {
		t.Error("a deleted row was found")
	}
}

func TestUndoTakesBackOneEvent(t *testing.T) {
	rows, load, write, read := table(t)
	rows.Create(ledgerRow{"old", 1})
	rows.Create(ledgerRow{"gone", 2})
	write()
	load("nothing")

	rows.begin()
	row, _ := rows.Edit("old")
	row.Amount = 5 // this event stays
	rows.begin()
	row, _ = rows.Edit("old")
	row.Amount = 50
	row, _ = rows.Edit("old")
	row.Amount = 500
	rows.Delete("gone")
	rows.Create(ledgerRow{"new", 3})
	rows.Create(ledgerRow{"nothing", 4})
	rows.Put(ledgerRow{"put", 5})
	rows.undo()
	if _, changed := rows.size(); changed != 1 {
		t.Errorf("%d rows are to be written, want 1", changed)
	}
	write()
	want := map[string]int64{"old": 5, "gone": 2}
	if got := read(); !maps.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
}

func TestTrimKeepsWhatWasUsedLately(t *testing.T) {
	rows, load, write, _ := table(t)
	var names []string
	for i := range 100 {
		names = append(names, string(rune('0'+i)))
		rows.Create(ledgerRow{names[i], int64(i)})
		if i%10 == 9 {
			write()
		}
	}
	load(names[:3]...)
	write()
	rows.trim(100)
	if n, _ := rows.size(); n != 100 {
		t.Fatalf("%d rows are left, want all", n)
	}
	rows.trim(40)
	if n, _ := rows.size(); n < 15 || n > 30 {
		t.Fatalf("%d rows are left, want about 20", n)
	}
	for _, name := range slices.Concat(names[:3], names[90:]) {
		if _, found := rows.Peek(name); !found {
			t.Errorf("row %s was used lately", name)
		}
	}
	load(names[50])
	if row, found := rows.Edit(names[50]); !found || row.Amount != 50 {
		t.Errorf("%+v, %v", row, found)
	}
	write()
	rows.trim(3) // all of one age but one
	if n, _ := rows.size(); n > 3 {
		t.Errorf("%d rows are left, want 3", n)
	}
}
