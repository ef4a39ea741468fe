package access

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"customercenter/eventstore"
)

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
