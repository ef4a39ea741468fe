package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/exports"
	"customercenter/domain/field"
	"customercenter/domain/job"
	"customercenter/eventstore"
	"customercenter/internal/sheet"
	"customercenter/projections"
)

// exported is how many customers a crowd has: a csv of them has three parts.
const exported = 14_000

func TestExportOfACrowd(t *testing.T) {
	w := newExportWorld(t, func(store *eventstore.Store) { planted(t, store, exportTenant, exported) })
	t.Run("interrupted", func(t *testing.T) { testInterrupted(t, w.in(t)) })
	t.Run("canceled", func(t *testing.T) { testCanceled(t, w.in(t)) })
	t.Run("not whole", func(t *testing.T) { testNotWhole(t, w.in(t)) })
	t.Run("of one instant", func(t *testing.T) { testOneInstant(t, w.in(t)) })
	t.Run("by two", func(t *testing.T) { testTwo(t, w.in(t)) })
	t.Run("unheard", func(t *testing.T) { testUnheard(t, w.in(t)) })
}

// stepping is a step in the background, the first one for which all is there that it needs.
func stepping(ctx context.Context, r *Runner, task Task) <-chan stepped {
	done := make(chan stepped, 1)
	go func() {
		for {
			rest, ended, err := r.Step(ctx, task)
			if err != nil || rest == 0 {
				done <- stepped{ended, err}
				return
			}
			time.Sleep(rest)
		}
	}()
	return done
}

type stepped struct {
	ended bool
	err   error
}

// While an export reads, others write: all of it is as it was at its position.
func testOneInstant(t *testing.T, w *exportWorld) {
	ask := commands.RequestExport{Columns: append(exports.Columns(new(field.State)), "groups", "blacklisted", "custom.score")}
	for i, sort := range []string{"created_at", "nickname"} {
		ask.Sort = sort
		before := w.made(ask)
		task := w.request(ask)
		w.sync()
		goOn := w.stopAt(task, 0)
		done := stepping(t.Context(), w.runner, task)
		w.stopped()
		w.until("it is not told how far it has come", func() bool {
			told := w.told(task)
			return told.Done > 0 && told.Done < told.Total && told.Total == int64(exported+i)
		})
		first := int64(0)
		people := w.last(sort, 20)
		for n, id := range people {
			name := fmt.Sprint("later ", n)
			done := w.must(commands.EditProfile{Customer: id, Changes: map[string]*string{"nickname": &name, "company": &name}})
			if first == 0 {
				first = done.Position
			}
		}
		w.must(commands.BlacklistCustomer{Customer: people[0], Reason: "spam"})
		w.must(commands.CreateCustomer{Association: 1, ExternalID: fmt.Sprint("late-", i)})
		w.sync()
		goOn()
		if step := <-done; step.err != nil {
			t.Fatal(step.err)
		}
		if got := w.file(task); !bytes.Equal(got, before) {
			t.Errorf("%s: what was written meanwhile is in the file", sort)
		}
		state := w.state(task)
		if state.File.Position < task.Position || state.File.Position >= first {
			t.Errorf("%s: asked for at %d, changed at %d, and it is of %d", sort, task.Position, first, state.File.Position)
		}
		if after := w.made(ask); bytes.Equal(after, before) {
			t.Errorf("%s: what was written shows nowhere", sort)
		}
	}
}

// An export that is interrupted is begun anew by whoever goes on, and leaves nothing behind.
func testInterrupted(t *testing.T, w *exportWorld) {
	ask := commands.RequestExport{}
	want := w.made(ask)
	end := func(w *exportWorld, what string, task Task) {
		t := w.t
		t.Helper()
		w.work(w.another(), task)
		if got := w.file(task); !bytes.Equal(got, want) {
			t.Errorf("%s: the file has %d bytes, or others than the %d it has to have", what, len(got), len(want))
		}
		if parts := w.kept(task); parts != (len(want)+partBytes-1)/partBytes {
			t.Errorf("%s: %d parts are kept", what, parts)
		}
	}

	t.Run("by the end of the process", func(t *testing.T) {
		w := w.in(t)
		task := w.request(ask)
		goOn := w.stopAt(task, 0)
		ctx, cancel := context.WithCancel(t.Context())
		done := stepping(ctx, w.runner, task)
		w.stopped()
		cancel()
		goOn()
		if step := <-done; !errors.Is(step.err, context.Canceled) {
			t.Error(step.err)
		}
		if parts := w.kept(task); parts == 0 || w.state(task).Status != job.Running {
			t.Errorf("%d parts are left, and the export is %s", parts, w.state(task).Status)
		}
		// What an earlier try left may be more than there is now.
		if _, err := w.store.Pool().Exec(t.Context(), `insert into job_parts (tenant, job, part, content) values ($1, $2, 77, 'old')`, exportTenant, task.ID); err != nil {
			t.Fatal(err)
		}
		end(w, "interrupted", task)
	})

	t.Run("by nobody, but two work on it", func(t *testing.T) {
		w := w.in(t)
		task := w.request(ask)
		goOn := w.stopAt(task, 0)
		done := stepping(t.Context(), w.runner, task)
		w.stopped()
		if rest, ended, err := w.another().Step(t.Context(), task); rest <= 0 || ended || err != nil {
			t.Errorf("another one rests for %v, ended %v, %v", rest, ended, err)
		}
		goOn()
		if step := <-done; step.err != nil {
			t.Error(step.err)
		}
		end(w, "both", task)
	})

	t.Run("by the loss of its hold", func(t *testing.T) {
		w := w.in(t)
		task := w.request(ask)
		goOn := w.stopAt(task, 0)
		done := stepping(t.Context(), w.runner, task)
		w.stopped()
		if _, err := w.store.Pool().Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'customercenter job'`); err != nil {
			t.Fatal(err)
		}
		if step := <-done; step.err == nil {
			t.Error("it goes on without its hold")
		}
		goOn()
		end(w, "lost", task)
	})
}

// Two who begin with the same exports all the while, as customers come, do each other no harm.
func testTwo(t *testing.T, w *exportWorld) {
	end, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-end:
				ended <- nil
				return
			default:
			}
			_, err := commands.CreateCustomer{Association: 1, ExternalID: fmt.Sprint("one-of-many-", n)}.Run(t.Context(), w.center, commands.By{Tenant: exportTenant, Actor: exportAdmin})
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	for range 20 {
		task := w.request(commands.RequestExport{Filter: []byte(`{"field":"created_via","op":"in","value":["api"]}`), Columns: []string{"external_id"}})
		other := make(chan error, 1)
		go func() { other <- w.another().finish(t.Context(), task) }()
		if err := errors.Join(w.another().finish(t.Context(), task), <-other); err != nil {
			t.Fatal(err)
		}
		if state := w.state(task); rowsOf(w.file(task)) != state.File.Rows {
			t.Errorf("%d rows are told", state.File.Rows)
		}
	}
	close(end)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Whether the log says that a file is there was not to be known. If it is still the same file, that is said again; if not, it is made anew.
func testUnheard(t *testing.T, w *exportWorld) {
	ask := commands.RequestExport{}
	want := w.made(ask)
	kept := []byte("what was kept")
	for _, same := range []bool{true, false} {
		task := w.request(ask)
		if err := w.runner.parts.put(t.Context(), exportTenant, task.ID, 0, kept); err != nil {
			t.Fatal(err)
		}
		before := made{position: task.Position, rows: 7, bytes: int64(len(kept))}
		if !same {
			before.bytes++
		}
		w.runner.walk(task).made = &before
		w.work(w.runner, task)
		is, rows := w.file(task), w.state(task).File.Rows
		if same && (!bytes.Equal(is, kept) || rows != 7) || !same && (!bytes.Equal(is, want) || rows == 7) {
			t.Errorf("the same file %v: %d bytes, %d rows", same, len(is), rows)
		}
	}
}

// Nobody waits for a canceled export: it stops in the middle, and leaves nothing.
func testCanceled(t *testing.T, w *exportWorld) {
	ask := commands.RequestExport{}
	task := w.request(ask)
	goOn, never := w.stopAt(task, 1), w.stopAt(task, 2)
	defer never()
	done := stepping(t.Context(), w.runner, task)
	w.stopped()
	w.must(commands.CancelExport{Export: task.ID})
	time.Sleep(4 * beat) // until it has been asked whether anybody waits
	goOn()
	if step := <-done; !step.ended || step.err != nil {
		t.Errorf("a canceled export has ended: %v, %v", step.ended, step.err)
	}
	if parts := w.kept(task); parts != 0 || w.state(task).Status != job.Canceled {
		t.Errorf("%d parts are left, and the export is %s", parts, w.state(task).Status)
	}
	early := w.request(ask)
	w.must(commands.CancelExport{Export: early.ID})
	w.work(w.runner, early)
	if parts := w.kept(early); parts != 0 {
		t.Errorf("%d parts of what was canceled at once", parts)
	}
	var refused *domain.Refusal
	if err := w.runner.File(t.Context(), exportTenant, task.ID, new(bytes.Buffer)); !errors.As(err, &refused) || refused.Code != domain.CodeJobStatus {
		t.Error(err)
	}
}

// A file that would be too large is not kept, and it is told by how much.
func TestExportThatIsTooLarge(t *testing.T) {
	const people, letters = 2_000, 30_000
	w := newExportWorld(t, func(store *eventstore.Store) { planted(t, store, exportTenant, people) })
	build, err := w.projector.Live(t.Context(), projections.CustomersName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Pool().Exec(t.Context(), `update `+build.Schema+`.customer set description = repeat('x', $1)`, letters); err != nil {
		t.Fatal(err)
	}
	task := w.request(commands.RequestExport{Columns: []string{"external_id", "description"}, Language: "en"})
	w.work(w.runner, task)
	state := w.state(task)
	size := len("\ufeffID,description\r\n") + people*(len("user_00000000,\r\n")+letters)
	if state.Status != job.Failed || state.Code != domain.CodeExportTooLarge || fmt.Sprint(state.Args["max"], state.Args["over"]) != fmt.Sprint(float64(exports.MaxBytes), float64(size-exports.MaxBytes)) {
		t.Errorf("%s: %s %v; it would have %d bytes", state.Status, state.Code, state.Args, size)
	}
	if parts := w.kept(task); parts != 0 {
		t.Errorf("%d parts are left", parts)
	}
	// As an xlsx it is small.
	if file := w.made(commands.RequestExport{Columns: []string{"external_id", "description"}, Format: "xlsx"}); len(file) > 1<<20 {
		t.Errorf("%d bytes", len(file))
	}
}

func TestExportExpires(t *testing.T) {
	w := newExportWorld(t, func(store *eventstore.Store) { planted(t, store, exportTenant, 10) })
	task := w.request(commands.RequestExport{})
	w.work(w.runner, task)
	w.work(w.runner, task)
	content := w.file(task)
	state := w.state(task)
	if state.File.Rows != 10 || state.Expired || w.kept(task) != 1 {
		t.Errorf("%+v, %d parts", state, w.kept(task))
	}
	for _, ahead := range []time.Duration{exports.Keep - time.Minute, exports.Keep + time.Minute} {
		w.ahead.Store(int64(ahead))
		later := Task{Tenant: task.Tenant, Kind: task.Kind, ID: task.ID, Position: task.Position + 1, By: task.By}
		later.By.Cause = "acme:" + fmt.Sprint(later.Position)
		if ahead < exports.Keep {
			w.work(w.runner, later)
			if !bytes.Equal(w.file(task), content) || w.state(task).Expired {
				t.Error("the file is gone before its time")
			}
			continue
		}
		var refused *domain.Refusal
		if err := w.runner.File(t.Context(), exportTenant, task.ID, new(bytes.Buffer)); !errors.As(err, &refused) || refused.Code != domain.CodeExportExpired {
			t.Error(err)
		}
		w.work(w.runner, later)
		if !w.state(task).Expired || w.kept(task) != 0 {
			t.Errorf("%+v, %d parts", w.state(task), w.kept(task))
		}
		w.work(w.runner, later)
	}
}

// A file of which something is missing is refused, or at least cut off with an error.
func testNotWhole(t *testing.T, w *exportWorld) {
	ask := commands.RequestExport{}
	refused := func(what, code string, id uuid.UUID) {
		t.Helper()
		var b bytes.Buffer
		var r *domain.Refusal
		if err := w.runner.File(t.Context(), exportTenant, id, &b); !errors.As(err, &r) || r.Code != code || b.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", what, err, b.Len())
		}
	}
	refused("no export", domain.CodeNotFound, uuid.New())
	task := w.request(ask)
	refused("one that is not made yet", domain.CodeJobStatus, task.ID)
	for what, change := range map[string]string{
		"the first part is gone": `delete from job_parts where job = $1 and part = 0`,
		"the last part is gone":  `delete from job_parts where job = $1 and part = (select max(part) from job_parts where job = $1)`,
		"a part is gone":         `delete from job_parts where job = $1 and part = 1`,
		"all are gone":           `delete from job_parts where job = $1`,
		"a part is shorter":      `update job_parts set content = substring(content for 1000) where job = $1 and part = 1`,
		"there is one more":      `insert into job_parts (tenant, job, part, content) values ('acme', $1, 99, 'x')`,
	} {
		task := w.request(ask)
		w.work(w.runner, task)
		if w.kept(task) < 3 {
			t.Fatalf("%d parts are too few to test with", w.kept(task))
		}
		if _, err := w.store.Pool().Exec(t.Context(), change, task.ID); err != nil {
			t.Fatal(err)
		}
		refused(what, domain.CodeFileGone, task.ID)
	}
	w.work(w.runner, task)
	meanwhile := writing(func(p []byte) (int, error) {
		_, err := w.store.Pool().Exec(t.Context(), `delete from job_parts where job = $1`, task.ID)
		return len(p), err
	})
	if err := w.runner.File(t.Context(), exportTenant, task.ID, meanwhile); err == nil {
		t.Error("the file goes while it is downloaded, and nobody notices")
	}
}

type writing func([]byte) (int, error)

func (w writing) Write(p []byte) (int, error) { return w(p) }

// What somebody did before asking is in the file: the export waits until the read models know it.
func TestExportWaitsForReadModels(t *testing.T) {
	w := newExportWorld(t, func(store *eventstore.Store) { planted(t, store, exportTenant, 10) })
	task := w.request(commands.RequestExport{Columns: []string{"external_id", "groups"}})
	early := task
	early.Position += 1000
	if rest, ended, err := w.another().Step(t.Context(), early); rest <= 0 || ended || err != nil {
		t.Errorf("it rests for %v, ended %v, %v", rest, ended, err)
	}
	w.must(commands.CreateCustomer{Association: 1, ExternalID: "new"})
	w.must(commands.CancelExport{Export: task.ID})
	if file := w.made(commands.RequestExport{Columns: []string{"external_id"}}); !strings.Contains(string(file), "\r\nnew\r\n") {
		t.Errorf("%s", file)
	}
}

// No cell is longer than spreadsheet programs hold: of too many names the last are left out.
func TestTooManyNamesInACell(t *testing.T) {
	names := make([]string, 900)
	for i := range names {
		names[i] = strings.Repeat("😀", 24) + fmt.Sprint(i%10)
	}
	long := strings.Join(names, ",")
	for _, format := range []sheet.Format{sheet.CSV, sheet.XLSX} {
		var b bytes.Buffer
		out, err := sheet.NewWriter(&b, format, "x", []string{"a", "b"})
		if err != nil {
			t.Fatal(err)
		}
		cells := []string{"first", long}
		if err := errors.Join(writeRow(out, cells), writeRow(out, []string{strings.Repeat("y", sheet.MaxCell+1), "last"}), out.Close()); err != nil {
			t.Fatal(err)
		}
		var rows [][]string
		if format == sheet.CSV {
			rows = readCSV(t, b.Bytes())
		} else {
			rows = readXLSX(t, b.Bytes(), "x")
		}
		got := rows[1][1]
		kept := strings.TrimSuffix(got, ",…")
		if n := len(utf16.Encode([]rune(got))); len(kept) == len(got) || !strings.HasPrefix(long, kept+",") || n > sheet.MaxCell || n < sheet.MaxCell-100 {
			t.Errorf("%s: a cell of %d, which ends with %q", format, n, got[len(got)-40:])
		}
		if rows[2][0] != strings.Repeat("y", sheet.MaxCell-1)+"…" || rows[2][1] != "last" {
			t.Errorf("%s: a cell of %d", format, len(rows[2][0]))
		}
	}
}

// Whatever the pieces in which it is written, a file is kept in parts of the same size; or only counted.
func TestFileOfParts(t *testing.T) {
	for _, piece := range []int{1000, partBytes - 1, partBytes, 3*partBytes + 7} {
		var kept [][]byte
		f := &file{most: 7 * partBytes, keep: func(part int, content []byte) error {
			if part != len(kept) {
				t.Errorf("part %d comes behind %d others", part, len(kept))
			}
			kept = append(kept, bytes.Clone(content))
			return nil
		}}
		var whole []byte
		for len(whole)+piece <= 7*partBytes {
			p := bytes.Repeat([]byte{byte(len(whole) / piece)}, piece)
			whole = append(whole, p...)
			if n, err := f.Write(p); n != piece || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := f.finish(); err != nil || !bytes.Equal(bytes.Join(kept, nil), whole) || f.tooLarge() || f.bytes != int64(len(whole)) {
			t.Errorf("in pieces of %d: %d bytes of %d, %v", piece, f.bytes, len(whole), err)
		}
		for i, part := range kept[:len(kept)-1] {
			if len(part) != partBytes {
				t.Errorf("part %d has %d bytes", i, len(part))
			}
		}
		n := len(kept)
		for range 2 {
			if _, err := f.Write(make([]byte, 7*partBytes)); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.finish(); err != nil || len(kept) != n || !f.tooLarge() || f.bytes != int64(len(whole)+14*partBytes) {
			t.Errorf("too large: %d parts, %d bytes, %v", len(kept), f.bytes, err)
		}
	}
	broken := errors.New("broken")
	f := &file{most: 7 * partBytes, keep: func(int, []byte) error { return broken }}
	_, err := f.Write(make([]byte, partBytes+1))
	if err = errors.Join(err, f.finish()); !errors.Is(err, broken) {
		t.Error(err)
	}
	f = &file{most: 7 * partBytes, keep: func(int, []byte) error { return broken }}
	if _, err := f.Write(make([]byte, 2*partBytes)); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// Groups are told by another read model than customers are, which comes to an event a moment earlier or later: what is in a file is of one position all the same.
func TestGroupsOfAnExportAreOfItsPosition(t *testing.T) {
	w := newExportWorld(t, nil)
	w.must(commands.RegisterAssociation{Channel: "app", Account: "org#shop", Name: "商城"})
	w.must(commands.DefineGroup{Name: "inner", Rule: []byte(`{"field":"company","op":"eq","value":"us"}`)})
	who := w.must(commands.CreateCustomer{Association: 1, ExternalID: "u-1"}).Customer
	task := w.request(commands.RequestExport{Columns: []string{"company", "groups"}})
	w.sync()
	shut, err := w.store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shut.Rollback(context.Background()) }()
	if _, err := shut.Exec(t.Context(), `select c.position from projection_checkpoints c join projection_builds b on b.id = c.build
		where b.schema like 'groups%' and c.tenant = $1 for update of c`, exportTenant); err != nil {
		t.Fatal(err)
	}
	us := "us"
	changed := w.must(commands.EditProfile{Customer: who, Changes: map[string]*string{"company": &us}}).Position
	if served, fresh, err := w.projector.WaitFor(t.Context(), projections.CustomersName, exportTenant, changed, patience); err != nil || !fresh {
		t.Fatalf("customers are at %d, %v", served, err)
	}
	done := stepping(t.Context(), w.runner, task)
	w.until("nobody looks for both", func() bool { return w.held() > 200*time.Millisecond })
	if err := shut.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if step := <-done; step.err != nil {
		t.Fatal(step.err)
	}
	if got := readCSV(t, w.file(task)); got[1][0] != "us" || got[1][1] != "inner" {
		t.Errorf("the company is %q, the groups are %q", got[1][0], got[1][1])
	}
}
