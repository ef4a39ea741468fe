package projections

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/filter"
	"customercenter/eventstore"
	"customercenter/eventstore/tenancy"
	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

// plan is a node of EXPLAIN (FORMAT JSON).
type plan struct {
	Type    string  `json:"Node Type"`
	Table   string  `json:"Relation Name"`
	Index   string  `json:"Index Name"`
	Removed float64 `json:"Rows Removed by Filter"` // if it was run
	Plans   []plan  `json:"Plans"`
}

// walk calls f for the node and all below it.
func (p plan) walk(f func(plan)) {
	f(p)
	for _, below := range p.Plans {
		below.walk(f)
	}
}

// checkPlan fails if a statement would scan a table from end to end or sort more than a page, or does not use the index.
func checkPlan(t *testing.T, store *eventstore.Store, index, sql string, args []any) {
	t.Helper()
	rows, err := store.DB().Query(tenancy.Narrow(t.Context(), "acme"), `explain (format json) `+sql, append([]any{planned}, args...)...)
	checkExplained(t, index, sql, rows, err)
}

// checkPlanByIndex is checkPlan of a statement that is asked for by index, see tenancy.ByIndex.
func checkPlanByIndex(t *testing.T, store *eventstore.Store, index, sql string, args []any) {
	t.Helper()
	rows, err := store.DB().QueryByIndex(tenancy.Narrow(t.Context(), "acme"), `explain (format json) `+sql, args...)
	checkExplained(t, index, sql, rows, err)
}

func checkExplained(t *testing.T, index, sql string, rows pgx.Rows, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	text, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[[]byte])
	if err != nil {
		t.Fatal(err)
	}
	var plans []struct{ Plan plan }
	if err := json.Unmarshal(text, &plans); err != nil {
		t.Fatal(err)
	}
	var indexes []string
	plans[0].Plan.walk(func(p plan) {
		narrow := p.Table == "customer_listing" // what the blacklist has may be sorted
		if p.Type == "Seq Scan" || p.Type == "Bitmap Heap Scan" && !narrow {
			t.Errorf("%s of %s\n%s\n%s", p.Type, p.Table, sql, text)
		}
		indexes = append(indexes, p.Index)
	})
	if !slices.Contains(indexes, index) {
		t.Errorf("index %s is not used, but %v\n%s\n%s", index, indexes, sql, text)
	}
}

// TestPlans reads the plans of every kind of list query over 50,000 customers and 60,000 sessions.
func TestPlans(t *testing.T) {
	const customers, copies = 2_000, 25
	store := projectionstest.Store(t, "acme")
	world := projectionstest.NewWorld(t, store, "acme", 1, 1000)
	vip := world.NewTag("VIP")
	for n := range customers {
		var tags []uuid.UUID
		if n%3 == 0 {
			tags = append(tags, vip)
		}
		world.NewCustomer("客户", tags...)
		if n%10 == 0 {
			world.OpenSession(world.Customers[n])
			world.Accept(world.Customers[n], fmt.Sprint("agent-", n%4))
		}
		if n%20 == 0 {
			world.Blacklist(world.Customers[n], time.Time{})
		}
	}
	world.Flush()
	p, err := projector.New(projector.Config{Store: store, Definitions: Definitions()})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	build, err := p.Live(t.Context(), CustomersName)
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := p.Live(t.Context(), SessionsName)
	if err != nil {
		t.Fatal(err)
	}
	// As the log would have made them, but quicker.
	for _, sql := range []string{
		`insert into $.customer select tenant, md5(id::text || n)::uuid, ordinal + n * 2000, generation, association, channel, external_id || n, nickname, name, phone, qq,
			wechat_id, email, company, description, custom, tags, created_via, created_at + n * interval '1 hour', updated_at, version, created_position, nickname_key
		from $.customer, generate_series(1, 24) n`,
		`insert into $.customer_activity select tenant, md5(id::text || n)::uuid, ordinal + n * 2000, open_session, first_session_at, last_session_at, last_message_at,
			session_count, message_count, rating_sum, rating_count, rating_last, rating_last_at, rating_scores, last_customer_message_at, suppressed_count, agents, last_agent
		from $.customer_activity, generate_series(1, 24) n`,
		`insert into $.customer_listing select tenant, md5(customer::text || n)::uuid, ordinal + n * 2000, position + n * 10000, since, expires_at, reason,
			actor_kind, actor, suppressed
		from $.customer_listing, generate_series(1, 24) n`,
		`insert into $.customer_listing select 'other', md5(customer::text || n)::uuid, ordinal + n * 100000, position + n * 1000000, since, expires_at, reason,
			actor_kind, actor, suppressed
		from $.customer_listing, generate_series(1, 20) n`, // what one tenant has is a small part
		`insert into $.customer_text select tenant, ordinal + n * 2000, external_id || n, nickname, name, phone, qq, wechat_id, email, company, description, terms from $.customer_text, generate_series(1, 24) n`,
	} {
		if _, err := store.Pool().Exec(t.Context(), in(build.Schema, sql)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Pool().Exec(t.Context(), in(sessions.Schema, `insert into $.session
		select tenant, gen_random_uuid(), customer, association, (array['app', 'web', 'wechat', 'weibo'])[1 + n % 4], initiator, n = 7, case when n % 50 = 0 then 'aborted' else 'closed' end,
			'agent-' || n, started_at - n * interval '1 minute', accepted_at, ended_at, ended_by, end_cause, message_count, customer_message_count, last_message_at,
			case when n % 9 = 0 then 1 + n % 5 end, rating_reasons, rating_comment, rated_at, ip, region, user_agent, referrer
		from $.session, generate_series(1, 300) n`)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Pool().Exec(t.Context(), in(sessions.Schema, `insert into $.session_agent
		select tenant, id || '/' || agent, id, agent, customer, started_at from $.session where agent <> '' on conflict do nothing`)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Pool().Exec(t.Context(), in(sessions.Schema, `insert into $.session_quarter
		select tenant, date_bin('15 minutes', now(), 'epoch') - n * interval '15 minutes', n from unnest(array['acme', 'other']) tenant, generate_series(1, 20000) n on conflict do nothing`)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Pool().Exec(t.Context(), `analyze`); err != nil {
		t.Fatal(err)
	}

	now := time.Now()
	some := make([]uuid.UUID, 200)
	for i := range some {
		some[i] = uuid.New()
	}
	for name, c := range map[string]struct {
		q     SessionQuery
		index string
	}{
		"latest":             {SessionQuery{}, "session_started"},
		"some":               {SessionQuery{IDs: some}, "session_pkey"},
		"some of an agent's": {SessionQuery{IDs: some, Agent: "agent-3"}, "session_agent_pkey"},
		"today":              {SessionQuery{From: now.Add(-time.Hour), To: now}, "session_started"},
		"customer":           {SessionQuery{Customer: world.Customers[10].ID}, "session_customer"},
		"agent":              {SessionQuery{Agent: "agent-3"}, "session_agent_started"},
		"agent and channel":  {SessionQuery{Agent: "agent-3", Channel: "web"}, "session_agent_started"},
		"agent and customer": {SessionQuery{Agent: "agent-3", Customer: world.Customers[10].ID}, "session_agent_customer"},
		"agent, waiting":     {SessionQuery{Agent: "agent-3", State: "waiting"}, "session_open"},
		"channel":            {SessionQuery{Channel: "web"}, "session_channel"},
		"association":        {SessionQuery{Association: 7}, "session_association"},
		"waiting":            {SessionQuery{State: "waiting"}, "session_open"},
		"closed":             {SessionQuery{State: "closed"}, "session_started"},
		"aborted":            {SessionQuery{State: "aborted"}, "session_aborted"},
		"callback":           {SessionQuery{Origin: OriginCallback}, "session_callback"},
		"not callback":       {SessionQuery{Origin: OriginCustomer}, "session_started"},
		"rated":              {SessionQuery{Rated: new(true)}, "session_rated"},
		"not rated":          {SessionQuery{Rated: new(false)}, "session_started"},
		"score":              {SessionQuery{Scores: []int{2}}, "session_score"},
		"scores":             {SessionQuery{Scores: []int{1, 2}}, "session_rated"},
		"text":               {SessionQuery{Text: "客户"}, "session_started"},
		"text of today":      {SessionQuery{Text: "17", From: now.Add(-time.Hour)}, "session_started"},
		"text and agent":     {SessionQuery{Text: "17", Agent: "agent-3", State: "closed"}, "session_agent_started"},
	} {
		t.Run("sessions "+name, func(t *testing.T) {
			w := &sessionWalk{schema: sessions.Schema, customers: build.Schema, tenant: "acme", q: c.q}
			for _, given := range []bool{false, true} {
				after := sessionKey{At: now.Add(-90 * time.Minute)}
				sql, args := w.sql(after, given, true, 51)
				if c.q.Text != "" {
					sql, args = w.textSQL(after, given, true, walkFirst, 51)
				}
				checkPlan(t, store, c.index, sql, args)
			}
		})
	}

	t.Run("agents", func(t *testing.T) {
		checkPlan(t, store, "session_agent_started", in(sessions.Schema, agentsSQL), []any{"acme", mostAgents})
	})

	t.Run("sessions per day", func(t *testing.T) {
		_, begins := lastDays(filter.Calendar{Zone: time.UTC}, now, 30)
		checkPlan(t, store, "session_quarter_pkey", in(sessions.Schema, sessionsPerDaySQL), []any{"acme", begins[:30], begins[1:]})
	})

	for name, c := range map[string]struct {
		q     BlacklistQuery
		index string
	}{
		"all":        {BlacklistQuery{}, "customer_listing_position"},
		"search":     {BlacklistQuery{Q: "a"}, "customer_listing_position"},
		"an agent's": {BlacklistQuery{Q: "a", ServedBy: "agent-2"}, "customer_listing_position"},
	} {
		c.q.Limit = 50
		t.Run("blacklist "+name, func(t *testing.T) {
			for _, given := range []bool{false, true} {
				sql, args := blacklistSQL(build.Schema, "acme", c.q, now, cursor{Ordinal: 100_000}, given)
				checkPlan(t, store, c.index, sql, args)
			}
		})
	}
	for _, agent := range []string{"", "agent-2"} {
		t.Run("one customer of "+agent, func(t *testing.T) {
			sql, args := oneSQL(build.Schema, "acme", agent, world.Customers[2].ID)
			checkPlanByIndex(t, store, "customer_pkey", sql, args)
		})
	}

	for name, c := range map[string]struct {
		q     TranscriptQuery
		index string
	}{
		"all":   {TranscriptQuery{Customer: world.Customers[10].ID}, "session_customer"},
		"agent": {TranscriptQuery{Customer: world.Customers[10].ID, Agent: "agent-3"}, "session_agent_customer"},
	} {
		t.Run("transcript "+name, func(t *testing.T) {
			for _, back := range []bool{false, true} {
				for _, given := range []bool{false, true} {
					of := &transcript{schema: sessions.Schema, tenant: "acme", q: c.q, from: cursor{At: now.Add(-90 * time.Minute)}, given: given}
					sql, args := of.talksSQL(back, 52)
					checkPlan(t, store, c.index, sql, args)
				}
			}
		})
	}

	// The planner knows of another tenant's customers only, so that of this one's it expects one.
	for _, sql := range []string{
		`update $.customer set tenant = 'former'`, `update $.customer_activity set tenant = 'former'`, `vacuum analyze $.customer`, `vacuum analyze $.customer_activity`,
		`update $.customer set tenant = 'acme'`, `update $.customer_activity set tenant = 'acme'`,
	} {
		if _, err := store.Pool().Exec(t.Context(), in(build.Schema, sql)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("one customer of a new tenant", func(t *testing.T) {
		sql, args := oneSQL(build.Schema, "acme", "agent-2", world.Customers[2].ID)
		checkPlanByIndex(t, store, "customer_pkey", sql, args)
		checkPlanByIndex(t, store, "customer_activity_ordinal", sql, args)
	})
	t.Run("a page of a new tenant", func(t *testing.T) {
		sql, args := pageSQL(build.Schema, "acme", []int64{3, 500, 40_000})
		for _, index := range []string{"customer_ordinal", "customer_activity_ordinal", "customer_listing_ordinal"} {
			checkPlan(t, store, index, sql, args)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(cursor{Sort: "-created_at", Ordinal: 7, Back: true}.String(), "-created_at")
	f.Add(cursor{Sort: sessionSort, At: time.Now(), ID: uuid.New()}.String(), sessionSort)
	f.Add("", "x")
	past := cursor{Sort: "x", Past: &projector.Moment{Position: 7, At: time.Now()}, Judged: time.Now(), Count: &Count{Value: 3}}
	f.Add(past.String(), "x")
	for _, text := range []string{`{"s":"x","t":"9999-12-31T23:59:59-23:59"}`, `{"s":"x","o":-9223372036854775808}`, `{"s":"x","c":{"value":1e3}}`, `{"s":"x","p":{}}`, `{"s":"x","s":"y"}`} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(text)), "x")
	}
	f.Fuzz(func(t *testing.T, s, sort string) {
		c, given, err := parseCursor(s, sort)
		if err != nil || !given {
			return
		}
		if _, past := CursorMoment(s); past != (c.Past != nil) {
			t.Errorf("%+v is of the past: %v", c, past)
		}
		again, _, err := parseCursor(c.String(), sort)
		if err != nil || again.Ordinal != c.Ordinal || !again.At.Equal(c.At) || again.ID != c.ID || again.Back != c.Back {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
	})
}
