package policies

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/automessage"
	"customercenter/domain/customer"
	"customercenter/eventstore"
	"customercenter/projections"
)

// everybody is the filter of whoever there is.
var everybody = commands.Audience{Filter: json.RawMessage(`{}`)}

// campaign defines an auto message as fast as there may be one, and starts it.
func (w *world) campaign(name string, audience commands.Audience) uuid.UUID {
	w.t.Helper()
	id := w.must(admin, commands.DefineAutoMessage{Name: name, Text: "您好，" + name, Rate: automessage.MaxRate, Audience: audience}).AutoMessage
	w.must(admin, commands.StartAutoMessage{AutoMessage: id})
	return id
}

// recipients are the customers to whom an auto message was sent, by the log, with how often.
func (w *world) recipients(id uuid.UUID) map[uuid.UUID]int {
	w.t.Helper()
	times := map[uuid.UUID]int{}
	for _, d := range w.log(0) {
		if sent, ok := d.Payload.(automessage.Sent); ok && sent.AutoMessage == id {
			times[sent.Customer]++
		}
	}
	return times
}

// got waits until exactly these customers were sent an auto message, once each.
func (w *world) got(id uuid.UUID, want ...uuid.UUID) {
	w.t.Helper()
	var got map[uuid.UUID]int
	w.until("not everybody gets it", func() bool { got = w.recipients(id); return len(got) >= len(want) })
	for _, c := range want {
		if got[c] != 1 {
			w.t.Errorf("customer %v got it %d times", c, got[c])
		}
	}
	if len(got) != len(want) {
		w.t.Errorf("%d customers got it, want %d", len(got), len(want))
	}
}

// walked has the audience of an auto message looked through once more, from its beginning to its end, by hand.
func (w *world) walked(r *Runner, id uuid.UUID) {
	w.t.Helper()
	w.projected(projections.CustomersName)
	w.projected(projections.AutoMessagesName)
	worker := w.worker(r, addressName)
	step(w.t, worker, false)
	for end := time.Now().Add(patience); ; {
		if _, err := w.store.Pool().Exec(w.t.Context(), `update policy_due set next_at = clock_timestamp() where policy = $1 and key = $2`, addressName, id.String()); err != nil {
			w.t.Fatal(err)
		}
		step(w.t, worker, true)
		step(w.t, w.worker(r, sendAutoName), false)
		var rest float64
		err := w.store.Pool().QueryRow(w.t.Context(), `select coalesce(max(extract(epoch from next_at - clock_timestamp())), 3600)::float8 from policy_due
			where policy = $1 and key = $2`, addressName, id.String()).Scan(&rest)
		if err != nil {
			w.t.Fatal(err)
		}
		if rest > shortestRest.Seconds()/2 { // the rest after a pass, or it is not running at all
			return
		}
		if time.Now().After(end) {
			w.t.Fatal("the pass does not end")
		}
	}
}

func TestAutoMessageGoesOutAndComesBack(t *testing.T) {
	w := newWorld(t)
	w.project()
	wang, listed := w.customer("Wang"), w.customer("listed")
	w.must(admin, commands.BlacklistCustomer{Customer: listed, Reason: "骚扰"})
	w.must(admin, commands.RegisterAssociation{Channel: "wechat", Account: "gh_1", Name: "公众号"})
	w.must(admin, commands.CreateCustomer{Association: 2, ExternalID: "openid"})
	w.projected(projections.CustomersName)
	r := w.runner()
	w.start(r)
	id := w.campaign("双十一", everybody)
	w.got(id, wang)
	w.until("it does not go out", func() bool { return len(w.out()) == 1 })

	recipient := automessage.RecipientID(id, wang, 1)
	m := w.out()[0]
	var sent eventstore.Decoded
	for _, d := range w.log(0) {
		if d.Stream == automessage.RecipientStream(recipient) {
			sent = d
		}
	}
	want := fmt.Sprintf(oneLine(`{"specversion":"1.0","id":"%s","type":"message.send","source":"/tenants/acme","subject":"recipient-%s","time":"%s",
		"datacontenttype":"application/json",
		"data":{"auto_message_id":"%s","customer_id":"%s","external_id":"wang","association_id":1,"channel":"app",
		"message":{"id":"%s","kind":"text","text":"您好，双十一"}}}`), recipient, recipient, sent.RecordedAt.Format(time.RFC3339Nano), id, wang, recipient)
	if string(m.Data) != want || m.Subject != "cc.out.acme.1" || m.Header.Get(jetstream.MsgIDHeader) != recipient.String() {
		t.Errorf("sent %s\n%s, want\n%s", m.Subject, m.Data, want)
	}
	if sent.Customer != wang || sent.Envelope.Actor != (eventstore.Actor{Kind: "policy", ID: addressName}) {
		t.Errorf("the log says %+v", sent)
	}

	// The channel reports, and the customer answers: in a session, as ever.
	for range 2 {
		w.must(channel, commands.RecordAutoMessageReport{Association: 1, Message: recipient, Read: true})
		w.must(channel, commands.RecordAutoMessageReport{Association: 1, Message: recipient})
	}
	w.must(channel, commands.ReceiveMessage{Association: 1, ExternalID: "wang", Message: commands.Message{ID: "c1", Kind: "text", Text: "在"}})
	w.must(channel, commands.ReceiveMessage{Association: 1, ExternalID: "wang", Message: commands.Message{ID: "c2", Kind: "text", Text: "在？"}})
	counts := projections.NewAutoMessages(w.store, w.projector)
	var got projections.AutoMessageCounts
	w.until("the reply is not noted", func() bool {
		all, err := counts.Counts(t.Context(), tenant)
		if err != nil {
			t.Fatal(err)
		}
		got = all[id]
		return got.Replied > 0
	})
	w.caughtUp(r)
	w.projected(projections.AutoMessagesName)
	if want := (projections.AutoMessageCounts{Sent: 1, Delivered: 1, Read: 1, Replied: 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	replies := 0
	for _, d := range w.log(0) {
		if _, ok := d.Payload.(automessage.Replied); ok {
			replies++
		}
	}
	if replies != 1 || len(w.out()) != 1 {
		t.Errorf("%d replies, %d messages went out; want 1 of each", replies, len(w.out()))
	}
}

// out is what went out, and nothing while there is no stream.
func (w *world) out() []*jetstream.RawStreamMsg {
	w.t.Helper()
	if stream, err := w.js.Stream(w.t.Context(), StreamOut); err != nil || stream.CachedInfo().State.Msgs == 0 {
		return nil
	}
	return w.sent()
}

// New matches get it until it is stopped; who had it stays out, also when it is started again; a list may grow at any time.
func TestAudiences(t *testing.T) {
	w := newWorld(t)
	w.project()
	vip := w.must(admin, commands.CreateTag{Name: "VIP"}).Tag
	tagged := func(externalID string) uuid.UUID {
		id := w.customer(externalID)
		w.must(admin, commands.TagCustomer{Customer: id, Tag: vip})
		return id
	}
	first, plain := tagged("first"), w.customer("plain")
	r := w.runner()
	id := w.campaign("vip", commands.Audience{Filter: json.RawMessage(`{"field":"tags","op":"has_any","value":["` + vip.String() + `"]}`)})
	w.walked(r, id)
	w.got(id, first)

	second := tagged("second")
	w.walked(r, id)
	w.got(id, first, second)

	// Added by hand, although no match; blacklisted ones wait until they are not any more.
	listed := w.customer("listed")
	w.must(admin, commands.BlacklistCustomer{Customer: listed, Reason: "骚扰"})
	w.must(admin, commands.AddRecipients{AutoMessage: id, Customers: []uuid.UUID{first, plain, listed}})
	w.walked(r, id)
	w.got(id, first, second, plain)
	w.must(admin, commands.UnblacklistCustomer{Customer: listed})
	w.walked(r, id)
	w.got(id, first, second, plain, listed)

	w.must(admin, commands.StopAutoMessage{AutoMessage: id})
	third := tagged("third")
	w.walked(r, id)
	if done := w.must(admin, commands.SendAutoMessage{AutoMessage: id, Customers: []uuid.UUID{third}}); done.Changed || done.Recipients != 0 {
		t.Errorf("sent after it was stopped: %+v", done)
	}
	w.got(id, first, second, plain, listed)
	w.must(admin, commands.StartAutoMessage{AutoMessage: id})
	w.walked(r, id)
	w.got(id, first, second, plain, listed, third)
}

// The members of groups get it, also those who enter later.
func TestAudienceOfGroups(t *testing.T) {
	w := newWorld(t)
	w.project()
	vip := w.must(admin, commands.CreateTag{Name: "VIP"}).Tag
	rule := json.RawMessage(`{"field":"tags","op":"has_any","value":["` + vip.String() + `"]}`)
	group := w.must(admin, commands.DefineGroup{Name: "VIP", Rule: rule}).Group
	other := w.must(admin, commands.DefineGroup{Name: "nobody", Rule: json.RawMessage(`{"field":"session_count","op":"gt","value":5}`)}).Group
	first, second := w.customer("first"), w.customer("second")
	w.must(admin, commands.TagCustomer{Customer: first, Tag: vip})
	members := func(n int64) {
		t.Helper()
		groups := projections.NewGroups(w.store, w.projector, projections.NewCatalogues(w.store))
		w.until("the group has not its members", func() bool {
			all, err := groups.Status(t.Context(), tenant)
			if err != nil {
				t.Fatal(err)
			}
			return all[group].Members == n
		})
	}
	members(1)
	r := w.runner()
	id := w.campaign("vip", commands.Audience{Groups: []uuid.UUID{other, group}})
	w.walked(r, id)
	w.got(id, first)
	w.must(admin, commands.TagCustomer{Customer: second, Tag: vip})
	members(2)
	w.walked(r, id)
	w.got(id, first, second)
}

// An auto message that runs although its audience names a tag that is gone, as a log of former times may have it, is sent to nobody by that, and stopped: it
// would reach just those whom it was to spare.
func TestAudienceThatNamesWhatIsGone(t *testing.T) {
	w := newWorld(t)
	fold := w.byHand()
	spare := w.must(admin, commands.CreateTag{Name: "勿扰"}).Tag
	w.must(admin, commands.TagCustomer{Customer: w.customer("spared"), Tag: spare})
	id := w.must(admin, commands.DefineAutoMessage{Name: "to the others", Text: "您好", Audience: commands.Audience{
		Filter: json.RawMessage(`{"field":"tags","op":"has_none","value":["` + spare.String() + `"]}`)}}).AutoMessage
	w.must(admin, commands.DeleteTag{Tag: spare})
	w.changed(automessage.Started{AutoMessage: id})
	fold(projections.CustomersName)
	fold(projections.AutoMessagesName)
	w.walking(id).until()
	w.got(id)
	log := w.log(0)
	if last := log[len(log)-1]; last.Payload != (automessage.Stopped{AutoMessage: id}) || !strings.Contains(string(last.Meta), addressName) {
		t.Errorf("at last: %+v by %s", last.Payload, last.Meta)
	}
}

// At the rate it has, and not faster: judged by a clock of the test.
func TestRate(t *testing.T) {
	w := newWorld(t)
	w.project()
	for i := range 50 {
		w.customer(fmt.Sprint("v", i))
	}
	w.projected(projections.CustomersName)
	id := w.must(admin, commands.DefineAutoMessage{Name: "slow", Text: "慢", Rate: 120, Audience: everybody}).AutoMessage
	w.must(admin, commands.StartAutoMessage{AutoMessage: id})
	all, _, err := projections.NewCatalogues(w.store).AutoMessages(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := all.Find(id)
	a := newAddresser(w.runner().config)
	now := time.Now()
	a.now = func() time.Time { return now }
	walking := newWalk(a, tenant, running{autoMessage: id, started: now, position: w.head()})
	w.projected(projections.CustomersName)
	handing := w.worker(w.runner(), sendAutoName)
	drain := func() (sent int, rest time.Duration) {
		before := len(w.recipients(id))
		for rest == 0 {
			var err error
			if rest, err = walking.step(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		step(t, handing, false)
		return len(w.recipients(id)) - before, rest
	}
	for i, c := range []struct {
		after       time.Duration
		least, most int
	}{
		{0, 0, 1}, // the one that it begins with, at most
		{time.Second, 2, 3},
		{time.Second, 2, 2},
		{time.Second / 2, 0, 1},
		{10 * time.Second, 4, 5}, // no more than a burst is saved up
		{time.Second, 2, 2},
	} {
		now = now.Add(c.after)
		sent, rest := drain()
		if sent < c.least || sent > c.most || rest > time.Second {
			t.Errorf("%d: %d were sent, and then a rest of %v; want %d to %d", i, sent, rest, c.least, c.most)
		}
	}
}

// Two at work on the same audience at the same time, again and again, and neither sends what the other has sent.
func TestTwoSendersAtOnce(t *testing.T) {
	w := newWorld(t)
	w.project()
	people := w.plant(600)
	w.projected(projections.CustomersName)
	id := w.campaign("twice", everybody)
	all, _, err := projections.NewCatalogues(w.store).AutoMessages(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := all.Find(id)
	var at sync.WaitGroup
	for range 3 {
		r := w.runner()
		a, handing := newAddresser(r.config), w.worker(r, sendAutoName)
		at.Go(func() {
			walking := newWalk(a, tenant, running{autoMessage: id, started: time.Now(), position: 1})
			for end := time.Now().Add(patience); time.Now().Before(end); {
				rest, err := walking.step(t.Context(), m)
				if err != nil {
					t.Error(err)
					return
				}
				if rest >= shortestRest {
					return
				}
				step(t, handing, false)
				wait(t.Context(), rest)
			}
			t.Error("the pass does not end")
		})
	}
	at.Wait()
	w.got(id, people...)
}

// What happens between the decision to send and the handing over counts: nothing goes out to who was put on the blacklist since.
func TestWithheld(t *testing.T) {
	w := newWorld(t)
	w.must(admin, commands.RegisterAssociation{Channel: "web", Account: "site", Name: "官网"})
	fine, listed, erased := w.customer("fine"), w.customer("listed"), w.customer("erased")
	gone := w.must(admin, commands.CreateCustomer{Association: 2, ExternalID: "gone"}).Customer
	all := []uuid.UUID{fine, listed, erased, gone}
	id := w.campaign("late", commands.Audience{Customers: all})
	if done := w.must(admin, commands.SendAutoMessage{AutoMessage: id, Customers: all}); done.Recipients != len(all) {
		t.Fatalf("sent to %d", done.Recipients)
	}
	w.must(admin, commands.BlacklistCustomer{Customer: listed, Reason: "骚扰"})
	w.must(admin, commands.RemoveAssociation{Association: 2})
	if _, err := w.store.Pool().Exec(t.Context(), `delete from customer_keys where tenant = $1 and customer = $2`, tenant, erased); err != nil {
		t.Fatal(err)
	}
	w.must(admin, commands.StopAutoMessage{AutoMessage: id})
	w.must(admin, commands.DeleteAutoMessage{AutoMessage: id}) // what was sent goes out all the same
	for range 2 {                                              // as after a crash
		worker := w.worker(w.runner(), sendAutoName)
		worker.known, worker.read = true, 0
		step(t, worker, false)
		if _, err := w.store.Pool().Exec(t.Context(), `update policy_positions set position = 0 where policy = $1`, sendAutoName); err != nil {
			t.Fatal(err)
		}
	}
	if all := w.out(); len(all) != 1 || w.event(all[0].Data).Data.CustomerID != fine || w.event(all[0].Data).Data.Message.Text != "您好，late" {
		t.Errorf("%d messages went out", len(all))
	}
	codes := map[uuid.UUID][]string{}
	for _, d := range w.log(0) {
		if withheld, ok := d.Payload.(automessage.Withheld); ok {
			codes[d.Customer] = append(codes[d.Customer], withheld.Code)
		}
	}
	if len(codes) != 3 || !slices.Equal(codes[erased], []string{domain.CodeNotFound}) || !slices.Equal(codes[listed], []string{domain.CodeCustomerBlacklisted}) || !slices.Equal(codes[gone], []string{domain.CodeAssociationGone}) {
		t.Errorf("withheld: %v", codes)
	}
}

// A reply is the first message after it, in a session or not, and in time; whatever else is written is none.
func TestReplies(t *testing.T) {
	w := newWorld(t)
	before, after, listed, silent := w.customer("before"), w.customer("after"), w.customer("listed"), w.customer("silent")
	write := func(externalID, id string, at time.Time) {
		by := commands.By{Tenant: tenant, Actor: channel, OccurredAt: at}
		w.mustOn(w.center, by, commands.ReceiveMessage{Association: 1, ExternalID: externalID, Message: commands.Message{ID: id, Kind: "text", Text: "在"}})
	}
	write("before", "b1", time.Time{})
	id := w.campaign("ask", commands.Audience{Customers: []uuid.UUID{before, after, listed, silent}})
	w.must(admin, commands.SendAutoMessage{AutoMessage: id, Customers: []uuid.UUID{before, after, listed, silent}})
	write("before", "b2", time.Now().Add(-time.Hour)) // written before it, and only handled now
	write("after", "a1", time.Time{})
	w.must(admin, commands.BlacklistCustomer{Customer: listed, Reason: "骚扰"})
	write("listed", "l1", time.Time{})
	called := w.must(agent, commands.RequestCallback{Customer: silent, Agent: "li"})
	w.say(agent, called.Session, "s1", "an agent's message is no reply")
	r := w.runner()
	replies := func() map[uuid.UUID]int {
		found := map[uuid.UUID]int{}
		for _, d := range w.log(0) {
			if _, ok := d.Payload.(automessage.Replied); ok {
				found[d.Customer]++
			}
		}
		return found
	}
	step(t, w.worker(r, replyName), true)
	write("after", "a2", time.Time{})
	write("before", "b3", time.Time{})
	for range 2 { // also as after a crash
		step(t, w.worker(r, replyName), true)
		if got := replies(); len(got) != 3 || got[before] != 1 || got[after] != 1 || got[listed] != 1 {
			t.Errorf("replies: %v; want one of each but %v", got, silent)
		}
		if _, err := w.store.Pool().Exec(t.Context(), `update policy_positions set position = 0 where policy = $1`, replyName); err != nil {
			t.Fatal(err)
		}
	}
	// Once their time is over, those who did not reply are forgotten.
	if _, err := w.store.Pool().Exec(t.Context(), `update policy_due set next_at = clock_timestamp() where policy = $1`, replyName); err != nil {
		t.Fatal(err)
	}
	step(t, w.worker(r, replyName), true)
	var left int
	if err := w.store.Pool().QueryRow(t.Context(), `select count(*) from policy_due where policy = $1`, replyName).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d are still waited for, %v", left, err)
	}
}

// plant makes many customers of association 1, in few appends.
func (w *world) plant(n int) []uuid.UUID {
	w.t.Helper()
	secret, err := w.store.Secret(w.t.Context(), tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	ids := make([]uuid.UUID, n)
	for from := 0; from < n; from += eventstore.MaxEvents {
		a := eventstore.Append{Tenant: tenant, ID: uuid.New(), Now: time.Now(), Actor: admin}
		for i := from; i < min(n, from+eventstore.MaxEvents); i++ {
			externalID := fmt.Sprint("planted-", i)
			ids[i] = customer.ID(secret, 1, domain.ChannelApp, externalID)
			a.NewCustomers = append(a.NewCustomers, eventstore.NewCustomer{ID: ids[i], Generation: 1})
			a.Streams = append(a.Streams, eventstore.StreamAppend{Stream: customer.Stream(ids[i]), Events: []eventstore.NewEvent{{
				Customer: ids[i],
				Payload: customer.Created{Association: 1, Channel: domain.ChannelApp, ExternalID: externalID, Profile: customer.Profile{Nickname: externalID},
					Via: customer.ViaAPI, Generation: 1},
			}}})
		}
		if _, err := w.store.Append(context.WithoutCancel(w.t.Context()), a); err != nil {
			w.t.Fatal(err)
		}
	}
	return ids
}
