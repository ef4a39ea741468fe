package eventstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
)

// Two processes append single events to one log: each often finds that the other was faster, and neither notices.
func TestTwoProcessesAppendSingleEvents(t *testing.T) {
	first := eventstoretest.Store(t, codec(), "acme")
	second := eventstoretest.On(t, first.Pool(), codec())
	const each = 300
	var wg sync.WaitGroup
	for i, s := range []*eventstore.Store{first, second} {
		wg.Go(func() {
			for n := range each {
				stream := fmt.Sprintf("process-%d-%d", i, n/3)
				if _, err := s.Append(t.Context(), one("acme", stream, int64(n%3), 1)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if log := checkLog(t, first, "acme"); len(log) != 2*each {
		t.Errorf("%d events of %d", len(log), 2*each)
	}
}

// Both begin the same streams, one event at a time and in batches: one of them is first, the other is told.
func TestAStreamBeginsOnce(t *testing.T) {
	first := eventstoretest.Store(t, codec(), "acme")
	second := eventstoretest.On(t, first.Pool(), codec())
	const streams, writers = 100, 4
	began := make([]int, 2*writers)
	var wg sync.WaitGroup
	for w := range began {
		s := []*eventstore.Store{first, second}[w%2]
		wg.Go(func() {
			for n := range streams {
				_, err := s.Append(t.Context(), one("acme", fmt.Sprintf("stream-%d", n), 0, 1+n%2))
				var conflict *eventstore.ConflictError
				switch {
				case err == nil:
					began[w]++
				case errors.As(err, &conflict) && conflict.Expected == 0 && conflict.Actual == int64(1+n%2):
				default:
					t.Errorf("stream %d: %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range began {
		sum += n
	}
	if log := checkLog(t, first, "acme"); sum != streams || len(log) != streams*3/2 {
		t.Errorf("%d streams began, %d events are in the log", sum, len(log))
	}
}

// A server that failed over without its last commits, or was restored, is behind what this process has seen.
func TestTheLogEndsBeforeWhatWasSeen(t *testing.T) {
	s := eventstoretest.Store(t, codec(), "acme")
	for n := range 10 {
		if _, err := s.Append(t.Context(), one("acme", fmt.Sprintf("s-%d", n), 0, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Pool().Exec(t.Context(), `delete from events where tenant = 'acme' and position > 4`); err != nil {
		t.Fatal(err)
	}
	for want := int64(5); want < 8; want++ {
		r, err := s.Append(t.Context(), one("acme", fmt.Sprintf("s-%d", want), 0, 1))
		if err != nil || r.First != want {
			t.Fatalf("appended at %d, %v; the log ended at %d", r.First, err, want-1)
		}
	}
	var conflict *eventstore.ConflictError
	if _, err := s.Append(t.Context(), one("acme", "s-9", 1, 1)); !errors.As(err, &conflict) || conflict.Actual != 0 {
		t.Errorf("a stream whose beginning is lost: %v", err)
	}
	checkLog(t, s, "acme")
}
