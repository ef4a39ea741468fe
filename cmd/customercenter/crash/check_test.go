//go:build unix

package crash

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// damage is something done by hand, to a tenant of its own, and what has to be said about it.
type damage struct {
	name string
	do   func(s *small, tenant string)                    // to the database or the requests
	bus  func(s *small, messages []*nats.Msg) []*nats.Msg // to the event stream
	// want are kinds that must be found, each with words of its text. also are kinds that follow from it and may be found.
	want map[Kind]string
	also []Kind
}

// sql is damage done by one statement about the tenant $1.
func sql(statement string) func(s *small, tenant string) {
	return func(s *small, tenant string) { s.t.Helper(); s.sql(tenant, statement) }
}

// table is the same in the live build of a projection; @ stands for its schema.
func table(projection, statement string) func(s *small, tenant string) {
	return func(s *small, tenant string) {
		s.t.Helper()
		s.sql(tenant, strings.ReplaceAll(statement, "@", s.schema(projection)))
	}
}

var damages = []damage{
	{name: "hole", do: sql(`delete from events where tenant = $1 and position = 9`),
		want: map[Kind]string{LogHole: "position 10 follows 8", VersionHole: "goes on with version 5, want 4", Lost: "hole-2 was answered",
			BusForeign: "of no event of the log", TableDiffers: "customer_activity"}, also: []Kind{BusOrder}},
	{name: "version", do: sql(`update events set version = 2 where tenant = $1 and position = 3`),
		want: map[Kind]string{VersionHole: "stream tags goes on with version 2, want 1", BusDiffers: "another version"}},
	{name: "clock", do: sql(`update events set recorded_at = recorded_at - interval '1 hour' where tenant = $1 and position = 3`),
		want: map[Kind]string{ClockBack: "recorded at", BusDiffers: "another recorded at"}},
	{name: "append-twice", do: sql(`insert into events (tenant, position, stream, version, type, type_version, customer, data, meta, recorded_at)
		select tenant, 20, stream, version + 1, type, type_version, customer, data, meta, recorded_at + interval '1 minute' from events where tenant = $1 and position = 14`),
		want: map[Kind]string{Doubled: "stands at 14 to 14, and here again", Behind: "the relay is here"},
		also: []Kind{Elsewhere, WrongReceipt, Unreadable, BusMissing, BusOrder}},
	{name: "append-twice-in-a-row", do: sql(`insert into events (tenant, position, stream, version, type, type_version, customer, data, meta, recorded_at)
		select tenant, 20, stream, version + 1, type, type_version, customer, data, meta, recorded_at + interval '1 minute' from events where tenant = $1 and position = 19`),
		want: map[Kind]string{Doubled: "stands at 19 to 19, and here again", Elsewhere: "stands at 19 to 20"},
		also: []Kind{WrongReceipt, Unreadable, BusMissing, BusOrder, Behind, TableDiffers}},
	{name: "request-twice", do: sql(`update events set meta = replace(meta::text, 'request-twice-2', 'request-twice-1')::json where tenant = $1 and position = 9`),
		want: map[Kind]string{Doubled: "request request-twice-1 was carried out at 8, and here again", BusDiffers: "another envelope"},
		also: []Kind{Lost, WrongReceipt}},
	{name: "lost", do: func(s *small, tenant string) {
		s.Requests = append(s.Requests, Request{Tenant: tenant, Correlation: "nowhere", Acknowledged: true, Changed: true, Position: 12})
	}, want: map[Kind]string{Lost: "request nowhere"}},
	{name: "not-answered-is-not-lost", do: func(s *small, tenant string) {
		s.Requests = append(s.Requests, Request{Tenant: tenant, Correlation: "never", Receipt: ReceiptKey{"a", "b", "c"}})
	}},
	{name: "elsewhere", do: func(s *small, tenant string) { s.request(step(tenant, 2)).Position = 8 },
		want: map[Kind]string{Elsewhere: "stands at 9 to 9", WrongReceipt: "was answered with 8"}},
	{name: "unwanted", do: func(s *small, tenant string) { s.request(step(tenant, 2)).Changed = false },
		want: map[Kind]string{Unwanted: "nothing was to be changed"}},
	{name: "other-payload", do: sql(`update events set data = '{"agent":"a-99"}' where tenant = $1 and position = 8`),
		want: map[Kind]string{BusDiffers: "another payload", TableDiffers: "table session of"}},
	{name: "broken-payload", do: sql(`update events set data = '{"agent":5}' where tenant = $1 and position = 8`),
		want: map[Kind]string{Unreadable: "session.accepted", BusDiffers: "another payload", TableDiffers: "table session of"}},
	{name: "generation", do: sql(`update events set data = replace(data::text, '"generation":1', '"generation":2')::json where tenant = $1 and position = 4`),
		want: map[Kind]string{BrokenLife: "after 0 lives", BusDiffers: "another payload", TableDiffers: "table customer of"}},
	{name: "after-the-end", do: sql(`update events set type = 'customer.withdrawn', data = '{"import":"00000000-0000-0000-0000-000000000001"}' where tenant = $1 and position = 15`),
		want: map[Kind]string{BrokenLife: "customer.session_closed of customer", BusDiffers: "another type", TableDiffers: "table customer of"}},
	{name: "unknown-type", do: sql(`update events set type = 'tag.eaten' where tenant = $1 and position = 3`),
		want: map[Kind]string{Unreadable: "unknown event type", BusDiffers: "another type"}},
	{name: "key", do: sql(`delete from customer_keys where tenant = $1 and customer = (select customer from events where tenant = $1 and position = 4)`),
		want: map[Kind]string{Unreadable: "has no key, and was not erased", TableDiffers: "table customer of"}},
	{name: "receipt-position", do: sql(`update receipts set position = 13 where tenant = $1 and key = $1 || '-4'`),
		want: map[Kind]string{WrongReceipt: "its append stands at 14 to 14"}},
	{name: "receipt-gone", do: sql(`delete from receipts where tenant = $1 and key = $1 || '-6'`),
		want: map[Kind]string{WrongReceipt: "request receipt-gone-6 has no receipt"}},
	{name: "receipt-of-nothing", do: sql(`update receipts set append = gen_random_uuid() where tenant = $1 and key = $1 || '-4'`),
		want: map[Kind]string{WrongReceipt: "is of another append than its events"}},
	{name: "receipt-of-another", do: sql(`update receipts r set append = o.append, position = 14 from receipts o
		where r.tenant = $1 and r.key = $1 || '-6' and o.tenant = $1 and o.key = $1 || '-4'`),
		want: map[Kind]string{WrongReceipt: "which wrote nothing, is of an append with events"}},
	{name: "receipt-ahead", do: sql(`update receipts set position = 77 where tenant = $1 and key = $1 || '-6'`),
		want: map[Kind]string{WrongReceipt: "the log ends at 19"}},
	{name: "row-missing", do: table("customers", `delete from @.customer where tenant = $1 and external_id = 'one'`),
		want: map[Kind]string{TableDiffers: "table customer of projection customers has 1 rows, rebuilt it has 2"}},
	{name: "row-too-many", do: table("customers", `insert into @.counter (tenant, name, value) values ($1, 'invented', 1)`),
		want: map[Kind]string{TableDiffers: "table counter of projection customers has 4 rows, rebuilt it has 3; not the same are invented"}},
	{name: "row-different", do: table("sessions", `update @.session set message_count = message_count + 1 where tenant = $1 and state = 'closed'`),
		want: map[Kind]string{TableDiffers: "table session of projection sessions has 2 rows, rebuilt it has 2; not the same are "}},
	{name: "parked", do: sql(`insert into parked_customers (build, tenant, customer, position, type, reason)
		select b.id, $1, e.customer, 4, e.type, 'no reason' from projection_builds b join events e on e.tenant = $1 and e.position = 4 where b.name = 'customers'`),
		want: map[Kind]string{Parked: "in projection customers at customer.created: no reason", TableDiffers: "table parked_customers of projection customers has 1 rows, rebuilt it has 0"}},
	{name: "projection-behind", do: sql(`update projection_checkpoints set position = 18 where tenant = $1`),
		want: map[Kind]string{Behind: "projection customers is here, the log's head is 19"}},
	{name: "projection-stopped", do: sql(`update projection_checkpoints set stopped = 'for no reason' where tenant = $1`),
		want: map[Kind]string{Stopped: "projection customers: for no reason"}},
	{name: "relay-behind", do: sql(`update relay_cursors set position = 18 where tenant = $1`),
		want: map[Kind]string{Behind: "the relay is here, the log's head is 19"}},
	{name: "relay-stopped", do: sql(`update relay_cursors set stopped = 'for no reason' where tenant = $1`),
		want: map[Kind]string{Stopped: "the relay: for no reason"}},
	{name: "message-missing", bus: func(_ *small, m []*nats.Msg) []*nats.Msg { return slices.Delete(m, 9, 11) },
		want: map[Kind]string{BusMissing: "no message of the positions 10 to 11", BusOrder: "follows that of position 9"}},
	{name: "first-message-missing", bus: func(_ *small, m []*nats.Msg) []*nats.Msg { return m[1:] },
		want: map[Kind]string{BusMissing: "no message of the positions 1 to 1"}},
	{name: "last-message-missing", bus: func(_ *small, m []*nats.Msg) []*nats.Msg { return m[:18] },
		want: map[Kind]string{BusMissing: "no message of the positions 19 to 19", BusOrder: "the last message is of this position"}},
	{name: "messages-swapped", bus: func(_ *small, m []*nats.Msg) []*nats.Msg {
		m[9], m[10] = m[10], m[9]
		return m
	}, want: map[Kind]string{BusOrder: "follows that of position 9"}},
	{name: "message-twice", bus: func(_ *small, m []*nats.Msg) []*nats.Msg { return slices.Insert(m, 9, m[8]) },
		want: map[Kind]string{BusOrder: "follows that of position 9"}},
	{name: "refilled", bus: func(_ *small, m []*nats.Msg) []*nats.Msg { return append(m[:12:12], refilled(m, "1")...) }},
	{name: "refill-too-late", bus: func(_ *small, m []*nats.Msg) []*nats.Msg { return append(refilled(m, "1"), m...) },
		want: map[Kind]string{BusOrder: "is of refill 0, after refill 1"}},
	{name: "message-body", bus: func(s *small, m []*nats.Msg) []*nats.Msg {
		m[7].Data = []byte(`{"agent":"a-99"}`)
		return m
	}, want: map[Kind]string{BusDiffers: "another payload"}},
	{name: "message-header", bus: func(s *small, m []*nats.Msg) []*nats.Msg {
		m[7].Header.Set(headerCustomer, "nobody")
		m[8].Header.Set(headerID, "nothing")
		return m
	}, want: map[Kind]string{BusDiffers: `has the id "nothing"`}},
	{name: "message-too-large", bus: func(s *small, m []*nats.Msg) []*nats.Msg {
		m[7].Data = nil
		m[7].Header.Set(headerOmitted, "too-large")
		return m
	}},
	{name: "message-of-nobody", bus: func(s *small, m []*nats.Msg) []*nats.Msg {
		header := nats.Header{}
		for name, values := range m[18].Header {
			header[name] = values
		}
		header[headerPosition] = []string{"20"}
		return append(m, &nats.Msg{Subject: m[18].Subject, Header: header, Data: m[18].Data})
	}, want: map[Kind]string{BusForeign: "of no event of the log"}},
	{name: "message-of-another-epoch", bus: func(s *small, m []*nats.Msg) []*nats.Msg {
		return append([]*nats.Msg{{Subject: m[0].Subject, Header: nats.Header{headerEpoch: {"b8a1f5f0-0000-4000-8000-000000000000"}, headerPosition: {"500"}}}}, m...)
	}},
	{name: "untouched"},
}

// refilled is a copy of messages that says it is of a refill.
func refilled(messages []*nats.Msg, refill string) []*nats.Msg {
	var copies []*nats.Msg
	for _, m := range messages {
		header := nats.Header{headerRefill: {refill}}
		for name, values := range m.Header {
			header[name] = values
		}
		copies = append(copies, &nats.Msg{Subject: m.Subject, Header: header, Data: m.Data})
	}
	return copies
}

func TestEveryDamageIsFoundAndNamed(t *testing.T) {
	var names []string
	edits := map[string]func(*small, []*nats.Msg) []*nats.Msg{}
	for _, d := range damages {
		names = append(names, d.name)
		edits[d.name] = d.bus
	}
	s := newSmall(t, names...)
	if found := s.check(); len(found) > 0 {
		t.Fatalf("found before anything was damaged: %v", found)
	}
	for _, d := range damages {
		if d.do != nil {
			d.do(s, d.name)
		}
	}
	s.rewrite(func(tenant string, messages []*nats.Msg) []*nats.Msg {
		if edit := edits[tenant]; edit != nil {
			return edit(s, messages)
		}
		return messages
	})
	found := s.check()
	for _, d := range damages {
		for kind, words := range d.want {
			if !slices.ContainsFunc(found[d.name], func(f Finding) bool { return f.Kind == kind && strings.Contains(f.Text, words) }) {
				t.Errorf("%s: nobody says %q: %q", d.name, kind, words)
			}
		}
		for _, f := range found[d.name] {
			if _, wanted := d.want[f.Kind]; !wanted && !slices.Contains(d.also, f.Kind) {
				t.Errorf("%s: also says %s", d.name, f)
			}
		}
	}
}

func TestALogThatLostItsEnd(t *testing.T) {
	s := newSmall(t, "acme")
	s.sql("acme", `delete from events where tenant = $1 and position > 17`)
	kinds := map[Kind]bool{}
	for _, f := range s.check()["acme"] {
		kinds[f.Kind] = true
	}
	for _, kind := range []Kind{Lost, WrongReceipt, Ahead, BusForeign} {
		if !kinds[kind] {
			t.Errorf("nobody says %q: %v", kind, kinds)
		}
	}
}

func TestAStreamThatIsGone(t *testing.T) {
	s := newSmall(t, "acme")
	if err := s.JetStream.DeleteStream(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	found := s.check()["acme"]
	if len(found) != 1 || found[0].Kind != BusMissing || !strings.Contains(found[0].Text, "1 to 19") {
		t.Errorf("found %v", found)
	}
}

func TestMuchOfAKindIsCounted(t *testing.T) {
	s := newSmall(t, "acme")
	for i := range 25 {
		s.Requests = append(s.Requests, Request{Tenant: "acme", Correlation: fmt.Sprint("nowhere-", i), Acknowledged: true, Changed: true, Position: 1})
	}
	found := s.check()["acme"]
	if n := len(found); n != shown+1 || found[n-1].Kind != FurtherOfTheKind || found[n-1].Text != "15 more: "+string(Lost) {
		t.Errorf("found %v", found)
	}
}

func TestWhatCannotBeCheckedIsAnError(t *testing.T) {
	if _, err := Check(t.Context(), System{}); err == nil {
		t.Error("nothing was checked and nothing was said")
	}
	s := newSmall(t)
	s.Requests = []Request{{Tenant: "nobody", Correlation: "x"}}
	if _, err := Check(t.Context(), s.System); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("a request of an unknown tenant: %v", err)
	}
}
