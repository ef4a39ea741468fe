package commands_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/eventstore/eventstoretest"
)

// together runs n functions at the same time and returns when all have.
func together(n int, do func(i int)) {
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-gate
			do(i)
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
}

// count says how many events of each type are behind a position.
func (w *world) count(after int64) map[string]int {
	counts := map[string]int{}
	for _, d := range w.log(after) {
		counts[d.Type]++
	}
	return counts
}

func TestTwoHundredFirstMessagesOfOneVisitor(t *testing.T) {
	w := newWorld(t)
	before := w.head()
	// Two processes, in each a hundred messages at once.
	centers := []*commands.Center{w.center, newCenter(eventstoretest.On(t, w.store.Pool(), codec))}
	sessions := make([]string, 200)
	together(200, func(i int) {
		done, err := text("Visitor", fmt.Sprintf("m%d", i), "在吗？").Run(t.Context(), centers[i%2], w.by)
		if err != nil {
			t.Errorf("message %d: %v", i, err)
		}
		sessions[i] = done.Session.String()
	})
	for _, s := range sessions {
		if s != sessions[0] {
			t.Fatalf("messages are in sessions %s and %s", s, sessions[0])
		}
	}
	got := w.count(before)
	want := map[string]int{"customer.created": 1, "customer.session_opened": 1, "session.started": 1, "session.message_recorded": 200}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%d times %s, want %d", got[name], name, n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("events %v", got)
	}
	seen := map[string]bool{}
	for _, d := range w.log(before) {
		if m, ok := d.Payload.(session.MessageRecorded); ok {
			seen[m.Message] = true
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d different messages, want 200", len(seen))
	}
}

// However messages and closes interleave, each message is in a session that was unfinished when it was recorded, and the customer
// has never two.
func TestMessagesAgainstCloses(t *testing.T) {
	w := newWorld(t)
	opened := w.must(text("x", "m", "hello"))
	centers := []*commands.Center{w.center, newCenter(w.store)}
	together(60, func(i int) {
		var cmd command = text("x", fmt.Sprintf("m%d", i), "hello")
		if i%3 == 0 {
			cmd = commands.CloseSession{Session: byIdentity("x"), By: "agent"}
		}
		if _, err := cmd.Run(t.Context(), centers[i%2], w.by); err != nil {
			t.Errorf("%T: %v", cmd, err)
		}
	})
	unfinished, open := "", map[string]bool{}
	messages := 0
	for _, d := range w.log(2) {
		switch e := d.Payload.(type) {
		case customer.SessionOpened:
			if unfinished != "" {
				t.Fatalf("position %d opens a second session", d.Position)
			}
			unfinished = session.Stream(e.Session)
		case customer.SessionClosed:
			if unfinished != session.Stream(e.Session) {
				t.Fatalf("position %d closes another session than the unfinished one", d.Position)
			}
			unfinished = ""
		case session.Started:
			open[d.Stream] = true
		case session.Aborted, session.Closed:
			delete(open, d.Stream)
		case session.MessageRecorded:
			messages++
			if !open[d.Stream] && !e.Late {
				t.Errorf("position %d records a message after the end", d.Position)
			}
		}
	}
	if messages != 41 {
		t.Errorf("%d messages, want 41", messages)
	}
	if c := w.customer(opened.Customer); (c.Unfinished.ID.String() == "00000000-0000-0000-0000-000000000000") != (unfinished == "") {
		t.Errorf("customer %+v, log says %q", c, unfinished)
	}
}

// The same tag name, asked for by many at once, is given once.
func TestOneNameForOneTag(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	created := 0
	together(40, func(i int) {
		_, err := commands.CreateTag{Name: fmt.Sprintf("标签 %d", i%4)}.Run(t.Context(), w.center, w.by)
		var refusal *domain.Refusal
		switch {
		case err == nil:
			mu.Lock()
			created++
			mu.Unlock()
		case !errors.As(err, &refusal) || refusal.Code != domain.CodeTagExists:
			t.Error(err)
		}
	})
	if created != 4 {
		t.Errorf("%d tags of 4 names", created)
	}
}

// A request that arrives many times at once is carried out once, and all get the same answer.
func TestOnceAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	before := w.head()
	by := w.once("k", "body")
	positions := make([]int64, 50)
	together(50, func(i int) {
		done, err := text("x", "m1", "hello").Run(t.Context(), w.center, by)
		if err != nil {
			t.Error(err)
		}
		positions[i] = done.Position
	})
	for _, p := range positions {
		if p != before+4 {
			t.Fatalf("positions %v, want all %d", positions, before+4)
		}
	}
}

// A command whose caller has gone leaves the line for the next.
func TestACanceledCommandLeavesTheLine(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	together(64, func(i int) {
		if i == 0 {
			cancel()
		}
		_, err := text("x", fmt.Sprint(i), "hello").Run(ctx, w.center, w.by)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	w.must(text("x", "last", "hello"))
}
