package projections

import (
	"context"
	"time"

	"customercenter/domain/filter"
	"customercenter/domain/settings"
)

// Settings are what a tenant has set for itself, and the version of their stream.
func (c *Catalogues) Settings(ctx context.Context, tenant string) (settings.State, int64, error) {
	return read[settings.State](ctx, c, tenant, settings.Stream)
}

// Calendar is what days and weeks are to a tenant.
func (c *Catalogues) Calendar(ctx context.Context, tenant string) (filter.Calendar, error) {
	own, _, err := c.Settings(ctx, tenant)
	if err != nil {
		return filter.Calendar{}, err
	}
	zone, err := time.LoadLocation(own.TimeZone())
	if err != nil { // it was there when it was set
		zone = time.UTC
	}
	return filter.Calendar{Zone: zone, WeekStart: own.FirstWeekday()}, nil
}
