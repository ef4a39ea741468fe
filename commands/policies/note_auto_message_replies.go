package policies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/automessage"
	"customercenter/domain/session"
	"customercenter/domain/suppressed"
	"customercenter/eventstore"
)

// replyName is the name of the policy, and the id of its actor.
const replyName = "note-auto-message-replies"

// forgottenAtOnce is how many auto messages that nobody replied to are forgotten before the log is looked at again.
const forgottenAtOnce = 1_000

// replyNoter notes the first message of a customer after an auto message as a reply to it, if it comes within automessage.ReplyWindow; in
// whatever session, or in none because the customer is on the blacklist.
//
// It keeps who may still reply in policy_due, by customer and recipient: a row goes with the reply, or when its time is over.
type replyNoter struct {
	pool   *pgxpool.Pool
	center *commands.Center
}

func noteAutoMessageReplies(c Config) *policy {
	n := &replyNoter{pool: c.Store.Pool(), center: c.Center}
	return &policy{
		name: replyName,
		types: []string{
			automessage.Sent{}.EventType(), automessage.Replied{}.EventType(),
			session.MessageRecorded{}.EventType(), suppressed.MessageRecorded{}.EventType(),
		},
		wants: ofCustomers, note: n.note, reactAll: n.react, due: n.forget,
	}
}

// ofCustomers passes over messages that no customer wrote. It is asked of every message, so it looks at no more than it must.
func ofCustomers(e *eventstore.Event) bool {
	if e.Type != (session.MessageRecorded{}).EventType() {
		return true
	}
	var data struct {
		Sender struct {
			Kind string `json:"kind"`
		} `json:"sender"`
	}
	return json.Unmarshal(e.Data, &data) == nil && data.Sender.Kind == domain.PartyCustomer
}

// awaited is the key of a recipient from whom a reply may come. Those of one customer lie together.
func awaited(customer, recipient uuid.UUID) string {
	return customer.String() + "/" + recipient.String()
}

func (n *replyNoter) note(d *eventstore.Decoded) []statement {
	id, ok := automessage.RecipientOf(d.Stream)
	if !ok {
		return nil
	}
	switch d.Payload.(type) {
	case automessage.Sent:
		return []statement{{`insert into policy_due (tenant, policy, key, position, due_at, next_at) values ($1, $2, $3, $4, $5, $5) on conflict do nothing`,
			[]any{d.Tenant, replyName, awaited(d.Customer, id), d.Position, d.OccurredAt().Add(automessage.ReplyWindow)}}}
	case automessage.Replied:
		return []statement{{`delete from policy_due where tenant = $1 and policy = $2 and key = $3`, []any{d.Tenant, replyName, awaited(d.Customer, id)}}}
	}
	return nil
}

// recipient is one from whom a reply may come.
type recipient struct {
	id       uuid.UUID
	position int64 // where it was sent
}

// react notes replies among a page of events. What was sent on this very page is not in the database yet.
func (n *replyNoter) react(ctx context.Context, tenant string, page []*eventstore.Decoded) error {
	var writers []uuid.UUID
	for _, d := range page {
		if _, ok := automessage.RecipientOf(d.Stream); !ok && !slices.Contains(writers, d.Customer) {
			writers = append(writers, d.Customer)
		}
	}
	if len(writers) == 0 {
		return nil
	}
	waiting, err := n.waiting(ctx, tenant, writers)
	if err != nil {
		return err
	}
	for _, d := range page {
		if id, ok := automessage.RecipientOf(d.Stream); ok {
			if _, sent := d.Payload.(automessage.Sent); sent {
				waiting[d.Customer] = append(waiting[d.Customer], recipient{id, d.Position})
			}
			continue
		}
		for _, r := range waiting[d.Customer] {
			if r.position > d.Position {
				continue
			}
			if err := n.reply(ctx, r.id, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// reply has a message noted as the reply of a recipient. The command sees to it that it is the first, and in time.
func (n *replyNoter) reply(ctx context.Context, recipient uuid.UUID, d *eventstore.Decoded) error {
	by := commands.By{
		Tenant: d.Tenant, Actor: eventstore.Actor{Kind: "policy", ID: replyName}, Cause: causeOf(d),
		Correlation: d.Envelope.Correlation, OccurredAt: d.OccurredAt(),
	}
	_, err := commands.RecordAutoMessageReply{Recipient: recipient}.Run(ctx, n.center, by)
	var refusal *domain.Refusal
	if err != nil && !errors.As(err, &refusal) { // refused only if this machine's clock was set back since the message came
		return fmt.Errorf("policies: reply: %w", err)
	}
	return nil
}

const waitingSQL = `select c.id, d.key, d.position from unnest($3::uuid[]) c(id)
	cross join lateral (select key, position from policy_due where tenant = $1 and policy = $2
		and key > c.id::text || '/' and key < c.id::text || '0' offset 0) d`

// waiting tells from which recipients of these customers a reply may come.
func (n *replyNoter) waiting(ctx context.Context, tenant string, customers []uuid.UUID) (map[uuid.UUID][]recipient, error) {
	rows, err := n.pool.Query(ctx, waitingSQL, planned, tenant, replyName, customers)
	if err != nil {
		return nil, fmt.Errorf("policies: waiting: %w", err)
	}
	found := map[uuid.UUID][]recipient{}
	var customer uuid.UUID
	var key string
	var r recipient
	_, err = pgx.ForEachRow(rows, []any{&customer, &key, &r.position}, func() (err error) {
		if r.id, err = uuid.Parse(key[strings.IndexByte(key, '/')+1:]); err == nil {
			found[customer] = append(found[customer], r)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("policies: waiting: %w", err)
	}
	return found, nil
}

const forgetSQL = `delete from policy_due where tenant = $1 and policy = $2 and key in (
	select key from policy_due where ` + isDue + ` order by next_at limit $3)`

// forget forgets whose time to reply is over.
func (n *replyNoter) forget(ctx context.Context, tenant string) (more bool, err error) {
	tag, err := n.pool.Exec(ctx, forgetSQL, planned, tenant, replyName, forgottenAtOnce)
	if err != nil {
		return false, fmt.Errorf("policies: forget: %w", err)
	}
	return tag.RowsAffected() == forgottenAtOnce, nil
}

// causeOf names an event as the cause of what follows from it.
func causeOf(d *eventstore.Decoded) string {
	return d.Tenant + ":" + strconv.FormatInt(d.Position, 10)
}
