package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/job"
	"customercenter/internal/locale"
	"customercenter/projections"
)

// WhatIf is what a rule would have done over history.
type WhatIf struct {
	Job
	Description string                 `json:"description" doc:"The rule in words, in the language of Accept-Language; a mask if it looks at personal data and the reader sees that masked."`
	From        time.Time              `json:"from" doc:"When the group would have been defined."`
	Result      *projections.Hindsight `json:"result,omitempty" doc:"Absent until it is completed."`
}

// WhatIfInput is what to ask of history.
type WhatIfInput struct {
	Rule json.RawMessage `json:"rule" doc:"A filter with at least one condition. It may not read groups."`
	From time.Time       `json:"from" doc:"The instant in the past at which the group would have been defined. One before the first event of the log is that of the first event."`
}

func (s *server) whatIfOperations() {
	const tag = "Groups"
	conflict := http.StatusConflict
	register(s, operation{id: "start-whatif", method: http.MethodPost, path: "/v1/groups/whatif", tag: tag, status: http.StatusAccepted,
		summary: "Find out what a rule would have done, had a group been defined with it in the past",
		notes: "Members, entries and leaves are those that the group would have had, what the clock alone does included. Nothing is changed, and nothing is written to the log: the work goes on in the process that took the request, and so does what it found, " +
			"for an hour. Ask that process for it: behind a proxy with several, by sticky sessions. One works for a tenant at a time, ALREADY_RUNNING; who asks anew ends the own one before. Two work in a process, BUSY.",
		errors: []int{conflict}}, s.startWhatIf)
	register(s, operation{id: "get-whatif", method: http.MethodGet, path: "/v1/groups/whatif/{id}", tag: tag,
		summary: "Show how far a look at history has come, and what it found", notes: "WHATIF_GONE (404) when it is not kept any more, or the process that made it has ended."}, s.getWhatIf)
	register(s, operation{id: "list-whatif-moves", method: http.MethodGet, path: "/v1/groups/whatif/{id}/moves", tag: tag,
		summary: "Read who would have entered and left, when and why, as one JSON object per line",
		notes:   "Customer by customer; those of each in the order in which they would have happened. They are there once it is completed; before that, ALREADY_RUNNING. An answer that breaks off without its last line feed is incomplete.",
		errors:  []int{conflict}, stream: true, produces: "application/x-ndjson", schema: GroupMove{}}, s.listWhatIfMoves)
	register(s, operation{id: "cancel-whatif", method: http.MethodPost, path: "/v1/groups/whatif/{id}/cancel", tag: tag, status: http.StatusOK,
		summary: "Stop a look at history", notes: "One that has ended stays as it is."}, s.cancelWhatIf)
}

type startWhatIfInput struct{ Body WhatIfInput }

type whatIfOutput struct{ Body WhatIf }

func (s *server) startWhatIf(ctx context.Context, r *request, in *startWhatIfInput) (*whatIfOutput, error) {
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return nil, err
	}
	rule, err := words.rule(in.Body.Rule)
	if err != nil {
		return nil, err
	}
	if rule.Personal() && !words.personal { // what is masked could be guessed letter by letter
		return nil, domain.Refuse(codeForbidden).At("rule")
	}
	position, until, err := s.Store.Watermark(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	if in.Body.From.Year() < 1 || in.Body.From.After(until) {
		return nil, invalid("from", rulePast)
	}
	a := &analysis{
		id: uuid.Must(uuid.NewV7()), tenant: r.who.Tenant, by: projections.Actor{Kind: r.who.Kind, ID: r.who.ID, Name: r.who.ID}, began: time.Now(),
		asked: projections.WhatIfQuery{Rule: rule, From: in.Body.From, Position: position, Until: until},
		now:   analysisState{status: job.Running},
	}
	if err := s.analyses.begin(a); err != nil {
		return nil, err
	}
	s.Background(func(background context.Context) { s.analyse(background, r, a) })
	return &whatIfOutput{words.whatIf(r.language, a)}, nil
}

// analyse works on a look at history until it ends.
func (s *server) analyse(ctx context.Context, r *request, a *analysis) {
	ctx, end := a.working(context.WithValue(ctx, requestKey{}, r))
	defer end()
	kept, err := newSpool()
	var told projections.Hindsight
	if err == nil {
		told, err = s.Groups.WhatIf(ctx, a.tenant, a.asked, a.come, kept.add)
	}
	if err == nil {
		err = kept.close()
	}
	s.analyses.ended(ctx, a, told, kept, err)
}

type oneWhatIfInput struct {
	After
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) getWhatIf(ctx context.Context, r *request, in *oneWhatIfInput) (*whatIfOutput, error) {
	a, err := s.analyses.find(r.who.Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return nil, err
	}
	return &whatIfOutput{words.whatIf(r.language, a)}, nil
}

type cancelWhatIfInput struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) cancelWhatIf(ctx context.Context, r *request, in *cancelWhatIfInput) (*whatIfOutput, error) {
	a, err := s.analyses.find(r.who.Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	a.cancel()
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return nil, err
	}
	return &whatIfOutput{words.whatIf(r.language, a)}, nil
}

// whatIf is a look at history as a reader may see it.
func (v *vocabulary) whatIf(l locale.Language, a *analysis) WhatIf {
	state := a.state()
	shown := WhatIf{
		Job:         Job{ID: a.id, Kind: "whatif", Status: string(state.status), Progress: state.progress, Code: state.code, CreatedBy: a.by, CreatedAt: a.began.UTC()},
		Description: mask, From: a.asked.From.UTC(),
	}
	if v.personal || !a.asked.Rule.Personal() {
		shown.Description = a.asked.Rule.Describe(v.words, v.names)
	}
	if state.code != "" {
		shown.Detail = locale.Failure(l, state.code, state.args)
	}
	if at := state.finished.UTC(); !state.finished.IsZero() {
		shown.FinishedAt = &at
	}
	if state.kept != nil {
		shown.Result = &state.told
	}
	return shown
}

// movesPage is how many entries and leaves are read and sent at a time.
const movesPage = 500

func (s *server) listWhatIfMoves(ctx context.Context, r *request, in *oneWhatIfInput) (*huma.StreamResponse, error) {
	a, err := s.analyses.find(r.who.Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	state := a.state()
	switch {
	case state.finished.IsZero():
		return nil, domain.Refuse(codeRunning)
	case state.kept == nil:
		return nil, domain.Refuse(codeWhatIfGone)
	}
	read := state.kept.read()
	next := func(ctx context.Context) ([]GroupMove, bool, error) {
		moves, more, err := read(movesPage)
		if err != nil {
			return nil, false, err
		}
		page, err := s.groupMoves(ctx, r, moves)
		return page, more, err
	}
	page, more, err := next(ctx)
	if err != nil {
		return nil, err
	}
	return lines(ctx, nil, page, more, next), nil
}
