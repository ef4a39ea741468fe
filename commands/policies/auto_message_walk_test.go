package policies

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain/automessage"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// walking is a walk of an auto message by hand, and by a clock of the test.
type walking struct {
	*walk
	w    *world
	id   uuid.UUID
	time time.Time
}

func (w *world) walking(id uuid.UUID) *walking {
	w.t.Helper()
	a := newAddresser(w.runner().config)
	walked := &walking{w: w, id: id, time: time.Now()}
	a.now = func() time.Time { return walked.time }
	walked.walk = newWalk(a, tenant, running{autoMessage: id, started: walked.time, position: w.head()})
	return walked
}

// until steps until the walk rests.
func (s *walking) until() time.Duration {
	s.w.t.Helper()
	all, _, err := s.catalogues.AutoMessages(s.w.t.Context(), tenant)
	if err != nil {
		s.w.t.Fatal(err)
	}
	m, _ := all.Find(s.id)
	for {
		rest, err := s.step(s.w.t.Context(), m)
		if err != nil {
			s.w.t.Fatal(err)
		}
		if rest > 0 {
			return rest
		}
	}
}

// byHand builds the read models, and returns what has one of them fold all there is: none does by itself.
func (w *world) byHand() (fold func(model string)) {
	w.t.Helper()
	if err := w.projector.EnsureBuilt(w.t.Context(), nil); err != nil {
		w.t.Fatal(err)
	}
	hands := map[string]*projector.Hand{}
	for _, d := range projections.Definitions() {
		p, err := projector.New(projector.Config{Store: w.store, Definitions: []projector.Definition{d}})
		if err != nil {
			w.t.Fatal(err)
		}
		hands[d.Name] = p.ByHand()
		w.t.Cleanup(hands[d.Name].Close)
	}
	return func(model string) {
		w.t.Helper()
		for more := true; more; {
			var err error
			if more, err = hands[model].Turn(w.t.Context(), tenant); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// Who left the audience before it was started does not get it, however far behind the customer list is.
func TestAudienceIsThatOfTheStart(t *testing.T) {
	w := newWorld(t)
	fold := w.byHand()
	vip := w.must(admin, commands.CreateTag{Name: "VIP"}).Tag
	stays, leaves := w.customer("stays"), w.customer("leaves")
	for _, c := range []uuid.UUID{stays, leaves} {
		w.must(admin, commands.TagCustomer{Customer: c, Tag: vip})
	}
	fold(projections.CustomersName)
	w.must(admin, commands.UntagCustomer{Customer: leaves, Tag: vip})
	id := w.campaign("vip", commands.Audience{Filter: json.RawMessage(`{"field":"tags","op":"has_any","value":["` + vip.String() + `"]}`)})
	fold(projections.AutoMessagesName)
	s := w.walking(id)
	if rest := s.until(); rest != catchUp || len(w.recipients(id)) != 0 {
		t.Errorf("a list that is behind was asked: rest %v, sent to %v", rest, w.recipients(id))
	}
	fold(projections.CustomersName)
	s.until()
	w.got(id, stays)
}

// Nobody is in a group before its members were found, and so who is not in it must not be told from that.
func TestAudienceOutsideOfAGroupThatIsBeingFilled(t *testing.T) {
	w := newWorld(t)
	fold := w.byHand()
	inside, outside := w.customer("inside"), w.customer("outside")
	w.rename(inside, "vip")
	for _, model := range []string{projections.CustomersName, projections.GroupsName, projections.AutoMessagesName} {
		fold(model)
	}
	group := w.group("VIP", `{"field":"name","op":"eq","value":"vip"}`)
	id := w.campaign("others", commands.Audience{Filter: json.RawMessage(`{"not":{"field":"groups","op":"has_any","value":["` + group.String() + `"]}}`)})
	fold(projections.CustomersName)
	fold(projections.AutoMessagesName)
	s := w.walking(id)
	if rest := s.until(); rest != catchUp || len(w.recipients(id)) != 0 {
		t.Errorf("asked who is not in a group that nobody is in yet: rest %v, sent to %v", rest, w.recipients(id))
	}
	fold(projections.GroupsName)
	build, err := w.projector.Live(t.Context(), projections.GroupsName)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(epoch string) {
		t.Helper()
		if _, err := w.store.Pool().Exec(t.Context(), `update `+build.Schema+`.group_rule set served = `+epoch); err != nil {
			t.Fatal(err)
		}
	}
	serve("0") // as while its members are being found for the first time
	if rest := s.until(); rest != catchUp || len(w.recipients(id)) != 0 {
		t.Errorf("asked who is not in a group that is being filled: rest %v, sent to %v", rest, w.recipients(id))
	}
	serve("epoch - 1") // as while a revision is filled: the members by the rule before are there, but they are those whom it may have been to keep out
	if rest := s.until(); rest != catchUp || len(w.recipients(id)) != 0 {
		t.Errorf("asked who is not in a group whose revision is being filled: rest %v, sent to %v", rest, w.recipients(id))
	}
	serve("epoch")
	s.until()
	w.got(id, outside)
}

// Who was found, and then waited for longer than that counts, is looked at again: the rate was lowered, or somebody else was at work.
func TestWhoWasFoundIsLookedAtAgain(t *testing.T) {
	w := newWorld(t)
	w.project()
	vip := w.must(admin, commands.CreateTag{Name: "VIP"}).Tag
	var people []uuid.UUID
	for i := range 5 {
		people = append(people, w.customer(fmt.Sprint("v", i)))
		w.must(admin, commands.TagCustomer{Customer: people[i], Tag: vip})
	}
	id := w.campaign("vip", commands.Audience{Filter: json.RawMessage(`{"field":"tags","op":"has_any","value":["` + vip.String() + `"]}`)})
	w.projected(projections.CustomersName)
	s := w.walking(id)
	s.tokens = 0
	if s.until(); len(s.found) != len(people) {
		t.Fatalf("found %d", len(s.found))
	}
	w.must(admin, commands.UntagCustomer{Customer: people[1], Tag: vip})
	slow := 1
	w.must(admin, commands.ChangeAutoMessage{AutoMessage: id, Rate: &slow})
	w.projected(projections.CustomersName)
	handing := w.worker(w.runner(), sendAutoName)
	for range 10 {
		s.time = s.time.Add(foundFor + time.Second)
		s.until()
		step(t, handing, false)
		w.projected(projections.AutoMessagesName)
	}
	w.got(id, people[0], people[2], people[3], people[4])
}

// While what was sent is not handed to the channels no more is sent: it would go out at once later, faster than the rate and after the stop.
func TestNoMoreIsSentThanIsHandedOver(t *testing.T) {
	w := newWorld(t)
	w.project()
	w.plant(300)
	id := w.must(admin, commands.DefineAutoMessage{Name: "all", Text: "x", Rate: 600, Audience: everybody}).AutoMessage
	w.must(admin, commands.StartAutoMessage{AutoMessage: id})
	w.projected(projections.CustomersName)
	s := w.walking(id)
	for range 60 {
		s.time = s.time.Add(time.Second)
		s.until()
	}
	held := len(w.recipients(id))
	if most := 600 / 60 * int((handedFor+burst)/time.Second+1); held == 0 || held > most {
		t.Errorf("%d were sent in a minute in which none went out, want at most %d", held, most)
	}
	step(t, w.worker(w.runner(), sendAutoName), false)
	s.time = s.time.Add(time.Second)
	if s.until(); len(w.recipients(id)) <= held {
		t.Error("nothing more is sent after the others went out")
	}
}

// One customer who cannot be read, and one auto message that cannot be gone on with, hold up no other.
func TestWhatIsBrokenHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	w.project()
	people := w.plant(20)
	broken := people[7]
	id := w.campaign("all", commands.Audience{Customers: people})
	unread := w.must(admin, commands.DefineAutoMessage{Name: "unread", Text: "x", Audience: everybody}).AutoMessage
	w.must(admin, commands.StartAutoMessage{AutoMessage: unread})
	// A filter that no command would let in.
	w.changed(automessage.Changed{AutoMessage: unread, Name: "unread", Text: "x", Rate: 600, Audience: automessage.Audience{Filter: json.RawMessage(`{"field":"shoe_size","op":"is_set"}`)}})
	w.projected(projections.CustomersName)
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := w.store.Pool().Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`create table kept as select position, data from events where tenant = $1 and customer = $2`, tenant, broken)
	exec(`update events set data = '[]' where tenant = $1 and customer = $2`, tenant, broken)
	r := w.runner()
	worker := w.worker(r, addressName)
	step(t, worker, false)
	w.until("the others do not get it", func() bool {
		// The one that is not understood comes first each time.
		exec(`update policy_due set next_at = clock_timestamp() - case key when $2 then interval '1 h' else interval '1 s' end where policy = $1`, addressName, unread.String())
		if _, err := worker.step(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		var sent int
		if err := w.store.Pool().QueryRow(t.Context(), `select count(*) from events where tenant = $1 and type = 'auto_message.sent'`, tenant).Scan(&sent); err != nil {
			t.Fatal(err)
		}
		return sent == len(people)-1
	})
	exec(`update events e set data = k.data from kept k where e.tenant = $1 and e.position = k.position`, tenant)
	if got := w.recipients(id); got[broken] != 0 {
		t.Errorf("sent to %v, who cannot be read", broken)
	}
}
