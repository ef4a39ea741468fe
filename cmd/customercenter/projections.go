package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// projectionsCommand shows and mends read models.
type projectionsCommand struct {
	Status   projectionsStatus   `cmd:"" default:"withargs" help:"How far every read model is, per tenant."`
	Rebuild  projectionsRebuild  `cmd:"" help:"Build a read model anew beside the live one, compare, and switch to it if they are equal."`
	Verify   projectionsVerify   `cmd:"" help:"Fold the log anew beside a read model and compare every row; fails if they differ."`
	Switch   projectionsSwitch   `cmd:"" help:"Serve another build."`
	Rollback projectionsRollback `cmd:"" help:"Serve the build again that was served before the last switch."`
	Drop     projectionsDrop     `cmd:"" help:"Remove a build that is not served, or a former version that nobody feeds."`
	Former   projectionsFormer   `cmd:"" help:"List versions that other programs have built, and how long nobody has fed them."`
	Parked   projectionsParked   `cmd:"" help:"List customers whose events cannot be applied, with the reason."`
	Retry    projectionsRetry    `cmd:"" help:"Fold a parked customer anew."`
	Skip     projectionsSkip     `cmd:"" help:"Go on with a parked customer without the events that cannot be applied, for a written reason."`
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
		return table(env.stdout, c.JSON, "NAME\tVERSION\tBUILD\tSTATE\tTENANT\tPOSITION\tLAG\tSECONDS\tPARKED\tVERIFIED\tSTOPPED", all, func(s projector.Status) string {
			return fmt.Sprintf("%s\t%d\t%d\t%s\t%s\t%d\t%d\t%.1f\t%d\t%s\t%s", s.Projection, s.Version, s.Build, s.State, s.Tenant, s.Position, s.LagEvents, s.LagSeconds, s.Parked, verified(s), s.Stopped)
		})
	})
}

// verified says when the rows were compared with the log, and whether they were what it says.
func verified(s projector.Status) string {
	switch {
	case s.VerifiedAt == nil:
		return "never"
	case s.Differing > 0:
		return fmt.Sprintf("%s: %d tables differ", day(*s.VerifiedAt), s.Differing)
	}
	return day(*s.VerifiedAt)
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
		begin := time.Now()
		show, end := env.folding("Building " + c.Name)
		build, err := p.Rebuild(env.ctx, c.Name, show)
		end()
		if err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "Built %s as build %d in %s. Comparing it with the live one ...\n", c.Name, build.ID, time.Since(begin).Round(time.Millisecond))
		differences, err := p.Compare(env.ctx, c.Name, build.ID)
		if err != nil {
			return err
		}
		if len(differences) > 0 {
			env.showDifferences(differences)
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

// folding shows how much of the log is folded, until end is called.
func (e *environment) folding(label string) (show func(done, total int64), end func()) {
	shown := e.progress(label, grouped, " events")
	return shown.set, shown.end
}

func (e *environment) showDifferences(all []projector.Difference) {
	for _, d := range all {
		fmt.Fprintf(e.stdout, "  %s %s at %d: %d rows live, %d rebuilt; different: %v\n", d.Tenant, d.Table, d.Position, d.Rows[0], d.Rows[1], d.Keys)
	}
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
	Build  int64  `arg:"" optional:"" help:"The build to remove, see 'projections status'."`
	Former int    `help:"Instead of a build: the former version to remove, see 'projections former'." placeholder:"VERSION"`
}

// Run drops the build, or the version.
func (c *projectionsDrop) Run(env *environment) error {
	if (c.Build == 0) == (c.Former == 0) {
		return usageError{"which? Either a build, or a version with --former"}
	}
	return c.withProjector(env, func(p *projector.Projector) error {
		if c.Former == 0 {
			return p.Drop(env.ctx, c.Name, c.Build)
		}
		err := p.DropFormer(env.ctx, c.Name, c.Former)
		switch {
		case errors.Is(err, projector.ErrNoBuild):
			return usageError{fmt.Sprintf("there is no former version %d of %s; 'customercenter projections former' lists them", c.Former, c.Name)}
		case errors.Is(err, projector.ErrFed):
			return usageError{fmt.Sprintf("a process feeds version %d of %s, or did so within two minutes", c.Former, c.Name)}
		}
		return err
	})
}

type projectionsFormer struct {
	target `prefix:""`
	JSON   bool `help:"One JSON object a line."`
}

// Run lists the former versions.
func (c *projectionsFormer) Run(env *environment) error {
	return c.withProjector(env, func(p *projector.Projector) error {
		all, err := p.Former(env.ctx)
		if err != nil {
			return err
		}
		return table(env.stdout, c.JSON, "NAME\tVERSION\tFED LAST\tFEEDERS\tMIB", all, func(f projector.Former) string {
			return fmt.Sprintf("%s\t%d\t%s\t%d\t%.0f", f.Projection, f.Version, day(f.FedAt), f.Feeders, float64(f.Bytes)/(1<<20))
		})
	})
}
