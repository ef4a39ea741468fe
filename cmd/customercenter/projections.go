package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// projectionsCommand shows and mends read models.
type projectionsCommand struct {
	Status   projectionsStatus   `cmd:"" default:"withargs" help:"How far every read model is, per tenant."`
	Rebuild  projectionsRebuild  `cmd:"" help:"Build a read model anew beside the live one, compare, and switch to it if they are equal."`
	Switch   projectionsSwitch   `cmd:"" help:"Serve another build."`
	Rollback projectionsRollback `cmd:"" help:"Serve the build again that was served before the last switch."`
	Drop     projectionsDrop     `cmd:"" help:"Remove a build that is not served."`
	Parked   projectionsParked   `cmd:"" help:"List customers whose events cannot be applied, with the reason."`
	Retry    projectionsRetry    `cmd:"" help:"Fold a parked customer anew."`
}

// withProjector opens the target's read models for one command. Nothing of them is fed from here.
func (t target) withProjector(env *environment, do func(p *projector.Projector) error) error {
	return t.withStore(env, func(_ context.Context, s *eventstore.Store) error {
		p, err := projector.New(projector.Config{Store: s, Definitions: projections.Definitions(), Log: env.log})
		if err != nil {
			return err
		}
		return do(p)
	})
}

type projectionsStatus struct {
	target `prefix:""`
	JSON   bool `help:"One JSON object a line."`
}

// Run prints the status.
func (c *projectionsStatus) Run(env *environment) error {
	return c.withProjector(env, func(p *projector.Projector) error {
		all, err := p.Status(env.ctx)
		if err != nil {
			return err
		}
		return table(env.stdout, c.JSON, "NAME\tVERSION\tBUILD\tSTATE\tTENANT\tPOSITION\tLAG\tSECONDS\tPARKED\tSTOPPED", all, func(s projector.Status) string {
			return fmt.Sprintf("%s\t%d\t%d\t%s\t%s\t%d\t%d\t%.1f\t%d\t%s", s.Projection, s.Version, s.Build, s.State, s.Tenant, s.Position, s.LagEvents, s.LagSeconds, s.Parked, s.Stopped)
		})
	})
}

// table prints rows for people or as JSON lines.
func table[R any](out io.Writer, asJSON bool, head string, rows []R, line func(R) string) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		for _, r := range rows {
			if err := encoder.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for _, r := range rows {
		fmt.Fprintln(w, line(r))
	}
	return w.Flush()
}

type projectionsRebuild struct {
	target   `prefix:""`
	Name     string `arg:"" help:"The read model, see 'projections status'."`
	NoSwitch bool   `help:"Only build and compare."`
}

// Run rebuilds. The live build is served and fed all the while.
func (c *projectionsRebuild) Run(env *environment) error {
	return c.withProjector(env, func(p *projector.Projector) error {
		begin, shown := time.Now(), time.Time{}
		build, err := p.Rebuild(env.ctx, c.Name, func(done, total int64) {
			if time.Since(shown) > time.Second && total > 0 {
				shown = time.Now()
				fmt.Fprintf(env.stderr, "%d of %d events (%d %%)\n", done, total, done*100/total)
			}
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "Built %s as build %d in %s. Comparing it with the live one ...\n", c.Name, build.ID, time.Since(begin).Round(time.Millisecond))
		differences, err := p.Compare(env.ctx, c.Name, build.ID)
		if err != nil {
			return err
		}
		if len(differences) > 0 {
			for _, d := range differences {
				fmt.Fprintf(env.stdout, "  %s %s at %d: %d rows live, %d rebuilt; different: %v\n", d.Tenant, d.Table, d.Position, d.Rows[0], d.Rows[1], d.Keys)
			}
			return fmt.Errorf("the builds differ; nothing was switched. If the new one is right: customercenter projections switch %s %d", c.Name, build.ID)
		}
		if c.NoSwitch {
			fmt.Fprintln(env.stdout, "They are equal. Nothing was switched.")
			return nil
		}
		if err := p.Switch(env.ctx, c.Name, build.ID); err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "They are equal; build %d is served now. To go back: customercenter projections rollback %s\n", build.ID, c.Name)
		return nil
	})
}

type projectionsSwitch struct {
	target `prefix:""`
	Name   string `arg:"" help:"The read model."`
	Build  int64  `arg:"" help:"The build to serve, see 'projections status'."`
}

// Run switches.
func (c *projectionsSwitch) Run(env *environment) error {
	return c.withProjector(env, func(p *projector.Projector) error { return p.Switch(env.ctx, c.Name, c.Build) })
}

type projectionsRollback struct {
	target `prefix:""`
	Name   string `arg:"" help:"The read model."`
}

// Run goes back.
func (c *projectionsRollback) Run(env *environment) error {
	return c.withProjector(env, func(p *projector.Projector) error { return p.Rollback(env.ctx, c.Name) })
}

type projectionsDrop struct {
	target `prefix:""`
	Name   string `arg:"" help:"The read model."`
	Build  int64  `arg:"" help:"The build to remove."`
}

// Run drops the build.
func (c *projectionsDrop) Run(env *environment) error {
	return c.withProjector(env, func(p *projector.Projector) error { return p.Drop(env.ctx, c.Name, c.Build) })
}

type projectionsParked struct {
	target `prefix:""`
	Name   string `arg:"" optional:"" help:"Of one read model only."`
	Tenant string `help:"Of one tenant only."`
	JSON   bool   `help:"One JSON object a line."`
}

// Run lists the parked customers.
func (c *projectionsParked) Run(env *environment) error {
	return c.withProjector(env, func(p *projector.Projector) error {
		var all []projector.Parked
		for _, d := range projections.Definitions() {
			if c.Name != "" && c.Name != d.Name {
				continue
			}
			parked, err := p.Parked(env.ctx, d.Name, c.Tenant)
			if err != nil {
				return err
			}
			all = append(all, parked...)
		}
		return table(env.stdout, c.JSON, "NAME\tTENANT\tCUSTOMER\tPOSITION\tTYPE\tSINCE\tREASON", all, func(k projector.Parked) string {
			return fmt.Sprintf("%s\t%s\t%s\t%d\t%s\t%s\t%s", k.Projection, k.Tenant, k.Customer, k.Position, k.Type, day(k.Since), k.Reason)
		})
	})
}

type projectionsRetry struct {
	target   `prefix:""`
	Name     string    `arg:"" help:"The read model."`
	Tenant   string    `arg:"" help:"The tenant."`
	Customer uuid.UUID `arg:"" help:"The customer, see 'projections parked'."`
}

// Run folds the customer anew.
func (c *projectionsRetry) Run(env *environment) error {
	return c.withProjector(env, func(p *projector.Projector) error {
		mended, err := p.Retry(env.ctx, c.Name, c.Tenant, c.Customer)
		if err != nil {
			return err
		}
		if mended == 0 {
			return errors.New("the customer is not parked there")
		}
		fmt.Fprintln(env.stdout, "The customer is folded anew and fed again.")
		return nil
	})
}
