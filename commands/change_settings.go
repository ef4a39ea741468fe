package commands

import (
	"context"
	"time"

	"customercenter/domain/settings"
)

// ChangeSettings changes several settings at once, all or none. What is nil stays as it is. Refused: PRECONDITION_FAILED; for the
// first that is wrong, as the commands that set a single one.
type ChangeSettings struct {
	TimeZone       *string
	WeekStart      *string
	CustomerCenter *bool // see settings.AgentAccess
	Blacklist      *bool // see settings.AgentAccess
	OrderLink      *string
	// IfVersion is the version of the settings' stream that the caller has seen; 0 for any, Untouched if
	// nothing had been set.
	IfVersion int64
}

// Run carries it out.
func (cmd ChangeSettings) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		own := settingsOf()
		if err := a.load(ctx, own); err != nil {
			return err
		}
		if err := seen(cmd.IfVersion, own.at().version); err != nil {
			return err
		}
		decide := func(events []settings.Event, err error) error {
			add(a, own, nobody, events)
			return err
		}
		if cmd.TimeZone != nil {
			if err := decide(own.state.SetTimeZone(*cmd.TimeZone, time.LoadLocation)); err != nil {
				return err
			}
		}
		if cmd.WeekStart != nil {
			if err := decide(own.state.SetWeekStart(*cmd.WeekStart)); err != nil {
				return err
			}
		}
		access := own.state.AgentAccess
		if cmd.CustomerCenter != nil {
			access.CustomerCenter = *cmd.CustomerCenter
		}
		if cmd.Blacklist != nil {
			access.Blacklist = *cmd.Blacklist
		}
		if err := decide(own.state.SetAgentAccess(access)); err != nil {
			return err
		}
		if cmd.OrderLink != nil {
			return decide(own.state.SetOrderLink(*cmd.OrderLink))
		}
		return nil
	})
}
