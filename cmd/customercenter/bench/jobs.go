package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/commands/policies"
	"customercenter/domain/job"
	"customercenter/domain/settings"
	"customercenter/internal/natsserver"
	"customercenter/internal/sheet"
	"customercenter/internal/traffic"
	"customercenter/projections"
	"customercenter/projections/projector"
	"github.com/google/uuid"
)

// Jobs measures imports, exports and bulk actions of many customers while all parts of the product run in this process, and what people who
// write and tag notice of it. Beside them the same rows go by COPY into a plain table with a primary key, and out of the read model.
type Jobs struct {
	URL       string // of an empty database; it is migrated
	NATS      *natsserver.Server
	Customers int           // rows of a file
	Each      time.Duration // a fifth of how long quiet is measured, before what people notice and after it
	Kinds     string        // if not empty, only the parts whose name contains it
}

type jobsBench struct {
	Jobs
	*pipelineBench
	report *Report
	people *traffic.People
	others *bystanders // who write meanwhile
	runner *jobs.Runner
	engine *projector.Projector
	tag    uuid.UUID
	made   int // customers imported
}

// Run prints some lines per part.
func (j Jobs) Run(ctx context.Context, report *Report) (err error) {
	b := &jobsBench{Jobs: j, pipelineBench: &pipelineBench{}, report: report}
	if err := b.open(ctx); err != nil {
		return err
	}
	defer b.nc.Close()
	defer b.bells.Close()
	defer b.plant.close()
	measured, engine, stop, err := b.pipelineBench.running(ctx, b.policies)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	b.engine = engine
	b.runner = jobs.NewRunner(jobs.Config{Store: b.plant.store, Center: b.plant.center, Builds: engine})
	report.Heading("jobs: %d customers, with relay, read models and policies in one process; baselines by COPY", j.Customers)
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"import csv", b.importing(sheet.CSV, false)}, {"import xlsx", b.importing(sheet.XLSX, false)}, {"import csv with people", b.importing(sheet.CSV, true)},
		{"bulk", b.tagging},
		{"export csv", b.exporting(sheet.CSV)}, {"export xlsx", b.exporting(sheet.XLSX)},
	} {
		if !strings.Contains(part.name, j.Kinds) {
			continue
		}
		if err := part.run(measured); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

func (b *jobsBench) open(ctx context.Context) (err error) {
	if err := b.pipelineBench.open(ctx, b.Jobs.URL, b.Jobs.NATS); err != nil {
		return err
	}
	if b.people, err = traffic.NewPeople(yearOptions()); err != nil {
		return fmt.Errorf("bench: people: %w", err)
	}
	b.others = &bystanders{plant: b.plant, association: b.plant.traffic.Associations[0].ID}
	by := b.plant.by()
	if _, err := (commands.GrantEntitlement{Entitlement: settings.EntitlementImport}).Run(ctx, b.plant.center, by); err != nil {
		return fmt.Errorf("bench: entitlement: %w", err)
	}
	done, err := commands.CreateTag{Name: "老客户"}.Run(ctx, b.plant.center, by)
	if err != nil {
		return fmt.Errorf("bench: tag: %w", err)
	}
	b.tag = done.Tag
	return nil
}

// policies runs the policies, which work on jobs.
func (b *jobsBench) policies(ctx context.Context) error {
	engine, err := b.projector()
	if err != nil {
		return err
	}
	r, err := policies.New(policies.Config{Store: b.plant.store, Center: b.plant.center, Builds: engine, NATS: b.nc, Bells: b.bells})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// ended waits until a job has ended well, after what was asked of it, and all read models show it.
func (b *jobsBench) ended(ctx context.Context, asked commands.Done, look time.Duration) error {
	all, id := projections.NewJobs(b.plant.store, b.engine), asked.Job
	if _, fresh, err := b.engine.WaitFor(ctx, projections.JobsName, b.plant.tenant, asked.Position, tooLong); err != nil || !fresh {
		return errors.Join(err, errors.New("bench: a job is not shown"))
	}
	err := until(ctx, look, func() (bool, error) {
		j, found, err := all.Find(ctx, b.plant.tenant, id)
		if err != nil || !found || !j.Ended() {
			return false, err
		}
		if s := j.Status(); s != job.Completed && s != job.Reverted {
			return false, fmt.Errorf("bench: the job is %s", s)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return b.visible(ctx, b.engine)
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (b *jobsBench) rate(what string, took, plainly time.Duration, note string) {
	b.many(what, b.Customers, took, plainly, note)
}

func (b *jobsBench) many(what string, rows int, took, plainly time.Duration, note string) {
	b.report.Print(Line{Case: "jobs " + what, Unit: "rows/s", Value: float64(rows) / took.Seconds(), Note: note}.Against(float64(rows) / plainly.Seconds()))
}

// beside does something while people write, who notice it, and tells what they noticed, against quiet just before and just after.
func (b *jobsBench) beside(ctx context.Context, what string, do func(context.Context) error) error {
	quiet := func(ctx context.Context) error { return rest(ctx, 5*b.Each) }
	var took [3][]time.Duration
	for i, each := range []func(context.Context) error{quiet, do, quiet} {
		var err error
		if took[i], err = b.others.beside(ctx, each); err != nil {
			return err
		}
	}
	idle := slices.Concat(took[0], took[2])
	b.report.Print(Line{Case: "jobs commands during " + what + ": p99", Unit: "ms", Value: Percentile(took[1], 99),
		Note: fmt.Sprintf("%d commands at %d/s; baseline: %d in quiet before and after, p50 %.1f ms", len(took[1]), commandsBeside, len(idle),
			Percentile(idle, 50))}.Against(Percentile(idle, 99)).Latency(took[1]))
	return nil
}
