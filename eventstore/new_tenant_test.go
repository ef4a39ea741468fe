package eventstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/eventstore/tenancy"
)

// A tenant is new in a log that the planner knows of others only: it thinks of one row, whatever it is asked. What is asked of few events must read few, also when there are many by now.
func TestFewEventsAreReadOfANewTenant(t *testing.T) {
	setup := eventstoretest.Store(t, codec(), "acme", "globex").Pool()
	config := setup.Config()
	config.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	s := eventstoretest.On(t, pool, codec())
	// many inserts so many events of a tenant, ten in each stream.
	many := func(tenant string, n int) {
		t.Helper()
		_, err := pool.Exec(t.Context(), `insert into events (tenant, position, stream, version, type, type_version, data, meta, recorded_at)
			select $1, i, 'stream-' || i / 10, i % 10 + 1, 'noted', 1, '{}', '{}', now() from generate_series(1, $2) i`, tenant, n)
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pool.Exec(t.Context(), `alter table events set (autovacuum_enabled = off)`); err != nil {
		t.Fatal(err)
	}
	many("acme", 20_000)
	if _, err := pool.Exec(t.Context(), `vacuum analyze events`); err != nil {
		t.Fatal(err)
	}
	many("globex", 10_000)
	var version int64
	ctx := tenancy.Narrow(t.Context(), "globex")
	for name, ask := range map[string]func() (int, error){
		"read stream": func() (int, error) { return length(s.ReadStream(ctx, "globex", "stream-7", 3, 100)) },
		"read streams": func() (int, error) {
			return length(s.ReadStreams(ctx, "globex", []string{"stream-7", "stream-100"}, []int64{0, 9}))
		},
		"read streams to a position": func() (int, error) {
			return length(s.ReadStreamsTo(ctx, "globex", []string{"stream-7"}, 5_000, []string{"noted"}))
		},
		"read across streams": func() (int, error) {
			return length(s.ReadAcross(ctx, "globex", []string{"stream-7"}, []int64{0}, []string{"noted"}, 5_000, false, 10))
		},
		"read before a position": func() (int, error) {
			return length(s.ReadBefore(ctx, "globex", []string{"stream-7"}, 5_000, []string{"noted"}, "x", 10))
		},
		"positions in streams": func() (int, error) {
			return length(s.PositionsIn(ctx, "globex", []string{"stream-7"}, 1, 5_000, nil, 10))
		},
		"read positions": func() (int, error) { return length(s.ReadPositions(ctx, "globex", []int64{70, 90})) },
		"read log":       func() (int, error) { return length(s.ReadLog(ctx, "globex", 500, 10)) },
		"read heard": func() (int, error) {
			heard, _, err := s.ReadHeard(ctx, "globex", 500, 10, []string{"noted"})
			return len(heard), err
		},
		"read a page": func() (int, error) {
			var p eventstore.Page
			err := s.ReadPage(ctx, &p, "globex", 500, 10)
			return len(p.Events), err
		},
		"streams": func() (int, error) { return length(s.Streams(ctx, "globex", "stream-", "stream-5", 10)) },
		"head": func() (int, error) {
			head, err := s.Head(ctx, "globex")
			return int(head), err
		},
		"position at": func() (int, error) {
			position, err := s.PositionAt(ctx, "globex", time.Now())
			return int(position), err
		},
		"append one": func() (int, error) {
			version++
			_, err := s.Append(t.Context(), one("globex", "new", version-1, 1))
			return 1, err
		},
		"append several": func() (int, error) {
			a := one("globex", fmt.Sprint("news-", version), 0, 2)
			version++
			_, err := s.Append(t.Context(), a)
			return 1, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			version = 0
			for range 8 { // five times a plan is made for the values at hand; then perhaps one for all
				before := eventsRead(t, pool)
				n, err := ask()
				if err != nil || n == 0 {
					t.Fatal(n, err)
				}
				if read := eventsRead(t, pool) - before; read > 100 {
					t.Fatalf("%d events were read", read)
				}
			}
		})
	}
}

func length[T any](found []T, err error) (int, error) { return len(found), err }

// eventsRead is how many events the one connection of a pool has read, or a bit less: what it has told the server's statistics is not among them.
func eventsRead(t *testing.T, pool *pgxpool.Pool) (read int64) {
	t.Helper()
	err := pool.QueryRow(t.Context(), `select coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)::bigint from pg_stat_xact_user_tables where relname = 'events'`).Scan(&read)
	if err != nil {
		t.Fatal(err)
	}
	return read
}
