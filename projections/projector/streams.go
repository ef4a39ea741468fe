package projector

import (
	"context"
	"encoding/json"
	"math"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
	"customercenter/domain/customer"
	"customercenter/domain/projection"
	"customercenter/domain/session"
	"customercenter/domain/suppressed"
	"customercenter/eventstore"
)

// ownStreams are the streams that may hold events of a customer and whose names follow from the customer's id alone.
func ownStreams(id uuid.UUID) []string {
	return []string{customer.Stream(id), suppressed.Stream(id), projection.Stream}
}

// StreamsOf names the streams in which all events are that concern a customer, as the log is now: the customer's own, those of sessions, and those of
// what became of auto messages. Some of them do not exist, and one holds events of others, too. It reads no personal data, and goes on at events
// that this program cannot read.
func StreamsOf(ctx context.Context, store *eventstore.Store, tenant string, id uuid.UUID) ([]string, error) {
	own, err := store.ReadAcross(ctx, tenant, []string{customer.Stream(id)}, []int64{0}, []string{"customer.created", "customer.session_opened"}, math.MaxInt64, false, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	streams, lives := ownStreams(id), 1
	for i := range own {
		var said struct {
			Session    uuid.UUID `json:"session"`
			Generation int       `json:"generation"`
		}
		if json.Unmarshal(own[i].Data, &said) != nil {
			continue // what is not as it should be names nothing
		}
		lives = max(lives, said.Generation)
		if own[i].Type == "customer.session_opened" {
			streams = append(streams, session.Stream(said.Session))
		}
	}
	defined, err := store.ReadAcross(ctx, tenant, []string{automessage.Stream}, []int64{0}, []string{"auto_message.defined"}, math.MaxInt64, false, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	for i := range defined {
		var said struct {
			AutoMessage uuid.UUID `json:"auto_message"`
		}
		if json.Unmarshal(defined[i].Data, &said) == nil {
			streams = append(streams, recipientStreams(said.AutoMessage, id, lives)...)
		}
	}
	return streams, nil
}

// recipientStreams name what became of an auto message with a customer, in each of the customer's lives.
func recipientStreams(autoMessage, id uuid.UUID, lives int) (streams []string) {
	for life := 1; life <= lives; life++ {
		streams = append(streams, automessage.RecipientStream(automessage.RecipientID(autoMessage, id, life)))
	}
	return streams
}
