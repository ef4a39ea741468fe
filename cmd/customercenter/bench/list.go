package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// List measures the customer list: whole pages with their count up to 1,000, as the API gives them, against the SQL that first comes to mind for
// both, over the same table in the same database: conditions with ILIKE, ORDER BY created_at, LIMIT, OFFSET, count(*).
type List struct {
	URL       string // of an empty database; it is migrated
	Rounds    int    // of baseline and product in turn
	Each      time.Duration
	Customers int
}

type listBench struct {
	List
	plant     *plant
	people    *people
	customers *projections.Customers
	schema    string
	deep      []deepPage
}

// deepPage is a page in the middle of the list.
type deepPage struct {
	cursor string
	offset int
}

// kind is one kind of question. Its i-th question is the same for the product and for the baseline.
type kind struct {
	name   string
	ask    func(i int) projections.ListQuery
	naive  func(i int) (where string, args []any) // arguments from $2 on
	offset bool                                   // the argument is an offset
}

const (
	questions = 40   // of a kind in a round, at most
	countedTo = 1001 // as in the product
)

// Run prints one line per kind of question.
func (l List) Run(ctx context.Context, report *Report) (err error) {
	b := &listBench{List: l}
	if b.plant, err = openPlant(ctx, l.URL, "bench"); err != nil {
		return err
	}
	defer b.plant.close()
	if b.people, err = b.plant.populate(ctx, l.Customers); err != nil {
		return err
	}
	engine, err := projector.New(projector.Config{Store: b.plant.store, Definitions: []projector.Definition{projections.CustomersDefinition()}})
	if err == nil {
		err = engine.EnsureBuilt(ctx, nil)
	}
	if err != nil {
		return err
	}
	build, err := engine.Live(ctx, projections.CustomersName)
	if err != nil {
		return err
	}
	b.schema = pgx.Identifier{build.Schema}.Sanitize()
	b.customers = projections.NewCustomers(b.plant.store, engine, projections.NewCatalogues(b.plant.store))
	if err := b.settle(ctx); err != nil {
		return err
	}
	if err := b.goDeep(ctx); err != nil {
		return err
	}
	report.Heading("list: pages of %d out of %d customers, against ILIKE, ORDER BY, LIMIT; a ratio below 1 is faster", projections.DefaultLimit, l.Customers)
	for _, k := range b.kinds() {
		if err := b.measure(ctx, report, k); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return nil
}

// settle does at once what autovacuum would do in the middle of a measurement.
func (b *listBench) settle(ctx context.Context) error {
	for _, table := range []string{"customer", "customer_text", "customer_activity"} {
		if _, err := b.plant.pool.Exec(ctx, `vacuum (analyze) `+b.schema+`.`+table); err != nil {
			return fmt.Errorf("bench: vacuum: %w", err)
		}
	}
	return nil
}

// goDeep pages to the middle of the list, so that cursors from there can be asked for.
func (b *listBench) goDeep(ctx context.Context) error {
	const size = projections.MaxLimit
	q := projections.ListQuery{Limit: size}
	for seen := size; seen <= b.Customers*6/10 || len(b.deep) == 0; seen += size {
		page, err := b.customers.List(ctx, b.plant.tenant, q)
		if err != nil {
			return err
		}
		if page.Next == "" {
			b.deep = append(b.deep, deepPage{"", 0}) // the list has one page
			return nil
		}
		q.Cursor = page.Next
		if seen >= b.Customers*4/10 {
			b.deep = append(b.deep, deepPage{page.Next, seen})
		}
	}
	return nil
}

// kinds are the questions.
func (b *listBench) kinds() []kind {
	p := b.people
	week := time.Now().Add(-7 * 24 * time.Hour)
	same := func(name string, q projections.ListQuery, where string, args ...any) kind {
		return kind{name: name, ask: func(int) projections.ListQuery { return q }, naive: func(int) (string, []any) { return where, args }}
	}
	named := func(name string, needles []string) kind {
		needle := func(i int) string { return needles[i%len(needles)] }
		return kind{name: name, ask: func(i int) projections.ListQuery { return projections.ListQuery{Name: needle(i)} },
			naive: func(i int) (string, []any) { return "(nickname ilike $2 or name ilike $2)", []any{like(needle(i))} }}
	}
	deep := func(i int) deepPage { return b.deep[i%len(b.deep)] }
	id := func(i int) string { return p.ids[i%len(p.ids)] }
	pair := func(i int) string { return p.pairs[i%len(p.pairs)] }
	common, rare := []uuid.UUID{p.common}, []uuid.UUID{p.rare}
	return []kind{
		same("default: the last 7 days", projections.ListQuery{From: week}, "created_at >= $2", week),
		same("all", projections.ListQuery{}, "true"),
		{name: "deep page", offset: true, ask: func(i int) projections.ListQuery { return projections.ListQuery{Cursor: deep(i).cursor} },
			naive: func(i int) (string, []any) { return "true", []any{deep(i).offset} }},
		same("channel", projections.ListQuery{Channels: []string{domain.ChannelWeibo}}, "channel = $2", domain.ChannelWeibo),
		same("tag of every third", projections.ListQuery{Tags: common}, "tags && $2", common),
		same("tag of one in a thousand", projections.ListQuery{Tags: rare}, "tags && $2", rare),
		named("name, 1 common character", p.commonest),
		named("name, 1 rare character", p.rarest),
		named("name, 2 characters", p.pairs),
		named("name, 3 characters", p.triples),
		named("name of nobody", []string{"龘靐", "齉龘靐", "zzqx"}),
		{name: "id, 4 characters", ask: func(i int) projections.ListQuery { return projections.ListQuery{ID: id(i)} },
			naive: func(i int) (string, []any) { return "external_id ilike $2", []any{like(id(i))} }},
		{name: "tag, channel and name", ask: func(i int) projections.ListQuery {
			return projections.ListQuery{Tags: common, Channels: []string{domain.ChannelApp}, Name: pair(i)}
		}, naive: func(i int) (string, []any) {
			return "tags && $2 and channel = $3 and (nickname ilike $4 or name ilike $4)", []any{common, domain.ChannelApp, like(pair(i))}
		}},
	}
}

// like is the pattern for texts that contain a text.
func like(needle string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(needle) + "%"
}

// measure asks one kind, the baseline and the product in turn. They must find as many.
func (b *listBench) measure(ctx context.Context, report *Report, k kind) error {
	var took, base []time.Duration
	partial := 0
	for round := range b.Rounds + 1 {
		found := map[int]int{}
		began := time.Now()
		var naive, ours []time.Duration
		for i := 0; i < questions && (i == 0 || time.Since(began) < b.Each/4); i++ {
			asked := time.Now()
			n, err := b.naive(ctx, k, round*questions+i)
			if err != nil {
				return err
			}
			naive, found[i] = append(naive, time.Since(asked)), n
		}
		began = time.Now()
		for i := 0; i < questions && (i == 0 || time.Since(began) < b.Each/4); i++ {
			asked := time.Now()
			page, err := b.customers.List(ctx, b.plant.tenant, k.ask(round*questions+i))
			if err != nil {
				return err
			}
			ours = append(ours, time.Since(asked))
			if page.Partial {
				partial++
			} else if n, asked := found[i]; asked && n != len(page.Items) {
				return fmt.Errorf("bench: the page has %d customers, plain SQL finds %d", len(page.Items), n)
			}
		}
		if round > 0 { // the first warms up
			took, base = append(took, ours...), append(base, naive...)
		}
	}
	note := fmt.Sprintf("max %.2f ms; baseline p50 %.2f ms", Percentile(took, 100), Percentile(base, 50))
	if partial > 0 {
		note += fmt.Sprintf("; %d answers partial", partial)
	}
	report.Print(Line{Case: "list " + k.name + ": p95", Unit: "ms", Value: Percentile(took, 95), Note: note}.Against(Percentile(base, 95)).Latency(took))
	return nil
}

// naive asks plainly, for a page and for the count, and returns how many are on the page.
func (b *listBench) naive(ctx context.Context, k kind, i int) (n int, err error) {
	where, args := k.naive(i)
	args = append([]any{b.plant.tenant}, args...)
	sql := fmt.Sprintf(`select * from %s.customer where tenant = $1 and %s order by created_at desc limit %d`, b.schema, where, projections.DefaultLimit)
	count := fmt.Sprintf(`select count(*) from (select from %s.customer where tenant = $1 and %s limit %d) c`, b.schema, where, countedTo)
	counted := args
	if k.offset {
		sql += ` offset $2`
		counted = args[:1]
	}
	var total int
	if err := b.plant.pool.QueryRow(ctx, count, counted...).Scan(&total); err != nil {
		return 0, fmt.Errorf("bench: plain count: %w", err)
	}
	rows, err := b.plant.pool.Query(ctx, sql, args...)
	if err != nil {
		return 0, fmt.Errorf("bench: plain query: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if _, err := rows.Values(); err != nil {
			return 0, fmt.Errorf("bench: plain query: %w", err)
		}
		n++
	}
	if err := rows.Err(); err != nil {
		return 0, fmt.Errorf("bench: plain query: %w", err)
	}
	return n, nil
}
