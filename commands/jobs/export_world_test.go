package jobs

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"
	"go.uber.org/goleak"

	"customercenter/commands"
	"customercenter/domain/catalog"
	"customercenter/domain/exports"
	"customercenter/domain/job"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/projections"
	"customercenter/projections/projector"
)

const exportTenant = "acme"

// patience is how long a test waits for what must happen.
const patience = time.Minute

var exportAdmin = eventstore.Actor{Kind: "admin", ID: "a-1"}

// exportWorld is a tenant whose read models are kept up to date until the test ends.
type exportWorld struct {
	t         testing.TB
	store     *eventstore.Store
	center    *commands.Center
	projector *projector.Projector
	runner    *Runner
	ahead     *atomic.Int64 // of the clock of center and runners, in nanoseconds
}

// in is the same world for a test within the test.
func (w *exportWorld) in(t testing.TB) *exportWorld {
	other := *w
	other.t = t
	return &other
}

// newExportWorld makes one; fill, if not nil, fills the log before anything is built of it.
func newExportWorld(t testing.TB, fill func(*eventstore.Store)) *exportWorld {
	t.Helper()
	known := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, known) })
	w := &exportWorld{t: t, store: eventstoretest.Store(t, eventstore.NewCodec(catalog.Events()...), exportTenant), ahead: new(atomic.Int64)}
	w.center = commands.NewCenter(w.store, w.now, func() uuid.UUID { return uuid.Must(uuid.NewV7()) })
	if fill != nil {
		fill(w.store)
	}
	var err error
	w.projector, err = projector.New(projector.Config{Store: w.store, Definitions: projections.Definitions(), Sweep: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.projector.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.projector.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	w.runner = w.another()
	return w
}

func (w *exportWorld) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// another is a runner that has seen nothing yet, as one in another process.
func (w *exportWorld) another() *Runner {
	return NewRunner(Config{Store: w.store, Center: w.center, Builds: w.projector, Now: w.now})
}

func (w *exportWorld) must(cmd interface {
	Run(context.Context, *commands.Center, commands.By) (commands.Done, error)
}) commands.Done {
	w.t.Helper()
	done, err := cmd.Run(w.t.Context(), w.center, commands.By{Tenant: exportTenant, Actor: exportAdmin})
	if err != nil {
		w.t.Fatalf("%T: %v", cmd, err)
	}
	return done
}

// sync waits until the read models have everything.
func (w *exportWorld) sync() {
	w.t.Helper()
	head, err := w.store.Head(w.t.Context(), exportTenant)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, model := range []string{projections.CustomersName, projections.GroupsName} {
		if served, fresh, err := w.projector.WaitFor(w.t.Context(), model, exportTenant, head, patience); err != nil || !fresh {
			w.t.Fatalf("%s is at %d, %v", model, served, err)
		}
	}
}

// request asks for an export.
func (w *exportWorld) request(cmd commands.RequestExport) Task {
	w.t.Helper()
	done := w.must(cmd)
	return Task{Tenant: exportTenant, Kind: job.KindExport, ID: done.Job, Position: done.Position, By: commands.By{
		Tenant: exportTenant, Actor: exportAdmin, Cause: exportTenant + ":" + strconv.FormatInt(done.Position, 10),
	}}
}

// work does the steps of an export until none is left.
func (w *exportWorld) work(r *Runner, task Task) {
	w.t.Helper()
	if err := r.finish(w.t.Context(), task); err != nil {
		w.t.Fatal(err)
	}
}

// finish does the steps of a job until none is left.
func (r *Runner) finish(ctx context.Context, task Task) error {
	for until := time.Now().Add(patience); ; {
		rest, ended, err := r.Step(ctx, task)
		switch {
		case err != nil || ended:
			return err
		case time.Now().After(until):
			return errors.New("the job does not end")
		}
		time.Sleep(min(rest, 20*time.Millisecond))
	}
}

// made asks for an export and returns its file.
func (w *exportWorld) made(cmd commands.RequestExport) []byte {
	w.t.Helper()
	task := w.request(cmd)
	w.work(w.runner, task)
	return w.file(task)
}

func (w *exportWorld) state(task Task) exports.State {
	w.t.Helper()
	state, _, err := projections.NewCatalogues(w.store).Export(w.t.Context(), exportTenant, task.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return state
}

// file downloads the file of a completed export.
func (w *exportWorld) file(task Task) []byte {
	w.t.Helper()
	state := w.state(task)
	if state.Status != job.Completed {
		w.t.Fatalf("the export is %s: %s %v", state.Status, state.Code, state.Args)
	}
	var b bytes.Buffer
	if err := w.runner.File(w.t.Context(), exportTenant, task.ID, &b); err != nil {
		w.t.Fatal(err)
	}
	if int64(b.Len()) != state.File.Bytes {
		w.t.Errorf("the file has %d bytes, and %d are told", b.Len(), state.File.Bytes)
	}
	return b.Bytes()
}

// kept are the parts that a job keeps.
func (w *exportWorld) kept(task Task) (parts int) {
	w.t.Helper()
	if err := w.store.Pool().QueryRow(w.t.Context(), `select count(*) from job_parts where job = $1`, task.ID).Scan(&parts); err != nil {
		w.t.Fatal(err)
	}
	return parts
}

// told is how far an export is said to have come.
func (w *exportWorld) told(task Task) (p projections.Progress) {
	w.t.Helper()
	err := w.store.Pool().QueryRow(w.t.Context(), `select done, total from job_progress where job = $1`, task.ID).Scan(&p.Done, &p.Total)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// last are the last customers of an order, the very last first.
func (w *exportWorld) last(sort string, n int) []uuid.UUID {
	w.t.Helper()
	if back, descending := strings.CutPrefix(sort, "-"); descending {
		sort = back
	} else {
		sort = "-" + sort
	}
	page, err := projections.NewCustomers(w.store, w.projector, projections.NewCatalogues(w.store)).List(w.t.Context(), exportTenant, projections.ListQuery{Sort: sort, Limit: n})
	if err != nil {
		w.t.Fatal(err)
	}
	ids := make([]uuid.UUID, len(page.Items))
	for i, c := range page.Items {
		ids[i] = c.ID
	}
	return ids
}

// until waits for what must happen.
func (w *exportWorld) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatal(what)
		}
	}
}

// stopAt holds up whoever is about to keep a part, until the returned function is called.
func (w *exportWorld) stopAt(task Task, part int) (goOn func()) {
	w.t.Helper()
	tx, err := w.store.Pool().Begin(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := tx.Exec(w.t.Context(), `insert into job_parts (tenant, job, part, content) values ($1, $2, $3, '')`, exportTenant, task.ID, part); err != nil {
		w.t.Fatal(err)
	}
	goOn = func() { _ = tx.Rollback(context.Background()) } // the second time it does nothing
	w.t.Cleanup(goOn)
	return goOn
}

// stopped waits until somebody is held up.
func (w *exportWorld) stopped() {
	w.t.Helper()
	w.until("nobody is held up", func() bool {
		var held bool
		err := w.store.Pool().QueryRow(w.t.Context(), `select exists (select from pg_stat_activity where datname = current_database()
			and query like 'insert into job_parts%' and wait_event_type = 'Lock')`).Scan(&held)
		if err != nil {
			w.t.Fatal(err)
		}
		return held
	})
}

// readCSV reads a csv as others do; with the byte order mark, which must be there.
func readCSV(t testing.TB, content []byte) [][]string {
	t.Helper()
	rest, marked := bytes.CutPrefix(content, []byte("\xEF\xBB\xBF"))
	if !marked {
		t.Error("the csv has no byte order mark")
	}
	if !bytes.HasSuffix(content, []byte("\r\n")) {
		t.Error("the last line does not end")
	}
	rows, err := csv.NewReader(bytes.NewReader(rest)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// readXLSX reads an xlsx as others do, and fails if a cell is no text. Cells at the end of a row that are empty are added, as excelize leaves them out.
func readXLSX(t testing.TB, content []byte, sheet string) [][]string {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if names := f.GetSheetList(); !slices.Equal(names, []string{sheet}) {
		t.Errorf("the sheets are %q", names)
	}
	rows, err := f.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		for column := range rows[i] {
			name, _ := excelize.CoordinatesToCellName(column+1, i+1)
			if kind, err := f.GetCellType(sheet, name); err != nil || rows[i][column] != "" && kind != excelize.CellTypeInlineString {
				t.Errorf("%s is of type %v, %v", name, kind, err)
			}
			if formula, err := f.GetCellFormula(sheet, name); err != nil || formula != "" {
				t.Errorf("%s is a formula, %v", name, err)
			}
			style, err := f.GetCellStyle(sheet, name)
			if err != nil {
				t.Fatal(err)
			}
			if s, err := f.GetStyle(style); err != nil || rows[i][column] != "" && s.NumFmt != 49 {
				t.Errorf("%s is not typed as text, %v", name, err)
			}
		}
		for len(rows[i]) < len(rows[0]) {
			rows[i] = append(rows[i], "")
		}
	}
	return rows
}

// same fails if two tables differ.
func same(t testing.TB, what string, got, want [][]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d rows instead of %d", what, len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if slices.Equal(got[i], want[i]) {
			continue
		}
		for c := range max(len(got[i]), len(want[i])) {
			is, should := "nothing", "nothing"
			if c < len(got[i]) {
				is = strconv.Quote(got[i][c])
			}
			if c < len(want[i]) {
				should = strconv.Quote(want[i][c])
			}
			if is != should {
				t.Errorf("%s: row %d, column %d (%s): %s, want %s", what, i, c, want[0][min(c, len(want[0])-1)], is, should)
			}
		}
	}
}

// rowsOf is how many rows a csv has below its headings, in which no cell has a line break.
func rowsOf(content []byte) int { return strings.Count(string(content), "\r\n") - 1 }
