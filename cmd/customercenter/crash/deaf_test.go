//go:build unix

package crash

import (
	"context"
	"math/rand/v2"
	"net"

	"github.com/jackc/pgx/v5/pgxpool"
)

// losesOneIn is how often what the database says does not arrive. It was said all the same, so whatever it was about has happened.
const losesOneIn = 400

// deaf is a connection to the database that breaks now and then in the moment at which an answer arrives.
type deaf struct{ net.Conn }

func (d deaf) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if err == nil && rand.IntN(losesOneIn) == 0 {
		_ = d.Conn.Close() // the answer is lost, whatever else fails
		return 0, net.ErrClosed
	}
	return n, err
}

// loseAnswers lets the store work on connections that break. They do so far more often than by kills alone, and most of what can go
// wrong goes wrong when something was done and nobody knows.
func (p *part) loseAnswers(ctx context.Context) error {
	config := p.store.Pool().Config()
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return deaf{conn}, nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	p.store.Pool().Close()
	p.store, err = newStore(pool, p.nc)
	return err
}
