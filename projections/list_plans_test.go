package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/domain/filter"
	"customercenter/domain/filter/filtertest"
	"customercenter/domain/tag"
	"customercenter/eventstore/tenancy"
)

// statements collects what is asked of the database.
type statements struct {
	mu  sync.Mutex
	all []pgx.TraceQueryStartData
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, q)
	return ctx
}

func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// traced returns the queries with what they ask of the database, and a connection that explains it.
func (p *population) traced(t *testing.T) (*Customers, *statements, *pgx.Conn) {
	t.Helper()
	asked := &statements{}
	config := p.store.Pool().Config()
	config.ConnConfig.Tracer = asked
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	// With twenty thousand customers it is often right to read a table from end to end. A plan that still does so here has no index to use.
	db := p.narrowed(t)
	if _, err := db.Exec(t.Context(), `set enable_seqscan = off`); err != nil {
		t.Fatal(err)
	}
	customers := *p.customers
	customers.pool = tenancy.Over(pool)
	return &customers, asked, db
}

// narrowed is a connection that sees what a narrowed context does.
func (p *population) narrowed(t *testing.T) *pgx.Conn {
	t.Helper()
	acquired, err := p.store.Pool().Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db := acquired.Hijack() // it ends with its settings
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	if _, err := db.Exec(t.Context(), `set role customercenter_app; set customercenter.tenant = `+tenantOfList); err != nil {
		t.Fatal(err)
	}
	return db
}

// used are the indexes by which everything that was asked since the beginning is found.
func (s *statements) used(t *testing.T, db *pgx.Conn) (used []string) {
	t.Helper()
	for _, one := range s.all {
		if strings.Contains(one.SQL, "select") { // else a transaction begins or ends
			used = append(used, indexes(t, db, one)...)
		}
	}
	return used
}

// Whatever a list asks of the database is found by an index; and by the one that is made for it.
func TestListPlans(t *testing.T) {
	p := newPopulation(t, 400, 20_000)
	if _, err := p.store.Pool().Exec(t.Context(), `analyze`); err != nil {
		t.Fatal(err)
	}
	customers, asked, db := p.traced(t)

	one := func(field, op, value string) string {
		return fmt.Sprintf(`{"field":%q,"op":%q,"value":%s}`, field, op, value)
	}
	all := func(conditions ...string) string { return `{"all":[` + strings.Join(conditions, ",") + `]}` }
	tagged := one("tags", "has_any", fmt.Sprintf("[%q]", filtertest.Tags[0]))
	untagged := one("tags", "has_none", fmt.Sprintf("[%q]", filtertest.Tags[1]))
	const bits, grams, order, terms = "customer_bits_pkey", "customer_gram_bits_pkey", "customer_ordinal", "customer_text_terms"
	// Whether the index of terms is searched or the texts are looked at depends on how long each takes, see TestSearchPlans.
	const searched = terms + " or customer_text_pkey"
	for name, c := range map[string]struct {
		filter, sort string
		facets       []string
		indexes      []string
	}{
		"everybody":                 {`{}`, "", nil, []string{order}},
		"created in a span":         {one("created_at", "between", `["2026-10-01T00:00:00Z","2026-10-08T00:00:00Z"]`), "", nil, []string{"customer_created"}},
		"tag":                       {tagged, "", nil, []string{order}},
		"tags, counted by facets":   {all(tagged, untagged), "", Facets(), []string{order}},
		"one character":             {one("any_text", "contains", `"王"`), "", nil, []string{grams}},
		"two characters":            {one("any_text", "contains", `"小明"`), "", nil, []string{searched}},
		"latin":                     {one("any_text", "contains", `"fang"`), "", nil, []string{searched}},
		"nobody's name":             {one("name", "contains", `"absent"`), "", nil, []string{grams}},
		"part of an id":             {one("external_id", "contains", `"n-1999"`), "", nil, []string{searched}},
		"part of a phone":           {one("phone", "contains", `"0013"`), "", nil, []string{searched}},
		"characters and tag":        {all(tagged, one("name", "contains", `"小明"`)), "", nil, []string{"customer_text_pkey"}},
		"another text":              {one("description", "contains", `"王"`), "", nil, []string{"customer_text_pkey"}},
		"messages":                  {one("message_count", "gte", "2"), "", nil, []string{"customer_activity_ordinal"}},
		"rating and tag":            {all(tagged, one("rating_avg", "lt", "3.5")), "", nil, []string{"customer_activity_ordinal"}},
		"last session":              {one("last_session_at", "after", `"2026-10-20T00:00:00Z"`), "", nil, []string{"customer_activity_last_session"}},
		"updated":                   {one("updated_at", "after", `"2026-12-30T00:00:00Z"`), "", nil, []string{"customer_updated"}},
		"first session":             {one("first_session_at", "before", `"2026-10-30T00:00:00Z"`), "", nil, []string{"customer_activity_ordinal"}},
		"custom number":             {one("custom.score", "gt", "1"), "", nil, []string{"customer_value_order"}},
		"custom date":               {one("custom.birthday", "before", `"2026-10-20T00:00:00Z"`), "", nil, []string{"customer_value_order"}},
		"by last session":           {`{}`, SortLastSessionDesc, nil, []string{"customer_activity_last_session"}},
		"by update, oldest":         {untagged, SortUpdated, nil, []string{"customer_updated"}},
		"by nickname":               {untagged, SortNickname, nil, []string{"customer_nickname"}},
		"few by nickname":           {tagged, SortNicknameDesc, nil, []string{order}},
		"few by last session":       {tagged, SortLastSession, nil, []string{"customer_activity_ordinal"}},
		"by a custom number":        {`{}`, "-custom.score", nil, []string{"customer_value_order"}},
		"a few by a custom number":  {tagged, "custom.score", nil, []string{"customer_value_pkey"}},
		"by a custom date":          {one("description", "contains", `"王"`), "custom.birthday", nil, []string{"customer_value_order"}},
		"text by last session":      {one("name", "contains", `"小明"`), SortLastSessionDesc, nil, []string{"customer_activity_last_session", "customer_text_pkey"}},
		"not on the blacklist":      {one("blacklisted", "is", "false"), "", nil, []string{order}},
		"when put on the blacklist": {one("blacklisted_at", "before", `"2026-12-01T00:00:00Z"`), "", nil, []string{order}},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := filter.Parse([]byte(c.filter), p.language(), "filter")
			if err != nil {
				t.Fatal(err)
			}
			q := ListQuery{Filter: f, Calendar: filter.Calendar{Zone: time.UTC}, At: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), Sort: c.sort, Facets: c.facets}
			asked.all, customers.memory = nil, newSetMemory(setMemorySize)
			for range 2 { // with a cursor, too
				page, err := customers.List(t.Context(), tenantOfList, q)
				if err != nil {
					t.Fatal(err)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if _, err := customers.Matching(t.Context(), tenantOfList, f, q.Calendar, q.At, 0, 1000); err != nil {
				t.Fatal(err)
			}
			used := asked.used(t, db)
			for _, index := range c.indexes {
				if !slices.ContainsFunc(strings.Split(index, " or "), func(index string) bool { return slices.Contains(used, index) }) {
					t.Errorf("%s is not used, but %v", index, used)
				}
			}
			if !slices.Contains(used, bits) && !slices.Contains(used, grams) {
				t.Errorf("no sets are read by their key, but %v", used)
			}
		})
	}
}

// A search finds parts of texts by the index of terms.
func TestSearchPlans(t *testing.T) {
	p := newPopulation(t, 400, 20_000)
	if _, err := p.store.Pool().Exec(t.Context(), `analyze`); err != nil {
		t.Fatal(err)
	}
	build, err := p.customers.builds.Live(t.Context(), CustomersName)
	if err != nil {
		t.Fatal(err)
	}
	db := p.narrowed(t)
	for _, raw := range []string{
		`{"field":"any_text","op":"contains","value":"小明"}`, `{"field":"name","op":"contains","value":"fang"}`,
		`{"field":"external_id","op":"contains","value":"n-1999"}`, `{"field":"phone","op":"contains","value":"0013"}`,
	} {
		f, err := filter.Parse([]byte(raw), p.language(), "filter")
		if err != nil {
			t.Fatal(err)
		}
		s := newSight(newSetMemory(setMemorySize), p.store.Pool(), tenantOfList)
		a, err := newAnswer(t.Context(), s, build.Schema, &question{root: f.Root(), at: time.Now(), cal: filter.Calendar{Zone: time.UTC}, tags: &tag.State{}})
		if err != nil {
			t.Fatal(err)
		}
		if !a.searchable() {
			t.Errorf("%s is not searched", raw)
		}
		for _, n := range a.judged {
			sql, args := a.searchSQL(n, []int{0, 1})
			if used := indexes(t, db, pgx.TraceQueryStartData{SQL: sql, Args: args}); !slices.Contains(used, "customer_text_terms") {
				t.Errorf("%s is searched by %v", raw, used)
			}
		}
	}
}

// indexes are those that a statement uses. Nothing is read from end to end.
func indexes(t *testing.T, db *pgx.Conn, s pgx.TraceQueryStartData) (names []string) {
	t.Helper()
	args := slices.DeleteFunc(slices.Clone(s.Args), func(a any) bool { _, mode := a.(pgx.QueryExecMode); return mode })
	var text []byte
	if err := db.QueryRow(t.Context(), "explain (format json) "+s.SQL, append([]any{planned}, args...)...).Scan(&text); err != nil {
		t.Fatalf("%v: %s", err, s.SQL)
	}
	var plans []struct{ Plan plan }
	if err := json.Unmarshal(text, &plans); err != nil {
		t.Fatal(err)
	}
	plans[0].Plan.walk(func(n plan) {
		if n.Type == "Seq Scan" {
			t.Errorf("%s is read from end to end\n%s\n%s", n.Table, s.SQL, text)
		}
		names = append(names, n.Index)
	})
	return names
}
