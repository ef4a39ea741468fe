package api

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"customercenter/api/access"
	"customercenter/api/ingest"
	"customercenter/domain"
	"customercenter/internal/locale"
)

// channelOperation takes bodies as they are: each event in them is checked by itself.
const channelOperation = "receive-channel-events"

const (
	oneEvent    = "application/cloudevents+json"
	manyEvents  = "application/cloudevents-batch+json"
	maxInABatch = 500
)

// EventAnswer is what became of one channel event.
type EventAnswer struct {
	ingest.Outcome
	Title  string `json:"title,omitempty" doc:"Why it was refused, in general, in the language asked for."`
	Detail string `json:"detail,omitempty" doc:"Why it was refused, this time, in the language asked for."`
}

// BatchAnswer is what became of the events of a batch, in their order.
type BatchAnswer struct {
	Items []EventAnswer `json:"items" nullable:"false"`
}

func (s *server) channelOperations() {
	register(s, operation{id: channelOperation, method: http.MethodPost, path: "/v1/channels/{association_id}/events", tag: "Channels", status: http.StatusOK,
		summary: "Hand over channel events",
		notes: "One CloudEvent in structured JSON, or with Content-Type application/cloudevents-batch+json a list of up to 500. `source` and `id` make an event " +
			"idempotent for 30 days. A single event that is refused is answered with a problem, a batch with 200 and an answer for each of its events.",
		errors: []int{http.StatusConflict}, produces: "application/json", schema: BatchAnswer{}}, s.receiveChannelEvents)
	one := &huma.Schema{Type: huma.TypeObject, Description: "A CloudEvent 1.0: specversion, id, source, type, time, subject, data.", AdditionalProperties: true}
	s.api.OpenAPI().Paths["/v1/channels/{association_id}/events"].Post.RequestBody.Content = map[string]*huma.MediaType{
		oneEvent:   {Schema: one},
		manyEvents: {Schema: &huma.Schema{Type: huma.TypeArray, Items: one}},
	}
}

type channelEventsInput struct {
	Write
	AssociationID int    `path:"association_id" minimum:"1"`
	ContentType   string `header:"Content-Type" hidden:"true"`
	RawBody       []byte `contentType:"application/cloudevents+json"`
}

type channelEventsOutput struct {
	Written
	Body any
}

func (s *server) receiveChannelEvents(ctx context.Context, r *request, in *channelEventsInput) (*channelEventsOutput, error) {
	if r.scope == access.Own && r.who.Association != in.AssociationID {
		return nil, domain.Refuse(codeForbidden)
	}
	if _, err := s.association(ctx, r, in.AssociationID); err != nil {
		return nil, err
	}
	batch, err := isBatch(r, in.ContentType)
	if err != nil {
		return nil, err
	}
	if !batch {
		return s.receiveOne(ctx, r, in)
	}
	return s.receiveBatch(ctx, r, in)
}

// isBatch reads the media type: a batch is only what says that it is one.
func isBatch(r *request, contentType string) (bool, error) {
	kind := contentType
	if contentType != "" {
		var err error
		if kind, _, err = mime.ParseMediaType(contentType); err != nil {
			kind = "?"
		}
	}
	switch kind {
	case manyEvents:
		return true, nil
	case "", "application/json", oneEvent:
		return false, nil
	}
	return false, newProblem(r.language, codeMediaType, "", map[string]any{"expected": oneEvent + ", " + manyEvents})
}

func (s *server) receiveOne(ctx context.Context, r *request, in *channelEventsInput) (*channelEventsOutput, error) {
	var outcome ingest.Outcome
	answer, _, err := s.Answers.Do(ctx, r.once(in.IdempotencyKey), func(ctx context.Context) (string, error) {
		var err error
		if outcome, err = s.Channels.Handle(ctx, ingest.Arrival{Tenant: r.who.Tenant, Association: in.AssociationID, Body: r.body, Correlation: r.id}); err != nil {
			return "", err
		}
		return remembered([]ingest.Outcome{outcome})
	})
	if err != nil {
		return nil, err
	}
	outcomes, err := recall(answer)
	if err != nil {
		return nil, err
	}
	outcome = outcomes[0].Outcome
	if outcome.Status == ingest.StatusRefused {
		return nil, &domain.Refusal{Code: outcome.Code, Location: outcome.Location, Args: outcomes[0].Args}
	}
	return &channelEventsOutput{Written: Written{outcome.Position}, Body: outcome}, nil
}

// receiveBatch hands over the events one after the other: those of one customer must stay in order.
func (s *server) receiveBatch(ctx context.Context, r *request, in *channelEventsInput) (*channelEventsOutput, error) {
	events, err := ingest.Split(r.body)
	if err != nil {
		return nil, err
	}
	if len(events) > maxInABatch {
		return nil, invalid("body", domain.RuleTooMany).With("max", maxInABatch)
	}
	answer, _, err := s.Answers.Do(ctx, r.once(in.IdempotencyKey), func(ctx context.Context) (string, error) {
		outcomes := make([]ingest.Outcome, len(events))
		for i, event := range events {
			var err error
			// Should this break off, the whole batch is sent again, and what was done is not done twice.
			if outcomes[i], err = s.Channels.Handle(ctx, ingest.Arrival{Tenant: r.who.Tenant, Association: in.AssociationID, Body: event, Correlation: r.id}); err != nil {
				return "", err
			}
			if err := r.turn.pass(ctx); err != nil {
				return "", err
			}
		}
		return remembered(outcomes)
	})
	if err != nil {
		return nil, err
	}
	outcomes, err := recall(answer)
	if err != nil {
		return nil, err
	}
	out := &channelEventsOutput{}
	body := BatchAnswer{Items: make([]EventAnswer, len(outcomes))}
	for i, o := range outcomes {
		out.LogPosition = max(out.LogPosition, o.Position)
		body.Items[i] = EventAnswer{Outcome: o.Outcome}
		if o.Status == ingest.StatusRefused {
			body.Items[i].Title = locale.Title(r.language, o.Code)
			body.Items[i].Detail = locale.Detail(r.language, o.Code, o.Location, o.Args)
		}
	}
	out.Body = body
	return out, nil
}

// rememberedOutcome is an outcome as it is kept under an Idempotency-Key: with the arguments of its words.
type rememberedOutcome struct {
	ingest.Outcome
	Args map[string]any `json:"args,omitempty"`
}

func remembered(outcomes []ingest.Outcome) (string, error) {
	all := make([]rememberedOutcome, len(outcomes))
	for i, o := range outcomes {
		all[i] = rememberedOutcome{Outcome: o, Args: o.Args}
	}
	text, err := json.Marshal(all)
	return string(text), err
}

func recall(answer string) ([]rememberedOutcome, error) {
	var all []rememberedOutcome
	decoder := json.NewDecoder(strings.NewReader(answer))
	decoder.UseNumber() // numbers in the words stay as they were
	err := decoder.Decode(&all)
	return all, err
}
