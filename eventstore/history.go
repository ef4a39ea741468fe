package eventstore

import "context"

// ReadPositions returns the events at these positions of a tenant's log, the latest first. Positions that do not exist are passed over.
func (s *Store) ReadPositions(ctx context.Context, tenant string, positions []int64) ([]Event, error) {
	return s.read(ctx, "read positions", `select e.tenant, e.position, e.stream, e.version, e.type, e.type_version, e.customer, e.data, e.meta, e.recorded_at
		from unnest($2::bigint[]) p(position)
		cross join lateral (select `+eventColumns+` from events where tenant = $1 and position = p.position offset 0) e
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
