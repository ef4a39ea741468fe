package eventstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Streams names up to limit streams of a tenant that begin with a prefix, in the order of their names, from behind one of them on; of "" from the
// first. A short answer means that there are no more.
func (s *Store) Streams(ctx context.Context, tenant, prefix, after string, limit int) ([]string, error) {
	// Every stream has a first event, and the names, which are ASCII, are ordered byte by byte: this is a walk along one index.
	rows, err := s.db.QueryByIndex(ctx, `select stream from events where tenant = $1 and stream > $2 and stream < $3 and version = 1 order by stream limit $4`,
		tenant, max(prefix, after), prefix+"~", limit)
	if err != nil {
		return nil, fmt.Errorf("eventstore: streams: %w", unavailable(err))
	}
	streams, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("eventstore: streams: %w", unavailable(err))
	}
	return streams, nil
}
