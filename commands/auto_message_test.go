package commands_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/automessage"
	"customercenter/domain/customer"
)

func TestAutoMessages(t *testing.T) {
	w := newWorld(t)
	everybody := commands.Audience{Filter: json.RawMessage(` {} `)}
	define := commands.DefineAutoMessage{Name: "双十一", Text: "您好", Audience: everybody}
	id := w.must(define).AutoMessage
	if got := w.log(w.head() - 1)[0].Payload.(automessage.Defined); got.AutoMessage != id || got.Rate != automessage.DefaultRate || string(got.Audience.Filter) != `{}` {
		t.Fatalf("appended %+v", got)
	}
	w.refused(w.by, define, domain.CodeAutoMessageExists, "name")
	for _, c := range []struct {
		audience commands.Audience
		at       string
	}{
		{commands.Audience{}, "audience"},
		{commands.Audience{Filter: json.RawMessage("null")}, "audience"}, // not everybody
		{commands.Audience{Filter: everybody.Filter, Customers: []uuid.UUID{id}}, "audience"},
		{commands.Audience{Filter: json.RawMessage(`{"all":[{"field":"shoe_size","op":"is_set"}]}`)}, "audience.filter.all[0].field"},
		{commands.Audience{Customers: []uuid.UUID{uuid.New()}}, "audience.customers[0]"},
	} {
		w.refused(w.by, commands.DefineAutoMessage{Name: "x", Text: "x", Audience: c.audience}, domain.CodeValidation, c.at)
		if len(c.audience.Customers) == 0 {
			w.refused(w.by, commands.ChangeAutoMessage{AutoMessage: id, Audience: &c.audience}, domain.CodeValidation, c.at)
		}
	}
	rate := 5
	w.appends(w.by, commands.ChangeAutoMessage{AutoMessage: id, Rate: &rate, IfVersion: 1},
		automessage.Changed{AutoMessage: id, Name: "双十一", Text: "您好", Rate: 5, Audience: automessage.Audience{Filter: json.RawMessage(`{}`)}})
	w.appends(w.by, commands.ChangeAutoMessage{AutoMessage: id, Rate: &rate, Audience: &everybody})
	w.refused(w.by, commands.ChangeAutoMessage{AutoMessage: id, Rate: &rate, IfVersion: 1}, commands.CodePreconditionFailed, "")
	w.appends(w.by, commands.StartAutoMessage{AutoMessage: id, IfVersion: 2}, automessage.Started{AutoMessage: id})
	w.appends(w.by, commands.StartAutoMessage{AutoMessage: id})
	w.refused(w.by, commands.DeleteAutoMessage{AutoMessage: id}, domain.CodeAutoMessageRunning, "")
	w.appends(w.by, commands.StopAutoMessage{AutoMessage: id}, automessage.Stopped{AutoMessage: id})
	w.appends(w.by, commands.StopAutoMessage{AutoMessage: id})
	w.appends(w.by, commands.DeleteAutoMessage{AutoMessage: id}, automessage.Deleted{AutoMessage: id})
	for _, cmd := range []command{
		commands.ChangeAutoMessage{AutoMessage: id}, commands.StartAutoMessage{AutoMessage: id}, commands.StopAutoMessage{AutoMessage: id},
		commands.DeleteAutoMessage{AutoMessage: id}, commands.AddRecipients{AutoMessage: id, Customers: []uuid.UUID{id}},
	} {
		w.refused(w.by, cmd, domain.CodeNotFound, "")
	}
}

// A tag or a group on which the audience of a running auto message depends does not go, directly or by the rule of a group; what names one that is gone
// is not started.
func TestWhatARunningAutoMessageDependsOn(t *testing.T) {
	w := newWorld(t)
	spared, grouped := w.must(commands.CreateTag{Name: "勿扰"}).Tag, w.must(commands.CreateTag{Name: "VIP"}).Tag
	group := w.must(commands.DefineGroup{Name: "not VIP", Rule: json.RawMessage(`{"field":"tags","op":"has_none","value":["` + grouped.String() + `"]}`)}).Group
	id := func(audience commands.Audience) uuid.UUID {
		return w.must(commands.DefineAutoMessage{Name: uuid.NewString(), Text: "您好", Audience: audience}).AutoMessage
	}
	byTag := id(commands.Audience{Filter: json.RawMessage(`{"field":"tags","op":"has_none","value":["` + spared.String() + `"]}`)})
	byGroup := id(commands.Audience{Groups: []uuid.UUID{group}})
	inUse := func(cmd command, code string, by uuid.UUID) {
		t.Helper()
		_, err := cmd.Run(t.Context(), w.center, w.by)
		mustRefuse(t, err, code, "")
		var refusal *domain.Refusal
		if errors.As(err, &refusal); len(refusal.Args["uses"].([]domain.Use)) != 1 || refusal.Args["uses"].([]domain.Use)[0].ID != by {
			t.Errorf("%T: used by %v, want %s", cmd, refusal.Args["uses"], by)
		}
	}
	w.must(commands.StartAutoMessage{AutoMessage: byTag})
	w.must(commands.StartAutoMessage{AutoMessage: byGroup})
	inUse(commands.DeleteTag{Tag: spared}, domain.CodeTagInUse, byTag)
	inUse(commands.DeleteTag{Tag: grouped}, domain.CodeTagInUse, byGroup)
	inUse(commands.DeleteGroup{Group: group}, domain.CodeGroupInUse, byGroup)
	w.must(commands.StopAutoMessage{AutoMessage: byTag})
	w.must(commands.StopAutoMessage{AutoMessage: byGroup})
	for _, cmd := range []command{commands.DeleteTag{Tag: spared}, commands.DeleteTag{Tag: grouped}, commands.DeleteGroup{Group: group}} {
		w.must(cmd)
	}
	w.refused(w.by, commands.StartAutoMessage{AutoMessage: byTag}, domain.CodeTagUnknown, "audience.filter.value[0]")
	w.refused(w.by, commands.StartAutoMessage{AutoMessage: byGroup}, domain.CodeGroupUnknown, "audience.groups[0]")
}

// Of a tag that goes and an auto message that is started at the same time, one comes first: never both.
func TestStartingRacesTheEndOfATag(t *testing.T) {
	w := newWorld(t)
	centers := []*commands.Center{w.center, newCenter(w.store)}
	for round := range 10 {
		tag := w.must(commands.CreateTag{Name: fmt.Sprint("勿扰 ", round)}).Tag
		id := w.must(commands.DefineAutoMessage{Name: fmt.Sprint(round), Text: "您好", Audience: commands.Audience{
			Filter: json.RawMessage(`{"field":"tags","op":"has_none","value":["` + tag.String() + `"]}`)}}).AutoMessage
		racing := []command{commands.DeleteTag{Tag: tag}, commands.StartAutoMessage{AutoMessage: id}}
		var done [2]bool
		together(2, func(i int) {
			var refusal *domain.Refusal
			_, err := racing[i].Run(t.Context(), centers[i], w.by)
			if done[i] = err == nil; err != nil && !errors.As(err, &refusal) {
				t.Errorf("%T: %v", racing[i], err)
			}
		})
		if done[0] == done[1] {
			t.Fatalf("round %d: deleted %v, started %v", round, done[0], done[1])
		}
	}
}

// running defines and starts an auto message for a list.
func (w *world) running(customers ...uuid.UUID) uuid.UUID {
	w.t.Helper()
	id := w.must(commands.DefineAutoMessage{Name: uuid.NewString(), Text: "您好", Audience: commands.Audience{Customers: customers}}).AutoMessage
	w.must(commands.StartAutoMessage{AutoMessage: id})
	return id
}

func TestSendAutoMessage(t *testing.T) {
	w := newWorld(t)
	wang := w.must(commands.CreateCustomer{Association: 1, ExternalID: "wang"}).Customer
	listed := w.must(commands.CreateCustomer{Association: 1, ExternalID: "listed"}).Customer
	wechat := w.must(commands.CreateCustomer{Association: 2, ExternalID: "openid"}).Customer
	w.must(commands.BlacklistCustomer{Customer: listed, Reason: "骚扰"})
	id := w.running(wang, listed)
	send := commands.SendAutoMessage{AutoMessage: id, Customers: []uuid.UUID{uuid.New(), wechat, listed, wang, wang}}
	sent := automessage.Sent{AutoMessage: id, Customer: wang, Association: 1}
	if done := w.appends(w.by, send, sent); done.Recipients != 1 {
		t.Errorf("sent to %d", done.Recipients)
	}
	recipient := automessage.RecipientID(id, wang, 1)
	if d := w.log(w.head() - 1)[0]; d.Stream != automessage.RecipientStream(recipient) || d.Customer != wang || d.Version != 1 {
		t.Errorf("in the log: %+v", d.Event)
	}
	w.appends(w.by, send)
	w.center = newCenter(w.store) // who knows nothing
	w.appends(w.by, send)
	w.must(commands.UnblacklistCustomer{Customer: listed})
	w.appends(w.by, send, automessage.Sent{AutoMessage: id, Customer: listed, Association: 1})

	// What became of it.
	report := func(association int, read bool) commands.RecordAutoMessageReport {
		return commands.RecordAutoMessageReport{Association: association, Message: recipient, Read: read}
	}
	w.appends(w.by, report(2, false)) // not the channel's own
	w.appends(w.by, report(1, true), automessage.Read{AutoMessage: id})
	w.appends(w.by, report(1, true))
	w.appends(w.by, report(1, false), automessage.Delivered{AutoMessage: id})
	if done := w.must(commands.RecordAutoMessageReport{Association: 1, Message: uuid.New()}); done.Changed { // some other message
		t.Error("a report on what is no auto message changed something")
	}
	w.appends(w.by, commands.WithholdAutoMessage{Recipient: recipient, Code: domain.CodeNotFound}) // it has arrived
	by := w.by
	by.OccurredAt = time.Now().UTC().Add(time.Second).Truncate(time.Microsecond)
	w.appends(by, commands.RecordAutoMessageReply{Recipient: recipient}, automessage.Replied{AutoMessage: id})
	w.appends(by, commands.RecordAutoMessageReply{Recipient: recipient})

	// Nothing is sent by what is stopped, nor through what is gone.
	other := w.must(commands.CreateCustomer{Association: 1, ExternalID: "other"}).Customer
	w.must(commands.StopAutoMessage{AutoMessage: id})
	w.appends(w.by, commands.SendAutoMessage{AutoMessage: id, Customers: []uuid.UUID{other}})
	w.must(commands.StartAutoMessage{AutoMessage: id})
	w.must(commands.RemoveAssociation{Association: 1})
	w.appends(w.by, commands.SendAutoMessage{AutoMessage: id, Customers: []uuid.UUID{other}})
}

// What comes between the look at a customer and the append counts: two processes send, and one puts on the blacklist, all at once.
func TestSendingRacesTheBlacklist(t *testing.T) {
	w := newWorld(t)
	const people = 60
	var all []uuid.UUID
	for range people {
		all = append(all, w.must(commands.CreateCustomer{Association: 1, ExternalID: "v" + uuid.NewString()[:8]}).Customer)
	}
	id := w.running(all...)
	var race sync.WaitGroup
	for range 2 {
		center := newCenter(w.store)
		race.Go(func() {
			for from := 0; from < people; from += 20 {
				if _, err := (commands.SendAutoMessage{AutoMessage: id, Customers: all[from : from+20]}).Run(t.Context(), center, w.by); err != nil {
					t.Error(err)
				}
			}
		})
	}
	race.Go(func() {
		center := newCenter(w.store)
		for i := people - 1; i >= 0; i -= 3 {
			if _, err := (commands.BlacklistCustomer{Customer: all[i], Reason: "骚扰"}).Run(t.Context(), center, w.by); err != nil {
				t.Error(err)
			}
		}
	})
	race.Wait()
	listed, sent := map[uuid.UUID]bool{}, map[uuid.UUID]int{}
	for _, d := range w.log(0) {
		switch d.Payload.(type) {
		case customer.Blacklisted:
			listed[d.Customer] = true
		case automessage.Sent:
			if listed[d.Customer] {
				t.Errorf("sent at %d to who was on the blacklist", d.Position)
			}
			sent[d.Customer]++
		}
	}
	for _, c := range all {
		if sent[c] > 1 || sent[c] == 0 && !listed[c] {
			t.Errorf("customer %v got it %d times", c, sent[c])
		}
	}
}
