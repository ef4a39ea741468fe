package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"customercenter/domain"
	"customercenter/projections"
)

// facets measures pages with the counts per tag, channel and group beside them, against GROUP BY over the plain copy, which must count the same.
func (b *listBench) facets(ctx context.Context) error {
	common := tagged("has_any", b.tag(1))
	b.report.Heading("list: pages with the counts per tag, channel and group beside them, p95, against GROUP BY tag and channel; to reach: below 30 ms")
	for _, k := range []kind{
		always("everybody", everybody()),
		always("created this week", created(b.week, b.week.AddDate(0, 0, 7)).question()),
		always("tag, common", common.question()),
		always("tag, rare", tagged("has_any", b.tag(catalogueTags)).question()),
		always("channel", channel(domain.ChannelWeibo).question()),
		always("channel, not the tag", all(channel(domain.ChannelApp), not(common)).question()),
		always("1 character, common", called("王").question()),
	} {
		if err := b.facet(ctx, k); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return nil
}

func (b *listBench) facet(ctx context.Context, k kind) error {
	q := k.ask(0)
	var want map[string]map[string]int64
	var plainly time.Duration
	if !b.Alone {
		var err error
		if want, plainly, err = b.groupBy(ctx, q); err != nil {
			return err
		}
	}
	names := []string{projections.FacetTags, projections.FacetChannel, projections.FacetGroups}
	if b.Ungrouped {
		names = names[:2]
	}
	var took []time.Duration
	for i, began := 0, time.Now(); i < 2 || i < questions*b.Rounds && time.Since(began) < b.Each; i++ {
		page, each, err := b.ask(ctx, q, names...)
		if err != nil {
			return err
		}
		for facet, values := range want {
			for value, n := range values {
				if got := page.Facets[facet][value]; got != n {
					return fmt.Errorf("bench: %d customers are counted for a value of %s, plain SQL counts %d", got, facet, n)
				}
			}
		}
		if i > 0 { // the first warms up
			took = append(took, each)
		}
	}
	most := Percentile(took, 100)
	line := Line{Case: "list counts beside: " + k.name, Unit: "ms", Value: Percentile(took, 95), Max: &most}.Latency(took)
	if !b.Alone {
		line = line.Against(float64(plainly) / float64(time.Millisecond))
	}
	b.report.Print(line)
	return nil
}

// groupBy counts plainly, by facet and value.
func (b *listBench) groupBy(ctx context.Context, q question) (map[string]map[string]int64, time.Duration, error) {
	counts := map[string]map[string]int64{}
	began := time.Now()
	for facet, sql := range map[string]string{
		projections.FacetTags:    `select tag::text, count(*) from (select unnest(tags) as tag from %s where %s) t group by tag`,
		projections.FacetChannel: `select channel, count(*) from %s where %s group by channel`,
	} {
		rows, err := b.plant.pool.Query(ctx, fmt.Sprintf(sql, plainTable, q.where), append([]any{pgx.QueryExecModeCacheDescribe}, q.args...)...)
		if err != nil {
			return nil, 0, fmt.Errorf("bench: plain counts: %w", err)
		}
		counts[facet] = map[string]int64{}
		var value string
		var n int64
		if _, err := pgx.ForEachRow(rows, []any{&value, &n}, func() error {
			counts[facet][value] = n
			return nil
		}); err != nil {
			return nil, 0, fmt.Errorf("bench: plain counts: %w", err)
		}
	}
	return counts, time.Since(began), nil
}
