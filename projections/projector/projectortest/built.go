// Package projectortest has what tests beside the projector need of it.
package projectortest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/domain/catalog"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/pgtest"
	"customercenter/projections/projector"
)

// Built returns a pool, set up as the product does, on an empty database of its own that has the read models already: to build them there takes longer
// than most tests.
func Built(t testing.TB, definitions []projector.Definition) *pgxpool.Pool {
	t.Helper()
	empty := eventstoretest.Template()
	sum := sha256.New()
	for _, d := range definitions {
		fmt.Fprintln(sum, d.Name, d.Version, d.Types, d.Tables, d.Indexes)
	}
	return eventstoretest.Connect(t, pgtest.DSN(t, pgtest.Template{
		Name: empty.Name + "-built-" + hex.EncodeToString(sum.Sum(nil)[:8]),
		Migrate: func(ctx context.Context, pool *pgxpool.Pool) error {
			if err := empty.Migrate(ctx, pool); err != nil {
				return err
			}
			p, err := projector.New(projector.Config{Store: eventstore.New(pool, eventstore.NewCodec(catalog.Events()...), nil), Definitions: definitions})
			if err != nil {
				return err
			}
			return p.EnsureBuilt(ctx, nil)
		},
	}))
}
