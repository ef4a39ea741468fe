package bench

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"customercenter/projections"
	"customercenter/projections/projector"
)

const flipping = 0.05 // of the customers, at the midnight

// midnight ends a month: who was created in the month before leaves a group, and who was created in this one enters. The clock is the log's, so
// the log says that it is midnight, and all that happens meanwhile happens then.
func (b *groupsBench) midnight(ctx context.Context) error {
	b.report.Heading("groups: a midnight at which %.0f %% of the customers enter or leave, against plain SQL; to reach: worked off in 60 s, events visible within 1 s", 100*flipping)
	local := b.list.at.In(b.list.calendar.Zone)
	month := func(n int) time.Time {
		return time.Date(local.Year(), local.Month()+time.Month(n), 1, 0, 0, 0, 0, b.list.calendar.Zone)
	}
	some, err := b.flippers(ctx, month(-1), month(1))
	if err != nil {
		return err
	}
	rule := all(is("association", "in", some, ""), is("created_at", "in", map[string]string{"period": "last_month"}, ""))
	leave := all(is("association", "in", some, "association = any(?)", some), created(month(-1), month(0)))
	enter := all(is("association", "in", some, "association = any(?)", some), created(month(0), month(1)))
	if _, _, err := b.plain(ctx, `insert into plainly.member select 'month', id from plainly.customer where %s`, leave); err != nil {
		return err
	}
	_, removed, err := b.plain(ctx, `delete from plainly.member m using plainly.customer c where m.rule = 'month' and c.id = m.customer and %s`, leave)
	if err != nil {
		return err
	}
	_, added, err := b.plain(ctx, `insert into plainly.member select 'month', id from plainly.customer where %s`, enter)
	if err != nil {
		return err
	}
	var group *ruled
	var quiet *bustle
	if err := b.fed(ctx, func(ctx context.Context, engine *projector.Projector) (err error) {
		if group, _, err = b.defineGroup(ctx, "last month's", rule); err == nil {
			quiet, err = b.bustling(ctx, engine, b.quiet)
		}
		return err
	}); err != nil {
		return err
	}
	eve := month(1).Add(-time.Second)
	if err := b.jump(ctx, eve); err != nil {
		return err
	}
	if err := b.fed(ctx, func(ctx context.Context, _ *projector.Projector) error { return b.clockAt(ctx, eve) }); err != nil {
		return err
	}
	leaving, err := b.matching(ctx, leave.json)
	if err != nil {
		return err
	}
	entering, err := b.matching(ctx, enter.json)
	if err != nil {
		return err
	}
	if err := b.jump(ctx, month(1)); err != nil {
		return err
	}
	return b.strike(ctx, group, quiet, month(1), leaving+entering, removed+added)
}

// strike lets the read model of groups notice that it is midnight.
func (b *groupsBench) strike(ctx context.Context, group *ruled, quiet *bustle, at time.Time, flips int64, plainly time.Duration) (err error) {
	ctx, engine, stop, err := b.start(ctx, models()...)
	if err != nil {
		return err
	}
	defer func() {
		if ended := stop(); err == nil {
			err = ended
		}
	}()
	began := time.Now()
	var took time.Duration
	striking, err := b.bustling(ctx, engine, func(ctx context.Context) error {
		err := b.clockAt(ctx, at)
		took = time.Since(began)
		return err
	})
	if err != nil {
		return err
	}
	var moved int64
	if err := b.plant.pool.QueryRow(ctx, `select count(*) from `+b.schema+`.group_change where tenant = $1 and group_id = $2 and kind = 'clock' and at = $3`,
		b.plant.tenant, group.id, at).Scan(&moved); err != nil {
		return fmt.Errorf("bench: changes: %w", err)
	}
	if moved != flips {
		return fmt.Errorf("bench: %d customers entered or left at midnight, not %d", moved, flips)
	}
	if _, err := b.members(ctx, group); err != nil {
		return err
	}
	b.seconds("midnight, worked off", took, plainly, fmt.Sprintf("%d enter or leave, %.1f %% of the customers; %.0f customers/s", flips, 100*float64(flips)/float64(b.Customers),
		float64(flips)/took.Seconds()))
	b.noticed("at midnight", quiet, striking)
	return nil
}

// flippers are those associations whose customers of two months are about as many as are to flip.
func (b *groupsBench) flippers(ctx context.Context, from, to time.Time) ([]int, error) {
	page, _, err := b.list.ask(ctx, created(from, to).question(), projections.FacetAssociation)
	if err != nil {
		return nil, err
	}
	wanted := flipping * float64(b.Customers)
	var best []int
	nearest := math.Inf(1)
	all := yearOptions().Associations
	for mask := 1; mask < 1<<len(all); mask++ {
		var some []int
		n := 0.0
		for i, a := range all {
			if mask>>i&1 == 1 {
				some = append(some, a.ID)
				n += float64(page.Facets[projections.FacetAssociation][fmt.Sprint(a.ID)])
			}
		}
		if off := math.Abs(n - wanted); off < nearest {
			best, nearest = slices.Clone(some), off
		}
	}
	return best, nil
}
