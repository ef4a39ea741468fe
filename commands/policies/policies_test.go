package policies

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/tag"
	"customercenter/eventstore"
)

// diary is a policy that notes which events it was given.
type diary struct {
	mu     sync.Mutex
	events map[string][]int64 // positions by tenant
	fail   func(d *eventstore.Decoded) error
}

func (y *diary) policy(name string) *policy {
	return &policy{name: name, types: []string{"tag.created"}, react: func(_ context.Context, d *eventstore.Decoded) error {
		y.mu.Lock()
		defer y.mu.Unlock()
		if y.events == nil {
			y.events = map[string][]int64{}
		}
		y.events[d.Tenant] = append(y.events[d.Tenant], d.Position)
		if y.fail != nil {
			return y.fail(d)
		}
		return nil
	}}
}

func (y *diary) of(tenant string) []int64 {
	y.mu.Lock()
	defer y.mu.Unlock()
	return slices.Clone(y.events[tenant])
}

// tag makes a tag and returns the position.
func (w *world) tag(tenant, name string) int64 {
	w.t.Helper()
	return w.mustOn(w.center, commands.By{Tenant: tenant, Actor: admin}, commands.CreateTag{Name: name}).Position
}

// Every event that a policy hears comes to it, in order and from the beginning, whoever runs and however often that changes.
func TestEveryEventInOrder(t *testing.T) {
	w := newWorld(t)
	var want []int64
	y := &diary{}
	for run := range 3 {
		for i := range 5 {
			want = append(want, w.tag(tenant, fmt.Sprintf("before %d/%d", run, i)))
			w.must(admin, commands.CreateCustomer{Association: 1, ExternalID: fmt.Sprintf("v%d-%d", run, i)})
		}
		r := newRunner(w.runner().config, y.policy("diary"))
		stop := w.start(r)
		for i := range 5 {
			want = append(want, w.tag(tenant, fmt.Sprintf("during %d/%d", run, i)))
		}
		w.caughtUp(r)
		stop()
	}
	if got := y.of(tenant); !slices.Equal(got, want) {
		t.Errorf("reacted to %v, want %v", got, want)
	}
}

// A bell is enough: nobody waits for the sweep.
func TestWokenByTheBell(t *testing.T) {
	w := newWorld(t)
	config := w.runner().config
	config.Sweep = time.Hour
	y := &diary{}
	w.start(newRunner(config, y.policy("diary")))
	for i := range 5 {
		position := w.tag(tenant, fmt.Sprint(i))
		w.until("nobody heard the bell", func() bool { return slices.Contains(y.of(tenant), position) })
	}
}

// More events than a page has, heard and unheard.
func TestLongLog(t *testing.T) {
	w := newWorld(t)
	var want []int64
	for i := range 3 {
		want = append(want, w.tag(tenant, fmt.Sprint(i)))
		events := make([]eventstore.NewEvent, pageEvents)
		for n := range events {
			events[n].Payload = tag.Deleted{}
		}
		_, err := w.store.Append(t.Context(), eventstore.Append{
			Tenant: tenant, ID: uuid.New(), Now: time.Now(), Streams: []eventstore.StreamAppend{{Stream: fmt.Sprint("x-", i), Events: events}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	y := &diary{}
	r := newRunner(w.runner().config, y.policy("diary"))
	w.start(r)
	w.caughtUp(r)
	if got := y.of(tenant); !slices.Equal(got, want) {
		t.Errorf("reacted to %v, want %v", got, want)
	}
}

// What fails is tried again and holds up the policy of that tenant; other tenants and policies go on.
func TestAFailureHoldsUpOnlyItself(t *testing.T) {
	w := newWorld(t, "other")
	one, two := w.tag(tenant, "one"), w.tag(tenant, "two")
	elsewhere := w.tag("other", "one")
	mended := make(chan struct{})
	failing := &diary{fail: func(d *eventstore.Decoded) error {
		select {
		case <-mended:
			return nil
		default:
		}
		if d.Tenant == tenant && d.Position == two {
			return errors.New("not now")
		}
		return nil
	}}
	fine := &diary{}
	r := newRunner(w.runner().config, failing.policy("failing"), fine.policy("fine"))
	w.start(r)
	w.until("the others do not go on", func() bool {
		return slices.Equal(fine.of(tenant), []int64{one, two}) && slices.Equal(failing.of("other"), []int64{elsewhere}) &&
			len(failing.of(tenant)) >= 4
	})
	for _, s := range mustStatus(t, r) {
		if s.Policy == "failing" && s.Tenant == tenant && s.Position >= two {
			t.Errorf("passed over what failed: %+v", s)
		}
	}
	close(mended)
	w.caughtUp(r)
	got := failing.of(tenant)
	if got[0] != one || got[len(got)-1] != two || slices.Contains(got[1:], one) {
		t.Errorf("reacted to %v: an event that was dealt with came again", got)
	}
}

func mustStatus(t *testing.T, r *Runner) []Status {
	t.Helper()
	all, err := r.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What is refused for good is passed over.
func TestARefusalIsPassedOver(t *testing.T) {
	w := newWorld(t)
	want := []int64{w.tag(tenant, "one"), w.tag(tenant, "two"), w.tag(tenant, "three")}
	y := &diary{fail: func(d *eventstore.Decoded) error {
		if d.Position == want[1] {
			return domain.Refuse(domain.CodeNotFound)
		}
		return nil
	}}
	r := newRunner(w.runner().config, y.policy("diary"))
	w.start(r)
	w.caughtUp(r)
	if got := y.of(tenant); !slices.Equal(got, want) {
		t.Errorf("reacted to %v, want %v, each once", got, want)
	}
}

// A process that was overtaken without knowing it moves nothing, and goes on from where the other is.
func TestAnOvertakenProcess(t *testing.T) {
	w := newWorld(t)
	w.tag(tenant, "one")
	var mine, theirs diary
	slow := w.worker(newRunner(w.runner().config, mine.policy("diary")), "diary")
	quick := w.worker(newRunner(w.runner().config, theirs.policy("diary")), "diary")
	step(t, slow, true)
	second := w.tag(tenant, "two")
	step(t, quick, true)
	third := w.tag(tenant, "three")
	if _, err := slow.step(t.Context(), true); !errors.Is(err, errMoved) {
		t.Errorf("an overtaken process was told %v", err)
	}
	slow.known = false
	step(t, slow, true)
	if got := mine.of(tenant); got[len(got)-1] != third || !slices.Equal(theirs.of(tenant), []int64{second}) {
		t.Errorf("reacted to %v and %v", got, theirs.of(tenant))
	}
	if position, err := loadPosition(t.Context(), w.store.Pool(), "diary", tenant); err != nil || position != w.head() {
		t.Errorf("position %d, %v; the log ends at %d", position, err, w.head())
	}
}

func TestNewChecks(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("a runner without a store")
	}
}
