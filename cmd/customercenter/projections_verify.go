package main

import (
	"errors"
	"fmt"
	"time"

	"customercenter/projections"
	"customercenter/projections/projector"
)

// scheduleFlags say when read models are verified and former ones removed by themselves.
type scheduleFlags struct {
	VerifyEvery time.Duration `help:"How often every read model is folded anew and compared with what is served; 0 for never. One process with the role projector does so." default:"24h"`
	KeepFormer  time.Duration `help:"After how long a former version of a read model, that no process feeds any more, is removed; 0 for never." default:"168h"`
}

// check refuses what would never end, or be done all the time.
func (f scheduleFlags) check() error {
	if f.VerifyEvery < 0 || f.VerifyEvery > 0 && f.VerifyEvery < time.Second {
		return usageError{"--verify-every takes 0, or a second and more"}
	}
	if f.KeepFormer != 0 && f.KeepFormer < 10*time.Minute { // processes note every minute that they feed
		return usageError{"--keep-former takes 0, or ten minutes and more"}
	}
	return nil
}

type projectionsVerify struct {
	target `prefix:""`
	Name   string `arg:"" optional:"" help:"The read model, see 'projections status'. Without it, all, one after the other."`
	JSON   bool   `help:"One JSON object a line, for every read model and tenant."`
}

// Run verifies. What is served is fed and served all the while, and never changed.
func (c *projectionsVerify) Run(env *environment) error {
	return c.withProjector(env, func(p *projector.Projector) error {
		var all []projector.Verification
		var differences []projector.Difference
		var failed error
		for _, name := range namesOr(c.Name) {
			begin := time.Now()
			show, end := env.folding("Verifying " + name)
			found, err := p.Verify(env.ctx, name, show)
			end()
			if err != nil { // the others, and what was found, are told all the same
				failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
				continue
			}
			fmt.Fprintf(env.stderr, "Verified %s in %s.\n", name, time.Since(begin).Round(time.Millisecond))
			all = append(all, found...)
			for _, v := range found {
				differences = append(differences, v.Differences...)
			}
		}
		if err := table(env.stdout, c.JSON, "NAME\tBUILD\tTENANT\tPOSITION\tROWS\tDIFFERING TABLES", all, func(v projector.Verification) string {
			return fmt.Sprintf("%s\t%d\t%s\t%d\t%d\t%d", v.Projection, v.Build, v.Tenant, v.Position, v.Rows, len(v.Differences))
		}); err != nil {
			return err
		}
		if len(differences) == 0 {
			return failed
		}
		if !c.JSON {
			env.showDifferences(differences)
		}
		return errors.Join(failed, errors.New("rows are not what the log says; nothing was changed. To serve what it says: customercenter projections rebuild, and switch"))
	})
}

// namesOr are the name of one read model, or those of all.
func namesOr(name string) (names []string) {
	if name != "" {
		return []string{name}
	}
	for _, d := range projections.Definitions() {
		names = append(names, d.Name)
	}
	return names
}
