package projections

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/filter"
	"customercenter/domain/session"
	"customercenter/eventstore"
	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

// Customers are counted on the day on which they were created and sessions on the day on which they began, as the tenant's clocks have it: also on the day
// that has an hour more. Who has left the list does not count.
func TestPerDay(t *testing.T) {
	store := projectionstest.Store(t, "acme", "other")
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		at, err := time.ParseInLocation(time.DateTime, text, zone)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	arrivals := []struct {
		at   time.Time
		gone bool
	}{
		{at: at("2026-10-30 23:59:59")}, {at: at("2026-10-31 00:00:00")}, {at: at("2026-10-31 12:00:00"), gone: true}, {at: at("2026-10-31 23:59:59")},
		{at: at("2026-11-01 00:00:00")}, {at: at("2026-11-01 23:30:00")}, {at: at("2026-11-03 08:00:00")},
	}
	load := func(tenant string) {
		var appends []eventstore.Append
		add := func(now time.Time, stream string, version int64, of uuid.UUID, payload any) {
			a := eventstore.Append{ID: uuid.New(), Now: now, Actor: eventstore.Actor{Kind: "system", ID: "test"},
				Streams: []eventstore.StreamAppend{{Stream: stream, Version: version, Events: []eventstore.NewEvent{{Payload: payload, Customer: of}}}}}
			if created, ok := payload.(customer.Created); ok {
				a.NewCustomers = []eventstore.NewCustomer{{ID: of, Generation: created.Generation}}
			}
			appends = append(appends, a)
		}
		for _, c := range arrivals {
			who, talk, by := uuid.New(), uuid.New(), uuid.New()
			created := customer.Created{Generation: 1, Association: 1, Channel: domain.ChannelApp, ExternalID: who.String(), Via: customer.ViaInbound}
			if c.gone {
				created.Via, created.Import = customer.ViaImport, by
			}
			add(c.at, customer.Stream(who), 0, who, created)
			if c.gone {
				add(c.at, customer.Stream(who), 1, who, customer.Withdrawn{Import: by})
				continue
			}
			add(c.at, session.Stream(talk), 0, who, session.Started{Customer: who, Association: 1, Channel: domain.ChannelApp, Initiator: domain.PartyCustomer})
		}
		if err := store.Load(t.Context(), tenant, func(yield func(eventstore.Past) bool) {
			for _, a := range appends {
				if !yield(eventstore.Past{Append: a, At: a.Now}) {
					return
				}
			}
		}, nil); err != nil {
			t.Fatal(err)
		}
	}
	load("acme")
	load("other")
	p, err := projector.New(projector.Config{Store: store, Definitions: Definitions()})
	if err == nil {
		err = p.EnsureBuilt(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	cal := filter.Calendar{Zone: zone}
	now := at("2026-11-03 00:10:00").Add(8 * time.Hour)
	for _, c := range []struct {
		now  time.Time
		days int
		want []Day
	}{
		{now, 4, []Day{{"2026-10-31", 2}, {"2026-11-01", 2}, {"2026-11-02", 0}, {"2026-11-03", 1}}},
		{now, 1, []Day{{"2026-11-03", 1}}},
		{at("2026-11-01 00:10:00"), 2, []Day{{"2026-10-31", 2}, {"2026-11-01", 2}}}, // a day of 25 hours is today
		{at("2026-12-03 00:10:00"), 2, []Day{{"2026-12-02", 0}, {"2026-12-03", 0}}},
		{at("2026-10-03 00:10:00"), 2, []Day{{"2026-10-02", 0}, {"2026-10-03", 0}}},
	} {
		customers, err := NewCustomers(store, p, NewCatalogues(store)).PerDay(t.Context(), "acme", cal, c.now, c.days)
		if err != nil || !slices.Equal(customers, c.want) {
			t.Errorf("customers until %v: %v (%v), want %v", c.now, customers, err, c.want)
		}
		sessions, err := NewSessions(store, p).PerDay(t.Context(), "acme", cal, c.now, c.days)
		if err != nil || !slices.Equal(sessions, c.want) {
			t.Errorf("sessions until %v: %v (%v), want %v", c.now, sessions, err, c.want)
		}
	}
}

// The quarters of an hour that sessions are counted by follow their rows, whatever is done to them: what comes late, comes twice, changes or is folded anew.
func TestSessionsPerDayFollowTheRows(t *testing.T) {
	store := projectionstest.Store(t, "acme", "other")
	p, err := projector.New(projector.Config{Store: store, Definitions: Definitions()})
	if err == nil {
		err = p.EnsureBuilt(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	build, err := p.Live(t.Context(), SessionsName)
	if err != nil {
		t.Fatal(err)
	}
	const columns = `(tenant, id, customer, association, channel, initiator, callback, state, agent, started_at, ended_by, end_cause, message_count, customer_message_count,
		rating_reasons, rating_comment, ip, region, user_agent, referrer)`
	const row = ` select $1, id, id, 1, 'app', 'customer', false, 'closed', '', at, '', '', 1, 1, '[]', '', '', '', '', '' from unnest($2::uuid[], $3::timestamptz[]) s (id, at)`
	cal, now := filter.Calendar{Zone: time.FixedZone("Kathmandu", 5*3600+45*60)}, time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)
	ids := []uuid.UUID{uuid.New(), uuid.New(), uuid.New(), uuid.New()}
	midnight := time.Date(2026, 11, 1, 18, 15, 0, 0, time.UTC) // of the 2nd, there
	at := []time.Time{midnight.Add(-time.Microsecond), midnight, midnight.Add(24*time.Hour - time.Microsecond), midnight.Add(24 * time.Hour)}
	for _, c := range []struct {
		name, sql string
		args      []any
		want      [3]int64 // on the 1st, 2nd and 3rd
	}{
		{"come", `insert into $.session ` + columns + row, []any{"acme", ids, at}, [3]int64{1, 2, 1}},
		{"another tenant's", `insert into $.session ` + columns + row, []any{"other", ids, at}, [3]int64{1, 2, 1}},
		{"come again, and one late", `insert into $.session ` + columns + row + ` on conflict (tenant, id) do update set message_count = 2`,
			[]any{"acme", append(slices.Clone(ids), uuid.New()), append(slices.Clone(at), at[0])}, [3]int64{2, 2, 1}},
		{"change", `update $.session set message_count = 3`, nil, [3]int64{2, 2, 1}},
		{"are forgotten", `delete from $.session where tenant = $1 and id = any($2)`, []any{"acme", ids[1:3]}, [3]int64{2, 0, 1}},
		{"come back", `insert into $.session ` + columns + row, []any{"acme", ids[1:3], at[1:3]}, [3]int64{2, 2, 1}},
	} {
		if _, err := store.Pool().Exec(t.Context(), in(build.Schema, c.sql), c.args...); err != nil {
			t.Fatal(c.name, err)
		}
		days, err := NewSessions(store, p).PerDay(t.Context(), "acme", cal, now, 3)
		want := []Day{{"2026-11-01", c.want[0]}, {"2026-11-02", c.want[1]}, {"2026-11-03", c.want[2]}}
		if err != nil || !slices.Equal(days, want) {
			t.Errorf("when sessions %s: %v (%v), want %v", c.name, days, err, want)
		}
	}
}

// However many customers there are, their days are counted in the sets; where each day begins, the index says.
func TestCustomersPerDayOverManySets(t *testing.T) {
	p := newPopulation(t, 100, 20_000)
	if _, err := p.store.Pool().Exec(t.Context(), `analyze`); err != nil {
		t.Fatal(err)
	}
	customers, asked, db := p.traced(t)
	now := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	days, err := customers.PerDay(t.Context(), tenantOfList, filter.Calendar{Zone: time.UTC}, now, 122)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{}
	for _, s := range p.subjects {
		if s != nil {
			want[s.CreatedAt.UTC().Format(time.DateOnly)]++
		}
	}
	if len(want) < 100 || len(p.subjects) <= bucketSize {
		t.Fatalf("%d customers on %d days show nothing", len(p.subjects), len(want))
	}
	for _, d := range days {
		if d.Count != want[d.Date] {
			t.Errorf("%s: %d, want %d", d.Date, d.Count, want[d.Date])
		}
	}
	if used := asked.used(t, db); !slices.Contains(used, "customer_created") || !slices.Contains(used, "customer_bits_pkey") {
		t.Errorf("found by %v", used)
	}
}
