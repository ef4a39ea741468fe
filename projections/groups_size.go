package projections

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/filter"
)

// GroupDay is how many were in a group at the end of a day, or now if it is today, and how many entries and leaves there were.
type GroupDay struct {
	Date    string `json:"date" doc:"YYYY-MM-DD in the tenant's zone."`
	Members int64  `json:"members" doc:"At the end of the day; of today, now."`
	Entered int64  `json:"entered"`
	Left    int64  `json:"left"`
}

const groupMovesSQL = `select to_char(at at time zone $4, 'YYYY-MM-DD'), count(*) filter (where entered), count(*) filter (where not entered) from $.group_change
	where tenant = $1 and group_id = $2 and at >= $3 and id > 0 group by 1`

// Size tells how many were in a group on each of the last days, the earliest first. It is nil while a rule is being filled: entries and leaves by
// it are noted already, though its members are not served yet; and for a group that is not there.
func (g *Groups) Size(ctx context.Context, tenant string, group uuid.UUID, cal filter.Calendar, now time.Time, days int) (sizes []GroupDay, err error) {
	all := dates(cal, now, 1-days, 0)
	from, _ := cal.DateStart(all[0])
	err = g.snapshot(ctx, func(tx pgx.Tx, schema string) error {
		rules, err := servedRules(ctx, tx, schema, tenant, []uuid.UUID{group})
		if err != nil || len(rules) == 0 || rules[0].filling() {
			return err
		}
		var members int64
		if err := tx.QueryRow(ctx, in(schema, `select coalesce(sum(bit_count(bits)), 0)::bigint from $.group_bits where tenant = $1 and facet = $2`), tenant, rules[0].facet()).
			Scan(&members); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, in(schema, groupMovesSQL), planned, tenant, group, from, cal.Zone.String())
		if err != nil {
			return err
		}
		moves := map[string]GroupDay{}
		var day GroupDay
		if _, err := pgx.ForEachRow(rows, []any{&day.Date, &day.Entered, &day.Left}, func() error { moves[day.Date] = day; return nil }); err != nil {
			return err
		}
		sizes = make([]GroupDay, days)
		for i := days - 1; i >= 0; i-- { // from today backwards
			sizes[i] = GroupDay{Date: all[i], Members: members, Entered: moves[all[i]].Entered, Left: moves[all[i]].Left}
			members -= sizes[i].Entered - sizes[i].Left
		}
		return nil
	})
	return sizes, err
}
