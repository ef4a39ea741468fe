package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/text"
	"customercenter/projections"
)

func (s *server) messageOperations(tag string) {
	register(s, operation{id: "list-session-messages", method: http.MethodGet, path: "/v1/sessions/{id}/messages", tag: tag,
		summary: "List the messages of a session, in order", notes: "Marks of its beginning and end are among them. " + ownSessions}, s.listMessages)
	register(s, operation{id: "send-message", method: http.MethodPost, path: "/v1/sessions/{id}/messages", tag: tag, status: http.StatusCreated,
		summary: "Write to the customer of a session that is going on",
		notes: "An agent writes in the own sessions. The message is recorded at once and goes out to the channel after that. A repeated request gets the first " +
			"answer and sends nothing. Without an Idempotency-Key, the id of the message tells, for the same writer and session; one that was refused may be sent again.",
		errors: []int{http.StatusConflict}}, s.sendMessage)
}

type messagesInput struct {
	SessionAddress
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" maxLength:"20"`
}

type messagesOutput struct {
	Served
	Body List[projections.TranscriptItem]
}

func (s *server) listMessages(ctx context.Context, r *request, in *messagesInput) (*messagesOutput, error) {
	var from int64
	if in.Cursor != "" {
		var err error
		if from, err = strconv.ParseInt(in.Cursor, 10, 64); err != nil || from < 0 {
			return nil, invalid("query.cursor", ruleCursor)
		}
	}
	served, _, err := s.session(ctx, r, in.After, in.ID)
	if err != nil {
		return nil, err
	}
	items, more, err := projections.Transcript(ctx, s.Store, r.who.Tenant, in.ID, from, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &messagesOutput{Served: served, Body: List[projections.TranscriptItem]{Items: items}}
	if more && len(items) > 0 {
		out.Body.Next = strconv.FormatInt(items[len(items)-1].Version, 10)
	}
	if !r.who.Personal {
		for i := range items {
			maskItem(&items[i])
		}
	}
	return out, nil
}

// MessageInput is what somebody writes to a customer.
type MessageInput struct {
	Kind string `json:"kind" enum:"text,image,voice,video,file,location,other"`
	Text string `json:"text,omitempty" doc:"Up to 20,000 characters. A text needs it, a location or other kind this or url."`
	URL  string `json:"url,omitempty" doc:"An http or https address of up to 2,048 characters. Images, voices, videos and files need it."`
	Name string `json:"name,omitempty" doc:"Of a file, up to 255 characters."`
	ID   string `json:"id,omitempty" maxLength:"128" doc:"The message's own id, up to 128 characters. Absent: one is made."`
}

type sendMessageInput struct {
	Write
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body MessageInput
}

type sentMessage struct {
	Written
	Body projections.TranscriptItem
}

func (s *server) sendMessage(ctx context.Context, r *request, in *sendMessageInput) (*sentMessage, error) {
	by := r.by(in.IdempotencyKey)
	message := commands.Message{ID: in.Body.ID, Kind: in.Body.Kind, Text: in.Body.Text, URL: in.Body.URL, Name: in.Body.Name}
	if id, ok := text.Line(message.ID); ok {
		message.ID = id // as it is recorded, so that one id is one key however it is spelled
	}
	switch {
	case in.Body.ID == "":
		message.ID = uuid.Must(uuid.NewV7()).String()
	case in.IdempotencyKey == "": // the message's id serves as well; with a space, it is no key that a caller could give
		by = r.by("message " + in.ID.String() + " " + message.ID)
		by.Once.DoneOnly = true // a message that was refused was not sent, and may be mended and sent under its id
	}
	done, err := commands.SendMessage{Session: in.ID, Agent: r.who.ID, Message: message, OnlyOf: onlyOf(r)}.Run(ctx, s.Center, by)
	if err != nil {
		return nil, notThere(err)
	}
	out := &sentMessage{Written: Written{done.Position}}
	// The message is safe in the log; if it cannot be read just now the answer has what is known of it.
	if out.Body, err = projections.ItemAt(ctx, s.Store, r.who.Tenant, done.Position); err != nil {
		s.unshown(ctx, r, done, err)
		out.Body = projections.TranscriptItem{Kind: projections.ItemMessage, SessionID: in.ID, At: s.Now().UTC(), Message: &projections.Message{ID: message.ID,
			Sender: projections.Sender{Kind: domain.PartyAgent, ID: r.who.ID, Name: r.who.ID}, Kind: message.Kind, Text: message.Text, URL: message.URL, Name: message.Name}}
	}
	return out, nil
}

// notThere says only "not found" where the session or the customer is what the address names.
func notThere(err error) error {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) && refusal.Code == domain.CodeNotFound {
		return domain.Refuse(domain.CodeNotFound)
	}
	return err
}
