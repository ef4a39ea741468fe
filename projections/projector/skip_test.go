package projector_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/domain/projection"
	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

// poisoned is a read model of the product with a fold that cannot apply what bad names.
func poisoned(d projector.Definition, bad func(e *eventstore.Decoded) bool) projector.Definition {
	inner := d.New
	d.New = func() projector.Fold {
		fold := trap{inner(), func(e *eventstore.Decoded) error {
			if bad(e) {
				return errors.New("not liked")
			}
			return nil
		}}
		if timed, ok := fold.Fold.(projector.Timed); ok {
			return timedTrap{timed, fold}
		}
		return fold
	}
	return d
}

// timedTrap is a trap around a fold whose rows depend on time.
type timedTrap struct {
	projector.Timed
	trap trap
}

func (f timedTrap) Apply(e *eventstore.Decoded) error { return f.trap.Apply(e) }

// skip has the events skipped that cannot be applied of a parked customer.
func skip(t *testing.T, world *projectionstest.World, p *projector.Projector, name string, id uuid.UUID) []int64 {
	t.Helper()
	positions, version, err := p.Skippable(t.Context(), name, tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	world.Append(projection.Stream, id, projection.EventsSkipped{Projection: name, Version: version, Positions: positions, Reason: "a fault of the program"})
	caughtUp(t, p, name, world.Head())
	return positions
}

func parkedOf(t *testing.T, p *projector.Projector, name string) (ids []uuid.UUID) {
	t.Helper()
	parked, err := p.Parked(t.Context(), name, tenant)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range parked {
		ids = append(ids, k.Customer)
	}
	return ids
}

// Some events of many customers cannot be applied. They are skipped; customers go on; what is served then is what folding the log anew gives, by
// the program that cannot apply them and by one that could, in small steps and in large ones.
func TestSkippedIsTheSameAsRebuilt(t *testing.T) {
	for _, of := range []func() projector.Definition{projections.CustomersDefinition, projections.SessionsDefinition, projections.GroupsDefinition, projections.HistoryDefinition} {
		name := of().Name
		t.Run(name, func(t *testing.T) {
			store := projectionstest.Store(t, tenant)
			world := projectionstest.NewWorld(t, store, tenant, 11, 20)
			world.NewTag("VIP")
			grouped(t, world)
			d := poisoned(of(), func(e *eventstore.Decoded) bool {
				return e.Position%31 == 13 && e.Position < 400 && e.Customer != uuid.Nil
			})
			p := built(t, store, 10, d)
			stop := run(t, p)
			world.Run(400)
			caughtUp(t, p, name, world.Head())
			parked := parkedOf(t, p, name)
			if len(parked) < 3 {
				t.Fatalf("only %d customers are parked", len(parked))
			}
			for _, id := range parked {
				var still *projector.StillParkedError
				if _, err := p.Retry(t.Context(), name, tenant, id); !errors.As(err, &still) {
					t.Fatalf("retried: %v", err)
				}
				positions := skip(t, world, p, name, id)
				if !slices.Contains(positions, still.Position) {
					t.Errorf("skipped are %v, and not %d", positions, still.Position)
				}
				if _, _, err := p.Skippable(t.Context(), name, tenant, id); !errors.Is(err, projector.ErrNotParked) {
					t.Errorf("after %v were skipped: %v", positions, err)
				}
			}
			if left := parkedOf(t, p, name); len(left) != 0 {
				t.Fatalf("still parked: %v", left)
			}
			world.Run(100)
			caughtUp(t, p, name, world.Head())
			sameAsRebuilt(t, p, name)
			stop()
			mended := open(t, store, 3, of())
			found, err := mended.Verify(t.Context(), name, nil)
			if err != nil || len(found) != 1 || len(found[0].Differences) > 0 {
				t.Errorf("folded by a program that could apply them: %+v, %v", found, err)
			}
		})
	}
}

// The creation of a customer is skipped, and so is everything that cannot be applied without it. The customer is not there; when it happens to be
// created again, it is.
func TestSkippedCreation(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 7, 1)
	p := built(t, store, 7, poisoned(projections.CustomersDefinition(), func(e *eventstore.Decoded) bool {
		created, ok := e.Payload.(customer.Created)
		return ok && created.Generation <= 1 && e.Position == 2 // the victim's
	}))
	run(t, p)
	world.NewCustomer("before")
	victim := world.NewCustomer("victim")
	world.Rename(victim, "new name")
	world.CallBack(victim, "agent-1")
	world.NewCustomer("after")
	caughtUp(t, p, projections.CustomersName, world.Head())
	list := projections.NewCustomers(store, p, projections.NewCatalogues(store))
	positions := skip(t, world, p, projections.CustomersName, victim.ID)
	if len(positions) < 3 || positions[0] != 2 {
		t.Errorf("skipped: %v", positions)
	}
	if _, err := list.One(t.Context(), tenant, victim.ID); !errors.Is(err, projections.ErrNotFound) {
		t.Errorf("the customer is there: %v", err)
	}
	world.Recreate(victim, "again")
	caughtUp(t, p, projections.CustomersName, world.Head())
	if c, err := list.One(t.Context(), tenant, victim.ID); err != nil || c.Profile.Nickname != "again" {
		t.Errorf("%+v, %v", c, err)
	}
	if left := parkedOf(t, p, projections.CustomersName); len(left) != 0 {
		t.Errorf("still parked: %v", left)
	}
	sameAsRebuilt(t, p, projections.CustomersName)
}

// Nothing is skipped of somebody who is not parked, or who could go on.
func TestWhatCannotBeSkipped(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 7, 1)
	var broken atomic.Bool
	broken.Store(true)
	p := built(t, store, 7, poisoned(projections.CustomersDefinition(), func(e *eventstore.Decoded) bool {
		return broken.Load() && e.Type == "customer.profile_changed"
	}))
	run(t, p)
	victim := world.NewCustomer("victim")
	world.Rename(victim, "new name")
	caughtUp(t, p, projections.CustomersName, world.Head())
	if _, _, err := p.Skippable(t.Context(), projections.CustomersName, tenant, uuid.New()); !errors.Is(err, projector.ErrNotParked) {
		t.Errorf("somebody: %v", err)
	}
	before := parkedOf(t, p, projections.CustomersName)
	if positions, _, err := p.Skippable(t.Context(), projections.CustomersName, tenant, victim.ID); err != nil || fmt.Sprint(positions) != "[2]" {
		t.Errorf("skippable: %v, %v", positions, err)
	}
	if after := parkedOf(t, p, projections.CustomersName); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("asking changed who is parked: %v, %v", before, after)
	}
	broken.Store(false)
	if _, _, err := p.Skippable(t.Context(), projections.CustomersName, tenant, victim.ID); !errors.Is(err, projector.ErrAllApplied) {
		t.Errorf("mended: %v", err)
	}
	if n, err := p.Retry(t.Context(), projections.CustomersName, tenant, victim.ID); n != 1 || err != nil {
		t.Errorf("retried: %d, %v", n, err)
	}
	// What is said of another version counts there alone.
	world.Append(projection.Stream, victim.ID, projection.EventsSkipped{Projection: projections.CustomersName, Version: 99, Positions: []int64{2}, Reason: "not ours"})
	caughtUp(t, p, projections.CustomersName, world.Head())
	if c, err := projections.NewCustomers(store, p, projections.NewCatalogues(store)).One(context.Background(), tenant, victim.ID); err != nil || c.Profile.Nickname != "new name" {
		t.Errorf("%+v, %v", c, err)
	}
	sameAsRebuilt(t, p, projections.CustomersName)
}
