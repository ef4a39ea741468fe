package ingest

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain/automessage"
)

// What a channel reports of auto messages is recorded, once each and in any order; what it reports of other messages is no mistake.
func TestReportsOfAutoMessages(t *testing.T) {
	w := newWorld(t)
	must := func(cmd command) commands.Done {
		t.Helper()
		done, err := cmd.Run(t.Context(), w.center, commands.By{Tenant: tenant})
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	var people []uuid.UUID
	for i := range 6 {
		people = append(people, must(commands.CreateCustomer{Association: 1, ExternalID: fmt.Sprint("v", i)}).Customer)
	}
	id := must(commands.DefineAutoMessage{Name: "n", Text: "您好", Audience: commands.Audience{Customers: people}}).AutoMessage
	must(commands.StartAutoMessage{AutoMessage: id})
	must(commands.SendAutoMessage{AutoMessage: id, Customers: people})

	w.consume()
	want := map[uuid.UUID]int{}
	for i, c := range people {
		message := automessage.RecipientID(id, c, 1).String()
		for n, kind := range []string{"message.read", "message.delivered", "message.read", "message.delivered"} {
			if i%2 == n%2 || i > 3 {
				w.publish("1", event(kind, `{"external_id":"whoever","message":{"id":"`+message+`"}}`, map[string]any{"id": fmt.Sprintf("%d-%d", i, n)}))
				want[c] |= 1 << (n % 2)
			}
		}
		w.publish("2", event("message.read", `{"message":{"id":"`+message+`"}}`, map[string]any{"id": fmt.Sprint("another's ", i)})) // association 2 did not send it
	}
	for i, other := range []string{`{}`, `{"message":{}}`, `{"message":{"id":7}}`, `{"message":{"id":"m-1"}}`, `{"message":{"id":"` + uuid.NewSHA1(id, nil).String() + `"}}`} {
		w.publish("1", event("message.delivered", other, map[string]any{"id": fmt.Sprint("other ", i)}))
	}
	w.drained()
	got := map[uuid.UUID]int{}
	reports := 0
	for _, d := range w.log() {
		switch d.Payload.(type) {
		case automessage.Read:
			got[d.Customer] |= 1
			reports++
		case automessage.Delivered:
			got[d.Customer] |= 2
			reports++
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || reports != 4+2*2 {
		t.Errorf("recorded %d reports, %v; want %v", reports, got, want)
	}
	if dead := w.dead(); len(dead) != 0 {
		t.Errorf("dead letters: %+v", dead)
	}
}
