package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"customercenter/commands/policies"
	"customercenter/eventstore/relay"
	"customercenter/projections/projector"
)

// lag tells /metrics how far relay, read models and policies are behind, over all tenants. It asks the database at every scrape.
type lag struct{ n *node }

var (
	lagEvents       = prometheus.NewDesc("customercenter_lag_events", "Events of all logs that were not yet carried to the bus, folded into the read model that is served, or dealt with by the policy.", []string{"part"}, nil)
	lagSeconds      = prometheus.NewDesc("customercenter_lag_seconds", "Age of the oldest such event of any tenant.", []string{"part"}, nil)
	parked          = prometheus.NewDesc("customercenter_parked_customers", "Customers whose events cannot be applied to the read model.", []string{"projection"}, nil)
	verifiedAt      = prometheus.NewDesc("customercenter_verified_timestamp_seconds", "When the read model that is served was last compared with the log, of the tenant for whom that is longest ago; absent if it never was.", []string{"projection"}, nil)
	differingTables = prometheus.NewDesc("customercenter_differing_tables", "Tables of the read model that is served, of all tenants, that were not what the log says when they were last compared.", []string{"projection"}, nil)
	stopped         = prometheus.NewDesc("customercenter_stopped_tenants", "Tenants for whom the part stands still until somebody acts.", []string{"part"}, nil)
	openErasures    = prometheus.NewDesc("customercenter_open_erasures", "Customers who were erased and of whom something is left beside the log.", nil, nil)
	erasureSeconds  = prometheus.NewDesc("customercenter_open_erasure_seconds", "How long ago the first of them was erased. An hour is too long.", nil, nil)
	olderKeys       = prometheus.NewDesc("customercenter_keys_by_older_master", "Keys of customers and secrets of tenants that are still wrapped by an older master key, while it is being replaced.", nil, nil)
)

// Describe implements prometheus.Collector.
func (l lag) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lagEvents, lagSeconds, parked, verifiedAt, differingTables, stopped, openErasures, erasureSeconds, olderKeys} {
		out <- d
	}
}

// behind is the lag of one part over all tenants.
type behind struct {
	events, stopped, parked, differingTables int64
	seconds                                  float64
	verified                                 time.Time // zero: never
	folds                                    bool      // it is a read model, which alone parks customers
}

// Collect implements prometheus.Collector. What cannot be read is left out: absence is what an alert sees then.
func (l lag) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	parts := map[string]*behind{}
	part := func(name string) *behind {
		if parts[name] == nil {
			parts[name] = &behind{}
		}
		return parts[name]
	}
	carried, err := relay.Status(ctx, l.n.store)
	if err == nil {
		part(roleRelay)
	}
	for _, t := range carried {
		b := part(roleRelay)
		b.events += t.Lag()
		b.seconds = max(b.seconds, t.Behind.Seconds())
		if t.Stopped != "" {
			b.stopped++
		}
	}
	folded, err := l.n.projector.Status(ctx)
	if err != nil {
		folded = nil
	}
	for _, s := range folded {
		if s.State != projector.StatusLive {
			continue
		}
		b := part(s.Projection)
		b.folds = true
		b.events += s.LagEvents
		b.seconds = max(b.seconds, s.LagSeconds)
		b.parked, b.differingTables = b.parked+int64(s.Parked), b.differingTables+int64(s.Differing)
		if s.VerifiedAt != nil && (b.verified.IsZero() || s.VerifiedAt.Before(b.verified)) {
			b.verified = *s.VerifiedAt
		}
		if s.Stopped != "" {
			b.stopped++
		}
	}
	dealt, err := l.n.policies.Status(ctx)
	if err != nil {
		dealt = nil
	}
	for _, s := range dealt {
		b := part(s.Policy)
		b.events += s.Lag()
		b.seconds = max(b.seconds, s.Behind.Seconds())
	}
	if open, oldest, err := policies.OpenErasures(ctx, l.n.pool); err == nil {
		out <- prometheus.MustNewConstMetric(openErasures, prometheus.GaugeValue, float64(open))
		out <- prometheus.MustNewConstMetric(erasureSeconds, prometheus.GaugeValue, oldest.Seconds())
	}
	if older, err := l.n.keys.Older(ctx); err == nil {
		out <- prometheus.MustNewConstMetric(olderKeys, prometheus.GaugeValue, float64(older))
	}
	for name, b := range parts {
		out <- prometheus.MustNewConstMetric(lagEvents, prometheus.GaugeValue, float64(b.events), name)
		out <- prometheus.MustNewConstMetric(lagSeconds, prometheus.GaugeValue, b.seconds, name)
		out <- prometheus.MustNewConstMetric(stopped, prometheus.GaugeValue, float64(b.stopped), name)
		if b.folds {
			out <- prometheus.MustNewConstMetric(parked, prometheus.GaugeValue, float64(b.parked), name)
			out <- prometheus.MustNewConstMetric(differingTables, prometheus.GaugeValue, float64(b.differingTables), name)
		}
		if !b.verified.IsZero() {
			out <- prometheus.MustNewConstMetric(verifiedAt, prometheus.GaugeValue, float64(b.verified.Unix()), name)
		}
	}
}
