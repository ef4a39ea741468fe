package crash

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/eventstore"
)

// checkReceipts holds the receipts against the log, and the requests against the receipts: events and receipt of a request are
// written together, and the receipt tells the position of the last event.
func checkReceipts(ctx context.Context, store *eventstore.Store, l *tenantLog, requests []Request, r *report) error {
	awaited := map[ReceiptKey]*Request{}
	for i := range requests {
		if q := &requests[i]; q.Receipt != (ReceiptKey{}) && (q.Acknowledged || len(l.requests[q.Correlation]) > 0) {
			awaited[q.Receipt] = q
		}
	}
	rows, err := store.Pool().Query(ctx, `select actor, route, key, append, position from receipts where tenant = $1 order by actor, route, key`, l.tenant)
	if err != nil {
		return fmt.Errorf("crash: receipts: %w", err)
	}
	var key ReceiptKey
	var id uuid.UUID
	var position int64
	_, err = pgx.ForEachRow(rows, []any{&key.Actor, &key.Route, &key.Key, &id, &position}, func() error {
		at := l.appends[id]
		switch {
		case at != nil && at.last != position:
			r.add(WrongReceipt, l.tenant, position, "receipt %s of %s says this position, its append stands at %d to %d", key.Key, key.Route, at.first, at.last)
		case position > l.head:
			r.add(WrongReceipt, l.tenant, position, "receipt %s of %s says this position, the log ends at %d", key.Key, key.Route, l.head)
		}
		if q := awaited[key]; q != nil {
			delete(awaited, key)
			checkReceipt(l, q, at, position, r)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("crash: receipts: %w", err)
	}
	for _, q := range awaited {
		r.add(WrongReceipt, l.tenant, q.Position, "request %s has no receipt", q.Correlation)
	}
	return nil
}

// checkReceipt holds one receipt against its request. at is where the receipt's append stands; nil for one without events.
func checkReceipt(l *tenantLog, q *Request, at *written, position int64, r *report) {
	wrote := len(l.requests[q.Correlation]) > 0
	switch {
	case wrote && (at == nil || at.correlation != q.Correlation):
		r.add(WrongReceipt, l.tenant, position, "the receipt of request %s is of another append than its events", q.Correlation)
	case !wrote && at != nil:
		r.add(WrongReceipt, l.tenant, position, "the receipt of request %s, which wrote nothing, is of an append with events", q.Correlation)
	case q.Acknowledged && q.Position != position:
		r.add(WrongReceipt, l.tenant, position, "request %s was answered with %d, its receipt says this position", q.Correlation, q.Position)
	}
}
