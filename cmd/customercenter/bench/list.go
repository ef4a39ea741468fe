package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/filter"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// List measures the customer list over a year of a customer center: whole pages with their count, as the API gives them, against two baselines
// over copies of the same rows in the same database (see plain). Then the list with four clients at once, the counts beside it, what it costs to
// keep its tables up to date, and how large they are.
type List struct {
	// URL is of a database that is empty, or that an earlier run has filled with as many customers: then it is used again.
	URL       string
	Rounds    int // of baselines and product in turn
	Each      time.Duration
	Customers int
	Kinds     string // if not empty, only questions whose kind contains it, and of the rest only counts beside, pages, sizes or writes, likewise
	Kept      bool   // the database is for further runs, too: nothing is written to it
	Alone     bool   // without the baselines, which take longer to copy and to ask than all else at five million customers
	Ungrouped bool   // the read model of groups is not built, which takes as long as that of the list, and nothing is asked by groups
}

type listBench struct {
	List
	report    *Report
	plant     *plant
	year      *year
	engine    *projector.Projector
	customers *projections.Customers
	schema    string // of the read model, quoted
	plain     *plain
	needles   *needles
	groups    map[string]uuid.UUID // by name
	wound     time.Time            // where the clock of the groups stands
	at        time.Time            // when the year ends: what "now" is to the questions
	week      time.Time            // when the week of at begins
	calendar  filter.Calendar
	deep      []deepPage
}

// deepPage is a page in the middle of the list.
type deepPage struct {
	cursor string
	offset int
}

const (
	questions = 40   // of a kind in a round, at most
	countedTo = 1001 // by the baselines; the product counts exactly where sets decide
)

// Run prints one line per kind of question, and more.
func (l List) Run(ctx context.Context, report *Report) (err error) {
	b := &listBench{List: l, report: report}
	if b.plant, err = connectPlant(ctx, l.URL, "bench"); err != nil {
		return err
	}
	defer b.plant.close()
	for _, prepare := range []func(context.Context) error{b.fill, b.build, b.prepare, b.goDeep} {
		if err := prepare(ctx); err != nil {
			return err
		}
	}
	report.Heading("list: pages of %d out of %d customers, p95, against ILIKE, && and ORDER BY over btrees, and (second baseline) over GIN indexes of pg_trgm and tags; a ratio below 1 is faster",
		projections.DefaultLimit, l.Customers)
	kinds := b.kinds()
	for _, k := range kinds {
		if err := b.measure(ctx, k); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	if err := b.crowd(ctx, kinds); err != nil {
		return err
	}
	for _, rest := range []struct {
		name string
		run  func(context.Context) error
	}{{"counts beside", b.facets}, {"pages", b.pages}, {"sizes", b.sizes}, {"writes", b.writes}} {
		if !strings.Contains(rest.name, b.Kinds) {
			continue
		}
		if rest.name == "writes" && b.Kept {
			report.Tell("the database is kept: how fast it is written to is not measured")
			continue
		}
		if err := rest.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// prepare finds what can be asked.
func (b *listBench) prepare(ctx context.Context) error {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	b.calendar = filter.Calendar{Zone: zone, WeekStart: time.Monday}
	local := b.at.In(zone)
	b.week = time.Date(local.Year(), local.Month(), local.Day()-(int(local.Weekday())+6)%7, 0, 0, 0, 0, zone)
	b.needles, err = findNeedles(ctx, b.plant.pool, b.schema, b.Customers)
	return err
}

// goDeep pages to the middle of the list, so that cursors from there can be asked for.
func (b *listBench) goDeep(ctx context.Context) error {
	const size = projections.MaxLimit
	q := projections.ListQuery{Limit: size, Calendar: b.calendar, At: b.at}
	for seen := size; len(b.deep) < questions; seen += size {
		page, err := b.customers.List(ctx, b.plant.tenant, q)
		if err != nil {
			return err
		}
		if q.Cursor = page.Next; page.Next == "" {
			break
		}
		if seen >= b.Customers/2 {
			b.deep = append(b.deep, deepPage{page.Next, seen})
		}
	}
	if len(b.deep) == 0 {
		b.deep = append(b.deep, deepPage{"", 0}) // the list has one page
	}
	return nil
}

// ask asks the product.
func (b *listBench) ask(ctx context.Context, q question, facets ...string) (projections.Page, time.Duration, error) {
	parsed, err := filter.Parse([]byte(q.filter), &filter.Language{Groups: true}, "filter")
	if err != nil {
		return projections.Page{}, 0, fmt.Errorf("bench: filter: %w", err)
	}
	asked := time.Now()
	page, err := b.customers.List(ctx, b.plant.tenant, projections.ListQuery{
		Filter: parsed, Calendar: b.calendar, At: b.at, ServedBy: q.served, Sort: q.sort, Cursor: q.cursor, Facets: facets})
	return page, time.Since(asked), err
}
