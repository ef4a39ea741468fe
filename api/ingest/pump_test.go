package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/commands"
	"customercenter/eventstore"
	"customercenter/eventstore/keyring"
)

func TestPassing(t *testing.T) {
	for err, want := range map[error]bool{
		eventstore.ErrUnavailable: true, eventstore.ErrClocks: true, commands.ErrBusy: true, context.Canceled: true, context.DeadlineExceeded: true,
		eventstore.ErrUnknownType: false, eventstore.ErrUnknownTenant: false, keyring.ErrBroken: false, keyring.ErrMaster: false, errPanicked: false,
	} {
		if got := passing(fmt.Errorf("somewhere: %w", err)); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}

// An event whose reader ends while it is handled is not put aside for the reason why it ended.
func TestWhatIsInterruptedPasses(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	unknown := func() error { return fmt.Errorf("outcome unknown: %w", context.Cause(ctx)) }
	if err := interrupted(ctx, errMissed); passing(err) {
		t.Errorf("nothing has ended, and %v passes", err)
	}
	cancel(errMissed)
	if err := interrupted(ctx, unknown()); !passing(err) || !errors.Is(err, errMissed) {
		t.Errorf("%v does not pass, or does not say why", err)
	}
}

// What does not pass must not stop the reader: the event is tried a few times and put aside, and those of others go on.
func TestALookupThatFailsForGoodHoldsUpNobody(t *testing.T) {
	w := newWorld(t)
	// Another tenant whose association is in the same part of the queue, and whose secret was wrapped with a master key that is lost.
	const other = "broken"
	if err := w.store.CreateTenant(t.Context(), other, other); err != nil {
		t.Fatal(err)
	}
	if _, err := (commands.RegisterAssociation{Channel: "app", Account: "org#shop", Name: "app"}).Run(t.Context(), w.center, commands.By{Tenant: other}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.pool.Exec(t.Context(), `update tenants set master = 'lost' where slug = $1`, other); err != nil {
		t.Fatal(err)
	}
	master, err := keyring.NewMaster([]byte("an all too well known master key"))
	if err != nil {
		t.Fatal(err)
	}
	store := eventstore.New(w.pool, codec, keyring.New(w.pool, master)) // one that does not remember the secret
	w.handler = NewHandler(commands.NewCenter(store, time.Now, newID))
	if _, err := w.handler.center.CustomerID(t.Context(), other, 1, "x"); !errors.Is(err, keyring.ErrMaster) {
		t.Fatalf("the tenant is not broken: %v", err)
	}
	if _, err := w.js.Publish(t.Context(), Subject(other, 1), []byte(numbered("message.received", 1, received))); err != nil {
		t.Fatal(err)
	}
	w.consume()
	for association := range 4 {
		w.publish(fmt.Sprint(association+1), numbered("message.received", 2, received))
	}
	w.drained()
	letters, err := NewDeadLetters(w.conn)
	if err != nil {
		t.Fatal(err)
	}
	if dead, err := letters.List(t.Context(), "", 0, 10); err != nil || len(dead) != 1 || dead[0].Tenant != other || dead[0].Code != codeFailed {
		t.Errorf("dead letters %v, %v", dead, err)
	}
}

// queued puts events into the queue and reads them out of it as a pump does.
func (w *world) queued(messages ...*nats.Msg) []*item {
	w.t.Helper()
	for _, msg := range messages {
		if _, err := w.js.PublishMsg(w.t.Context(), msg); err != nil {
			w.t.Fatal(err)
		}
	}
	consumer, err := w.js.CreateConsumer(w.t.Context(), StreamIn, jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		w.t.Fatal(err)
	}
	batch, err := consumer.Fetch(len(messages), jetstream.FetchMaxWait(time.Minute))
	if err != nil {
		w.t.Fatal(err)
	}
	var items []*item
	for msg := range batch.Messages() {
		it, err := newItem(msg)
		if err != nil {
			w.t.Fatal(err)
		}
		items = append(items, it)
	}
	if batch.Error() != nil || len(items) != len(messages) {
		w.t.Fatalf("%d of %d events came: %v", len(items), len(messages), batch.Error())
	}
	return items
}

// While an association is not known, its customers' events have an order all the same, which lasts when it becomes known.
func TestLanesBeforeTheAssociationIsKnown(t *testing.T) {
	w := newWorld(t)
	p := &pump{subscriber: &subscriber{handler: w.handler, trouble: &trouble{}}, lanes: map[string][]*item{}}
	message := func(n int, externalID string) *nats.Msg {
		return &nats.Msg{Subject: Subject(tenant, 5), Data: []byte(numbered("message.received", n, strings.Replace(received, `"x"`, `"`+externalID+`"`, 1)))}
	}
	items := w.queued(message(1, "wang"), message(2, "WANG"), message(3, "li"), message(4, "wang"), message(5, "Li"), message(6, "no such id!"))
	lane := func(n int) string {
		t.Helper()
		name, err := p.laneOf(t.Context(), items[n-1])
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	before := lane(1)
	if lane(2) != before {
		t.Error("two events of one customer are in two lanes")
	}
	if lane(3) == before {
		t.Error("two customers are in one lane")
	}
	p.lanes[before] = nil // the first is being handled
	if _, err := (commands.RegisterAssociation{Channel: "app", Account: "org#new", Name: "n"}).Run(t.Context(), w.center, commands.By{Tenant: tenant}); err != nil {
		t.Fatal(err)
	}
	if lane(4) != before {
		t.Error("an event overtakes what came before its association was known")
	}
	customer, err := w.center.CustomerID(t.Context(), tenant, 5, "li")
	if err != nil {
		t.Fatal(err)
	}
	if got := lane(5); got != tenant+"/"+customer.String() {
		t.Errorf("an event that nothing is before is in the lane %s", got)
	}
	delete(p.lanes, before)
	if lane(4) == before {
		t.Error("the customer's own lane is not used")
	}
	if got := lane(6); !strings.HasPrefix(got, "#") {
		t.Errorf("an event of nobody is in the lane %s", got)
	}
}

// A channel cannot make an event that was refused be judged anew, which is for operators.
func TestOnlyResendCounts(t *testing.T) {
	w := newWorld(t)
	body := []byte(numbered("message.received", 1, received))
	message := func(resent, id string) *nats.Msg {
		msg := nats.NewMsg(Subject(tenant, 5))
		msg.Data = body
		msg.Header.Set(headerResent, resent)
		if id != "" {
			msg.Header.Set(jetstream.MsgIDHeader, id)
		}
		return msg
	}
	for i, it := range w.queued(message("7", ""), message("7", "e-1"), message("7", "dead/"), message("7", "dead/1"), message("7", "dead/x/y")) {
		if it.arrival.Resent != 0 {
			t.Errorf("message %d counts as sent again %d times", i, it.arrival.Resent)
		}
	}
	id := resendID(3, time.Now())
	if !isResendID(id) {
		t.Errorf("%s is not known again", id)
	}
}
