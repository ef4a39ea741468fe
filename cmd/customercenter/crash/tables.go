package crash

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"customercenter/projections/projector"
)

// checkTables rebuilds every projection from zero and compares it with what was fed as it happened.
func checkTables(ctx context.Context, s System, r *report) error {
	status, err := s.Projector.Status(ctx)
	if err != nil {
		return fmt.Errorf("crash: %w", err)
	}
	ahead := map[string]bool{}
	for _, t := range status {
		switch {
		case t.State != projector.StatusLive:
		case t.Stopped != "":
			r.add(Stopped, t.Tenant, t.Position, "projection %s: %s", t.Projection, t.Stopped)
		case t.Position < t.Head:
			r.add(Behind, t.Tenant, t.Position, "projection %s is here, the log's head is %d", t.Projection, t.Head)
		case t.Position > t.Head:
			r.add(Ahead, t.Tenant, t.Position, "projection %s is here, the log's head is %d", t.Projection, t.Head)
			ahead[t.Projection] = true
		}
	}
	for _, name := range s.Projections {
		parked, err := s.Projector.Parked(ctx, name, "")
		if err != nil {
			return fmt.Errorf("crash: %w", err)
		}
		for _, k := range parked {
			r.add(Parked, k.Tenant, k.Position, "customer %s in projection %s at %s: %s", k.Customer, name, k.Type, k.Reason)
		}
		if ahead[name] {
			continue // no rebuild gets there
		}
		if err := compareWithRebuild(ctx, s.Projector, name, r); err != nil {
			return fmt.Errorf("crash: %w", err)
		}
	}
	return nil
}

func compareWithRebuild(ctx context.Context, p *projector.Projector, name string, r *report) error {
	build, err := p.Rebuild(ctx, name, nil)
	if err != nil {
		return err
	}
	differences, err := p.Compare(ctx, name, build.ID)
	if err != nil && !errors.Is(err, projector.ErrBehind) { // that it is behind was found already
		return err
	}
	for _, d := range differences {
		r.add(TableDiffers, d.Tenant, d.Position, "table %s of projection %s has %d rows, rebuilt it has %d; not the same are %s",
			d.Table, name, d.Rows[0], d.Rows[1], strings.Join(d.Keys, "; "))
	}
	return p.Drop(ctx, name, build.ID)
}
