//go:build unix

package faults

import (
	"context"
	"fmt"
	"time"
)

// setClock gives the product's database a clock that can be stepped: functions that stand before those of PostgreSQL wherever the product's statements say
// clock_timestamp() and the like. The clocks of processes are another matter, see buildSteppable.
func (w *world) setClock() {
	w.t.Helper()
	statements := `
		create schema faults;
		create table faults.step as select interval '0' as by;`
	for function, volatility := range map[string]string{"clock_timestamp": "volatile", "statement_timestamp": "stable", "now": "stable"} {
		statements += fmt.Sprintf(`
			create function faults.%[1]s() returns timestamptz language sql %[2]s as $$ select pg_catalog.%[1]s() + (select by from faults.step) $$;`, function, volatility)
	}
	statements += `
		grant usage on schema faults to public;
		grant select on faults.step to public;
		alter role ` + user + ` in database ` + databaseName + ` set search_path = public, faults, pg_catalog`
	if _, err := w.pool.Exec(w.t.Context(), statements); err != nil {
		w.t.Fatal(err)
	}
}

// stepClock sets the database's clock before or behind that of the machine.
func (w *world) stepClock(by time.Duration) {
	w.t.Helper()
	insist(w.t, "step the clock", func(ctx context.Context) error {
		_, err := w.pool.Exec(ctx, `update faults.step set by = make_interval(secs => $1)`, by.Seconds())
		return err
	})
}
