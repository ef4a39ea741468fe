package eventstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ReadPositions returns the events at these positions of a tenant's log, the latest first. Positions that do not exist are passed over.
func (s *Store) ReadPositions(ctx context.Context, tenant string, positions []int64) ([]Event, error) {
	return s.read(ctx, "read positions", `select e.tenant, e.position, e.stream, e.version, e.type, e.type_version, e.customer, e.data, e.meta, e.recorded_at
		from unnest($2::bigint[]) p(position)
		cross join lateral (select `+eventColumns+` from events where tenant = $1 and position >= p.position and position <= p.position order by position offset 0) e
		order by e.position desc`, len(positions), tenant, positions)
}

// ReadBefore goes through several streams one after the other, in the order given, and returns up to limit events of these types, of each
// stream the latest first, in one round trip: those before a position of the log whose payload has no member of the name unless.
// Of no stream more than limit such events are returned by its index; those after the position are stepped over.
func (s *Store) ReadBefore(ctx context.Context, tenant string, streams []string, position int64, types []string, unless string, limit int) ([]Event, error) {
	return s.read(ctx, "read before", `select e.tenant, e.position, e.stream, e.version, e.type, e.type_version, e.customer, e.data, e.meta, e.recorded_at
		from unnest($2::text[]) with ordinality s(stream, place)
		cross join lateral (select `+eventColumns+` from events
			where tenant = $1 and stream = s.stream and position < $3 and type = any($4) and data ->> $5 is null order by version desc limit $6) e
		order by s.place, e.version desc limit $6`, limit, tenant, streams, position, types, unless, limit)
}

// PositionsIn returns the positions of up to limit events of several streams, in the order of the log: of those behind one position and up to another,
// of these types, none meaning all. It goes by the index of streams, so what it costs is as much as the streams hold, however long the log is.
func (s *Store) PositionsIn(ctx context.Context, tenant string, streams []string, after, upTo int64, types []string, limit int) ([]int64, error) {
	rows, err := s.db.QueryByIndex(ctx, `select e.position from unnest($2::text[]) s(stream)
		cross join lateral (select position from events where tenant = $1 and stream = s.stream and position > $3 and position <= $4
			and (type = any($5::text[]) or $5 = '{}') order by version limit $6) e
		order by e.position limit $6`, tenant, streams, after, upTo, append([]string{}, types...), limit)
	if err != nil {
		return nil, fmt.Errorf("eventstore: positions in streams: %w", unavailable(err))
	}
	positions, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("eventstore: positions in streams: %w", unavailable(err))
	}
	return positions, nil
}
