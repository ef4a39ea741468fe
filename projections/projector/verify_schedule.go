package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"customercenter/eventstore/lease"
)

// verifyNowAndThen takes part in verifying all projections on a schedule. One process at a time does so.
func (p *Projector) verifyNowAndThen(ctx context.Context) error {
	return lease.Group{
		Pool: p.pool, Name: "projector/verify", Partitions: 1,
		Run: func(ctx context.Context, _ int) error { return p.verifyOnSchedule(ctx) },
	}.Loop(ctx)
}

// scheduledWorst is how soon a scheduled verification that failed is tried again, unless one is due sooner.
const scheduledWorst = time.Hour

// verifyOnSchedule verifies all projections again and again, one after the other, each when its live build was not verified for as long as
// Config.VerifyEvery: a build that never was, since it was made.
func (p *Projector) verifyOnSchedule(ctx context.Context) error {
	tried := map[string]time.Time{}
	for {
		pause := p.config.VerifyEvery
		if err := p.tidy(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn("projector: what verifications have left cannot be removed", "error", err)
		}
		for i := range p.config.Definitions {
			name := p.config.Definitions[i].Name
			rest, err := p.untilDue(ctx, &p.config.Definitions[i])
			if again := time.Until(tried[name].Add(min(p.config.VerifyEvery, scheduledWorst))); err == nil && rest <= 0 && again <= 0 {
				tried[name] = time.Now()
				if _, err = p.Verify(ctx, name, nil); err == nil {
					rest = p.config.VerifyEvery
				}
			} else {
				rest = max(rest, again)
			}
			if err != nil && ctx.Err() == nil && !errors.Is(err, ErrVerifying) {
				p.log.Error("projector: a projection could not be verified", "projection", name, "error", err)
			}
			pause = min(pause, max(rest, 0))
		}
		idle := time.NewTimer(max(pause, p.config.Sweep))
		select {
		case <-ctx.Done():
			idle.Stop()
			return nil
		case <-idle.C:
		}
	}
}

// untilDue is how long it is until a projection is to be verified; 0 or less: it is due.
func (p *Projector) untilDue(ctx context.Context, def *Definition) (time.Duration, error) {
	var ago float64
	err := p.pool.QueryRow(ctx, `select extract(epoch from now() - coalesce((select min(v.verified_at) from projection_verifications v where v.build = b.id), b.created_at))::float8
		from projection_live l join projection_builds b on b.id = l.build where l.name = $1 and l.version = $2`, def.Name, def.Version).Scan(&ago)
	if err != nil {
		return p.config.VerifyEvery, fmt.Errorf("projector: when it is to be verified: %w", err)
	}
	return p.config.VerifyEvery - time.Duration(ago*float64(time.Second)), nil
}
