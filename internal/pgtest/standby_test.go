//go:build unix

package pgtest_test

import (
	"context"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/internal/pgtest"
)

// TestStandbyHasWhatWasAnswered loses a server while many write to it: what they were told is written is on the standby.
func TestStandbyHasWhatWasAnswered(t *testing.T) {
	primary := pgtest.NewCluster(t, false)
	pool := connect(t, primary)
	if _, err := pool.Exec(t.Context(), `create table t (n bigint primary key)`); err != nil {
		t.Fatal(err)
	}
	const writers = 8
	var answered [writers]int64
	var all sync.WaitGroup
	for i := range answered {
		all.Go(func() {
			for n := int64(1); ; n++ {
				if _, err := pool.Exec(t.Context(), `insert into t values ($1)`, n*writers+int64(i)); err != nil {
					return
				}
				answered[i] = n
			}
		})
	}
	standby := primary.NewStandby(t, nil)
	if err := primary.Crash(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	pool = connect(t, standby)
	for i, n := range answered {
		var there int64
		if err := pool.QueryRow(t.Context(), `select count(*) from t where n % $1 = $2`, writers, i).Scan(&there); err != nil {
			t.Fatal(err)
		}
		if n == 0 || there < n {
			t.Errorf("writer %d was answered %d times, and %d are there", i, n, there)
		}
	}
}

func connect(t *testing.T, c *pgtest.Cluster) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), c.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}
