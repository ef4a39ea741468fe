package projections

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/eventstore"
	"customercenter/eventstore/tenancy"
)

// AutoMessages tells who got which auto message. It is safe for concurrent use.
type AutoMessages struct {
	pool   *tenancy.DB
	builds Builds
}

// NewAutoMessages returns the answers of the build that builds says is live.
func NewAutoMessages(store *eventstore.Store, builds Builds) *AutoMessages {
	return &AutoMessages{pool: store.DB(), builds: builds}
}

// Counts returns the counts by auto message, exactly. One that nobody got may be absent.
func (a *AutoMessages) Counts(ctx context.Context, tenant string) (map[uuid.UUID]AutoMessageCounts, error) {
	build, err := a.builds.Live(ctx, AutoMessagesName)
	if err != nil {
		return nil, err
	}
	rows, err := a.pool.Query(ctx, in(build.Schema, `select auto_message, sent, delivered, read, replied, withheld
		from $.auto_message_count where tenant = $1`), tenant)
	if err != nil {
		return nil, fmt.Errorf("projections: counts of auto messages: %w", err)
	}
	counts := map[uuid.UUID]AutoMessageCounts{}
	var id uuid.UUID
	var n AutoMessageCounts
	_, err = pgx.ForEachRow(rows, []any{&id, &n.Sent, &n.Delivered, &n.Read, &n.Replied, &n.Withheld}, func() error {
		counts[id] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("projections: counts of auto messages: %w", err)
	}
	return counts, nil
}

// AutoMessageRecipient is a customer to whom an auto message was sent.
type AutoMessageRecipient struct {
	CustomerID  uuid.UUID  `json:"customer_id" format:"uuid"`
	SentAt      time.Time  `json:"sent_at"`
	DeliveredAt *time.Time `json:"delivered_at,omitempty" doc:"As the channel reported; what was read arrived then at the latest."`
	ReadAt      *time.Time `json:"read_at,omitempty"`
	RepliedAt   *time.Time `json:"replied_at,omitempty" doc:"When the customer first wrote after it, if that was within 7 days."`
	Code        string     `json:"code,omitempty" doc:"Why it was withheld although it was sent: NOT_FOUND, CUSTOMER_BLACKLISTED or ASSOCIATION_GONE."`
}

// AutoMessageRecipients is a page of them.
type AutoMessageRecipients struct {
	Items []AutoMessageRecipient
	Next  string // cursor of the next page; empty at the end
}

const autoMessageRecipientsSQL = `select customer, sent_at, delivered_at, read_at, replied_at, code, position from $.auto_message_recipient
	where tenant = $1 and auto_message = $2 and position < $3 order by position desc limit $4`

// Recipients lists to whom an auto message was sent, the latest first. limit is 1 to 200; 0 is 50. ErrCursor.
func (a *AutoMessages) Recipients(ctx context.Context, tenant string, autoMessage uuid.UUID, from string, most int) (AutoMessageRecipients, error) {
	const sort = "recipients"
	at, given, err := parseCursor(from, sort)
	if err != nil {
		return AutoMessageRecipients{}, err
	}
	if !given {
		at.Ordinal = math.MaxInt64
	}
	build, err := a.builds.Live(ctx, AutoMessagesName)
	if err != nil {
		return AutoMessageRecipients{}, err
	}
	most = limit(most)
	rows, err := a.pool.Query(ctx, in(build.Schema, autoMessageRecipientsSQL), planned, tenant, autoMessage, at.Ordinal, most+1)
	if err != nil {
		return AutoMessageRecipients{}, fmt.Errorf("projections: recipients: %w", err)
	}
	page := AutoMessageRecipients{Items: []AutoMessageRecipient{}}
	var positions []int64
	var item AutoMessageRecipient
	var position int64
	targets := []any{&item.CustomerID, &item.SentAt, &item.DeliveredAt, &item.ReadAt, &item.RepliedAt, &item.Code, &position}
	_, err = pgx.ForEachRow(rows, targets, func() error {
		page.Items, positions = append(page.Items, item), append(positions, position)
		return nil
	})
	if err != nil {
		return AutoMessageRecipients{}, fmt.Errorf("projections: recipients: %w", err)
	}
	if len(page.Items) > most {
		page.Items = page.Items[:most]
		page.Next = cursor{Sort: sort, Ordinal: positions[most-1]}.String()
	}
	return page, nil
}

const autoMessageHaveSQL = `select customer from $.auto_message_recipient where tenant = $1 and auto_message = $2 and customer = any($3)`

// Had returns those of the customers to whom an auto message was sent already, as far as the read model knows: it may be behind. An
// earlier life of a customer counts as well.
func (a *AutoMessages) Had(ctx context.Context, tenant string, autoMessage uuid.UUID, customers []uuid.UUID) (map[uuid.UUID]bool, error) {
	build, err := a.builds.Live(ctx, AutoMessagesName)
	if err != nil {
		return nil, err
	}
	rows, err := a.pool.Query(ctx, in(build.Schema, autoMessageHaveSQL), planned, tenant, autoMessage, customers)
	if err != nil {
		return nil, fmt.Errorf("projections: who had an auto message: %w", err)
	}
	had := map[uuid.UUID]bool{}
	var id uuid.UUID
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { had[id] = true; return nil }); err != nil {
		return nil, fmt.Errorf("projections: who had an auto message: %w", err)
	}
	return had, nil
}
