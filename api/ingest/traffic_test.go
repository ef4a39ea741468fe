package ingest

import (
	"testing"
	"time"

	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/eventstore"
	"customercenter/internal/traffic"
)

// options are those of a realistic run against the associations of a world.
func options(events int) traffic.Options {
	o := traffic.Defaults()
	o.Tenant, o.Events, o.Customers = tenant, events, max(events/20, 10)
	o.Start = time.Now().Add(-6 * time.Hour)
	return o
}

// totals is what the log says of the traffic, in the words of its summary.
type totals struct {
	Customers, Sessions, Waiting, Processing, Closed, Aborted    int
	Transfers, Messages, Received, Sent, Late, Ratings, Accepted int
}

func totalsOf(log []eventstore.Decoded) (totals, map[string]int, map[traffic.Identity]traffic.CustomerTotals) {
	var n totals
	channels := map[string]int{}
	people := map[string]*traffic.CustomerTotals{}
	identities := map[string]traffic.Identity{}
	for _, d := range log {
		who := people[d.Customer.String()]
		switch e := d.Payload.(type) {
		case customer.Created:
			n.Customers++
			people[d.Customer.String()] = &traffic.CustomerTotals{Channel: e.Channel}
			identities[d.Customer.String()] = traffic.Identity{Association: e.Association, ExternalID: e.ExternalID}
		case session.Started:
			n.Sessions++
			n.Waiting++
			channels[e.Channel]++
			who.Sessions++
			who.Open = true
		case session.Accepted:
			n.Accepted++
			n.Waiting--
			n.Processing++
		case session.Transferred:
			n.Transfers++
		case session.MessageRecorded:
			n.Messages++
			if e.Sender.Kind == "customer" {
				n.Received++
				who.Received++
			} else {
				n.Sent++
				who.Sent++
			}
			if e.Late {
				n.Late++
				who.Late++
			}
		case session.Rated:
			n.Ratings++
			who.Ratings++
			who.Scores += e.Score
		case session.Closed:
			n.Closed++
			n.Processing--
			who.Closed++
			who.Open = false
		case session.Aborted:
			n.Aborted++
			n.Waiting--
			who.Aborted++
			who.Open = false
		}
	}
	per := map[traffic.Identity]traffic.CustomerTotals{}
	for id, t := range people {
		per[identities[id]] = *t
	}
	return n, channels, per
}

// compare checks the log against what the traffic says must be in it.
func (w *world) compare(want traffic.Summary) {
	w.t.Helper()
	got, channels, per := totalsOf(w.log())
	got.Accepted = 0
	if expected := (totals{
		Customers: want.Customers, Sessions: want.Sessions, Waiting: want.Waiting, Processing: want.Processing, Closed: want.Closed,
		Aborted: want.Aborted, Transfers: want.Transfers, Messages: want.Messages, Received: want.Received, Sent: want.Sent,
		Late: want.Late, Ratings: want.Ratings,
	}); got != expected {
		w.t.Errorf("the log says\n%+v, the traffic\n%+v", got, expected)
	}
	for channel, n := range want.SessionsByChannel {
		if channels[channel] != n {
			w.t.Errorf("%d sessions of channel %s, want %d", channels[channel], channel, n)
		}
	}
	wrong := 0
	for id, totals := range want.PerCustomer {
		if per[id] != totals {
			if wrong++; wrong < 5 {
				w.t.Errorf("customer of association %d: %+v, want %+v", id.Association, per[id], totals)
			}
		}
	}
	if wrong > 0 {
		w.t.Errorf("%d of %d customers differ", wrong, len(want.PerCustomer))
	}
}

func TestRealisticTraffic(t *testing.T) {
	w := newWorld(t)
	o := options(6_000)
	o.Malformed = 0.02
	generator, err := traffic.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.consume()
	if err := traffic.Publish(t.Context(), w.js, generator, 0, 512, nil); err != nil {
		t.Fatal(err)
	}
	w.drained()
	summary := generator.Summary()
	w.compare(summary)
	codes := map[string]int{}
	for _, letter := range w.dead() {
		codes[letter.Code+" "+letter.Location]++
	}
	want := map[string]int{}
	for kind, n := range summary.MalformedByKind {
		want[reasons[kind]] += n
	}
	for reason, n := range want {
		if codes[reason] != n {
			t.Errorf("%d dead letters because of %s, want %d", codes[reason], reason, n)
		}
	}
	if len(codes) != len(want) {
		t.Errorf("dead letters %v, want %v", codes, want)
	}
}

// reasons is why each kind of malformed traffic is refused, and where.
var reasons = map[string]string{
	traffic.NotJSON:            "MALFORMED ",
	traffic.Truncated:          "MALFORMED ",
	traffic.NotAnEvent:         "VALIDATION specversion",
	traffic.NoID:               "VALIDATION id",
	traffic.UnknownType:        "UNKNOWN_TYPE type",
	traffic.NoExternalID:       "VALIDATION data.external_id",
	traffic.BadExternalID:      "ID_INVALID data.external_id",
	traffic.LongExternalID:     "ID_INVALID data.external_id",
	traffic.NoMessage:          "VALIDATION data.message",
	traffic.EscapedNUL:         "VALIDATION data.message.text",
	traffic.RawNUL:             "VALIDATION ",
	traffic.BrokenUTF8:         "VALIDATION ",
	traffic.FarFuture:          "OCCURRED_IN_FUTURE time",
	traffic.UnknownAssociation: "ASSOCIATION_UNKNOWN association_id",
	traffic.TooLarge:           "PAYLOAD_TOO_LARGE ",
}
