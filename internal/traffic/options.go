package traffic

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"time"
)

// Options says what traffic to generate. Begin with Defaults: in a zero Options most fields are refused or mean "none".
type Options struct {
	// Seed decides everything that is drawn. People and their external ids depend on Seed and Associations alone, so that
	// two runs with one seed and different starts are about the same people. Ids of events and messages depend on
	// every option: a run with other options is never taken for a repetition of an earlier one.
	Seed uint64
	// Tenant is the slug in the subjects.
	Tenant string
	// Customers is how many people there are who may write.
	Customers int
	// Events is how many events to generate, duplicates and malformed ones included; 0 means without end.
	// When they are used up, some sessions are still open, as they are in a real installation.
	Events int
	// PerSecond is how dense the traffic is, in events per second of the generator's clock, averaged over many sessions.
	// 0 spreads Events over four hours, or is 50 when there is no end. A pool of few Customers makes it thinner: a person has one session at a time.
	PerSecond float64

	// Start is where the generator's clock begins. Required unless Clock is set. Events follow each other on that
	// clock whatever time they are asked for: the caller sees to it that times stay out of the product's future (Until).
	Start time.Time
	// Until ends the traffic before the first event that would be stamped after it; zero means no such end.
	Until time.Time
	// Clock, if set, makes the traffic live: the order of events is the same as without it, but each is stamped with what Clock says
	// when the event is written. Truncated to microseconds, and never earlier than the customer's last event.
	Clock func() time.Time

	// Associations are the connected accounts that people write to; Agents the ids of those who answer. With one agent nothing is transferred.
	Associations []Association
	Agents       []string

	// Duplicates is the share of events that are sent again later, unchanged: 0.01 is one in a hundred.
	Duplicates float64
	// Late is the share of events that are messages written before the close of their session and arriving after it,
	// less than ten minutes (of the generator's clock) after they were written.
	Late float64
	// Malformed is the share of events that the product must refuse; see Defects.
	Malformed float64
}

// Association is a connected account of a channel.
type Association struct {
	ID      int    `json:"id"`
	Channel string `json:"channel"` // app, web, wechat, weibo, phone, api
	Account string `json:"account"`
}

// channelWeights says how much of the traffic an association of each channel gets, relative to the others.
var channelWeights = map[string]uint64{"app": 40, "wechat": 30, "web": 22, "weibo": 6, "phone": 1, "api": 1}

// Defaults returns options that describe a mid-sized installation with four channels: 10,000 people, 1 % duplicates, 2 %
// late messages, nothing malformed, without end. Start, or Clock, is left to the caller.
func Defaults() Options {
	return Options{
		Seed:      1,
		Tenant:    "demo",
		Customers: 10_000,
		Associations: []Association{
			{ID: 1, Channel: "app", Account: "demo#shop"},
			{ID: 2, Channel: "web", Account: "demo-web"},
			{ID: 3, Channel: "wechat", Account: "gh_demo"},
			{ID: 4, Channel: "weibo", Account: "demo-weibo"},
		},
		Agents:     []string{"agent-chen", "agent-li", "agent-liu", "agent-wang", "agent-zhang", "agent-zhao"},
		Duplicates: 0.01,
		Late:       0.02,
	}
}

// check says in words what is wrong with the options; all of it, not only the first.
func (o Options) check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Tenant == "" || strings.Trim(o.Tenant, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		wrong("tenant must be a slug of a-z, 0-9 and -")
	}
	if o.Customers < 1 || o.Customers > math.MaxInt32 {
		wrong("customers must be between 1 and %d", math.MaxInt32)
	}
	if o.Events < 0 {
		wrong("events must not be negative")
	}
	if o.PerSecond < 0 || o.PerSecond > 1e6 || math.IsNaN(o.PerSecond) {
		wrong("events per second must be between 0 and 1,000,000")
	}
	if o.Clock == nil && o.Start.IsZero() {
		wrong("a start, or a clock, is required")
	}
	if len(o.Agents) == 0 {
		wrong("at least one agent is required")
	}
	for i, agent := range o.Agents {
		if strings.TrimSpace(agent) == "" || slices.Contains(o.Agents[:i], agent) {
			wrong("agent ids must be different and not empty, number %d is not", i+1)
		}
	}
	if len(o.Associations) == 0 {
		wrong("at least one association is required")
	}
	seen := map[int]bool{}
	for _, a := range o.Associations {
		if channelWeights[a.Channel] == 0 {
			wrong("association %d has the unknown channel %q", a.ID, a.Channel)
		}
		if a.ID < 1 || seen[a.ID] {
			wrong("association ids must be positive and different, %d is not", a.ID)
		}
		seen[a.ID] = true
	}
	for _, share := range []struct {
		name  string
		value float64
		limit float64
	}{{"duplicates", o.Duplicates, 0.5}, {"late", o.Late, 0.1}, {"malformed", o.Malformed, 0.5}} {
		if !(share.value >= 0 && share.value <= share.limit) {
			wrong("the share of %s must be between 0 and %g", share.name, share.limit)
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("traffic: %w", errors.Join(errs...))
	}
	return nil
}

// perSecond is the density with its default filled in.
func (o Options) perSecond() float64 {
	switch {
	case o.PerSecond > 0:
		return o.PerSecond
	case o.Events > 0:
		return float64(o.Events) / (4 * 60 * 60)
	default:
		return 50
	}
}

// fingerprint mixes all options (and the start that was resolved from the clock) into the number that ids begin from.
func (o Options) fingerprint(start time.Time) uint64 {
	h := fnv.New64a()
	fmt.Fprintln(h, o.Seed, o.Tenant, o.Customers, o.Events, o.PerSecond, start.UnixNano(), o.Until.UnixNano(), o.Clock != nil,
		o.Associations, o.Agents, o.Duplicates, o.Late, o.Malformed)
	return mix(h.Sum64())
}

// associationTable is a table in which every association appears in proportion to its channel's weight, so that one draw picks one.
func associationTable(associations []Association) []int {
	var table []int
	for i, a := range associations {
		table = append(table, slices.Repeat([]int{i}, int(channelWeights[a.Channel]))...)
	}
	return table
}
