package ingest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// item is an event on its way from the queue to its acknowledgement.
type item struct {
	msg     jetstream.Msg
	meta    *jetstream.MsgMetadata
	arrival Arrival
	event   Event
	wrong   error // what Parse said
	lane    string
	outcome Outcome // set by the handler; its zero value if the event keeps failing
	weight  int64   // its share of what a part may have at hand, in bytes
}

// newItem reads a message of the queue.
func newItem(msg jetstream.Msg) (*item, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, fmt.Errorf("ingest: message without metadata: %w", err)
	}
	tenant, association, ok := parseSubject(msg.Subject())
	if !ok {
		return nil, fmt.Errorf("ingest: message %d has a subject that the stream cannot have", meta.Sequence.Stream)
	}
	it := &item{msg: msg, meta: meta, arrival: Arrival{
		Tenant: tenant, Association: association, Body: msg.Data(), Correlation: msg.Headers().Get(middleware.CorrelationIDMetadataKey),
		Trace: msg.Headers().Get("traceparent"),
	}}
	// Channels publish to the same subjects and may set any header. The count is worth something only with the id that Resend gives.
	if n, err := strconv.Atoi(msg.Headers().Get(headerResent)); err == nil && n > 0 && isResendID(msg.Headers().Get(jetstream.MsgIDHeader)) {
		it.arrival.Resent = n
	}
	it.parse()
	return it, nil
}

// parse reads the event. Should there be a fault in Parse, it must not take the whole part of the queue down.
func (it *item) parse() {
	defer func() {
		if recover() != nil {
			it.wrong = errPanicked
		}
	}()
	it.event, it.wrong = Parse(it.arrival.Body)
}

// claimed is the lane for an event whose customer cannot be told yet, by the external id it names; empty if it names a session.
// Which spellings of an external id are the same depends on the channel, which is not known then. So those are the same here that are
// the same in any channel; that two people may share such a lane does no harm.
func (it *item) claimed() string {
	if it.event.data.session != uuid.Nil || it.event.data.externalID == "" {
		return ""
	}
	folded := strings.Map(func(r rune) rune {
		if r == '-' || unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, it.event.data.externalID)
	return "?" + it.arrival.Tenant + "/" + strconv.Itoa(it.arrival.Association) + "/" + folded
}

type itemKey struct{}

// itemOf is the item that a message of the router carries.
func itemOf(msg *message.Message) *item { return msg.Context().Value(itemKey{}).(*item) }

// message wraps the item for the router. Each try is a message of its own, because one that was not acknowledged is used up.
func (it *item) message(ctx context.Context) *message.Message {
	msg := message.NewMessage(strconv.FormatUint(it.meta.Sequence.Stream, 10), it.arrival.Body)
	msg.SetContext(context.WithValue(ctx, itemKey{}, it))
	correlation := it.arrival.Correlation
	if correlation == "" {
		correlation = it.event.ID
	}
	middleware.SetCorrelationID(correlation, msg)
	return msg
}
