package projections

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/filter"
)

// GroupMove is an entry of a customer into a group, or a leave, and why.
type GroupMove struct {
	Customer uuid.UUID
	Entered  bool
	At       time.Time
	Cause    Cause
	Evidence []filter.Evidence
}

const groupMovesOfSQL = `select group_id, entered, at, kind, position, evidence from $.group_change where tenant = $1 and customer = $2 and id > 0 order by at, id`

// MovesOf lists all entries and leaves of a customer, the earliest first, by group. It is for read models of that customer alone, see projector.CustomerAsOf: in
// others it would read all that there are.
func (g *Groups) MovesOf(ctx context.Context, tenant string, customer uuid.UUID) (moves []GroupMove, groups []uuid.UUID, err error) {
	err = g.snapshot(ctx, func(tx pgx.Tx, schema string) error {
		rows, err := tx.Query(ctx, in(schema, groupMovesOfSQL), planned, tenant, customer)
		if err != nil {
			return err
		}
		m := GroupMove{Customer: customer}
		var group uuid.UUID
		var position int64
		var evidence []byte
		_, err = pgx.ForEachRow(rows, []any{&group, &m.Entered, &m.At, &m.Cause.Kind, &position, &evidence}, func() error {
			one := m
			one.caused(position)
			groups, moves = append(groups, group), append(moves, one)
			return json.Unmarshal(evidence, &moves[len(moves)-1].Evidence)
		})
		return err
	})
	return moves, groups, err
}

// caused completes the cause of a move by its position in the log, 0 if there is none.
func (m *GroupMove) caused(position int64) {
	m.At = m.At.UTC()
	m.Cause.At = m.At
	if position > 0 {
		m.Cause.EventPosition = &position
	}
}

const groupLastMovesSQL = `select id, customer, entered, at, kind, position, evidence from $.group_change
	where tenant = $1 and group_id = $2 and (at, id) < ($3, $4) and id > 0 order by at desc, id desc limit $5`

// Moves lists who entered a group and who left it, the latest first, and the cursor of the next page, empty at the end. While a rule is being
// filled, entries and leaves by it are there as far as they were found. limit is 1 to 200; 0 is 50. ErrCursor.
func (g *Groups) Moves(ctx context.Context, tenant string, group uuid.UUID, from string, most int) (moves []GroupMove, next string, err error) {
	sort := "moves" + group.String()
	c, given, err := parseCursor(from, sort)
	if err != nil {
		return nil, "", err
	}
	if !given {
		c.At = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	most = limit(most)
	err = g.snapshot(ctx, func(tx pgx.Tx, schema string) error {
		rows, err := tx.Query(ctx, in(schema, groupLastMovesSQL), planned, tenant, group, c.At, c.Ordinal, most+1)
		if err != nil {
			return err
		}
		var id, position int64
		var evidence []byte
		var m GroupMove
		_, err = pgx.ForEachRow(rows, []any{&id, &m.Customer, &m.Entered, &m.At, &m.Cause.Kind, &position, &evidence}, func() error {
			if len(moves) == most {
				next = cursor{Sort: sort, At: c.At, Ordinal: c.Ordinal}.String()
				return nil
			}
			c.At, c.Ordinal = m.At, id
			one := m
			one.caused(position)
			if err := json.Unmarshal(evidence, &one.Evidence); err != nil {
				return err
			}
			moves = append(moves, one)
			return nil
		})
		return err
	})
	return moves, next, err
}
