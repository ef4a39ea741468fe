package commands_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/domain/suppressed"
)

// A thousand times somebody is blacklisted, writes, and is called back by two agents, all at the same time and by two processes.
// Whoever is faster: there are never two unfinished sessions, none is opened while the customer is listed, and every message is
// recorded once.
func TestBlacklistAgainstMessageAgainstCallback(t *testing.T) {
	const customers, rounds = 40, 25
	w := newWorld(t)
	centers := []*commands.Center{w.center, newCenter(w.store)}
	ids := make([]uuid.UUID, customers)
	for i := range ids {
		ids[i] = w.must(commands.CreateCustomer{Association: 1, ExternalID: fmt.Sprintf("v%d", i)}).Customer
	}
	before := w.head()

	var won, suppressedOnes, inSessions atomic.Int64
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() {
			for round := range rounds {
				r := &raceRound{w: w, centers: [2]*commands.Center{centers[round%2], centers[(round+1)%2]}, customer: id}
				callbacks, dropped := r.run(fmt.Sprintf("v%d", i), fmt.Sprintf("m%d", round), round)
				won.Add(int64(callbacks))
				if dropped {
					suppressedOnes.Add(1)
				} else {
					inSessions.Add(1)
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}

	seen := raceLog{t: t, unfinished: map[uuid.UUID]uuid.UUID{}, listed: map[uuid.UUID]bool{}, messages: map[string]int{}}
	for _, d := range w.log(before) {
		seen.check(d.Customer, d.Position, d.Payload.(domain.Event))
	}
	if len(seen.messages) != customers*rounds {
		t.Errorf("%d messages are recorded, want %d", len(seen.messages), customers*rounds)
	}
	for message, n := range seen.messages {
		if n != 1 {
			t.Errorf("the message %s is recorded %d times", message, n)
		}
	}
	if seen.callbacks != won.Load() || seen.suppressed != suppressedOnes.Load() {
		t.Errorf("the log has %d callbacks and %d suppressed messages, the answers said %d and %d",
			seen.callbacks, seen.suppressed, won.Load(), suppressedOnes.Load())
	}
	t.Logf("%d callbacks won; %d messages in sessions, %d suppressed", won.Load(), inSessions.Load(), suppressedOnes.Load())
}

// raceRound is one customer, neither listed nor in a session, with whom everything happens at once.
type raceRound struct {
	w        *world
	centers  [2]*commands.Center
	customer uuid.UUID
}

// run answers how many callbacks were accepted, and whether the message was suppressed; afterwards the customer is as before.
func (r *raceRound) run(visitor, message string, round int) (callbacks int, dropped bool) {
	t, ctx := r.w.t, r.w.t.Context()
	var done [4]commands.Done
	var errs [4]error
	commandsAtOnce := [4]command{
		blacklist(r.customer),
		text(visitor, message, "hello"),
		commands.RequestCallback{Customer: r.customer, Agent: "li"},
		commands.RequestCallback{Customer: r.customer, Agent: "wang"},
	}
	together(4, func(i int) {
		i = (i + round) % 4 // nobody always starts first
		done[i], errs[i] = commandsAtOnce[i].Run(ctx, r.centers[i%2], r.w.by)
	})
	for i, err := range errs[:2] {
		if err != nil {
			t.Errorf("%T: %v", commandsAtOnce[i], err)
		}
	}
	for i := 2; i < 4; i++ {
		var refusal *domain.Refusal
		switch {
		case errs[i] == nil:
			callbacks++
		case !errors.As(errs[i], &refusal) || refusal.Code != domain.CodeSessionOpen && refusal.Code != domain.CodeCustomerBlacklisted:
			t.Errorf("callback: %v", errs[i])
		}
	}
	if callbacks > 1 {
		t.Errorf("%d callbacks of one customer were accepted at the same time", callbacks)
	}
	r.restore(ctx, visitor)
	return callbacks, done[1].Suppressed
}

func (r *raceRound) restore(ctx context.Context, visitor string) {
	if _, err := (commands.UnblacklistCustomer{Customer: r.customer}).Run(ctx, r.centers[0], r.w.by); err != nil {
		r.w.t.Errorf("unblacklist: %v", err)
	}
	// A customer who was never in a session has none to close.
	_, err := commands.CloseSession{Session: byIdentity(visitor), By: "agent"}.Run(ctx, r.centers[1], r.w.by)
	var refusal *domain.Refusal
	if err != nil && (!errors.As(err, &refusal) || refusal.Code != domain.CodeNotFound) {
		r.w.t.Errorf("close: %v", err)
	}
}

// raceLog reads the log in its order.
type raceLog struct {
	t                     *testing.T
	unfinished            map[uuid.UUID]uuid.UUID // session by customer
	listed                map[uuid.UUID]bool
	messages              map[string]int // how often, by customer and id
	callbacks, suppressed int64
}

func (l *raceLog) check(id uuid.UUID, position int64, e domain.Event) {
	switch e := e.(type) {
	case customer.Blacklisted:
		l.listed[id] = true
	case customer.Unblacklisted:
		l.listed[id] = false
	case customer.SessionOpened:
		if open := l.unfinished[id]; open != uuid.Nil {
			l.t.Errorf("position %d opens a session beside %s", position, open)
		}
		if l.listed[id] {
			l.t.Errorf("position %d opens a session (%s) of somebody on the blacklist", position, e.Initiator)
		}
		l.unfinished[id] = e.Session
		if e.Initiator == domain.PartyAgent {
			l.callbacks++
		}
	case customer.SessionClosed:
		l.unfinished[id] = uuid.Nil
	case session.MessageRecorded:
		l.messages[id.String()+e.Message]++
	case suppressed.MessageRecorded:
		if !l.listed[id] {
			l.t.Errorf("position %d suppresses a message of somebody who is not on the blacklist", position)
		}
		l.suppressed++
		l.messages[id.String()+e.Message]++
	}
}

// A message that meets the end of the listing is recorded once, on one side of it.
func TestMessagesAgainstUnblacklist(t *testing.T) {
	w := newWorld(t)
	id := w.must(commands.CreateCustomer{Association: 1, ExternalID: "x"}).Customer
	w.must(blacklist(id))
	before := w.head()
	centers := []*commands.Center{w.center, newCenter(w.store)}
	together(41, func(i int) {
		var cmd command = text("x", fmt.Sprintf("m%d", i), "hello")
		if i == 20 {
			cmd = commands.UnblacklistCustomer{Customer: id}
		}
		if _, err := cmd.Run(t.Context(), centers[i%2], w.by); err != nil {
			t.Errorf("%T: %v", cmd, err)
		}
	})
	messages, off := 0, false
	for _, d := range w.log(before) {
		switch d.Payload.(type) {
		case customer.Unblacklisted:
			off = true
		case suppressed.MessageRecorded:
			if off {
				t.Errorf("position %d suppresses a message behind the removal from the list", d.Position)
			}
			messages++
		case session.MessageRecorded:
			messages++
		}
	}
	if messages != 40 {
		t.Errorf("%d messages are recorded, want 40", messages)
	}
}
