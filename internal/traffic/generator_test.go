package traffic_test

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"customercenter/internal/traffic"
)

var start = time.Date(2026, 11, 16, 1, 0, 0, 0, time.UTC)

// options are the defaults with a start and an end.
func options(events int) traffic.Options {
	o := traffic.Defaults()
	o.Start, o.Events = start, events
	return o
}

func generator(t testing.TB, o traffic.Options) *traffic.Generator {
	t.Helper()
	g, err := traffic.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// hash is over subjects and bodies, in order.
func hash(t *testing.T, o traffic.Options) string {
	t.Helper()
	g, h := generator(t, o), sha256.New()
	for e, ok := g.Next(); ok; e, ok = g.Next() {
		h.Write([]byte(e.Subject))
		h.Write(e.Body)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// recount runs the whole traffic through the model and compares what both counted.
func recount(t interface {
	Helper()
	Fatalf(string, ...any)
}, g *traffic.Generator, o traffic.Options) (traffic.Summary, *model) {
	t.Helper()
	m := newModel(o.Associations)
	for e, ok := g.Next(); ok; e, ok = g.Next() {
		if err := m.apply(e); err != nil {
			t.Fatalf("event %d, %s: %v", m.summary.Events, e.Kind, err)
		}
	}
	told, counted := g.Summary(), m.finish()
	if !reflect.DeepEqual(told, counted) {
		t.Fatalf("the generator says %+v\nthe model says %+v", told, counted)
	}
	return told, m
}

// A change of this hash means that everybody's seeds mean something else from now on: change it with intent.
func TestTrafficOfASeedIsTheSameOnEveryMachine(t *testing.T) {
	o := options(20_000)
	o.Malformed = 0.01
	const want = "d6b4f4a47ff14243e4b171da0b8b7dd3623a225f10ca40b20023e1c70473a363"
	if got := hash(t, o); got != want {
		t.Errorf("the traffic of the seed has changed: hash %s, want %s", got, want)
	}
}

func TestOptionsDecideTheTraffic(t *testing.T) {
	o := options(3000)
	first := hash(t, o)
	if hash(t, o) != first {
		t.Error("the same options gave other traffic")
	}
	o.Seed++
	if hash(t, o) == first {
		t.Error("another seed gave the same traffic")
	}
}

func TestAnotherStartHasTheSamePeopleAndOtherIDs(t *testing.T) {
	o := options(3000)
	o.Customers = 50
	before := newModel(o.Associations)
	for g, e, ok := first(t, o); ok; e, ok = g.Next() {
		if err := before.apply(e); err != nil {
			t.Fatal(err)
		}
	}
	o.Start = o.Start.Add(time.Hour)
	common := map[string]bool{}
	for g, e, ok := first(t, o); ok; e, ok = g.Next() {
		ce, err := before.read(e.Association, e.Body)
		if err != nil {
			t.Fatal(err)
		}
		if before.seen[ce.Source+"\n"+ce.ID] != nil {
			t.Fatal("an id of the earlier run came again")
		}
		if before.people[traffic.Identity{Association: e.Association, ExternalID: e.ExternalID}] != nil {
			common[e.ExternalID] = true
		}
	}
	if len(common) < 40 {
		t.Errorf("only %d of 50 people are in both runs", len(common))
	}
}

func first(t *testing.T, o traffic.Options) (*traffic.Generator, traffic.Event, bool) {
	g := generator(t, o)
	e, ok := g.Next()
	return g, e, ok
}

func TestSummaryIsWhatTheRulesMakeOfTheEvents(t *testing.T) {
	o := options(150_000)
	o.Malformed = 0.02
	s, m := recount(t, generator(t, o), o)

	share := func(name string, part, whole int, low, high float64) {
		t.Helper()
		if got := float64(part) / float64(whole); got < low || got > high {
			t.Errorf("%s: %.4f, want between %g and %g", name, got, low, high)
		}
	}
	if s.Events != o.Events {
		t.Errorf("%d events, want %d", s.Events, o.Events)
	}
	wellFormed := s.Events - s.Malformed - s.Duplicates
	share("messages", s.Messages, wellFormed, 0.67, 0.73)
	share("text messages", m.texts, s.Messages, 0.90, 0.97)
	share("duplicates", s.Duplicates, wellFormed, 0.009, 0.011)
	share("late messages", s.Late, wellFormed, 0.018, 0.021)
	share("malformed events", s.Malformed, s.Events, 0.018, 0.022)
	share("ratings of closed sessions", s.Ratings, s.Closed, 0.58, 0.62)
	share("ratings of five", s.RatingsByScore[5], s.Ratings, 0.62, 0.66)
	share("aborted sessions", s.Aborted, s.Aborted+s.Closed, 0.07, 0.09)
	share("transfers", s.Transfers, s.Closed, 0.06, 0.08)
	share("sessions on wechat", s.SessionsByChannel["wechat"], s.Sessions, 0.25, 0.36)
	share("open sessions", s.Open(), s.Sessions, 0.005, 0.08)
	busiest, returned := 0, 0
	for _, c := range s.PerCustomer {
		busiest = max(busiest, c.Sessions)
		if c.Sessions > 1 {
			returned++
		}
	}
	share("customers who came back", returned, s.Customers, 0.3, 0.8)
	if busiest < 10 {
		t.Errorf("the busiest customer had %d sessions, want at least 10", busiest)
	}
	for _, defect := range traffic.Defects() {
		if s.MalformedByKind[defect] == 0 {
			t.Errorf("no malformed event of the kind %s", defect)
		}
	}
}

func TestSessionsInterleave(t *testing.T) {
	o := options(50_000)
	g := generator(t, o)
	for range o.Events / 2 {
		g.Next()
	}
	if s := g.Summary(); s.Waiting < 10 || s.Processing < 50 {
		t.Errorf("%d sessions wait and %d are in process at once, want many", s.Waiting, s.Processing)
	}
}

func TestDensityIsWhatWasAskedFor(t *testing.T) {
	o := options(0)
	o.PerSecond, o.Customers, o.Malformed = 20, 100_000, 0.1
	g := generator(t, o)
	var begins, ends time.Time
	events := 0
	for ends.Before(start.Add(4 * time.Hour)) {
		e, ok := g.Next()
		if !ok {
			t.Fatal("endless traffic ended")
		}
		switch {
		case e.Malformed || e.Duplicate || e.Late || e.Time.Before(start.Add(time.Hour)):
		case begins.IsZero():
			begins = e.Time
		default:
			ends = e.Time
		}
		if !begins.IsZero() {
			events++
		}
	}
	if got := float64(events) / ends.Sub(begins).Seconds(); got < 19 || got > 21 {
		t.Errorf("%.2f events per second, want 20", got)
	}
}

func TestLateMessagesArriveWithinTenMinutes(t *testing.T) {
	o := options(30_000)
	o.Late = 0.05
	g := generator(t, o)
	var clock time.Time // of the latest event that came in order
	for e, ok := g.Next(); ok; e, ok = g.Next() {
		switch {
		case e.Late && !e.Duplicate:
			if !e.Time.Before(clock) || clock.Sub(e.Time) > 10*time.Minute {
				t.Fatalf("a late message arrived after %s", clock.Sub(e.Time))
			}
		case !e.Duplicate:
			if e.Time.Before(clock) {
				t.Fatal("time ran backwards")
			}
			clock = e.Time
		}
	}
}

func TestUntilEndsTheTraffic(t *testing.T) {
	o := options(0)
	o.Until = start.Add(10 * time.Minute)
	g := generator(t, o)
	var last time.Time
	for e, ok := g.Next(); ok; e, ok = g.Next() {
		if e.Time.After(o.Until) {
			t.Fatalf("an event at %s, after the end", e.Time)
		}
		last = e.Time
	}
	if o.Until.Sub(last) > time.Minute {
		t.Errorf("the last event is at %s, long before the end", last)
	}
	if _, ok := g.Next(); ok {
		t.Error("traffic went on after its end")
	}
}

func TestLiveTrafficIsStampedByTheClock(t *testing.T) {
	for name, tick := range map[string]time.Duration{"slow": time.Second, "fast": 2 * time.Microsecond, "stopped": 0} {
		t.Run(name, func(t *testing.T) {
			now := start.Add(123456789 * time.Nanosecond).In(time.FixedZone("CST", 8*60*60))
			o := options(20_000)
			o.Start, o.Customers = time.Time{}, 3000
			o.Clock = func() time.Time { now = now.Add(tick); return now }
			g, m := generator(t, o), newModel(o.Associations)
			for e, ok := g.Next(); ok; e, ok = g.Next() {
				if err := m.apply(e); err != nil {
					t.Fatal(err)
				}
				if e.Time.After(now.Add(time.Second)) {
					t.Fatalf("an event is stamped %s ahead of the clock", e.Time.Sub(now))
				}
			}
			if told, counted := g.Summary(), m.finish(); !reflect.DeepEqual(told, counted) {
				t.Errorf("the generator says %+v\nthe model says %+v", told, counted)
			}
		})
	}
}

func TestSummaryIsASnapshot(t *testing.T) {
	g := generator(t, options(1000))
	for range 500 {
		g.Next()
	}
	before, again := g.Summary(), g.Summary()
	for range 500 {
		g.Next()
	}
	if !reflect.DeepEqual(before, again) {
		t.Error("later events changed an earlier summary")
	}
	if reflect.DeepEqual(before, g.Summary()) {
		t.Error("later events are not in a later summary")
	}
}

// Whatever the options, the traffic keeps its promises and the summary is right.
func TestEveryOptionKeepsThePromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := traffic.Options{
			Seed:       rapid.Uint64().Draw(t, "seed"),
			Tenant:     rapid.StringMatching(`[a-z0-9-]{1,32}`).Draw(t, "tenant"),
			Customers:  rapid.IntRange(1, 1500).Draw(t, "customers"),
			Events:     rapid.IntRange(1, 1500).Draw(t, "events"),
			PerSecond:  rapid.SampledFrom([]float64{0, 0.01, 1, 100, 10_000}).Draw(t, "per second"),
			Start:      start,
			Agents:     rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z"\\张]{1,5}`), 1, 4, rapid.ID[string]).Draw(t, "agents"),
			Duplicates: rapid.Float64Range(0, 0.5).Draw(t, "duplicates"),
			Late:       rapid.Float64Range(0, 0.1).Draw(t, "late"),
			Malformed:  rapid.Float64Range(0, 0.2).Draw(t, "malformed"),
		}
		for id, channel := range rapid.SliceOfN(rapid.SampledFrom([]string{"app", "web", "wechat", "weibo", "phone", "api"}), 1, 5).Draw(t, "channels") {
			o.Associations = append(o.Associations, traffic.Association{ID: 10 * (id + 1), Channel: channel, Account: "a"})
		}
		if rapid.Bool().Draw(t, "live") {
			now := start
			tick := rapid.Int64Range(0, 1e9).Draw(t, "tick")
			o.Clock = func() time.Time { now = now.Add(time.Duration(tick)); return now }
		}
		g, err := traffic.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if s, _ := recount(t, g, o); s.Events != o.Events {
			t.Fatalf("%d events, want %d", s.Events, o.Events)
		}
	})
}

func TestSubjectNamesTenantAndAssociation(t *testing.T) {
	o := options(2000)
	o.Tenant = "acme"
	o.Associations = []traffic.Association{{ID: 7, Channel: "web"}, {ID: 12, Channel: "wechat"}}
	seen := map[string]int{}
	g := generator(t, o)
	for e, ok := g.Next(); ok; e, ok = g.Next() {
		seen[e.Subject] = e.Association
	}
	if want := map[string]int{"cc.in.acme.7": 7, "cc.in.acme.12": 12}; !reflect.DeepEqual(seen, want) {
		t.Errorf("subjects %v, want %v", seen, want)
	}
}

func TestWrongOptionsAreNamed(t *testing.T) {
	for _, test := range []struct {
		word   string
		change func(*traffic.Options)
	}{
		{"tenant", func(o *traffic.Options) { o.Tenant = "Acme.1" }},
		{"customers", func(o *traffic.Options) { o.Customers = 0 }},
		{"events", func(o *traffic.Options) { o.Events = -1 }},
		{"per second", func(o *traffic.Options) { o.PerSecond = -1 }},
		{"start", func(o *traffic.Options) { o.Start = time.Time{} }},
		{"agent", func(o *traffic.Options) { o.Agents = nil }},
		{"agent ids", func(o *traffic.Options) { o.Agents = []string{"a", "b", "a"} }},
		{"association", func(o *traffic.Options) { o.Associations = nil }},
		{"channel", func(o *traffic.Options) { o.Associations[0].Channel = "fax" }},
		{"different", func(o *traffic.Options) { o.Associations[1].ID = o.Associations[0].ID }},
		{"duplicates", func(o *traffic.Options) { o.Duplicates = 0.9 }},
		{"late", func(o *traffic.Options) { o.Late = -0.1 }},
		{"malformed", func(o *traffic.Options) { o.Malformed = 2 }},
	} {
		o := options(10)
		test.change(&o)
		if _, err := traffic.New(o); err == nil || !strings.Contains(err.Error(), test.word) || !strings.HasPrefix(err.Error(), "traffic: ") {
			t.Errorf("%s: the error is %v", test.word, err)
		}
	}
}

func TestLargestBodyIsSmallUnlessMalformed(t *testing.T) {
	o := options(20_000)
	o.Malformed = 0.01
	g := generator(t, o)
	for e, ok := g.Next(); ok; e, ok = g.Next() {
		if e.Kind != traffic.TooLarge && len(e.Body) > 4096 {
			t.Fatalf("a %s of %d bytes", e.Kind, len(e.Body))
		}
		if e.Kind == traffic.TooLarge && (len(e.Body) <= 1<<20 || len(e.Body) > 1<<21) {
			t.Fatalf("too large means %d bytes", len(e.Body))
		}
	}
}

func BenchmarkNext(b *testing.B) {
	o := options(0)
	o.PerSecond = 500
	o.Customers = 100_000
	g := generator(b, o)
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		e, _ := g.Next()
		size += len(e.Body)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(size)/float64(b.N), "bytes/event")
}
