package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"customercenter/domain/filter"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// WhatIf measures how fast a rule judges over a log of simulated traffic, against one goroutine that reads and opens every event of it, which
// anything that folds the log has to do.
type WhatIf struct {
	URL    string // of an empty database; it is migrated
	Rounds int    // of baseline and product in turn
	Events int    // channel events of which the log is made
}

// Run prints a line per rule.
func (w WhatIf) Run(ctx context.Context, report *Report) error {
	p, err := openPlant(ctx, w.URL, "bench")
	if err != nil {
		return err
	}
	defer p.close()
	engine, err := projector.New(projector.Config{Store: p.store, Definitions: []projector.Definition{projections.GroupsDefinition()}})
	if err == nil {
		err = engine.EnsureBuilt(ctx, nil) // while there is nothing to fold: who is in which group is not asked
	}
	if err != nil {
		return err
	}
	head, err := p.fill(ctx, w.Events)
	if err != nil {
		return err
	}
	report.Heading("whatif: %d sealed events of one tenant, against reading and opening them by one goroutine", head)
	base := projectBench{plant: p, head: head}
	groups := projections.NewGroups(p.store, engine, projections.NewCatalogues(p.store))
	for _, rule := range []struct{ name, filter string }{
		{"by last session", `{"field":"last_session_at","op":"older_than","value":{"minutes":30}}`},
		{"by messages", `{"field":"message_count","op":"gte","value":5}`}, // which the streams of sessions say
	} {
		f, err := filter.Parse(json.RawMessage(rule.filter), &filter.Language{}, "rule")
		if err != nil {
			return err
		}
		q := projections.WhatIfQuery{Rule: f, Position: head, Until: time.Now()}
		var bases, speeds []float64
		var told projections.Hindsight
		for range w.Rounds {
			took, err := base.inMemory(ctx, projector.Definition{Name: projections.CustomersName})
			if err != nil {
				return err
			}
			bases = append(bases, float64(head)/took.Seconds())
			began := time.Now()
			if told, err = groups.WhatIf(ctx, p.tenant, q, func(int64, int64) {}, func(projections.GroupMove) error { return nil }); err != nil {
				return err
			}
			speeds = append(speeds, float64(head)/time.Since(began).Seconds())
		}
		report.Print(Line{Case: "whatif " + rule.name, Unit: "events/s", Value: Median(speeds),
			Note: fmt.Sprintf("%d customers, %d entries and leaves in %.1f s", told.Customers, told.Entered+told.Left, float64(head)/Median(speeds))}.Against(Median(bases)))
	}
	return nil
}
