package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"customercenter/projections"
)

// baseline is what one of the copies took for a kind of questions.
type baseline struct {
	table   string
	took    []time.Duration
	timeout bool
}

// p95 is a lower bound if a question took longer than patience.
func (l *baseline) p95() float64 {
	if l.timeout {
		return float64(patience.Milliseconds())
	}
	return Percentile(l.took, 95)
}

func (l *baseline) String() string {
	if l.timeout {
		return fmt.Sprintf("> %.0f s", patience.Seconds())
	}
	return fmt.Sprintf("%.1f ms", l.p95())
}

// asked is what the product did with a kind of questions.
type asked struct {
	took             []time.Duration
	partial, inexact int
	pages            map[int]projections.Page // of the last round
}

// measure asks one kind, of the product and of the baselines in turn. Where a baseline answers, both must show the same page and count.
func (b *listBench) measure(ctx context.Context, k kind) error {
	naive, trgm := baseline{table: plainTable}, baseline{table: trgmTable}
	var baselines []*baseline
	if !b.Alone {
		baselines = append(baselines, &naive)
	}
	if b.plain.trgm {
		baselines = append(baselines, &trgm)
	}
	var product asked
	for round := range b.Rounds + 1 {
		if err := b.round(ctx, k, &product); err != nil {
			return err
		}
		for _, l := range baselines {
			if err := b.plainRound(ctx, k, l, product.pages); err != nil {
				return err
			}
			if round == 0 { // it warms up
				l.took = nil
			}
		}
		if round == 0 {
			product = asked{}
		}
	}
	p95, most := Percentile(product.took, 95), Percentile(product.took, 100)
	line := Line{Case: "list " + k.name, Unit: "ms", Value: p95, Max: &most}.Latency(product.took)
	if !b.Alone {
		line = line.Against(naive.p95())
		line.Note = "baseline " + naive.String()
	}
	if b.plain.trgm {
		second := trgm.p95()
		line.Second = &second
		line.Note += ", pg_trgm " + trgm.String()
	}
	if product.partial > 0 {
		line.Note += fmt.Sprintf("; %d of %d answers partial", product.partial, len(product.took))
	}
	if product.inexact > 0 {
		line.Note += fmt.Sprintf("; %d of %d counts a bound", product.inexact, len(product.took))
	}
	b.report.Print(line)
	return nil
}

func (b *listBench) round(ctx context.Context, k kind, to *asked) error {
	to.pages = map[int]projections.Page{}
	began := time.Now()
	for i := 0; i < questions && (i == 0 || time.Since(began) < b.Each/2); i++ {
		page, each, err := b.ask(ctx, k.ask(i))
		if err != nil {
			return err
		}
		to.took, to.pages[i] = append(to.took, each), page
		if page.Partial {
			to.partial++
		}
		if !page.Count.Exact {
			to.inexact++
		}
	}
	return nil
}

// plainRound asks a baseline what the product has answered. After a question that took too long it is not asked again.
func (b *listBench) plainRound(ctx context.Context, k kind, l *baseline, pages map[int]projections.Page) error {
	began := time.Now()
	for i := 0; i < len(pages) && !l.timeout && (i == 0 || time.Since(began) < b.Each/4); i++ {
		found, err := b.plain.ask(ctx, l.table, k.ask(i), projections.DefaultLimit)
		if err != nil {
			return err
		}
		if l.timeout = found.timeout; l.timeout {
			return nil
		}
		if err := agree(pages[i], found); err != nil {
			return err
		}
		l.took = append(l.took, found.took)
	}
	return nil
}

// agree says where a page and what is found plainly differ. A partial page shows the first of them.
func agree(page projections.Page, found answer) error {
	shown, want := make([]uuid.UUID, len(page.Items)), found.ids
	for i, c := range page.Items {
		shown[i] = c.ID
	}
	if page.Partial {
		want = want[:min(len(want), len(shown))]
	}
	if !slices.Equal(shown, want) {
		i := 0
		for i < len(shown) && i < len(want) && shown[i] == want[i] {
			i++
		}
		return fmt.Errorf("bench: the page has %d customers, plain SQL finds %d, and they differ from number %d on", len(shown), len(want), i+1)
	}
	if page.Count.Exact && min(page.Count.Value, countedTo) != found.count || !page.Count.Exact && page.Count.Value > found.count {
		return fmt.Errorf("bench: %d are counted (exactly: %t), plain SQL counts %d (up to %d)", page.Count.Value, page.Count.Exact, found.count, countedTo)
	}
	return nil
}

// crowd asks the same kinds with four clients at once: their p95 against that of one client right before, for each kind and for all kinds mixed.
func (b *listBench) crowd(ctx context.Context, kinds []kind) error {
	if len(kinds) == 0 {
		return nil
	}
	const clients = 4
	b.report.Heading("list: %d clients at once, p95, against one client; to reach: at most 3 times", clients)
	compare := func(name string, lasting time.Duration, ask func(worker, i int) question) error {
		var p95, rates [2]float64
		var took []time.Duration
		for side, n := range []int{1, clients} {
			var err error
			rates[side], took, err = run(ctx, n, lasting, func(ctx context.Context, worker, i int) error {
				_, _, err := b.ask(ctx, ask(worker, i))
				return err
			})
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			p95[side] = Percentile(took, 95)
		}
		b.report.Print(Line{Case: fmt.Sprintf("list %d clients: %s", clients, name), Unit: "ms", Value: p95[1],
			Note: fmt.Sprintf("%.0f pages/s, one client %.0f", rates[1], rates[0])}.Against(p95[0]).Latency(took))
		return nil
	}
	for _, k := range kinds {
		if err := compare(k.name, b.Each/2, func(worker, i int) question { return k.ask(worker*questions/clients + i) }); err != nil {
			return err
		}
	}
	return compare("all kinds mixed", 2*b.Each, func(worker, i int) question {
		return kinds[(worker*len(kinds)/clients+i)%len(kinds)].ask(i)
	})
}
