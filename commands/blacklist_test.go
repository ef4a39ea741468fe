package commands_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/domain/suppressed"
)

// listed is the event of a customer who is blacklisted for ever, for the reason that blacklist gives.
var listed = customer.Blacklisted{Reason: "骚扰"}

func blacklist(id uuid.UUID) commands.BlacklistCustomer {
	return commands.BlacklistCustomer{Customer: id, Reason: "骚扰"}
}

// clock lets a test decide what the center takes for the time, within the minute that the database allows.
type clock struct{ ahead time.Duration }

func (c *clock) now() time.Time { return time.Now().Add(c.ahead) }

// withClock gives the world a center whose clock the test sets.
func (w *world) withClock() *clock {
	c := &clock{}
	w.center = commands.NewCenter(w.store, c.now, func() uuid.UUID { return uuid.Must(uuid.NewV7()) })
	return c
}

func TestBlacklistAndBack(t *testing.T) {
	w := newWorld(t)
	created := w.must(commands.CreateCustomer{Association: 1, ExternalID: "x"})
	id := created.Customer
	done := w.appends(w.by, commands.BlacklistCustomer{Customer: id, Reason: " 骚扰 ", IfVersion: created.Version}, listed)
	if done.Customer != id || done.Version != 2 || done.Session != uuid.Nil {
		t.Errorf("done %+v", done)
	}
	w.refused(w.by, blacklist(id), domain.CodeAlreadyBlacklisted, "")
	// Another process sees it, and that it is an edit.
	w.center = newCenter(w.store)
	name := "x"
	w.refused(w.by, commands.EditProfile{Customer: id, Changes: map[string]*string{"name": &name}, IfVersion: created.Version}, commands.CodePreconditionFailed, "")
	w.refused(w.by, commands.UnblacklistCustomer{Customer: id, IfVersion: created.Version}, commands.CodePreconditionFailed, "")
	done = w.appends(w.by, commands.UnblacklistCustomer{Customer: id, IfVersion: 2}, customer.Unblacklisted{Cause: customer.CauseManual})
	if done.Version != 3 {
		t.Errorf("version %d, want 3", done.Version)
	}
	w.refused(w.by, commands.UnblacklistCustomer{Customer: id}, domain.CodeNotBlacklisted, "")

	w.refused(w.by, blacklist(uuid.Max), domain.CodeNotFound, "")
	w.refused(w.by, commands.UnblacklistCustomer{Customer: uuid.Max}, domain.CodeNotFound, "")
	w.refused(w.by, commands.BlacklistCustomer{Customer: id}, domain.CodeValidation, "reason")
	w.refused(w.by, commands.BlacklistCustomer{Customer: id, Reason: "x", ExpiresAt: start}, domain.CodeValidation, "expires_at")
	w.refused(w.by, commands.BlacklistCustomer{Customer: id, Reason: "x", IfVersion: 2}, commands.CodePreconditionFailed, "")
	w.refused(w.by, commands.BlacklistCustomer{Session: byID(uuid.Max), Reason: "x"}, domain.CodeNotFound, "session_id")
	w.refused(w.by, commands.BlacklistCustomer{Session: byIdentity("nobody"), Reason: "x"}, domain.CodeNotFound, "external_id")
}

func TestBlacklistFromASession(t *testing.T) {
	for _, name := range []string{"by its id", "by identity", "by its id, unknown to the process"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			opened := w.must(text("x", "m1", "hello"))
			cmd := commands.BlacklistCustomer{Session: byID(opened.Session), Reason: "骚扰"}
			switch name {
			case "by identity":
				cmd.Session = byIdentity("x")
			case "by its id, unknown to the process":
				w.center = newCenter(w.store)
			}
			done := w.appends(w.by, cmd, listed)
			if done.Customer != opened.Customer || w.session(opened.Session).Ended() {
				t.Errorf("done %+v, session %+v", done, w.session(opened.Session))
			}
			// The session goes on to its end.
			into := w.must(text("x", "m2", "more"))
			if into.Session != opened.Session || into.Suppressed {
				t.Errorf("a message into the unfinished session: %+v", into)
			}
		})
	}
}

func TestBlacklistEndsTheSession(t *testing.T) {
	w := newWorld(t)
	cmd := func(id uuid.UUID) commands.BlacklistCustomer {
		return commands.BlacklistCustomer{Customer: id, Reason: "骚扰", EndSession: true}
	}
	wrote := minute(0)
	waiting := w.mustBy(w.at(wrote), text("waiting", "m1", "hello"))
	done := w.appends(w.by, cmd(waiting.Customer), listed,
		customer.SessionClosed{Session: waiting.Session, Aborted: true, LastCustomerMessageAt: &wrote},
		session.Aborted{By: "agent", Cause: commands.CauseBlacklisted})
	if done.Session != waiting.Session || done.Customer != waiting.Customer || done.Version != 3 {
		t.Errorf("done %+v, want session %v and version 3", done, waiting.Session)
	}
	accepted := w.mustBy(w.at(wrote), text("accepted", "m1", "hello"))
	w.must(commands.AcceptSession{Session: byID(accepted.Session), Agent: "li"})
	w.center = newCenter(w.store)
	w.appends(w.by, cmd(accepted.Customer), listed,
		customer.SessionClosed{Session: accepted.Session, LastCustomerMessageAt: &wrote},
		session.Closed{By: "agent", Cause: commands.CauseBlacklisted})
	none := w.must(commands.CreateCustomer{Association: 1, ExternalID: "none"})
	if done := w.appends(w.by, cmd(none.Customer), listed); done.Session != uuid.Nil {
		t.Errorf("ended session %v of somebody without any", done.Session)
	}
}

// An agent ends no session that is another's, or nobody's yet, by way of the blacklist.
func TestBlacklistEndsOnlyTheOwnSession(t *testing.T) {
	w := newWorld(t)
	opened := w.must(text("x", "m1", "hello"))
	cmd := commands.BlacklistCustomer{Customer: opened.Customer, Reason: "骚扰", EndSession: true, OnlyOf: "wang"}
	w.refused(w.by, cmd, commands.CodeForbidden, "end_session")
	w.must(commands.AcceptSession{Session: byID(opened.Session), Agent: "li"})
	w.refused(w.by, cmd, commands.CodeForbidden, "end_session")
	cmd.Customer, cmd.Session = uuid.Nil, byID(opened.Session)
	w.refused(w.by, cmd, commands.CodeForbidden, "end_session")
	if w.session(opened.Session).Ended() {
		t.Error("the session ended")
	}
	cmd.OnlyOf = "li"
	if done := w.must(cmd); done.Session != opened.Session || !w.session(opened.Session).Ended() {
		t.Errorf("the own session: %+v", done)
	}
	// Without ending anything, whose session it is does not matter.
	next := w.must(text("y", "m1", "hello"))
	w.must(commands.AcceptSession{Session: byID(next.Session), Agent: "li"})
	w.must(commands.BlacklistCustomer{Customer: next.Customer, Reason: "骚扰", OnlyOf: "wang"})
}

func TestMessagesOfTheBlacklisted(t *testing.T) {
	w := newWorld(t)
	first := w.mustBy(w.at(minute(0)), text("x", "m1", "hello"))
	w.mustBy(w.at(minute(5)), commands.CloseSession{Session: byIdentity("x"), By: "agent"})
	w.must(blacklist(first.Customer))
	cmd := text("x", "m2", "again")
	cmd.Web = &session.WebAttributesRecorded{IP: "1.2.3.4"}
	done := w.appends(w.at(minute(9)), cmd, suppressed.MessageRecorded{Message: "m2", Kind: "text", Text: "again"})
	if !done.Suppressed || done.Customer != first.Customer || done.Session != uuid.Nil || done.Late {
		t.Errorf("done %+v", done)
	}
	// Once, and the same answer.
	by := w.once("k1", "body")
	one := w.mustBy(by, text("x", "m3", "again"))
	again := w.mustBy(by, text("x", "m3", "again"))
	if again.Repeated, again.First = false, one.First; again != one || !one.Suppressed {
		t.Errorf("again %+v, first %+v", again, one)
	}
	// Another process goes on where this one was.
	w.center = newCenter(w.store)
	w.must(text("x", "m4", "again"))
	var count suppressed.State
	w.fold(suppressed.Stream(first.Customer), count.Apply)
	if count.Messages != 3 {
		t.Errorf("%d suppressed messages, want 3", count.Messages)
	}
	w.refused(w.by, text("x", "m5", ""), domain.CodeValidation, "message.text")
	// A late one goes into its session.
	late := w.mustBy(w.at(minute(4)), text("x", "m6", "late"))
	if late.Suppressed || !late.Late || late.Session != first.Session {
		t.Errorf("late %+v", late)
	}
	// After removal the next opens a session, with none of the suppressed in it.
	w.must(commands.UnblacklistCustomer{Customer: first.Customer})
	next := w.must(text("x", "m7", "hello"))
	if next.Suppressed || next.Session == uuid.Nil || next.Session == first.Session || w.session(next.Session).Messages != 1 {
		t.Errorf("after removal %+v", next)
	}
}

func TestAnExpiredListing(t *testing.T) {
	w := newWorld(t)
	clock := w.withClock()
	id := w.must(commands.CreateCustomer{Association: 1, ExternalID: "x"}).Customer
	ends := clock.now().Add(20 * time.Second)
	cmd := blacklist(id)
	cmd.ExpiresAt = ends
	w.must(cmd)
	lift := commands.LiftBlacklisting{Customer: id}
	w.appends(w.by, lift) // not yet
	if done := w.must(text("x", "m1", "hello")); !done.Suppressed {
		t.Errorf("before it expires: %+v", done)
	}
	clock.ahead = 30 * time.Second
	if done := w.must(text("x", "m2", "hello")); done.Suppressed || done.Session == uuid.Nil {
		t.Errorf("after it expired, not lifted: %+v", done)
	}
	w.refused(w.by, commands.UnblacklistCustomer{Customer: id}, domain.CodeNotBlacklisted, "")
	done := w.appends(w.by, lift, customer.Unblacklisted{Cause: customer.CauseExpired})
	if done.Version != 4 { // 1 created, 2 listed, 3 session opened
		t.Errorf("version %d, want 4", done.Version)
	}
	w.appends(w.by, lift)
	if done, err := (commands.LiftBlacklisting{Customer: uuid.Max}).Run(t.Context(), w.center, w.by); err != nil || done.Changed {
		t.Errorf("lifting for nobody: %+v, %v", done, err)
	}
	// Listing again over an expired entry lifts that in the same append.
	cmd.ExpiresAt = clock.now().Add(time.Second)
	w.must(cmd)
	clock.ahead = 40 * time.Second
	w.appends(w.by, blacklist(id), customer.Unblacklisted{Cause: customer.CauseExpired}, listed)
}
