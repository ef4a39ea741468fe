package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"customercenter/internal/traffic"
)

// simulateCommand sends realistic traffic.
type simulateCommand struct {
	target      `prefix:""`
	Tenant      string            `help:"Whose channels. Default: the demo tenant of the data directory." placeholder:"SLUG"`
	Association []associationFlag `help:"Associations to write to, as ID:CHANNEL:ACCOUNT; repeat for several. Default: the demo tenant's." placeholder:"ID:CHANNEL:ACCOUNT"`
	Seed        uint64            `help:"The same seed gives the same people; with --start too, the same events." default:"1"`
	Customers   int               `help:"How many people there are who may write." default:"2000"`
	Events      int               `help:"How many events to send; 0 for no end." default:"20000"`
	Rate        float64           `help:"Events per second; 0 for as fast as it goes." default:"0"`
	Start       time.Time         `help:"Stamp events from this instant on (RFC 3339), spread over four hours. Default: live with --rate, else four hours ago." placeholder:"TIME"`
	Duplicates  float64           `help:"Share of events sent a second time." default:"0.01"`
	Late        float64           `help:"Share of messages that arrive after the close of their session." default:"0.02"`
	Malformed   float64           `help:"Share of events that must be refused." default:"0"`
	InFlight    int               `help:"How many events may be under way to NATS." default:"256"`
	JSON        bool              `help:"Print the report as one JSON object."`
}

// Run sends the traffic and reports what it sent.
func (c *simulateCommand) Run(env *environment) error {
	f, err := c.find()
	if err != nil {
		return err
	}
	if err := f.needNATS(); err != nil {
		return err
	}
	o := traffic.Defaults()
	o.Seed, o.Customers, o.Events, o.Duplicates, o.Late, o.Malformed = c.Seed, c.Customers, c.Events, c.Duplicates, c.Late, c.Malformed
	switch {
	case c.Tenant != "" && len(c.Association) > 0:
		o.Tenant, o.Associations = c.Tenant, nil
		for _, a := range c.Association {
			o.Associations = append(o.Associations, traffic.Association(a))
		}
	case f.run != nil && f.run.Tenant != "" && c.Tenant == "" && len(c.Association) == 0:
		o.Tenant, o.Associations = f.run.Tenant, f.run.Associations
	default:
		return usageError{"whose channels? Give --tenant and at least one --association, or the --data directory of an `up --demo`"}
	}
	switch {
	case !c.Start.IsZero():
		o.Start = c.Start
	case c.Rate > 0:
		o.Clock, o.PerSecond = time.Now, c.Rate
	default:
		o.Start, o.Until = time.Now().Add(-4*time.Hour), time.Now()
	}
	generator, err := traffic.New(o)
	if err != nil {
		return usageError{err.Error()}
	}
	nc, err := dialNATS(env.ctx, f.NatsURL)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("JetStream: %w", err)
	}
	begin, shown := time.Now(), time.Now()
	err = traffic.Publish(env.ctx, js, generator, c.Rate, c.InFlight, func(sent int) {
		if time.Since(shown) > time.Second {
			shown = time.Now()
			fmt.Fprintf(env.stderr, "%d sent\n", sent)
		}
	})
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		return fmt.Errorf("nobody takes channel events there yet: start `customercenter up` or `serve` first (%w)", err)
	}
	if report := c.report(env, generator.Summary(), time.Since(begin)); report != nil {
		return report
	}
	if env.ctx.Err() != nil {
		return nil // interrupted: the report says how far it came
	}
	return err
}

func (c *simulateCommand) report(env *environment, s traffic.Summary, took time.Duration) error {
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(struct {
			traffic.Summary
			Seconds float64 `json:"seconds"`
		}{s, took.Seconds()})
	}
	out := tabwriter.NewWriter(env.stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	for _, line := range []struct {
		what string
		n    int
	}{
		{"events", s.Events}, {"of them duplicates", s.Duplicates}, {"of them malformed", s.Malformed}, {"of them late messages", s.Late},
		{"customers", s.Customers}, {"sessions begun", s.Sessions}, {"waiting at the end", s.Waiting}, {"processing at the end", s.Processing},
		{"closed", s.Closed}, {"aborted", s.Aborted}, {"messages", s.Messages}, {"ratings", s.Ratings},
	} {
		fmt.Fprintf(out, "%s\t%d\t\n", line.what, line.n)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "Sent in %s, %.0f events/s.\n", took.Round(time.Millisecond), float64(s.Events)/took.Seconds())
	return nil
}

// associationFlag is an association as it is written on the command line: ID:CHANNEL:ACCOUNT.
type associationFlag traffic.Association

// UnmarshalText parses it.
func (a *associationFlag) UnmarshalText(text []byte) error {
	parts := strings.SplitN(string(text), ":", 3)
	if len(parts) != 3 {
		return fmt.Errorf("%q is not ID:CHANNEL:ACCOUNT", text)
	}
	id, err := strconv.Atoi(parts[0])
	if err != nil {
		return fmt.Errorf("%q does not begin with the number of an association", text)
	}
	a.ID, a.Channel, a.Account = id, parts[1], parts[2]
	return nil
}
