package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"customercenter/projections"
	"customercenter/projections/projector"
)

const sampled = 200_000 // events that the baseline of a rebuild reads

// rebuild folds the whole log again, lets the clock go where it was, and compares all rows: members, times, causes, evidence, changes.
func (b *groupsBench) rebuild(ctx context.Context) error {
	b.report.Heading("groups: a build from zero, against reading and opening %d events by one goroutine; it must equal the one that was fed", sampled)
	if err := b.jump(ctx, b.list.at.Add(time.Minute)); err != nil { // what is due now is then before the end of the log
		return err
	}
	base, err := b.reading(ctx)
	if err != nil {
		return err
	}
	return b.fed(ctx, func(ctx context.Context, engine *projector.Projector) error {
		head, err := b.plant.store.Head(ctx, b.plant.tenant)
		if err != nil {
			return err
		}
		progress := b.list.progress("rebuild: %d events")
		began := time.Now()
		build, err := engine.Rebuild(ctx, projections.GroupsName, func(done, _ int64) { progress(done) })
		took := time.Since(began)
		if err != nil {
			return err
		}
		began = time.Now()
		differences, err := engine.Compare(ctx, projections.GroupsName, build.ID)
		compared := time.Since(began)
		if err == nil && len(differences) > 0 {
			err = fmt.Errorf("bench: groups are not the same fed and rebuilt: table %s, %d and %d rows, for instance %v", differences[0].Table, differences[0].Rows[0], differences[0].Rows[1], differences[0].Keys)
		}
		if err != nil {
			return err
		}
		var members, changes int64
		if err := b.plant.pool.QueryRow(ctx, `select (select coalesce(sum(json_array_length(groups)), 0) from `+b.schema+`.group_standing where tenant = $1),
			(select count(*) from `+b.schema+`.group_change where tenant = $1)`, b.plant.tenant).Scan(&members, &changes); err != nil {
			return fmt.Errorf("bench: members: %w", err)
		}
		b.report.Print(Line{Case: "groups rebuild", Unit: "events/s", Value: float64(head) / took.Seconds(),
			Note: fmt.Sprintf("%d events in %.0f s; equal, compared in %.0f s: %d memberships, %d entries and leaves", head, took.Seconds(), compared.Seconds(), members, changes)}.Against(base))
		return engine.Drop(ctx, projections.GroupsName, build.ID)
	})
}

// reading is how many events a second one goroutine reads and opens.
func (b *groupsBench) reading(ctx context.Context) (float64, error) {
	began, at := time.Now(), int64(0)
	for at < sampled {
		events, err := b.plant.store.ReadLog(ctx, b.plant.tenant, at, rebuildPage)
		if err != nil {
			return 0, err
		}
		if len(events) == 0 {
			break
		}
		if _, err := b.plant.store.Open(ctx, events); err != nil {
			return 0, err
		}
		at = events[len(events)-1].Position
	}
	if at == 0 {
		return 0, errors.New("bench: the log is empty")
	}
	return float64(at) / time.Since(began).Seconds(), nil
}
