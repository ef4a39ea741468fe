package policies

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain"
	"customercenter/domain/bulk"
	"customercenter/domain/customer"
	"customercenter/domain/imports"
	"customercenter/domain/job"
	"customercenter/domain/settings"
	"customercenter/eventstore"
	"customercenter/projections"
)

// upload takes in a csv of those lines, below a header.
func (w *world) upload(slug string, lines []string) uuid.UUID {
	w.t.Helper()
	file := "ID,名字,客户标签,关联ID\r\n" + strings.Join(lines, "\r\n")
	runner := jobs.NewRunner(jobs.Config{Store: w.store, Center: w.center, Builds: w.projector})
	done, err := runner.Upload(w.t.Context(), commands.By{Tenant: slug, Actor: admin}, jobs.Upload{
		Name: "客户.csv", File: bytes.NewReader([]byte(file)), Size: int64(len(file)), CreateTags: true,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return done.Job
}

// mayImport gives a tenant the entitlement.
func (w *world) mayImport(slug string) {
	w.t.Helper()
	w.mustOn(w.center, commands.By{Tenant: slug, Actor: admin}, commands.GrantEntitlement{Entitlement: settings.EntitlementImport})
}

// imported is how an import stands by the log.
func (w *world) imported(slug string, id uuid.UUID) imports.State {
	w.t.Helper()
	state, _, err := projections.NewCatalogues(w.store).Import(w.t.Context(), slug, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return state
}

// killing replaces one of two processes after the other, each time that done has grown by a part of the whole, until it is the whole.
func (w *world) killing(kills, whole int, done func() int) {
	w.t.Helper()
	children := []*exec.Cmd{w.child(), w.child()}
	for i := range kills {
		enough := i * whole / (kills + 1)
		w.until("the processes do nothing", func() bool { return done() > enough })
		w.kill(children[i%2])
		children[i%2] = w.child()
	}
	w.until("it does not end", func() bool { return done() == whole })
	for _, c := range children {
		w.kill(c)
	}
}

// Two processes import 50,000 rows; ten times one of them is killed in the middle of it and replaced. Every row has one outcome, and every customer
// one beginning. Then the import is taken back, with processes killed again: but for those to whom something has happened.
func TestImportsThatAreKilled(t *testing.T) {
	const rows = 50_000 / tenth
	w := newWorld(t)
	w.mayImport(tenant)
	const present, twice, long, tagged = 1_000, 50, 97, 10 // every so many rows
	lines, want := make([]string, rows), make([]string, rows)
	for i := range rows {
		id, name, tags := fmt.Sprintf("u-%d", i), "王小明", ""
		switch {
		case i%present == 7:
			w.must(channel, commands.CreateCustomer{Association: 1, ExternalID: id})
			want[i] = domain.CodeCustomerExists
		case i%twice == 13:
			id, want[i] = fmt.Sprintf("U-%d", i-2), domain.CodeIDTwice // in capitals it is the same
		case i%long == 5:
			name, want[i] = strings.Repeat("名", 46), "NAME_TOO_LONG"
		case i%tagged == 3:
			tags = fmt.Sprintf("第%d批", i/(rows/20))
		}
		lines[i] = strings.Join([]string{id, name, `"` + tags + `"`, "1"}, ",")
	}
	id := w.upload(tenant, lines)
	w.must(admin, commands.StartImport{Import: id})
	w.killing(10, rows, func() int { return w.imported(tenant, id).Done })

	outcomes, born, next := map[int]string{}, map[uuid.UUID]int{}, 0
	var made []imports.Created
	w.each(func(d *eventstore.Decoded) {
		switch payload := d.Payload.(type) {
		case customer.Created:
			if born[d.Customer]++; payload.Via == customer.ViaImport && payload.Import != id {
				t.Errorf("%v was made by another import", d.Customer)
			}
		case imports.RowsRecorded:
			if payload.From != next {
				t.Errorf("rows from %d on were recorded behind those up to %d", payload.From, next)
			}
			next = payload.To
			for _, created := range payload.Created {
				outcomes[created.Row] += "created"
				made = append(made, created)
			}
			for _, refused := range payload.Rejected {
				outcomes[refused.Row] += refused.Code
			}
		}
	})
	wrong := 0
	for i, code := range want {
		if code == "" {
			code = "created"
		}
		if got := outcomes[i+2]; got != code && wrong < 10 {
			wrong++
			t.Errorf("row %d: %q, want %q", i+2, got, code)
		}
	}
	for _, created := range made {
		if born[created.Customer] != 1 {
			t.Errorf("the customer of row %d began %d times", created.Row, born[created.Customer])
		}
	}
	state := w.imported(tenant, id)
	if state.Status != job.Completed || state.Created != len(made) || state.Created+state.Rejected != rows {
		t.Errorf("%s, %d created (%d in the log), %d refused", state.Status, state.Created, len(made), state.Rejected)
	}

	// Some have been touched since.
	touched := map[uuid.UUID]bool{}
	for i := 0; i < len(made); i += len(made) / 20 {
		company := "有人改过"
		w.must(admin, commands.EditProfile{Customer: made[i].Customer, Changes: map[string]*string{"company": &company}})
		touched[made[i].Customer] = true
	}
	w.must(admin, commands.RevertImport{Import: id})
	w.killing(4, rows, func() int { return w.imported(tenant, id).Looked })
	withdrawn := map[uuid.UUID]int{}
	w.each(func(d *eventstore.Decoded) {
		if _, is := d.Payload.(customer.Withdrawn); is {
			withdrawn[d.Customer]++
		}
	})
	for _, created := range made {
		if n := withdrawn[created.Customer]; n != 1 && !touched[created.Customer] || n != 0 && touched[created.Customer] {
			t.Errorf("the customer of row %d was withdrawn %d times", created.Row, n)
		}
	}
	state = w.imported(tenant, id)
	if state.Status != job.Reverted || state.Withdrawn != len(made)-len(touched) || state.Kept != len(touched) {
		t.Errorf("%s, %d withdrawn, %d kept of %d", state.Status, state.Withdrawn, state.Kept, len(made))
	}
}

// Two processes tag 20,000 customers, and undo it, while one of them is killed again and again.
func TestBulkActionsThatAreKilled(t *testing.T) {
	const people = 20_000 / tenth
	w := newWorld(t)
	w.project()
	all := w.plant(people)
	tag := w.must(admin, commands.CreateTag{Name: "VIP"}).Tag
	for _, who := range all[:100] { // who has it already
		w.must(admin, commands.TagCustomer{Customer: who, Tag: tag})
	}
	w.projected(projections.CustomersName)
	id := w.must(admin, commands.StartBulk{Action: bulk.Tag, Tag: tag, Filter: []byte(`{}`)}).Job
	stands := func() bulk.State {
		state, _, err := projections.NewCatalogues(w.store).Bulk(t.Context(), tenant, id)
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	w.killing(5, people, func() int { return stands().Done })
	tagged := map[uuid.UUID]int{}
	count := func() {
		clear(tagged)
		w.each(func(d *eventstore.Decoded) {
			switch d.Payload.(type) {
			case customer.Tagged:
				tagged[d.Customer]++
			case customer.Untagged:
				tagged[d.Customer]--
			}
		})
	}
	count()
	for _, who := range all {
		if tagged[who] != 1 {
			t.Fatalf("%v was tagged %d times", who, tagged[who])
		}
	}
	if s := stands(); s.Status != job.Completed || s.Changed != people-100 || s.Refused != 0 {
		t.Errorf("%s, %d changed, %d refused", s.Status, s.Changed, s.Refused)
	}
	// Of one the tag was taken off and put on again by hand: that is hers now.
	w.must(admin, commands.UntagCustomer{Customer: all[500], Tag: tag})
	w.must(admin, commands.TagCustomer{Customer: all[500], Tag: tag})
	w.must(admin, commands.UndoBulk{Bulk: id})
	w.killing(3, people, func() int { return stands().Looked })
	count()
	for i, who := range all {
		if want := count1(i < 100 || i == 500); tagged[who] != want {
			t.Fatalf("%v carries the tag %d times, want %d", who, tagged[who], want)
		}
	}
	if s := stands(); s.Status != job.Reverted || s.Undone != people-101 || s.Kept != 1 {
		t.Errorf("%s, undone of %d, not of %d", s.Status, s.Undone, s.Kept)
	}
}

func count1(is bool) int {
	if is {
		return 1
	}
	return 0
}

// More tenants than are worked on at a time have great jobs, and one comes with a small one: it is done before any of the great ones.
func TestGreatJobsStarveNobody(t *testing.T) {
	const great, small = 20_000 / tenth, 200 / tenth
	greedy := []string{"greedy-1", "greedy-2", "greedy-3", "greedy-4", "greedy-5", "greedy-6"}
	w := newWorld(t, greedy...)
	lines := func(n int) []string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf("u-%d,,,1", i)
		}
		return all
	}
	upload := func(slug string, rows int) uuid.UUID {
		w.mayImport(slug)
		return w.upload(slug, lines(rows))
	}
	start := func(slug string, id uuid.UUID) {
		w.mustOn(w.center, commands.By{Tenant: slug, Actor: admin}, commands.StartImport{Import: id})
	}
	ids, id := make([]uuid.UUID, len(greedy)), upload(tenant, small)
	for i, slug := range greedy {
		ids[i] = upload(slug, great)
	}
	for i, slug := range greedy {
		start(slug, ids[i])
	}
	r := w.runner()
	defer w.start(r)()
	w.until("nobody begins", func() bool { return w.imported(greedy[0], ids[0]).Done > 0 })
	start(tenant, id)
	w.until("the small job does not end", func() bool { return w.imported(tenant, id).Status == job.Completed })
	for i, slug := range greedy {
		if s := w.imported(slug, ids[i]); s.Status == job.Completed {
			t.Errorf("%s was done with %d rows before the one of %d", slug, great, small)
		}
	}
	for i, slug := range greedy {
		w.until("a great job does not end", func() bool { return w.imported(slug, ids[i]).Status == job.Completed })
	}
}

// More tenants than are worked on at a time make large files, and settle who very many are; all of it is held up for as long as the test wants. Others, and they
// themselves, get small files, small bulk actions and imports meanwhile.
func TestLongPiecesStarveNobody(t *testing.T) {
	greedy := []string{"greedy-1", "greedy-2", "greedy-3", "greedy-4", "greedy-5", "greedy-6"}
	w := newWorld(t, greedy...)
	everybody, one := []byte(`{}`), []byte(`{"field":"external_id","op":"eq","value":"u-1"}`)
	by := func(slug string) commands.By { return commands.By{Tenant: slug, Actor: admin} }
	export := func(slug string, filter []byte) uuid.UUID {
		return w.mustOn(w.center, by(slug), commands.RequestExport{Filter: filter, Columns: []string{"external_id"}}).Job
	}
	blacklist := func(slug string, filter []byte) uuid.UUID {
		return w.mustOn(w.center, by(slug), commands.StartBulk{Action: bulk.Blacklist, Reason: "spam", Filter: filter}).Job
	}
	status := func(slug string, id uuid.UUID) (status job.Status) {
		t.Helper()
		catalogues := projections.NewCatalogues(w.store)
		file, _, err := catalogues.Export(t.Context(), slug, id)
		if err == nil && file.Status != "" {
			return file.Status
		}
		action, _, err := catalogues.Bulk(t.Context(), slug, id)
		if err != nil {
			t.Fatal(err)
		}
		return action.Status
	}
	for _, slug := range append([]string{tenant}, greedy...) {
		for i := range 5 {
			w.mustOn(w.center, by(slug), commands.CreateCustomer{Association: 1, ExternalID: fmt.Sprint("u-", i)})
		}
	}
	w.project()
	shut, err := w.store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shut.Rollback(context.Background()) }()
	great := map[uuid.UUID]string{}
	for _, slug := range greedy {
		for _, id := range []uuid.UUID{export(slug, everybody), blacklist(slug, everybody)} {
			great[id] = slug
			// Whoever is about to keep the first part waits.
			if _, err := shut.Exec(t.Context(), `insert into job_parts (tenant, job, part, content) values ($1, $2, 0, '')`, slug, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	config := w.config()
	config.short = 3
	r, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	w.start(r)
	w.until("not so many long pieces are begun as may be", func() bool {
		var held int
		err := w.store.Pool().QueryRow(t.Context(), `select count(*) from pg_stat_activity where datname = current_database()
			and query like 'insert into job_parts%' and wait_event_type = 'Lock'`).Scan(&held)
		if err != nil {
			t.Fatal(err)
		}
		if held > 2*longAtOnce {
			t.Fatalf("%d long pieces are done at a time", held)
		}
		return held == 2*longAtOnce
	})
	for _, slug := range []string{tenant, greedy[0], greedy[5]} {
		w.mayImport(slug)
		load := w.upload(slug, []string{"new,,,1"})
		w.mustOn(w.center, by(slug), commands.StartImport{Import: load})
		file, action := export(slug, one), blacklist(slug, one)
		for what, ended := range map[string]func() bool{
			"a small file":        func() bool { return status(slug, file) == job.Completed },
			"a small bulk action": func() bool { return status(slug, action) == job.Completed },
			"an import":           func() bool { return w.imported(slug, load).Status == job.Completed },
		} {
			w.until(what+" of "+slug+" is not done", ended)
		}
	}
	for id, slug := range great {
		if is := status(slug, id); is != job.Running {
			t.Errorf("one of the great ones is %s", is)
		}
	}
	if err := shut.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, slug := range great {
		w.until("a great one does not end", func() bool { return status(slug, id) == job.Completed })
	}
}

// each tells the events of the tenant's log.
func (w *world) each(tell func(*eventstore.Decoded)) {
	w.t.Helper()
	for after := int64(0); ; {
		page := w.log(after)
		if len(page) == 0 {
			return
		}
		for i := range page {
			after = page[i].Position
			tell(&page[i])
		}
	}
}
