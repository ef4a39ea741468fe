package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"customercenter/eventstore"
)

// patience is how long the database may take to say who asks. That is found out before anything else, so nothing bounds it but this.
const patience = 5 * time.Second

// soon asks the database for no longer than patience. If it is silent for so long, the error says that it is unavailable.
func soon(ctx context.Context, ask func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := ask(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("access: the database does not answer: %w", eventstore.ErrUnavailable)
	}
	return err
}

// Unavailable reports whether an error says that the database cannot be reached, cannot work just now, or is going down, so that trying again later may help.
func Unavailable(err error) bool { return eventstore.Unavailable(err) }

// Database returns what may be logged of a database error: its code, never its message, which may quote a value. ok is false for
// any other error.
func Database(err error) (code string, ok bool) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return "", false
	}
	return pg.Code, true
}
