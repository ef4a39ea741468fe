package policies

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/commands"
	"customercenter/domain/session"
	"customercenter/eventstore"
)

// cloudEvent is what goes out: CloudEvents 1.0, structured JSON. Unlike the log on the bus it is not sealed: the channel has to read it.
type cloudEvent struct {
	SpecVersion     string      `json:"specversion"`
	ID              string      `json:"id"`      // the same whenever the message is published; in Nats-Msg-Id too
	Type            string      `json:"type"`    // message.send
	Source          string      `json:"source"`  // /tenants/<tenant>
	Subject         string      `json:"subject"` // the session's stream, or the recipient's
	Time            time.Time   `json:"time"`    // when the message was written
	DataContentType string      `json:"datacontenttype"`
	Data            sendMessage `json:"data"`
}

// sendMessage asks a channel to send a message to a customer.
type sendMessage struct {
	SessionID     uuid.UUID   `json:"session_id,omitzero"`      // of an agent's message
	AutoMessageID uuid.UUID   `json:"auto_message_id,omitzero"` // of an auto message, which belongs to no session
	CustomerID    uuid.UUID   `json:"customer_id"`
	ExternalID    string      `json:"external_id"`
	AssociationID int         `json:"association_id"`
	Channel       string      `json:"channel"`
	Agent         string      `json:"agent,omitempty"`
	Message       sentMessage `json:"message"`
}

// sentMessage is a message as channels know it, as in message.received.
type sentMessage struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	Text string `json:"text,omitempty"`
	URL  string `json:"url,omitempty"`
	Name string `json:"name,omitempty"`
}

// outgoing is the message of an event as it is published.
func outgoing(d *eventstore.Decoded, id uuid.UUID, m session.MessageRecorded, to commands.Addressee) (*nats.Msg, error) {
	event := cloudEvent{
		SpecVersion: "1.0", ID: outgoingID(d).String(), Type: "message.send", Source: "/tenants/" + d.Tenant, Subject: d.Stream,
		Time: d.OccurredAt().UTC(), DataContentType: "application/json",
		Data: sendMessage{
			SessionID: id, CustomerID: to.Customer, ExternalID: to.ExternalID, AssociationID: to.Association, Channel: to.Channel,
			Agent: m.Sender.ID, Message: sentMessage{ID: m.Message, Kind: m.Kind, Text: m.Text, URL: m.URL, Name: m.Name},
		},
	}
	return event.message(d, to.Association)
}

// message is the event as it is published through an association.
func (e *cloudEvent) message(d *eventstore.Decoded, association int) (*nats.Msg, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("policies: the message of position %d cannot be encoded: %w", d.Position, err)
	}
	msg := nats.NewMsg(Subject(d.Tenant, association))
	msg.Header.Set(jetstream.MsgIDHeader, e.ID)
	msg.Header.Set("content-type", "application/cloudevents+json")
	if d.Envelope.Trace != "" {
		msg.Header.Set("traceparent", d.Envelope.Trace) // the channel may go on in the trace of whoever wrote the message
	}
	msg.Data = body
	return msg, nil
}

// outgoingID follows from the event, and from nothing that another event could have, even if the log is restored from a backup
// and its positions are given out again.
func outgoingID(d *eventstore.Decoded) uuid.UUID {
	return uuid.NewSHA1(d.Envelope.Append, []byte(d.Stream+":"+strconv.FormatInt(d.Version, 10)))
}
