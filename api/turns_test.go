package api

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever waits is let in in order, and tenants in turn: one that has asked ten times is let in once before the other's first comes.
func TestTurnsAreFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := turns{each: 1, all: 1}
		if err := all.take(t.Context(), "flood"); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var order []string
		wait := func(tenant, name string) {
			go func() {
				if err := all.take(t.Context(), tenant); err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				all.give(tenant)
			}()
			synctest.Wait()
		}
		wait("flood", "f1")
		wait("flood", "f2")
		wait("flood", "f3")
		wait("calm", "c1")
		wait("calm", "c2")
		if busy, waiting := all.count(); busy != 1 || waiting != 5 {
			t.Errorf("%d are at work and %d wait", busy, waiting)
		}
		all.give("flood")
		synctest.Wait()
		if want := []string{"f1", "c1", "f2", "c2", "f3"}; !slices.Equal(order, want) {
			t.Errorf("the order is %v, want %v", order, want)
		}
		if busy, waiting := all.count(); busy != 0 || waiting != 0 || len(all.of) != 0 {
			t.Errorf("afterwards, %d are at work, %d wait, and %d tenants are remembered", busy, waiting, len(all.of))
		}
	})
}

// A tenant with more requests waiting than it has turns has a part of them while others ask, and all of them when they have stopped, or when few wait.
func TestACrowdHasFewerTurnsWhileOthersAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := turns{each: 4, all: 24}
		at := func(tenant string) int {
			all.mu.Lock()
			defer all.mu.Unlock()
			if q := all.of[tenant]; q != nil {
				return q.busy
			}
			return 0
		}
		ctx := t.Context()
		for range 20 {
			go func() { _ = all.take(ctx, "flood") }() // everybody gets a turn in the end
		}
		synctest.Wait()
		if n := at("flood"); n != 4 {
			t.Errorf("alone, %d are at work", n)
		}
		if err := all.take(ctx, "calm"); err != nil {
			t.Fatal(err)
		}
		all.give("calm")
		for range 4 {
			all.give("flood")
			synctest.Wait()
		}
		if n := at("flood"); n != 1 {
			t.Errorf("while another asks, %d are at work", n)
		}
		time.Sleep(othersFor + time.Millisecond)
		all.give("flood")
		synctest.Wait()
		if n := at("flood"); n != 4 {
			t.Errorf("when the other has stopped, %d are at work", n)
		}
		if err := all.take(ctx, "calm"); err != nil {
			t.Fatal(err)
		}
		all.give("calm")
		for { // until as few wait as it has turns
			_, waiting := all.count()
			if waiting == 0 {
				break
			}
			if n := at("flood"); waiting > 4 && n > 4 || waiting <= 4 && n != 4 {
				t.Fatalf("%d are at work while %d wait", n, waiting)
			}
			all.give("flood")
			synctest.Wait()
		}
		for at("flood") > 0 {
			all.give("flood")
		}
	})
}

// A tenant that has all its turns holds up nobody else, and one that gives up its place is passed over.
func TestATenantWaitsForItself(t *testing.T) {
	all := turns{each: 2, all: 10}
	for range 2 {
		if err := all.take(t.Context(), "flood"); err != nil {
			t.Fatal(err)
		}
	}
	gone, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := all.take(gone, "flood"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a third turn: %v", err)
	}
	if err := all.take(t.Context(), "calm"); err != nil {
		t.Error(err)
	}
	mine := turn{of: &all, tenant: "calm"}
	if err := mine.take(t.Context()); err != nil {
		t.Error(err)
	}
	if err := mine.aside(t.Context(), func() error {
		if busy, _ := all.count(); busy != 3 {
			t.Errorf("while one waits, %d are at work", busy)
		}
		return nil
	}); err != nil || !mine.held {
		t.Errorf("behind the wait: %v, held %v", err, mine.held)
	}
	mine.give()
	mine.give()
	for _, tenant := range []string{"flood", "flood", "calm"} {
		all.give(tenant)
	}
	if len(all.of) != 0 || all.busy != 0 {
		t.Errorf("%d tenants are remembered, %d turns are missing", len(all.of), all.busy)
	}
}

// Never are more at work than may be, and no turn is lost, whoever gives up when.
func TestTurnsUnderStress(t *testing.T) {
	all := turns{each: 2, all: 3}
	var mu sync.Mutex
	busy := map[string]int{}
	var crowd sync.WaitGroup
	for n := range 24 {
		crowd.Go(func() {
			random, tenant := rand.New(rand.NewPCG(1, uint64(n))), string(rune('a'+n%4))
			for range 300 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.IntN(300))*time.Microsecond)
				if all.take(ctx, tenant) == nil {
					mu.Lock()
					busy[tenant]++
					if sum := busy["a"] + busy["b"] + busy["c"] + busy["d"]; sum > 3 || busy[tenant] > 2 {
						t.Errorf("too many are at work: %v", busy)
					}
					mu.Unlock()
					mu.Lock()
					busy[tenant]--
					mu.Unlock()
					all.give(tenant)
				}
				cancel()
			}
		})
	}
	crowd.Wait()
	if len(all.of) != 0 || len(all.waiting) != 0 || all.busy != 0 {
		t.Errorf("%d tenants are remembered, %d wait, %d turns are missing", len(all.of), len(all.waiting), all.busy)
	}
}

// Requests beyond a tenant's limits are turned away with the time to try again, and counted; those of others are not, nor is what is open to all.
func TestATenantsRequestsAreBounded(t *testing.T) {
	w := start(t, options{})
	w.core.turns.each, w.core.Limits.UnderWay, w.core.Limits.Streams, w.core.bounds.turn = 1, 2, 1, 50*time.Millisecond
	others := func() {
		t.Helper()
		w.do(call{as: "other/admin", method: "GET", path: "/v1/tags"}).want(http.StatusOK)
		w.do(call{method: "GET", path: "/livez"}).want(http.StatusOK)
	}
	refused := func(c call, limit string) {
		t.Helper()
		c.as = "acme/admin"
		r := w.do(c)
		r.refused(http.StatusTooManyRequests, "RATE_LIMITED", "")
		if r.header.Get("Retry-After") != "1" {
			t.Errorf("%s: Retry-After is %q", limit, r.header.Get("Retry-After"))
		}
		others()
		if text := string(w.do(call{method: "GET", path: "/metrics"}).want(http.StatusOK).body); !strings.Contains(text, `customercenter_http_limited_total{limit="`+limit+`"} 1`) {
			t.Errorf("%s is not counted once: %s", limit, text)
		}
	}
	if err := w.core.turns.take(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	refused(call{method: "GET", path: "/v1/tags"}, limitTurns)
	w.core.turns.give("acme")
	for range 2 {
		w.core.underWay.enter("acme", 0)
	}
	refused(call{method: "POST", path: "/v1/tags", body: TagInput{"never"}}, limitUnderWay)
	for range 2 {
		w.core.underWay.leave("acme")
	}
	w.core.streaming.enter("acme", 0)
	refused(call{method: "GET", path: "/v1/events"}, limitStreams)
	w.core.streaming.leave("acme")
	if list := w.admin("GET", "/v1/tags", nil).want(http.StatusOK); list.get("count.value") != 0.0 {
		t.Errorf("what was turned away was carried out: %s", list.body)
	}
	w.admin("GET", "/v1/events", nil).want(http.StatusOK)
	if busy, waiting := w.core.turns.count(); busy != 0 || waiting != 0 || len(w.core.underWay.of) != 0 || len(w.core.streaming.of) != 0 {
		t.Errorf("afterwards %d are at work and %d wait; %v %v", busy, waiting, w.core.underWay.of, w.core.streaming.of)
	}
}
