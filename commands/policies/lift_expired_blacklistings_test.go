package policies

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain/customer"
)

// list puts a customer on the blacklist for a time that has passed already.
func (w *world) list(id uuid.UUID) {
	w.t.Helper()
	w.mustOn(w.past, commands.By{Tenant: tenant, Actor: admin}, commands.BlacklistCustomer{
		Customer: id, Reason: "骚扰", ExpiresAt: time.Now().Add(-time.Second),
	})
}

// listUntil puts a customer on the blacklist until an instant to come.
func (w *world) listUntil(id uuid.UUID, ends time.Time) {
	w.t.Helper()
	w.must(admin, commands.BlacklistCustomer{Customer: id, Reason: "骚扰", ExpiresAt: ends})
}

// lifted counts how often each customer was taken off the list because the listing had expired.
func (w *world) lifted() map[uuid.UUID]int {
	w.t.Helper()
	times := map[uuid.UUID]int{}
	for _, d := range w.log(0) {
		if e, ok := d.Payload.(customer.Unblacklisted); ok && e.Cause == customer.CauseExpired {
			times[d.Customer]++
		}
	}
	return times
}

func TestAnExpiredListingIsLifted(t *testing.T) {
	w := newWorld(t)
	expired, running, forEver := w.customer("expired"), w.customer("running"), w.customer("for-ever")
	w.list(expired)
	cause := fmt.Sprintf("%s:%d", tenant, w.head())
	w.listUntil(running, time.Now().Add(time.Hour))
	w.must(admin, commands.BlacklistCustomer{Customer: forEver, Reason: "骚扰"})
	r := w.runner()
	w.start(r)
	w.until("the listing is not lifted", func() bool { return len(w.lifted()) > 0 })
	w.caughtUp(r)
	if got := w.lifted(); len(got) != 1 || got[expired] != 1 {
		t.Errorf("lifted %v, want %v once", got, expired)
	}
	last := w.log(w.head() - 1)[0]
	if last.Envelope.Actor.Kind != "policy" || last.Envelope.Actor.ID != liftName || last.Envelope.Cause != cause {
		t.Errorf("lifted by %+v because of %q, want %q", last.Envelope.Actor, last.Envelope.Cause, cause)
	}
	// One that expires while the policy runs is lifted too, and the customer may be listed again.
	soon := w.customer("soon")
	w.listUntil(soon, time.Now().Add(300*time.Millisecond))
	w.until("the second listing is not lifted", func() bool { return w.lifted()[soon] == 1 })
	w.list(soon)
	w.until("the third listing is not lifted", func() bool { return w.lifted()[soon] == 2 })
}

// Wherever the process dies, the next one lifts what is left, and nothing twice.
func TestLiftingAcrossRestarts(t *testing.T) {
	w := newWorld(t)
	noted, liftedOnly, untouched := w.customer("noted"), w.customer("lifted"), w.customer("untouched")
	w.list(noted)
	w.list(liftedOnly)
	// Died between writing down what is due and lifting it.
	step(t, w.worker(w.runner(), liftName), false)
	if got := w.lifted(); len(got) != 0 {
		t.Fatalf("lifted %v before it was asked to", got)
	}
	// Died between lifting and hearing of it.
	w.must(admin, commands.LiftBlacklisting{Customer: liftedOnly})
	w.list(untouched)

	r := w.runner()
	w.start(r)
	w.until("not all is lifted", func() bool { return len(w.lifted()) == 3 })
	w.caughtUp(r)
	for id, times := range w.lifted() {
		if times != 1 {
			t.Errorf("customer %v was lifted %d times", id, times)
		}
	}
	w.nothingDue()
}

func (w *world) nothingDue() {
	w.t.Helper()
	var due int
	if err := w.store.Pool().QueryRow(w.t.Context(), `select count(*) from policy_due`).Scan(&due); err != nil || due != 0 {
		w.t.Errorf("%d rows are due, %v", due, err)
	}
}

// Two processes that both believe to hold the lease lift every listing once.
func TestTwoLiftersAtOnce(t *testing.T) {
	w := newWorld(t)
	const customers = 120
	for i := range customers {
		w.list(w.customer(fmt.Sprintf("v%d", i)))
	}
	var both sync.WaitGroup
	for range 2 {
		lifter := w.worker(w.runner(), liftName)
		both.Go(func() { step(t, lifter, true) })
	}
	both.Wait()
	got := w.lifted()
	for id, times := range got {
		if times != 1 {
			t.Errorf("customer %v was lifted %d times", id, times)
		}
	}
	if len(got) != customers {
		t.Errorf("%d customers were lifted, want %d", len(got), customers)
	}
	step(t, w.worker(w.runner(), liftName), true)
	w.nothingDue()
}

// What the policy wrote down may be overtaken: who was taken off the list and put on it for longer stays there.
func TestListedAnewMeanwhile(t *testing.T) {
	w := newWorld(t)
	longer, shorter, off := w.customer("longer"), w.customer("shorter"), w.customer("off")
	w.list(longer)
	w.listUntil(shorter, time.Now().Add(time.Hour))
	w.list(off)
	r := w.runner()
	lifter := w.worker(r, liftName)
	step(t, lifter, false) // written down, not lifted

	w.mustOn(w.past, commands.By{Tenant: tenant, Actor: admin}, commands.UnblacklistCustomer{Customer: longer})
	w.listUntil(longer, time.Now().Add(time.Hour))
	w.must(admin, commands.UnblacklistCustomer{Customer: shorter})
	w.list(shorter)
	w.mustOn(w.past, commands.By{Tenant: tenant, Actor: admin}, commands.UnblacklistCustomer{Customer: off})

	// By what is written down, longer and off are due.
	if more, err := lifter.policy.due(t.Context(), tenant); more || err != nil {
		t.Fatalf("%v, %v", more, err)
	}
	if got := w.lifted(); len(got) != 0 {
		t.Fatalf("lifted %v, who are not listed any more or for longer", got)
	}
	w.start(r)
	w.until("the shorter listing is not lifted", func() bool { return len(w.lifted()) > 0 })
	w.caughtUp(r)
	if got := w.lifted(); len(got) != 1 || got[shorter] != 1 {
		t.Errorf("lifted %v, want %v once", got, shorter)
	}
}

// A process whose clock is behind the database's does not lift early, and does not forget.
func TestAClockThatIsBehind(t *testing.T) {
	w := newWorld(t)
	id := w.customer("x")
	w.list(id)
	config := w.config()
	config.Center = w.past
	behind, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	step(t, w.worker(behind, liftName), true)
	if got := w.lifted(); len(got) != 0 {
		t.Fatalf("lifted %v before the listing had expired by the clock of who judges", got)
	}
	w.start(w.runner())
	w.until("the listing is not lifted", func() bool { return w.lifted()[id] == 1 })
}
