package projector

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/projection"
	"customercenter/eventstore"
)

// An event that cannot be applied, now or ever, is skipped by another event, which says so and why. From that one on the customer's rows are what
// the customer's other events make of them, in every build of this version, whether it was fed as it happened or folds the log anew: at that event, the
// customer is folded anew without those that it names (anew.go).

// skippedType is heard by every projection.
const skippedType = "projection.events_skipped"

var (
	// ErrNotParked says that no build has parked the customer.
	ErrNotParked = errors.New("projector: the customer is not parked")
	// ErrAllApplied says that all events of a parked customer can be applied: it is to be retried, not skipped.
	ErrAllApplied = errors.New("projector: all events of the customer can be applied")
)

// Skippable names the events of a parked customer that would have to be skipped for the rest to be applied, by their positions in the log,
// and the version of the projection for which that is so. Nothing is changed. *StillParkedError when that would not help: it is no event that is at fault.
// ErrNotParked, ErrAllApplied, ErrUnknownProjection.
func (p *Projector) Skippable(ctx context.Context, name, tenant string, id uuid.UUID) (positions []int64, version int, err error) {
	def, err := p.definition(name)
	if err != nil {
		return nil, 0, err
	}
	builds, err := p.parkedIn(ctx, def, tenant, id)
	if err != nil {
		return nil, 0, err
	}
	if len(builds) == 0 {
		return nil, 0, ErrNotParked
	}
	all := map[int64]struct{}{}
	for _, b := range builds {
		f := p.newFeeder(def, b, tenant)
		undone := errors.New("only a trial")
		var clock *StillParkedError
		err := f.revise(ctx, func(tx pgx.Tx) error {
			return errors.Join(undone, f.anew(ctx, tx, id, f.position, func(p parking) bool {
				if p.kind == parkedByClock {
					clock = &StillParkedError{Position: p.position, Type: p.kind, Reason: p.reason}
				} else {
					all[p.position] = struct{}{}
				}
				return true
			}))
		})
		switch {
		case clock != nil:
			return nil, 0, clock
		case !errors.Is(err, undone):
			return nil, 0, err
		}
	}
	if len(all) == 0 {
		return nil, 0, ErrAllApplied
	}
	return slices.Sorted(maps.Keys(all)), def.Version, nil
}

// parkedIn are the builds that have parked a customer.
func (p *Projector) parkedIn(ctx context.Context, def *Definition, tenant string, id uuid.UUID) ([]Build, error) {
	return p.queryBuilds(ctx, `name = $1 and version = $2 and id in (select build from parked_customers where tenant = $3 and customer = $4)`,
		def.Name, def.Version, tenant, id)
}

// skips returns what an event has this projection skip.
func (f *feeder) skips(e *eventstore.Decoded) (skips projection.EventsSkipped, ours bool) {
	skips, ours = e.Payload.(projection.EventsSkipped)
	return skips, ours && skips.Projection == f.def.Name && skips.Version == f.def.Version
}
