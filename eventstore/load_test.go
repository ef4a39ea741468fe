package eventstore_test

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
)

// history is n customers who begin, a minute apart, and whose profile changes an hour later, so that sealing needs a key of before.
func history(from time.Time, ids []uuid.UUID) iter.Seq[eventstore.Past] {
	return func(yield func(eventstore.Past) bool) {
		for round := range 2 {
			for i, id := range ids {
				at := from.Add(time.Duration(round)*time.Duration(len(ids))*time.Minute + time.Duration(i)*time.Minute)
				a := eventstore.Append{ID: uuid.New(), Now: at, Actor: eventstore.Actor{Kind: "system", ID: "test"}}
				var payload any = customer.Created{Association: 1, Channel: "app", ExternalID: fmt.Sprint("id-", i), Profile: customer.Profile{Name: "王芳"}, Via: customer.ViaAPI, Generation: 1}
				if round == 0 {
					a.NewCustomers = []eventstore.NewCustomer{{ID: id, Generation: 1}}
				} else {
					payload = customer.ProfileChanged{Fields: map[string]customer.Change{"name": {Old: "王芳", New: "李娜"}}}
				}
				a.Streams = []eventstore.StreamAppend{{Stream: customer.Stream(id), Version: int64(round),
					Events: []eventstore.NewEvent{{Payload: payload, Customer: id, OccurredAt: at.Add(-time.Second)}}}}
				if !yield(eventstore.Past{Append: a, At: at}) {
					return
				}
			}
		}
	}
}

// What was loaded reads as what was appended, by a store that has not seen the keys before too, and the log goes on behind it.
func TestLoadIsAHistory(t *testing.T) {
	pool := eventstoretest.Pool(t)
	store := eventstoretest.On(t, pool, codec(), "acme")
	ids := make([]uuid.UUID, 25_000) // more than a chunk
	for i := range ids {
		ids[i] = uuid.New()
	}
	from := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	var heads []int64
	if err := store.Load(t.Context(), "acme", history(from, ids), func(head int64) { heads = append(heads, head) }); err != nil {
		t.Fatal(err)
	}
	if last := heads[len(heads)-1]; last != 50_000 || len(heads) < 2 || !slices.IsSorted(heads) {
		t.Errorf("progress was %v", heads)
	}
	log := checkLog(t, store, "acme")
	if len(log) != 50_000 || !log[0].RecordedAt.Equal(from) || !log[25_001].RecordedAt.Equal(from.Add(25_001*time.Minute)) {
		t.Fatalf("%d events, from %s", len(log), log[0].RecordedAt)
	}
	decoded, err := eventstoretest.On(t, pool, codec()).Open(t.Context(), []eventstore.Event{log[7], log[25_007]})
	if err != nil {
		t.Fatal(err)
	}
	if created := decoded[0].Payload.(customer.Created); created.ExternalID != "id-7" || created.Profile.Name != "王芳" ||
		!decoded[0].OccurredAt().Equal(from.Add(7*time.Minute-time.Second)) || log[7].Customer != ids[7] {
		t.Errorf("created as %+v", decoded[0])
	}
	want := customer.ProfileChanged{Fields: map[string]customer.Change{"name": {Old: "王芳", New: "李娜"}}}
	if !reflect.DeepEqual(decoded[1].Payload, want) || decoded[1].Version != 2 {
		t.Errorf("changed as %+v", decoded[1])
	}
	if _, err := store.Append(t.Context(), one("acme", "tags", 0, 1)); err != nil {
		t.Fatal(err)
	}
	if err := store.Load(t.Context(), "acme", history(from, []uuid.UUID{uuid.New()}), nil); !errors.Is(err, eventstore.ErrHistory) {
		t.Errorf("a history from before the log's end gives %v", err)
	}
	if head, err := store.Head(t.Context(), "acme"); err != nil || head != 50_001 {
		t.Errorf("the head is %d, %v", head, err)
	}
}
