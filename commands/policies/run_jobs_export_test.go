package policies

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain/exports"
	"customercenter/domain/job"
	"customercenter/projections"
)

func (w *world) exported(id uuid.UUID) exports.State {
	w.t.Helper()
	state, _, err := projections.NewCatalogues(w.store).Export(w.t.Context(), tenant, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return state
}

// kept is how many parts a job keeps, and when it is to be gone on with; zero if not at all.
func (w *world) kept(id uuid.UUID) (parts int, due time.Time) {
	w.t.Helper()
	err := w.store.Pool().QueryRow(w.t.Context(), `select count(*), coalesce((select next_at from policy_due where key = $2), '0001-01-01') from job_parts where job = $1`,
		id, "export:"+id.String()).Scan(&parts, &due)
	if err != nil {
		w.t.Fatal(err)
	}
	return parts, due.UTC()
}

// An export is made soon after it was asked for, and looked at again when its time is over. Of one that nobody waits for any more nothing stays,
// whoever died while working on it.
func TestExportsAreMade(t *testing.T) {
	w := newWorld(t)
	w.customer("u-1")
	w.project()
	canceled := w.must(admin, commands.RequestExport{}).Job
	if _, err := w.store.Pool().Exec(t.Context(), `insert into job_parts (tenant, job, part, content) values ($1, $2, 0, 'left'), ($1, $2, 1, 'behind')`, tenant, canceled); err != nil {
		t.Fatal(err)
	}
	w.must(admin, commands.CancelExport{Export: canceled})
	id := w.must(admin, commands.RequestExport{Columns: []string{"external_id", "channel"}, Language: "en"}).Job
	r := w.runner()
	w.start(r)
	w.until("the export is not made", func() bool { return w.exported(id).Status == job.Completed })
	w.until("it is not noted when its time is over", func() bool {
		_, due := w.kept(id)
		return due.Equal(w.exported(id).File.ExpiresAt.Truncate(time.Microsecond))
	})
	if parts, due := w.kept(canceled); parts != 0 || !due.IsZero() {
		t.Errorf("of a canceled export %d parts are left, due %v", parts, due)
	}
	var file bytes.Buffer
	if err := jobs.NewRunner(jobs.Config{Store: w.store, Center: w.center, Builds: w.projector}).File(t.Context(), tenant, id, &file); err != nil || file.String() != "\ufeffID,channel\r\nu-1,app\r\n" {
		t.Errorf("%q, %v", &file, err)
	}
}
