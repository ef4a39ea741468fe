package eventstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"customercenter/domain/catalog"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/eventstore/keyring"
	"customercenter/internal/pgtest"
)

func codec() *eventstore.Codec { return eventstore.NewCodec(catalog.Events()...) }

// one is an append of n unsealed events to one stream.
func one(tenant, stream string, version int64, n int) eventstore.Append {
	a := eventstore.Append{Tenant: tenant, ID: uuid.New(), Now: time.Now(), Actor: eventstore.Actor{Kind: "system", ID: "test"}}
	events := make([]eventstore.NewEvent, n)
	for i := range events {
		events[i] = eventstore.NewEvent{Payload: tag.Created{Tag: uuid.New(), Name: "vip"}}
	}
	a.Streams = []eventstore.StreamAppend{{Stream: stream, Version: version, Events: events}}
	return a
}

// checkLog fails unless positions are dense, stream versions without holes, and time never runs backwards. It returns the log.
func checkLog(t *testing.T, s *eventstore.Store, tenant string) []eventstore.Event {
	t.Helper()
	events, err := s.ReadLog(t.Context(), tenant, 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]int64{}
	last := time.Time{}
	for i, e := range events {
		if e.Position != int64(i)+1 {
			t.Fatalf("position %d stands at place %d", e.Position, i+1)
		}
		if e.Version != versions[e.Stream]+1 {
			t.Fatalf("stream %s goes from version %d to %d", e.Stream, versions[e.Stream], e.Version)
		}
		versions[e.Stream] = e.Version
		if e.RecordedAt.Before(last) {
			t.Fatalf("recorded_at runs backwards at %d", e.Position)
		}
		last = e.RecordedAt
	}
	return events
}

func TestAppendAnswersWithPositionsAndStoresWhatWasGiven(t *testing.T) {
	s := eventstoretest.Store(t, codec(), "acme")
	ctx := t.Context()
	c, sid := uuid.New(), uuid.New()
	at := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	created := customer.Created{Association: 1, Channel: "app", ExternalID: "wang.fang", Profile: customer.Profile{Nickname: "王芳", Phone: "13800138000"}, Via: "inbound", Generation: 1}
	message := session.MessageRecorded{Message: "m1", Sender: session.Sender{Kind: "customer"}, Kind: "text", Text: "你好"}
	r, err := s.Append(ctx, eventstore.Append{Tenant: "acme", ID: uuid.New(), Now: time.Now(), Actor: eventstore.Actor{Kind: "channel", ID: "1"}, Cause: "ce-1", Correlation: "r-1",
		NewCustomers: []eventstore.NewCustomer{{ID: c, Generation: 1}},
		Streams: []eventstore.StreamAppend{
			{Stream: customer.Stream(c), Events: []eventstore.NewEvent{{Payload: created, Customer: c, OccurredAt: at}}},
			{Stream: session.Stream(sid), Events: []eventstore.NewEvent{{Payload: message, Customer: c, OccurredAt: at}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if r.First != 1 || r.Last != 2 {
		t.Errorf("positions %d to %d", r.First, r.Last)
	}
	raw := checkLog(t, s, "acme")
	for _, e := range raw {
		for _, secret := range []string{"王芳", "13800138000", "你好", "wang.fang"} {
			if bytes.Contains(e.Data, []byte(secret)) || bytes.Contains(e.Meta, []byte(secret)) {
				t.Errorf("%s is stored in the clear at %d", secret, e.Position)
			}
		}
	}
	// another process has nothing cached
	other := eventstoretest.On(t, s.Pool(), codec())
	decoded, err := other.Open(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if decoded[1].Payload != message || fmt.Sprint(decoded[0].Payload) != fmt.Sprint(created) {
		t.Errorf("read back %+v and %+v", decoded[0].Payload, decoded[1].Payload)
	}
	if env := decoded[0].Envelope; env.Actor.ID != "1" || env.Cause != "ce-1" || env.Correlation != "r-1" || !decoded[0].OccurredAt().Equal(at) {
		t.Errorf("envelope %+v", env)
	}
	if decoded[0].Customer != c || decoded[0].RecordedAt.Location() != time.UTC {
		t.Errorf("customer %s, zone %s", decoded[0].Customer, decoded[0].RecordedAt.Location())
	}
}

func TestConflictsAreNamedAndChangeNothing(t *testing.T) {
	s := eventstoretest.Store(t, codec(), "acme")
	ctx := t.Context()
	if _, err := s.Append(ctx, one("acme", "a", 0, 3)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ expected, actual int64 }{{0, 3}, {2, 3}, {4, 3}} {
		_, err := s.Append(ctx, one("acme", "a", c.expected, 1))
		var conflict *eventstore.ConflictError
		if !errors.As(err, &conflict) || *conflict != (eventstore.ConflictError{Stream: "a", Expected: c.expected, Actual: c.actual}) {
			t.Errorf("expecting %d: %v", c.expected, err)
		}
	}
	two := one("acme", "b", 0, 1) // all or nothing
	two.Streams = append(two.Streams, eventstore.StreamAppend{Stream: "a", Version: 1, Events: two.Streams[0].Events})
	if _, err := s.Append(ctx, two); err == nil {
		t.Error("one stream of two was wrong, and the append went through")
	}
	guarded := one("acme", "b", 0, 1)
	guarded.Guards = []eventstore.Guard{{Stream: "a", Version: 2}}
	var conflict *eventstore.ConflictError
	if _, err := s.Append(ctx, guarded); !errors.As(err, &conflict) || conflict.Stream != "a" || conflict.Actual != 3 || conflict.Expected != 2 {
		t.Errorf("guard: %v", err)
	}
	guarded.Guards[0].Version = 3
	if _, err := s.Append(ctx, guarded); err != nil {
		t.Error(err)
	}
	if n := len(checkLog(t, s, "acme")); n != 4 {
		t.Errorf("%d events", n)
	}
}

func TestTheSameAppendIsWrittenOnce(t *testing.T) {
	s := eventstoretest.Store(t, codec(), "acme")
	ctx := t.Context()
	if _, err := s.Append(ctx, one("acme", "z", 0, 1)); err != nil {
		t.Fatal(err)
	}
	lone := one("acme", "a", 0, 1)
	withReceipt := one("acme", "b", 0, 2)
	withReceipt.Receipt = &eventstore.Receipt{Actor: "x", Route: "r", Key: "k", Body: []byte{1}, Answer: "{}", Expires: time.Now().Add(time.Hour)}
	onlyReceipt := eventstore.Append{Tenant: "acme", ID: uuid.New(), Now: time.Now(), Receipt: &eventstore.Receipt{Actor: "x", Route: "r", Key: "k2", Answer: "{}", Expires: time.Now().Add(time.Hour)}}
	several := one("acme", "c", 0, 2)
	for _, stream := range []string{"d", "e"} {
		several.Streams = append(several.Streams, one("acme", stream, 0, 3).Streams...)
	}
	for _, a := range []eventstore.Append{lone, withReceipt, onlyReceipt, several} {
		first, err := s.Append(ctx, a)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.Append(ctx, a)
		if err != nil || again.First != first.First || again.Last != first.Last || len(a.Streams) > 0 && !again.RecordedAt.Equal(first.RecordedAt) {
			t.Errorf("first %+v, again %+v %v", first, again, err)
		}
	}
	if n := len(checkLog(t, s, "acme")); n != 12 {
		t.Errorf("%d events", n)
	}
}

// What is answered without an event has the position that its receipt remembers, whoever's events were in the same call.
func TestAnAnswerWithoutEventsHasThePositionOfItsReceipt(t *testing.T) {
	s := eventstoretest.Store(t, codec(), "acme")
	ctx := t.Context()
	answers := make([]eventstore.Result, 64)
	empty := func(i int) eventstore.Append {
		return eventstore.Append{Tenant: "acme", ID: uuid.New(), Now: time.Now(), Receipt: &eventstore.Receipt{Actor: "x", Route: "r", Key: fmt.Sprint(i), Answer: "{}", Expires: time.Now().Add(time.Hour)}}
	}
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			if _, err := s.Append(ctx, one("acme", fmt.Sprint("s", i), 0, 3)); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			var err error
			if answers[i], err = s.Append(ctx, empty(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, first := range answers {
		var again *eventstore.RepeatedError
		if _, err := s.Append(ctx, empty(i)); !errors.As(err, &again) || again.Position != first.Last || first.First != first.Last {
			t.Errorf("answered %+v, its receipt says %+v", first, again)
		}
	}
}

func TestTheSameAppendAgainDoesNotReplaceTheCustomersKey(t *testing.T) {
	s := eventstoretest.Store(t, codec(), "acme")
	ctx := t.Context()
	c := uuid.New()
	a := eventstore.Append{Tenant: "acme", ID: uuid.New(), Now: time.Now(), NewCustomers: []eventstore.NewCustomer{{ID: c, Generation: 1}},
		Streams: []eventstore.StreamAppend{{Stream: customer.Stream(c), Events: []eventstore.NewEvent{{Customer: c, Payload: customer.Created{ExternalID: "x"}}}}}}
	for range 2 {
		if _, err := s.Append(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	message := eventstore.Append{Tenant: "acme", ID: uuid.New(), Now: time.Now(),
		Streams: []eventstore.StreamAppend{{Stream: "session-1", Events: []eventstore.NewEvent{{Customer: c, Payload: session.MessageRecorded{Text: "你好"}}}}}}
	if _, err := s.Append(ctx, message); err != nil {
		t.Fatal(err)
	}
	events, err := s.ReadLog(ctx, "acme", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for name, reader := range map[string]*eventstore.Store{"this process": s, "another": eventstoretest.On(t, s.Pool(), codec())} {
		decoded, err := reader.Open(ctx, events)
		if err != nil || decoded[1].Payload.(session.MessageRecorded).Text != "你好" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnotherProcessSeesTheNextGenerationOfACustomersKey(t *testing.T) {
	a := eventstoretest.Store(t, codec(), "acme")
	b := eventstoretest.On(t, a.Pool(), codec())
	ctx := t.Context()
	c := uuid.New()
	for generation := 1; generation <= 2; generation++ {
		_, err := a.Append(ctx, eventstore.Append{Tenant: "acme", ID: uuid.New(), Now: time.Now(), NewCustomers: []eventstore.NewCustomer{{ID: c, Generation: generation}},
			Streams: []eventstore.StreamAppend{{Stream: customer.Stream(c), Version: int64(generation - 1),
				Events: []eventstore.NewEvent{{Customer: c, Payload: customer.Created{ExternalID: "x", Generation: generation}}}}}})
		if err != nil {
			t.Fatal(err)
		}
		events, err := b.ReadLog(ctx, "acme", 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := b.Open(ctx, events)
		if err != nil {
			t.Fatal(err)
		}
		if last := decoded[generation-1]; last.Erased || last.Payload.(customer.Created).ExternalID != "x" {
			t.Errorf("generation %d reads as erased", generation)
		}
	}
	if _, err := a.Pool().Exec(ctx, `delete from customer_keys where generation = 1`); err != nil {
		t.Fatal(err)
	}
	fresh := eventstoretest.On(t, a.Pool(), codec())
	events, err := fresh.ReadLog(ctx, "acme", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := fresh.Open(ctx, events)
	if err != nil || !decoded[0].Erased || decoded[1].Erased {
		t.Errorf("after the first life's key is gone: %v %v %v", decoded[0].Erased, decoded[1].Erased, err)
	}
	failed, err := fresh.Reveal(ctx, events, false)
	if failed != nil || err != nil || bytes.Contains(events[0].Data, []byte("external_id")) || !bytes.Contains(events[1].Data, []byte(`"external_id":"x"`)) {
		t.Errorf("revealed %s and %s %v %v", events[0].Data, events[1].Data, failed, err)
	}
}

// A refused append must not leave its deadline on a connection that others use next.
func TestARefusedAppendLeavesNoDeadlineBehind(t *testing.T) {
	pool := eventstoretest.Pool(t)
	s := eventstore.New(pool, codec(), eventstoretest.Keys(t, pool), eventstore.WithPatience(300*time.Millisecond))
	if _, err := s.Append(t.Context(), one("nobody", "a", 0, 1)); !errors.Is(err, eventstore.ErrUnknownTenant) {
		t.Fatal(err)
	}
	for until := time.Now().Add(600 * time.Millisecond); time.Now().Before(until); time.Sleep(10 * time.Millisecond) { // busy, so that the pool does not ping
		if _, err := s.Head(t.Context(), "nobody"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAReceiptAnswersTheRequestThatCameAgain(t *testing.T) {
	s := eventstoretest.Store(t, codec(), "acme", "other")
	ctx := t.Context()
	a := one("acme", "a", 0, 2)
	a.Receipt = &eventstore.Receipt{Actor: "token-1", Route: "POST /x", Key: "k", Body: []byte("hash"), Answer: `{"id":1}`, Expires: time.Now().Add(time.Hour)}
	if _, err := s.Append(ctx, a); err != nil {
		t.Fatal(err)
	}
	again := one("acme", "a", 2, 1)
	again.Receipt = a.Receipt
	_, err := s.Append(ctx, again)
	var repeated *eventstore.RepeatedError
	if !errors.As(err, &repeated) || repeated.Answer != `{"id":1}` || string(repeated.Body) != "hash" || repeated.Position != 2 {
		t.Fatalf("%v", err)
	}
	for name, change := range map[string]func(r *eventstore.Receipt){
		"actor": func(r *eventstore.Receipt) { r.Actor = "token-2" }, "route": func(r *eventstore.Receipt) { r.Route = "y" }, "key": func(r *eventstore.Receipt) { r.Key = "k2" },
	} {
		r := *a.Receipt
		change(&r)
		b := one("acme", "b-"+name, 0, 1)
		b.Receipt = &r
		if _, err := s.Append(ctx, b); err != nil {
			t.Errorf("another %s: %v", name, err)
		}
	}
	foreign := one("other", "a", 0, 1)
	foreign.Receipt = a.Receipt
	if _, err := s.Append(ctx, foreign); err != nil {
		t.Errorf("another tenant: %v", err)
	}
	if _, err := s.Pool().Exec(ctx, `update receipts set expires_at = now() - interval '1 second' where tenant = 'acme'`); err != nil {
		t.Fatal(err)
	}
	if n, err := s.ForgetReceipts(ctx); err != nil || n != 4 {
		t.Errorf("forgot %d %v", n, err)
	}
}

// Many writers, few streams, some stale, some receipts twice: every verdict must be right whatever the batches look like.
func TestEveryAppendOfABatchGetsItsOwnVerdict(t *testing.T) {
	s := eventstoretest.Store(t, codec(), "acme")
	ctx := t.Context()
	var accepted, repeated, conflicts atomic.Int64
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range 40 {
				stream := fmt.Sprintf("s%d", r.IntN(12))
				events, err := s.ReadStream(ctx, "acme", stream, 0, 10000)
				if err != nil {
					t.Error(err)
					return
				}
				n := 1 + r.IntN(3)
				a := one("acme", stream, int64(len(events)), n)
				if r.IntN(3) == 0 {
					a.Receipt = &eventstore.Receipt{Actor: "x", Route: "r", Key: fmt.Sprint("key-", r.IntN(200)), Answer: fmt.Sprint(w, i), Expires: time.Now().Add(time.Hour)}
				}
				res, err := s.Append(ctx, a)
				var conflict *eventstore.ConflictError
				var again *eventstore.RepeatedError
				switch {
				case err == nil:
					accepted.Add(int64(n))
					got, err := s.ReadLog(ctx, "acme", res.First-1, n)
					if err != nil || len(got) != n || got[0].Stream != stream || got[0].Version != int64(len(events))+1 || got[n-1].Position != res.Last {
						t.Errorf("the verdict said %d to %d, the log says %+v %v", res.First, res.Last, got, err)
					}
				case errors.As(err, &conflict):
					conflicts.Add(1)
					if conflict.Stream != stream || conflict.Actual <= int64(len(events)) {
						t.Errorf("conflict %+v after reading version %d", conflict, len(events))
					}
				case errors.As(err, &again):
					repeated.Add(1)
					if again.Answer == a.Receipt.Answer {
						t.Error("a receipt of its own came back as somebody else's")
					}
				default:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := int64(len(checkLog(t, s, "acme"))); n != accepted.Load() {
		t.Errorf("%d events in the log, %d acknowledged", n, accepted.Load())
	}
	if conflicts.Load() == 0 || repeated.Load() == 0 {
		t.Errorf("the test met %d conflicts and %d receipts: it proves nothing", conflicts.Load(), repeated.Load())
	}
	var n int64
	if err := s.Pool().QueryRow(ctx, `select count(*) from receipts r where not exists
		(select from events e where e.position = r.position and (e.meta->>'append')::uuid = r.append)`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d receipts point at somebody else's position %v", n, err)
	}
}

func TestAnImpossibleAppendDoesNotTakeOthersWithIt(t *testing.T) {
	s := eventstoretest.Store(t, codec(), "acme")
	var wg sync.WaitGroup
	var refused atomic.Int64
	for i := range 60 {
		wg.Go(func() {
			a := one("acme", fmt.Sprint("s", i), 0, 1)
			if i%20 == 0 {
				a.Correlation = "nul \x00 byte" // the door refuses this; the database would, too
				a.Streams[0].Stream += "\x00"
			}
			_, err := s.Append(t.Context(), a)
			if (err != nil) != (i%20 == 0) {
				t.Errorf("%d: %v", i, err)
			}
			if err != nil {
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	if n := len(checkLog(t, s, "acme")); n != 57 || refused.Load() != 3 {
		t.Errorf("%d events, %d refused", n, refused.Load())
	}
}

func TestWrongAppendsAreRefusedInWords(t *testing.T) {
	s := eventstoretest.Store(t, codec(), "acme")
	ctx := t.Context()
	late := one("acme", "a", 0, 1)
	if _, err := s.Append(ctx, one("nobody", "a", 0, 1)); !errors.Is(err, eventstore.ErrUnknownTenant) {
		t.Errorf("unknown tenant: %v", err)
	}
	if _, err := s.Append(ctx, one("acme", "a", 0, eventstore.MaxEvents+1)); !errors.Is(err, eventstore.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	late.ID = uuid.Nil
	if _, err := s.Append(ctx, late); err == nil {
		t.Error("an append without an id went through")
	}
	sealed := one("acme", "a", 0, 1)
	sealed.Streams[0].Events[0] = eventstore.NewEvent{Payload: session.MessageRecorded{Text: "x"}, Customer: uuid.New()}
	if _, err := s.Append(ctx, sealed); !errors.Is(err, keyring.ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
	for _, skew := range []string{"-2 minutes", "2 minutes"} {
		_, err := s.Pool().Exec(ctx, `select append_events('acme', now() + $1::interval, '{}', null, null, null, null, null, null, null, null, null, null, null,
			null, null, null, null, null, null, null, null, null, null, null, null, null)`, skew)
		if err == nil {
			t.Errorf("a clock %s off was accepted", skew)
		}
	}
	if n := len(checkLog(t, s, "acme")); n != 0 {
		t.Errorf("%d events", n)
	}
}

func TestReadingFindsRangesStreamsAndInstants(t *testing.T) {
	s := eventstoretest.Store(t, codec(), "acme", "empty")
	ctx := t.Context()
	var marks []time.Time
	for i := range 5 {
		for _, stream := range []string{"a", "b"} {
			r, err := s.Append(ctx, one("acme", stream, int64(i), 1))
			if err != nil {
				t.Fatal(err)
			}
			marks = append(marks, r.RecordedAt)
		}
	}
	page, err := s.ReadLog(ctx, "acme", 3, 4)
	if err != nil || len(page) != 4 || page[0].Position != 4 || page[3].Position != 7 {
		t.Errorf("range: %v %v", page, err)
	}
	tail, err := s.ReadStream(ctx, "acme", "b", 3, 10)
	if err != nil || len(tail) != 2 || tail[0].Version != 4 {
		t.Errorf("stream: %v %v", tail, err)
	}
	both, err := s.ReadStreams(ctx, "acme", []string{"b", "nothing", "a"}, []int64{4, 0, 3})
	if err != nil || len(both) != 3 || both[0].Stream != "a" || both[2].Stream != "b" {
		t.Errorf("streams: %v %v", both, err)
	}
	for i, at := range marks {
		if p, err := s.PositionAt(ctx, "acme", at); err != nil || p < int64(i)+1 || (i+1 < len(marks) && marks[i+1].After(at) && p != int64(i)+1) {
			t.Errorf("position at mark %d: %d %v", i, p, err)
		}
	}
	if p, _ := s.PositionAt(ctx, "acme", marks[0].Add(-time.Second)); p != 0 {
		t.Errorf("before the beginning: %d", p)
	}
	head, at, err := s.Watermark(ctx, "acme")
	if err != nil || head != 10 || at.Before(marks[9]) {
		t.Errorf("watermark %d %s %v", head, at, err)
	}
	if head, _, err := s.Watermark(ctx, "empty"); err != nil || head != 0 {
		t.Errorf("empty watermark %d %v", head, err)
	}
	if failed, err := s.Reveal(ctx, page, true); failed != nil || err != nil {
		t.Errorf("reveal: %v %v", failed, err)
	}
}

// Only what is heard is sent, of the next so many positions, and how far they go.
func TestReadingWhatIsHeard(t *testing.T) {
	s := eventstoretest.Store(t, codec(), "acme", "empty")
	a := one("acme", "a", 0, 10)
	for i, e := range []any{tag.Renamed{}, tag.Deleted{}} {
		a.Streams[0].Events[3+4*i].Payload = e // positions 4 and 8
	}
	if _, err := s.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	rare := []string{tag.Renamed{}.EventType(), tag.Deleted{}.EventType()}
	for _, c := range []struct {
		tenant string
		after  int64
		limit  int
		types  []string
		heard  []int64
		last   int64
	}{
		{"acme", 0, 100, rare, []int64{4, 8}, 10}, {"acme", 0, 5, rare, []int64{4}, 5}, {"acme", 4, 3, rare, nil, 7}, {"acme", 7, 1, rare, []int64{8}, 8},
		{"acme", 8, 100, rare, nil, 10}, {"acme", 10, 100, rare, nil, 10}, {"acme", 99, 100, rare, nil, 99}, {"acme", 0, 100, nil, nil, 10}, {"empty", 0, 100, rare, nil, 0},
	} {
		heard, last, err := s.ReadHeard(t.Context(), c.tenant, c.after, c.limit, c.types)
		var positions []int64
		for _, e := range heard {
			positions = append(positions, e.Position)
			if len(e.Data) == 0 || e.Stream != "a" || e.Type == (tag.Created{}).EventType() {
				t.Errorf("%+v", e)
			}
		}
		if err != nil || last != c.last || !slices.Equal(positions, c.heard) {
			t.Errorf("after %d, %d positions: heard %v up to %d, want %v up to %d; %v", c.after, c.limit, positions, last, c.heard, c.last, err)
		}
	}
}

// A server that is stopped at once and started again in the middle of many appends: what was acknowledged is there once, what was
// not may be there once, and nothing else is.
func TestNoAcknowledgedAppendIsLostWhenTheServerIsKilled(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // after the cluster and the pool are gone
	cluster := pgtest.NewCluster(t, true)
	pool, err := eventstore.Connect(t.Context(), cluster.DSN("postgres"), 8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := eventstore.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	s := eventstore.New(pool, codec(), eventstoretest.Keys(t, pool), eventstore.WithPatience(20*time.Second))
	if err := s.CreateTenant(t.Context(), "acme", "Acme"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var acknowledged sync.Map
	var count atomic.Int64
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			stream := fmt.Sprint("s", w)
			for version := int64(0); ctx.Err() == nil; version++ {
				a := one("acme", stream, version, 1)
				r, err := s.Append(context.Background(), a)
				if err != nil {
					t.Errorf("stream %s version %d: %v", stream, version, err)
					return
				}
				acknowledged.Store(r.First, stream)
				count.Add(1)
			}
		})
	}
	more := func(n int64) {
		for target := count.Load() + n; count.Load() < target && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
	}
	for range 3 {
		more(300)
		if err := errors.Join(cluster.Crash(), cluster.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	more(300)
	cancel()
	wg.Wait()
	events := checkLog(t, s, "acme")
	if int64(len(events)) != count.Load() {
		t.Errorf("%d events in the log, %d acknowledged", len(events), count.Load())
	}
	for _, e := range events {
		if stream, ok := acknowledged.Load(e.Position); !ok || stream != e.Stream {
			t.Fatalf("position %d holds %s, acknowledged was %v", e.Position, e.Stream, stream)
		}
	}
}

func TestSeveralProcessesMigrateAtOnce(t *testing.T) {
	dsn := pgtest.DSN(t, pgtest.Template{Name: "empty"})
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			pool, err := eventstore.Connect(t.Context(), dsn, 4)
			if err != nil {
				t.Error(err)
				return
			}
			defer pool.Close()
			if err := eventstore.Migrate(t.Context(), pool); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
