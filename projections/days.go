package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"customercenter/domain/filter"
)

// Day is how many of something there were on a day.
type Day struct {
	Date  string `json:"date" doc:"YYYY-MM-DD in the tenant's zone."`
	Count int64  `json:"count"`
}

// dates are days in the calendar's zone, by their distance from today: -1 is yesterday. Both ends are included.
func dates(cal filter.Calendar, now time.Time, first, last int) (all []string) {
	today := now.In(cal.Zone)
	for n := first; n <= last; n++ { // of a day at noon, so that no change of the clocks makes two of it
		all = append(all, time.Date(today.Year(), today.Month(), today.Day()+n, 12, 0, 0, 0, time.UTC).Format(time.DateOnly))
	}
	return all
}

// lastDays are the last days, today included, with nothing counted yet, and when each begins; one instant more than days, the end of today.
func lastDays(cal filter.Calendar, now time.Time, days int) (counted []Day, begins []time.Time) {
	for _, date := range dates(cal, now, 1-days, 1) {
		start, _ := cal.DateStart(date)
		counted, begins = append(counted, Day{Date: date}), append(begins, start)
	}
	return counted[:days], begins
}

// PerDay counts those who are on the list by the day on which they were created: the last days, the earliest first and today included.
//
// The sets of the list say it, so it takes a look into the index for each day and no longer with more customers a day.
func (c *Customers) PerDay(ctx context.Context, tenant string, cal filter.Calendar, now time.Time, days int) ([]Day, error) {
	counted, begins := lastDays(cal, now, days)
	l := listing{query: &ListQuery{Calendar: cal, At: now}}
	err := c.ask(ctx, tenant, &l, func() error {
		a := l.answer
		first, err := a.firstSince(begins)
		if err != nil {
			return err
		}
		a.from, a.to = max(a.from, first[0]), min(a.to, first[days])
		if err := a.loadAll(); err != nil {
			return err
		}
		for i := range counted {
			counted[i].Count = a.within(first[i], first[i+1])
		}
		return nil
	})
	return counted, err
}

const sessionsPerDaySQL = `select (select coalesce(sum(q.sessions), 0)::bigint from $.session_quarter q where q.tenant = $1 and q.begins >= d.begins and q.begins < d.ends)
	from unnest($2::timestamptz[], $3::timestamptz[]) with ordinality d (begins, ends, n) order by d.n`

// PerDay counts sessions by the day on which they began: the last days, the earliest first and today included. It adds up
// what is counted of each quarter of an hour, so it takes no longer with more sessions a day.
func (s *Sessions) PerDay(ctx context.Context, tenant string, cal filter.Calendar, now time.Time, days int) ([]Day, error) {
	counted, begins := lastDays(cal, now, days)
	build, err := s.builds.Live(ctx, SessionsName)
	if err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, in(build.Schema, sessionsPerDaySQL), planned, tenant, begins[:days], begins[1:])
	if err != nil {
		return nil, fmt.Errorf("projections: sessions per day: %w", err)
	}
	counts, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("projections: sessions per day: %w", err)
	}
	for i, n := range counts {
		counted[i].Count = n
	}
	return counted, nil
}
