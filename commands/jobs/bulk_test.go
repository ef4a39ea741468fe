package jobs

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"customercenter/commands"
	"customercenter/domain/bulk"
	"customercenter/domain/job"
)

// blacklisting asks for a bulk action on everybody.
func (w *exportWorld) blacklisting() Task {
	w.t.Helper()
	done := w.must(commands.StartBulk{Action: bulk.Blacklist, Reason: "spam", Filter: []byte(`{}`)})
	return Task{Tenant: exportTenant, Kind: job.KindBulk, ID: done.Job, Position: done.Position, By: commands.By{
		Tenant: exportTenant, Actor: exportAdmin, Cause: exportTenant + ":" + strconv.FormatInt(done.Position, 10),
	}}
}

func (w *exportWorld) bulk(task Task) bulk.State {
	w.t.Helper()
	state, _, err := w.runner.catalogues.Bulk(w.t.Context(), exportTenant, task.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return state
}

// shut lets nobody read whom the read models of customers know, until the returned function is called.
func (w *exportWorld) shut() (open func()) {
	w.t.Helper()
	tx, err := w.store.Pool().Begin(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var schema string
	if err := tx.QueryRow(w.t.Context(), `select schemaname from pg_tables where tablename = 'customer' and schemaname like 'customers%'`).Scan(&schema); err != nil {
		w.t.Fatal(err)
	}
	if _, err := tx.Exec(w.t.Context(), `lock table `+pgx.Identifier{schema, "customer"}.Sanitize()+` in access exclusive mode`); err != nil {
		w.t.Fatal(err)
	}
	open = func() { _ = tx.Rollback(context.Background()) } // the second time it does nothing
	w.t.Cleanup(open)
	return open
}

// held reports for how long somebody has held a job; 0 if nobody does.
func (w *exportWorld) held() time.Duration {
	w.t.Helper()
	var seconds float64
	err := w.store.Pool().QueryRow(w.t.Context(), `select coalesce(max(extract(epoch from clock_timestamp() - backend_start)), 0)::float8 from pg_stat_activity
		where datname = current_database() and application_name = 'customercenter job'`).Scan(&seconds)
	if err != nil {
		w.t.Fatal(err)
	}
	return time.Duration(seconds * float64(time.Second))
}

// A selection may look for long without having anything to write: it keeps its hold, as whoever is frozen does not.
func TestASelectionThatTakesLong(t *testing.T) {
	w := newExportWorld(t, nil)
	w.must(commands.RegisterAssociation{Channel: "app", Account: "org#shop", Name: "商城"})
	w.must(commands.CreateCustomer{Association: 1, ExternalID: "zanzibar"})
	w.runner.freeze = 3 * beat
	choosing := func() (task Task, open func(), done <-chan stepped) {
		task = w.blacklisting()
		w.sync()
		open = w.shut()
		done = stepping(t.Context(), w.runner, task)
		w.until("nobody holds the job", func() bool { return w.held() > 0 })
		return task, open, done
	}
	task, open, done := choosing()
	w.until("the hold is lost", func() bool { return w.held() > 3*w.runner.freeze })
	open()
	if step := <-done; step.err != nil {
		t.Error(step.err)
	}
	if state := w.bulk(task); !state.Chosen || state.Selected.Customers != 1 {
		t.Errorf("chosen %v, %d customers", state.Chosen, state.Selected.Customers)
	}
	w.work(w.runner, task)

	// Nobody waits for one that was canceled: it ends where it is.
	task, _, done = choosing()
	w.must(commands.CancelBulk{Bulk: task.ID})
	if step := <-done; step.err != nil {
		t.Error(step.err)
	}
	if state := w.bulk(task); state.Chosen || state.Status != job.Canceled {
		t.Errorf("chosen %v, %s", state.Chosen, state.Status)
	}
}
