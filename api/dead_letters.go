package api

import (
	"context"
	"errors"
	"net/http"

	"customercenter/api/ingest"
	"customercenter/domain"
)

// LetterInput names a dead letter.
type LetterInput struct {
	Number uint64 `json:"number" minimum:"1" doc:"As in the list: sequence."`
}

func (s *server) deadLetterOperations() {
	const tag = "Channels"
	conflict := []int{http.StatusConflict}
	register(s, operation{id: "list-dead-letters", method: http.MethodGet, path: "/v1/dead-letters", tag: tag,
		summary: "List the channel events that could not be taken", notes: "The oldest first, with the reason and without what people wrote. They go by themselves after 30 days."}, s.listDeadLetters)
	register(s, operation{id: "resend-dead-letter", method: http.MethodPost, path: "/v1/dead-letters/resend", tag: tag, status: http.StatusNoContent,
		summary: "Put a channel event into the queue again", notes: "It is judged anew. Should it be refused again, it becomes another dead letter.", errors: conflict}, s.resendDeadLetter)
	register(s, operation{id: "discard-dead-letter", method: http.MethodPost, path: "/v1/dead-letters/discard", tag: tag, status: http.StatusNoContent,
		summary: "Remove a dead letter for good", errors: conflict}, s.discardDeadLetter)
}

type listLettersInput struct {
	After
	Behind uint64 `query:"behind" doc:"Only those with a greater number."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (s *server) listDeadLetters(ctx context.Context, _ *request, in *listLettersInput) (*struct{ Body List[ingest.DeadLetter] }, error) {
	if s.DeadLetters == nil {
		return &struct{ Body List[ingest.DeadLetter] }{List[ingest.DeadLetter]{Items: []ingest.DeadLetter{}}}, nil
	}
	letters, err := s.DeadLetters.List(ctx, "", in.Behind, in.Limit)
	if err != nil {
		return nil, s.silent(ctx, err)
	}
	return &struct{ Body List[ingest.DeadLetter] }{List[ingest.DeadLetter]{Items: letters}}, nil
}

type letterInput struct {
	Write
	Body LetterInput
}

func (s *server) resendDeadLetter(ctx context.Context, r *request, in *letterInput) (*struct{}, error) {
	return s.letter(ctx, r, in, (*ingest.DeadLetters).Resend)
}

func (s *server) discardDeadLetter(ctx context.Context, r *request, in *letterInput) (*struct{}, error) {
	return s.letter(ctx, r, in, (*ingest.DeadLetters).Discard)
}

// letter does something with a dead letter, once for each key.
func (s *server) letter(ctx context.Context, r *request, in *letterInput, do func(*ingest.DeadLetters, context.Context, uint64) error) (*struct{}, error) {
	if s.DeadLetters == nil {
		return nil, domain.Refuse(codeNoLetter)
	}
	_, _, err := s.Answers.Do(ctx, r.once(in.IdempotencyKey), func(ctx context.Context) (string, error) {
		err := do(s.DeadLetters, ctx, in.Body.Number)
		switch {
		case errors.Is(err, ingest.ErrNoLetter):
			return "", domain.Refuse(codeNoLetter)
		case errors.Is(err, ingest.ErrCut):
			return "", domain.Refuse(codeLetterCut)
		case err != nil:
			return "", s.silent(ctx, err)
		}
		return "", nil
	})
	return nil, err
}

// silent is what the caller is told when the bus does not answer. The log has the reason.
func (s *server) silent(ctx context.Context, err error) error {
	s.log.WarnContext(ctx, "api: the bus does not answer", "error", err)
	return domain.Refuse(codeUnavailable)
}
