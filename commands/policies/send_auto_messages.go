package policies

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/commands"
	"customercenter/domain/automessage"
	"customercenter/domain/session"
	"customercenter/eventstore"
)

// sendAutoName is the name of the policy that publishes auto messages. It has a position of its own, so that no campaign holds up what
// agents write.
const sendAutoName = "send-auto-messages"

func (s *sender) autoPolicy() *policy {
	return &policy{name: sendAutoName, types: []string{automessage.Sent{}.EventType()}, prepare: s.ensure, reactAll: s.sendAuto}
}

// sendAuto publishes the auto messages of a page of the log, and returns when the stream has them all. Whom one must not reach any more, by
// what is in the log now, is noted as withheld. Were a process to die between publishing one and noting the position, and its customer
// to be put on the blacklist before another one takes over, it would be noted as withheld although it went out.
func (s *sender) sendAuto(ctx context.Context, tenant string, page []*eventstore.Decoded) error {
	var ids []uuid.UUID
	var sent []automessage.Sent
	var from []*eventstore.Decoded
	for _, d := range page {
		id, ok := automessage.RecipientOf(d.Stream)
		payload, is := d.Payload.(automessage.Sent)
		if ok && is {
			ids, sent, from = append(ids, id), append(sent, payload), append(from, d)
		}
	}
	out, err := s.center.AutoMessagesOut(ctx, tenant, ids, sent)
	if err != nil {
		return fmt.Errorf("policies: send: %w", err)
	}
	var msgs []*nats.Msg
	for i, o := range out {
		if o.Withheld != "" {
			by := commands.By{Tenant: tenant, Actor: eventstore.Actor{Kind: "policy", ID: sendAutoName}, Cause: causeOf(from[i])}
			if _, err := (commands.WithholdAutoMessage{Recipient: ids[i], Code: o.Withheld}).Run(ctx, s.center, by); err != nil {
				return fmt.Errorf("policies: withhold: %w", err)
			}
			continue
		}
		msg, err := outgoingAuto(from[i], ids[i], sent[i].AutoMessage, o)
		if err != nil {
			return err
		}
		msgs = append(msgs, msg)
	}
	return s.publishAll(ctx, msgs)
}

// outgoingAuto is an auto message as it is published. Its id is the recipient's: the same whenever it is published.
func outgoingAuto(d *eventstore.Decoded, id, autoMessage uuid.UUID, out commands.AutoMessageOut) (*nats.Msg, error) {
	event := cloudEvent{
		SpecVersion: "1.0", ID: id.String(), Type: "message.send", Source: "/tenants/" + d.Tenant, Subject: d.Stream,
		Time: d.OccurredAt().UTC(), DataContentType: "application/json",
		Data: sendMessage{
			AutoMessageID: autoMessage, CustomerID: out.To.Customer, ExternalID: out.To.ExternalID, AssociationID: out.To.Association,
			Channel: out.To.Channel, Message: sentMessage{ID: id.String(), Kind: session.KindText, Text: out.Text},
		},
	}
	return event.message(d, out.To.Association)
}

// publishAll publishes messages together and returns when the stream has all of them. After an error it may have some.
func (s *sender) publishAll(ctx context.Context, msgs []*nats.Msg) error {
	if len(msgs) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	if !s.ensured.Load() {
		if err := s.ensure(ctx); err != nil {
			return err
		}
	}
	acks := make([]jetstream.PubAckFuture, 0, len(msgs))
	for _, msg := range msgs {
		ack, err := s.js.PublishMsgAsync(msg)
		if err != nil {
			s.ensured.Store(false)
			return fmt.Errorf("policies: publish: %w", err)
		}
		acks = append(acks, ack)
	}
	for _, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			s.ensured.Store(false)
			return fmt.Errorf("policies: publish: %w", err)
		case <-ctx.Done():
			s.ensured.Store(false)
			return fmt.Errorf("policies: publish: %w", context.Cause(ctx))
		}
	}
	return nil
}
