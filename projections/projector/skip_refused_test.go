package projector

import (
	"errors"
	"fmt"
	"testing"

	"customercenter/domain/projection"
	"customercenter/eventstore"
	"customercenter/projections/projectionstest"
)

// The database refuses what some events come to. They are found out one by one, skipped, and the rest counts, in small steps and in large ones.
func TestSkipsWhatTheDatabaseRefuses(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 1)
	c := world.NewCustomer("a") // 1
	for n := range 6 {
		world.Rename(c, fmt.Sprint(n)) // 2 to 7
	}
	p := ledgers(t, store, func(e *eventstore.Decoded) (int64, error) {
		switch e.Position {
		case 3, 6: // an amount must be less than 1000
			return 5000, nil
		case 5:
			return 0, errors.New("not liked")
		}
		return 1, nil
	})
	b := ensure(t, p)
	start(t, p)
	await(t, p, world.Head())
	positions, version, err := p.Skippable(t.Context(), "ledger", tenant, c.ID)
	if err != nil || version != 1 || fmt.Sprint(positions) != "[3 5 6]" {
		t.Fatalf("%v, %d, %v", positions, version, err)
	}
	if got := amounts(t, store, b)[c.ID.String()]; got != 2 {
		t.Errorf("asking changed the amount to %d", got)
	}
	skip := func(positions ...int64) {
		t.Helper()
		world.Append(projection.Stream, c.ID, projection.EventsSkipped{Projection: "ledger", Version: 1, Positions: positions, Reason: "a fault"})
		world.Rename(c, fmt.Sprint("without ", positions))
		await(t, p, world.Head())
	}
	skip(3) // at 8; the next that cannot be applied is found
	parked, err := p.Parked(t.Context(), "ledger", tenant)
	if err != nil || len(parked) != 1 || parked[0].Position != 5 || amounts(t, store, b)[c.ID.String()] != 3 {
		t.Fatalf("%+v, %v, %v", parked, amounts(t, store, b), err)
	}
	skip(5, 6)
	if got := amounts(t, store, b)[c.ID.String()]; got != 1+1+1+1+2 {
		t.Errorf("the amount is %d", got)
	}
	other, err := p.Rebuild(t.Context(), "ledger", nil)
	if err != nil {
		t.Fatal(err)
	}
	if differences, err := p.Compare(t.Context(), "ledger", other.ID); err != nil || len(differences) > 0 {
		t.Errorf("%+v, %v", differences, err)
	}
}
