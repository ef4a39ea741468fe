package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain/filter"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// What happens when a rule is thought of, defined and revised.

const share = 0.3 // of the customers, whom the rules match about

// choose finds the rule that matches a share of all customers most nearly.
func (b *groupsBench) choose(ctx context.Context, rules []condition, share float64) (best condition, matching int64, err error) {
	for _, rule := range rules {
		n, err := b.counted(ctx, rule)
		if err != nil {
			return best, 0, err
		}
		wanted := share * float64(b.Customers)
		if best.json == "" || math.Abs(float64(n)-wanted) < math.Abs(float64(matching)-wanted) {
			best, matching = rule, n
		}
	}
	return best, matching, nil
}

// spans are rules on when the last session began, by the clock.
func (b *groupsBench) spans() (rules []condition) {
	for days := 10; days < 365; days += 10 {
		rules = append(rules, is("last_session_at", "within", map[string]int{"days": days}, "last_session_at >= ?", b.list.at.AddDate(0, 0, -days)))
	}
	return rules
}

// preview shows rules before they are saved: one that sets decide, and one that looks at when customers were last there; for a new group, and
// for one that has members.
func (b *groupsBench) preview(ctx context.Context) error {
	b.report.Heading("groups: previews of rules (count, sample, who enters and leaves), p95, against counting plainly; to reach: below 2 s")
	sets, _, err := b.choose(ctx, regulars(), share)
	if err != nil {
		return err
	}
	recent, _, err := b.choose(ctx, b.spans(), share)
	if err != nil {
		return err
	}
	known, _, err := projections.NewCatalogues(b.plant.store).Groups(ctx, b.plant.tenant)
	if err != nil {
		return err
	}
	var quiet uuid.UUID
	for id, g := range known.All {
		if g.Name == groupQuiet {
			quiet = id
		}
	}
	for _, p := range []struct {
		name string
		rule condition
		of   uuid.UUID
	}{
		{"a new group, by sets", sets, uuid.Nil}, {"a new group, by time", recent, uuid.Nil},
		{"another rule, by sets", sets, quiet}, {"another rule, by time", recent, quiet},
	} {
		if err := b.previewOne(ctx, p.name, p.rule, p.of); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func (b *groupsBench) previewOne(ctx context.Context, name string, rule condition, of uuid.UUID) error {
	const fewest = 3
	var took, plainly []time.Duration
	var note string
	for round := 0; round <= max(b.Rounds, fewest); round++ {
		began := time.Now()
		count, moves, err := b.wouldBe(ctx, rule, of)
		each := time.Since(began)
		if err != nil {
			return err
		}
		began = time.Now()
		n, err := b.counted(ctx, rule)
		if err != nil {
			return err
		}
		if round == 0 { // it warms up
			continue
		}
		took, plainly = append(took, each), append(plainly, time.Since(began))
		note = fmt.Sprintf("%.1f %% match", 100*float64(n)/float64(b.Customers))
		if !count.Exact {
			note += fmt.Sprintf(", told as %d or more", count.Value)
		}
		note += moves
	}
	most := Percentile(took, 100)
	b.report.Print(Line{Case: "groups preview: " + name, Unit: "ms", Value: Percentile(took, 95), Max: &most, Note: note}.Against(Percentile(plainly, 95)).Latency(took))
	return nil
}

// wouldBe asks what a preview shows, as the API does.
func (b *groupsBench) wouldBe(ctx context.Context, rule condition, of uuid.UUID) (count projections.Count, moves string, err error) {
	const sample, patient = 10, 400 * time.Millisecond
	parsed, err := filter.Parse([]byte(rule.json), &filter.Language{}, "rule")
	if err != nil {
		return count, "", fmt.Errorf("bench: rule: %w", err)
	}
	query := projections.ListQuery{Filter: parsed, Calendar: b.list.calendar, At: b.list.at, Limit: sample}
	page, err := b.customers.List(ctx, b.plant.tenant, query)
	if err != nil {
		return count, "", err
	}
	if count = page.Count; !count.Exact {
		if count, err = b.customers.CountOf(ctx, b.plant.tenant, query, patient); err != nil {
			return count, "", err
		}
	}
	if of == uuid.Nil {
		return count, "", nil
	}
	query.Entering = of
	enter, err := b.customers.CountOf(ctx, b.plant.tenant, query, patient)
	if err != nil {
		return count, "", err
	}
	query.Entering, query.Leaving = uuid.Nil, of
	leave, err := b.customers.CountOf(ctx, b.plant.tenant, query, patient)
	return count, fmt.Sprintf("; %d enter, %d leave", enter.Value, leave.Value), err
}

// define saves a rule that sets decide, and one that moves with the clock, and measures until the members of each are known, and what people
// notice meanwhile.
func (b *groupsBench) define(ctx context.Context) error {
	b.report.Heading("groups: rules are defined, against plain SQL that writes the members down; to reach: complete in 60 s, list and commands at most 2x")
	sets, n, err := b.choose(ctx, regulars(), share)
	if err != nil {
		return err
	}
	if b.regular, err = b.defineOne(ctx, "by sets", sets, n); err != nil {
		return err
	}
	recent, n, err := b.choose(ctx, b.spans(), share)
	if err != nil {
		return err
	}
	_, err = b.defineOne(ctx, "by time", recent, n)
	return err
}

func (b *groupsBench) defineOne(ctx context.Context, name string, rule condition, matching int64) (defined *ruled, err error) {
	_, plainly, err := b.plain(ctx, `insert into plainly.member select '`+name+`', id from plainly.customer where %s`, rule)
	if err != nil {
		return nil, err
	}
	err = b.fed(ctx, func(ctx context.Context, engine *projector.Projector) error {
		quiet, err := b.bustling(ctx, engine, b.quiet)
		if err != nil {
			return err
		}
		var took time.Duration
		filling, err := b.bustling(ctx, engine, func(ctx context.Context) (err error) {
			defined, took, err = b.defineGroup(ctx, name, rule)
			return err
		})
		if err != nil {
			return err
		}
		b.seconds("define "+name+", complete", took, plainly, fmt.Sprintf("%.1f %% of the customers, %.0f customers/s looked at",
			100*float64(matching)/float64(b.Customers), float64(b.Customers)/took.Seconds()))
		b.noticed("while a rule "+name+" is filled", quiet, filling)
		return nil
	})
	return defined, err
}

// revise gives the group another rule. Until everybody has been looked at it shows the members by the former one, and then those by the new.
func (b *groupsBench) revise(ctx context.Context) error {
	if b.regular == nil {
		return nil // the part before is left out
	}
	b.report.Heading("groups: the rule is revised, with the former rule served until the new one is complete")
	var others []condition
	for _, rule := range regulars() {
		if rule.json != b.regular.rule.json {
			others = append(others, rule)
		}
	}
	rule, _, err := b.choose(ctx, others, share)
	if err != nil {
		return err
	}
	_, removed, err := b.plain(ctx, `delete from plainly.member m using plainly.customer c where m.rule = 'by sets' and c.id = m.customer and not %s`, rule)
	if err != nil {
		return err
	}
	_, added, err := b.plain(ctx, `insert into plainly.member select 'by sets', id from plainly.customer where %s on conflict do nothing`, rule)
	if err != nil {
		return err
	}
	return b.fed(ctx, func(ctx context.Context, _ *projector.Projector) error {
		before, err := b.members(ctx, b.regular)
		if err != nil {
			return err
		}
		began := time.Now()
		if _, err := (commands.ChangeGroup{Group: b.regular.id, Rule: json.RawMessage(rule.json)}).Run(ctx, b.plant.center, b.plant.by()); err != nil {
			return fmt.Errorf("bench: revise: %w", err)
		}
		counts, err := b.watchMembers(ctx)
		took := time.Since(began)
		if err != nil {
			return err
		}
		b.regular.rule = rule
		after, err := b.members(ctx, b.regular)
		if err != nil {
			return err
		}
		for i, n := range counts {
			if n != before && n != after {
				return fmt.Errorf("bench: a group shows %d members at look %d, while its rule was revised from %d to %d", n, i, before, after)
			}
		}
		b.seconds("revise, complete", took, removed+added, fmt.Sprintf("%d looks at the members: %d by the former rule until it was, %d by the new one then", len(counts), before, after))
		return nil
	})
}

// watchMembers counts the group's members again and again until those by the second revision are shown.
func (b *groupsBench) watchMembers(ctx context.Context) (counts []int64, err error) {
	err = until(ctx, seldom, func() (bool, error) {
		n, err := b.matching(ctx, inGroup(b.regular.id).json)
		if err != nil {
			return false, err
		}
		counts = append(counts, n)
		known, err := b.groups.Status(ctx, b.plant.tenant)
		return known[b.regular.id].Revision == 2 && known[b.regular.id].Filling == nil, err
	})
	return counts, err
}
