package projector

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"customercenter/eventstore"
)

// errFenced says that the checkpoint was moved by somebody else. Nothing was written.
var errFenced = errors.New("projector: the checkpoint was moved by somebody else")

// ErrStop in what Fold.Apply returns says that it is not for the customer of the event that it cannot be applied: nobody's could be. The
// tenant's projection stops before the event, visibly, and nobody is parked.
var ErrStop = errors.New("nothing can be applied")

// stoppedError says that an event that concerns no customer cannot be applied, or that no event can.
type stoppedError struct{ reason string }

func (e *stoppedError) Error() string { return "projector: stopped: " + e.reason }

// databaseError is an error of the database without its message, which may quote a value of a row.
type databaseError struct{ code, constraint string }

func (e *databaseError) Error() string {
	if e.constraint == "" {
		return "database error " + e.code
	}
	return "database error " + e.code + " " + e.constraint
}

// codeEncode stands for a value that the driver cannot write in the type of its column.
const codeEncode = "encode"

// scrub takes what may quote a row out of an error of reading or writing rows.
func scrub(err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pg) && strings.HasPrefix(pg.Message, "COPY from stdin failed"), // the driver ended a COPY
		strings.Contains(err.Error(), "failed to encode args"): // the driver has no type for it
		return &databaseError{code: codeEncode}
	case pg != nil:
		return &databaseError{code: pg.Code, constraint: pg.ConstraintName}
	}
	return err
}

// sqlState is the code of an error of the database, empty for any other.
func sqlState(err error) string {
	var pg *pgconn.PgError
	var scrubbed *databaseError
	switch {
	case errors.As(err, &pg):
		return pg.Code
	case errors.As(err, &scrubbed):
		return scrubbed.code
	}
	return ""
}

// refused returns the code of an error that says that the database will never take these rows: what they hold is at fault, not
// the moment. Empty for any other error.
func refused(err error) string {
	code := sqlState(err)
	switch {
	case code == codeEncode:
		return code
	case len(code) == 5 && (code[:2] == "22" || code[:2] == "23" || code[:2] == "54"): // data, integrity, a limit of the program
		return code
	}
	return ""
}

// transient reports whether an error may go away by itself: it is of the database, or of the way there.
func transient(err error) bool {
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || sqlState(err) != "" ||
		errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		pgconn.SafeToRetry(err)
}
