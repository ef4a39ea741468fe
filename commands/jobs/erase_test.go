package jobs

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/imports"
	"customercenter/domain/job"
	"customercenter/domain/settings"
)

// uploaded takes in a file of those ids, and mayImport before that.
func (w *exportWorld) uploaded(ids ...string) uuid.UUID {
	w.t.Helper()
	w.must(commands.GrantEntitlement{Entitlement: settings.EntitlementImport})
	file := []byte("ID,关联ID\r\n" + strings.Join(ids, ",1\r\n") + ",1\r\n")
	done, err := w.runner.Upload(w.t.Context(), commands.By{Tenant: exportTenant, Actor: exportAdmin}, Upload{Name: "1.csv", File: bytes.NewReader(file), Size: int64(len(file))})
	if err != nil {
		w.t.Fatal(err)
	}
	return done.Job
}

// started begins an import.
func (w *exportWorld) started(id uuid.UUID, dryRun bool) Task {
	w.t.Helper()
	done := w.must(commands.StartImport{Import: id, DryRun: dryRun})
	return Task{Tenant: exportTenant, Kind: job.KindImport, ID: id, Position: done.Position, By: commands.By{
		Tenant: exportTenant, Actor: exportAdmin, Cause: exportTenant + ":" + strconv.FormatInt(done.Position, 10),
	}}
}

// refusals are the codes of the rows of an import that were refused.
func (w *exportWorld) refusals(id uuid.UUID) (codes []string) {
	w.t.Helper()
	refused, _, err := w.runner.Outcomes(w.t.Context(), exportTenant, id, Place{}, true, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range refused {
		codes = append(codes, fmt.Sprint(o.Refused.Row, " ", o.Refused.Column, " ", o.Refused.Code))
	}
	return codes
}

// erases removes what is kept of somebody, and reports whether all is gone.
func (w *exportWorld) erases(who uuid.UUID, created, erased int64) bool {
	w.t.Helper()
	gone, err := w.runner.Erase(w.t.Context(), commands.By{Tenant: exportTenant, Actor: exportAdmin}, who, created, erased)
	if err != nil {
		w.t.Fatal(err)
	}
	return gone
}

func (w *exportWorld) step(task Task) {
	w.t.Helper()
	if _, _, err := w.runner.Step(w.t.Context(), task); err != nil {
		w.t.Fatal(err)
	}
}

// Somebody is erased while a file that names them is being imported, and lies in memory: nobody is made anew out of what was said before. So also before the
// import begins, in a trial, and whether or not the rows were emptied meanwhile. A file that comes later may say it again.
func TestNobodyIsMadeAnewByAnImport(t *testing.T) {
	w := newExportWorld(t, nil)
	w.must(commands.RegisterAssociation{Channel: "app", Account: "org#shop", Name: "商城"})
	ids := make([]string, atOnce+10)
	for i := range ids {
		ids[i] = fmt.Sprint("u-", i)
	}
	const row = atOnce + 5
	ids[row] = "Zanzibar"
	want := []string{fmt.Sprint(row+2, " ", imports.ColumnID, " ", domain.CodeCustomerErased)}
	running, waiting := w.uploaded(ids...), w.uploaded("zanzibar", "another")
	her := w.must(commands.CreateCustomer{Association: 1, ExternalID: "zanzibar"}).Customer
	task := w.started(running, false)
	w.step(task) // the first rows, of a part in which hers is
	if state, _, err := w.runner.catalogues.Import(t.Context(), exportTenant, running); err != nil || state.Done == 0 || state.Done > row {
		t.Fatalf("%d rows are done, %v", state.Done, err)
	}
	erased := w.must(commands.EraseCustomer{Customer: her, Confirm: "zanzibar"}).Position
	w.work(w.runner, task)
	if got := w.refusals(running); !slices.Equal(got, want) {
		t.Errorf("an import under way: %q, want %q", got, want)
	}

	trial := []string{"2 " + imports.ColumnID + " " + domain.CodeCustomerErased}
	tried := func(what string, r *Runner) {
		t.Helper()
		w.work(r, w.started(waiting, true))
		if got := w.refusals(waiting); !slices.Equal(got, trial) {
			t.Errorf("%s: %q, want %q", what, got, trial)
		}
	}
	tried("a trial", w.runner)
	tried("in another process", NewRunner(Config{Store: w.store, Center: commands.NewCenter(w.store, w.now, uuid.New), Builds: w.projector}))

	// She comes back, goes, and comes back: the old file says the same of her.
	later := w.uploaded("zanzibar")
	w.work(w.runner, w.started(later, false))
	if got := w.refusals(later); len(got) > 0 {
		t.Errorf("a file uploaded afterwards: %q", got)
	}
	tried("while she is a customer again", w.runner)
	w.must(commands.RevertImport{Import: later})
	w.work(w.runner, Task{Tenant: exportTenant, Kind: job.KindImport, ID: later, By: commands.By{Tenant: exportTenant, Actor: exportAdmin, Cause: "revert"}})
	tried("once she was taken back", w.runner)

	if !w.erases(her, 1, erased) {
		t.Error("it is not gone")
	}
	tried("of an emptied row", w.runner)
	w.work(w.runner, w.started(waiting, false))
	if got := w.refusals(waiting); !slices.Equal(got, trial) {
		t.Errorf("an emptied row, in earnest: %q, want %q", got, trial)
	}
}

// Of an export counts when its file was made, not when it was asked for; and one that is being made is not gone until whoever makes it has stopped.
func TestNobodyStaysInAnExport(t *testing.T) {
	w := newExportWorld(t, nil)
	w.must(commands.RegisterAssociation{Channel: "app", Account: "org#shop", Name: "商城"})
	ask := commands.RequestExport{Columns: []string{"external_id"}}
	before := w.request(ask)
	w.work(w.runner, before)
	asked := w.request(ask)
	made := w.must(commands.CreateCustomer{Association: 1, ExternalID: "zanzibar"})
	w.sync()
	w.work(w.runner, asked)
	if file := string(w.file(asked)); !strings.Contains(file, "zanzibar") {
		t.Fatalf("she is not in the file: %q", file)
	}
	running, waiting := w.request(ask), w.request(ask)
	w.sync()
	goOn := w.stopAt(running, 0)
	done := stepping(t.Context(), w.another(), running)
	w.stopped()
	erased := w.must(commands.EraseCustomer{Customer: made.Customer, Confirm: "zanzibar"}).Position
	w.sync()
	w.work(w.runner, waiting) // when the read models have come to the erasure
	for range 2 {
		if w.erases(made.Customer, made.First, erased) {
			t.Error("it is called gone while the file is being made")
		}
	}
	goOn()
	if step := <-done; step.err != nil {
		t.Error(step.err)
	}
	w.until("it is not gone", func() bool { return w.erases(made.Customer, made.First, erased) })
	w.work(w.runner, running)
	for name, task := range map[string]Task{"made afterwards": asked, "being made": running} {
		if state := w.state(task); state.Code != domain.CodeCustomerErased || w.kept(task) > 0 || w.runner.File(t.Context(), exportTenant, task.ID, new(bytes.Buffer)) == nil {
			t.Errorf("%s: it is %s, %q, with %d parts", name, state.Status, state.Code, w.kept(task))
		}
	}
	for name, task := range map[string]Task{"made before her": before, "made without her": waiting} {
		if file := w.file(task); bytes.Contains(file, []byte("zanzibar")) {
			t.Errorf("%s: %q", name, file)
		}
	}
}
