package eventstore_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
)

func TestReadAcrossGoesThroughStreamsBothWays(t *testing.T) {
	s := eventstoretest.Store(t, codec(), "acme", "other")
	for _, stream := range []string{"a", "b", "c"} {
		first, second := one("acme", stream, 0, 4), one("acme", stream, 4, 1)
		second.Streams[0].Events = []eventstore.NewEvent{{Payload: tag.Deleted{Tag: uuid.New()}}}
		foreign := one("other", stream, 0, 2)
		for _, a := range []eventstore.Append{first, second, foreign} {
			a.Now = time.Now()
			if _, err := s.Append(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
	}
	created, all := []string{"tag.created"}, []string{"tag.created", "tag.deleted"}
	for _, c := range []struct {
		name    string
		streams []string
		from    []int64
		types   []string
		to      int64
		back    bool
		limit   int
		want    string
	}{
		{"forward", []string{"b", "a"}, []int64{2, 0}, all, math.MaxInt64, false, 100, "[b3 b4 b5 a1 a2 a3 a4 a5]"},
		{"forward, some types", []string{"b", "a"}, []int64{2, 0}, created, math.MaxInt64, false, 100, "[b3 b4 a1 a2 a3 a4]"},
		{"forward, as many as asked for", []string{"b", "a"}, []int64{3, 0}, created, math.MaxInt64, false, 3, "[b4 a1 a2]"},
		{"back", []string{"c", "a"}, []int64{math.MaxInt64, 3}, all, math.MaxInt64, true, 100, "[c5 c4 c3 c2 c1 a2 a1]"},
		{"back, as many as asked for", []string{"c", "a"}, []int64{math.MaxInt64, 3}, created, math.MaxInt64, true, 5, "[c4 c3 c2 c1 a2]"},
		{"forward, up to a position", []string{"b", "a"}, []int64{2, 0}, all, 4, false, 100, "[a1 a2 a3 a4]"},
		{"back, up to a position", []string{"b", "a"}, []int64{math.MaxInt64, math.MaxInt64}, all, 7, true, 3, "[b2 b1 a5]"},
		{"no such stream", []string{"x"}, []int64{0}, all, math.MaxInt64, false, 100, "[]"},
		{"no streams", nil, nil, all, math.MaxInt64, true, 100, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, err := s.ReadAcross(t.Context(), "acme", c.streams, c.from, c.types, c.to, c.back, c.limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range events {
				got = append(got, fmt.Sprint(e.Stream, e.Version))
			}
			if fmt.Sprint(got) != c.want {
				t.Errorf("got %v, want %s", got, c.want)
			}
			if slices.ContainsFunc(events, func(e eventstore.Event) bool { return e.Tenant != "acme" }) {
				t.Error("another tenant's events are among them")
			}
		})
	}
}
