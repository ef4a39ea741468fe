package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"customercenter/projections"
	"customercenter/projections/projector"
)

// histories measures pages of the two customers' histories, against reading all that the log has of the customer, once.
func (b *transcriptBench) histories(ctx context.Context, report *Report, engine *projector.Projector) error {
	history := projections.NewHistory(b.plant.store, engine)
	head, err := b.plant.store.Head(ctx, b.plant.tenant)
	if err != nil {
		return err
	}
	for _, kind := range []struct {
		name     string
		customer uuid.UUID
		before   func(i int) int64
	}{
		{"many sessions, the newest", b.many, func(int) int64 { return 0 }},
		{"many sessions, from one in the middle back", b.many, func(i int) int64 { return 1 + (head/2+int64(i)*7919)%head }},
		{"a long session, the newest", b.long, func(int) int64 { return 0 }},
	} {
		asked := time.Now()
		if _, err := b.plant.pool.Exec(ctx, `select position, type, data, meta from events where tenant = $1 and customer = $2 order by position desc`,
			b.plant.tenant, kind.customer); err != nil {
			return fmt.Errorf("bench: plain query: %w", err)
		}
		naive := time.Since(asked)
		var took []time.Duration
		for i, began := 0, time.Now(); i < questions*b.Rounds && (i < 2 || time.Since(began) < b.Each); i++ {
			asked := time.Now()
			if _, err := history.Of(ctx, b.plant.tenant, projections.HistoryQuery{Customer: kind.customer, Before: kind.before(i)}); err != nil {
				return err
			}
			if i > 0 { // the first warms up
				took = append(took, time.Since(asked))
			}
		}
		report.Print(Line{Case: "history " + kind.name + ": p95", Unit: "ms", Value: Percentile(took, 95)}.
			Against(float64(naive.Nanoseconds()) / 1e6).Latency(took))
	}
	return nil
}
