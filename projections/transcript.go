package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/session"
	"customercenter/eventstore"
)

// Kinds of items of a transcript.
const (
	ItemSessionStarted = "session_started"
	ItemMessage        = "message"
	ItemSessionEnded   = "session_ended"
)

// TranscriptItem is a message of a session, or the mark of its beginning or end.
type TranscriptItem struct {
	Kind      string    `json:"kind"`
	SessionID uuid.UUID `json:"session_id"`
	At        time.Time `json:"at"` // when it happened
	// Version is that of the session's stream; pass the last one as after for what follows.
	Version int64    `json:"version"`
	Message *Message `json:"message,omitempty"`
}

// Message is one message of a transcript.
type Message struct {
	ID     string `json:"id"`
	Sender Sender `json:"sender"`
	Kind   string `json:"kind"`
	Text   string `json:"text,omitempty"`
	URL    string `json:"url,omitempty"`
	Name   string `json:"name,omitempty"` // of a file
	Late   bool   `json:"late,omitempty"` // it came after the end of the session
	Erased bool   `json:"erased,omitempty"`
}

// Sender wrote a message. There are no names yet: it is the id again.
type Sender struct {
	Kind string `json:"kind"` // customer, agent, system
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// Transcript reads a session's messages in the order in which they were recorded, after a version of its stream (0: from the
// beginning), at most limit. more says that there are more. The transcript is the session's stream, so it includes all that was
// committed before. A session that does not exist has no items; who asks has seen to it that it is the tenant's.
func Transcript(ctx context.Context, store *eventstore.Store, tenant string, id uuid.UUID, after int64, limit int) (items []TranscriptItem, more bool, err error) {
	items = []TranscriptItem{}
	page := max(2*limit, 50)
	for {
		events, err := store.ReadStream(ctx, tenant, session.Stream(id), after, page)
		if err != nil {
			return nil, false, fmt.Errorf("projections: transcript: %w", err)
		}
		decoded, err := store.Open(ctx, events)
		if err != nil {
			return nil, false, fmt.Errorf("projections: transcript: %w", err)
		}
		for i := range decoded {
			item, ok := transcriptItem(id, &decoded[i])
			if !ok {
				continue
			}
			if len(items) == limit {
				return items, true, nil
			}
			items = append(items, item)
		}
		if len(events) < page {
			return items, false, nil
		}
		after = events[len(events)-1].Version
	}
}

// TranscriptTo reads all of a session's messages up to a position of the log. Else it is as Transcript.
func TranscriptTo(ctx context.Context, store *eventstore.Store, tenant string, id uuid.UUID, position int64) ([]TranscriptItem, error) {
	events, err := store.ReadStreamsTo(ctx, tenant, []string{session.Stream(id)}, position, nil)
	if err != nil {
		return nil, fmt.Errorf("projections: transcript: %w", err)
	}
	decoded, failed, err := store.OpenEach(ctx, events)
	if err != nil {
		return nil, fmt.Errorf("projections: transcript: %w", err)
	}
	items := []TranscriptItem{}
	for i := range decoded {
		if item, ok := transcriptItem(id, &decoded[i]); ok && failed[i] == nil {
			items = append(items, item)
		}
	}
	return items, nil
}

func transcriptItem(id uuid.UUID, e *eventstore.Decoded) (TranscriptItem, bool) {
	item := TranscriptItem{SessionID: id, At: e.OccurredAt().UTC(), Version: e.Version}
	switch payload := e.Payload.(type) {
	case session.Started:
		item.Kind = ItemSessionStarted
	case session.Closed, session.Aborted:
		item.Kind = ItemSessionEnded
	case session.MessageRecorded:
		item.Kind = ItemMessage
		item.Message = &Message{
			ID: payload.Message, Sender: Sender{Kind: payload.Sender.Kind, ID: payload.Sender.ID, Name: payload.Sender.ID},
			Kind: payload.Kind, Text: payload.Text, URL: payload.URL, Name: payload.Name, Late: payload.Late, Erased: e.Erased,
		}
	default:
		return item, false
	}
	return item, true
}
