package policies

import (
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain/session"
)

// Two processes run the policies and are killed, one after the other, in the middle of their work and replaced: every message goes
// out in order, with its id, and every expired listing is lifted once.
func TestProcessesThatAreKilled(t *testing.T) {
	w := newWorld(t)
	const agents, messages, listings = 6, 100, 10 // messages and listings of each agent
	type work struct {
		session uuid.UUID
		list    []uuid.UUID
	}
	plan := make([]work, agents)
	for i := range plan {
		called := w.must(agent, commands.RequestCallback{Customer: w.customer(fmt.Sprintf("v%d", i)), Agent: "li"})
		plan[i].session = called.Session
		for n := range listings {
			plan[i].list = append(plan[i].list, w.customer(fmt.Sprintf("listed-%d-%d", i, n)))
		}
	}
	children := []*exec.Cmd{w.child(), w.child()}
	w.until("no process makes the stream", func() bool {
		_, err := w.js.Stream(t.Context(), StreamOut)
		return err == nil
	})
	var writing sync.WaitGroup
	for i, p := range plan {
		writing.Go(func() {
			by := commands.By{Tenant: tenant, Actor: agent}
			for n := range messages {
				cmd := commands.RecordMessage{
					Session: commands.SessionRef{ID: p.session}, Sender: session.Sender{Kind: "agent", ID: "li"},
					Message: commands.Message{ID: fmt.Sprintf("s%d-%d", i, n), Kind: "text", Text: "您好"},
				}
				if _, err := cmd.Run(t.Context(), w.center, by); err != nil {
					t.Error(err)
				}
				if n%(messages/listings) != 0 {
					continue
				}
				expired := commands.BlacklistCustomer{Customer: p.list[n*listings/messages], Reason: "骚扰", ExpiresAt: time.Now().Add(-time.Second)}
				if _, err := expired.Run(t.Context(), w.past, by); err != nil {
					t.Error(err)
				}
			}
		})
	}
	const rounds = 6
	for round := range rounds {
		enough := uint64((round + 1) * agents * messages / (rounds + 2))
		w.until("the processes do nothing", func() bool { return w.count() >= enough })
		w.kill(children[round%2])
		children[round%2] = w.child()
	}
	writing.Wait()
	w.caughtUp(w.runner())

	var want, got []string
	for _, d := range w.log(0) {
		if m, ok := d.Payload.(session.MessageRecorded); ok {
			want = append(want, outgoingID(&d).String()+" "+m.Message)
		}
	}
	for _, m := range w.sent() {
		e := w.event(m.Data)
		got = append(got, e.ID+" "+e.Data.Message.ID)
	}
	if len(want) != agents*messages || !slices.Equal(got, want) {
		t.Errorf("%d messages went out, %d are in the log, want %d, the same and in that order", len(got), len(want), agents*messages)
	}
	lifted := w.lifted()
	for id, times := range lifted {
		if times != 1 {
			t.Errorf("customer %v was lifted %d times", id, times)
		}
	}
	if len(lifted) != agents*listings {
		t.Errorf("%d customers were lifted, want %d", len(lifted), agents*listings)
	}
	w.nothingDue()
}

// count is how many messages went out.
func (w *world) count() uint64 {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), StreamOut)
	if err != nil {
		w.t.Fatal(err)
	}
	return stream.CachedInfo().State.Msgs
}
